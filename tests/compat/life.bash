#!/usr/bin/env bash
# The whole life of a container, told with one client to one daemon: life.bash CLIENT SOCKET DAEMON FOLDER [PARTS]. Everything
# asked here is in Docker's API document or in the help of its client; nothing is known of how client or daemon are made. So the
# same text serves several pairs (life.bats), and what it says of a pair is what a person would see.
#
# Each check prints one line: "ok N what", or "not ok N what: expected [...], came [...]". A check that fails for a known reason
# on one pair is announced with `differs` and prints "differs N what: reason"; if it passes all the same, that is a failure,
# so that the list of differences stays true. The last line counts. Names of containers are given here; the caller's daemon is
# private, so nothing else is on it.
set -u
CLIENT=$1 HOST=unix://$2 DAEMON=$3 W=$4 PARTS=${5:-}
N=0 BAD=0 KNOWN=0
declare -A REASON
unset DOCKER_HOST GORAE_HOST DOCKER_CONTEXT
mkdir -p "$W"
cd "$W" || exit 2

# 20 s is far more than any command here takes: a client that hangs is one failed check, not a lane that never ends
c() {
    case "${RUNTIME:+$1}" in
    run | create) set -- "$1" --runtime "$RUNTIME" "${@:2}" ;;
    esac
    timeout -s KILL 20 "$CLIENT" -H "$HOST" "$@"
}
r() { c run --rm --network none "$@"; }
up() { c run -d --network none --name "$@" >/dev/null; } # NAME [options] IMAGE COMMAND…
f() { c inspect -f "$2" "$1" 2>&1; }
code() { "$@" >/dev/null 2>&1; echo $?; }
quit() { c rm -f "$@" >/dev/null 2>&1; }
# differs DAEMON "what" "why": the check of that name is expected to fail there. DAEMON is goraed, dockerd, or "dockerd and runc" for
# what is its runtime's doing
differs() { case "$DAEMON${RUNTIME:- and runc}" in "$1"*) REASON[$2]=$3 ;; esac; }
verdict() { # what, good (0) or not, detail
    N=$((N + 1))
    if [ -n "${REASON[$1]:-}" ]; then
        if [ "$2" != 0 ]; then
            KNOWN=$((KNOWN + 1))
            echo "differs $N $1: ${REASON[$1]}; $3"
            return
        fi
        set -- "$1" 1 "a named difference that is none any more"
    fi
    if [ "$2" = 0 ]; then echo "ok $N $1"; else
        BAD=$((BAD + 1))
        echo "not ok $N $1: $3"
    fi
}
is() { [ "$2" = "$3" ]; verdict "$1" $? "expected [$2], came [$3]"; }
has() { [[ $3 == *"$2"* ]]; verdict "$1" $? "expected to contain [$2], came [$3]"; }
hasnt() { [[ $3 != *"$2"* ]]; verdict "$1" $? "expected not to contain [$2], came [$3]"; }
like() { [[ $3 =~ $2 ]]; verdict "$1" $? "expected to match [$2], came [$3]"; }
soon() { # tenths of a second, command…
    local n=$1
    shift
    for _ in $(seq "$n"); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
    return 1
}
state() { [ "$(f "$1" '{{.State.Status}}')" = "$2" ]; }

part_create() {
    printf '# comment\nA=from-file\nHERE\nNOTHERE\n' >"env"
    printf 'l1=one\n# no\n' >labels
    mkdir -p bind && echo outside >bind/f
    rm -f cid
    local id
    id=$(HERE=passed c create --name full --network none --cidfile cid --env-file env -e A=later -e C=3 --label-file labels -l l2=two \
        --hostname hostbox --domainname example.test --user 1000:1001 --group-add 77 --workdir /work/dir --entrypoint sleep \
        --stop-signal INT --stop-timeout 3 --init --read-only --tmpfs /t:size=1m,mode=1777 --shm-size 2m --ulimit nofile=100:200 \
        --sysctl net.ipv4.ip_forward=1 --cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges --oom-score-adj 100 \
        --memory 64m --memory-swap 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 300 --cpuset-cpus 0 --pids-limit 50 \
        --add-host a:1.2.3.4 --dns 9.9.9.9 --dns-search x.test --dns-option ndots:2 --device /dev/kmsg:/dev/k:r --expose 80 \
        -v "$PWD/bind:/b:ro" --mount "type=bind,src=$PWD/bind,dst=/m" --mount type=tmpfs,dst=/mt,tmpfs-size=65536 \
        --log-opt max-size=1m --log-opt max-file=2 --restart on-failure:3 --annotation x=y busybox 1000 2>err)
    like "create prints the id" '^[0-9a-f]{64}$' "$id"
    is "create --cidfile" "$id" "$(cat cid)"
    is "create: state" created "$(f full '{{.State.Status}}')"
    is "create: never started" 0001-01-01T00:00:00Z "$(f full '{{.State.StartedAt}}')"
    is "inspect .Id by name" "$id" "$(f full '{{.Id}}')"
    is "inspect by prefix" /full "$(f "${id:0:12}" '{{.Name}}')"
    has "--env-file, -e wins" "A=later" "$(f full '{{json .Config.Env}}')"
    has "--env-file: a bare name is taken from here" "HERE=passed" "$(f full '{{json .Config.Env}}')"
    hasnt "--env-file: a bare name that is not set" "NOTHERE" "$(f full '{{json .Config.Env}}')"
    is "--label and --label-file" '{"l1":"one","l2":"two"}' "$(f full '{{json .Config.Labels}}')"
    is "--hostname --domainname" "hostbox example.test" "$(f full '{{.Config.Hostname}} {{.Config.Domainname}}')"
    is "--user" 1000:1001 "$(f full '{{.Config.User}}')"
    is "--workdir" /work/dir "$(f full '{{.Config.WorkingDir}}')"
    is "--entrypoint" '["sleep"] ["1000"]' "$(f full '{{json .Config.Entrypoint}} {{json .Config.Cmd}}')"
    is "inspect .Path .Args" 'sleep ["1000"]' "$(f full '{{.Path}} {{json .Args}}')"
    is "--stop-signal --stop-timeout" "INT 3" "$(f full '{{.Config.StopSignal}} {{.Config.StopTimeout}}')"
    is "--init" true "$(f full '{{.HostConfig.Init}}')"
    is "--read-only" true "$(f full '{{.HostConfig.ReadonlyRootfs}}')"
    is "--tmpfs" '{"/t":"size=1m,mode=1777"}' "$(f full '{{json .HostConfig.Tmpfs}}')"
    is "--shm-size" 2097152 "$(f full '{{.HostConfig.ShmSize}}')"
    is "--ulimit" 'nofile 100 200' "$(f full '{{range .HostConfig.Ulimits}}{{.Name}} {{.Soft}} {{.Hard}}{{end}}')"
    is "--sysctl" '{"net.ipv4.ip_forward":"1"}' "$(f full '{{json .HostConfig.Sysctls}}')"
    is "--cap-drop" '["ALL"]' "$(f full '{{json .HostConfig.CapDrop}}')"
    is "--security-opt" '["no-new-privileges"]' "$(f full '{{json .HostConfig.SecurityOpt}}')"
    is "--memory, swap, reservation" "67108864 67108864 33554432" "$(f full '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.MemoryReservation}}')"
    is "--cpus, shares, set" "500000000 300 0" "$(f full '{{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.CpusetCpus}}')"
    is "--pids-limit" 50 "$(f full '{{.HostConfig.PidsLimit}}')"
    is "--add-host" '["a:1.2.3.4"]' "$(f full '{{json .HostConfig.ExtraHosts}}')"
    is "--dns, search, option" '["9.9.9.9"] ["x.test"] ["ndots:2"]' "$(f full '{{json .HostConfig.Dns}} {{json .HostConfig.DnsSearch}} {{json .HostConfig.DnsOptions}}')"
    is "--device" '[{"PathOnHost":"/dev/kmsg","PathInContainer":"/dev/k","CgroupPermissions":"r"}]' "$(f full '{{json .HostConfig.Devices}}')"
    is "--expose" '{"80/tcp":{}}' "$(f full '{{json .Config.ExposedPorts}}')"
    is "-v" "[\"$PWD/bind:/b:ro\"]" "$(f full '{{json .HostConfig.Binds}}')"
    is "--mount: read-write" true "$(f full '{{range .Mounts}}{{if eq .Destination "/m"}}{{.RW}}{{end}}{{end}}')"
    is "-v :ro" false "$(f full '{{range .Mounts}}{{if eq .Destination "/b"}}{{.RW}}{{end}}{{end}}')"
    is "--log-opt" 'json-file 2 1m' "$(f full '{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-file"}} {{index .HostConfig.LogConfig.Config "max-size"}}')"
    is "--restart on-failure:3" "on-failure 3" "$(f full '{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}')"
    is "--network none" none "$(f full '{{.HostConfig.NetworkMode}}')"
    differs dockerd "--annotation" "20.10 does not know annotations"
    is "--annotation" y "$(f full '{{index .HostConfig.Annotations "x"}}')"
    is "run --cidfile: a file that is there" 125 "$(code r --cidfile cid busybox true)"
    has "create: a name in use" "is already in use by container" "$(c create --name full busybox 2>&1)"
    has "create: an invalid name" "nvalid container name" "$(c create --name '-bad' busybox 2>&1)"
    has "create: too little memory" "inimum memory limit" "$(c create -m 1m busybox 2>&1)"
    has "create: an unknown capability" "NOSUCH" "$(c create --cap-add NOSUCH busybox 2>&1)"
    has "create: an unknown log driver" "nosuch" "$(c create --log-driver nosuch busybox 2>&1)"
    is "create: an unknown runtime: code" 125 "$(code c run --runtime nosuch busybox)"
    is "create: --rm with a restart policy" 125 "$(code c create --rm --restart always busybox)"
    is "create: a relative working folder" 125 "$(code c run --rm --network none -w rel/dir busybox true)"
    is "create: a bind whose source is missing (--mount)" 1 "$(code c create --mount type=bind,src=/no/such/dir,dst=/x busybox)"
}

part_inside() {
    c start full >/dev/null
    is "start: state" running "$(f full '{{.State.Status}}')"
    c exec full sh -c 'echo host $(hostname); echo who $(id -u) $(id -g) $(id -G); echo pwd $PWD; echo env $A $HERE $C
        echo init $(tr "\0" " " </proc/1/cmdline | cut -c1-60); echo soft $(ulimit -n) hard $(ulimit -Hn); echo oom $(cat /proc/self/oom_score_adj)
        echo cap $(grep CapBnd /proc/self/status); echo nnp $(grep NoNewPrivs /proc/self/status); echo fwd $(cat /proc/sys/net/ipv4/ip_forward)
        echo shm $(df -k /dev/shm | tail -1 | awk "{print \$2}"); echo t $(df -k /t | tail -1 | awk "{print \$2}")
        echo mt $(df -k /mt | tail -1 | awk "{print \$2}")
        touch /x 2>/dev/null; echo ro $?; touch /t/x; echo rw $?; cat /b/f; touch /b/y 2>/dev/null; echo b $?
        echo hosts $(grep 1.2.3.4 /etc/hosts); echo resolv $(cat /etc/resolv.conf); echo dev $(ls -l /dev/k | cut -c1)
        echo mem $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | head -n 1)
        echo pids $(cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null | head -n 1)
        echo cpu $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d" " -f1 /sys/fs/cgroup/cpu.max)
        echo set $(grep Cpus_allowed_list /proc/self/status | cut -f2)' >inside 2>&1
    g() { sed -n "s/^$1 //p" inside; }
    is "inside: hostname" hostbox "$(g host)"
    has "inside: user, group" "1000 1001" "$(g who)"
    has "inside: --group-add" 77 "$(g who)"
    is "inside: --workdir was made" /work/dir "$(g pwd)"
    is "inside: environment" "later passed 3" "$(g env)"
    has "inside: --init is process 1" "docker-init" "$(g init)"
    # runc's own start (Go's) raises the soft limit to the hard one, before or after it was set: there both are right
    local limit
    limit=$(g soft)
    [ "$DAEMON${RUNTIME:-}" != dockerd ] || limit=${limit/#200 hard/100 hard}
    is "inside: --ulimit" "100 hard 200" "$limit"
    is "inside: --oom-score-adj" 100 "$(g oom)"
    is "inside: capabilities" "CapBnd: 0000000000000001" "$(g cap)"
    is "inside: no-new-privileges" "NoNewPrivs: 1" "$(g nnp)"
    is "inside: --sysctl" 1 "$(g fwd)"
    is "inside: --shm-size" 2048 "$(g shm)"
    is "inside: --tmpfs size" 1024 "$(g t)"
    is "inside: --mount type=tmpfs size" 64 "$(g mt)"
    is "inside: --read-only" 1 "$(g ro)"
    is "inside: a tmpfs can be written" 0 "$(g rw)"
    has "inside: a bind mount" outside "$(cat inside)"
    is "inside: a bind mount, read-only" 1 "$(g b)"
    like "inside: --add-host" '1\.2\.3\.4[[:space:]]a' "$(g hosts)"
    has "inside: --dns" "nameserver 9.9.9.9" "$(g resolv)"
    has "inside: --dns-search" "search x.test" "$(g resolv)"
    has "inside: --dns-option" "options ndots:2" "$(g resolv)"
    is "inside: --device" c "$(g dev)"
    is "inside: --memory" 67108864 "$(g mem)"
    is "inside: --pids-limit" 50 "$(g pids)"
    is "inside: --cpus" 50000 "$(g cpu)"
    is "inside: --cpuset-cpus" 0 "$(g set)"
    has "cp into a read-only container" "read-only" "$(c cp labels full:/work/ 2>&1)"
    c stop -t 0 full >/dev/null
    quit full
}

part_run() {
    is "run --rm prints" hello "$(r busybox echo hello)"
    is "run: code" 7 "$(code r busybox sh -c 'exit 7')"
    is "run: command not found" 127 "$(code r busybox nosuch)"
    is "run: not executable" 126 "$(code r busybox /etc/passwd)"
    is "run: a wrong flag" 125 "$(code r --no-such-flag busybox)"
    is "run: killed by a signal" 143 "$(code r --init busybox sh -c 'sh -c "kill -TERM \$\$"')"
    is "run -i" through "$(echo through | r -i busybox cat)"
    r busybox sh -c 'echo out; echo err >&2' >o 2>e
    is "run: streams apart" "out err" "$(cat o) $(cat e)"
    is "run -a stderr" "err" "$(r -a stderr busybox sh -c 'echo out; echo err >&2' 2>&1)"
    like "run -t: a terminal" 'pts|console' "$(r -t busybox tty)"
    is "run: --rm has removed" "" "$(c ps -aq)"
    # where this machine itself lacks a capability, runc fails and ours goes without
    grep -q "CapBnd:.*0*1ffffffffff" /proc/self/status || {
        differs "dockerd and runc" "--privileged: no masked paths, all devices" "the machine lacks capabilities"
        differs "dockerd and runc" "exec --privileged has every capability" "the machine lacks capabilities"
    }
    is "--privileged: no masked paths, all devices" yes "$(r --privileged busybox sh -c 'test -e /dev/kmsg && echo yes')"
    is "--security-opt seccomp=unconfined" 0 "$(r --security-opt seccomp=unconfined busybox sh -c 'grep Seccomp: /proc/self/status | cut -f2')"
    is "seccomp: a filter is the default" 2 "$(r busybox sh -c 'grep Seccomp: /proc/self/status | cut -f2')"
    up owner --ipc shareable busybox sleep 1000
    is "--pid container:X" 1 "$(r --pid container:owner busybox ps | grep -c 'sleep 1000')"
    is "--ipc container:X" "$(c exec owner readlink /proc/self/ns/ipc)" "$(r --ipc container:owner busybox readlink /proc/self/ns/ipc)"
    differs goraed "--network container:X" "comes with the step on networks"
    is "--network container:X" "$(c exec owner readlink /proc/self/ns/net)" "$(c run --rm --network container:owner busybox readlink /proc/self/ns/net)"
    is "--pid host" "$(readlink /proc/self/ns/pid)" "$(r --pid host busybox readlink /proc/self/ns/pid)"
    is "--ipc host" "$(readlink /proc/self/ns/ipc)" "$(r --ipc host busybox readlink /proc/self/ns/ipc)"
    is "--uts host" "$(readlink /proc/self/ns/uts)" "$(r --uts host busybox readlink /proc/self/ns/uts)"
    differs dockerd "--uts container:X" "it shares pid, ipc and network namespaces only"
    [ "$(basename "$CLIENT")" != docker ] || REASON["--uts container:X"]="the stock client refuses it"
    is "--uts container:X" "$(c exec owner readlink /proc/self/ns/uts)" "$(r --uts container:owner busybox readlink /proc/self/ns/uts 2>&1)"
    is "--network host" "$(readlink /proc/self/ns/net)" "$(c run --rm --network host busybox readlink /proc/self/ns/net)"
    is "--user by name" "1" "$(r --user daemon busybox id -u)"
    is "--user that is not there" 125 "$(code r --user nobodyatall busybox true)"
    is "-v: a source that is missing is made" yes "$(r -v "$PWD/made:/x" busybox echo yes)"
    is "run -d, start of what runs" owner "$(c start owner)"
}

part_exec() {
    is "exec" in "$(c exec owner echo in)"
    is "exec: code" 9 "$(code c exec owner sh -c 'exit 9')"
    differs dockerd "exec: command not found" "20.10 says 126, newer ones 127"
    is "exec: command not found" 127 "$(code c exec owner nosuch)"
    is "exec -i" 5 "$(seq 5 | c exec -i owner wc -l)"
    is "exec -u -w -e" "12 /tmp v" "$(c exec -u 12 -w /tmp -e V=v owner sh -c 'echo $(id -u) $PWD $V')"
    is "exec --env-file" from-file "$(c exec --env-file env owner sh -c 'echo $A')"
    like "exec -t" 'pts' "$(c exec -t owner tty)"
    is "exec --privileged has every capability" "$(r --privileged busybox grep CapEff /proc/self/status)" "$(c exec --privileged owner grep CapEff /proc/self/status)"
    is "exec -d" 0 "$(code c exec -d owner touch /detached)"
    is "exec -d has run" 0 "$(soon 30 c exec owner test -e /detached; echo $?)"
    has "exec: no such container" "o such container" "$(c exec nosuch true 2>&1)"
    c exec owner sh -c 'echo e1; echo e2 >&2' >o 2>e
    is "exec: streams apart" "e1 e2" "$(cat o) $(cat e)"
}

part_watch() {
    up talk --log-opt max-size=1m busybox sh -c 'echo first; echo second; echo wrong >&2; sleep 0.3; cat'
    soon 50 sh -c "'$CLIENT' -H '$HOST' logs talk 2>&1 | grep -q wrong"
    is "logs: stdout" "first second" "$(c logs talk 2>/dev/null | tr '\n' ' ' | sed 's/ $//')"
    is "logs: stderr" wrong "$(c logs talk 2>&1 >/dev/null)"
    is "logs --tail" 1 "$(c logs --tail 1 talk 2>&1 | wc -l)"
    is "logs --tail 0" 0 "$(c logs -n 0 talk 2>&1 | wc -l)"
    like "logs -t" '^20[0-9-]+T[0-9:]+\.[0-9]{9}Z first' "$(c logs -t talk 2>/dev/null)"
    is "logs --since: nothing so late" 0 "$(c logs --since 2100-01-01 talk 2>&1 | wc -l)"
    is "logs --until: nothing so early" 0 "$(c logs --until 2001-01-01T00:00:00Z talk 2>&1 | wc -l)"
    is "logs -f ends with the container" 3 "$(c logs -f talk 2>&1 | wc -l)"
    is "logs: no such container" 1 "$(code c logs nosuch)"
    is "logs --details of a label" "l=v" "$(c run --network none --name det --log-opt labels=l -l l=v busybox echo d >/dev/null; c logs --details det | cut -d' ' -f1)"
    c run --network none --name mute --log-driver none busybox echo x >/dev/null
    has "--log-driver none: logs" "does not support reading" "$(c logs mute 2>&1)"
    c run --network none --name spin --log-opt max-size=1k --log-opt max-file=2 busybox seq 1000 >/dev/null
    is "logs across rotation end with the last line" 1000 "$(c logs spin | tail -1)"
    is "--log-opt: an unknown option" 125 "$(code c run --log-opt nosuch=1 busybox true)"
    quit talk det mute spin

    up ear -i busybox sh -c 'while read l; do echo "got $l"; done'
    (echo word; sleep 1) | timeout -s KILL 3 "$CLIENT" -H "$HOST" attach --sig-proxy=false ear >att 2>&1
    is "attach: stdin and stdout" "got word" "$(soon 20 grep -q got att; cat att)"
    is "attach: the container runs on" running "$(f ear '{{.State.Status}}')"
    has "attach: not running" "stopped container" "$(c create --name idle --network none busybox true >/dev/null; c attach idle 2>&1)"
    quit ear idle

    has "top" "sleep 1000" "$(c top owner)"
    is "top -o pid,comm" "$(f owner '{{.State.Pid}}') sleep" "$(c top owner -o pid,comm | tail -1 | awk '{print $1, $2}')"
    like "stats --no-stream" '^owner\|[0-9.]+%\|[0-9.]+(B|[KMG]iB) / [0-9.]+[KMG]iB\|1$' "$(c stats --no-stream --format '{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}' owner)"
    has "stats: heading" "MEM USAGE / LIMIT" "$(c stats --no-stream owner)"
    is "stats: no such container" 1 "$(code c stats --no-stream nosuch)"
    is "port: none" "" "$(c port owner)"
    is "port: a certain one" 1 "$(code c port owner 80)"
}

part_control() {
    is "pause" owner "$(c pause owner)"
    is "pause: state" "paused true true" "$(f owner '{{.State.Status}} {{.State.Paused}} {{.State.Running}}')"
    like "pause: ps" '\(Paused\)$' "$(c ps --filter name=owner --format '{{.Status}}')"
    has "pause: exec is refused" "is paused" "$(c exec owner true 2>&1)"
    has "pause: twice" "already paused" "$(c pause owner 2>&1)"
    is "unpause" owner "$(c unpause owner)"
    has "unpause: twice" "not paused" "$(c unpause owner 2>&1)"
    local pid
    pid=$(f owner '{{.State.Pid}}')
    is "restart" owner "$(c restart -t 0 owner)"
    [ "$pid" != "$(f owner '{{.State.Pid}}')" ]
    verdict "restart: a new process" $? "the same pid $pid"
    is "restart: what was written stays" 0 "$(code c exec owner test -e /detached)"
    is "update" owner "$(c update -m 100m --memory-swap 200m --pids-limit 33 --cpu-shares 77 --restart unless-stopped owner | head -1)"
    is "update: inspect" "104857600 209715200 33 77 unless-stopped" "$(f owner '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}} {{.HostConfig.RestartPolicy.Name}}')"
    is "update: the kernel has it" 33 "$(c exec owner sh -c 'cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null')"
    is "update: memory above swap" 1 "$(code c update -m 900m owner)"
    is "update: nothing to update" 1 "$(code c update owner)"
    is "rename" 0 "$(code c rename owner lord)"
    is "rename: inspect" /lord "$(f lord '{{.Name}}')"
    is "rename: the old name is gone" 1 "$(code c inspect owner)"
    is "rename: to its own name" 1 "$(code c rename lord lord)"
    is "kill -s 0 is refused" 1 "$(code c kill -s NOSUCH lord)"
    is "kill" lord "$(c kill lord)"
    soon 50 state lord exited
    is "kill: code" 137 "$(f lord '{{.State.ExitCode}}')"
    is "kill: not running" 1 "$(code c kill lord)"
    is "wait: of one that has ended" 137 "$(c wait lord)"
    up term --init busybox sh -c 'trap "exit 4" TERM; echo up; while :; do sleep 0.05; done'
    soon 50 sh -c "'$CLIENT' -H '$HOST' logs term | grep -q up"
    c wait term >waited &
    local w=$!
    sleep 0.2
    is "stop: one that listens" term "$(c stop -t 5 term)"
    wait $w
    is "wait: of one that runs" 4 "$(cat waited)"
    is "stop: of what is stopped" 0 "$(code c stop term)"
    up sigq --stop-signal USR1 busybox sh -c 'trap "exit 6" USR1; echo up; while :; do sleep 0.05; done'
    soon 50 sh -c "'$CLIENT' -H '$HOST' logs sigq | grep -q up"
    c stop -t 5 sigq >/dev/null
    is "stop: --stop-signal" 6 "$(f sigq '{{.State.ExitCode}}')"
    is "start -a: output and code" "6" "$(c create --name sa --network none busybox sh -c 'exit 6' >/dev/null; code c start -a sa)"
    is "start -ai" fed "$(c create -i --name si --network none busybox cat >/dev/null; echo fed | c start -ai si)"
    is "start: no such container" 1 "$(code c start nosuch)"
    c start lord >/dev/null
    has "rm: of what runs" "running" "$(c rm lord 2>&1)"
    is "rm -f" lord "$(c rm -f lord)"
    is "rm: several" "sa si" "$(c rm sa si | tr '\n' ' ' | sed 's/ $//')"
    is "rm: no such container" 1 "$(code c rm nosuch)"
    quit term sigq
}

part_copy() {
    c run --network none --name files busybox sh -c 'echo new >/new; rm /etc/passwd; echo x >>/etc/group' >/dev/null
    is "diff" "C /etc C /etc/group D /etc/passwd A /new" "$(c diff files | sort -k2 | tr '\n' ' ' | sed 's/ $//')"
    is "diff: no such container" 1 "$(code c diff nosuch)"
    echo here >in.txt && ln -sf in.txt link
    is "cp into" 0 "$(code c cp in.txt files:/tmp/in.txt)"
    is "cp out of" here "$(c cp files:/tmp/in.txt back.txt >/dev/null 2>&1; cat back.txt)"
    is "cp - (tar out)" here "$(c cp files:/tmp/in.txt - | tar -xO)"
    is "cp - (tar in)" 0 "$(tar -c in.txt | code c cp - files:/var)"
    is "cp - (tar in): it came" here "$(c cp files:/var/in.txt - | tar -xO)"
    is "cp -L follows a link" here "$(c cp -L link files:/tmp/l >/dev/null 2>&1; c cp files:/tmp/l - | tar -xO)"
    mkdir -p dir/sub && echo deep >dir/sub/f
    is "cp of a folder" deep "$(c cp dir files:/tmp >/dev/null 2>&1; c cp files:/tmp/dir/sub/f - | tar -xO)"
    has "cp: a file that is missing" "Could not find the file /nope" "$(c cp files:/nope . 2>&1)"
    has "cp: no such container" "o such container" "$(c cp nosuch:/x . 2>&1)"
    is "export" new "$(c export files | tar -xO new)"
    is "export -o" 0 "$(c export -o all.tar files; tar -tf all.tar | grep -c '^etc/passwd$')"
    local id
    id=$(c commit -a me -m why -c 'CMD ["cat","/new"]' -c 'ENV Q=r' files made:1)
    like "commit prints the id" '^sha256:[0-9a-f]{64}$' "$id"
    is "commit: it runs" new "$(r made:1)"
    is "commit: --author --message" "me why" "$(c inspect --type image -f '{{.Author}} {{.Comment}}' made:1)"
    has "commit: --change ENV" '"Q=r"' "$(f made:1 '{{json .Config.Env}}')"
    is "commit: history" why "$(c history --format '{{.Comment}}' made:1 | head -1)"
    is "commit: an instruction that is refused" 1 "$(code c commit -c 'RUN x' files made:2)"
    is "inspect --type container finds no image" 1 "$(code c inspect --type container made:1)"
    is "inspect --type image finds no container" 1 "$(code c inspect --type image files)"
    like "inspect --size" '^[0-9]+ [0-9]+$' "$(c inspect -s -f '{{.SizeRw}} {{.SizeRootFs}}' files)"
    is "inspect: no such object prints []" "[]" "$(c inspect nosuch 2>/dev/null)"
    has "inspect: no such object" "o such object: nosuch" "$(c inspect nosuch 2>&1)"
}

part_list() {
    c run --network none --name e5 -l kind=x busybox sh -c 'exit 5' >/dev/null
    up runs -l kind=y --expose 99 busybox sleep 1000
    c create --name fresh --network none busybox true >/dev/null
    names() { c ps --format '{{.Names}}' "$@" | sort | tr '\n' ' ' | sed 's/ $//'; }
    is "ps" runs "$(names)"
    is "ps -a" "e5 files fresh runs" "$(names -a)"
    is "ps -n" fresh "$(names -n 1)"
    is "ps -l" fresh "$(names -l)"
    is "ps -f name" e5 "$(names -af name=e5)"
    is "ps -f id" runs "$(names -af "id=$(f runs '{{.Id}}')")"
    is "ps -f label" e5 "$(names -af label=kind=x)"
    is "ps -f label, bare" "e5 runs" "$(names -af label=kind)"
    is "ps -f status" fresh "$(names -f status=created)"
    is "ps -f exited" e5 "$(names -af exited=5)"
    is "ps -f ancestor" "e5 files fresh runs" "$(names -af ancestor=busybox)"
    is "ps -f before" "e5 files" "$(names -af before=runs)"
    is "ps -f since" "fresh" "$(names -af since=runs)"
    differs dockerd "ps -f expose" "20.10 finds none that has no network"
    is "ps -f expose" runs "$(names -af expose=99)"
    is "ps -f network" runs "$(names -f network=none)"
    is "ps: two values of one key" "e5 runs" "$(names -af name=e5 -f name=runs)"
    is "ps: two keys" runs "$(names -af label=kind -f status=running)"
    has "ps: an unknown filter" "nvalid filter" "$(c ps -f nosuch=1 2>&1)"
    is "ps -q" "$(f runs '{{.Id}}' | cut -c1-12)" "$(c ps -q)"
    is "ps -q --no-trunc" "$(f runs '{{.Id}}')" "$(c ps -q --no-trunc)"
    like "ps -s" 'virtual' "$(c ps -s --format '{{.Size}}')"
    is "ps --format: label" y "$(c ps --format '{{.Label "kind"}}')"
    has "ps --format json" '"Names":"runs"' "$(c ps --format '{{json .}}')"
    is "ps --format table" "NAMES" "$(c ps --format 'table {{.Names}}' | head -1 | tr -d ' ')"
    like "ps: status of the created" '^Created$' "$(c ps -af name=fresh --format '{{.Status}}')"
    like "ps: status of the exited" '^Exited \(5\) ' "$(c ps -af name=e5 --format '{{.Status}}')"
    like "ps: status of the running" '^Up ' "$(c ps --format '{{.Status}}')"
    is "ps: command is quoted" '"sleep 1000"' "$(c ps --format '{{.Command}}')"
    is "container ls" runs "$(c container ls --format '{{.Names}}')"
}

part_system() {
    has "system df" "Containers|4|1" "$(c system df --format '{{.Type}}|{{.TotalCount}}|{{.Active}}')"
    has "system df -v" "CONTAINER ID" "$(c system df -v)"
    is "system info: counts" "4 1 0 3" "$(c info -f '{{.Containers}} {{.ContainersRunning}} {{.ContainersPaused}} {{.ContainersStopped}}')"
    like "system info" 'Storage Driver: overlay2' "$(c system info 2>&1)"
    local since until
    since=$(date +%s.%N)
    r --name evented -l k=v busybox true
    c start runs >/dev/null
    c exec runs true
    c pause runs >/dev/null
    c unpause runs >/dev/null
    until=$(($(date +%s) + 1))
    is "events: of run --rm, in order" "create attach start die destroy" "$(c events --since "$since" --until "$until" -f container=evented -f type=container --format '{{.Action}}' | tr '\n' ' ' | sed 's/ $//')"
    is "events -f event" pause "$(c events --since "$since" --until "$until" -f container=runs -f event=pause --format '{{.Action}}')"
    has "events: exec" "exec_start: true" "$(c events --since "$since" --until "$until" -f container=runs --format '{{.Action}}')"
    has "events -f label" "die" "$(c events --since "$since" --until "$until" -f label=k=v --format '{{.Action}}')"
    has "events: attributes" '"exitCode":"0"' "$(c events --since "$since" --until "$until" -f event=die --format '{{json .}}')"
    is "events -f type=image" "" "$(c events --since "$since" --until "$until" -f type=image --format '{{.Action}}')"
    has "container prune -f --filter" "Total reclaimed space" "$(c container prune -f --filter label=kind=x)"
    is "container prune: it removed that one" "files fresh runs" "$(names -a)"
    c container prune -f >/dev/null
    is "container prune: all that are stopped" runs "$(names -a)"
    has "system prune -f" "Total reclaimed space" "$(c system prune -f)"
    is "system prune: what runs stays" runs "$(names -a)"
}

part_heal() {
    c run -d --network none --name thrice --restart on-failure:2 busybox sh -c 'echo again; exit 3' >/dev/null
    soon 100 sh -c "[ \"\$('$CLIENT' -H '$HOST' inspect -f '{{.State.Status}} {{.RestartCount}}' thrice)\" = 'exited 2' ]"
    is "--restart on-failure:2" "exited 2 3" "$(f thrice '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}')"
    is "--restart: the log has every run" 3 "$(c logs thrice | wc -l)"
    up ever --restart always busybox sleep 1000
    local pid
    pid=$(f ever '{{.State.Pid}}')
    kill -KILL "$pid"
    soon 60 sh -c "[ \"\$('$CLIENT' -H '$HOST' inspect -f '{{.RestartCount}} {{.State.Running}}' ever)\" = '1 true' ]"
    is "--restart always: after its process dies" "1 true" "$(f ever '{{.RestartCount}} {{.State.Running}}')"
    c stop -t 0 ever >/dev/null
    sleep 0.4
    is "--restart always: a stop is a stop" exited "$(f ever '{{.State.Status}}')"
    up well --health-cmd 'test -e /ok' --health-interval 200ms --health-retries 2 --health-timeout 2s busybox sleep 1000
    soon 50 sh -c "[ \"\$('$CLIENT' -H '$HOST' inspect -f '{{.State.Health.Status}}' well)\" = unhealthy ]"
    is "health: unhealthy" unhealthy "$(f well '{{.State.Health.Status}}')"
    has "ps -f health" well "$(names -f health=unhealthy)"
    c exec well touch /ok
    soon 50 sh -c "[ \"\$('$CLIENT' -H '$HOST' inspect -f '{{.State.Health.Status}}' well)\" = healthy ]"
    is "health: healthy" "healthy 0" "$(f well '{{.State.Health.Status}} {{.State.Health.FailingStreak}}')"
    has "health: in ps" "(healthy)" "$(c ps --format '{{.Status}}' -f name=well)"
    is "health: its options" '["CMD-SHELL","test -e /ok"] 200000000 2' "$(f well '{{json .Config.Healthcheck.Test}} {{json .Config.Healthcheck.Interval}} {{.Config.Healthcheck.Retries}}')"
    is "--no-healthcheck" '["NONE"]' "$(c create --name sick --no-healthcheck busybox >/dev/null; f sick '{{json .Config.Healthcheck.Test}}')"
    quit thrice ever well sick runs
}

# What it writes is a tmpfs of its own, which counts as its memory. dockerd 20.10 is told of the kill and of the end by two threads
# of another process; where the end overtakes the kill it says for ever that there was none. So there, and only there, a kill that
# was missed is tried again: one that is never told fails all the same.
part_oom() {
    local seen
    oom_told() { [ "$(f oom '{{.State.OOMKilled}}')" = true ]; }
    for _ in 1 2 3 4 5; do
        c run --network none --name oom -m 16m --memory-swap 16m --tmpfs /big busybox dd if=/dev/zero of=/big/f bs=1M count=64 >/dev/null 2>&1
        [ "$DAEMON" = goraed ] || soon 20 oom_told
        seen=$(f oom '{{.State.OOMKilled}} {{.State.ExitCode}}')
        quit oom
        [ "$DAEMON $seen" = "dockerd false 137" ] || break
    done
    is "OOM is told" "true 137" "$seen"
}

part_end() {
    c rmi made:1 >/dev/null 2>&1
    is "nothing is left" "" "$(c ps -aq)"
}

for part in ${PARTS:-create inside run exec watch control copy list system heal oom end}; do "part_$part"; done
echo "$N checks, $BAD failed, $KNOWN named differences"
[ "$BAD" = 0 ]
