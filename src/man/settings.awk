# gorae-daemon.json(5), from the daemon's own table of settings (goraed --settings: key, flag, kind, whether a reload changes it,
# sentence, divided by tabs) and the prose in gorae-daemon.json.man, where the table stands for the line "@SETTINGS@".
BEGIN {
    FS = "\t"
    kinds["boolean"] = "true or false"
    kinds["string"] = "string"
    kinds["number"] = "number"
    kinds["strings"] = "list of strings"
    kinds["map"] = "object of strings"
    kinds["runtimes"] = "object: {\"NAME\": {\"path\": \"/absolute/path\", \"runtimeArgs\": [\"…\"]}}"
    kinds["fixed"] = "an option of dockerd that may say what is so"
    kinds["ulimits"] = "object: {\"NAME\": {\"Name\": \"NAME\", \"Soft\": NUMBER, \"Hard\": NUMBER}}"
}
function plain(s) {
    gsub(/\\/, "\\e", s)
    gsub(/'/, "\\(aq", s)
    gsub(/-/, "\\-", s)
    return s
}
{
    if (!($3 in kinds)) { print "settings.awk: a kind without words: " $3 >"/dev/stderr"; exit 1 }
    table = table ".TP\n\\fB\"" plain($1) "\"\\fR: " plain(kinds[$3]) "\n" plain($5) ".\nThe flag is \\fB\\-\\-" plain($2) "\\fR.\n" \
        ($4 == "live" ? "A reload changes it.\n" : "A change counts from the next start of the daemon.\n")
}
END {
    while ((getline line <prose) > 0) {
        gsub(/@DATE@/, date, line)
        gsub(/@VERSION@/, version, line)
        if (line == "@SETTINGS@") printf "%s", table
        else print line
    }
}
