#!/usr/bin/env bats
# The stock docker client against goraed, as people use it. Skipped where there is no docker client (CI has one).
bats_require_minimum_version 1.5.0
load lib

setup_file() { ours_for_docker; }
teardown_file() { daemon_end; }
setup() { need docker; }
teardown() { remove_all docker || true; }

@test "version names both sides; info has no error" {
    run docker version
    [ "$status" = 0 ]
    [[ $output == *"Server: gorae"* && $output == *"1.44 (minimum version 1.24)"* ]]
    [ "$(docker version -f '{{.Server.APIVersion}}')" = 1.44 ]
    run docker info
    [ "$status" = 0 ]
    [[ $output == *"Storage Driver: overlay2"* && $output == *"Cgroup Version: "* && $output != *ERROR* ]]
}

@test "run --rm prints, and the container is gone" {
    run docker run --rm busybox echo hello
    [ "$status" = 0 ]
    [ "$output" = hello ]
    [ -z "$(docker ps -aq)" ]
}

@test "run matrix: exit codes with and without tty, stdin, --rm" {
    for code in 0 3 42; do
        run docker run --rm busybox sh -c "exit $code"
        [ "$status" = "$code" ]
        run docker run busybox sh -c "exit $code"
        [ "$status" = "$code" ]
    done
    run -127 docker run --rm busybox /no/such
    [ "$status" = 127 ]
    run -127 docker run --rm busybox nosuch
    [ "$status" = 127 ]
    run docker run --rm busybox /etc
    [ "$status" = 126 ]
    run docker run --rm busybox /etc/passwd
    [ "$status" = 126 ]
    run docker run --rm --no-such-flag busybox
    [ "$status" = 125 ]
    run docker run --rm --cap-add NO_SUCH busybox true
    [ "$status" = 125 ]
    run docker run --rm busybox sh -c 'kill -KILL $$'
    [ "$status" = 137 ] || [ "$status" = 0 ] # pid 1 does not see its own SIGKILL
}

@test "stdin: piped, empty, large; stdout and stderr stay apart" {
    [ "$(echo through | docker run --rm -i busybox cat)" = through ]
    [ "$(docker run --rm -i busybox cat </dev/null)" = "" ]
    want=$(seq 300000 | sha256sum)
    [ "$(seq 300000 | docker run --rm -i busybox cat | sha256sum)" = "$want" ]
    [ "$(docker run --rm busybox seq 300000 | sha256sum)" = "$want" ]
    docker run --rm busybox sh -c 'echo to-out; echo to-err >&2' >"$T/o" 2>"$T/e"
    [ "$(cat "$T/o")" = to-out ]
    [ "$(cat "$T/e")" = to-err ]
}

@test "fifty short runs lose no output" {
    for i in $(seq 50); do [ "$(docker run --rm busybox echo "n$i")" = "n$i" ]; done
}

@test "run -it in a terminal: echo, window size, ctrl-c, exit code" {
    need tmux
    tmux -L "g$$" -f /dev/null new-session -d -s t -x 100 -y 30 "DOCKER_HOST=$DOCKER_HOST docker run --rm -it --name term busybox sh; echo code=\$?; sleep 20"
    look() { tmux -L "g$$" capture-pane -p -t t | grep -qE "$1"; }
    eventually 50 look '/ #'
    tmux -L "g$$" send-keys -t t 'stty size; tty; echo pid=$$' Enter
    eventually 30 look '^(29|30) 100'
    look '/dev/pts/0|/dev/console'
    look 'pid=1'
    tmux -L "g$$" resize-window -t t -x 70 -y 20
    sleep 0.3
    tmux -L "g$$" send-keys -t t 'stty size' Enter
    eventually 30 look '^(19|20) 70'
    tmux -L "g$$" send-keys -t t 'sleep 100' Enter
    sleep 0.3
    tmux -L "g$$" send-keys -t t C-c
    tmux -L "g$$" send-keys -t t 'exit 9' Enter
    eventually 50 look 'code=9'
    tmux -L "g$$" kill-server
}

@test "detach keys leave the container running; attach comes back" {
    need tmux
    tmux -L "g$$" -f /dev/null new-session -d -s t -x 100 -y 30 "DOCKER_HOST=$DOCKER_HOST docker run -it --name det busybox sh; echo left; sleep 20"
    look() { tmux -L "g$$" capture-pane -p -t t | grep -qE "$1"; }
    eventually 50 look '/ #'
    tmux -L "g$$" send-keys -t t C-p C-q
    eventually 30 look left
    [ "$(docker inspect -f '{{.State.Running}}' det)" = true ]
    tmux -L "g$$" kill-server
    tmux -L "h$$" -f /dev/null new-session -d -s t -x 100 -y 30 "DOCKER_HOST=$DOCKER_HOST docker attach det; echo back; sleep 20"
    look2() { tmux -L "h$$" capture-pane -p -t t | grep -qE "$1"; }
    sleep 0.5
    tmux -L "h$$" send-keys -t t 'echo again-$((40+2))' Enter
    eventually 30 look2 again-42
    tmux -L "h$$" kill-server
}

# Both clients against one daemon. What tells of times may turn between the two, so a difference counts when it stays.
same() {
    local _
    for _ in 1 2 3; do
        docker "$@" >"$T/theirs" 2>"$T/theirs.err" || true
        gorae "$@" >"$T/ours" 2>"$T/ours.err" || true
        if cmp -s "$T/theirs" "$T/ours"; then return 0; fi
    done
    echo "gorae $*"
    diff "$T/theirs" "$T/ours"
}

@test "our client prints what the stock client prints: tables, templates, quiet and untruncated forms" {
    local f
    docker run -d --name web --label a=b --label c=d --tmpfs /t busybox sleep 1000 >/dev/null
    docker run --name done --entrypoint sh busybox -c 'echo hi; exit 3' || true
    docker create --name made -v "$T:/data" -w /tmp busybox >/dev/null
    docker tag busybox other/x:v1
    for f in table 'table {{.ID}}\t{{.Names}}' 'table {{.Names}}\t{{.Label "a"}}\t{{upper .Image}}' '{{.ID}} {{.Names}} {{.Image}} {{.Command}}' \
        '{{.CreatedAt}} {{.Ports}} {{.State}} {{.Size}} {{.Labels}} {{.Mounts}} {{.Networks}} {{.LocalVolumes}}' '{{.RunningFor}} {{.Status}}' \
        '{{range split .Labels ","}}{{.}};{{end}}' '{{pad .Names 2 3}}|' '{{truncate .ID 4}}' '{{title .State}}' '{{len .Names}}' \
        '{{if eq .State "running"}}R{{else}}X{{end}}' '{{printf "%q %5s" .Names .State}}' '{{with .Label "a"}}<{{.}}>{{end}}' '{{println .Names}}' \
        '{{index (split .Names ",") 0}}' '{{join (split .Labels ",") "+"}}' '{{json .Names}}' '{{lower .Image | upper | printf "%s!"}}' \
        '{{and .Names .State}} {{or "" "x"}} {{not true}} {{ne 1 2}} {{lt 1 2}}' '{{/* c */}}{{- .Names -}} x'; do
        same ps -a --format "$f"
    done
    for f in table 'table {{.Repository}}:{{.Tag}}' '{{.ID}} {{.Repository}} {{.Tag}} {{.Digest}} {{.CreatedAt}} {{.Size}} {{.Containers}} {{.SharedSize}}'; do
        same images --format "$f"
    done
    for f in 'ps' 'ps -aq' 'ps -a --no-trunc' 'ps -as' 'ps -n 1' 'images' 'images -q' 'images --digests' 'images --no-trunc' 'images other/x' \
        'history busybox' 'history -q busybox' 'history --no-trunc busybox' 'inspect web' 'inspect busybox' 'inspect web busybox' 'inspect nosuch' \
        'container ls -a --format {{.Names}}' 'port web' 'diff web' 'logs done' 'wait done' 'top made' 'system df' 'image ls -q' 'ps -f name=web -q'; do
        # shellcheck disable=SC2086 # the words of a command
        same $f
    done
    for f in '{{.State.Status}} {{.Config.WorkingDir}}' '{{range $k,$v := .Config.Labels}}{{$k}}={{$v}} {{end}}' '{{json .HostConfig.Binds}}' \
        '{{index .Config.Labels "a"}}' '{{.Config.Env}}' '{{len .Mounts}}' '{{range .Mounts}}{{.Source}}:{{.Destination}}{{end}}' \
        '{{.HostConfig.Memory}} {{.RestartCount}} {{.State.Running}}' '{{join .Config.Cmd "|"}}' '{{.Id}}' '{{json .State.Error}}'; do
        same inspect -f "$f" web
        same inspect -f "$f" made
    done
    same version -f '{{.Server.Version}} {{.Server.Os}}'
    same info -f '{{.Driver}} {{.NCPU}} {{.ServerVersion}} {{json .Runtimes}}'
    same events --since 1h --until 0s --format '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}'
    for f in ps images inspect; do same $f --no-such-flag; done
    never same info --format '{{json .ClientInfo}}' # and a difference is seen
    docker rmi other/x:v1 >/dev/null
}

@test "run -d, logs, logs -f, ps, stop, start, restart of the same container, rm" {
    docker run -d --name d1 busybox sh -c 'i=0; while :; do echo line$i; i=$((i+1)); sleep 0.1; done' >/dev/null
    eventually 30 sh -c 'docker logs d1 | grep -q line2'
    [ "$(timeout 1 docker logs -f --tail 1 d1 | wc -l)" -ge 3 ]
    docker ps --filter name=d1 --format '{{.Names}} {{.Image}} {{.Status}}' | grep -qE '^d1 busybox Up '
    docker stop -t 1 d1
    docker ps -a --filter status=exited --format '{{.Names}}' | grep -qx d1
    docker start d1
    docker rm d1 && false || true
    docker rm -f d1
    run docker inspect d1
    [ "$status" = 1 ]
}

@test "ps -a --filter, inspect -f, rename, kill, wait, create and start -a" {
    docker run --name e1 busybox sh -c 'exit 5' || true
    docker ps -a --filter exited=5 --format '{{.Names}}' | grep -qx e1
    [ "$(docker inspect -f '{{.State.ExitCode}} {{.Name}} {{json .Config.Cmd}}' e1)" = '5 /e1 ["sh","-c","exit 5"]' ]
    docker rename e1 e2
    [ "$(docker wait e2)" = 5 ]
    docker run -d --name k1 busybox sleep 100
    docker kill k1
    [ "$(docker wait k1)" = 137 ]
    docker create --name s1 busybox echo started
    [ "$(docker start -a s1)" = started ]
}

@test "a signal to the client reaches the container" {
    docker run --name sig busybox sh -c 'trap "exit 21" TERM; echo up; while :; do sleep 0.05; done' >"$T/sig" 3>&- &
    client=$!
    eventually 50 grep -q up "$T/sig"
    kill -TERM $client
    code=0
    wait $client || code=$?
    [ "$code" = 21 ]
}

@test "save, load, tag, rmi, history, image inspect, import" {
    id=$(docker images -q --no-trunc busybox)
    docker save busybox | gzip >"$T/b.tgz"
    docker tag busybox copy:1
    docker rmi copy:1
    docker rmi busybox
    docker load <"$T/b.tgz" | grep -q 'Loaded image: busybox:latest'
    [ "$(docker images -q --no-trunc busybox)" = "$id" ]
    docker history busybox | grep -q Import
    docker image inspect busybox -f '{{.Os}}/{{.Architecture}}' | grep -q linux/
    docker run --rm busybox true
}

@test "an unknown image: run says that pulling is not there yet, with code 125" {
    run docker run --rm nosuchimage true
    [ "$status" = 125 ]
    [[ $output == *"not implemented yet: pulling"* ]]
}

@test "environment, workdir, user, hostname, read-only, tmpfs, bind mounts, entrypoint, labels" {
    [ "$(docker run --rm -e A=1 -e B busybox sh -c 'echo $A${B-unset}')" = 1unset ]
    [ "$(docker run --rm -w /var/new/dir busybox pwd)" = /var/new/dir ]
    [ "$(docker run --rm -u 1000:1001 busybox id -u)" = 1000 ]
    [ "$(docker run --rm -u 1000:1001 busybox id -g)" = 1001 ]
    [ "$(docker run --rm -h box busybox hostname)" = box ]
    [ "$(docker run --rm -h box busybox cat /etc/hostname)" = box ]
    run docker run --rm --read-only busybox touch /x
    [ "$status" != 0 ]
    docker run --rm --read-only --tmpfs /t busybox touch /t/x
    mkdir "$T/bind" && echo outside >"$T/bind/f"
    [ "$(docker run --rm -v "$T/bind:/b" busybox cat /b/f)" = outside ]
    run docker run --rm -v "$T/bind:/b:ro" busybox touch /b/g
    [ "$status" != 0 ]
    [ "$(docker run --rm --entrypoint echo busybox ep)" = ep ]
    docker create --label x=y --name lab busybox >/dev/null
    [ "$(docker inspect -f '{{.Config.Labels.x}}' lab)" = y ]
}

@test "limits reach the cgroup" {
    docker run --rm -m 32m --pids-limit 50 --cpus 0.5 busybox sh -c '
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | head -n 1
        cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null | head -n 1' >"$T/lim"
    [ "$(sed -n 1p "$T/lim")" = 33554432 ]
    [ "$(sed -n 2p "$T/lim")" = 50 ]
}

@test "networks: none and the default have loopback only, host has the host's" {
    for net in none bridge; do
        [ "$(docker run --rm --network $net busybox ls /sys/class/net)" = lo ]
        docker run --rm --network $net busybox sh -c 'ip addr show lo | grep -q "127.0.0.1/8"; ip link show lo | grep -q UP'
    done
    [ "$(docker run --rm --network host busybox ls /sys/class/net | sort | tr '\n' ' ')" = "$(ls /sys/class/net | sort | tr '\n' ' ')" ]
}

@test "the real runc takes the place of ours" {
    need runc
    daemon_stop
    daemon_start --add-runtime "runc=$(command -v runc)"
    [ "$(docker run --rm --runtime runc busybox echo real)" = real ]
    [ "$(docker run --rm busybox echo ours)" = ours ]
    run docker run --rm --runtime runc busybox sh -c 'exit 6'
    [ "$status" = 6 ]
    run -127 docker run --rm --runtime runc busybox nosuch
    [ "$status" = 127 ]
    docker run -d --name r1 --runtime runc busybox sleep 100
    docker stop -t 0 r1
    run docker run --rm --runtime nonsense busybox true
    [ "$status" = 125 ]
}

@test "events as they happen" {
    timeout 4 docker events --format '{{.Type}} {{.Action}}' >"$T/ev" 3>&- &
    watcher=$!
    sleep 0.5
    docker run --rm busybox true
    wait $watcher || true
    [ "$(tr '\n' ' ' <"$T/ev")" = "container create container attach container start container die container destroy " ]
}

@test "the daemon is killed while containers run: they run on, their logs grow, their clients hear them" {
    docker run -d --name live busybox sh -c 'i=0; while [ $i -lt 60 ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 7' >/dev/null
    docker attach --no-stdin live >"$T/att" 2>&1 3>&- &
    client=$!
    sleep 0.5
    daemon_kill
    sleep 1
    n1=$(wc -l <"$(echo "$T"/data/containers/*/*-json.log)")
    sleep 1
    n2=$(wc -l <"$(echo "$T"/data/containers/*/*-json.log)")
    [ "$n2" -gt "$n1" ]
    daemon_start
    [ "$(docker inspect -f '{{.State.Status}}' live)" = running ]
    [ "$(docker wait live)" = 7 ]
    [ "$(docker logs live | tr '\n' ' ')" = "$(seq 0 59 | tr '\n' ' ')" ]
    wait $client || true
    # the client says that its `wait` broke off; of the output it has missed nothing
    grep -E '^[0-9]+$' "$T/att" | awk 'NR > 1 && $1 != last + 1 { bad = 1 } { last = $1 } END { exit bad || last != 59 }'
}

@test "a container that ends while no daemon lives keeps its exit code; --rm is honoured" {
    docker run -d --name late busybox sh -c 'sleep 1; exit 33' >/dev/null
    docker run -d --rm --name gone busybox sleep 1 >/dev/null
    daemon_kill
    sleep 1.6
    daemon_start
    [ "$(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' late)" = "exited 33" ]
    run docker inspect gone
    [ "$status" = 1 ]
}

@test "a shim that is killed takes its container with it, and says so" {
    docker run -d --name orphan busybox sleep 100 >/dev/null
    id=$(docker inspect -f '{{.Id}}' orphan)
    pid=$(docker inspect -f '{{.State.Pid}}' orphan)
    for p in /proc/[0-9]*; do
        if tr '\0' ' ' <"$p/cmdline" 2>/dev/null | grep -q "gorae-shim.*$id"; then kill -KILL "${p#/proc/}"; fi
    done
    eventually 30 sh -c "[ \"\$(docker inspect -f '{{.State.Status}}' orphan)\" = exited ]"
    [ "$(docker inspect -f '{{.State.ExitCode}}' orphan)" = 137 ]
    [[ $(docker inspect -f '{{.State.Error}}' orphan) == *shim* ]]
    # dead; a zombie only where the machine's pid 1 is slow to collect it
    never grep -q '^State:.[^Z]' "/proc/$pid/status" 2>/dev/null
    docker rm orphan
}

@test "exec: output on both streams, stdin and its end, exit codes, user, folder, environment, detached" {
    docker run -d --name box busybox sleep 1000 >/dev/null
    run --separate-stderr docker exec box sh -c 'echo out; echo err >&2; exit 6'
    [ "$status" = 6 ]
    [ "$output" = out ]
    [ "$stderr" = err ]
    [ "$(seq 50000 | docker exec -i box md5sum)" = "$(seq 50000 | md5sum)" ]
    [ "$(docker exec -u 12:34 -w /tmp -e A=1 box sh -c 'echo $(id -u) $(id -g) $PWD $A')" = "12 34 /tmp 1" ]
    run -127 docker exec box nosuch
    [[ $output == *"executable file not found in"* ]]
    run docker exec box /etc
    [ "$status" = 126 ]
    docker exec -d box sh -c 'touch /detached'
    eventually 20 docker exec box test -e /detached
    docker stop -t 0 box
    run docker exec box true
    [ "$status" = 1 ]
    [[ $output == *"is not running"* ]]
}

@test "exec -it in a terminal: size, ctrl-c, exit code" {
    docker run -d --name box busybox sleep 1000 >/dev/null
    run timeout 20 script -qec "stty rows 31 cols 62; docker exec -it box sh -c 'tty; sleep 0.3; stty size; exit 4'" /dev/null
    [ "$status" = 4 ]
    [[ $output == *"/dev/pts/"* ]]
    [[ $output == *"31 62"* ]]
}

@test "pause and unpause, and what ps and inspect say meanwhile" {
    docker run -d --name z1 busybox sleep 100 >/dev/null
    [ "$(docker pause z1)" = z1 ]
    [ "$(docker inspect -f '{{.State.Status}} {{.State.Paused}} {{.State.Running}}' z1)" = "paused true true" ]
    docker ps --filter status=paused --format '{{.Status}}' | grep -q '(Paused)$'
    run docker attach z1
    [ "$status" = 1 ]
    [[ $output == *paused* ]]
    run docker pause z1
    [ "$status" = 1 ]
    [ "$(docker unpause z1)" = z1 ]
    docker pause z1
    docker stop -t 1 z1
    [ "$(docker inspect -f '{{.State.Status}}' z1)" = exited ]
}

@test "restart: a new process in the same container" {
    docker run -d --name z2 busybox sleep 100 >/dev/null
    pid=$(docker inspect -f '{{.State.Pid}}' z2)
    [ "$(docker restart -t 0 z2)" = z2 ]
    [ "$(docker inspect -f '{{.State.Running}}' z2)" = true ]
    [ "$(docker inspect -f '{{.State.Pid}}' z2)" != "$pid" ]
    docker restart -s KILL z2
    [ "$(docker inspect -f '{{.State.Running}}' z2)" = true ]
}

@test "top and container prune" {
    docker run -d --name z3 busybox sleep 4444 >/dev/null
    docker top z3 | grep -q 'sleep 4444'
    [ "$(docker top z3 -o pid,comm | tail -1 | tr -s ' ')" = "$(docker inspect -f '{{.State.Pid}}' z3) sleep" ]
    docker create --name z4 --label gone busybox true >/dev/null
    docker container prune -f --filter label=gone | grep -q 'Total reclaimed space: 0B'
    [ "$(docker ps -a --format '{{.Names}}')" = z3 ]
}
