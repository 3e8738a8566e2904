#!/usr/bin/env bats
# Is it a real container? What a process sees from inside, through the whole path from the API on, and the same under the real
# runc; and that the host is the same before and after.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    local runc=()
    ! here runc || runc=(--add-runtime "runc=$(command -v runc)")
    daemon_with_busybox "${runc[@]}"
    # busybox, with the probes beside it
    mkdir "$T/probes"
    cp "$GORAE_BUILD/payload/peek" "$GORAE_BUILD/payload/trysyscall" "$T/probes/"
    export PROBES=$T/probes:/probes:ro
}
teardown_file() { daemon_end; }

peek() { gorae run --rm -v "$PROBES" "$@"; }

@test "fourteen capabilities, seccomp, no inheritable set, its own namespaces, three descriptors" {
    peek busybox /probes/peek >"$T/p"
    jq -e '.CapBnd == "00000000a80425fb" and .CapPrm == .CapBnd and .CapEff == .CapBnd' "$T/p"
    jq -e '.CapInh == "0000000000000000" and .CapAmb == .CapInh and .Seccomp == "2" and .NoNewPrivs == "0"' "$T/p"
    jq -e '(.fd | keys) == ["0","1","2"] and .proc_is_procfs' "$T/p"
    for ns in mnt pid net ipc uts; do [ "$(jq -r ".ns.$ns" "$T/p")" != "$(readlink /proc/self/ns/$ns)" ]; done
    [ "$(jq -r .ns.user "$T/p")" = "$(readlink /proc/self/ns/user)" ]
}

@test "no descriptor of the host is in a created or a running container" {
    gorae run -d --name fds busybox sleep 100
    pid=$(gorae inspect -f '{{.State.Pid}}' fds)
    [ "$(ls "/proc/$pid/fd" | tr '\n' ' ')" = "0 1 2 " ]
    for fd in 1 2; do [[ $(readlink "/proc/$pid/fd/$fd") == pipe:* ]]; done
    [ "$(readlink "/proc/$pid/fd/0")" = /dev/null ]
    gorae rm -f fds
    gorae run -d -t --name fds busybox sleep 100
    pid=$(gorae inspect -f '{{.State.Pid}}' fds)
    for fd in 0 1 2; do [[ $(readlink "/proc/$pid/fd/$fd") == /dev/pts/0 ]]; done
    [ "$(ls "/proc/$pid/fd" | wc -l)" = 3 ]
    gorae rm -f fds
}

@test "a user who is not root has no capability, and the groups that the image gives" {
    peek -u 1000:1000 busybox /probes/peek >"$T/p"
    jq -e '.CapPrm == "0000000000000000" and .CapEff == .CapPrm and .CapAmb == .CapPrm and .CapInh == .CapPrm' "$T/p"
    jq -e '.CapBnd == "00000000a80425fb"' "$T/p"
    [ "$(peek -u 1000 busybox id -u)" = 1000 ]
    # digits are a number, never a name
    run -125 gorae run --rm -u 4294967296 busybox true
    run ! gorae run --rm -u nosuchuser busybox true
    [[ $output == *"no matching entries in passwd file"* ]]
}

@test "capabilities are added and dropped; privileged takes the restrictions away" {
    [ "$(peek --cap-drop ALL busybox /probes/peek | jq -r .CapEff)" = 0000000000000000 ]
    [ "$(peek --cap-drop ALL --cap-add NET_ADMIN busybox /probes/peek | jq -r .CapEff)" = 0000000000001000 ]
    peek --security-opt no-new-privileges busybox /probes/peek | jq -e '.NoNewPrivs == "1"'
    peek --security-opt seccomp=unconfined busybox /probes/peek | jq -e '.Seccomp == "0"'
    peek --privileged busybox /probes/peek | jq -e '.Seccomp == "0" and .CapInh == "0000000000000000"'
}

@test "no signal is ignored from birth" {
    local none
    none="SigIgn:$(printf '\t')0000000000000000"
    [ "$(gorae run --rm busybox grep SigIgn /proc/self/status)" = "$none" ]
    gorae run -d --name ign busybox sleep 100
    [ "$(gorae exec ign grep SigIgn /proc/self/status)" = "$none" ]
    gorae rm -f ign
}

@test "masked and read-only paths, mounts and devices are Docker's" {
    run gorae run --rm busybox sh -c '
        for f in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do [ ! -e $f ] || [ "$(head -c 1 $f | wc -c)" = 0 ] || echo "readable: $f"; done
        for f in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/bus/x /sys/kernel/x /sys/fs/cgroup/x; do (echo x >$f) 2>/dev/null && echo "writable: $f"; done
        [ -z "$(ls /sys/firmware 2>/dev/null)" ] || echo "seen: /sys/firmware"
        ls /dev | tr "\n" " "
        grep " / " /proc/mounts | cut -d" " -f3'
    [ "$status" = 0 ]
    [[ $output != *readable* && $output != *writable* && $output != *seen* ]] || { echo "$output"; false; }
    [[ $output == *"fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"* && $output == *overlay* ]]
    [ "$(gorae run --rm busybox df -m /dev/shm | awk 'END {print $2}')" = 64 ]
}

@test "system calls that break out are refused" {
    for call in keyctl add_key kexec_load io_uring_setup userfaultfd pivot_root mount unshare bpf open_by_handle_at init_module; do
        run peek busybox /probes/trysyscall "$call"
        [[ $output == *EPERM* || $output == *ENOSYS* ]] || { echo "$call: $output"; false; }
    done
    # and the probe can tell: without the filter the kernel itself answers
    run peek --privileged busybox /probes/trysyscall keyctl
    [[ $output != *EPERM* ]]
}

@test "the same container under gorae-runtime and under runc, but for named differences" {
    need runc
    # Named differences, as in runtime.bats: numbers of namespaces and mounts, where descriptors lead, how masks are mounted,
    # the group of a hybrid machine's second tree; and the id, which is in the host name and the group's path.
    # Signals 32 and 33 are the C library's own; runc hands on that its caller's library ignores them, ours hands on nothing.
    local normal='del(.fd, .ns, .hostname, .cgroup, .mountinfo, .keyring, .SigIgn) | .env |= map(select(startswith("HOSTNAME=") | not)) | .env |= sort'
    for flags in "" "-u 1000:1000" "--read-only" "--ulimit nofile=100:200 -e A=B -w /tmp" "--cap-add SYS_ADMIN --security-opt no-new-privileges"; do
        # shellcheck disable=SC2086 # the flags are words
        peek $flags busybox /probes/peek >"$T/ours"
        # shellcheck disable=SC2086
        peek $flags --runtime runc busybox /probes/peek >"$T/theirs"
        diff <(jq -S "$normal" "$T/ours") <(jq -S "$normal" "$T/theirs") || { echo "with: $flags"; false; }
        [[ $(jq -r .SigIgn "$T/ours") =~ ^0+$ ]]
        # of the mounts: the same places, in whatever order
        diff <(jq -r '.mountinfo[] | split(" ")[4]' "$T/ours" | sort -u) <(jq -r '.mountinfo[] | split(" ")[4]' "$T/theirs" | sort -u)
    done
}

@test "a hundred containers leave the host's mounts, groups and processes as they were" {
    # Only what is this daemon's: others may be at work on the machine.
    mounts=$(grep -c "$T" /proc/self/mountinfo) || true
    fds=$(daemon_pid; ls "/proc/$DAEMON/fd" | wc -l)
    gorae run --rm busybox true
    for _ in $(seq 100); do gorae run --rm busybox true; done
    [ "$(grep -c "$T" /proc/self/mountinfo)" = "$mounts" ]
    [ -z "$(find /sys/fs/cgroup -mindepth 3 -path "*$CGROUP/*" -type d)" ]
    daemon_pid
    [ "$(ls "/proc/$DAEMON/fd" | wc -l)" -le $((fds + 2)) ]
    [ -z "$(ls "$T/exec/containers")" ]
}

@test "links in the image lead nowhere outside: /etc, /proc, /dev and the working folder" {
    mkdir "$T/canary" && echo canary >"$T/canary/file"
    mkdir -p "$T/evil/bin" && cp "$(command -v busybox)" "$T/evil/bin/busybox"
    ln -s busybox "$T/evil/bin/sh"
    for link in etc dev proc sys; do
        rm -rf "$T/evil/etc" "$T/evil/dev" "$T/evil/proc" "$T/evil/sys"
        ln -s "../../../../../../../$T/canary" "$T/evil/$link"
        tar -C "$T/evil" -c . | gorae import - "evil:$link" >/dev/null
        gorae run --rm -w /new/../dir "evil:$link" /bin/sh -c 'echo in' >/dev/null 2>&1 || true
        gorae run --rm -t "evil:$link" /bin/sh -c 'echo in' >/dev/null 2>&1 || true
        [ "$(ls "$T/canary")" = file ]
        [ "$(cat "$T/canary/file")" = canary ]
    done
    run gorae run --rm -w /proc/self/fd/7 busybox pwd
    [[ $output != *"$T"* ]]
}
