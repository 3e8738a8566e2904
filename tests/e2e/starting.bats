#!/usr/bin/env bats
# Starting: what stands in the way of it, what a start that failed leaves, and what a later start keeps of the run before.
load lib

setup_file() { daemon_with_busybox; }
teardown_file() { daemon_end; }
teardown() { remove_all; }

@test "--rm: a container that cannot be started for another's sake goes, and whoever waits for that is told" {
    local kind
    gorae run --name donor busybox true
    for kind in ipc pid; do
        run timeout -k 5 20 gorae run --rm --name guest "--$kind" container:donor busybox true
        [ "$status" = 125 ]
        [[ "$output" == *"non running container"* ]]
        never gorae inspect guest
    done
    # Without --rm it stays, to be started when the other one runs.
    run timeout -k 5 20 gorae run --name guest --pid container:donor busybox true
    [ "$status" = 125 ]
    [ "$(gorae inspect -f '{{.State.Status}}' guest)" = created ]
}

@test "--rm: who starts it a second time does not take it away from under its run" {
    gorae run -d --rm --name runs busybox sleep 100
    gorae start runs
    gorae pause runs
    run gorae start runs
    [ "$status" = 1 ]
    [ "$(gorae inspect -f '{{.State.Status}}' runs)" = paused ]
}

@test "an anonymous volume is a folder of the container's own, and the answer says so" {
    run gorae run --name vol -v /x/y busybox sh -c 'ls -ld /x/y && echo kept >/x/y/file'
    [ "$status" = 0 ]
    [[ "$output" == *"Anonymous volumes are folders of the container's own layer here"* ]]
    [[ "$output" == *drwxr-xr-x* ]]
    gorae start vol
    [ "$(gorae cp vol:/x/y/file - | tar -xO)" = kept ]
    # A path that is not clean, one through a link to what is not there yet, and an image's that is relative.
    gorae run --name dangling busybox ln -s /nowhere/at/all /esc
    gorae commit -c 'VOLUME data' dangling odd:1
    gorae run --rm -v /a/../b -v /esc/a odd:1 ls -d /data /nowhere/at/all/a
    gorae rmi -f odd:1
    run gorae create -v x/y busybox
    [ "$status" = 1 ]
    [[ "$output" == *"'x/y': mount path must be absolute"* ]]
}

@test "a volume's folder is made inside, where the image has a link that leads out" {
    mkdir "$T/canary"
    gorae run --name evil busybox ln -s "$T/canary" /out
    gorae commit evil evil:1
    run gorae run --rm -v /out/made evil:1 ls -d "$T/canary/made"
    [ -z "$(ls -A "$T/canary")" ]
    gorae rmi -f evil:1
}

@test "networks that contradict each other are refused, by name" {
    ask() {
        json POST /v1.44/containers/create "{\"Image\":\"busybox\",\"HostConfig\":{\"NetworkMode\":\"$1\"},\"NetworkingConfig\":{\"EndpointsConfig\":{$2}}}"
    }
    ask none '"none":{},"container:nosuch":{}'
    [ "$STATUS" = 400 ]
    [[ "$BODY" == *"Container cannot be connected to network endpoints: none, container:nosuch"* ]]
    ask host '"none":{}'
    [ "$STATUS" = 400 ]
    ask none '"none":{}'
    [ "$STATUS" = 201 ]
    ask default '"bridge":{}'
    [ "$STATUS" = 201 ]
}

@test "the time of the last end is kept while the next run goes on, also where a policy brings it back after the daemon" {
    gorae run --name twice busybox true
    local first
    first=$(gorae inspect -f '{{.State.FinishedAt}}' twice)
    [[ "$first" == 20* ]]
    gorae run -d --name back --restart always busybox sleep 100
    gorae start twice
    [[ "$(gorae inspect -f '{{.State.FinishedAt}}' twice)" == 20* ]]
    local pid
    pid=$(gorae inspect -f '{{.State.Pid}}' back)
    daemon_kill
    kill -KILL "$pid"
    daemon_start
    for i in $(seq 100); do
        [ "$(gorae inspect -f '{{.State.Running}}' back)" = false ] || break
        sleep 0.05
    done
    [ "$(gorae inspect -f '{{.State.Running}}' back)" = true ]
    [[ "$(gorae inspect -f '{{.State.FinishedAt}}' back)" == 20* ]]
}

@test "run asks the next daemon how its container ended; what was removed meanwhile is said to be unknown" {
    local how client code
    for how in "" --rm; do
        # shellcheck disable=SC2086 # no word, or one
        gorae run $how --name asked busybox sh -c 'until [ -e /go ]; do sleep 0.05; done; echo done; exit 7' >"$T/out" 2>"$T/err" 3>&- &
        client=$!
        eventually 100 sh -c '[ "$(gorae inspect -f "{{.State.Running}}" asked)" = true ]'
        daemon_kill
        daemon_start
        eventually 100 gorae inspect asked
        gorae exec asked touch /go
        code=0
        wait "$client" || code=$?
        [ "$(cat "$T/out")" = done ]
        if [ -n "$how" ]; then
            [ "$code" = 125 ]
            grep -q 'the container ended while the daemon was away, and was removed: how is not known' "$T/err"
            never grep -q 'response from daemon' "$T/err"
        else
            [ "$code" = 7 ] || { cat "$T/err"; false; }
            gorae rm asked
        fi
    done
}

@test "run, while it asks for the next daemon, can be ended" {
    gorae run --name left busybox sh -c 'sleep 1.5; exit 3' >"$T/out" 2>"$T/err" 3>&- &
    local client=$! code=0
    eventually 100 sh -c '[ "$(gorae inspect -f "{{.State.Running}}" left)" = true ]'
    daemon_kill
    sleep 2.5 # its streams are over, too
    kill -TERM "$client" # a shell has its background ignore INT
    wait "$client" || code=$?
    [ "$code" = 143 ]
    daemon_start
    eventually 100 sh -c '[ "$(gorae inspect -f "{{.State.ExitCode}}" left)" = 3 ]'
}
