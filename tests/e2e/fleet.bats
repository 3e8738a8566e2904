#!/usr/bin/env bats
# Three machines and a desk: contexts, a loop over them, and what happens when one is cut off in the middle of everything.
load lib
load fleet

setup_file() {
    fleet_start
    local i
    for i in 1 2 3; do gorae context create "lab$i" --docker "host=tcp://$(address $i):$FLEET_PORT"; done
}
teardown_file() { fleet_stop; }

# What the README shows: the same command for every machine.
everywhere() {
    local c code=0
    for c in $(gorae context ls -q | grep ^lab); do
        at_desk gorae -c "$c" "$@" || code=1
    done
    return $code
}
ended() { never kill -0 "$1" 2>/dev/null; }
hears_events() { # the stream may have begun after any one event, so make some more
    at_desk gorae -c lab2 exec web true
    grep -q exec_die "$BASE/events"
}
longer_than() { [ "$(wc -l <"$1")" -gt "$2" ]; }

@test "a loop over all contexts" {
    everywhere run -d --name web busybox sh -c 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.2; done' >/dev/null
    [ "$(everywhere ps --format '{{.Names}}' | xargs)" = "web web web" ]
    [ "$(everywhere exec web hostname | sort -u | wc -l)" = 3 ]
    run everywhere exec web sh -c 'exit 3'
    [ "$status" = 1 ]
    # one of them chosen for all commands
    gorae context use lab3
    [ "$(at_desk gorae info --format '{{.ID}}')" = "$(at_desk gorae -c lab3 info --format '{{.ID}}')" ]
    gorae context use default
}

@test "one machine is cut off in mid-stream: each client says so in time, nothing is stuck, the others go on" {
    local i pids=()
    everywhere run -d --name quiet busybox sleep 1000 >/dev/null
    for i in 1 2 3; do
        at_desk gorae -c "lab$i" logs -f web >"$BASE/logs$i" 2>"$BASE/err.logs$i" 3>&- &
        pids+=($!)
    done
    at_desk gorae -c lab2 logs -f quiet >/dev/null 2>"$BASE/err.quiet" 3>&- &
    local quiet=$!
    at_desk gorae -c lab2 events >"$BASE/events" 2>"$BASE/err.events" 3>&- &
    local events=$!
    mkfifo "$BASE/typed"
    at_desk gorae -c lab2 exec -i web cat <"$BASE/typed" >"$BASE/echoed" 2>"$BASE/err.exec" 3>&- &
    local exec=$!
    exec 8>"$BASE/typed"
    echo before >&8
    eventually 100 grep -q before "$BASE/echoed"
    for i in 1 2 3; do eventually 100 grep -q line "$BASE/logs$i"; done
    eventually 100 hears_events
    cable 2 down
    echo after >&8 # data in flight, which nobody will acknowledge

    # a new command: within the time for dialling, and its machine named
    local began=$SECONDS
    run at_desk gorae -c lab2 ps
    [ "$status" = 1 ]
    [[ $output == "cannot connect to the daemon at tcp://10.213.0.12:2375: "* ]]
    [ $((SECONDS - began)) -le 12 ]

    # the streams: 20 s (SOCK_LOST_S) and some patience for a busy machine
    began=$SECONDS
    eventually 400 ended "$exec"
    eventually 100 ended "$events"
    eventually 100 ended "${pids[1]}"
    eventually 100 ended "$quiet"
    local code p
    for p in "$exec" "$events" "${pids[1]}" "$quiet"; do
        code=0
        wait "$p" || code=$?
        [ "$code" = 1 ]
    done
    head "$BASE"/err.* # shown where the next lines fail
    grep -q '^lost the connection to the daemon at tcp://10.213.0.12:2375: ' "$BASE/err.exec"
    grep -q '^lost the connection to the daemon at tcp://10.213.0.12:2375: ' "$BASE/err.events"
    grep -q '^lost the connection to the daemon at tcp://10.213.0.12:2375: ' "$BASE/err.logs2"
    grep -q '^lost the connection to the daemon at tcp://10.213.0.12:2375: ' "$BASE/err.quiet"

    # the others: still streaming, and open to new commands
    for i in 1 3; do
        kill -0 "${pids[i - 1]}"
        at_desk gorae -c "lab$i" ps >/dev/null
        local lines
        lines=$(wc -l <"$BASE/logs$i")
        eventually 50 longer_than "$BASE/logs$i" "$lines"
        [ ! -s "$BASE/err.logs$i" ]
        kill "${pids[i - 1]}"
    done
    exec 8>&-
}

connections() { in_ns lab2 ss -Htn state established "sport = :$FLEET_PORT" | wc -l; }
nobody_left() { [ "$(connections)" = 0 ]; }

@test "the machine that was cut off lets go of its vanished clients, its containers run on, and it is back with its cable" {
    eventually 400 nobody_left
    lab 2
    # the daemon answered all the time, on its own socket
    api GET /containers/json
    [ "$(jq -r '[.[].Names[0]] | sort | join(" ")' <<<"$BODY")" = "/quiet /web" ]
    # the exec whose client vanished has had its end of input: it is over
    eventually 50 sh -c '! curl -s --unix-socket "$SOCK" http://d/containers/web/top | grep -qw cat'
    cable 2 up
    eventually 100 at_desk gorae -c lab2 ps
    [ "$(everywhere exec quiet echo here | xargs)" = "here here here" ]
    everywhere rm -f web quiet >/dev/null
}
