#!/usr/bin/env bash
# A private daemon under the build folder: private.sh up|down BUILD. Everything it has is below BUILD/daemon; the socket
# too, unless that path is longer than unix(7) allows.
set -eu
action=$1
build=$(cd "$2" && pwd)
dir=$build/daemon
socket=$dir/gorae.sock
[ ${#socket} -lt 100 ] || socket=/tmp/gorae-$(printf %s "$build" | cksum | cut -d' ' -f1).sock
pidfile=$dir/goraed.pid
as_root=""
[ "$(id -u)" = 0 ] || as_root=sudo

alive() { [ -s "$pidfile" ] && $as_root kill -0 "$(cat "$pidfile")" 2>/dev/null && $as_root test -S "$socket"; }

case "$action" in
up)
    mkdir -p "$dir"
    if ! alive; then
        $as_root sh -c "exec '$build/bin/goraed' -H 'unix://$socket' --data-root '$dir/data' --exec-root '$dir/exec' \
            --pidfile '$pidfile' >>'$dir/goraed.log' 2>&1 &"
        for _ in $(seq 200); do
            $as_root "$build/bin/gorae" -H "unix://$socket" version >/dev/null 2>&1 && break
            sleep 0.05
        done
        alive || { tail -n 5 "$dir/goraed.log" >&2; exit 1; }
    fi
    [ -z "$as_root" ] || $as_root chown "$(id -u)" "$socket"
    echo "export GORAE_HOST=unix://$socket PATH=$build/bin:\$PATH"
    ;;
down)
    if alive; then
        pid=$(cat "$pidfile")
        $as_root kill -TERM "$pid"
        for _ in $(seq 400); do
            $as_root kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
        ! $as_root kill -0 "$pid" 2>/dev/null || { echo "the daemon with pid $pid does not end" >&2; exit 1; }
    fi
    $as_root rm -rf "$dir"
    ;;
*)
    echo "usage: $0 up|down BUILD" >&2
    exit 2
    ;;
esac
