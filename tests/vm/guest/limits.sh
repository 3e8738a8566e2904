#!/bin/bash
# What a container may use, under version 2 of control groups: asked for, read from the kernel's files, and felt by a process.
. /run/lane/lib.sh
daemon=$(main_pid)

numbers() {
    box --name numbers -m 64m --memory-swap 96m --memory-reservation 32m --pids-limit 20 -c 512 --cpus 0.5 --cpuset-cpus 1 busybox sleep 100000
    group_is numbers memory.max 67108864
    group_is numbers memory.low 33554432
    group_is numbers memory.swap.max 33554432
    group_is numbers pids.max 20
    group_is numbers cpu.max "50000 100000"
    group_is numbers cpu.weight 20
    group_is numbers cpuset.cpus 1
    grep -P '^Cpus_allowed_list:\t1$' "/proc/$(pid_of numbers)/status"
    [ "$(gorae exec numbers nproc)" = 1 ]
    gorae rm -f numbers
}
check "memory, swap, processes, CPU time, weight and set are in the kernel's files" numbers

oom() {
    gorae events --since 0s --filter event=oom --format '{{.Action}} {{.Actor.Attributes.name}}' >events.txt &
    local events=$!
    local status=0
    gorae run --name greedy --network none -m 24m busybox sh -c 'x=x; while :; do x=$x$x$x; done' || status=$?
    [ "$status" = 137 ]
    [ "$(gorae inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' greedy)" = "true 137" ]
    within 10 grep '^oom greedy$' events.txt
    kill "$events"
    dmesg | grep -i 'memory cgroup out of memory'
    # and who ends with 137 for another reason is not said to have run out of memory
    gorae run --name killed --network none -m 24m busybox sh -c 'kill -KILL $$' || status=$?
    [ "$(gorae inspect -f '{{.State.OOMKilled}}' killed)" = false ]
    gorae rm greedy killed
}
check "who takes more memory than its limit is killed, and is told so" oom

child_oom() {
    box --name parent -m 32m busybox sh -c 'sh -c "x=x; while :; do x=\$x\$x\$x; done"; echo "child $?"; sleep 100000'
    within 60 sh -c 'gorae logs parent | grep "child 137"'
    is parent running
    gorae rm -f parent
}
check "a child that runs out of memory is not its container's end" child_oom

pids() {
    gorae run --rm --network none --pids-limit 6 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 2 & done; wait' >out 2>&1 || true
    grep "can't fork" out
}
check "the process too many cannot be started" pids

quota() {
    box --name busy --cpus 0.2 busybox sh -c 'while :; do :; done'
    sleep 4
    [ "$(group busy cpu.stat | awk '$1 == "nr_throttled" {print $2}')" -gt 5 ]
    gorae rm -f busy
}
check "who has used up its CPU time is held back" quota

io() {
    box --name io --device-read-bps /dev/vda:1mb --device-write-iops /dev/vda:100 busybox sleep 100000
    group io io.max | grep "^$(stat -c '%Hr:%Lr' /dev/vda) rbps=1048576 wbps=max riops=max wiops=100$"
    gorae rm -f io
    # the weight has a file only where the kernel's scheduler or its cost model provides one
    if [ -e "/sys/fs/cgroup/system.slice/io.weight" ] || [ -e /sys/fs/cgroup/system.slice/io.bfq.weight ]; then
        box --name io --blkio-weight 300 busybox sleep 100000
        cat "$(group_of io)"/io*weight | grep -E '^default (300|2930)$'
    else
        box --name io --blkio-weight 300 busybox sleep 100000 2>warning.txt
        grep -i weight warning.txt
    fi
    gorae rm -f io
}
check "a device's rate, and the weight of block input and output" io

devices() {
    local n
    n=$(stat -c '%Hr %Lr' /dev/vda)
    gorae run --rm --network none --cap-add MKNOD busybox sh -c "mknod /x b $n && dd if=/x of=/dev/null count=1" >out 2>&1 && return 1
    grep 'Operation not permitted' out
    gorae run --rm --network none --device /dev/vda:/dev/disk:r busybox dd if=/dev/disk of=/dev/null count=1
    gorae run --rm --network none --device /dev/vda:/dev/disk:r busybox dd if=/dev/null of=/dev/disk >out 2>&1 && return 1
    grep 'Operation not permitted' out
    gorae run --rm --network none --cap-add MKNOD --device-cgroup-rule "b ${n% *}:* rm" busybox sh -c "mknod /x b $n && dd if=/x of=/dev/null count=1"
    gorae run --rm --network none busybox sh -c 'echo x >/dev/null; head -c 4 /dev/urandom >/dev/full' >out 2>&1 || true
    grep 'No space left' out
}
check "devices are closed by a program in the kernel, and opened one by one" devices

pause() {
    box --name ticks busybox sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done'
    gorae pause ticks
    group_is ticks cgroup.freeze 1
    group ticks cgroup.events | grep 'frozen 1'
    is ticks paused
    gorae logs ticks >before
    sleep 1
    gorae logs ticks | cmp - before
    gorae ps --filter status=paused --format '{{.Names}} {{.Status}}' | grep 'ticks.*(Paused)'
    never gorae exec ticks true
    gorae unpause ticks
    group_is ticks cgroup.freeze 0
    within 10 sh -c '[ $(gorae logs ticks | wc -l) -gt $(wc -l <before) ]'
    gorae pause ticks
    gorae rm -f ticks
}
check "a paused container stands still, in the kernel and in words" pause

stats() {
    box --name seen -m 100m busybox sh -c 'x=$(head -c 6000000 /dev/zero | tr "\0" x); while :; do :; done'
    sleep 3
    gorae stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.PIDs}}' seen >out
    cat out
    grep -E '^seen [1-9][0-9.]*% [0-9.]+MiB / 100MiB [1-9][0-9.]*% 1$' out
    curl -s --unix-socket /run/gorae.sock 'http://d/containers/seen/stats?stream=false&one-shot=true' >stats.json
    jq -e '.memory_stats.usage > 6000000 and .memory_stats.limit == 104857600 and .pids_stats.current == 1' stats.json
    jq -e '.cpu_stats.cpu_usage.total_usage > 0 and (.memory_stats.stats | has("inactive_file"))' stats.json
    gorae top seen | grep sh
    gorae rm -f seen
}
check "stats and top tell what the kernel counts" stats

update() {
    box --name live -m 64m --pids-limit 20 busybox sleep 100000
    gorae update -m 128m --memory-swap 256m --pids-limit 40 --cpus 0.7 --cpuset-cpus 0 -c 2048 live
    group_is live memory.max 134217728
    group_is live memory.swap.max 134217728
    group_is live pids.max 40
    group_is live cpu.max "70000 100000"
    group_is live cpuset.cpus 0
    group_is live cpu.weight 79
    gorae update -m 32m --memory-swap 64m live
    group_is live memory.max 33554432
    # refused as a whole, with everything as it was
    never gorae update --pids-limit 50 --cpuset-cpus 7 live
    group_is live pids.max 40
    [ "$(gorae inspect -f '{{.HostConfig.PidsLimit}}' live)" = 40 ]
    gorae rm -f live
}
check "update reaches a running container at once, and wholly or not at all" update

namespace() {
    [ "$(gorae run --rm --network none busybox cat /proc/self/cgroup)" = "0::/" ]
    gorae run --rm --network none --cgroupns host busybox cat /proc/self/cgroup | grep -E '^0::/.*[0-9a-f]{64}'
    gorae run --rm --network none busybox sh -c 'mkdir /sys/fs/cgroup/x' >out 2>&1 && return 1
    grep 'Read-only file system' out
    [ "$(gorae run --rm --network none -m 48m busybox cat /sys/fs/cgroup/memory.max)" = 50331648 ]
    box --name ns busybox sleep 100000
    [ "$(gorae exec ns cat /proc/self/cgroup)" = "0::/" ]
    group ns cgroup.procs | wc -l
    gorae exec -d ns sleep 1234
    within 10 sh -c "[ \$(wc -l <'$(group_of ns)/cgroup.procs') = 2 ]"
    gorae rm -f ns
}
check "a container sees a control group tree of its own, and exec joins it" namespace

privileged() {
    gorae run --rm --network none --privileged busybox sh -c '
        mkdir /sys/fs/cgroup/inner && echo $$ >/sys/fs/cgroup/inner/cgroup.procs && echo "+pids" >/sys/fs/cgroup/cgroup.subtree_control &&
        mkdir /sys/fs/cgroup/inner2 && cat /sys/fs/cgroup/inner2/pids.max'
    gorae run -d --name nested --network none --privileged busybox sh -c '
        mkdir /sys/fs/cgroup/a /sys/fs/cgroup/a/b; sleep 1000 & echo $! >/sys/fs/cgroup/a/b/cgroup.procs; echo ready; wait'
    within 10 sh -c 'gorae logs nested | grep ready'
    gorae top nested | grep 'sleep 1000'
    gorae rm -f nested
    never pgrep -f 'sleep 1000$'
    judge
}
check "groups that a container has made below its own end with it" privileged

# Restarts by systemd would heal what should not have happened.
alive() {
    [ "$(systemctl show -P NRestarts goraed)" = 0 ]
    [ "$(main_pid)" = "$1" ]
}
check "the daemon has lived through all of it" alive "$daemon"
