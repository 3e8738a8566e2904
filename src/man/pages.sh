#!/bin/sh
# pages.sh BIN OUT VERSION: the manual, as pages below OUT/man1, man5 and man8, from the programs in BIN and the prose beside this
# script. Which commands there are, the client itself says. SOURCE_DATE_EPOCH is the pages' date.
set -eu
export LC_ALL=C
bin=$1 out=$2 version=$3
here=$(cd "$(dirname "$0")" && pwd)
date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%F)
rm -rf "$out"
mkdir -p "$out/man1" "$out/man5" "$out/man8"

page() { # name, section, path, block, prose, names
    awk -v name="$1" -v section="$2" -v path="$3" -v block="$4" -v prose="$here/$5" -v names="$6" -v date="$date" \
        -v version="$version" -f "$here/page.awk" >"$out/man$2/$1.$2"
}
# The names under the heading that ends in "Commands:"; with an argument those under that heading alone.
listed() { awk -v only="${1:-}" '/^[A-Z].*:$/ { on = only != "" ? $0 == only : /Commands:$/ && !/^Management/; next } on && /^  [a-z]/ { print $1 }'; }
dashed() { echo "$1" | tr ' ' '-'; }

top=$("$bin/gorae" --help | listed)
groups=$("$bin/gorae" --help | listed "Management Commands:")
paths=$top
for group in $groups; do
    for command in $("$bin/gorae" "$group" --help | listed); do
        paths="$paths
$group $command"
    done
done

# A command that can be reached in two ways has one page, under its shortest name; the others lead to it.
echo "$paths" | while read -r path; do
    # shellcheck disable=SC2086 # a path is one or two words
    help=$("$bin/gorae" $path --help)
    all=$(printf "%s\n" "$help" | sed -n '/^Aliases:/{n;s/^ *gorae //;s/, gorae /\n/g;p}')
    first=$(echo "$all" | grep -v ' ' || true)
    if [ -n "$first" ] && [ "$first" != "$path" ]; then
        ln -s "gorae-$first.1" "$out/man1/gorae-$(dashed "$path").1"
        continue
    fi
    names=gorae-$(dashed "$path")
    for other in $(echo "$all" | tr ' ' '-'); do
        [ "gorae-$other" = "${names%%,*}" ] || ! echo "$paths" | tr ' ' '-' | grep -qx -- "$other" || names=$names,gorae-$other
    done
    printf "%s\n" "$help" | page "gorae-$(dashed "$path")" 1 "gorae $path" "$path" commands.man "$names"
done
for group in $groups; do
    "$bin/gorae" "$group" --help | page "gorae-$group" 1 "gorae $group" "$group" commands.man "gorae-$group"
done
"$bin/gorae" --help | page gorae 1 gorae gorae gorae.man gorae
"$bin/goraed" --help | page goraed 8 goraed goraed goraed.man goraed
# the runtime's help is in the form of other runtimes'
"$bin/gorae-runtime" --help | sed -n 's/^usage: /Usage:  /p; s/^gorae-runtime: \(.*\)/\1/p; $!{/^  [a-z]/{1,/^  create/s/^  create/Verbs:\n&/;p}}' |
    page gorae-runtime 8 gorae-runtime gorae-runtime gorae-runtime.man gorae-runtime
"$bin/goraed" --settings | awk -v date="$date" -v version="$version" -v prose="$here/gorae-daemon.json.man" -f "$here/settings.awk" \
    >"$out/man5/gorae-daemon.json.5"
# The name under which people look for it. No package of Debian's or Docker's has a page of that name.
ln -s gorae-daemon.json.5 "$out/man5/daemon.json.5"
