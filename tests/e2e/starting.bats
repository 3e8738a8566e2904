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
