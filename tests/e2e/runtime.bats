#!/usr/bin/env bats
# The OCI runtime as a black box: bundles run by gorae-runtime, and where it is installed by runc beside it.
#
# What a process in a container sees is told by the payload `peek`, which system calls reach the kernel by `trysyscall`.
# The attacks are those of the runtime's field in the project's list of past vulnerabilities; each has a canary, a folder
# of the host that must be the same afterwards, and a control that shows that the test can fail.
load lib

setup_file() {
    export T=$(mktemp -d /tmp/gorae-runtime.XXXXXX)
    export GROUP=/gorae-$(basename "$T" | tr -dc A-Za-z0-9)
    mkdir "$T/payload" "$T/canary" "$T/canary/empty"
    cp "$GORAE_BUILD/payload/peek" "$GORAE_BUILD/payload/trysyscall" "$T/payload/"
    export PAYLOADS=$T/payload
    echo canary >"$T/canary/file"
    grep -c "$T" /proc/self/mountinfo >"$T/mounts-before" || true
}

teardown_file() {
    local id
    for id in $(gorae-runtime --root "$T/run" list -q); do gorae-runtime --root "$T/run" delete --force "$id"; done
    for dir in /sys/fs/cgroup/*"$GROUP" "/sys/fs/cgroup$GROUP"; do [ ! -d "$dir" ] || rmdir "$dir"; done
    [ "$(grep -c "$T" /proc/self/mountinfo)" = "$(cat "$T/mounts-before")" ] || { echo "mounts were left behind" >&2; return 1; }
    rm -rf "$T"
}

teardown() {
    local id
    for id in $(rt list -q); do rt delete --force "$id"; done
    ! find /sys/fs/cgroup -path "*$GROUP/*" -name 't*' -type d | grep . || { echo "control groups were left behind" >&2; return 1; }
}

rt() { timeout -k 5 30 gorae-runtime --root "$T/run" "$@" 3>&-; }
# bundle [jq filter…]: a fresh bundle at $B, all of them sharing one folder of files
bundle() {
    B=$T/b$BATS_TEST_NUMBER
    rm -rf "$B"
    "$BATS_TEST_DIRNAME/bundle.sh" "$B" ".linux.cgroupsPath = \"$GROUP/t$BATS_TEST_NUMBER\"" "$@"
}
set_args() {
    local words
    words=$(printf "%s\x1f" "$@" | jq -Rsc "split(\"\u001f\")[:-1]")
    jq --argjson words "$words" '.process.args = $words' "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
}
# in_container COMMAND…: run it in a new container of bundle $B, as `run` does, output to $output, code to $status
in_container() {
    set_args "$@"
    run rt run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
}
# begin COMMAND…: a started container whose output goes to $B/out
begin() {
    set_args "$@"
    ID=t$BATS_TEST_NUMBER
    rt create -b "$B" --pid-file "$B/pid" "$ID" </dev/null >"$B/out" 2>&1
    PID=$(cat "$B/pid")
    rt start "$ID"
}
status_of() { rt state "$1" | jq -r .status; }
wait_stopped() {
    local i
    for i in $(seq 200); do
        [ "$(status_of "$1")" != stopped ] || return 0
        sleep 0.02
    done
    return 1
}
# The sanitizers' build is linked dynamically and cannot run inside a container.
static_only() {
    ! readelf -l "$GORAE_BUILD/bin/gorae-runtime" | grep -q INTERP || skip "this build of the runtime is not static"
}
canary_same() {
    [ "$(cat "$T/canary/file")" = canary ]
    [ -z "$(ls -A "$T/canary/empty")" ]
    [ "$(ls -A "$T/canary" | wc -l)" = 2 ]
}
# The default filter, as the daemon sends it
profile() {
    echo ".linux.seccomp = $(cat "$BATS_TEST_DIRNAME/seccomp.json")"
}

@test "the command line: version, help, unknown verbs and refused options" {
    run rt --version
    [ "$status" = 0 ]
    [[ "$output" == *"gorae-runtime version"*"spec: 1."* ]]
    run rt --help
    [ "$status" = 0 ]
    [[ "$output" == *create*start*delete* ]]
    run rt fly
    [ "$status" = 1 ]
    [[ "$output" == *'unknown verb "fly"'* ]]
    run rt create --no-pivot x
    [ "$status" = 1 ]
    [[ "$output" == *"--no-pivot is refused"* ]]
    run rt features
    [ "$(jq -r '.linux.cgroup.v1' <<<"$output")" = true ]
    [ "$(jq '.linux.capabilities | length' <<<"$output")" -ge 40 ]
    run rt state "../x"
    [ "$status" = 1 ]
    [[ "$output" == *"invalid container ID"* ]]
}

@test "spec writes a bundle that runs" {
    mkdir -p "$T/spec"
    bundle
    rm "$B/config.json"
    (cd "$B" && rt spec)
    in_container sh -c 'echo pid $$; cat /proc/self/status | grep -E "CapEff|NoNewPrivs"'
    [ "$status" = 0 ]
    [[ "$output" == *"pid 1"*"CapEff:"*"0000000000000000"*"NoNewPrivs:"*1* ]]
}

@test "the life of a container: created, running, stopped, gone; and what is refused at each point" {
    bundle '.process.args = ["sleep", "100"]'
    rt create -b "$B" --pid-file "$B/pid" life </dev/null >"$B/out" 2>&1
    [ "$(status_of life)" = created ]
    [ "$(rt state life | jq .pid)" = "$(cat "$B/pid")" ]
    run rt create -b "$B" life
    [ "$status" = 1 ]
    [[ "$output" == *"container with id exists: life"* ]]
    [ "$(status_of life)" = created ]
    run rt delete nosuch
    [ "$status" = 1 ]
    [[ "$output" == *"does not exist"* ]]
    rt start life
    [ "$(status_of life)" = running ]
    run rt start life
    [ "$status" = 1 ]
    [[ "$output" == *"already running"* ]]
    run rt delete life
    [ "$status" = 1 ]
    [[ "$output" == *"not stopped: running"* ]]
    rt kill life KILL
    wait_stopped life
    run rt kill life TERM
    [ "$status" = 1 ]
    [[ "$output" == *"container not running"* ]]
    run rt start life
    [ "$status" = 1 ]
    [[ "$output" == *"has stopped"* ]]
    run rt exec life true
    [ "$status" = 255 ]
    [[ "$output" == *"stopped container"* ]]
    rt delete life
    run rt state life
    [ "$status" = 1 ]
    [[ "$output" == *"does not exist"* ]]
}

@test "a created container can be deleted, and a running one with --force" {
    bundle '.process.args = ["sleep", "100"]'
    rt create -b "$B" a </dev/null >/dev/null 2>&1
    rt delete a
    begin sleep 100
    rt delete --force "$ID"
    [ ! -e "/proc/$PID" ] || grep -q "^State:.Z" "/proc/$PID/status"
    rt delete --force "$ID"
}

@test "a pid that now belongs to another process is not the container's" {
    bundle
    begin sleep 100
    jq '.starttime -= 1' "$T/run/$ID/state.json" >"$B/s" && cp "$B/s" "$T/run/$ID/state.json"
    [ "$(status_of "$ID")" = stopped ]
    run rt kill "$ID" KILL
    [ "$status" = 1 ]
    kill -0 "$PID"
    jq '.starttime += 1' "$T/run/$ID/state.json" >"$B/s" && cp "$B/s" "$T/run/$ID/state.json"
    [ "$(status_of "$ID")" = running ]
}

@test "descriptors: a created container holds its stdio and the start barrier, a running one its stdio" {
    bundle '.process.args = ["sleep", "100"]'
    exec 7</etc/passwd 8<"$T/canary"
    rt create -b "$B" --pid-file "$B/pid" fds </dev/null >"$B/out" 2>&1
    exec 7<&- 8<&-
    pid=$(cat "$B/pid")
    run ls "/proc/$pid/fd"
    [ "${#lines[@]}" = 4 ]
    [ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
    for n in "${lines[@]}"; do [ "$n" -le 2 ] || [[ "$(readlink "/proc/$pid/fd/$n")" == socket:* ]]; done
    rt start fds
    [ "$(ls "/proc/$pid/fd" | tr '\n' ' ')" = "0 1 2 " ]
}

@test "descriptors: while it is made, a container's process holds none of its folder, its log or the caller's" {
    bundle
    cat >"$B/hook" <<'SH'
#!/bin/sh
ls -l "/proc/$(sed 's/.*"pid":\([0-9]*\).*/\1/')/fd" >"$1"
SH
    chmod +x "$B/hook"
    jq ".hooks.createRuntime = [{path: \"$B/hook\", args: [\"hook\", \"$B/fds\"], env: [\"PATH=/bin:/usr/bin\"]}]" "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
    rt --log "$B/log" create -b "$B" made </dev/null >/dev/null 2>&1 9<"$T/canary"
    rt delete --force made
    grep socket: "$B/fds"
    never grep -E "$T|/ns/" "$B/fds"
}

@test "--preserve-fds hands on exactly the descriptors it counts" {
    bundle '.process.args = ["ls", "/proc/self/fd"]'
    exec 7</etc/passwd
    run bash -c 'exec 3</etc/passwd 4</etc/group 5</etc/hosts; timeout 20 gorae-runtime --root "$T/run" run --preserve-fds 2 -b "$0" keep </dev/null' "$B"
    exec 7<&-
    [ "$status" = 0 ]
    [ "$(tr '\n' ' ' <<<"$output")" = "0 1 2 3 4 5 " ] # 5 is ls's own, of the folder
}

@test "a container sees what it sees under runc, but for named differences" {
    need runc
    local probes='"/proc/kcore", "/proc/keys", "/proc/acpi", "/proc/timer_list", "/sys/firmware", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/bus", "/dev/null"'
    # Named differences: where descriptors lead, namespace numbers, the order and numbers of mounts; masks are mounts of
    # one tmpfs of ours; the tmpfs of the cgroup trees is read-only; runc also enters the version 2 tree of a hybrid.
    # Ignored signals: runc hands on some of its caller's, ours begins with none.
    local normal='del(.fd, .ns, .SigIgn) | .cgroup -= [.cgroup[] | select(startswith("0::"))]
        | .mountinfo |= ([.[] | split(" ") | (.[3:] | join(" ")) | sub("^/(empty|null) "; "/ ")
            | sub("ro,nosuid,noexec,relatime - tmpfs gorae-mask .*"; "MASK") | sub("rw,nosuid,noexec,relatime - tmpfs gorae-mask .*"; "MASK")
            | sub("ro,relatime - tmpfs tmpfs ro(,.*)?$"; "MASK") | sub("(?<p>^/ /proc/[a-z_]+) rw,nosuid - tmpfs .*"; "\(.p) MASK")
            | sub("^/ /sys/fs/cgroup r[ow],(?<o>[^-]*) - .*"; "/ /sys/fs/cgroup \(.o)")] | sort)'
    for user in 0 1000; do
        bundle "$(profile)" ".process.args = [\"/bin/peek\", $probes]" '.process.env += ["A=b"]' \
            ".process.user = {uid: $user, gid: $user, additionalGids: [$user, 5], umask: 18}" \
            '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1000, hard: 2000}]' '.domainname = "example"' \
            'if env.RUNC then del(.domainname) else . end' 'del(.domainname)'
        rt run -b "$B" ours </dev/null >"$B/ours"
        timeout 30 runc --root "$T/runc" run -b "$B" ours </dev/null >"$B/theirs" 3>&-
        jq -S "$normal" "$B/ours" >"$B/1"
        jq -S "$normal" "$B/theirs" >"$B/2"
        diff "$B/1" "$B/2"
        [[ $(jq -r .SigIgn "$B/ours") =~ ^0+$ ]]
        [ "$(jq -r .Seccomp "$B/ours")" = 2 ]
    done
}

@test "a program that cannot be executed fails create, with the words and numbers that clients look for" {
    try() { # program, errno, words…
        local program=$1 errno=$2
        shift 2
        bundle ".process.args = [\"$program\"]"
        rm -f "$B/log"
        run rt --log "$B/log" --log-format json create -b "$B" bad </dev/null
        [ "$status" = 1 ]
        [ -z "$output" ]
        [ "$(jq -r .level "$B/log")" = error ]
        [ "$(jq .error.sys "$B/log")" = "$errno" ]
        for words in "$@"; do jq -r .msg "$B/log" | grep -qF "$words"; done
        never rt state bad 2>/dev/null
    }
    try nosuch 2 'executable file not found in $PATH'
    try /nosuch 2 'no such file or directory'
    try /etc/passwd 13 'permission denied'
    try /etc 13 'permission denied' 'is a directory'
    bundle '.process.args = ["nosuch"]'
    run rt create -b "$B" bad </dev/null
    [[ "$output" == *'exec: "nosuch": executable file not found in $PATH'* ]]
}

@test "start reports an exec that the kernel refuses" {
    bundle '.process.args = ["/bin/odd"]'
    echo 'neither ELF nor #!' >"$B/rootfs/bin/odd"
    chmod +x "$B/rootfs/bin/odd"
    rt create -b "$B" odd </dev/null >/dev/null 2>&1
    run rt start odd
    [ "$status" = 1 ]
    [[ "$output" == *"exec format error"* ]]
    wait_stopped odd
}

@test "exec: the same namespaces, groups, filter and capabilities; its own user, folder and environment" {
    bundle "$(profile)"
    begin sleep 100
    run rt exec "$ID" /bin/peek </dev/null
    [ "$status" = 0 ]
    echo "$output" >"$B/peek"
    for ns in mnt pid net ipc uts; do [ "$(jq -r ".ns.$ns" "$B/peek")" = "$(readlink "/proc/$PID/ns/$ns")" ]; done
    [ "$(jq -r .CapBnd "$B/peek")" = 00000000a80425fb ]
    [ "$(jq -r .CapEff "$B/peek")" = 00000000a80425fb ]
    [ "$(jq -r .Seccomp "$B/peek")" = 2 ]
    [ "$(jq -r '.fd | keys | join(" ")' "$B/peek")" = "0 1 2" ]
    diff <(jq -r '.cgroup[]' "$B/peek") "/proc/$PID/cgroup"
    run rt exec --user 1000:7 --cwd /tmp --env X=y "$ID" sh -c 'id -u; id -g; pwd; echo $X; grep CapEff /proc/self/status' </dev/null
    [ "$(tr '\n\t' '  ' <<<"$output")" = "1000 7 /tmp y CapEff: 0000000000000000 " ]
    run rt exec "$ID" sh -c 'exit 41' </dev/null
    [ "$status" = 41 ]
    run rt exec "$ID" nosuch </dev/null
    [ "$status" = 255 ]
    [[ "$output" == *'executable file not found in $PATH'* ]]
}

@test "exec --user changes what it names: the group only where one is given, and never the additional ones" {
    bundle '.process.user = {uid: 5, gid: 6, additionalGids: [7, 8]}'
    begin sleep 100
    run rt exec --user 1000 "$ID" sh -c 'id -u; id -g; grep Groups: /proc/self/status' </dev/null
    [ "$(tr -s '\n\t ' ' ' <<<"$output")" = "1000 6 Groups: 7 8 " ]
    run rt exec --user 1000:9 "$ID" sh -c 'id -u; id -g; grep Groups: /proc/self/status' </dev/null
    [ "$(tr -s '\n\t ' ' ' <<<"$output")" = "1000 9 Groups: 7 8 " ]
}

@test "numbers above the signed ones, as dockerd writes an unlimited ulimit" {
    bundle '.process.args = ["sleep", "100"]' '.process.rlimits = [{type: "RLIMIT_CORE", soft: 11, hard: 22}]' \
        '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["personality"], action: "SCMP_ACT_ERRNO",
          args: [{index: 0, op: "SCMP_CMP_EQ", value: 33}]}]}' '.process.env += ["NUMBER=18446744073709551615"]'
    sed -i 's/"hard": 22/"hard": 18446744073709551615/; s/"soft": 11/"soft":18446744073709551615/; s/"value": 33/"value": 9223372036854775808/' "$B/config.json"
    rt create -b "$B" --pid-file "$B/pid" "t$BATS_TEST_NUMBER" </dev/null >/dev/null
    grep -E '^Max core file size +unlimited +unlimited' "/proc/$(cat "$B/pid")/limits"
    rt start "t$BATS_TEST_NUMBER"
    jq '.process | .args = ["sh", "-c", "ulimit -Hc; echo $NUMBER"] | .rlimits[0] |= (.soft = 11 | .hard = 22)' "$B/config.json" >"$B/process"
    sed -i 's/"hard": 22/"hard": 18446744073709551615/; s/"soft": 11/"soft": 18446744073709551614/' "$B/process"
    run rt exec --process "$B/process" "t$BATS_TEST_NUMBER" </dev/null
    [ "$output" = "unlimited"$'\n'"18446744073709551615" ]
    sed -i 's/18446744073709551614/18446744073709551616/' "$B/process" # that is no number of 64 bits
    run rt exec --process "$B/process" "t$BATS_TEST_NUMBER" </dev/null
    [ "$status" = 255 ]
    [[ "$output" == *"too big integer"* ]]
}

@test "exec --process FILE --detach --pid-file, as the daemon calls it" {
    bundle
    begin sleep 100
    jq '.process | .args = ["sleep", "50"] | .user.uid = 1000 | .noNewPrivileges = true' "$B/config.json" >"$B/process"
    rt exec --process "$B/process" --detach --pid-file "$B/pid2" "$ID" </dev/null >/dev/null 2>&1
    pid=$(cat "$B/pid2")
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 50 " ]
    grep -q "^NoNewPrivs:.1" "/proc/$pid/status"
    [ "$(awk '/^Uid/ {print $2}' "/proc/$pid/status")" = 1000 ]
    [ "$(rt ps --format json "$ID" | jq length)" = 2 ]
}

# A manager's end of the console socket: prints what the terminal shows.
console() {
    python3 - "$1" <<'PY' &
import socket, sys, os, array, fcntl, termios, struct
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1); s.settimeout(20)
c, _ = s.accept()
data, fds, _, _ = socket.recv_fds(c, 64, 1)
rows, cols, _, _ = struct.unpack('HHHH', fcntl.ioctl(fds[0], termios.TIOCGWINSZ, b'\0' * 8))
out = b''
try:
    while True:
        part = os.read(fds[0], 4096)
        if not part: break
        out += part
except OSError: pass
open(sys.argv[1] + '.out', 'w').write('%d %d\n%s' % (rows, cols, out.decode()))
PY
    CONSOLE=$!
    for i in $(seq 100); do [ -S "$1" ] && break; sleep 0.02; done
}

@test "a terminal: in the container's own devpts, on /dev/console, sent through the console socket" {
    bundle '.process.terminal = true' '.process.consoleSize = {height: 33, width: 77}' \
        '.process.args = ["sh", "-c", "tty; stty size; ls /dev/pts; test -t 0 && test -c /dev/console && echo both"]'
    run rt create -b "$B" tty
    [ "$status" = 1 ]
    [[ "$output" == *"needs --console-socket"* ]]
    console "$B/sock" 3>&-
    rt create -b "$B" --console-socket "$B/sock" tty </dev/null >/dev/null 2>&1
    rt start tty
    wait "$CONSOLE"
    run cat "$B/sock.out"
    [[ "$output" == "33 77"*"/dev/pts/0"*"33 77"*ptmx*both* ]]
}

@test "signals that the caller ignores are not ignored inside, neither by a container nor by an exec" {
    local none call=134
    none="SigIgn:$(printf '\t')0000000000000000"
    [ "$(uname -m)" != x86_64 ] || call=13
    # SIGCHLD as well, and 32 and 33, which the C library keeps for itself: by rt_sigaction(2)
    ignoring() { (trap '' USR1 HUP TERM PIPE; exec python3 -c '
import ctypes, os, sys
action = (ctypes.c_ulong * 4)(1, 0, 0, 0)
for n in 17, 32, 33: ctypes.CDLL(None).syscall(int(sys.argv[1]), n, action, None, 8)
os.execvp(sys.argv[2], sys.argv[2:])' "$call" "$@" 3>&-); }
    local ignored
    ignored=$(ignoring grep SigIgn /proc/self/status | awk '{print $2}')
    [ $((0x$ignored & 0x180015201)) = $((0x180015201)) ] # the control
    bundle
    set_args /bin/busybox grep SigIgn /proc/self/status
    run ignoring gorae-runtime --root "$T/run" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
    [ "$output" = "$none" ]
    begin sleep 100
    run ignoring gorae-runtime --root "$T/run" exec "$ID" /bin/busybox grep SigIgn /proc/self/status </dev/null
    [ "$output" = "$none" ]
}

@test "exec with a terminal" {
    bundle
    begin sleep 100
    console "$B/sock" 3>&-
    rt exec --tty --console-socket "$B/sock" "$ID" sh -c 'tty; test -t 1 && echo yes' </dev/null
    wait "$CONSOLE"
    grep -q /dev/pts/0 "$B/sock.out" && grep -q yes "$B/sock.out"
}

@test "hidden and read-only paths, sysctls, a read-only root" {
    bundle '.root.readonly = true'
    in_container /bin/peek /proc/keys /proc/timer_list /sys/firmware /proc/sys/kernel/domainname /proc/bus /etc/passwd \
        /proc/sys/net/ipv4/ip_unprivileged_port_start
    [ "$status" = 0 ]
    for path in /proc/keys /proc/timer_list; do [[ "$(jq -r ".\"$path\"" <<<"$output")" == "20000 read yes (0)"* ]]; done
    [[ "$(jq -r '."/sys/firmware"' <<<"$output")" == *"entries 0" ]]
    [[ "$(jq -r '."/proc/sys/kernel/domainname"' <<<"$output")" == *"write EROFS"* ]]
    [[ "$(jq -r '."/etc/passwd"' <<<"$output")" == *"write EROFS"* ]]
    in_container cat /proc/sys/net/ipv4/ip_unprivileged_port_start
    [ "$output" = 0 ]
    # The control: without the lists, the same files are readable and full.
    bundle '.linux.maskedPaths = []' '.linux.readonlyPaths = []'
    in_container /bin/peek /proc/keys /proc/sys/kernel/domainname
    [[ "$(jq -r '."/proc/sys/kernel/domainname"' <<<"$output")" == *"write yes"* ]]
    [[ "$(jq -r '."/proc/keys"' <<<"$output")" != "20000 "* ]]
}

@test "a sysctl that no namespace owns is refused by name" {
    for name in kernel.core_pattern vm.overcommit_memory kernel.hostname net/ipv4/x; do
        bundle ".linux.sysctl = {\"$name\": \"1\"}"
        run rt run -b "$B" sys </dev/null
        [ "$status" = 1 ]
        [[ "$output" == *"sysctl \"$name\""* ]]
    done
    bundle '.linux.namespaces -= [{"type": "network"}]'
    run rt run -b "$B" sys </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"host's network namespace"* ]]
}

@test "row 24: the default filter blocks what it should, and lets through what it should" {
    bundle "$(profile)"
    in_container /bin/trysyscall
    [ "$status" = 0 ]
    echo "$output" >"$B/with"
    jq 'del(.linux.seccomp)' "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
    in_container /bin/trysyscall
    echo "$output" >"$B/without"
    for name in add_key bpf clock_settime delete_module fanotify_init finit_module fsmount fsopen get_mempolicy init_module \
        io_uring_setup io_uring_enter kcmp kexec_load kexec_file_load keyctl mbind mount move_mount move_pages \
        mount_setattr open_by_handle_at open_tree perf_event_open pidfd_getfd pivot_root quotactl reboot request_key \
        setns settimeofday swapon swapoff syslog umount2 unshare userfaultfd vhangup sethostname setdomainname; do
        grep -qx "$name EPERM" "$B/with" || { grep "$name" "$B/with"; return 1; }
    done
    grep -qx 'clone3 ENOSYS' "$B/with"
    grep -qx 'openat2 EINVAL' "$B/with"
    grep -qx 'read EBADF' "$B/with"
    grep -qx 'chroot EFAULT' "$B/with" # with CAP_SYS_CHROOT
    # The control: without a filter these reach the kernel.
    for name in "add_key EFAULT" "bpf EINVAL" "io_uring_setup E[IF]" "keyctl EOPNOTSUPP" "userfaultfd E" "clone3 EINVAL"; do
        grep -q "^$name" "$B/without" || { cat "$B/without"; return 1; }
    done
    never grep -qx 'keyctl EPERM' "$B/without"
    if command -v runc >/dev/null; then
        bundle "$(profile)" '.process.args = ["/bin/trysyscall"]'
        timeout 30 runc --root "$T/runc" run -b "$B" sc </dev/null >"$B/theirs" 3>&-
        diff "$T/b$BATS_TEST_NUMBER/theirs" <(rt run -b "$B" sc </dev/null)
    fi
}

@test "row 25: the filter compares arguments: sockets, personalities, clone flags; also through the 32-bit door" {
    bundle "$(profile)"
    in_container /bin/trysyscall socket=1,1,0 socket=38,5,0 socket=40,1,0 personality=0xffffffff personality=8 \
        personality=0x40000 clone=0x10000200,0,0,0,0 clone=0x00010000,0,0,0,0 i386:26 i386:310 462 99999
    [ "$status" = 0 ]
    # The control: the same calls with other arguments are let through (lines 0, 3 and 4).
    [ "${lines[0]}" = "socket=1,1,0 OK" ]
    [ "${lines[1]}" = "socket=38,5,0 EPERM" ]
    [ "${lines[2]}" = "socket=40,1,0 EPERM" ]
    [ "${lines[3]}" = "personality=0xffffffff OK" ]
    [ "${lines[4]}" = "personality=8 OK" ]
    [ "${lines[5]}" = "personality=0x40000 EPERM" ]
    [ "${lines[6]}" = "clone=0x10000200,0,0,0,0 EPERM" ]
    [ "${lines[7]}" = "clone=0x00010000,0,0,0,0 EINVAL" ]
    if [ "$(uname -m)" = x86_64 ]; then
        [[ "${lines[8]}" != "i386:26 OK" ]]
        [ "${lines[9]}" = "i386:310 EPERM" ] # unshare
    fi
    [ "${lines[11]}" = "99999 ENOSYS" ] # newer than the profile: unknown, not forbidden
}

@test "a filter with no_new_privs, without CAP_SYS_ADMIN, and the same one from the cache" {
    bundle "$(profile)" '.process.noNewPrivileges = true' '.process.user.uid = 1000'
    rm -rf "$T/run/seccomp-cache"
    in_container sh -c 'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status'
    [[ "$output" == *"NoNewPrivs:"?1*"Seccomp:"?2* ]]
    [ "$(ls "$T/run/seccomp-cache" | wc -l)" = 1 ]
    [ "$(stat -c %a "$T/run/seccomp-cache")" = 700 ]
    # A file that holds another text under this name is not used: it is compiled again.
    file=$(ls "$T/run/seccomp-cache"/*)
    sed -i 's/SCMP_ACT_ERRNO/SCMP_ACT_ALLOW/' "$file"
    in_container /bin/trysyscall keyctl
    [ "$output" = "keyctl EPERM" ]
    never grep -q '"defaultAction":"SCMP_ACT_ALLOW"' "$file"
    for junk in "" x "gorae-filter-1"; do
        printf '%s' "$junk" >"$file"
        in_container /bin/trysyscall keyctl
        [ "$output" = "keyctl EPERM" ]
    done
}

@test "capabilities: none for another user, inheritable and ambient empty, unknown ones left out with a warning" {
    bundle '.process.user.uid = 1000'
    in_container /bin/peek
    [ "$(jq -r '[.CapInh, .CapPrm, .CapEff, .CapAmb, .CapBnd] | join(" ")' <<<"$output")" = \
        "0000000000000000 0000000000000000 0000000000000000 0000000000000000 00000000a80425fb" ]
    bundle '.process.user.uid = 1000' '.process.capabilities.inheritable = ["CAP_NET_RAW"]' \
        '.process.capabilities.ambient = ["CAP_NET_RAW"]'
    in_container /bin/peek
    [ "$(jq -r '.CapEff' <<<"$output")" = 0000000000002000 ]
    bundle '.process.capabilities.bounding += ["CAP_FLY"]'
    run rt --log "$B/log" run -b "$B" cap </dev/null
    [ "$status" = 0 ]
    grep -q 'level=warning.*CAP_FLY' "$B/log"
    bundle 'del(.process.capabilities)'
    in_container /bin/busybox grep CapBnd /proc/self/status
    [[ "$output" == *0000000000000000 ]]
}

@test "attack: /proc or /sys of the image is a link, or a volume lies on them (CVE-2019-16884 and its like)" {
    for where in proc sys dev; do
        bundle
        rm -rf "$B/rootfs/$where"
        mkdir -p "$B/rootfs/evil"
        ln -s /evil "$B/rootfs/$where"
        in_container true
        [ "$status" = 1 ]
        [[ "$output" == *"/$where"*"symbolic link"* ]]
        ln -sfn "$T/canary/empty" "$B/rootfs/$where"
        in_container true
        [ "$status" = 1 ]
        ln -sfn "../../../../../../../../../..$T/canary/empty" "$B/rootfs/$where"
        in_container true
        [ "$status" = 1 ]
        canary_same
        rm "$B/rootfs/$where"
    done
    mkdir -p "$T/volume"
    for dest in /proc /proc/. /x/../proc /proc/self /proc/sys / /link; do
        bundle ".mounts += [{destination: \"$dest\", type: \"bind\", source: \"$T/volume\", options: [\"rbind\"]}]"
        ln -sfn /proc "$B/rootfs/link"
        in_container true
        [ "$status" = 1 ]
        [[ "$output" == *"mount of $dest"* ]]
    done
    bundle '.mounts += [{destination: "/proc", type: "tmpfs", source: "tmpfs"}]'
    in_container true
    [ "$status" = 1 ]
    [[ "$output" == *"only a proc file system"* ]]
    # The control: an honest volume, also through a link of the image's, is mounted.
    bundle ".mounts += [{destination: \"/var/run/x\", type: \"bind\", source: \"$T/volume\", options: [\"rbind\"]}]"
    mkdir -p "$B/rootfs/run" "$B/rootfs/var"
    ln -s /run "$B/rootfs/var/run"
    in_container sh -c 'cat /proc/self/mountinfo'
    [ "$status" = 0 ]
    [[ "$output" == *" /run/x "* ]]
}

@test "attack: the image's mount targets lead to the host (CVE-2015-3629, CVE-2021-30465, CVE-2024-45310)" {
    mkdir -p "$T/volume"
    bundle ".mounts += [{destination: \"/a/b/c\", type: \"bind\", source: \"$T/volume\", options: [\"rbind\"]}]"
    ln -s "$T/canary/empty" "$B/rootfs/a"
    in_container true
    canary_same
    rm "$B/rootfs/a"
    ln -s "../../../../../../../../../..$T/canary/empty" "$B/rootfs/a"
    in_container true
    canary_same
    # While a container with the same volume swaps a folder for a link, others are started.
    cat >"$B/rootfs/bin/swap" <<'SH'
#!/bin/sh
while :; do rm -rf /v/x; ln -s /canary /v/x; rm /v/x; mkdir -p /v/x; done
SH
    chmod +x "$B/rootfs/bin/swap"
    rm -f "$B/rootfs/a"
    bundle2=$B
    jq ".mounts[-1].destination = \"/v\" | .process.args = [\"swap\"] | .linux.cgroupsPath = \"$GROUP/tswap\"" "$B/config.json" >"$B/c"
    mkdir -p "$B-swap" && mv "$B/c" "$B-swap/config.json" && ln -sfn "$B/rootfs" "$B-swap/rootfs"
    rt create -b "$B-swap" swap </dev/null >/dev/null 2>&1 && rt start swap
    jq ".mounts[-1].destination = \"/v\" | .mounts += [{destination: \"/v/x/deep/er\", type: \"bind\", source: \"$T/canary/empty\", options: [\"rbind\"]}]" \
        "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
    for i in $(seq 25); do
        rt run -b "$B" race </dev/null >/dev/null 2>&1 || true
    done
    rt delete --force swap
    [ ! -e /canary ]
    canary_same
    never grep -q "$T/canary" /proc/self/mountinfo
}

@test "a mount target that is a link to nothing is made where it leads, inside the root" {
    echo nameserver >"$T/resolv"
    bundle ".mounts += [{destination: \"/etc/resolv.conf\", type: \"bind\", source: \"$T/resolv\", options: [\"bind\"]},
        {destination: \"/data\", type: \"bind\", source: \"$T/canary\", options: [\"rbind\", \"ro\"]}]"
    ln -sfn ../run/systemd/resolve/stub-resolv.conf "$B/rootfs/etc/resolv.conf"
    ln -sfn "$T/canary/empty/data" "$B/rootfs/data"
    in_container sh -c 'cat /etc/resolv.conf /data/file; ls /run/systemd/resolve'
    [ "$status" = 0 ]
    [ "$output" = "nameserver"$'\n'"canary"$'\n'"stub-resolv.conf" ]
    canary_same
}

@test "attack: /dev of the image holds links and false devices (CVE-2015-3627, CVE-2025-31133, CVE-2025-52565)" {
    mkdir -p "$T/dev"
    for name in null console stdout ptmx zero; do ln -sfn "$T/canary/file" "$T/dev/$name"; done
    ln -sfn "$T/canary/empty" "$T/dev/pts"
    # A volume on /dev: the container's devices are what it brings; masks must still be real.
    bundle '.mounts |= map(select(.destination | startswith("/dev") | not))' \
        ".mounts += [{destination: \"/dev\", type: \"bind\", source: \"$T/dev\", options: [\"rbind\"]}]"
    in_container /bin/peek /proc/keys
    [ "$status" = 0 ]
    [[ "$(jq -r '."/proc/keys"' <<<"$output")" == "20000 read yes (0)"* ]]
    canary_same
    # The image's own /dev, with no tmpfs over it: what is in the way is reported, not followed.
    bundle '.mounts |= map(select(.destination | startswith("/dev") | not))'
    for name in null console stdout ptmx; do ln -sfn "$T/canary/file" "$B/rootfs/dev/$name"; done
    in_container true
    [ "$status" = 1 ]
    [[ "$output" == *"/dev/null exists in the image and is something else"* ]]
    canary_same
}

@test "attack: /dev of the host, bound under another spelling or through a link: nothing is made in it" {
    local dest
    mkdir -p "$T/hostdev/pts"
    for dest in /dev /dev/ /./dev /link; do
        bundle '.mounts |= map(select(.destination | startswith("/dev") | not))' \
            ".mounts += [{destination: \"$dest\", type: \"bind\", source: \"$T/hostdev\", options: [\"rbind\"]}]"
        ln -s dev "$B/rootfs/link"
        in_container true
        [ "$status" = 0 ]
        [ "$(ls -A "$T/hostdev")" = pts ]
    done
    bundle # and without it they are made
    in_container ls /dev/null /dev/fd
    [ "$status" = 0 ]
}

@test "attack: /dev/null and /etc/passwd of the image are devices: they are looked at, and not opened" {
    mkdir -p "$T/nulldev"
    mknod "$T/nulldev/null" c 10 229 # fuse: opening it is an act
    bundle '.mounts |= map(select(.destination | startswith("/dev") | not))' '.process.args = ["sh", "-c", "echo $HOME"]' \
        ".mounts += [{destination: \"/dev\", type: \"bind\", source: \"$T/nulldev\", options: [\"rbind\"]}]"
    rm "$B/rootfs/etc/passwd"
    mkfifo "$B/rootfs/etc/passwd"
    run strace -f -qq -e trace=openat,openat2 -o "$B/strace" gorae-runtime --root "$T/run" run -b "$B" \
        "t$BATS_TEST_NUMBER" </dev/null 3>&-
    [ "$output" = / ]
    [ "$(grep -cE 'openat2.*"/(dev/null|etc/passwd)".*O_PATH' "$B/strace")" -ge 2 ]
    [ -z "$(grep -E 'openat2.*"/(dev/null|etc/passwd)"' "$B/strace" | grep -v O_PATH)" ]
    [ -z "$(grep '"self/fd/' "$B/strace")" ]
    bundle # and good ones serve: the container's own /dev/null is its standard input
    in_container sh -c 'echo $HOME; test /dev/null -ef /proc/self/fd/0 && echo own'
    [ "$output" = /root$'\n'own ]
    begin sleep 100
    run rt exec "$ID" sh -c 'echo $HOME; test /dev/null -ef /proc/self/fd/0 && echo own' </dev/null
    [ "$output" = /root$'\n'own ]
}

@test "attack: the working folder is a descriptor of the host's (CVE-2024-21626)" {
    for cwd in /proc/self/fd/3 /proc/self/fd/7 /proc/self/fd/8 /proc/1/cwd/.. /proc/self/root; do
        bundle ".process.cwd = \"$cwd\"" '.process.args = ["sh", "-c", "ls ..; pwd"]'
        run bash -c 'exec 7</ 8</etc; timeout 20 gorae-runtime --root "$T/run" run -b "$0" cwd </dev/null' "$B"
        [ "$status" != 0 ] || [[ "$output" != *canary* && "$output" != *vmlinuz* ]]
        [[ "$cwd" != /proc/self/fd/* ]] || [ "$status" = 1 ]
    done
    bundle
    begin sleep 100
    for n in 3 4 5 6 7 8 9 10 11; do
        run bash -c 'exec 7</ 8</etc; timeout 20 gorae-runtime --root "$T/run" exec --cwd /proc/self/fd/$0 "$1" pwd </dev/null' "$n" "$ID"
        [ "$status" = 255 ]
    done
}

@test "attack: writing the runtime's own program through /proc/PID/exe (CVE-2019-5736)" {
    static_only
    before=$(sha256sum <"$GORAE_BUILD/bin/gorae-runtime")
    cp "$GORAE_BUILD/bin/gorae-runtime" "$T/payload/own-copy"
    bundle
    begin sleep 100
    # A process of ours inside, kept alive by a read from its standard input; a process of the container's holds its exe.
    mkfifo "$B/fifo"
    attack='for p in /proc/[0-9]*; do case "$(tr "\0" " " <$p/cmdline)" in *update*--resources*) break;; esac; done
        exec 9<$p/exe || exit 7; kill -9 ${p#/proc/}; sleep 0.3; echo ruined >/proc/self/fd/9 && echo written'
    ln -sf busybox "$B/rootfs/bin/tr"
    sleep 20 >"$B/fifo" 3>&- &
    rt exec --detach "$ID" /proc/self/exe update --resources - x <"$B/fifo" >/dev/null 2>&1
    sleep 0.2
    run rt exec "$ID" sh -c "$attack" </dev/null
    [[ "$output" != *written* ]]
    [[ "$output" == *"Read-only file system"* ]]
    [ "$before" = "$(sha256sum <"$GORAE_BUILD/bin/gorae-runtime")" ]
    # The control: the same with a program that is not sealed succeeds.
    rt exec --detach "$ID" /bin/own-copy update --resources - x <"$B/fifo" >/dev/null 2>&1
    sleep 0.2
    run rt exec "$ID" sh -c "$attack" </dev/null
    [[ "$output" == *written* ]]
    rm "$T/payload/own-copy"
}

@test "an image may name the runtime as its program; it then runs confined, and cannot be written" {
    static_only
    bundle '.process.args = ["/proc/self/exe", "--version"]'
    run rt run -b "$B" self </dev/null
    [[ "$output" == *"gorae-runtime version"* ]]
}

@test "limits: memory, pids, cpu, cpuset and devices reach the kernel (version 1)" {
    [ -d /sys/fs/cgroup/memory ] || skip "control groups of version 1 are not mounted"
    bundle '.linux.resources += {memory: {limit: 33554432, swap: 67108864, reservation: 16777216}, pids: {limit: 17},
        cpu: {shares: 512, quota: 50000, period: 100000, cpus: "0"}}'
    begin sleep 100
    group=$GROUP/t$BATS_TEST_NUMBER
    [ "$(cat "/sys/fs/cgroup/memory$group/memory.limit_in_bytes")" = 33554432 ]
    [ "$(cat "/sys/fs/cgroup/memory$group/memory.soft_limit_in_bytes")" = 16777216 ]
    [ "$(cat "/sys/fs/cgroup/pids$group/pids.max")" = 17 ]
    [ "$(cat "/sys/fs/cgroup/cpu$group/cpu.shares")" = 512 ]
    [ "$(cat "/sys/fs/cgroup/cpu$group/cpu.cfs_quota_us")" = 50000 ]
    [ "$(cat "/sys/fs/cgroup/cpuset$group/cpuset.cpus")" = 0 ]
    [ "$(sort "/sys/fs/cgroup/devices$group/devices.list" | tr '\n' ,)" = \
        "b *:* m,c *:* m,c 136:* rwm,c 1:3 rwm,c 1:5 rwm,c 1:7 rwm,c 1:8 rwm,c 1:9 rwm,c 5:0 rwm,c 5:1 rwm,c 5:2 rwm," ]
    [ "$(cat "/sys/fs/cgroup/memory$group/cgroup.procs")" = "$PID" ]
    run rt exec "$ID" sh -c 'mknod /tmp/m c 1 1 2>/dev/null; busybox mknod /tmp/m c 1 1; head -c1 /tmp/m' </dev/null
    [[ "$output" == *"not permitted"* ]]
    echo '{"pids": {"limit": 18}, "memory": {"limit": 67108864, "swap": 134217728}}' | rt update --resources - "$ID"
    [ "$(cat "/sys/fs/cgroup/pids$group/pids.max")" = 18 ]
    [ "$(cat "/sys/fs/cgroup/memory$group/memory.limit_in_bytes")" = 67108864 ]
}

@test "control groups of version 1: the child enters them itself, all of them, and nobody waits for a grace period" {
    [ -d /sys/fs/cgroup/memory ] || skip "control groups of version 1 are not mounted"
    bundle
    set_args sleep 100
    ID=t$BATS_TEST_NUMBER
    # It stays for as long as the container: it follows what the runtime started.
    strace -f -o "$B/calls" -e trace=openat,write gorae-runtime --root "$T/run" create -b "$B" --pid-file "$B/pid" "$ID" \
        </dev/null >"$B/out" 2>&1 3>&- &
    for _ in $(seq 100); do [ ! -s "$B/pid" ] || break; sleep 0.1; done
    PID=$(cat "$B/pid")
    find /sys/fs/cgroup -path "*$GROUP/$ID" -type d >"$B/groups"
    [ "$(wc -l <"$B/groups")" -ge 4 ]
    [ "$(grep -c '/tasks", O_WRONLY' "$B/calls")" = "$(wc -l <"$B/groups")" ]
    [ "$(grep -c 'write([0-9]*, "0", 1' "$B/calls")" -ge "$(wc -l <"$B/groups")" ]
    never grep -q 'cgroup.procs", O_WRONLY' "$B/calls"
    while read -r group; do [ "$(cat "$group/cgroup.procs")" = "$PID" ]; done <"$B/groups"
    rt start "$ID"
    rt exec --detach --pid-file "$B/second" "$ID" sleep 100 </dev/null
    while read -r group; do [ "$(sort -n "$group/cgroup.procs" | xargs)" = "$(sort -n "$B/pid" <(echo) "$B/second" | xargs)" ]; done <"$B/groups"
}

@test "row 22: device rules: what is not allowed is denied, even if the list forgets to say so" {
    [ -d /sys/fs/cgroup/devices ] || skip "control groups of version 1 are not mounted"
    bundle '.linux.resources.devices = [{allow: true, type: "c", major: 10, minor: 200, access: "rw"}]'
    begin sleep 100
    run cat "/sys/fs/cgroup/devices$GROUP/t$BATS_TEST_NUMBER/devices.list"
    [[ "$output" == *"c 10:200 rw"* ]]
    [[ "$output" != *"a *:*"* ]]
    # The control: a list that allows all, which is then what the kernel says.
    bundle '.linux.resources.devices = [{allow: true, access: "rwm"}]'
    rt delete --force "$ID"
    begin sleep 100
    run cat "/sys/fs/cgroup/devices$GROUP/t$BATS_TEST_NUMBER/devices.list"
    [ "$output" = "a *:* rwm" ]
}

@test "a limit whose controller is missing is an error that names it" {
    [ ! -d /sys/fs/cgroup/hugetlb ] && [ -d /sys/fs/cgroup/memory ] || skip "this machine has the hugetlb controller"
    bundle '.linux.resources.hugepageLimits = [{pageSize: "2MB", limit: 2097152}]'
    in_container true
    [ "$status" = 1 ]
    [[ "$output" == *"no hugetlb controller"* ]]
    bundle '.linux.resources.unified = {"memory.high": "1"}'
    in_container true
    [ "$status" = 1 ]
    [[ "$output" == *"version 2"* ]]
}

@test "pause, resume; a paused container can be deleted with --force" {
    bundle
    begin sh -c 'while :; do :; done'
    rt pause "$ID"
    [ "$(status_of "$ID")" = paused ]
    run rt pause "$ID"
    [ "$status" = 1 ]
    run rt exec "$ID" true
    [ "$status" = 255 ]
    [[ "$output" == *"paused container"* ]]
    rt resume "$ID"
    [ "$(status_of "$ID")" = running ]
    rt pause "$ID"
    rt delete --force "$ID"
}

@test "kill --all reaches every process; a container in the host's pid namespace is ended whole" {
    bundle '.linux.namespaces -= [{"type": "pid"}]'
    begin sh -c 'sleep 100 & sleep 100 & sleep 100'
    for i in $(seq 50); do [ "$(rt ps --format json "$ID" | jq length)" = 3 ] && break; sleep 0.02; done
    pids=$(rt ps --format json "$ID" | jq -r '.[]')
    [ "$(wc -w <<<"$pids")" = 3 ]
    rt kill "$ID" KILL
    wait_stopped "$ID"
    rt delete "$ID"
    for i in $(seq 50); do
        alive=0
        for pid in $pids; do grep -q '^State:.[^ZX]' "/proc/$pid/status" 2>/dev/null && alive=1; done
        [ "$alive" = 0 ]
        break
        sleep 0.02
    done
    [ "$alive" = 0 ]
}

# joined TYPE…: a filter for bundle(), to share those namespaces with the process PID
joined() {
    local kind out=.
    for kind; do
        out="$out | .linux.namespaces |= map(if .type == \"$kind\" then .path = \"/proc/$PID/ns/${kind/network/net}\" else . end)"
    done
    echo "$out"
}

@test "a container in the pid namespace of another one is ended whole, and no other" {
    bundle '.process.args = ["sleep", "100"]'
    rt create -b "$B" --pid-file "$B/pid" host </dev/null >/dev/null 2>&1
    rt start host
    PID=$(cat "$B/pid")
    local host=$PID join
    join=$(joined pid)
    bundle "$join" ".linux.cgroupsPath = \"$GROUP/tjoin\""
    begin sh -c 'sleep 900 & exit'
    wait_stopped "$ID"
    [ "$(rt ps --format json "$ID" | jq length)" = 1 ] # its orphan
    rt delete "$ID"
    [ ! -e "$T/run/$ID" ]
    bundle "$join" ".linux.cgroupsPath = \"$GROUP/tjoin\""
    begin sh -c 'sleep 900 & sleep 900 & sleep 900'
    for i in $(seq 50); do [ "$(rt ps --format json "$ID" | jq length)" = 3 ] && break; sleep 0.02; done
    rt kill "$ID" KILL
    wait_stopped "$ID"
    [ "$(rt ps --format json "$ID" | jq length)" = 0 ]
    rt delete "$ID"
    [ "$(status_of host)" = running ]
    grep -q '^State:.S' "/proc/$host/status"
}

@test "hooks run in the host's namespaces, whatever the container has joined" {
    bundle
    begin sleep 100
    bundle "$(joined pid uts ipc network)" 'del(.linux.sysctl) | del(.hostname)' ".linux.cgroupsPath = \"$GROUP/tjoin\""
    printf '#!/bin/sh\nfor n in pid uts ipc net; do readlink /proc/self/ns/$n; done >>"$1"\n' >"$B/hook"
    chmod +x "$B/hook"
    local name filter='.hooks = {}'
    for name in prestart createRuntime poststart poststop; do
        filter="$filter | .hooks.$name = [{path: \"$B/hook\", args: [\"hook\", \"$B/$name\"], env: [\"PATH=/bin:/usr/bin\"]}]"
    done
    jq "$filter" "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
    set_args true
    rt run -b "$B" hooked </dev/null
    for name in prestart createRuntime poststart poststop; do
        diff "$B/$name" <(for n in pid uts ipc net; do readlink "/proc/self/ns/$n"; done)
    done
}

@test "hooks run at their points, in order, with the state on standard input; a failing one undoes the container" {
    bundle
    cat >"$B/hook" <<SH
#!/bin/sh
read -r state
case "\$state" in *'"id"'*) echo "\$1 \$(echo "\$state" | sed 's/.*"status":"\([a-z]*\)".*/\1/')" >>"$B/order";; esac
exit \${2:-0}
SH
    chmod +x "$B/hook"
    cp "$B/hook" "$B/rootfs/bin/hook"
    mkdir -p "$B/rootfs$B"
    filter='.hooks = {}'
    for name in prestart createRuntime createContainer poststart poststop; do
        filter="$filter | .hooks.$name = [{path: \"$B/hook\", args: [\"hook\", \"$name\"], env: [\"PATH=/bin:/usr/bin\"]}]"
    done
    jq "$filter | .hooks.startContainer = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat >/started\"]}]" "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
    in_container true
    [ "$status" = 0 ]
    [ "$(tr '\n' , <"$B/order")" = "prestart creating,createRuntime creating,createContainer creating,poststart running,poststop stopped," ]
    grep -q '"id"' "$B/rootfs/started"
    jq '.hooks = {createRuntime: [{path: "/bin/false"}]}' "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
    run rt create -b "$B" hooked </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"createRuntime hook #0 /bin/false: ended with code 1"* ]]
    never rt state hooked 2>/dev/null
    jq '.hooks = {createRuntime: [{path: "/bin/sleep", args: ["sleep", "60"], timeout: 1}]}' "$B/config.json" >"$B/c" && mv "$B/c" "$B/config.json"
    run rt create -b "$B" hooked </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"timeout of 1 s"* ]]
}

@test "existing namespaces are joined by their path" {
    bundle
    begin sleep 100
    other=$B
    bundle ".linux.namespaces |= map(if .type == \"network\" or .type == \"ipc\" or .type == \"pid\" then .path = \"/proc/$PID/ns/\" + (if .type == \"network\" then \"net\" else .type end) else . end)" \
        ".linux.cgroupsPath = \"$GROUP/tjoin\"" '.process.args = ["/bin/peek"]' 'del(.linux.sysctl)'
    run rt run -b "$B" join </dev/null
    [ "$status" = 0 ]
    for ns in net ipc pid; do [ "$(jq -r ".ns.$ns" <<<"$output")" = "$(readlink "/proc/$PID/ns/$ns")" ]; done
    [ "$(jq -r .ns.uts <<<"$output")" != "$(readlink "/proc/$PID/ns/uts")" ]
    bundle '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/nosuch" else . end)' ".linux.cgroupsPath = \"$GROUP/tjoin\""
    run rt run -b "$B" join </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"join network namespace /proc/self/ns/nosuch"* ]]
}

@test "a user namespace: root inside is nobody outside; devices are bound, the filter holds, exec works" {
    bundle "$(profile)" '.linux.namespaces += [{"type": "user"}]' 'del(.linux.sysctl)' \
        '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]' \
        '.linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]'
    chown -R 100000:100000 "$B/rootfs"
    begin sleep 100
    [ "$(awk '/^Uid/ {print $2}' "/proc/$PID/status")" = 100000 ]
    run rt exec "$ID" sh -c 'id -u; echo x >/dev/null && head -c 3 /dev/zero | wc -c; cat /proc/keys | wc -c' </dev/null
    [ "$status" = 0 ]
    [ "$(tr '\n' ' ' <<<"$output")" = "0 3 0 " ]
    run rt exec --user 1000 "$ID" /bin/busybox grep -E '^(Uid|CapEff):' /proc/self/status </dev/null
    [[ "$output" == *"Uid:"?1000*"CapEff:"?0000000000000000* ]]
}

@test "long values arrive whole: environment and arguments around 64 KiB, a thousand mounts are refused" {
    for n in 65535 65536 65537 131000; do
        bundle "$(printf '.process.env += ["LONG=" + ("x" * %s)]' "$n")" '.process.args = ["sh", "-c", "echo ${#LONG}"]'
        run rt run -b "$B" "long" </dev/null
        [ "$output" = "$n" ]
    done
    bundle '.mounts = [range(1000) | {destination: "/m\(.)", type: "tmpfs", source: "tmpfs"}]'
    in_container true
    [ "$status" = 1 ]
    [[ "$output" == *"more than 512 mounts"* ]]
}

@test "a bundle that breaks a rule is refused with the name of the rule" {
    try() {
        bundle "$1"
        run rt create -b "$B" broken </dev/null
        [ "$status" = 1 ] && [[ "$output" == *"$2"* ]] || { echo "$output"; return 1; }
    }
    try '.ociVersion = "2.0"' 'ociVersion'
    try '.process.args = []' 'process.args is empty'
    try '.process.cwd = "tmp"' 'process.cwd'
    try '.process.user.uid = -1' 'process.user.uid'
    try '.process.user.uid = 4294967295' 'process.user.uid'
    try '.process.user.uid = "0"' 'process.user.uid'
    try '.process.rlimits = [{type: "RLIMIT_FUN", soft: 1, hard: 1}]' 'unknown limit'
    try '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 2, hard: 1}]' 'above its hard limit'
    try '.root.path = "/nosuch"' 'root file system /nosuch'
    try '.linux.namespaces += [{"type": "pid"}]' 'listed twice'
    try '.linux.namespaces += [{"type": "moon"}]' 'unknown namespace'
    try '.linux.namespaces -= [{"type": "mount"}]' 'mount namespace'
    try '.linux.seccomp = {defaultAction: "SCMP_ACT_FUN"}' 'SCMP_ACT_FUN'
    try '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/x"}' 'listenerPath'
    try '.linux.cgroupsPath = "/a/../../b"' 'cgroupsPath'
    try '.linux.cgroupsPath = "a.slice:b:c"' 'say --systemd-cgroup'
    try '.linux.intelRdt = {closID: "x"}' 'intelRdt is not supported'
    try '.mounts += [{destination: "rel", type: "tmpfs"}]' 'not an absolute path'
    try '.mounts += [{destination: "/x", type: "bind", source: "/nosuch", options: ["rbind"]}]' 'bind source /nosuch'
    try '.mounts += [{destination: "/x", type: "nosuchfs", source: "x"}]' 'nosuchfs'
    try '.mounts += [{destination: "/x", type: "tmpfs", source: "x", options: ["fun=1"]}]' 'fun'
    printf '{"a":1,"a":2}' >"$B/config.json"
    run rt create -b "$B" broken </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"invalid JSON"* ]]
    mkfifo "$B/f" && mv "$B/f" "$B/config.json"
    run rt create -b "$B" broken </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"not a regular file"* ]]
}

@test "mount options: read-only, recursively read-only, propagation, flags" {
    mkdir -p "$T/outer/inner" "$T/volume"
    bundle ".mounts += [{destination: \"/ro\", type: \"bind\", source: \"$T/volume\", options: [\"bind\", \"ro\", \"noexec\"]},
        {destination: \"/slave\", type: \"bind\", source: \"$T/volume\", options: [\"rbind\", \"rslave\"]},
        {destination: \"/tmpfs\", type: \"tmpfs\", source: \"tmpfs\", options: [\"size=1m\", \"noatime\", \"ro\"]}]"
    in_container sh -c 'cat /proc/self/mountinfo; touch /ro/new; touch /tmpfs/new'
    [[ "$output" == *" /ro ro,noexec,relatime"* ]]
    [[ "$output" == *" /tmpfs ro,noatime"* ]]
    [ "$(grep -c 'Read-only file system' <<<"$output")" = 2 ]
    in_container true
    run unshare -m sh -c "mount -t tmpfs x '$T/outer/inner'; timeout 20 gorae-runtime --root '$T/run' run -b '$B' rro </dev/null"
    [ "$status" = 0 ]
    bundle ".mounts += [{destination: \"/t\", type: \"bind\", source: \"$T/outer\", options: [\"rbind\", \"rro\"]}]" \
        '.process.args = ["sh", "-c", "touch /t/x; touch /t/inner/x"]'
    run unshare -m sh -c "mount -t tmpfs x '$T/outer/inner'; timeout 20 gorae-runtime --root '$T/run' run -b '$B' rro </dev/null"
    [ "$(grep -c 'Read-only file system' <<<"$output")" = 2 ]
}

@test "control groups of version 2: born in the group, its own cgroup namespace, devices by a BPF program, killed at once" {
    unshare -m sh -c 'mount -t cgroup2 x /sys/fs/cgroup' || skip "cgroup2 cannot be mounted here"
    bundle '.linux.namespaces += [{"type": "cgroup"}]' \
        '.process.args = ["sh", "-c", "cat /proc/self/cgroup; ls /sys/fs/cgroup | head -1; busybox mknod /tmp/mem c 1 1; head -c 1 /tmp/mem; head -c 3 /dev/zero | wc -c; sleep 100"]'
    rm -f "$B/rootfs/tmp/mem"
    cat >"$B/script" <<SH
mount -t cgroup2 x /sys/fs/cgroup
rt() { timeout 20 gorae-runtime --root '$T/run' "\$@"; }
rt create -b '$B' --pid-file '$B/pid' v2 </dev/null >'$B/out' 2>&1 || { cat '$B/out'; exit 1; }
rt start v2
for i in \$(seq 100); do grep -q '^3' '$B/out' && break; sleep 0.02; done
cat "/sys/fs/cgroup$GROUP/t$BATS_TEST_NUMBER/cgroup.procs" | head -1
rt exec v2 cat /proc/self/cgroup
rt pause v2; rt state v2 | grep status
rt resume v2
rt delete --force v2
ls -d "/sys/fs/cgroup$GROUP/t$BATS_TEST_NUMBER"
rmdir "/sys/fs/cgroup$GROUP"
SH
    run unshare -m sh "$B/script"
    grep -q "^0::/$" "$B/out"
    grep -q cgroup "$B/out"
    grep -qi "operation not permitted" "$B/out"
    grep -q '^3$' "$B/out"
    [[ "$output" == *"$(cat "$B/pid")"* ]]
    [[ "$output" == *"0::/"* ]]
    [[ "$output" == *'"paused"'* ]]
    [[ "$output" == *"No such file or directory"* ]]
    # The control for the program: with everything allowed, the same device opens or is refused by its driver alone.
    bundle '.linux.namespaces += [{"type": "cgroup"}]' '.linux.resources.devices = [{allow: true, access: "rwm"}]' \
        '.process.args = ["sh", "-c", "busybox mknod /tmp/f c 1 11; head -c 0 /tmp/f && echo opened"]' '.process.capabilities.bounding += ["CAP_SYSLOG"]' \
        '.process.capabilities.effective += ["CAP_SYSLOG"]' '.process.capabilities.permitted += ["CAP_SYSLOG"]'
    run unshare -m sh -c "mount -t cgroup2 x /sys/fs/cgroup; timeout 20 gorae-runtime --root '$T/run' run -b '$B' v2 </dev/null; rmdir /sys/fs/cgroup$GROUP"
    [[ "$output" == *opened* ]]
}

@test "what a killed create leaves behind, delete --force removes" {
    bundle '.hooks = {createRuntime: [{path: "/bin/sleep", args: ["sleep", "30"]}]}'
    gorae-runtime --root "$T/run" create -b "$B" torn </dev/null >/dev/null 2>&1 3>&- &
    pid=$!
    for i in $(seq 100); do [ -e "$T/run/torn/start.sock" ] && break; sleep 0.02; done
    sleep 0.1
    kill -KILL "$pid"
    [ "$(status_of torn)" = creating ]
    rt delete --force torn
    [ ! -e "$T/run/torn" ]
}

@test "a create that fails, or is killed, leaves alone the control groups that it has not made itself" {
    bundle
    begin sleep 100
    local mine=$PID
    # The same group, and a failure before it is asked for; then the same id in another place.
    bundle '.mounts += [{destination: "/x", type: "bind", source: "/no/such", options: ["bind"]}]'
    set_args true
    run rt create -b "$B" other </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"/no/such"* ]]
    run timeout 30 gorae-runtime --root "$T/run2" create -b "$B" "$ID" </dev/null
    [ "$status" = 1 ]
    [ "$(status_of "$ID")" = running ]
    grep -q "$GROUP/t$BATS_TEST_NUMBER" "/proc/$mine/cgroup"
    # A conflict is one, and what was made before it was found is gone again.
    bundle ".linux.cgroupsPath = \"$GROUP/t$BATS_TEST_NUMBER\""
    run rt create -b "$B" other </dev/null
    [ "$status" = 1 ]
    [[ "$output" == *"exists and holds processes"* ]]
    # A create that was killed before it had claimed them: its state names them all the same.
    mkdir "$T/run/torn"
    jq '.id = "torn" | .pid = 0 | .starttime = 0 | .cgroup.claimed = false' "$T/run/$ID/state.json" >"$T/run/torn/state.json"
    rt kill --all torn KILL
    rt delete --force torn
    [ ! -e "$T/run/torn" ]
    [ "$(status_of "$ID")" = running ]
    grep -q "$GROUP/t$BATS_TEST_NUMBER" "/proc/$mine/cgroup"
    rt delete --force "$ID"
    # And after it had: they go with it.
    bundle '.hooks = {createRuntime: [{path: "/bin/sleep", args: ["sleep", "30"]}]}'
    gorae-runtime --root "$T/run" create -b "$B" torn </dev/null >/dev/null 2>&1 3>&- &
    pid=$!
    for i in $(seq 100); do [ "$(jq .cgroup.claimed "$T/run/torn/state.json" 2>/dev/null)" = true ] && break; sleep 0.02; done
    kill -KILL "$pid"
    rt delete --force torn
    [ -z "$(find /sys/fs/cgroup -path "*$GROUP/*" -name "t$BATS_TEST_NUMBER")" ]
}
