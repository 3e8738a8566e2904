#!/usr/bin/env bats
# Three machines and a desk: contexts, a loop over them, and what happens when some are cut off in the middle of everything: one
# that speaks plain TCP, and one whose TLS a process on either side speaks for its program.
load lib
load fleet

setup_file() {
    fleet_start
    lab3_open >"$BASE/open" # nobody has been there yet
    fleet_contexts
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
# hears_events LAB: the stream may have begun after any one event, so make some more
hears_events() {
    at_desk gorae -c "lab$1" exec web true
    grep -q exec_die "$BASE/events$1"
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

# What speaks TLS for the desk, and for lab3; how many connections the latter has on its hands: 2 descriptors each.
their_pipes() { pgrep -f "gorae-tlspipe client .*$BASE"; }
lab3_pipe() { pgrep -P "$(cat "$BASE/3/pid")" -f 'gorae-tlspipe server'; }
lab3_open() { ls "/proc/$(lab3_pipe)/fd" | wc -l; }

@test "two machines are cut off in mid-stream: each client says so in time, nothing is stuck, the third goes on" {
    local i p name code began held=() all=() logs=()
    everywhere run -d --name quiet busybox sleep 1000 >/dev/null
    eventually 20 never their_pipes
    for i in 1 2 3; do
        at_desk gorae -c "lab$i" logs -f web >"$BASE/logs$i" 2>"$BASE/err.logs$i" 3>&- &
        logs+=($!)
    done
    for i in 2 3; do
        at_desk gorae -c "lab$i" logs -f quiet >/dev/null 2>"$BASE/err.quiet$i" 3>&- &
        all+=($!)
        at_desk gorae -c "lab$i" events >"$BASE/events$i" 2>"$BASE/err.events$i" 3>&- &
        all+=($!)
        mkfifo "$BASE/typed$i"
        at_desk gorae -c "lab$i" exec -i web cat <"$BASE/typed$i" >"$BASE/echoed$i" 2>"$BASE/err.exec$i" 3>&- &
        all+=($!)
        exec {p}>"$BASE/typed$i"
        held+=("$p")
        echo before >&"$p"
        eventually 100 grep -q before "$BASE/echoed$i"
        eventually 100 hears_events "$i"
    done
    all+=("${logs[@]:1}")
    for i in 1 2 3; do eventually 100 grep -q line "$BASE/logs$i"; done
    their_pipes >"$BASE/pipes"
    [ "$(wc -l <"$BASE/pipes")" -ge 4 ]
    [ "$(lab3_open)" -ge $(($(cat "$BASE/open") + 8)) ]
    cable 2 down
    cable 3 down
    local cut=$SECONDS
    for p in "${held[@]}"; do echo after >&"$p"; done # data in flight, which nobody will acknowledge

    # a new command: within the time for dialling, and its machine named
    for i in 2 3; do
        began=$SECONDS
        run at_desk gorae -c "lab$i" ps
        [ "$status" = 1 ]
        [[ $output == "cannot connect to the daemon at $(endpoint $i): "* ]]
        [ $((SECONDS - began)) -le 12 ]
    done

    # the streams: 20 s (SOCK_LOST_S) and some patience for a busy machine
    for p in "${all[@]}"; do
        eventually 300 ended "$p"
        code=0
        wait "$p" || code=$?
        [ "$code" = 1 ]
    done
    [ $((SECONDS - cut)) -le 45 ]
    head "$BASE"/err.* # shown where the next lines fail
    for i in 2 3; do
        for name in events logs quiet; do
            grep -q "^lost the connection to the daemon at $(endpoint $i): " "$BASE/err.$name$i"
        done
    done
    for i in 2 3; do grep -q "^lost the connection to the daemon at $(endpoint $i): " "$BASE/err.exec$i"; done
    # why: the network, and not a mistake of TLS
    for name in exec events logs quiet; do
        grep -qiE "timed out|no route to host" "$BASE/err.${name}3"
    done
    eventually 50 never their_pipes

    # the other one: still streaming, and open to new commands
    kill -0 "${logs[0]}"
    at_desk gorae -c lab1 ps >/dev/null
    local lines
    lines=$(wc -l <"$BASE/logs1")
    eventually 50 longer_than "$BASE/logs1" "$lines"
    [ ! -s "$BASE/err.logs1" ]
    kill "${logs[0]}"
    for p in "${held[@]}"; do exec {p}>&-; done
}

connections() { in_ns "lab$1" ss -Htn state established "sport = :$(port "$1")" | wc -l; }
nobody_left() { [ "$(connections "$1")" = 0 ]; }
# its tlspipe has closed both ends of each, and so has the daemon: else the plain one would be held
nothing_held() { [ "$(lab3_open)" = "$(cat "$BASE/open")" ]; }

@test "machines that were cut off let go of their vanished clients, their containers run on, and they are back with their cable" {
    local i
    for i in 2 3; do eventually 400 nobody_left "$i"; done
    eventually 50 nothing_held
    for i in 2 3; do
        lab "$i"
        # the daemon answered all the time, on its own socket
        api GET /containers/json
        [ "$(jq -r '[.[].Names[0]] | sort | join(" ")' <<<"$BODY")" = "/quiet /web" ]
        # the exec whose client vanished has had its end of input: it is over
        eventually 50 sh -c '! curl -s --unix-socket "$SOCK" http://d/containers/web/top | grep -qw cat'
        cable "$i" up
        eventually 100 at_desk gorae -c "lab$i" ps
    done
    [ "$(everywhere exec quiet echo here | xargs)" = "here here here" ]
    everywhere rm -f web quiet >/dev/null
}
