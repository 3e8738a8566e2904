# figure.awk - draws the four steps from what `calf --explain` told: awk -f figure.awk story | dot -Tsvg >figure.svg
# region figure
/^1 /                  { typed = substr($0, 19) }
/^2 /                  { client = $2 " " $3 " " $4 }
/^  > [A-Z]+ .*HTTP/   { asked = asked $2 " " $3 "\\l" }
/^3 /                  { daemon = $2 " " $3 " " $4 }
/^  < HTTP/            { came = came $3 " " $4 "\\l" }
END {
    gsub(/\\r/, "", came)
    gsub(/"/, "\\\"", typed)
    print "digraph story {\n    node [shape=box, style=rounded];\n    person [label=\"a person\", shape=plaintext];"
    print "    person -> client [label=\"1  " typed "\\l\"];"
    print "    client [label=\"" client "\"];"
    print "    client -> daemon [label=\"2  " asked "\"];"
    print "    daemon [label=\"" daemon "\\n3  does the work\"];"
    print "    daemon -> client [label=\"4  " came "\"];"
    print "    client -> person [label=\"4  text on the terminal\\l\"];\n}"
}
# endregion
