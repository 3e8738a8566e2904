#!/usr/bin/env bats
# Control groups that systemd makes. Where systemd does not run, a stand-in for busctl(1) does what it would, so the runtime's
# half is the real one; the real systemd's half is tested in the VM (tests/vm).
load lib

systemd_runs() { [ -d /run/systemd/system ]; }
setup_file() {
    ! systemd_runs || return 0 # bats cannot skip here
    daemon_dirs
    mkdir "$T/bin"
    cp "$GORAE_REPO/tests/payload/busctl" "$T/bin/busctl"
    # a machine that systemd has booted, as far as a program can see
    cat >"$T/booted" <<S
#!/bin/sh
exec unshare -m --propagation private sh -ec 'mkdir -p /run/systemd
    mount -t tmpfs none /run/systemd
    mkdir /run/systemd/system
    mount --bind "$T/bin" /usr/local/sbin
    exec goraed "\$@"' goraed "\$@"
S
    chmod +x "$T/booted"
}
setup() { ! systemd_runs || skip "systemd runs here: its scopes are its own"; }
teardown() {
    ! systemd_runs || return 0
    daemon_stop || true
    rm -f "$T/bin/calls"
}
teardown_file() {
    ! systemd_runs || return 0
    never eval 'find /sys/fs/cgroup -name "gorae-*.scope" | grep .'
    judge_and_clean
}

begin() { GORAED=$T/booted daemon_start --exec-opt native.cgroupdriver=systemd --cgroup-parent lab-room9.slice "$@"; }
called() { grep -q -- "$1" "$T/bin/calls" || { cat "$T/bin/calls"; return 1; }; }
groups() { gorae exec "$1" cat /proc/self/cgroup; }
value() { # container, file of version 1, file of version 2
    local id
    id=$(gorae inspect -f '{{.Id}}' "$1")
    cat "/sys/fs/cgroup/${2%%.*}/lab.slice/lab-room9.slice/gorae-$id.scope/$2" 2>/dev/null ||
        cat "/sys/fs/cgroup/lab.slice/lab-room9.slice/gorae-$id.scope/$3"
}

@test "without systemd the driver is refused by name, and so is a parent that is no slice" {
    run goraed --exec-opt native.cgroupdriver=systemd --validate
    [ "$status" = 1 ]
    [[ $output == *"native.cgroupdriver=systemd: systemd does not run this machine"* ]]
    run goraed --exec-opt native.cgroupdriver=openrc --validate
    [[ $output == *"native.cgroupdriver=openrc: native.cgroupdriver=cgroupfs or systemd is expected"* ]]
    for bad in /gorae room9 .slice a--b.slice -a.slice a-.slice 'a b.slice'; do
        run "$T/booted" --validate --exec-opt native.cgroupdriver=systemd --cgroup-parent "$bad"
        [ "$status" = 1 ]
        [[ $output == *"--cgroup-parent $bad: "*"is not the name of a systemd slice"* ]]
    done
    run "$T/booted" --validate --exec-opt native.cgroupdriver=systemd
    [ "$output" = "configuration OK" ]
}

@test "a container is a scope in its slice, with its limits as properties and in force" {
    begin
    import_busybox
    [ "$(gorae info --format '{{.CgroupDriver}}')" = systemd ]
    gorae run -d --name web -m 64m --pids-limit 50 --cpu-shares 512 --cpus 0.5 --cpuset-cpus 0 busybox sleep 1000 >/dev/null
    local id scope
    id=$(gorae inspect -f '{{.Id}}' web)
    scope=gorae-$id.scope
    called "^StartTransientUnit ssa(sv)a(sa(sv)) $scope replace .* Slice s lab-room9.slice PIDs au 1 [0-9]* Delegate b true"
    called "MemoryMax t 67108864 .*TasksMax t 50 0$"
    called "CPUQuotaPerSecUSec t 500000 CPUQuotaPeriodUSec t 100000"
    [ "$(value web memory.limit_in_bytes memory.max)" = 67108864 ]
    [ "$(value web pids.max pids.max)" = 50 ]
    # its first process is there, in every tree, and nobody keeps it company
    never eval 'groups web | grep -vE "^[0-9]+:[^:]*:/(lab\.slice/lab-room9\.slice/gorae-|\$)"'
    [ "$(gorae top web -eo pid,args | grep -c 'sleep 1000')" = 1 ]
    [ "$(gorae top web -eo pid | wc -l)" = 2 ]
    gorae stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' web | grep -q '64MiB 1$'
    gorae pause web >/dev/null
    [ "$(gorae inspect -f '{{.State.Status}}' web)" = paused ]
    gorae unpause web >/dev/null
    gorae update -m 128m --memory-swap -1 web >/dev/null
    called "^SetUnitProperties sba(sv) $scope true [1-9] MemoryMax t 134217728"
    [ "$(value web memory.limit_in_bytes memory.max)" = 134217728 ]
    gorae restart -t 0 web >/dev/null
    [ "$(value web memory.limit_in_bytes memory.max)" = 134217728 ]
    gorae rm -f web >/dev/null
    called "^StopUnit ss $scope replace"
    never eval 'find /sys/fs/cgroup -name "$scope" | grep .'
}

@test "a parent of its own is a slice, too" {
    begin
    import_busybox
    run gorae run --rm --cgroup-parent /somewhere busybox true
    [ "$status" = 125 ]
    [[ $output == *'CgroupParent: "/somewhere" is not the name of a systemd slice'* ]]
    gorae run -d --name web --cgroup-parent lab.slice busybox sleep 1000 >/dev/null
    called " Slice s lab.slice "
    gorae rm -f web >/dev/null
}

@test "systemd still knows the last run's scope: asked again; it refuses: its words reach the client" {
    begin
    import_busybox
    gorae create --name web busybox true >/dev/null
    touch "$T/bin/loaded"
    gorae start -a web
    [ "$(grep -c ^StartTransientUnit "$T/bin/calls")" = 2 ]
    called "^ResetFailedUnit s gorae-"
    mv "$T/bin/busctl" "$T/bin/real"
    printf '#!/bin/sh\necho "Call failed: Access denied" >&2; exit 1\n' >"$T/bin/busctl"
    chmod +x "$T/bin/busctl"
    run gorae start web
    mv "$T/bin/real" "$T/bin/busctl"
    [ "$status" = 1 ]
    [[ $output == *"StartTransientUnit gorae-"*".scope: systemd says: Call failed: Access denied"* ]]
    gorae rm web >/dev/null
}

@test "a daemon with the other driver still finds what an earlier one started" {
    begin
    import_busybox
    gorae run -d --name web -m 64m busybox sleep 1000 >/dev/null
    daemon_kill
    daemon_start --live-restore
    [ "$(gorae info --format '{{.CgroupDriver}}')" = cgroupfs ]
    gorae stats --no-stream --format '{{.MemUsage}}' web | grep -q '64MiB$'
    gorae pause web >/dev/null
    [ "$(gorae inspect -f '{{.State.Status}}' web)" = paused ]
    gorae unpause web >/dev/null
    daemon_stop
    begin
    gorae rm -f web >/dev/null
}
