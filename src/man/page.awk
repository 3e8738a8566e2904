# One manual page, from what a program's --help says and from the prose that is written by hand (commands.man and the other
# files beside this one). What --help says is taken over word by word, so page and help cannot disagree.
#
#   PROGRAM --help | awk -v name=gorae-ps -v section=1 -v path='gorae ps' -v block=ps -v prose=commands.man \
#       -v date=2026-11-30 -v version=0.1.0 -v names=gorae-ps,gorae-container-ls -f page.awk
#
# --help has a "Usage:" line, a sentence, and blocks that open with a line "Something:". A block's entry is a name, two blanks
# or more, and a text; the text goes on in deeper lines. In the prose a block opens with "== NAME"; what stands before its
# first .SH joins the DESCRIPTION, and each .SH becomes a section in the order that man-pages(7) gives.

# Text as roff(7) takes it for text: what it would read as a command or draw as typographic signs is spelled out.
function text(s) {
    gsub(/\\/, "\\e", s)
    gsub(/'/, "\\(aq", s)
    gsub(/`/, "\\(ga", s)
    gsub(/\^/, "\\(ha", s)
    gsub(/~/, "\\(ti", s)
    gsub(/--/, "\\-\\-", s)
    gsub(/ -/, " \\-", s)
    gsub(/[(]-/, "(\\-", s)
    if (s ~ /^-/) s = "\\" s
    if (s ~ /^[.]/) s = "\\\&" s
    return s
}

# Everything in it is to be typed: each dash is a real one.
function code(s) {
    gsub(/-/, "\\-", s)
    return s
}

function entry_option(left, right,    parts, n, i, out, words) {
    sub(/^ +/, "", left)
    n = split(left, parts, ", ")
    for (i = 1; i <= n; i++) {
        split(parts[i], words, " ")
        out = out (i > 1 ? ", " : "")
        if (match(words[1], /\[=.*\]$/))
            out = out "\\fB" code(substr(words[1], 1, RSTART - 1)) "\\fR[=\\fI" substr(words[1], RSTART + 2, RLENGTH - 3) "\\fR]"
        else
            out = out "\\fB" code(words[1]) "\\fR"
        if (words[2] != "") out = out " \\fI" code(words[2]) "\\fR"
        delete words
    }
    return ".TP\n" out "\n" text(right) "\n"
}

function entry(left, right,    name, program) {
    program = path
    gsub(/ /, "-", program)
    sub(/^ +/, "", left)
    name = code(left)
    if (path ~ /^gorae/ && heading != "Verbs")
        return ".TP\n\\fB" name "\\fR\n" text(right) ".\nSee\n.BR " code(program) "\\-" name " (1).\n"
    return ".TP\n\\fB" name "\\fR\n" text(right) "\n"
}

function flush() {
    if (left == "") return
    if (heading ~ /Options$/) options = options entry_option(left, right)
    else if (heading != "Aliases") commands = commands entry(left, right)
    left = right = ""
}

function synopsis(usage,    forms, n, i, out, rest) {
    sub(/^Usage: */, "", usage)
    n = split(usage, forms, /  or  /)
    for (i = 1; i <= n; i++) {
        rest = forms[i]
        if (index(rest, path) == 1) rest = substr(rest, length(path) + 1)
        sub(/^ /, "", rest)
        rest = code(rest)
        gsub(/[A-Z][A-Z_]+/, "\\fI&\\fR", rest)
        out = out (i > 1 ? ".br\n" : "") "\\fB" code(path) "\\fR" (rest != "" ? " " rest : "") "\n"
    }
    return out
}

/^Usage:/ { usage = $0; next }
/^[A-Z][A-Za-z ]*:$/ {
    flush()
    heading = substr($0, 1, length($0) - 1)
    if (heading ~ /Commands$/ && heading != "Commands") commands = commands ".SS " heading "\n"
    else if (heading == "Commands" && commands != "") commands = commands ".SS Other Commands\n"
    next
}
heading == "" && NF && summary == "" { summary = $0; next }
heading == "Aliases" && NF { sub(/^ +/, ""); aliases = $0; next }
/^ / && heading != "" && NF {
    # an option's text may begin on the next line
    indent = match($0, /[^ ]/) - 1
    if (indent > 6 || (left != "" && indent > 2 && $0 !~ /^      --/)) {
        sub(/^ +/, "")
        right = right (right != "" ? " " : "") $0
        next
    }
    flush()
    line = $0
    sub(/^ +/, "", line)
    at = match(line, /  +/)
    left = at ? substr(line, 1, at - 1) : line
    right = at ? substr(line, at + RLENGTH) : ""
    next
}
!/^ / && NF { flush(); heading = "" }

function read_prose(    line, here, section_name) {
    while ((getline line <prose) > 0) {
        if (line ~ /^== /) {
            here = substr(line, 4) == block
            section_name = "DESCRIPTION"
        } else if (here && line ~ /^\.SH /) {
            section_name = substr(line, 5)
            gsub(/"/, "", section_name)
            if (!(section_name in written)) order[++sections] = section_name
            written[section_name] = written[section_name] ""
        } else if (here && line != "") {
            written[section_name] = written[section_name] line "\n"
        }
    }
}

function put(title, body) {
    if (body != "") printf ".SH %s\n%s", title ~ / / ? "\"" title "\"" : title, body
    delete written[title]
}

END {
    flush()
    read_prose()
    source = prose
    sub(/.*\//, "", source)
    printf ".\\\" Made from \"%s --help\" and from %s\n", path, source
    printf ".TH %s %s %s \"gorae %s\" \"gorae manual\"\n", code(toupper(name)), section, date, version
    # neither hyphens nor wide blanks where somebody may copy a word
    print ".nh\n.ad l"
    gsub(/,/, ", ", names)
    about = text(tolower(substr(summary, 1, 1)) substr(summary, 2))
    put("NAME", code(names) " \\- " about "\n")
    put("SYNOPSIS", synopsis(usage))
    other = ""
    if (aliases != "") other = ".PP\nIts names: " code(aliases) ".\n"
    put("DESCRIPTION", text(toupper(substr(summary, 1, 1)) substr(summary, 2)) ".\n" (written["DESCRIPTION"] != "" ? ".PP\n" written["DESCRIPTION"] : "") other)
    put("COMMANDS", commands)
    put("OPTIONS", options written["OPTIONS"])
    if (section == 1 && !("EXIT STATUS" in written))
        written["EXIT STATUS"] = "0 where it did what it was told, 1 where it could not, 125 where the command line is wrong.\n"
    put("EXIT STATUS", written["EXIT STATUS"])
    put("ENVIRONMENT", written["ENVIRONMENT"])
    put("FILES", written["FILES"])
    for (i = 1; i <= sections; i++)
        if (order[i] in written && order[i] != "EXAMPLES" && order[i] != "SEE ALSO") put(order[i], written[order[i]])
    put("EXAMPLES", written["EXAMPLES"])
    also = written["SEE ALSO"]
    if (also == "") also = ".BR gorae (1),\n.BR goraed (8)\n"
    put("SEE ALSO", also)
}
