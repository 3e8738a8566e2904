#!/usr/bin/env bats
# Edges: trees that are too deep, records that are too long, a disk that is full, a daemon that dies or a request that
# comes at the one moment between two steps.
load lib

setup_file() { daemon_with_busybox; }
teardown() { daemon_renew; }
teardown_file() { daemon_end; }

# with_faults COMMAND: in a daemon of its own that has fault points; which of them acts, GORAE_FAULT says
with_faults() {
    [ -x "$GORAE_BUILD/fault/bin/goraed" ] || skip "this build has no fault points"
    (
        trap daemon_stop EXIT # whatever fails in here
        daemon_dirs
        export PATH=$GORAE_BUILD/fault/bin:$PATH GORAED=$GORAE_BUILD/fault/bin/goraed
        daemon_start
        import_busybox
        unset GORAE_FAULT
        "$@"
        remove_all
        daemon_stop
        judge_and_clean
    )
}

@test "a container's folders may lie as deep as it likes: removing them costs the daemon nothing" {
    local before chain='printf "x/%.0s" $(seq 2000)'
    before=$(cat "$T/pid")
    # Two chains of what mkdir can name, one moved to the end of the other.
    gorae run --name deep busybox sh -c "c=\$($chain); mkdir -p /a/\$c /b/\$c; mv /b /a/\$c" >/dev/null
    gorae run --rm busybox sh -c "mkdir -p /\$($chain)" >/dev/null
    gorae rm deep
    # And what is made in them: a volume's folder has a limit, which is a line in the log.
    gorae run --rm -v "/$(printf 'v/%.0s' $(seq 1900))" busybox true
    gorae run --rm -v "/$(printf 'v/%.0s' $(seq 100))" busybox test -d "/$(printf 'v/%.0s' $(seq 100))"
    grep -q 'has no folder for the volume /v/v' "$T/log"
    [ "$(cat "$T/pid")" = "$before" ]
    kill -0 "$before"
    eventually 50 sh -c '[ -z "$(ls -A "$T/data/containers")" ]'
}

@test "a record as long as a request can make it is one that the next daemon reads" {
    python3 - >"$T/body" <<'PY'
import json
print(json.dumps({"Image": "busybox", "Cmd": ["true"] + ["x"] * 700000, "HostConfig": {"AutoRemove": False}}, separators=(",", ":")))
PY
    answers 201 api POST '/containers/create?name=long' -H 'Content-Type: application/json' --data-binary "@$T/body"
    rm "$T/body"
    daemon_stop
    daemon_start
    [ "$(gorae inspect -f '{{len .Config.Cmd}}' long)" = 700001 ]
    [ -z "$(ls -A "$T/data/quarantine")" ]
}

@test "exec takes as long a command and environment as the kernel does" {
    local long
    long=$(printf 'x%.0s' $(seq 100000))
    gorae run -d --name web busybox sleep 1000 >/dev/null
    [ "$(gorae exec web sh -c 'echo ${#0}' "$long")" = 100000 ]
    [ "$(gorae exec -e "A=$long" web sh -c 'echo ${#A}')" = 100000 ]
}

@test "a folder that the host has mounted read-only stays so in a container that does not ask" {
    mkdir "$T/ro"
    touch "$T/ro/there"
    mount --bind "$T/ro" "$T/ro"
    mount -o remount,bind,ro "$T/ro"
    run gorae run --rm -v "$T/ro:/x" busybox sh -c 'ls /x; touch /x/new'
    umount "$T/ro"
    [[ $output == *there*"Read-only file system"* ]] || { echo "$output"; false; }
    [ ! -e "$T/ro/new" ]
    gorae run --rm -v "$T/ro:/x" busybox touch /x/new
    [ -e "$T/ro/new" ]
}

@test "commit: an ENTRYPOINT without a CMD drops the command that was there; a body is put over the container's Config" {
    gorae run --name setup busybox sh -c 'echo setup' >/dev/null
    gorae commit -c 'ENTRYPOINT ["/bin/echo", "new"]' setup entry:1
    [ "$(gorae run --rm entry:1)" = new ]
    gorae commit -c 'CMD ["kept"]' -c 'ENTRYPOINT ["/bin/echo"]' setup entry:2
    [ "$(gorae run --rm entry:2)" = kept ]
    gorae commit -c 'ENV A=b' setup entry:3
    [ "$(gorae run --rm entry:3)" = setup ]
    answers 201 json POST '/commit?container=setup&repo=entry&tag=4' '{"ExposedPorts":{"80/tcp":{}},"StopSignal":"SIGQUIT","Labels":{"a":"b"}}'
    [ "$(gorae inspect -f '{{json .Config.ExposedPorts}} {{.Config.StopSignal}} {{.Config.Labels.a}} {{json .Config.Cmd}}' entry:4)" = \
        '{"80/tcp":{}} SIGQUIT b ["sh","-c","echo setup"]' ]
    answers 400 json POST '/commit?container=setup&repo=entry&tag=5' '{"ExposedPorts":"80"}'
    gorae rmi entry:1 entry:2 entry:3 entry:4 >/dev/null
}

@test "times beyond reason are refused, or as long as time goes" {
    answers 400 json POST /containers/create '{"Image":"busybox","Cmd":["true"],"StopTimeout":4294967296}'
    [[ $(message) == *"invalid StopTimeout: 4294967296"* ]]
    answers 201 json POST '/containers/create?name=web' \
        '{"Image":"busybox","Cmd":["sleep","1000"],"Healthcheck":{"Test":["CMD-SHELL","echo x >>/checks"],"Interval":9223372036854775807}}'
    gorae start web
    sleep 1
    run gorae exec web cat /checks
    [ "$status" = 1 ]
    answers 201 json POST '/containers/create?name=other' \
        '{"Image":"busybox","Cmd":["sleep","1000"],"Healthcheck":{"Test":["CMD","true"],"Interval":100000000,"Timeout":9223372036854775807}}'
    gorae start other
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Health.Status}}" other)" = healthy ]'
}

@test "policies after the daemon's end: who joins another's namespace starts after that one" {
    local k
    gorae run -d --restart always --ipc shareable --name donor busybox sleep 1000 >/dev/null
    for k in pid ipc; do gorae run -d --restart always --name "joins-$k" "--$k" container:donor busybox sleep 1000 >/dev/null; done
    daemon_stop
    daemon_start
    eventually 50 sh -c '[ "$(gorae ps -q | wc -l)" = 3 ]'
}

@test "a container that was told to end by TERM or INT stays so under its policy; other signals are news to it" {
    local s
    for s in TERM INT; do
        gorae run -d --name "web-$s" --restart always busybox sh -c "trap 'exit 3' TERM INT; trap : HUP; while :; do sleep 0.05; done" >/dev/null
        sleep 0.2
        gorae kill -s HUP "web-$s" >/dev/null
        sleep 0.2
        [ "$(gorae inspect -f '{{.State.Status}}' "web-$s")" = running ]
        gorae kill -s "$s" "web-$s" >/dev/null
        eventually 30 sh -c "[ \"\$(gorae inspect -f '{{.State.Status}} {{.State.ExitCode}}' web-$s)\" = 'exited 3' ]"
        sleep 0.4
        [ "$(gorae inspect -f '{{.State.Status}} {{.RestartCount}}' "web-$s")" = "exited 0" ]
    done
}

started_unnoted() {
    gorae create --name web --restart always busybox sleep 1000 >/dev/null
    never gorae start web
    daemon_pid
    unset GORAED
    daemon_start
    [ "$(gorae inspect -f '{{.State.Status}}' web)" = running ]
    # What it would be after a reboot, the record alone knows.
    jq -e '.State.Status == "running" and .State.StartedAt > 0' "$T"/data/containers/*/config.json >/dev/null
}
@test "a daemon that dies between a start and its record: the next one writes it" {
    GORAE_FAULT=start.started:kill with_faults started_unnoted
}

@test "a start on a full disk fails, whatever the policy; its container is ended and can be removed" {
    (
        trap 'daemon_stop; umount "$T/data"; rm -r "$T"' EXIT # whatever fails in here
        daemon_dirs
        mkdir "$T/data"
        mount -t tmpfs -o size=16m tmpfs "$T/data"
        daemon_start
        import_busybox
        gorae create --name web --restart always busybox sleep 1000
        gorae create --name brief --rm busybox sleep 1000
        head -c 20M /dev/zero >"$T/data/fills" || true
        run timeout 20 gorae start web
        [ "$status" = 1 ]
        [[ $output == *"no space left on device"* ]] || { echo "$output"; false; }
        eventually 80 sh -c '[ "$(gorae inspect -f "{{.State.Status}} {{.State.ExitCode}}" web)" = "exited 137" ]'
        [[ $(gorae inspect -f '{{.State.Error}}' web) == *"no space left on device"* ]]
        run timeout 20 gorae start brief
        [ "$status" = 1 ]
        eventually 80 sh -c '! gorae inspect brief'
        timeout 20 gorae rm web
        rm "$T/data/fills"
        gorae run --rm busybox true
    )
}

pruned_between() {
    local at
    gorae tag busybox keep:1
    for at in 1 2; do
        gorae run --name "c$at" busybox touch "/f$at" >/dev/null
        gorae commit "c$at" "img:$at" >/dev/null
        gorae rm "c$at" >/dev/null
    done
    (gorae image prune -af >"$T/pruned") 3>&- &
    local pruner=$!
    eventually 100 sh -c '[ "$(gorae images -q img | wc -l)" = 1 ]' # the first of the two is gone, whichever that is
    for at in 1 2; do gorae run -d --name "uses$at" "img:$at" sleep 1000 2>/dev/null || true; done
    wait "$pruner"
    for at in $(gorae ps -a --format '{{.Names}}'); do
        gorae exec "$at" ls "/f${at#uses}"
        gorae restart -t 0 "$at"
        gorae exec "$at" ls "/f${at#uses}"
    done
    [ "$(gorae ps -q | wc -l)" = 1 ]
    [ "$(gorae images -q img | wc -l)" = 1 ]
}
@test "an image that gets its container while a prune is under way stays" {
    GORAE_FAULT=image.remove.record-removed:sleep=6000 with_faults pruned_between
}

removed_between() {
    gorae tag busybox one:1
    gorae run --name once busybox touch /f >/dev/null
    gorae commit once one:1 >/dev/null
    gorae rm once >/dev/null
    local id remover
    id=$(gorae images -q --no-trunc one)
    (gorae rmi one:1 >"$T/removed" 2>&1) 3>&- &
    remover=$!
    eventually 100 sh -c '[ -z "$(gorae images -q one)" ]'
    run gorae create --name late "$id" sleep 1000
    [ "$status" != 0 ]
    wait "$remover"
    [ -z "$(gorae images -q one)" ]
    [ -z "$(gorae ps -aq)" ]
}
@test "a container that comes while its image is on the way out finds none" {
    GORAE_FAULT=image.remove.hidden:sleep=4000 with_faults removed_between
}

@test "what older and other clients send: commit with null, attach without stream and logs, filters of a swarm" {
    gorae run --name once busybox echo said >/dev/null
    answers 201 json POST '/commit?container=once&repo=null&tag=1' null
    gorae rmi null:1
    answers 400 json POST '/commit?container=once&repo=null&tag=1' nul
    [[ $(curl -s -i --max-time 10 --unix-socket "$SOCK" -X POST "http://d/containers/once/attach?stdout=1") == *" 200 OK"* ]]
    api GET '/events?since=0&until=1&filters=%7B%22node%22%3A%5B%22x%22%5D%7D'
    [ "$STATUS" = 200 ]
    api GET "/events?since=0&until=$(date +%s)&filters=%7B%22service%22%3A%5B%22once%22%5D%7D"
    [ "$STATUS" = 200 ]
    [ -z "$BODY" ]
}

@test "a mount whose source is gone from the host is still told, beside the others" {
    mkdir "$T/goes" "$T/stays"
    gorae run -d --name web --mount "type=bind,source=$T/goes,target=/a" -v "$T/stays:/b" busybox sleep 1000 >/dev/null
    rmdir "$T/goes"
    [ "$(gorae inspect -f '{{len .Mounts}}' web)" = 2 ]
    [ "$(gorae ps -q --filter "volume=/b" | wc -l)" = 1 ]
}

@test "an image that exposes what is no port does not spoil the list for everybody" {
    gorae run --name once busybox true >/dev/null
    answers 201 json POST '/commit?container=once&repo=odd&tag=1' '{"ExposedPorts":{"70000/tcp":{},"-1/udp":{},"80/tcp":{}}}'
    gorae run -d --name web odd:1 sleep 1000 >/dev/null
    api GET /containers/json
    jq -e '[.[0].Ports[].PrivatePort] == [80]' <<<"$BODY"
    gorae rm -f web
    gorae rmi odd:1
}

@test "hosts, hostname and resolv.conf that a power cut emptied are made again at the start; what was written into them stays" {
    gorae run --name web --hostname box busybox sh -c 'echo 192.0.2.1 mine >>/etc/hosts' >/dev/null
    local folder
    folder=$(echo "$T"/data/containers/*)
    : >"$folder/hostname"
    rm "$folder/resolv.conf"
    gorae start -a web
    [ "$(cat "$folder/hostname")" = box ]
    [ -e "$folder/resolv.conf" ]
    [ "$(grep -c '192.0.2.1 mine' "$folder/hosts")" = 2 ]
}
