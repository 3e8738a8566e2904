#!/bin/bash
# A container's life where everything takes its time: restart policies, health, init, signals, files.
. /run/lane/lib.sh

policies() {
    box --name fails --restart on-failure:2 busybox sh -c 'echo again; exit 3'
    box --name always --restart always busybox sleep 100000
    pid_of always >always.pid
    kill -KILL "$(cat always.pid)"
    within 30 sh -c '[ "$(gorae inspect -f "{{.RestartCount}} {{.State.Status}}" always)" = "1 running" ]'
    [ "$(pid_of always)" != "$(cat always.pid)" ]
    within 30 is fails exited
    [ "$(gorae inspect -f '{{.RestartCount}} {{.State.ExitCode}}' fails)" = "2 3" ]
    [ "$(gorae logs fails | grep -c again)" = 3 ]
    gorae stop -t 0 always
    sleep 1
    is always exited
    gorae rm fails always
}
check "restart policies bring back whom they should" policies

health() {
    box --name well --health-cmd 'test -e /well' --health-interval 500ms --health-retries 2 --health-timeout 20s busybox sleep 100000
    within 60 sh -c '[ "$(gorae inspect -f "{{.State.Health.Status}}" well)" = unhealthy ]'
    gorae exec well touch /well
    within 60 sh -c '[ "$(gorae inspect -f "{{.State.Health.Status}}" well)" = healthy ]'
    gorae ps --format '{{.Names}} {{.Status}}' | grep 'well.*(healthy)'
    gorae rm -f well
}
check "a health check that fails and one that succeeds are told" health

streams() {
    [ "$(echo through | gorae run -i --rm --network none busybox cat)" = through ]
    local status=0
    gorae run --rm --network none busybox sh -c 'echo out; echo err >&2; exit 9' >out 2>err || status=$?
    [ "$status $(cat out) $(cat err)" = "9 out err" ]
    box --name inside --init busybox sh -c 'echo $$; sleep 100000'
    [ "$(gorae exec -e A=b -w /tmp inside sh -c 'echo $A $PWD')" = "b /tmp" ]
    [ "$(gorae exec inside cat /proc/1/comm)" = docker-init ]
    head -c 3000000 /dev/urandom >random
    gorae cp random inside:/tmp/random
    gorae exec -i inside sh -c 'sha256sum </tmp/random' | cmp - <(sha256sum <random)
    gorae commit inside kept:1
    gorae run --rm --network none kept:1 sha256sum /tmp/random | grep "$(sha256sum <random | cut -d' ' -f1)"
    gorae rm -f inside
    gorae rmi kept:1
    judge
}
check "streams, exec, cp and commit carry what they are given" streams

many() {
    local i
    for i in 1 2 3 4 5 6 7 8; do box --name "m$i" busybox sleep 100000 & done
    wait
    [ "$(gorae ps -q | wc -l)" = 8 ]
    judge
    gorae rm -f m1 m2 m3 m4 m5 m6 m7 m8
    [ "$(gorae ps -aq | wc -l)" = 0 ]
    judge
}
check "eight that are started at once all run, and all go" many
