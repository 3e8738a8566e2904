#!/usr/bin/env bats
# The API as the document has it, spoken with curl: status by status.
load lib

setup_file() { daemon_with_busybox; }
teardown_file() { daemon_end; }
teardown() { remove_all || true; }

create() { # name, json fields after the image: sets ID
    answers 201 json POST "/containers/create?name=$1" "{\"Image\":\"busybox\"${2:+,$2}}"
    ID=$(jq -r .Id <<<"$BODY")
}

@test "ping: GET, HEAD, versioned, with all its headers" {
    run curl -si --unix-socket "$SOCK" http://d/_ping
    [[ $output == *"HTTP/1.1 200"* && $output == *"Api-Version: 1.44"* && $output == *"Ostype: linux"* ]]
    [[ $output == *"Docker-Experimental: false"* && $output == *"Builder-Version: 1"* && $output == *"Cache-Control: no-cache"* ]]
    [[ ${lines[-1]} == OK ]]
    run curl -sI --unix-socket "$SOCK" http://d/v1.30/_ping
    [[ $output == *"200"* && $output == *"Content-Length: 0"* ]]
}

@test "versions: too new, too old, nonsense" {
    answers 400 api GET /v1.99/info
    [[ $(message) == "client version 1.99 is too new. Maximum supported API version is 1.44" ]]
    answers 400 api GET /v1.23/info
    [[ $(message) == *"too old"* ]]
    answers 200 api GET /v1.24/info
    answers 404 api GET /v9/info
}

@test "unknown paths and methods are 404 page not found, with an exact content type" {
    for p in / /nothing /v1.44/ /containers /containers/a/b/json2; do
        answers 404 api GET "$p"
        [ "$(message)" = "page not found" ]
    done
    answers 404 api PUT /version
    run curl -si --unix-socket "$SOCK" http://d/nothing
    [[ $output == *$'Content-Type: application/json\r'* ]]
}

@test "what a later step brings is 501 with a sentence, what never comes is 503 or 404" {
    for p in /networks /volumes; do
        answers 501 api GET "$p"
        [[ $(message) == "not implemented yet: "* ]]
    done
    answers 501 api POST '/images/create?fromImage=busybox&tag=latest'
    answers 501 api GET /networks/bridge
    answers 404 api GET /networks/nosuch
    [ "$(message)" = "network nosuch not found" ]
    answers 404 api GET /volumes/nosuch
    answers 503 api GET /swarm
    answers 404 api POST /session
    answers 200 api GET /plugins
    [ "$BODY" = "[]" ]
}

# The list of routes in the API document, section 1: each is served, or says what it will be, or is none. What is asked for
# does not exist here, so a route that is served answers 404 or 400 with a sentence of its own.
@test "every route of the document answers, with and without a version, and only those" {
    while read -r method path status words; do
        for v in '' /v1.44; do
            case "$method" in
            HEAD) STATUS=$(curl -sI -o "$T/head" -w '%{http_code}' --unix-socket "$SOCK" "http://d$v$path") BODY='{}' ;;
            *) api "$method" "$v$path" ;;
            esac
            [ "$STATUS" = "$status" ] || { echo "$method $v$path: $STATUS, not $status: $BODY"; false; }
            [ "$method" = HEAD ] || [ "$status" -lt 400 ] || grep -qE -- "$words" <<<"$BODY" || { echo "$method $v$path: $BODY"; false; }
        done
    done <<'EOF'
HEAD /_ping 200
GET /_ping 200
GET /version 200
GET /info 200
GET /events?until=1 200
GET /system/df 200
POST /auth 501 registries
GET /distribution/x/json 501 registries
POST /session 404 page.not.found
POST /grpc 404 page.not.found
GET /debug/pprof 404 page.not.found
GET /containers/json 200
POST /containers/create 400 no.body
GET /containers/nosuch/json 404 No.such.container
POST /containers/nosuch/start 404 No.such.container
POST /containers/nosuch/stop 404 No.such.container
POST /containers/nosuch/restart 404 No.such.container
POST /containers/nosuch/kill 404 No.such.container
POST /containers/nosuch/pause 404 No.such.container
POST /containers/nosuch/unpause 404 No.such.container
POST /containers/nosuch/wait 404 No.such.container
POST /containers/nosuch/attach?stream=1 404 No.such.container
GET /containers/nosuch/attach/ws 501 WebSocket
POST /containers/nosuch/resize?h=1&w=1 404 No.such.container
GET /containers/nosuch/logs?stdout=1 404 No.such.container
GET /containers/nosuch/stats 404 No.such.container
GET /containers/nosuch/top 404 No.such.container
GET /containers/nosuch/changes 404 No.such.container
GET /containers/nosuch/export 404 No.such.container
HEAD /containers/nosuch/archive?path=/ 404
GET /containers/nosuch/archive?path=/ 404 No.such.container
PUT /containers/nosuch/archive?path=/ 411 Content-Length
POST /containers/nosuch/exec 400 no.body
POST /exec/nosuch/start 404 No.such.exec
POST /exec/nosuch/resize?h=1&w=1 404 No.such.exec
GET /exec/nosuch/json 404 No.such.exec
POST /containers/nosuch/rename?name=other 404 No.such.container
POST /containers/nosuch/update 400 no.body
DELETE /containers/nosuch 404 No.such.container
POST /containers/prune 200
POST /commit?container=nosuch 404 No.such.container
GET /containers/nosuch/checkpoints 404 page.not.found
GET /images/json 200
GET /images/no/such/json 404 No.such.image
GET /images/no/such/history 404 No.such.image
POST /images/create?fromImage=nosuch 501 registries
POST /images/create?fromSrc=http://x/y 501 an.address
POST /images/no/such/push 501 registries
POST /images/no/such/tag?repo=x 404 No.such.image
DELETE /images/no/such 404 No.such.image
GET /images/get 400 at.least.one
GET /images/no/such/get 404 No.such.image
POST /images/prune 200
GET /images/search 501 registries
POST /build 501 builds
POST /build/prune 200
POST /build/cancel 501 builds
GET /networks 501 networks
GET /networks/bridge 501 networks
GET /networks/nosuch 404 nosuch.not.found
POST /networks/create 501 networks
POST /networks/nosuch/connect 501 networks
POST /networks/nosuch/disconnect 501 networks
DELETE /networks/nosuch 501 networks
POST /networks/prune 200
GET /volumes 501 volumes
GET /volumes/nosuch 404 no.such.volume
POST /volumes/create 501 volumes
PUT /volumes/nosuch 503 swarm
DELETE /volumes/nosuch 501 volumes
POST /volumes/prune 200
GET /swarm 503 swarm
POST /swarm/init 503 swarm
GET /services 503 swarm
GET /tasks/x 503 swarm
GET /nodes 503 swarm
GET /secrets 503 swarm
POST /configs/create 503 swarm
GET /plugins 200
GET /plugins/nosuch/json 404 page.not.found
POST /plugins/pull 501 plugins
DELETE /plugins/nosuch 501 plugins
GET /containerss 404 page.not.found
GET /swarmy 404 page.not.found
DELETE /containers/json/x 404 page.not.found
EOF
}

@test "version and info have every field that the document lists" {
    api GET /version
    jq -e '.ApiVersion=="1.44" and .MinAPIVersion=="1.24" and .Os=="linux" and (.Components[0].Details|map_values(type)|to_entries|all(.value=="string"))' <<<"$BODY"
    api GET /info
    for k in ID Containers ContainersRunning ContainersPaused ContainersStopped Images Driver DriverStatus Plugins MemoryLimit \
        SwapLimit CpuCfsPeriod CpuCfsQuota CPUShares CPUSet PidsLimit IPv4Forwarding Debug NFd OomKillDisable NGoroutines SystemTime \
        LoggingDriver CgroupDriver CgroupVersion NEventsListener KernelVersion OperatingSystem OSVersion OSType Architecture \
        IndexServerAddress RegistryConfig NCPU MemTotal GenericResources DockerRootDir HttpProxy HttpsProxy NoProxy Name Labels \
        ExperimentalBuild ServerVersion Runtimes DefaultRuntime Swarm LiveRestoreEnabled Isolation InitBinary ContainerdCommit \
        RuncCommit InitCommit SecurityOptions CDISpecDirs Warnings; do
        jq -e --arg k $k 'has($k)' <<<"$BODY" || { echo "info lacks $k"; false; }
    done
    jq -e '.Swarm.LocalNodeState=="inactive" and .Swarm.ControlAvailable==false' <<<"$BODY"
}

@test "create: what is refused, with which status, and that nothing stays" {
    answers 400 api POST /containers/create
    answers 400 api POST /containers/create -H 'Content-Type: text/plain' -d '{"Image":"busybox"}'
    answers 400 json POST /containers/create '{"Image":"busybox"} trailing'
    answers 400 json POST /containers/create '{"Image":"busybox","Image":"busybox"}'
    answers 404 json POST /containers/create '{"Image":"no-such-image"}'
    [ "$(message)" = "No such image: no-such-image:latest" ]
    for name in x '../x' 'a%20b' 'a%2Fb' "$(printf 'a%.0s' $(seq 300))" "$(printf 'a%.0s' $(seq 64))"; do
        answers 400 json POST "/containers/create?name=$name" '{"Image":"busybox"}'
    done
    while IFS= read -r body; do
        answers 400 json POST /containers/create "{\"Image\":\"busybox\",$body}"
    done <<'EOF'
"Tty":"yes"
"Env":"A=1"
"Env":["=x"]
"WorkingDir":"relative"
"StopSignal":"NOPE"
"HostConfig":{"Memory":1048576}
"HostConfig":{"Memory":1e400}
"HostConfig":{"Memory":"5"}
"HostConfig":{"NanoCpus":99000000000000}
"HostConfig":{"NanoCpus":1,"CpuQuota":5000}
"HostConfig":{"CapAdd":["NO_SUCH"]}
"HostConfig":{"SecurityOpt":["no-such-option"]}
"HostConfig":{"SecurityOpt":["seccomp={"]}
"HostConfig":{"Binds":["/a:relative"]}
"HostConfig":{"Binds":["/a:/proc"]}
"HostConfig":{"Binds":["/a:/x/../proc"]}
"HostConfig":{"Binds":["/a:/"]}
"HostConfig":{"Binds":["/a:/b:nonsense"]}
"HostConfig":{"Binds":["/a:/b","/c:/b/"]}
"HostConfig":{"Ulimits":[{"Name":"nonsense","Soft":1,"Hard":1}]}
"HostConfig":{"Ulimits":[{"Name":"nofile","Soft":2,"Hard":1}]}
"HostConfig":{"LogConfig":{"Type":"nonsense"}}
"HostConfig":{"Runtime":"nonsense"}
"HostConfig":{"IpcMode":"nonsense"}
"HostConfig":{"OomScoreAdj":2000}
"Cmd":[],"Entrypoint":[""]
EOF
    json POST /containers/create '{"Image":"busybox","HostConfig":{"NetworkMode":"nosuchnet"}}'
    [ "$STATUS" = 400 ] # 404 would make clients pull the image
    [[ $(message) == *"network nosuchnet not found"* ]]
    for later in '"PortBindings":{"80/tcp":[{"HostPort":"80"}]}' '"Binds":["vol:/data"]'; do
        answers 501 json POST /containers/create "{\"Image\":\"busybox\",\"HostConfig\":{$later}}"
    done
    api GET '/containers/json?all=1'
    [ "$BODY" = "[]" ]
    eventually 20 sh -c "[ -z \"\$(ls $T/data/containers)\" ]"
}

# Once a number among the options of the log ended the daemon, and "ReadOnly": "true" was a mount that can be written.
@test "create: what is no string among strings, or of another wrong kind, is 400 by name, and the daemon goes on" {
    local pid
    pid=$(cat "$T/pid")
    for v in 10 true null 1.5 '[]' '["x"]' '{}' '{"a":1}'; do
        for key in max-size max-file max-buffer-size tag labels labels-regex env env-regex mode compress; do
            create_refused 400 "log option $key must be a string" "{\"LogConfig\":{\"Type\":\"json-file\",\"Config\":{\"$key\":$v}}}"
        done
        for map in Sysctls Tmpfs StorageOpt Annotations; do
            create_refused 400 "HostConfig.$map must be an object of strings" "{\"$map\":{\"/a.b\":$v}}"
        done
        create_refused 400 "Config.Labels must be an object of strings" '{}' "\"Labels\":{\"a\":$v}"
    done
    create_refused 400 "HostConfig.LogConfig.Config must be an object" '{"LogConfig":{"Config":["max-size"]}}'
    create_refused 400 "HostConfig.LogConfig.Type must be a string" '{"LogConfig":{"Type":5}}'
    create_refused 400 "HostConfig.RestartPolicy.Name must be a string" '{"RestartPolicy":{"Name":true}}'
    create_refused 400 "HostConfig.RestartPolicy.MaximumRetryCount must be a whole number" '{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":"3"}}'
    create_refused 400 "HostConfig.Ulimits.Soft must be a whole number" '{"Ulimits":[{"Name":"core","Soft":1,"Hard":1},{"Name":"nofile","Soft":"10","Hard":20}]}'
    create_refused 400 "HostConfig.Mounts.ReadOnly must be true or false" '{"Mounts":[{"Type":"bind","Source":"/tmp","Target":"/x","ReadOnly":"true"}]}'
    create_refused 400 "HostConfig.Devices.CgroupPermissions must be a string" '{"Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/x","CgroupPermissions":7}]}'
    create_refused 400 "Config.Healthcheck.Test must be an array of strings" '{}' '"Healthcheck":{"Test":["CMD",5]}'
    create_refused 400 "Config.Healthcheck.Interval must be a whole number" '{}' '"Healthcheck":{"Test":["CMD","true"],"Interval":"1s"}'
    # null is unset, inside as well
    create nulls '"Healthcheck":{"Test":null,"Interval":null},"HostConfig":{"LogConfig":{"Type":null,"Config":null},"RestartPolicy":{"Name":null}}'
    [ "$(cat "$T/pid")" = "$pid" ]
    kill -0 "$pid"
    answers 200 api GET /_ping
}

# Who has to allow a request reads one of the two, and we would take the other.
@test "create: a key twice, in different letter case, is 400 by name" {
    create_refused 400 "Config has the key Cmd twice" '{}' '"cmd":["id"]'
    create_refused 400 "HostConfig has the key Privileged twice" '{"Privileged":false,"privileged":true}'
    answers 400 json POST /containers/create '{"Image":"busybox","HostConfig":{},"hostconfig":{"Privileged":true}}'
    [[ $(message) == *"HostConfig is there twice"* ]]
    answers 400 json POST /containers/create '{"hostconfig":{"Privileged":true},"Image":"busybox","HOSTCONFIG":null}'
    answers 400 json POST /containers/create '{"Image":"busybox","IMAGE":"busybox"}'
    [[ $(message) == *"Image twice"* ]]
    create lone '"hostconfig":{"Privileged":true}'
    api GET "/containers/$ID/json"
    jq -e '.HostConfig.Privileged' <<<"$BODY"
    answers 204 api POST "/containers/$ID/start"
    answers 400 json POST "/containers/$ID/exec" '{"Cmd":["true"],"cmd":["id"]}'
    [[ $(message) == *"Cmd twice"* ]]
}

@test "inspect: the paths that are hidden or read-only are Docker's, the container's own, or none where it is privileged" {
    paths() { api GET "/containers/$ID/json" && jq -c "[.HostConfig.MaskedPaths, .HostConfig.ReadonlyPaths] | $1" <<<"$BODY"; }
    create usual
    [ "$(paths '[(.[0] | contains(["/proc/kcore", "/proc/keys", "/sys/firmware"])), (.[1] | contains(["/proc/sys", "/proc/bus"]))]')" = "[true,true]" ]
    create trusted '"HostConfig":{"Privileged":true}'
    [ "$(paths .)" = "[null,null]" ]
    create own '"HostConfig":{"MaskedPaths":["/proc/version"],"ReadonlyPaths":[]}'
    [ "$(paths .)" = '[["/proc/version"],[]]' ]
    create half '"HostConfig":{"MaskedPaths":[]}'
    [ "$(paths '[.[0], (.[1] | contains(["/proc/sys"]))]')" = '[[],true]' ]
}

@test "import: a change that cannot be is 400 before a byte is read; the platform is the image's" {
    into() { api POST "/images/create?fromSrc=-&repo=made&$1" -H 'Content-Type: application/x-tar' --data-binary "@$(busybox_tar)"; }
    never_sent() { # a query; the body never comes
        python3 - "$SOCK" "$1" <<'EOF'
import json, socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])
s.sendall(b"POST /images/create?fromSrc=-&repo=made&%s HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\n"
    b"Content-Length: 1000000\r\n\r\n" % sys.argv[2].encode())
got = s.recv(65536)
print(got.split(b" ")[1].decode(), json.loads(got.partition(b"\r\n\r\n")[2])["message"])
EOF
    }
    [[ $(never_sent changes=STOPSIGNAL%20BOGUS) == 400*"Invalid signal: BOGUS" ]]
    [[ $(never_sent platform=nonsense/x) == 400*nonsense/x* ]]
    [[ $(never_sent platform=linux/x) == 400* ]]
    answers 404 api GET /images/made/json
    answers 200 into 'changes=STOPSIGNAL%20SIGRTMIN%2B3'
    api GET /images/made/json
    jq -e '.Config.StopSignal == "SIGRTMIN+3"' <<<"$BODY"
    answers 200 api DELETE /images/made
    answers 200 into 'platform=linux'
    answers 200 api DELETE /images/made
    answers 200 into 'platform=linux/arm64'
    api GET /images/made/json
    curl -s --unix-socket "$SOCK" -X DELETE http://d/images/made >/dev/null # whatever it is, the next tests count images
    jq -e '.Os == "linux" and .Architecture == "arm64" and (.Variant // "") == ""' <<<"$BODY"
}

@test "create: keys in any letter case, Cmd as a string, null as unset" {
    answers 201 json POST '/containers/create?name=cased' '{"image":"busybox","cmd":"true","ENV":null,"hostconfig":{"autoremove":false}}'
    api GET /containers/cased/json
    jq -e '.Path=="true" and .Args==[] and .Config.Cmd==["true"] and .HostConfig.AutoRemove==false' <<<"$BODY"
}

@test "a name is taken once; the conflict names it and its holder" {
    create twin
    first=$ID
    answers 409 json POST '/containers/create?name=twin' '{"Image":"busybox"}'
    [[ $(message) == *"/twin"* && $(message) == *"$first"* ]]
    # twenty at once: one wins
    for i in $(seq 20); do
        curl -s -o /dev/null -w '%{http_code}\n' --unix-socket "$SOCK" -H 'Content-Type: application/json' -d '{"Image":"busybox"}' \
            'http://d/containers/create?name=race' >"$T/race.$i" &
    done
    wait $(jobs -p)
    [ "$(cat "$T"/race.* | grep -c 201)" = 1 ]
    [ "$(cat "$T"/race.* | grep -c 409)" = 19 ]
}

@test "a random name is adjective_surname, and found by name, id and prefix" {
    json POST /containers/create '{"Image":"busybox"}'
    ID=$(jq -r .Id <<<"$BODY")
    api GET "/containers/$ID/json"
    name=$(jq -r .Name <<<"$BODY")
    [[ $name =~ ^/[a-z]+_[a-z]+[0-9]?$ ]]
    for ref in "${name#/}" "$ID" "${ID:0:12}" "${ID:0:5}"; do
        answers 200 api GET "/containers/$ref/json"
        [ "$(jq -r .Id <<<"$BODY")" = "$ID" ]
    done
    answers 404 api GET /containers/nosuch/json
    [ "$(message)" = "No such container: nosuch" ]
}

@test "life: create, start, 304, stop, 304, start again, kill, remove" {
    create life '"Cmd":["sleep","100"]'
    api GET "/containers/$ID/json"
    jq -e '.State.Status=="created" and .State.Pid==0 and .State.StartedAt=="0001-01-01T00:00:00Z"' <<<"$BODY"
    answers 204 api POST "/containers/$ID/start"
    answers 304 api POST "/containers/$ID/start"
    api GET "/containers/$ID/json"
    jq -e '.State.Status=="running" and .State.Running and .State.Pid>0 and .State.ExitCode==0' <<<"$BODY"
    pid=$(jq .State.Pid <<<"$BODY")
    grep -q sleep "/proc/$pid/cmdline"
    answers 409 api DELETE "/containers/$ID"
    answers 204 api POST "/containers/$ID/stop?t=1"
    answers 304 api POST "/containers/$ID/stop"
    api GET "/containers/$ID/json"
    jq -e '.State.Status=="exited" and .State.ExitCode==137 and (.State.FinishedAt|startswith("20"))' <<<"$BODY"
    answers 409 api POST "/containers/$ID/kill"
    answers 204 api POST "/containers/$ID/start"
    answers 204 api POST "/containers/$ID/kill?signal=SIGKILL"
    api GET "/containers/$ID/json"
    jq -e '.State.Status=="exited" and .State.ExitCode==137' <<<"$BODY"
    answers 204 api DELETE "/containers/$ID"
    answers 404 api DELETE "/containers/$ID"
}

@test "stop uses the container's own signal and timeout; a bad signal is 400" {
    create trap '"Cmd":["sh","-c","trap \"exit 3\" USR1; while :; do sleep 0.05; done"],"StopSignal":"SIGUSR1","StopTimeout":20'
    api POST "/containers/$ID/start"
    sleep 0.3
    answers 400 api POST "/containers/$ID/kill?signal=NOPE"
    start=$SECONDS
    answers 204 api POST "/containers/$ID/stop"
    [ $((SECONDS - start)) -lt 10 ]
    api GET "/containers/$ID/json"
    jq -e '.State.ExitCode==3' <<<"$BODY"
}

@test "exit codes: 0, 7, a signal, not found 127, not executable 126, a folder 126" {
    for row in '0 ["true"]' '7 ["sh","-c","exit 7"]' '143 ["sh","-c","kill -TERM $$; sleep 5"]'; do
        create code "\"Cmd\":${row#* }"
        # pid 1 ignores signals that it has no handler for: ask for a child's
        api POST "/containers/$ID/start"
        if [ "${row%% *}" = 143 ]; then api POST "/containers/$ID/kill?signal=KILL"; want=137; else want=${row%% *}; fi
        api POST "/containers/$ID/wait"
        [ "$(jq .StatusCode <<<"$BODY")" = "$want" ] || { echo "$row: $BODY"; false; }
        api DELETE "/containers/$ID"
    done
    create none '"Cmd":["/no/such/program"]'
    answers 400 api POST "/containers/$ID/start"
    [[ $(message) == *"no such file or directory"* || $(message) == *"executable file not found"* ]]
    api GET "/containers/$ID/json"
    jq -e '.State.Status=="created" and .State.ExitCode==127 and (.State.Error|length>0)' <<<"$BODY"
    create nopath '"Cmd":["nosuchprogram"]'
    answers 400 api POST "/containers/$ID/start"
    [[ $(message) == *"executable file not found in \$PATH"* ]]
    create noexec '"Cmd":["/etc/passwd"]'
    answers 400 api POST "/containers/$ID/start"
    [[ $(message) == *"permission denied"* ]]
    api GET "/containers/$ID/json"
    jq -e '.State.ExitCode==126' <<<"$BODY"
    create isdir '"Cmd":["/etc"]'
    answers 400 api POST "/containers/$ID/start"
    [[ $(message) == *"permission denied"* ]]
    # and nothing of a failed start stays
    never grep -F "$T" /proc/self/mounts
    [ -z "$(ls "$T/exec/containers")" ]
}

@test "wait: three conditions, the head before the end, a bad condition" {
    create w1 '"Cmd":["sh","-c","sleep 0.4; exit 5"]'
    api POST "/containers/$ID/wait"
    [ "$(jq .StatusCode <<<"$BODY")" = 0 ]
    answers 400 api POST "/containers/$ID/wait?condition=nonsense"
    curl -sN -D "$T/head" -o "$T/body" --unix-socket "$SOCK" -X POST "http://d/containers/$ID/wait?condition=next-exit" &
    waiter=$!
    eventually 30 grep -q '200 OK' "$T/head"
    [ ! -s "$T/body" ]
    api POST "/containers/$ID/start"
    wait $waiter
    jq -e '.StatusCode==5 and .Error==null' "$T/body"
    # clients before 1.30 know no condition, and get the head with the end
    api POST "/v1.29/containers/$ID/wait?condition=nonsense"
    jq -e '.StatusCode==5' <<<"$BODY"
    create w0 '"Cmd":["sh","-c","sleep 0.4; exit 6"]'
    api POST "/containers/$ID/start"
    curl -sN -D "$T/head" -o "$T/body" --unix-socket "$SOCK" -X POST "http://d/v1.29/containers/$ID/wait" &
    waiter=$!
    sleep 0.2
    [ ! -s "$T/head" ]
    wait $waiter
    jq -e '.StatusCode==6' "$T/body"
    curl -sN -o "$T/body" --unix-socket "$SOCK" -X POST "http://d/containers/$ID/wait?condition=removed" &
    waiter=$!
    sleep 0.2
    api DELETE "/containers/$ID"
    wait $waiter
    jq -e '.StatusCode==6' "$T/body"
}

@test "a client that gives up waiting leaves no thread behind" {
    create w2 '"Cmd":["sleep","100"]'
    api POST "/containers/$ID/start"
    daemon_pid
    before=$(ls "/proc/$DAEMON/task" | wc -l)
    for i in $(seq 20); do
        timeout 0.2 curl -sN --unix-socket "$SOCK" -X POST "http://d/containers/$ID/wait" >/dev/null &
    done
    wait $(jobs -p) || true
    same() { [ "$(ls "/proc/$DAEMON/task" | wc -l)" -le "$before" ]; }
    eventually 30 same
}

@test "--rm: gone after its end, and after a start that failed" {
    create rm1 '"Cmd":["sh","-c","exit 4"],"HostConfig":{"AutoRemove":true}'
    curl -sN -o "$T/body" --unix-socket "$SOCK" -X POST "http://d/containers/$ID/wait?condition=removed" &
    waiter=$!
    sleep 0.2
    api POST "/containers/$ID/start"
    wait $waiter
    jq -e '.StatusCode==4' "$T/body"
    answers 404 api GET "/containers/$ID/json"
    create rm2 '"Cmd":["/nope"],"HostConfig":{"AutoRemove":true}'
    curl -sN -o "$T/body" --unix-socket "$SOCK" -X POST "http://d/containers/$ID/wait?condition=removed" &
    waiter=$!
    sleep 0.2
    answers 400 api POST "/containers/$ID/start"
    wait $waiter
    jq -e '.StatusCode==127 and .Error==null' "$T/body"
    answers 404 api GET "/containers/$ID/json"
    eventually 20 sh -c "[ -z \"\$(ls $T/data/containers)\" ]"
}

@test "rename: taken, same, empty, and back by either name" {
    create old
    create other
    answers 409 api POST "/containers/old/rename?name=other"
    answers 400 api POST "/containers/old/rename?name=old"
    answers 400 api POST "/containers/old/rename?name="
    answers 204 api POST "/containers/old/rename?name=new"
    answers 404 api GET /containers/old/json
    answers 200 api GET /containers/new/json
    create old
}

@test "list: all, limit, size, and every filter in both encodings" {
    create one '"Cmd":["sleep","100"],"Labels":{"a":"1","b":"2"},"ExposedPorts":{"80/tcp":{}}'
    one=$ID
    api POST "/containers/one/start"
    create two "\"Cmd\":[\"sh\",\"-c\",\"exit 3\"],\"Labels\":{\"a\":\"2\"},\"HostConfig\":{\"Binds\":[\"$T/vol:/data\"]}"
    api POST /containers/two/start
    api POST /containers/two/wait
    create three '"HostConfig":{"NetworkMode":"none"}'
    image=$(curl -s --unix-socket "$SOCK" http://d/images/busybox/json | jq -r .Id)
    names() { jq -r '[.[].Names[0]|ltrimstr("/")]|join(" ")' <<<"$BODY"; }
    filter() { api GET "/containers/json?all=1&filters=$(jq -rn --arg f "$1" '$f|@uri')"; }
    api GET /containers/json
    [ "$(names)" = one ]
    api GET '/containers/json?all=1'
    [ "$(names)" = "three two one" ]
    api GET '/containers/json?limit=2'
    [ "$(names)" = "three two" ]
    api GET '/containers/json?size=1'
    jq -e '.[0]|.SizeRootFs>0 and has("SizeRw")' <<<"$BODY"
    while read -r f want; do
        filter "$f"
        [ "$(names)" = "$want" ] || { echo "$f: $(names), not $want: $BODY"; false; }
    done <<EOF
{"status":["exited"]} two
{"status":{"exited":true,"created":true}} three two
{"exited":["3"]} two
{"exited":["0"]}
{"label":["a"]} two one
{"label":["a=1","b"]} one
{"name":["^/t"]} three two
{"name":["o"]} two one
{"id":["${one:0:12}"]} one
{"before":["two"]} one
{"since":["one"]} three two
{"ancestor":["busybox"]} three two one
{"expose":["80"]} one
{"expose":["79-81/tcp"]} one
{"network":["bridge"]} two one
{"health":["none"]} three two one
{"health":["healthy"]}
{"publish":["80"]}
{"volume":["/data"]} two
{"volume":["$T/vol"]} two
{"volume":["/dat"]}
{"is-task":["false"]} three two one
{"is-task":["true"]}
{"isolation":["default"]} three two one
{"isolation":["hyperv"]}
{"network":["host","none"]} three
{"ancestor":["$image"]} three two one
{"ancestor":["nosuch"]}
{"status":["paused","restarting","removing","dead"]}
{"name":["one"],"label":["a"]} one
{"name":["one"],"label":["a=2"]}
EOF
    filter '{"nonsense":["x"]}'
    [ "$STATUS" = 400 ]
    [[ $(message) == "invalid filter 'nonsense'" ]]
    for f in '{"status":["nonsense"]}' '{"health":["nonsense"]}' '{"exited":["x"]}' '[]' '{"name":1}' '{"name":[1]}'; do
        filter "$f"
        [ "$STATUS" = 400 ] || { echo "$f: $STATUS $BODY"; false; }
    done
    filter '{"before":["nosuch"]}'
    [ "$STATUS" = 404 ]
    filter 'not json'
    [ "$STATUS" = 400 ]
    api GET '/containers/json?all=1&filters=%7B%22name%22%3A%5B%22one%22%5D%7D'
    jq -e '.[0] | .Image=="busybox" and .Command=="sleep 100" and .State=="running" and (.Status|startswith("Up ")) and
        .Ports==[{"PrivatePort":80,"Type":"tcp"}] and .HostConfig.NetworkMode=="default" and (.ImageID|startswith("sha256:"))' <<<"$BODY"
}

@test "list: who says that a table is all it makes gets no more than that, and the table is the same" {
    local whole brief
    gorae create --name wordy -l a=b -v /etc:/x:ro busybox true
    api GET '/containers/json?all=1&filters=%7B%22name%22%3A%5B%22wordy%22%5D%7D'
    whole=$BODY
    api GET '/containers/json?all=1&filters=%7B%22name%22%3A%5B%22wordy%22%5D%7D' -H 'Gorae-Brief: 1'
    brief=$BODY
    [ "$(jq -c '.[0] | keys' <<<"$brief")" = '["Command","Created","Id","Image","Names","Status"]' ]
    [ "$(jq -c '.[0] | .Labels, .Mounts[0].Destination, (.NetworkSettings.Networks | length)' <<<"$whole" | xargs)" = '{a:b} /x 1' ]
    [ "$(jq -cS '.[0] | del(.ImageID, .Labels, .HostConfig, .NetworkSettings, .Mounts, .State, .Ports) | .Id |= .[:12]' <<<"$whole")" = "$(jq -cS '.[0]' <<<"$brief")" ]
    # a format of one's own is made of the whole answer
    [ "$(gorae ps -a -f name=wordy --format '{{.Labels}} {{.Mounts}} {{.Label "a"}} {{.Networks}}')" = "a=b /etc b bridge" ]
    [ "$(gorae ps -a -f name=wordy | tail -n 1)" = "$(gorae ps -a -f name=wordy --format 'table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}' | tail -n 1)" ]
    gorae rm wordy
}

@test "list: a long answer comes in chunks while it is made, a short one with its length, and nothing is lost between" {
    local n long
    long=$(printf '%07000d' 7)
    for n in 1 2 3 4 5 6 7; do gorae create --name "long$n" -l "long=$long" -l "n=$n" busybox true; done
    answers 200 api GET '/containers/json?all=1&filters=%7B%22label%22%3A%5B%22long%22%5D%7D' -D "$BATS_TEST_TMPDIR/head"
    grep -i '^transfer-encoding: chunked' "$BATS_TEST_TMPDIR/head"
    [ "$(jq -r '[.[].Labels.n] | join(" ")' <<<"$BODY")" = "7 6 5 4 3 2 1" ]
    [ "$(jq -r 'all(.[]; .Labels.long | length == 7000)' <<<"$BODY")" = true ]
    [ "$(gorae ps -a -f label=long --format '{{.Label "n"}}' | xargs)" = "7 6 5 4 3 2 1" ]
    [ "$(gorae ps -a -f label=long | wc -l)" = 8 ]
    api GET '/containers/json?all=1&limit=3&filters=%7B%22label%22%3A%5B%22long%22%5D%7D' -H 'Gorae-Brief: 1' -D "$BATS_TEST_TMPDIR/head"
    grep -i '^content-length: ' "$BATS_TEST_TMPDIR/head"
    [ "$(jq length <<<"$BODY")" = 3 ]
    gorae rm long1 long2 long3 long4 long5 long6 long7
}

@test "logs: streams, tail, since, until, timestamps, follow, and what is refused" {
    create talk '"Cmd":["sh","-c","for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; done"]'
    api POST "/containers/$ID/start"
    api POST "/containers/$ID/wait"
    answers 400 api GET "/containers/$ID/logs"
    logs() { curl -s --max-time 20 --unix-socket "$SOCK" "http://d/containers/$ID/logs?$1" | python3 -c '
import sys
d = sys.stdin.buffer.read()
while d:
    n = int.from_bytes(d[4:8], "big"); sys.stdout.write("%d:%s" % (d[0], d[8:8+n].decode())); d = d[8+n:]'; }
    [ "$(logs 'stdout=1' | tr '\n' ' ')" = "1:out1 1:out2 1:out3 1:out4 1:out5 " ]
    [ "$(logs 'stderr=1' | wc -l)" = 5 ]
    [ "$(logs 'stdout=1&stderr=1&tail=3' | wc -l)" = 3 ]
    [ "$(logs 'stdout=1&stderr=1&tail=0' | wc -l)" = 0 ]
    [ "$(logs 'stdout=1&tail=all' | wc -l)" = 5 ]
    logs 'stdout=1&timestamps=1' | grep -qE '^1:[0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z out1$'
    [ "$(logs "stdout=1&since=$(($(date +%s) + 100))" | wc -l)" = 0 ]
    [ "$(logs "stdout=1&until=100" | wc -l)" = 0 ]
    # since and until are of the nanosecond, each with its own record still in
    create clock '"Cmd":["sh","-c","for i in 1 2 3 4 5; do echo out$i; sleep 0.02; done"]'
    api POST "/containers/$ID/start"
    api POST "/containers/$ID/wait"
    third=$(logs 'stdout=1&timestamps=1' | sed -n '3s/^1:\([^ ]*\) .*/\1/p')
    [ "$(logs "stdout=1&since=$third" | tr '\n' ' ')" = "1:out3 1:out4 1:out5 " ]
    [ "$(logs "stdout=1&until=$third" | tr '\n' ' ')" = "1:out1 1:out2 1:out3 " ]
    [ "$(logs "stdout=1&since=$third&until=$third" | tr '\n' ' ')" = "1:out3 " ]
    answers 400 api GET "/containers/$ID/logs?stdout=1&since=yesterday"
    # a follower ends with its `until`, whether or not the container goes on, and whether or not it says something
    create endless '"Cmd":["sh","-c","echo first; sleep 1; while echo more; do sleep 0.1; done"]'
    api POST "/containers/$ID/start"
    local began=$SECONDS
    [ "$(logs "stdout=1&follow=1&until=$(date -d '+0.5 seconds' +%s.%N)")" = "1:first" ]
    [[ $(logs "stdout=1&follow=1&until=$(date -d '+1.5 seconds' +%s.%N)") == *more* ]]
    [ $((SECONDS - began)) -lt 10 ]
    api DELETE "/containers/$ID?force=1"
    create follow '"Cmd":["sh","-c","for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done"]'
    api POST "/containers/$ID/start"
    [ "$(logs 'stdout=1&follow=1' | tr -d '\n')" = "1:11:21:31:41:51:6" ]
    create quiet '"Cmd":["true"],"HostConfig":{"LogConfig":{"Type":"none"}}'
    answers 501 api GET "/containers/$ID/logs?stdout=1"
}

@test "events: order of a life, filters, replay with since and until" {
    since=$(date +%s.%N)
    create ev '"Cmd":["true"]'
    api POST "/containers/$ID/start"
    api POST "/containers/$ID/wait"
    api DELETE "/containers/$ID"
    until=$(($(date +%s) + 1))
    sleep 1.1
    f=$(jq -rn --arg id "$ID" '{container:[$id]}|@json|@uri')
    api GET "/events?since=$since&until=$until&filters=$f"
    [ "$(jq -r .Action <<<"$BODY" | tr '\n' ' ')" = "create start die destroy " ]
    jq -se '.[2].Actor.Attributes | .exitCode=="0" and .image=="busybox" and .name=="ev"' <<<"$BODY"
    jq -se 'map(.timeNano) == (map(.timeNano)|sort) and (.[0]|.status=="create" and .Type=="container" and .scope=="local" and .from=="busybox")' <<<"$BODY"
    api GET "/events?since=$since&until=$until&filters=$(jq -rn '{type:{image:true}}|@json|@uri')"
    [ -z "$(jq -r 'select(.Type!="image")' <<<"$BODY")" ]
    answers 400 api GET "/events?until=1&filters=%7B%22bogus%22%3A%5B%22x%22%5D%7D"
}

# stay MODE ID: attach without Upgrade, the request's body being the container's stdin (as dockerode without hijack)
stay() {
    python3 - "$SOCK" "$1" "$2" <<'EOF'
import socket, sys
sock, mode, id = sys.argv[1:]
def connect():
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sock); return s
def chunk(b): return b"%x\r\n%s\r\n" % (len(b), b)
def upto(s, end, d=b""):
    while end not in d:
        k = s.recv(65536)
        if not k: break
        d += k
    return d
s = connect()
s.sendall(b"POST /v1.44/containers/%s/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\n"
          b"Transfer-Encoding: chunked\r\n\r\n" % id.encode())
head, _, rest = upto(s, b"\r\n\r\n").partition(b"\r\n\r\n")
assert head.startswith(b"HTTP/1.1 200 ") and b"Content-Length" not in head and b"chunked" not in head, head
c = connect()
c.sendall(b"POST /containers/%s/start HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n" % id.encode())
status = upto(c, b"\r\n\r\n").split()[1]
assert status in (b"204", b"304"), status
if mode == "echo":
    for b in b"one\ntwo\n": s.sendall(chunk(bytes([b]))) # a chunk a keystroke
    out = b""
    def more(): # decode what is whole of the frames
        global rest, out
        k = s.recv(65536); rest += k
        while len(rest) >= 8 and len(rest) >= 8 + int.from_bytes(rest[4:8], "big"):
            n = int.from_bytes(rest[4:8], "big"); assert rest[0] == 1; out += rest[8:8 + n]; rest = rest[8 + n:]
        return k
    while not out.endswith(b"two\n"): assert more()
    s.sendall(chunk(b"three\n" * 5000) + b"0\r\n\r\n") # much at once, then the end of stdin
    while more(): pass
    assert out == b"one\ntwo\n" + b"three\n" * 5000, out[:100]
    print("echoed")
elif mode == "listen": # no more input, but output to the end
    s.sendall(b"0\r\n\r\n")
    assert b"late" in upto(s, b"late", rest)
    print("heard")
elif mode == "garbage":
    s.sendall(b"zzz\r\n")
    assert upto(s, b"\0never", rest) == b""
    print("cut off")
elif mode == "leave":
    s.sendall(chunk(b"x"))
    print("left")
EOF
}

@test "attach without Upgrade: chunks in, a body without a length out" {
    create relay1 '"Cmd":["cat"],"OpenStdin":true,"StdinOnce":true'
    [ "$(stay echo "$ID")" = echoed ]
    create relay2 '"Cmd":["sh","-c","cat; sleep 0.5; echo late"],"OpenStdin":true,"StdinOnce":true'
    [ "$(stay listen "$ID")" = heard ]
    # A client that goes away, or talks nonsense, takes its stream along and nothing else: no thread, no descriptor.
    daemon_pid
    create relay3 '"Cmd":["sleep","100"],"OpenStdin":true'
    api POST "/containers/$ID/start"
    sleep 0.2
    threads() { find "/proc/$DAEMON/task" -mindepth 1 -maxdepth 1 | wc -l; }
    fds() { find "/proc/$DAEMON/fd" -mindepth 1 -maxdepth 1 | wc -l; }
    as_before() { [ "$(threads)" = "$nthreads" ] && [ "$(fds)" = "$nfds" ]; }
    nthreads=$(threads) nfds=$(fds)
    [ "$(stay garbage "$ID")" = "cut off" ]
    [ "$(stay leave "$ID")" = left ]
    eventually 50 as_before
}

# The stock client with -i keeps its connection until it knows the exit code; the shim gives such a client a second.
@test "attach: a client that keeps its connection open does not delay the end" {
    linger() {
        python3 - "$SOCK" "$1" <<'EOF'
import socket, sys, time
sock, id = sys.argv[1:]
def ask(head):
    s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sock)
    s.sendall(head.encode() + b" HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"); return s
a = ask("POST /containers/%s/attach?stream=1&stdin=1&stdout=1" % id); assert b" 101 " in a.recv(4096)
w = ask("POST /containers/%s/wait?condition=removed" % id); assert b" 200 " in w.recv(4096)
assert b" 204 " in ask("POST /containers/%s/start" % id).recv(4096)
while a.recv(4096): pass
t = time.time(); assert b"StatusCode" in w.recv(4096)
print("%d" % ((time.time() - t) * 1000))
EOF
    }
    local least=5000 took
    for i in 1 2 3; do
        create "linger$i" '"Cmd":["true"],"OpenStdin":true,"StdinOnce":true,"HostConfig":{"AutoRemove":true}'
        took=$(linger "$ID")
        [ "$took" -ge "$least" ] || least=$took
    done
    echo "at least $least ms"
    [ "$least" -lt 700 ]
}

@test "resize: only of a running container, only with both sides" {
    create size '"Cmd":["sleep","100"],"Tty":true,"OpenStdin":true'
    answers 409 api POST "/containers/$ID/resize?h=30&w=90"
    api POST "/containers/$ID/start"
    answers 400 api POST "/containers/$ID/resize?h=30"
    answers 200 api POST "/containers/$ID/resize?h=30&w=90"
}

@test "images: list, inspect, history, tag, remove, conflicts" {
    api GET /images/json
    jq -e 'length==1 and .[0].RepoTags==["busybox:latest"] and (.[0].Id|test("^sha256:[0-9a-f]{64}$")) and .[0].Size>100000' <<<"$BODY"
    img=$(jq -r '.[0].Id' <<<"$BODY")
    api GET /images/busybox/json
    jq -e '.Os=="linux" and .RootFS.Type=="layers" and (.RootFS.Layers|length)==1 and .Config.Cmd==["sh"]' <<<"$BODY"
    answers 200 api GET /images/busybox/history
    answers 201 api POST '/images/busybox/tag?repo=localhost:5000/a/b&tag=v1'
    answers 200 api GET /images/localhost:5000/a/b:v1/json
    [ "$(jq -r .Id <<<"$BODY")" = "$img" ]
    answers 400 api POST '/images/busybox/tag?repo=UPPER&tag=v1'
    api DELETE /images/localhost:5000/a/b:v1
    [ "$BODY" = '[{"Untagged":"localhost:5000/a/b:v1"}]' ]
    create user
    answers 409 api DELETE /images/busybox
    answers 404 api DELETE /images/nosuch
    answers 404 api GET /images/nosuch/json
    [ "$(message)" = "No such image: nosuch:latest" ]
}

@test "images: prune takes what has no name, says so in an event, and refuses what it does not know" {
    api POST '/images/busybox/tag?repo=keep&tag=v1'
    tar -C / -c etc/hostname | curl -s --unix-socket "$SOCK" -H 'Content-Type: application/x-tar' -T - -X POST \
        "http://d/images/create?fromSrc=-" | jq -e 'has("error")|not'
    answers 400 api POST "/images/prune?filters=$(jq -rn '{dangling:["perhaps"]}|@json|@uri')"
    [[ $(message) == *"dangling=perhaps"* ]]
    answers 400 api POST "/images/prune?filters=$(jq -rn '{shade:["blue"]}|@json|@uri')"
    since=$(date +%s.%N)
    answers 200 api POST /images/prune
    jq -e '.SpaceReclaimed > 0 and (.ImagesDeleted|length) > 0' <<<"$BODY"
    freed=$(jq .SpaceReclaimed <<<"$BODY")
    api GET /images/json
    jq -e 'length == 1' <<<"$BODY"
    api GET "/events?since=$since&until=$(($(date +%s) + 1))&filters=$(jq -rn '{event:{prune:true}}|@json|@uri')"
    jq -e --arg n "$freed" '.Type == "image" and .Actor.Attributes.reclaimed == $n' <<<"$BODY"
    api DELETE /images/keep:v1
}

@test "save and load: the id stays the same, with and without compression" {
    img=$(curl -s --unix-socket "$SOCK" http://d/images/busybox/json | jq -r .Id)
    curl -sf --unix-socket "$SOCK" 'http://d/images/get?names=busybox' -o "$T/save.tar"
    tar -tf "$T/save.tar" | grep -q '^manifest.json$'
    tar -tf "$T/save.tar" | grep -q '^oci-layout$'
    curl -sf --unix-socket "$SOCK" http://d/images/busybox/get -o "$T/save2.tar"
    cmp "$T/save.tar" "$T/save2.tar"
    answers 200 api DELETE /images/busybox
    gzip -k "$T/save.tar"
    answers 200 api POST /images/load --data-binary "@$T/save.tar.gz" -H 'Content-Type: application/x-tar'
    [[ $BODY == *"Loaded image: busybox:latest"* ]]
    [ "$(curl -s --unix-socket "$SOCK" http://d/images/busybox/json | jq -r .Id)" = "$img" ]
    api POST /images/load --data-binary "nonsense" -H 'Content-Type: application/x-tar'
    [ "$STATUS" != 200 ] || [[ $BODY == *errorDetail* ]]
    answers 404 api GET '/images/get?names=nosuch'
}

@test "paths that climb, NUL, and other nonsense" {
    for p in '/containers/../../etc/passwd/json' '/containers/%2e%2e%2f%2e%2e/json' '/images/../json'; do
        run curl -s -o /dev/null -w '%{http_code}' --path-as-is --unix-socket "$SOCK" "http://d$p"
        [ "$output" = 400 ] || [ "$output" = 404 ]
    done
    run curl -s -o /dev/null -w '%{http_code}' --unix-socket "$SOCK" 'http://d/containers/a%00b/json'
    [ "$output" = 400 ]
    deep=$(python3 -c 'print("{\"Image\":" + "[" * 100000 + "]" * 100000 + "}")')
    run curl -s -o /dev/null -w '%{http_code}' --unix-socket "$SOCK" -H 'Content-Type: application/json' -d @- http://d/containers/create <<<"$deep"
    [ "$output" = 400 ]
}
