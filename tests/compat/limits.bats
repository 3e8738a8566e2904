#!/usr/bin/env bats
# Limits, update and stats with the stock client against goraed, and with ours against a stock dockerd, side by side where
# both are there: the same command line must come to the same files of the kernel.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    ours_for_docker
    here docker dockerd containerd || return 0
    dockerd_start
    import_busybox gorae -H "unix://$T/ds"
}
teardown_file() {
    dockerd_stop
    daemon_end
}
setup() { need docker; }
teardown() {
    remove_all docker || true
    [ ! -e "$T/ds" ] || remove_all docker -H "unix://$T/ds"
}
# what a process inside sees of itself, without what differs from run to run
inside() { # client, daemon's socket, options
    local client=$1 host=$2
    shift 2
    $client -H "unix://$host" run --rm --network none "$@" busybox sh -c '
        grep -E "Cap|NoNew|Seccomp:|Groups" /proc/self/status; id; ulimit -n; ulimit -c; cat /proc/self/oom_score_adj
        df -k /dev/shm | tail -1 | awk "{print \$2}"; ls /dev | grep -v console; cat /proc/sys/net/ipv4/ip_forward
        hostname; cat /etc/resolv.conf; grep -c . /etc/hosts >/dev/null; grep -E "^[0-9.]+.(a|b)$" /etc/hosts
        awk "{print \$2, \$3, \$4}" /proc/mounts | grep -E "^/(t|proc/sys|sys|dev/shm) " | sort'
}

@test "the same options come to the same container: both clients, both daemons" {
    [ -e "$T/ds" ] || skip "needs dockerd"
    same() {
        inside docker "$T/ds" "$@" >"$T/theirs" 2>"$T/theirs.e"
        inside docker "$SOCK" "$@" >"$T/ours" 2>"$T/ours.e"
        inside gorae "$SOCK" "$@" >"$T/ours2" 2>"$T/ours2.e"
        # the numbers that the kernel gives to mounts and inodes are not compared; df rounds alike
        for f in theirs ours ours2; do sed -i -E 's/inode64|,size=[0-9]+k|relatime,?//g; s/,,+/,/g; s/,? 0 0//' "$T/$f"; done
        diff "$T/theirs" "$T/ours" && diff "$T/theirs" "$T/ours2" || { echo "with $*"; return 1; }
    }
    same --hostname h
    same --hostname h --cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges
    same --hostname h -u 1000:50 --group-add 77
    same --hostname h -u daemon
    same --hostname h --ulimit nofile=100:200 --ulimit core=0 --oom-score-adj 100 --shm-size 2m
    same --hostname h --read-only --tmpfs /t:size=1m --sysctl net.ipv4.ip_forward=1
    same --hostname h --device /dev/kmsg --add-host a:1.2.3.4 --add-host b:5.6.7.8
    same --hostname h --dns 9.9.9.9 --dns-search x.test --dns-opt ndots:2
    same --hostname h --security-opt seccomp=unconfined --ipc host
}

@test "stock client: limits are the kernel's, a warning is printed, update changes them" {
    docker run -d --name one -m 64m --cpus 0.5 --pids-limit 20 --init busybox sleep 1000 >/dev/null
    [ "$(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.Init}}' one)" = "67108864 134217728 500000000 20 true" ]
    docker top one | grep -q docker-init
    [ "$(docker update -m 128m --memory-swap 128m --cpus 1 --pids-limit 30 one)" = one ]
    [ "$(docker inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}' one)" = "134217728 1000000000 30" ]
    id=$(docker inspect -f '{{.Id}}' one)
    [ "$(cat /sys/fs/cgroup/pids$CGROUP/$id/pids.max /sys/fs/cgroup$CGROUP/$id/pids.max 2>/dev/null)" = 30 ]
    run docker update -m 512m one
    [ "$status" = 1 ]
    [[ $output == *"memoryswap"* ]]
    [ -e /sys/fs/cgroup/cgroup.controllers ] || [ -e /sys/fs/cgroup/blkio/blkio.bfq.weight ] || {
        run docker create --blkio-weight 300 busybox true
        [[ $output == *"WARNING: "*"BlkioWeight"* ]]
    }
}

@test "stock client: stats has its columns, and its arithmetic comes out right" {
    docker run -d --name busy -m 64m --cpus 0.4 busybox sh -c 'while :; do :; done' >/dev/null
    docker stats --no-stream --format '{{.Name}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}|{{.NetIO}}' >"$T/o"
    IFS='|' read -r name cpu mem pids net <"$T/o"
    [ "$name" = busy ]
    awk -v c="${cpu%\%}" 'BEGIN { exit !(c > 2 && c < 70) }'
    [[ $mem == *" / 64MiB" ]]
    [ "$pids" = 1 ]
    [ "$net" = "0B / 0B" ]
    timeout -s KILL 4 docker stats busy >"$T/stream" || true
    [ "$(grep -c busy "$T/stream")" -ge 2 ]
    docker port busy
}

@test "ours against dockerd: update, stats, OOM" {
    [ -e "$T/ds" ] || skip "needs dockerd"
    theirs() { gorae -H "unix://$T/ds" "$@"; }
    theirs run -d --name two -m 64m --network none busybox sh -c 'while :; do :; done' >/dev/null
    [ "$(theirs update --pids-limit 30 -c 300 two)" = two ]
    [ "$(theirs inspect -f '{{.HostConfig.PidsLimit}} {{.HostConfig.CpuShares}}' two)" = "30 300" ]
    theirs stats --no-stream two >"$T/o"
    grep -qE ' two +[0-9]+\.[0-9]{2}% +[0-9.]+[KM]iB / 64MiB ' "$T/o"
    [ "$(awk 'NR == 2 {print ($3 + 0 > 2)}' "$T/o")" = 1 ]
    [ -z "$(theirs port two)" ]
}
