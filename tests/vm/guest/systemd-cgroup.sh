#!/bin/bash
# The cgroup driver systemd, with the real one: containers are scopes, systemd knows them, and its reload changes nothing.
. /run/lane/lib.sh

scope_of() { echo "gorae-$(gorae inspect -f '{{.Id}}' "$1").scope"; }
property() { systemctl show -P "$2" "$(scope_of "$1")"; }
unloaded() { [ "$(systemctl show -P LoadState "$1")" = not-found ]; }

begin() {
    forget_starts
    cp /etc/gorae/daemon.json daemon.json.before 2>/dev/null || rm -f daemon.json.before
    mkdir -p /etc/gorae
    echo '{"exec-opts": ["native.cgroupdriver=systemd"]}' >/etc/gorae/daemon.json
    systemctl restart goraed
    within 60 gorae version
    [ "$(gorae info --format '{{.CgroupDriver}} {{.CgroupVersion}}')" = "systemd 2" ]
    gorae image inspect busybox >/dev/null 2>&1 || import_busybox
}
check "the daemon takes the driver from its file" begin

scope() {
    box --name web -m 64m --memory-swap 96m --pids-limit 50 -c 512 --cpus 0.5 --cpuset-cpus 0 busybox sleep 100000
    systemctl is-active "$(scope_of web)"
    [ "$(property web Slice)" = system.slice ]
    [ "$(property web Delegate)" = yes ]
    [ "$(property web MemoryMax)" = 67108864 ]
    [ "$(property web MemorySwapMax)" = 33554432 ]
    [ "$(property web TasksMax)" = 50 ]
    [ "$(property web CPUQuotaPerSecUSec)" = 500ms ]
    [ "$(property web AllowedCPUs)" = 0 ]
    [ "$(group_of web)" = "/sys/fs/cgroup/system.slice/$(scope_of web)" ]
    group_is web cgroup.procs "$(pid_of web)"
    group_is web memory.max 67108864
    group_is web cpu.weight 20
    group_is web cpuset.cpus 0
}
check "a container is a scope that systemd knows, with its limits as properties" scope

reload() {
    systemctl daemon-reload
    systemctl set-property --runtime system.slice CPUWeight=90
    sleep 2
    group_is web memory.max 67108864
    group_is web memory.swap.max 33554432
    group_is web pids.max 50
    group_is web cpu.max "50000 100000"
    group_is web cpuset.cpus 0
    gorae run --rm --network none --device /dev/null busybox true
    systemctl set-property --runtime system.slice CPUWeight=100
}
check "the reload of systemd takes no limit away" reload

inside() {
    [ "$(gorae exec web cat /proc/self/cgroup)" = "0::/" ]
    gorae exec -d web sleep 1234
    within 10 sh -c "[ \$(wc -l <'$(group_of web)/cgroup.procs') = 2 ]"
    gorae stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' web | grep '64MiB 2$'
    gorae pause web
    group_is web cgroup.freeze 1
    gorae unpause web
    gorae update -m 128m --memory-swap 256m --pids-limit 40 web
    [ "$(property web MemoryMax) $(property web TasksMax)" = "134217728 40" ]
    systemctl daemon-reload
    group_is web memory.max 134217728
    group_is web pids.max 40
}
check "exec, stats, pause and update work on the scope" inside

again() {
    local scope
    scope=$(scope_of web)
    gorae restart -t 0 web
    group_is web memory.max 134217728
    gorae rm -f web
    within 20 unloaded "$scope"
    [ -z "$(systemctl list-units --all --no-legend 'gorae-*.scope')" ]
    # one after the other, quickly: systemd may not have forgotten the last run yet
    gorae create --name quick --network none busybox true
    for _ in 1 2 3; do gorae start -a quick; done
    gorae rm quick
    for _ in 1 2; do gorae run --rm --network none busybox true; done
    within 20 sh -c '[ -z "$(systemctl list-units --all --no-legend "gorae-*.scope")" ]'
}
check "a container that ends leaves no unit, and its scope can come again at once" again

slice() {
    # one that minds SIGTERM, for systemd is patient: it kills after 90 s
    box --name room --cgroup-parent lab-room9.slice busybox sh -c 'trap "exit 0" TERM; while :; do sleep 0.2; done'
    [ "$(property room Slice)" = lab-room9.slice ]
    [ "$(group_of room)" = "/sys/fs/cgroup/lab.slice/lab-room9.slice/$(scope_of room)" ]
    never gorae run --rm --cgroup-parent /elsewhere busybox true
    # whoever stops the scope stops the container
    systemctl stop "$(scope_of room)"
    within 30 is room exited
    gorae rm room
}
check "a slice of its own, and systemctl can stop a container" slice

daemon_ends() {
    forget_starts
    box --name lives --restart always busybox sleep 100000
    local was
    was=$(main_pid)
    kill -KILL "$was"
    within 60 sh -c "[ \"\$(systemctl show -P MainPID goraed)\" != '$was' ] && gorae version"
    is lives running
    gorae rm -f lives
    judge
}
check "the daemon dies and finds the scope again" daemon_ends

back() {
    if [ -e daemon.json.before ]; then cp daemon.json.before /etc/gorae/daemon.json; else rm -f /etc/gorae/daemon.json; fi
    systemctl restart goraed
    within 60 gorae version
    [ "$(gorae info --format '{{.CgroupDriver}}')" = cgroupfs ]
    judge
}
check "and back to the driver that was" back
