#!/usr/bin/env bash
# `make run`: one container from end to end, on a private daemon that is gone afterwards. Every command is printed before
# it is run; every one of them can be typed by hand after `make up`.
set -eu
build=$(cd "$1" && pwd)
repo=$(cd "$(dirname "$0")/.." && pwd)
shown=${build#"$PWD"/}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
try() { printf '$ %s\n' "$*"; "$@"; }

[ "$(id -u)" = 0 ] || ! command -v sudo >/dev/null || sudo -v
say "A private daemon, with everything it has below $shown/daemon"
printf '$ make up\n'
export_line=$("$repo/tests/private.sh" up "$build")
trap '"$repo/tests/private.sh" down "$build" >/dev/null 2>&1' EXIT
echo "$export_line" | sed "s,$build,$shown,g"
eval "$export_line"

say "An image: the statically linked busybox of this machine, packed as a root file system"
printf '$ tests/payload/make-busybox.sh | gorae import --change %s - busybox:latest\n' "'CMD [\"sh\"]'"
"$repo/tests/payload/make-busybox.sh" | gorae import --change 'CMD ["sh"]' - busybox:latest

say "A container: the client asks, the daemon creates it, and its output comes back"
try gorae run --name hello busybox echo "hello from a container"
try gorae ps -a
try gorae images

say "The four steps of one command, as they happened just now"
try gorae --explain ps -a

say "The same as a picture"
gorae --explain=dot ps -a 2>/dev/null >"$build/figure-2.68.dot"
dot -Tsvg "$build/figure-2.68.dot" >"$build/figure-2.68.svg"
echo "\$ gorae --explain=dot ps -a | dot -Tsvg >$shown/figure-2.68.svg"
try gorae rm hello

say "Stop the daemon; nothing of it stays"
echo '$ make down'
trap - EXIT
"$repo/tests/private.sh" down "$build"

say "To try next:"
cat <<EOF
  eval "\$(make -s up)"                      a daemon that stays, and gorae on your PATH
  gorae --explain run --rm busybox true     (after the import above) what it takes to run a container
  DOCKER_HOST=\$GORAE_HOST docker version    the stock client, if you have it, talks to the same daemon
EOF
