#!/usr/bin/env bash
# copy-matrix.sh CLIENT: what `cp` does, case by case, in both directions: each case with what it changed. Two clients or
# two daemons can so be compared line by line; copy-matrix.txt is what docker 28.2.2 prints with dockerd 20.10.24. It makes
# a container `matrix` and works in the present, empty folder.
set -u
umask 022
c=$1
tree() { # a tree as text: type, mode, name, content or target
    (cd "$1" 2>/dev/null && find . -mindepth 1 | LC_ALL=C sort | while read -r x; do
        printf '  %s %s %s\n' "$(stat -c '%F %a' "$x")" "$x" "$([ -L "$x" ] && readlink "$x" || { [ -f "$x" ] && head -c 20 "$x"; })"
    done)
}
shape() { # what is different since the last time that this folder was looked at
    tree "$1" >"shape.$1.now"
    touch "shape.$1"
    diff "shape.$1" "shape.$1.now" | grep '^[<>]'
    mv "shape.$1.now" "shape.$1"
}
say() { # a case: its command, whether it worked, and the folder afterwards
    local what=$1 where=$2
    shift 2
    if "$@" >/dev/null 2>&1 </dev/null; then echo "$what: ok"; else echo "$what: failed"; fi
    shape "$where"
}
mkdir -p src/dir/sub out in
echo one >src/one
echo two >src/dir/two
echo deep >src/dir/sub/deep
chmod 600 src/dir/two
ln -s two src/dir/link
ln -s dir src/todir
ln -s one src/toone
ln -s nowhere src/dangling
"$c" create --name matrix --network none busybox sh >/dev/null
inside() { # what is in the container's /m now
    rm -rf in
    mkdir in
    "$c" cp matrix:/m - 2>/dev/null | tar -C in -xf - 2>/dev/null
    shape in
}
put() { # into the container: source, destination
    if "$c" cp "${@:3}" "$1" "matrix:$2" </dev/null >/dev/null 2>&1; then echo "cp ${*:3} $1 C:$2: ok"; else echo "cp ${*:3} $1 C:$2: failed"; fi
    inside
}
mkdir m
"$c" cp m matrix:/
put src/one /m
put src/one /m/
put src/one /m/new
put src/one /m/absent/
put src/one /m/absent/x
put src/dir /m
put src/dir /m/
put src/dir /m/copy
put src/dir/. /m/dots
put src/dir/. /m/dots
put src/dir /m/one
put src/one/ /m
put src/todir /m
put src/todir/ /m/viaslash
put src/todir /m/followed -L
put src/toone /m/tofollow -L
put src/toone /m
put src/dangling /m
put src/nothing /m
put src/one /m/toone
put src/dir/two /m/todir
put src/dir /m/todir
get() { # out of the container: source, destination below out/
    say "cp ${*:3} C:$1 $2" out "$c" cp "${@:3}" "matrix:$1" "out/$2"
}
get /m/one .
get /m/one renamed
get /m/one absent/
get /m/one absent/x
get /m/dir .
get /m/dir/ slash
get /m/dir/. dots
get /m/dir/. dots
get /m/dir renamed
get /m/todir .
get /m/todir/ viaslash
get /m/todir followed -L
get /m/toone tofollow -L
get /m/dangling .
get /m/nothing .
get /m/one/ .
get /m/one dir
get /m/dir/two renamed
(cd src && tar -cf - one dir/two) | { "$c" cp - matrix:/m/dots >/dev/null 2>&1 && echo "stdin: ok" || echo "stdin: failed"; }
(cd src && tar -cf - one) | { "$c" cp - matrix:/m/one >/dev/null 2>&1 && echo "stdin to a file: ok" || echo "stdin to a file: failed"; }
(cd src && tar -czf - one) | { "$c" cp - matrix:/m/copy >/dev/null 2>&1 && echo "gzip: ok" || echo "gzip: failed"; }
inside
"$c" rm matrix >/dev/null
