#!/usr/bin/env bash
# Every attack that the project's list of past vulnerabilities has on setting up paths (1 to 26), on copying (27 to 33) and on users
# and capabilities (62 to 70) has a test that carries its number ("row 7: …", "rows 7, 8: …") and a positive control: something
# in the same test that shows that the attack works, or would be seen. rows.sh [TOP], another tree for this script's own test.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
bad=0
# Not tested under its number, and why:
declare -A elsewhere=(
    [13]="a law: one function opens paths below a root (laws.sh, openat2 has one door)"
    [21]="there is no mode without root"
    [68]="there is no remapping of users"
)
# one line a row of a test: NUMBER FILE yes|no, the last for whether the word control stands in it
list=$(awk '
    /^@test "rows? [0-9]/ {
        name = $0
        sub(/^@test "rows? /, "", name); sub(/:.*/, "", name)
        n = split(name, rows, /, */); file = FILENAME; control = "no"; inside = 1
    }
    inside && /[Cc]ontrol/ { control = "yes" }
    inside && /^}/ { for (i = 1; i <= n; i++) print rows[i], file, control; inside = 0 }
' tests/e2e/*.bats)
for row in {1..33} {62..70}; do
    found=$(grep -E "^$row " <<<"$list")
    if [ -n "$found" ]; then
        grep -q ' yes$' <<<"$found" || { echo "rows: row $row has no positive control (${found#* })"; bad=1; }
    elif [ -z "${elsewhere[$row]:-}" ]; then
        echo "rows: row $row has no test"
        bad=1
    fi
done
[ "$bad" = 0 ] && echo "rows: $(cut -d' ' -f1 <<<"$list" | sort -u | wc -l) attacks have tests of their own, each with a control"
exit "$bad"
