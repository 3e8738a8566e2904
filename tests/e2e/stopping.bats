#!/usr/bin/env bats
# How the daemon ends, and what its signals do: SIGTERM once, twice, three times, early; SIGUSR1.
load lib

setup_file() {
    daemon_dirs
    # a runtime that takes its time for one verb, and says that it has begun
    cat >"$T/slow" <<S
#!/bin/sh
for word; do case \$word in "\$(cat "$T/slow-verb" 2>/dev/null)") touch "$T/began"; sleep 2;; esac; done
exec $(command -v gorae-runtime) "\$@"
S
    chmod +x "$T/slow"
    daemon_start
    import_busybox
    daemon_stop
}
setup() { rm -f "$T/log" "$T/began" "$T/slow-verb"; }
teardown() {
    daemon_pid
    [ -n "$DAEMON" ] || begin
    remove_all
    daemon_stop
}
teardown_file() { judge_and_clean; }

begin() { daemon_start --add-runtime "slow=$T/slow" "$@"; }
term() { kill -TERM "$DAEMON"; }
# ended CODE TENTHS: it ends within that time, with that code; its socket and pid file go with it unless it had no time to
ended() {
    eventually "$2" sh -c "! kill -0 $DAEMON 2>/dev/null"
    local code=0
    wait "$DAEMON" || code=$?
    [ "$code" = "$1" ] || { echo "code $code, not $1" >&2; return 1; }
}
exits() { gorae inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$@" | paste -sd ' '; }
stubborn='trap "" TERM; echo ready; while :; do sleep 0.1; done'
ready() { eventually 50 sh -c "gorae logs $1 | grep -q ready"; }

@test "SIGTERM: all containers at the same time, each with its own signal and its own patience" {
    begin --shutdown-timeout 1
    gorae run -d --name mild busybox sh -c 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
    gorae run -d --name other --stop-signal USR1 busybox sh -c 'trap "exit 4" USR1; echo ready; while :; do sleep 0.1; done' >/dev/null
    gorae run -d --name hard --stop-timeout 2 --restart always busybox sh -c "$stubborn" >/dev/null
    gorae run -d --name hard2 --stop-timeout 2 --restart unless-stopped busybox sh -c "$stubborn" >/dev/null
    gorae run -d --name froze busybox sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
    for c in mild other hard hard2 froze; do ready $c; done
    gorae pause froze >/dev/null
    local from=$SECONDS
    term
    ended 0 80
    [ $((SECONDS - from)) -le 6 ] # one after the other would be 2 + 2 s for these two alone, and 10 for a frozen one
    [ ! -e "$SOCK" ]
    [ ! -e "$T/pid" ]
    # policies bring two of them back; the codes of the others are those of their own endings
    begin
    [ "$(exits mild other froze)" = "exited 3 exited 4 exited 5" ]
    eventually 50 sh -c '[ "$(gorae ps -q | wc -l)" = 2 ]'
    gorae rm -f hard hard2 >/dev/null
}

@test "a second SIGTERM hurries, and the end is still a clean one" {
    begin
    gorae run -d --name hard --stop-timeout 120 busybox sh -c "$stubborn" >/dev/null
    ready hard
    term
    eventually 50 grep -q 'stopping the containers' "$T/log"
    sleep 0.2
    kill -0 "$DAEMON" # one alone has all the patience of the container
    term
    ended 0 50
    grep -q 'told to end once more: the containers are killed' "$T/log"
    [ ! -e "$SOCK" ]
    [ ! -e "$T/pid" ]
    judge_empty
    begin
    [ "$(exits hard)" = "exited 137" ]
}

@test "a third SIGTERM ends the daemon at once; the next one recovers" {
    begin
    gorae run -d --name hard --stop-timeout 120 busybox sh -c "$stubborn" >/dev/null
    ready hard
    local shim
    shim=$(ps -o ppid= -p "$(gorae inspect -f '{{.State.Pid}}' hard)" | tr -d ' ')
    kill -STOP "$shim" # so that nobody can tell the daemon of the end
    term
    eventually 50 grep -q 'stopping the containers' "$T/log"
    term
    eventually 50 grep -q 'the containers are killed' "$T/log"
    sleep 0.2
    kill -0 "$DAEMON"
    term
    ended 143 20
    kill -CONT "$shim"
    begin
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}} {{.State.ExitCode}}" hard)" = "exited 137" ]'
}

@test "SIGTERM while the daemon starts is kept until it can end well" {
    begin
    gorae create --name web --runtime slow busybox true >/dev/null
    local id
    id=$(gorae inspect -f '{{.Id}}' web)
    term
    ended 0 50
    # a start that was cut short: recovery asks the runtime to take it down
    mkdir -p "$T/exec/containers/$id" "$T/exec/runtime/$id"
    echo delete >"$T/slow-verb"
    goraed -H "unix://$SOCK" --data-root "$T/data" --exec-root "$T/exec" --pidfile "$T/pid" --cgroup-parent "$CGROUP" \
        --add-runtime "slow=$T/slow" >"$T/early" 2>&1 3>&- &
    DAEMON=$!
    eventually 50 test -e "$T/began"
    term
    ended 0 60
    [ ! -e "$SOCK" ]
    [ ! -e "$T/pid" ]
    grep -q 'stopping the containers' "$T/early"
    rm "$T/slow-verb"
    begin
    [ "$(exits web)" = "created 0" ]
}

@test "a container that is being started when SIGTERM comes is stopped too; none is started after it" {
    begin
    gorae create --name web --runtime slow --stop-timeout 0 busybox sleep 1000 >/dev/null
    echo start >"$T/slow-verb"
    gorae start web >/dev/null 2>"$T/told" 3>&- &
    eventually 50 test -e "$T/began"
    term
    ended 0 80
    rm "$T/slow-verb"
    judge_empty
    begin
    [ "$(exits web)" = "exited 137" ]
}

@test "--live-restore: they run on without a daemon, and the next one has them" {
    begin --live-restore
    gorae run -d --name web busybox sleep 1000 >/dev/null
    local pid
    pid=$(gorae inspect -f '{{.State.Pid}}' web)
    term
    ended 0 50
    [ ! -e "$SOCK" ]
    kill -0 "$pid"
    begin --live-restore
    [ "$(gorae inspect -f '{{.State.Pid}} {{.State.Status}}' web)" = "$pid running" ]
    gorae rm -f web >/dev/null
}

@test "SIGUSR1 tells who is at what, since when, and which container's operation it holds" {
    begin
    gorae create --name web --runtime slow busybox true >/dev/null
    echo start >"$T/slow-verb"
    gorae start web >/dev/null 3>&- &
    local client=$! thread
    eventually 50 test -e "$T/began"
    kill -USR1 "$DAEMON"
    eventually 20 grep -q "the engine's lock is free; 1 of 1 containers" "$T/log"
    thread=$(sed -n 's/.*(web), created: thread \([0-9]*\) has an operation on it under way.*/\1/p' "$T/log")
    grep -Eq "thread $thread: POST /v1.44/containers/[a-z0-9]*/start, for [0-9.]+ s; system call" "$T/log"
    grep -Eq "thread $DAEMON: the daemon's own" "$T/log"
    wait "$client"
    rm "$T/slow-verb"
}
