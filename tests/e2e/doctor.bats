#!/usr/bin/env bats
# The doctor: on a machine that is put together of a few files each line can be brought to each verdict. What it finds out by trying
# (system calls, mounts, room) is brought there by the kernel's own means: strace(1) makes calls fail, mounts are small or read-only.
load lib

setup_file() {
    T=$(mktemp -d /tmp/gorae-doctor.XXXXXX)
    export T
}
teardown_file() { rm -rf "$T"; }

# A machine on which all is well, as $M.
setup() {
    export M=$T/m D=$GORAE_BUILD/bin/gorae-doctor ON='' INJECT=''
    rm -rf "$M"
    mkdir -p "$M"/proc/sys/{kernel/seccomp,user} "$M/proc/self/ns" "$M/sys/fs/cgroup" "$M/etc" "$M/usr/sbin" "$M/data" "$M/run"
    chmod 711 "$M/data" "$M/run"
    echo 6.1.0-37-amd64 >"$M/proc/sys/kernel/osrelease"
    echo 'kill_process kill_thread trap errno user_notif trace log allow' >"$M/proc/sys/kernel/seccomp/actions_avail"
    echo 60000 >"$M/proc/sys/user/max_user_namespaces"
    touch "$M"/proc/self/ns/{mnt,pid,net,ipc,uts,cgroup,user} "$M/usr/sbin/nft"
    printf 'nodev\tsysfs\nnodev\toverlay\n\text4\n' >"$M/proc/filesystems"
    echo 'cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev 0 0' >"$M/proc/mounts"
    echo 'cpuset cpu io memory hugetlb pids rdma misc' >"$M/sys/fs/cgroup/cgroup.controllers"
    printf 'Name:\tx\nCapEff:\t000001ffffffffff\n' >"$M/proc/self/status"
    printf '%-26s%-21s%-21s%s\n' Limit 'Soft Limit' 'Hard Limit' Units 'Max processes' unlimited unlimited processes \
        'Max open files' 1024 524288 files >"$M/proc/self/limits"
    echo 'nf_tables 327680 0 - Live 0x0' >"$M/proc/modules"
    echo 'gorae:x:995:ada' >"$M/etc/group"
}

# The doctor on that machine, with $INJECT put into its system calls, and $ON mounted at the data root in a namespace of its own.
look() {
    local around=()
    [ -z "$INJECT" ] || around=(strace -f -qq -o /dev/null -e "inject=$INJECT")
    [ -z "$ON" ] || around=(unshare -m sh -ec "mount $ON"' "$M/data"; exec "$@"' _ "${around[@]}")
    "${around[@]}" "$D" --root "$M" --data-root "$M/data" --exec-root "$M/run" --socket "$T/sock" --group gorae "$@"
}
inject() { need strace; INJECT=$1; }
# says VERDICT NAME TEXT [options]: that line, and an exit code that goes with it
says() {
    local verdict=$1 name=$2 text=$3
    shift 3
    run look "$@"
    echo "$output" | grep "^[a-z]* *$name:"
    [[ $(echo "$output" | grep "^[a-z]* *$name:") == "$verdict"*"$name: "*"$text"* ]]
    if [ "$verdict" = missing ]; then [ "$status" = 1 ]; else [ "$status" = 0 ] || grep -q ^missing <<<"$output"; fi
    # what is not well is told with the way to mend it
    [ "$verdict" = ok ] || echo "$output" | grep "^$verdict *$name:" | grep -q '; .'
}
root() { [ "$(id -u)" = 0 ] || skip "containers need root"; }

@test "a machine on which all is well: a line for each, and no other word but ok" {
    root
    inject clock_adjtime,adjtimex:retval=0
    run look
    echo "$output"
    [ "$status" = 0 ]
    [ "${#lines[@]}" = 18 ]
    never grep -v '^ok ' <<<"$output"
}

@test "kernel" {
    says ok kernel "Linux 6.1.0-37-amd64"
    echo 5.15.0 >"$M/proc/sys/kernel/osrelease"
    says ok kernel "Linux 5.15.0"
    echo 5.14.21 >"$M/proc/sys/kernel/osrelease"
    says missing kernel "Linux 5.14.21, and 5.15 is needed"
    echo 4.19 >"$M/proc/sys/kernel/osrelease"
    says missing kernel "Linux 4.19"
    echo sometime >"$M/proc/sys/kernel/osrelease"
    says warning kernel "cannot tell"
}

@test "namespaces, overlayfs, seccomp" {
    rm "$M/proc/self/ns/user"
    says warning namespaces "none of kind user"
    rm "$M/proc/self/ns/pid"
    says missing namespaces "none of kind pid, user"
    printf 'nodev\tsysfs\n\text4\n' >"$M/proc/filesystems"
    says missing overlayfs "does not know it"
    mkdir -p "$M/lib/modules/6.1.0-37-amd64/kernel/fs/overlayfs"
    touch "$M/lib/modules/6.1.0-37-amd64/kernel/fs/overlayfs/overlay.ko.xz"
    says ok overlayfs "a module"
    echo 'kill_thread allow' >"$M/proc/sys/kernel/seccomp/actions_avail"
    says warning seccomp "lacks actions"
    rm "$M/proc/sys/kernel/seccomp/actions_avail"
    says missing seccomp "no filters"
}

@test "system calls that are not there, or forbidden" {
    says ok "system calls" openat2
    inject clone3:error=ENOSYS
    says missing "system calls" "not to be had: clone3"
    inject pidfd_open:error=EPERM
    says missing "system calls" "not to be had: pidfd_open"
    inject openat2:error=ENOSYS
    says missing "system calls" "not to be had: openat2"
    inject mount_setattr:error=ENOSYS
    says missing "system calls" "not to be had: mount_setattr"
    inject close_range:error=ENOSYS
    says missing "system calls" "not to be had: close_range"
}

@test "control groups of both versions" {
    says ok "control groups" "version 2"
    echo 'cpuset cpu io pids' >"$M/sys/fs/cgroup/cgroup.controllers"
    says warning "control groups" "version 2, without memory"
    echo 'cgroup2 /sys/fs/cgroup cgroup2 ro,nosuid 0 0' >"$M/proc/mounts"
    says missing "control groups" "read-only"
    for c in cpu,cpuacct memory pids cpuset blkio devices; do echo "cgroup /sys/fs/cgroup/$c cgroup rw,$c 0 0"; done >"$M/proc/mounts"
    echo 'cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0' >>"$M/proc/mounts"
    says warning "control groups" "version 1, without freezer"
    echo 'cgroup /sys/fs/cgroup/freezer cgroup rw,freezer 0 0' >>"$M/proc/mounts"
    says ok "control groups" "version 1"
    : >"$M/proc/mounts"
    says missing "control groups" "none are mounted"
}

@test "privileges and limits" {
    printf 'CapEff:\t000001fffeffffff\n' >"$M/proc/self/status"
    says warning privileges "without CAP_SYS_RESOURCE"
    printf 'CapEff:\t00000000a80425fb\n' >"$M/proc/self/status"
    says missing privileges "without CAP_SYS_ADMIN"
    printf 'Name:\tx\n' >"$M/proc/self/status"
    says warning privileges "cannot tell"
    says ok "open files" "at most 524288, the hard limit, to which goraed raises its own"
    says ok processes "no limit"
    printf 'Max open files            1024                 4096                 files\nMax processes             100                  200                  processes\n' >"$M/proc/self/limits"
    says warning "open files" "at most 4096, the hard limit"
    says warning processes "at most 100, for each user of containers but root"
    rm "$M/proc/self/limits"
    says warning "open files" "cannot tell"
}

@test "nftables, user namespaces, group" {
    : >"$M/proc/modules"
    says ok nftables "the kernel's half is not to be seen (modprobe nf_tables); nothing uses it yet"
    mkdir -p "$M/lib/modules/6.1.0-37-amd64"
    echo kernel/net/netfilter/nf_tables.ko >"$M/lib/modules/6.1.0-37-amd64/modules.builtin"
    says ok nftables "program and kernel"
    rm "$M/usr/sbin/nft"
    says ok nftables "program nft is not there (apt install nftables); nothing uses it yet"
    echo 1 >"$M/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
    # nothing here needs them: no warning, and no way to weaken the machine
    says ok "user namespaces" "AppArmor lets only root make one, which is no harm"
    echo 0 >"$M/proc/sys/kernel/unprivileged_userns_clone"
    says ok "user namespaces" "only root may make one, which is no harm"
    echo 0 >"$M/proc/sys/user/max_user_namespaces"
    says ok "user namespaces" "nobody may make one, which is no harm"
    never eval 'look | grep sysctl'
    says ok group "gorae, which makes root of: ada"
    says warning group "no group lab" --group lab
}

@test "a clock that is before our own birth, and one that nobody keeps" {
    cp "$GORAE_BUILD/bin/gorae-doctor" "$T/doctor"
    touch -d '+3 days' "$T/doctor"
    D=$T/doctor
    says warning clock "before this program was made"
    D=$GORAE_BUILD/bin/gorae-doctor
    inject clock_adjtime,adjtimex:retval=5
    says warning clock "nobody keeps it right"
    inject clock_adjtime,adjtimex:retval=0
    says ok clock "kept right"
}

@test "disk: room, inodes, read-only, and what can carry overlays" {
    root
    says ok "overlay mounts" "tried in $M/data"
    [ -z "$(ls -A "$M/data")" ]
    says ok "overlay mounts" "tried in $M/data" --data-root "$M/data/not/yet/there"
    never test -e "$M/data/not"
    ON='-t tmpfs -o size=2g t'
    says ok disk "2048 MiB free"
    ON='-t tmpfs -o size=500m t'
    says warning disk "500 MiB free"
    ON='-t tmpfs -o size=20m t'
    says missing disk "20 MiB free"
    ON='-t tmpfs -o size=2g,nr_inodes=100 t'
    says missing disk "room for 99 files"
    ON='-t tmpfs -o ro t'
    says missing disk "read-only"
    says missing "overlay mounts" "nothing can be made"
    mkdir "$M/l" "$M/u" "$M/w"
    ON='-t overlay -o "lowerdir=$M/l,upperdir=$M/u,workdir=$M/w" o'
    says missing "overlay mounts" "cannot carry them"
    never grep -r gorae-doctor "$M/u"
    [ -z "$(ls -A "$M/u")" ]
    ON=
    inject unshare:error=EPERM
    says warning "overlay mounts" "without the right to mount"
}

@test "folders and the socket: whose they are, and who may write" {
    root
    says ok "data root" "$M/data, root's"
    says ok "data root" "made at the first start" --data-root "$M/none"
    chmod 777 "$M/data"
    says warning "data root" "changed by others"
    says missing "data root" "not a folder" --data-root "$M/etc/group"
    chown 1000 "$M/run"
    says warning "running state" "changed by others"
    says missing "running state" "not a folder" --exec-root "$M/etc/group"
    says ok socket "made at the start"
    says missing socket "is not there" --socket "$T/none/sock"
    says missing socket "of at most 107" --socket "$T/$(printf '%0120d' 0)"
    says missing socket "something else" --socket "$M/etc/group"
    socat "UNIX-LISTEN:$T/sock,mode=660" - 3>&- &
    eventually 50 test -S "$T/sock"
    says ok socket "mode 660"
    chmod 666 "$T/sock"
    says warning socket "open to everybody"
    kill $!
    rm -f "$T/sock"
}

@test "goraed --check goes by the daemon's settings, and by its configuration file" {
    echo "{\"data-root\": \"$M/data\", \"group\": \"nobody-has-this\"}" >"$T/daemon.json"
    run goraed --check --config-file "$T/daemon.json" --exec-root "$M/run" -H tcp://127.0.0.1:1 -H "unix://$T/none/sock"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"disk: "*" at $M/data"* ]]
    [[ $output == *"running state: $M/run"* ]]
    [[ $output == *"there is no group nobody-has-this"* ]]
    [[ $output == *"the folder of $T/none/sock is not there"* ]]
    run goraed --check --config-file "$M/none"
    [ "$status" = 1 ]
    [[ $output == "goraed: "*"$M/none"* ]]
    run "$D" --nonsense
    [ "$status" = 1 ]
}
