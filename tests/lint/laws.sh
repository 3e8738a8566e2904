#!/usr/bin/env bash
# The laws of the house (DESIGN: the house, idioms), checked from the sources: who may include whom, how long a file and a
# function may be, which calls are banned, and which doors have one key. Prints every breach; exit code 1 if there is any.
# With an argument it checks that tree instead, which is how tests/lint/laws_test.sh proves that it can fail.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
bad=0
breach() { echo "law: $*"; bad=1; }

# --- who may include whom -------------------------------------------------------------------------------------------
declare -A may=(
    [base]="" [wire]="base" [cli]="base wire" [api]="base wire engine build image net" [engine]="base image net"
    [image]="base" [build]="base engine image" [net]="base" [shim]="base wire" [runtime]="base" [archive]="base"
    [tlspipe]="base" [init]="" [doctor]="base"
)
while IFS=: read -r file line text; do
    from=${file#src/}; from=${from%%/*}
    to=${text#*\"}; to=${to%%/*}
    [ "$to" = "$from" ] && continue
    if [ -z "${may[$from]+x}" ]; then breach "$file: module $from is not in the house"; continue; fi
    case " ${may[$from]} " in *" $to "*) ;; *) breach "$file:$line: $from may not include $to" ;; esac
    if [ "$from" = shim ] && [ "$to" = wire ] && ! grep -q 'wire/frame.h' <<<"$text"; then
        breach "$file:$line: the shim may use the frames of wire, and nothing else of it"
    fi
done < <(grep -nE '^#include "[a-z]+/' -r src --include='*.c' --include='*.h')

# --- budgets --------------------------------------------------------------------------------------------------------
while read -r n file; do
    [ "$file" = total ] && continue
    [ "$n" -le 700 ] || breach "$file: $n lines; a file has at most 700"
done < <(find src tests chapters exercises \( -name '*.c' -o -name '*.h' \) -print0 2>/dev/null | xargs -0 -r wc -l)
# The engine is what the daemon is made of, comments and all: the client's half of wire is not. Each other program's own
# module is a book of its own.
whole() { cat "$@" 2>/dev/null | wc -l; }
total=$(whole src/{api,engine,image,net,build,base}/*.[ch] src/wire/{http,frame}*.[ch])
[ "$total" -le 25000 ] || breach "src: the daemon's modules have $total lines; the engine whole has at most 25,000"
for module in cli runtime shim archive init doctor tlspipe; do
    n=$(whole src/$module/*.[ch])
    [ "$n" -le 12000 ] || breach "src/$module: $n lines; a program's own module has at most 12,000"
done

# A function body stands between a '{' and a '}' in the first column (the format check sees to that).
lengths=$(find src -name '*.c' -print0 | xargs -0 awk '
    FNR == 1 { open = 0 }
    /^\{/    { open = FNR }
    /^\}/ && open { print FNR - open - 1, FILENAME ":" open; open = 0 }')
while read -r n where; do
    [ "${n:-0}" -le 60 ] || breach "$where: a function of $n lines; at most 60"
done <<<"$lengths"
awk 'NF { all++; if ($1 > 40) long++ } END { if (all && long * 10 > all) exit 1 }' <<<"$lengths" ||
    breach "more than one function in ten is longer than 40 lines"

# --- banned calls, and doors with one key ---------------------------------------------------------------------------
# Comments are taken out first: a text may speak of what the code must not do. One line of code a line: file:number:text.
code=$(find src \( -name '*.c' -o -name '*.h' \) -print0 | sort -z | xargs -0 awk '
    FNR == 1 { inside = 0 }
    {
        line = $0
        if (inside) { if (!sub(/^.*\*\//, "", line)) next; inside = 0 }
        gsub(/\/\*([^*]|\*+[^*\/])*\*+\//, "", line)
        if (sub(/\/\*.*$/, "", line)) inside = 1
        sub(/\/\/.*$/, "", line)
        if (line ~ /[^ \t]/) print FILENAME ":" FNR ":" line
    }')
forbid() { # pattern of the call, what is said, files that may (a regular expression)
    local found
    found=$(LC_ALL=C grep -E "[^A-Za-z0-9_]($1)" <<<"$code" | grep -vE "^(${3:-nobody}):")
    [ -z "$found" ] || while IFS=: read -r file line _; do breach "$file:$line: $2"; done <<<"$found"
}
for call in system popen strcat sprintf vsprintf strtok alloca atoi atol gets tmpnam mktemp getpwnam getgrnam; do
    forbid "$call\\(" "$call is banned"
done
# one copy of a constant into a buffer that the caller was told the size of
forbid 'strcpy\(' 'strcpy is banned' 'src/base/clock\.c'
forbid 'SYS_openat2|openat2\(' 'openat2 has one door, base/rootpath' 'src/base/rootpath\.c'
forbid '(fork|vfork|setns|chroot)\(' 'only the runtime and the archive worker fork, enter namespaces or change root' \
    'src/(base/spawn\.c|init/main\.c|runtime/[a-z_]*\.[ch]|archive/[a-z_]*\.[ch])'
forbid 'exit\(' 'library code never exits' 'src/(api|cli|shim|init|runtime|archive|tlspipe)/[a-z_]*\.[ch]'
# A state of a container changes in one place, which asks the machine; and where it is read from disk.
forbid 'c->state = ' 'ask machine_next()' 'src/(engine/(record|engine)\.c|(api|cli|image|shim|runtime|archive|wire|base|tlspipe)/[a-z_]*\.[ch])'
while read -r file; do
    breach "$file: a file opens with what it is"
done < <(find src \( -name '*.c' -o -name '*.h' \) -print0 | xargs -0 awk 'FNR == 1 && !/^\/\*/ { print FILENAME }')

# --- what to read next ----------------------------------------------------------------------------------------------
# A file that an essay sends its reader to is there.
while read -r file next; do
    case "$next" in */*) path=src/$next ;; *) path=${file%/*}/$next ;; esac
    [ -e "$path" ] || breach "$file: read next: there is no $next"
done < <(find src \( -name '*.c' -o -name '*.h' \) -print0 | sort -z | xargs -0 awk '
    FNR == 1 { on = 0 }
    /Read next/ { on = 1; sub(/^.*Read next/, "") }
    on {
        end = /\*\//
        sub(/\*\/.*$/, "")
        while (match($0, /[a-z0-9_]+(\/[a-z0-9_]+)?\.[ch]/)) {
            print FILENAME, substr($0, RSTART, RLENGTH)
            $0 = substr($0, RSTART + RLENGTH)
        }
        if (end) on = 0
    }')
# The reading order of the README: the essay of each file names the next, so that nobody has to go back to the list.
before=
while read -r file; do
    name=${file#src/}
    [ "${file%/*}" != "${before%/*}" ] || name=${file##*/}
    [ -z "$before" ] || sed '/\*\//q' "$before" | grep -qE "(^|[^a-z_/])$name([^a-z_]|\$)" ||
        breach "$before: the README goes on with $file, its essay does not"
    before=$file
done < <(grep -oE '^\| [0-9]+ \| `src/[a-z_/]+\.c`' README.md 2>/dev/null | grep -oE 'src/[a-z_/]+\.c')

# --- top level ------------------------------------------------------------------------------------------------------
for x in *; do
    case "$x" in
    Makefile | README.md | LICENSE | chapters | src | tests | diagrams | exercises | build) ;;
    README.ko.md) ;;
    *) breach "$x does not belong at the top" ;;
    esac
done

[ "$bad" = 0 ] && echo "laws: $(wc -l <<<"$lengths") functions, the daemon in $total lines: all kept"
exit "$bad"
