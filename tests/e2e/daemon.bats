#!/usr/bin/env bats
# The daemon itself: how it starts and stops, what it refuses, and that it is alone on its data root and socket.
load lib

setup() { daemon_dirs; }
teardown() {
    daemon_stop || true
    daemon_clean
}

@test "goraed --help, --version, an unknown option, a stray argument" {
    run goraed --help
    [ "$status" = 0 ]
    [[ $output == *"--data-root"* ]]
    run goraed --version
    [ "$status" = 0 ]
    [[ $output == "gorae daemon version "* ]]
    run goraed --no-such-option
    [ "$status" = 1 ]
    [[ $output == *"unknown option: --no-such-option"* ]]
    run goraed stray
    [ "$status" = 1 ]
    [[ $output == *"unexpected argument: stray"* ]]
    run goraed -H tcp://0.0.0.0:1
    [ "$status" = 1 ]
    [[ $output == *"-H tcp://0.0.0.0:1"* ]]
    run goraed --add-runtime x=relative/path
    [ "$status" = 1 ]
    [[ $output == *"--add-runtime x=relative/path"* ]]
}

@test "the socket is 0660, the data root 0710, and both go or stay as they should" {
    daemon_start
    [ "$(stat -c %a "$SOCK")" = 660 ]
    [ "$(stat -c %a "$T/data")" = 710 ]
    [ "$(stat -c %a "$T/data/containers")" = 710 ]
    [ "$(cat "$T/pid")" = "$DAEMON" ]
    daemon_stop
    [ ! -e "$SOCK" ]
    [ ! -e "$T/pid" ]
    [ -d "$T/data" ]
    judge_empty
}

@test "the modes hold whatever the umask was" {
    (umask 000; exec 3>&-; exec goraed -H "unix://$SOCK" --data-root "$T/data" --exec-root "$T/exec" --pidfile "$T/pid") >"$T/log" 2>&1 3>&- &
    DAEMON=$!
    eventually 50 test -S "$SOCK"
    eventually 50 curl -sf --unix-socket "$SOCK" http://d/_ping
    [ "$(stat -c %a "$SOCK")" = 660 ]
    [ "$(stat -c %a "$T/data")" = 710 ]
    [ "$(stat -c %a "$T/data/images")" != 777 ]
}

@test "a second daemon on the same pid file, socket or data root is refused and names the first; the first still answers" {
    daemon_start
    run timeout 10 goraed -H "unix://$T/s2" --data-root "$T/d2" --exec-root "$T/e2" --pidfile "$T/pid"
    [ "$status" = 1 ]
    [[ $output == *"$T/pid"* ]]
    [[ $output == *"$DAEMON"* ]]
    run timeout 10 goraed -H "unix://$SOCK" --data-root "$T/d2" --exec-root "$T/e2" --pidfile "$T/p2"
    [ "$status" = 1 ]
    [[ $output == *"$SOCK"* ]]
    [[ $output == *"$DAEMON"* ]]
    run timeout 10 goraed -H "unix://$T/s2" --data-root "$T/data" --exec-root "$T/e2" --pidfile "$T/p2"
    [ "$status" = 1 ]
    [[ $output == *"$T/data"* ]]
    [[ $output == *"$DAEMON"* ]]
    api GET /_ping
    [ "$STATUS" = 200 ]
    [ -S "$SOCK" ]
}

@test "a stale socket, a stale pid file and a stale lock do not matter" {
    python3 -c "import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])" "$SOCK"
    echo $$ >"$T/pid"
    mkdir -p "$T/data" && echo $$ >"$T/data/lock"
    daemon_start
    api GET /_ping
    [ "$STATUS" = 200 ]
}

@test "a file that is no socket is not replaced" {
    echo precious >"$SOCK"
    run timeout 10 goraed -H "unix://$SOCK" --data-root "$T/data" --exec-root "$T/exec" --pidfile "$T/pid"
    [ "$status" = 1 ]
    [[ $output == *"is not a socket"* ]]
    [ "$(cat "$SOCK")" = precious ]
}

@test "a socket path that is too long is named" {
    long=$T/$(printf 'x%.0s' $(seq 120))
    run timeout 10 goraed -H "unix://$long" --data-root "$T/data" --exec-root "$T/exec" --pidfile "$T/pid"
    [ "$status" = 1 ]
    [[ $output == *"too long"* ]]
}

@test "a record that cannot be read is set aside and named; the others are there" {
    daemon_start
    import_busybox
    json POST '/containers/create?name=good' '{"Image":"busybox","Cmd":["true"]}'
    [ "$STATUS" = 201 ]
    json POST '/containers/create?name=bad' '{"Image":"busybox","Cmd":["true"]}'
    id=$(jq -r .Id <<<"$BODY")
    daemon_stop
    for damage in 'truncate -s 10' 'truncate -s 0'; do
        cp "$T/data/containers/$id/config.json" "$T/keep"
        $damage "$T/data/containers/$id/config.json"
        daemon_start
        grep -q "$id.*set aside" "$T/log"
        [ -d "$T/data/quarantine/container-$id" ]
        api GET /containers/good/json
        [ "$STATUS" = 200 ]
        api GET /containers/bad/json
        [ "$STATUS" = 404 ]
        daemon_stop
        mv "$T/data/quarantine/container-$id" "$T/data/containers/$id"
        cp "$T/keep" "$T/data/containers/$id/config.json"
    done
    # a FIFO in its place must not hold the start up
    rm "$T/data/containers/$id/config.json" && mkfifo "$T/data/containers/$id/config.json"
    daemon_start
    api GET /containers/good/json
    [ "$STATUS" = 200 ]
}

@test "a record of a newer gorae is refused by name, not misread" {
    daemon_start
    import_busybox
    json POST '/containers/create?name=c1' '{"Image":"busybox","Cmd":["true"]}'
    id=$(jq -r .Id <<<"$BODY")
    daemon_stop
    jq '.Version=99' "$T/data/containers/$id/config.json" >"$T/x" && cp "$T/x" "$T/data/containers/$id/config.json"
    daemon_start
    grep -q "newer gorae" "$T/log"
    [ -d "$T/data/quarantine/container-$id" ]
}
