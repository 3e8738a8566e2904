#!/usr/bin/env bats
# The nursery: a mount namespace that holds nothing, in which containers begin (src/runtime/nursery.c). That a container
# is the same whether it began there or in a copy of the host's mounts; who may not begin there; and that the daemon
# keeps one, which dies with it.
load lib

setup_file() {
    export T=$(mktemp -d /tmp/gorae-nursery.XXXXXX)
    export GROUP=/gorae-$(basename "$T" | tr -dc A-Za-z0-9)
    # Whoever keeps it: takes the descriptor from the runtime and stays.
    python3 -c '
import socket, subprocess, sys, time
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
code = subprocess.run(["gorae-runtime", "nursery"], stdin=subprocess.DEVNULL, stdout=theirs).returncode
theirs.close()
_, fds, _, _ = socket.recv_fds(ours, 1, 1)
print(code, fds[0], flush=True)
time.sleep(600)' >"$T/kept" 3>&- &
    export KEEPER=$!
    local i
    for i in $(seq 200); do [ ! -s "$T/kept" ] || break; sleep 0.05; done
    export NURSERY=/proc/$KEEPER/fd/$(cut -d' ' -f2 "$T/kept")
}

teardown_file() {
    kill "$KEEPER"
    for dir in /sys/fs/cgroup/*"$GROUP" "/sys/fs/cgroup$GROUP"; do [ ! -d "$dir" ] || rmdir "$dir"; done
    rm -rf "$T"
}

teardown() {
    local id
    for id in $(rt list -q); do rt delete --force "$id"; done
    ! mountpoint -q "$T/shared" || umount -R "$T/shared"
}

rt() { timeout -k 5 30 gorae-runtime --root "$T/run" "$@" 3>&-; }
bundle() {
    B=$T/b$BATS_TEST_NUMBER
    rm -rf "$B"
    "$BATS_TEST_DIRNAME/bundle.sh" "$B" ".linux.cgroupsPath = \"$GROUP/t$BATS_TEST_NUMBER\"" "$@"
}
# What a container sees of its mounts, but for the numbers that the kernel gives anew each time, and by which it sorts.
mounts_inside() { rt "$@" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null | awk '{$1 = $2 = $3 = ""; print}' | sort; }
# called REGEX: by any process of the last traced call of the runtime
called() { grep -E "$1" "$T/strace"; }
traced() { strace -f -qq -s 256 -e trace=clone3,setns,unshare -o "$T/strace" gorae-runtime --root "$T/run" "$@" 3>&-; }

@test "what the runtime sends is an empty root, read-only, with a folder for what hides the masked paths" {
    [ "$(cut -d' ' -f1 "$T/kept")" = 0 ]
    [ "$(stat -Lc %i "$NURSERY")" != "$(stat -Lc %i /proc/self/ns/mnt)" ]
    run python3 -c '
import ctypes, os, sys
mine = open("/proc/self/mountinfo")
libc = ctypes.CDLL(None, use_errno=True)
if libc.setns(os.open(sys.argv[1], os.O_RDONLY), 0x20000) != 0: sys.exit("setns: %d" % ctypes.get_errno())
print(os.listdir("/"), os.listdir("/dev"))
try: os.mkdir("/x")
except OSError as e: print(e.strerror)' "$NURSERY"
    [ "$output" = "['dev'] []"$'\n'"Read-only file system" ]
}

@test "a container that began there sees what one sees that began in a copy" {
    bundle '.process.args = ["cat", "/proc/self/mountinfo"]' '.root.readonly = true' \
        '.linux.maskedPaths = ["/proc/keys", "/proc/acpi"]' '.linux.readonlyPaths = ["/proc/sys"]'
    mounts_inside >"$T/copy"
    mounts_inside --nursery "$NURSERY" >"$T/empty"
    [ "$(wc -l <"$T/copy")" -gt 8 ]
    diff "$T/copy" "$T/empty"
}

@test "the host's mounts are not copied for it: it is cloned without a mount namespace, and makes one there" {
    bundle
    traced --nursery "$NURSERY" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
    called 'setns\([0-9]+, CLONE_NEWNS\) += 0'
    called 'unshare\(CLONE_NEWNS\) += 0'
    never called 'clone3.*CLONE_NEWNS'
    called 'clone3.*CLONE_NEWPID'
    traced run -b "$B" "t$BATS_TEST_NUMBER" </dev/null # without it, as ever
    called 'clone3.*CLONE_NEWNS'
    never called 'setns|unshare'
}

@test "propagation: a volume that follows the host's later mounts does so from there, too" {
    mkdir -p "$T/shared"
    mount -t tmpfs outer "$T/shared"
    mount --make-shared "$T/shared"
    mkdir "$T/shared/later"
    bundle '.process.args = ["sleep", "100"]' '.linux.rootfsPropagation = "rslave"' \
        ".mounts += [{destination: \"/volume\", type: \"bind\", source: \"$T/shared\", options: [\"rbind\", \"rslave\"]}]"
    rt --nursery "$NURSERY" create -b "$B" "t$BATS_TEST_NUMBER" </dev/null >/dev/null 2>&1
    rt start "t$BATS_TEST_NUMBER"
    mount -t tmpfs inner "$T/shared/later"
    touch "$T/shared/later/seen"
    run rt exec "t$BATS_TEST_NUMBER" ls /volume/later </dev/null
    [ "$output" = seen ]
}

@test "control groups that are mounted twice are there twice" {
    bundle '.process.args = ["cat", "/proc/self/mountinfo"]' \
        '.mounts += [{destination: "/cg", type: "cgroup", source: "cgroup", options: ["ro", "nosuid", "noexec", "nodev"]}]'
    run rt --nursery "$NURSERY" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
    [ "$status" = 0 ]
    [ "$(grep -c ' /cg.* - cgroup' <<<"$output")" -gt 0 ]
    [ "$(grep -c ' /cg.* - cgroup' <<<"$output")" = "$(grep -c ' /sys/fs/cgroup.* - cgroup' <<<"$output")" ]
}

@test "hooks that may look at the host's files, and user namespaces, begin in a copy" {
    local name
    for name in prestart createRuntime createContainer; do
        bundle ".hooks.$name = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat $T/hosts-file >>$T/hooked\"]}]"
        echo host >"$T/hosts-file"
        rm -f "$T/hooked"
        traced --nursery "$NURSERY" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
        [ "$(cat "$T/hooked")" = host ]
        called 'clone3.*CLONE_NEWNS'
    done
    bundle '.linux.namespaces += [{"type": "user"}]' 'del(.linux.sysctl)' \
        '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]' \
        '.linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]'
    chown -R 100000:100000 "$B/rootfs"
    rt --nursery "$NURSERY" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
}

@test "a mount that names something of the host by its options begins in a copy" {
    mkdir -p "$T/lower" "$T/second"
    echo below >"$T/lower/file"
    bundle '.process.args = ["cat", "/merged/file"]' ".mounts += [{destination: \"/merged\", type: \"overlay\",
        source: \"overlay\", options: [\"lowerdir=$T/lower:$T/second\", \"ro\"]}]"
    run rt --nursery "$NURSERY" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
    [ "$status" = 0 ]
    [ "$output" = below ]
}

@test "what is no mount namespace is refused, and so is a stranger's; one that has gone is done without" {
    bundle
    refused() {
        run rt --nursery "$1" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null
        [ "$status" = 1 ]
        [[ "$output" == *"--nursery $1 is no mount namespace of this user namespace"* ]]
    }
    refused /etc/passwd
    refused /proc/self/ns/net
    # Anybody may make one in a user namespace of his own, and put into it what he likes.
    unshare --user --map-root-user --mount sleep 60 3>&- &
    local stranger=$! i
    for i in $(seq 100); do
        [ "$(readlink "/proc/$stranger/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ] || break
        sleep 0.05
    done
    refused "/proc/$stranger/ns/mnt"
    kill "$stranger"
    rt --nursery "/proc/$stranger/fd/77" run -b "$B" "t$BATS_TEST_NUMBER" </dev/null # gone
    rt --log "$T/log" --nursery /etc/passwd/x run -b "$B" "t$BATS_TEST_NUMBER" </dev/null # in the way: told, and done without
    grep -q -- '--nursery /etc/passwd/x cannot be opened: Not a directory' "$T/log"
    never rt state "t$BATS_TEST_NUMBER" 2>/dev/null
}

@test "the nursery takes no operand, and its standard output must be a socket" {
    run rt nursery extra
    [ "$status" = 1 ]
    [[ "$output" == *"nursery takes at most 0 operands"* ]]
    run rt nursery
    [ "$status" = 1 ]
    [[ "$output" == *"send the mount namespace to standard output"* ]]
}

@test "the daemon keeps one for its own runtime, makes another after a restart, and leaves nothing of it behind" {
    (
        trap daemon_stop EXIT # whatever fails here
        daemon_with_busybox
        kept() { find "/proc/$(cat "$T/pid")/fd" -lname 'mnt:*' | wc -l; }
        [ "$(kept)" = 0 ] # not before the first container
        gorae run --rm busybox true
        gorae run -d --name stays busybox sleep 100 >/dev/null
        [ "$(kept)" = 1 ]
        grep -q -- '"--nursery"' "$T"/exec/containers/*/shim.json
        daemon_kill
        daemon_start
        gorae exec stays true
        gorae restart -t 0 stays
        [ "$(kept)" = 1 ]
        gorae rm -f stays
        daemon_stop
        judge_and_clean
    )
    never grep ' - tmpfs gorae-nursery \| mnt:' /proc/self/mountinfo
}
