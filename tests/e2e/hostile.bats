#!/usr/bin/env bats
# A container, an image or a caller who means harm, against the whole engine. The numbers are the rows of the security notes;
# each test has a positive control, a line that shows that the attack works where the defence is not in its way.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    daemon_dirs
    chmod 755 "$T"
    daemon_start
    import_busybox
    mkdir -p "$T/canary/empty" "$T/image"
    echo "do not touch" >"$T/canary/file"
    (cd "$T/image" && tar xf "$(busybox_tar)")
    mkdir "$T/probes"
    cp "$GORAE_BUILD/payload/swapper" "$GORAE_BUILD/payload/ambush" "$GORAE_BUILD/payload/trysyscall" "$T/probes/"
}
teardown_file() { daemon_end; }
teardown() {
    daemon_renew
    unharmed
}

run_in() { gorae run --rm "$@"; }
# The canary: what lies outside every container and must stay as it is.
unharmed() {
    [ "$(cat "$T/canary/file")" = "do not touch" ]
    [ "$(find "$T/canary" | wc -l)" = 3 ]
}
# image NAME COMMAND…: busybox's root, changed by the commands, which run in it
image() {
    local name=$1
    shift
    rm -rf "$T/evil"
    cp -a "$T/image" "$T/evil"
    (cd "$T/evil" && eval "$*")
    tar -C "$T/evil" -cf - . | curl -sf --unix-socket "$SOCK" -H 'Content-Type: application/x-tar' --data-binary @- \
        "http://d/images/create?fromSrc=-&repo=$name&changes=CMD%20%5B%22sh%22%5D" >/dev/null
}

@test "rows 1, 10: /dev of the image leads to the host; with a terminal and without" {
    for target in "$T/canary/empty" "../../../../../../../../../../../../../..$T/canary/empty" /link2; do
        image evil:dev "rm -rf dev; ln -s '$target' dev; ln -s $T/canary/empty link2"
        for tty in "" -t; do
            run run_in $tty evil:dev true
            unharmed
        done
    done
    # positive control: a path that is followed as it stands does reach the canary
    ln -sfn "$T/canary/empty" "$T/evil/naive"
    [ "$(readlink -f "$T/evil/naive")" = "$T/canary/empty" ]
}

@test "row 2: a container that turns its own mount targets into links, started again and again" {
    gorae create --name again -v "$T/image:/a/b:ro" -v "$T/image:/c:ro" busybox sh -c "
        mv /a /a2; ln -s $T/canary /a; rm -rf /tmp; ln -s / /tmp; ln -s $T/canary/empty /etc/x; exit 0" >/dev/null
    gorae start -a again
    for _ in 1 2 3 4; do
        run gorae start -a again # refused or not: what counts is where the mounts go
        unharmed
    done
    # positive control: the link is there, and would lead to the host
    run_in -v "$T/data/containers/$(gorae inspect -f '{{.Id}}' again)/upper:/u" busybox sh -c '[ -L /u/a ]'
}

@test "rows 3, 5: nothing may be mounted over /, /proc and /sys, said directly or through a link" {
    for dst in / /proc /proc/ /proc/. /x/../proc /./proc /proc/sys //proc; do
        create_refused 400 "invalid mount path" "{\"Binds\":[\"$T/canary:$dst\"]}"
        create_refused 400 "invalid mount path" "{\"Tmpfs\":{\"$dst\":\"\"}}"
        create_refused 400 "invalid mount path" "{\"Mounts\":[{\"Type\":\"bind\",\"Source\":\"$T/canary\",\"Target\":\"$dst\"}]}"
    done
    image evil:proc "ln -s /proc p; ln -s p/self q; rm -rf sys; ln -s /proc sys"
    for dst in /p /p/sys /q; do
        run run_in -v "$T/canary:$dst" evil:proc true
        [ "$status" != 0 ]
    done
    run run_in evil:proc cat /sys/version
    [ "$status" != 0 ]
    # positive control: a link of the image to a harmless folder is followed, inside
    image evil:harmless "ln -s /var v"
    [ "$(run_in -v "$T/canary:/v/c:ro" evil:harmless cat /var/c/file)" = "do not touch" ]
}

@test "row 4: what is dangerous in /proc and /sys is masked or read-only" {
    for f in /proc/sys/kernel/panic /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/irq/default_smp_affinity /sys/kernel/mm/ksm/run; do
        [ -e "$f" ] || continue
        before=$(cat "$f" 2>/dev/null || true)
        never run_in busybox sh -c "echo 1 >$f" 2>/dev/null
        [ "$(cat "$f" 2>/dev/null || true)" = "$before" ]
    done
    for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/interrupts; do
        [ ! -e "$f" ] || [ "$(run_in busybox sh -c "head -c 10 $f | wc -c")" = 0 ]
    done
    [ "$(run_in busybox ls -A /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -cv ':$\|^$')" = 0 ]
    # positive control: without the masks they are there
    never [ "$(run_in --security-opt systempaths=unconfined busybox sh -c 'head -c 10 /proc/interrupts | wc -c')" = 0 ]
    run_in --privileged busybox sh -c ': >>/proc/sys/kernel/panic'
}

@test "row 14: the working folder is a descriptor, or lies behind somebody's root" {
    for dir in /proc/self/fd/{3..16} /proc/1/cwd/.. /proc/self/cwd /proc/thread-self/fd/9; do
        run run_in -w "$dir" busybox sh -c 'pwd -P; ls -d canary etc'
        [[ $output != *"$T"* ]]
        [[ $output != *canary$'\n'* ]] || false
    done
    # positive control: a process of the host that is handed such a descriptor does see the host through it
    [ "$(bash -c "exec 9<$T/canary; cat /proc/self/fd/9/file")" = "do not touch" ]
    # and what a container is started with: nothing beyond 0, 1, 2
    [ "$(run_in busybox sh -c 'ls /proc/self/fd' | sort -n | head -3 | tr '\n' ' ')" = "0 1 2 " ]
    [ "$(run_in --init busybox sh -c 'ls /proc/$$/fd | sort -n | tr "\n" " "')" = "0 1 2 " ] || [ "$(run_in --init busybox sh -c 'ls /proc/1/fd' | wc -l)" -le 4 ]
}

@test "row 15: the program behind --init is the host's, and stays as it is" {
    sum=$(sha256sum <"$GORAE_BUILD/bin/gorae-init")
    run run_in --init busybox sh -c 'echo x >/sbin/docker-init; dd if=/dev/zero of=/proc/1/exe bs=1 count=1 conv=notrunc; rm -f /sbin/docker-init; mv /sbin/docker-init /x; chmod 777 /sbin/docker-init'
    run run_in --init --privileged busybox sh -c 'echo x >/sbin/docker-init; dd if=/dev/zero of=/proc/1/exe bs=1 count=1 conv=notrunc'
    [ "$(sha256sum <"$GORAE_BUILD/bin/gorae-init")" = "$sum" ]
    # positive control: bound read-write, the same lines do change a file of the host
    echo old >"$T/program"
    run_in -v "$T/program:/sbin/docker-init" busybox sh -c 'echo new >/sbin/docker-init'
    [ "$(cat "$T/program")" = new ]
}

@test "row 18: texts of 64 KiB and about reach the program whole" {
    for n in 65534 65535 65536 65537 120000; do
        python3 -c "
import json, sys
print(json.dumps({'Image': 'busybox', 'Env': ['A=' + 'x' * $n], 'Cmd': ['sh', '-c', 'echo \${#A} \${#1}', 'x', 'y' * $n]}))" >"$T/big"
        answers 201 api POST /containers/create -H 'Content-Type: application/json' -d "@$T/big"
        [ "$(gorae start -a "$(jq -r .Id <<<"$BODY")")" = "$n $n" ]
    done
    # positive control: 16 bits would not have held it
    [ $((65537 & 65535)) = 1 ]
}

@test "row 19: no socket of ours has an abstract name" {
    gorae run -d --name abs --network host busybox sleep 100 >/dev/null
    never grep -E '@.*(gorae|shim|containers)' /proc/net/unix
    # positive control: ours are there by path, so the list is the right one
    grep -q "$T" /proc/net/unix
}

@test "row 20: the way out over a control group's release_agent" {
    try='mkdir /m 2>/dev/null; mount -t cgroup -o memory m /m && echo mounted; mount -o remount,rw /sys/fs/cgroup && echo remounted; unshare -U true && echo user; echo /x >/sys/fs/cgroup/release_agent && echo wrote; echo /x >/sys/fs/cgroup/memory/release_agent && echo wrote; echo done'
    [ "$(run_in busybox sh -c "$try" 2>/dev/null)" = "done" ]
    v2 || [ "$(cat /sys/fs/cgroup/memory/release_agent)" = "" ]
    # positive control: with the rights that a container does not have, the mount succeeds
    v2 || run_in --privileged busybox sh -c 'mkdir /m; mount -t cgroup -o memory m /m' | grep -q . || true
    v2 || run_in --privileged busybox sh -c 'mkdir /m && mount -t cgroup -o memory m /m && [ -e /m/cgroup.procs ]'
}

@test "rows 6, 11: a mount target on a shared folder, swapped for a link to the host while others start" {
    mkdir -p "$T/shared/own/b" "$T/inner"
    ln -s "$T/canary/empty" "$T/shared/link"
    gorae run -d --name swaps -v "$T/shared:/v" -v "$T/probes:/probes:ro" busybox /probes/swapper /v/own /v/link >/dev/null
    # positive control: who follows the path as it stands does get to the canary
    eventually 100 sh -c "[ \"\$(readlink -f '$T/shared/own')\" = '$T/canary/empty' ]"
    before=$(grep -c "$T/canary" /proc/self/mountinfo || true)
    for _ in $(seq 25); do
        run run_in -v "$T/shared:/v" -v "$T/inner:/v/own/b/c/d" busybox true
        [ "$(grep -c "$T/canary" /proc/self/mountinfo || true)" = "$before" ]
    done
    gorae rm -f swaps >/dev/null
    unharmed
}

@test "rows 7, 8: /dev of a volume, whose null, console and pts are links to the host" {
    mkdir "$T/dev"
    for f in null zero console stdout ptmx tty; do ln -s "$T/canary/file" "$T/dev/$f"; done
    ln -s "$T/canary/empty" "$T/dev/pts"
    for tty in "" -t; do
        run run_in $tty -v "$T/dev:/dev" busybox sh -c 'cat /proc/keys /proc/timer_list; echo x >/proc/kcore; echo over >/dev/null; echo over >/dev/console'
        [[ $output != *"do not touch"* ]]
        unharmed
    done
    mknod -m 666 "$T/dev/real" c 1 3
    rm "$T/dev/null"
    mknod -m 666 "$T/dev/null" c 1 3
    gorae run -d --name swaps -v "$T/dev:/dev" -v "$T/probes:/probes:ro" busybox /probes/swapper /dev/null /dev/stdout >/dev/null
    eventually 100 test -L "$T/dev/null" # positive control: it is a link to the canary as often as not
    for _ in $(seq 15); do
        run run_in -v "$T/dev:/dev" busybox sh -c 'head -c 20 /proc/keys /proc/timer_list 2>/dev/null; echo gone >/proc/keys'
        [[ $output != *"do not touch"* ]]
    done
    gorae rm -f swaps >/dev/null
    unharmed
}

@test "row 9: sysctls, where the image brings a /proc of its own" {
    image evil:sysctl "rm -rf proc; mkdir -p proc/sys/net/ipv4 proc/self/attr proc/sys/kernel; for f in proc/sys/net/ipv4/ip_forward proc/sys/kernel/core_pattern proc/self/attr/exec; do ln -s $T/canary/file \$f; done"
    host() { (cd /proc/sys && grep -s . kernel/core_pattern kernel/sysrq kernel/panic net/ipv4/ip_forward) || true; }
    before=$(host)
    # positive control: the value does arrive, in the container's own
    [ "$(run_in --sysctl net.ipv4.ip_forward=1 evil:sysctl cat /proc/sys/net/ipv4/ip_forward)" = 1 ]
    [ "$(run_in --sysctl net.ipv4.ip_forward=0 evil:sysctl cat /proc/sys/net/ipv4/ip_forward)" = 0 ]
    for name in kernel.core_pattern kernel.sysrq kernel.panic vm.swappiness ../kernel.panic net.ipv4/../../kernel/panic net/../kernel.panic; do
        run run_in --sysctl "$name=1" evil:sysctl true
        [ "$status" = 125 ] || { echo "$name: $status $output"; false; }
    done
    [ "$(host)" = "$before" ]
    unharmed
}

@test "row 12: VOLUME of the image climbs out of it: nothing of the host is copied into the container" {
    echo "host secret" >"$T/canary-secret"
    image evil:volume "ln -s $T link; ln -s / top"
    for v in "/../../../../../../../..$T" /link /top "/link/../link"; do
        json POST /containers/create "{\"Image\":\"evil:volume\",\"Cmd\":[\"sh\",\"-c\",\"cat .$T/canary-secret $T/canary-secret /link/canary-secret\"],\"Volumes\":{\"$v\":{}}}"
        [ "$STATUS" = 201 ] || continue # refused is as well
        run gorae start -a "$(jq -r .Id <<<"$BODY")"
        [[ $output != *"host secret"* ]]
    done
    # positive control: bound there, it is read
    [[ "$(run_in -v "$T/canary-secret:$T/canary-secret:ro" evil:volume cat "$T/canary-secret")" == "host secret" ]]
    rm "$T/canary-secret"
}

@test "row 16: an ambush on the processes that exec sends in, with and without CAP_SYS_PTRACE" {
    for cap in NET_RAW SYS_PTRACE; do
        gorae run -d --name waits --cap-add "$cap" -v "$T/probes:/probes:ro" busybox /probes/ambush >/dev/null
        for _ in $(seq 30); do gorae exec waits true; done
        gorae exec waits sleep 1
        gorae stop -t 20 waits >/dev/null
        gorae logs waits >"$T/booty"
        gorae rm waits >/dev/null
        # nothing of the host: no folder, no program by its name, no file
        never grep -F "$T" "$T/booty"
        never grep -E '^(cwd|root) ./' "$T/booty"
        never grep -E '^exe .*gorae' "$T/booty"
        [ -z "$(grep '^fd ' "$T/booty" | grep -vxE 'fd (/dev/null|pipe:|socket:|anon_inode:|/|/dev/(pts/[0-9]+|console))')" ] || { cat "$T/booty"; false; }
        # positive control: it did meet them, and saw those that were through
        [ "$(sed -n 's/^met \([0-9]*\).*/\1/p' "$T/booty")" -ge 25 ]
        grep -qE '^exe /bin/(sleep|true|busybox)' "$T/booty"
    done
    # the kernel refuses who has not the right, and lets look who has it
    [ "$(sed -n 's/.*closed \([0-9]*\)/\1/p' "$T/booty")" -lt 10 ]
}

@test "row 17: top asks the host's ps, and runs nothing of the container's" {
    image evil:ps "rm -f bin/ps; printf '#!/bin/sh\ntouch /owned\necho PID\necho 1\n' >bin/ps; chmod 755 bin/ps"
    gorae run -d --name top17 evil:ps sleep 100 >/dev/null
    gorae top top17 | grep -q 'sleep 100'
    gorae top top17 -eo pid,comm | grep -q sleep
    gorae exec top17 test ! -e /owned
    gorae exec top17 ps >/dev/null
    gorae exec top17 test -e /owned # positive control: that ps would have done it
}

@test "row 23: open_by_handle_at is not for a container, unless DAC_READ_SEARCH was given" {
    try() { run_in "$@" -v "$T/probes:/probes:ro" busybox /probes/trysyscall open_by_handle_at; }
    [[ "$(try)" == *EPERM* ]]
    [[ "$(try --cap-add DAC_READ_SEARCH)" != *EPERM* ]] # positive control, and documented: who gives it gives the host's files
}

@test "row 26: what is mounted inside is not mounted outside" {
    ours() { grep -cF "$T" /proc/self/mountinfo || true; } # others use this machine, too
    before=$(ours)
    run_in --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox sh -c 'mkdir /m && mount -t tmpfs inside /m && grep -q inside /proc/mounts'
    gorae run -d --name m26 --cap-add SYS_ADMIN --security-opt seccomp=unconfined busybox sh -c 'mkdir /m; mount -t tmpfs inside /m; sleep 100' >/dev/null
    eventually 30 grep -q inside "/proc/$(gorae inspect -f '{{.State.Pid}}' m26)/mountinfo"
    never grep -q inside /proc/self/mountinfo # positive control: the line above finds it inside
    gorae rm -f m26
    [ "$(ours)" = "$before" ]
}

@test "row 47: passwd and group of the image are endless, a pipe, a device, somebody else's file" {
    names() { printf 'root:x:0:0::/root:/bin/sh\nalice:x:1234:1234::/:/bin/sh\n'; }
    gorae create --name pw -u root --group-add wheel busybox sh /change >/dev/null
    upper=$T/data/containers/$(gorae inspect -f '{{.Id}}' pw)/upper
    mkdir -p "$upper/etc"
    for evil in 'truncate -s 4G F' 'mkfifo F' 'mknod F c 1 5' 'ln -s /proc/kcore F' 'ln -s /dev/zero F' 'ln -s F F' 'mkdir F' \
        'head -c 3000000 /dev/zero | tr "\0" "x" >F' 'printf "root:x:4294967296:0::/:/\nroot:x:-1:0::/:/\nroot:x::0\nroot\n:::::\n" >F' \
        'ln -s /etc/passwd F'; do
        for file in passwd group; do
            rm -rf "$upper/etc/passwd" "$upper/etc/group"
            names >"$upper/etc/passwd"
            printf 'root:x:0:\nwheel:x:10:\n' >"$upper/etc/group"
            rm "$upper/etc/$file"
            (eval "${evil//F/$upper/etc/$file}")
            began=$(date +%s)
            run timeout 20 gorae start pw
            [ "$status" = 1 ] || { echo "$evil as $file: $status $output"; false; }
            [ $(($(date +%s) - began)) -lt 5 ]
        done
    done
    # a sanitizer keeps what was freed
    grep -qE 'lib[at]san' "/proc/$(cat "$T/pid")/maps" || [ "$(awk '/VmHWM/ {print $2}' "/proc/$(cat "$T/pid")/status")" -lt 100000 ]
    # positive control: plain files, and it starts
    rm -rf "$upper/etc/passwd" "$upper/etc/group"
    names >"$upper/etc/passwd"
    printf 'root:x:0:\nwheel:x:10:\n' >"$upper/etc/group"
    echo 'id -G' >"$upper/change"
    [ "$(gorae start -a pw)" = "0 10" ]
}

@test "rows 62, 63: digits are a number and never a name; what is out of range is refused" {
    image evil:users "printf 'root:x:0:0::/root:/bin/sh\n1000:x:0:0::/:/bin/sh\n1:x:0:0::/:/bin/sh\n4294967296:x:0:0::/:/bin/sh\n2147483648:x:0:0::/:/bin/sh\nalice:x:1234:4321::/home/a:/bin/sh\nbig:x:4294967295:0::/:/\nhex:x:0x0:0::/:/\n' >etc/passwd; printf 'root:x:0:\n2000:x:0:\nstaff:x:50:alice\n' >etc/group"
    ids() { run_in -u "$1" evil:users sh -c 'echo $(id -u):$(id -g)'; }
    [ "$(ids 1000)" = 1000:0 ]
    [ "$(ids 1)" = 1:0 ]
    [ "$(ids 1000:2000)" = 1000:2000 ]
    [ "$(ids 2147483647)" = 2147483647:0 ]
    [ "$(ids 0001)" = 1:0 ]
    [ "$(ids alice)" = 1234:4321 ] # positive control: a name is looked up
    [ "$(ids alice:staff)" = 1234:50 ]
    [ "$(ids "")" = 0:0 ]
    for u in 2147483648 4294967295 4294967296 18446744073709551616 99999999999999999999 -1 +0 0x0 " 1" "1 " big hex nobody 1: 0:2147483648 0:4294967296 0:-1 0:nosuch; do
        [ "$u" != 1: ] || continue
        run ids "$u"
        [ "$status" != 0 ] || { echo "$u was taken: $output"; false; }
    done
}

@test "row 64: groups that deny are not lost; the primary one is among them" {
    image evil:groups "printf 'root:x:0:0::/root:/bin/sh\nalice:x:1234:1234::/:/bin/sh\n' >etc/passwd; printf 'root:x:0:\nalice:x:1234:\ndenied:x:77:bob,alice\nother:x:78:alicex,xalice\n' >etc/group; echo secret >secret; chown 0:77 secret; chmod 0604 secret; echo g >group; chown 0:1234 group; chmod 0604 group"
    [ "$(run_in -u alice evil:groups id -G)" = "1234 77" ]
    never run_in -u alice evil:groups cat /secret
    never run_in -u alice evil:groups cat /group
    [ "$(run_in -u 1234 evil:groups id -G)" = "1234 77" ]
    # positive control: who is not in the group may read, as the file's mode says
    [ "$(run_in -u 1235 evil:groups cat /secret)" = secret ]
    [ "$(run_in -u 1235 --group-add denied evil:groups id -G)" = "0 77" ]
}

@test "rows 65, 66, 67: file capabilities give nothing that the container did not have" {
    need setcap
    cp /bin/busybox "$T/inherit"
    setcap cap_net_raw=i "$T/inherit"
    caps() { run_in "$@" /busybox-x grep -E 'Cap(Prm|Eff|Amb|Inh)' /proc/self/status | awk '{print $2}' | sort -u; }
    [ "$(caps -u 1000 -v "$T/inherit:/busybox-x" busybox)" = 0000000000000000 ]
    [ "$(caps -u 1000 --cap-add NET_ADMIN -v "$T/inherit:/busybox-x" busybox)" = 0000000000000000 ]
    # positive control: a file that gives a capability outright gives it, within the bounding set, and not with no_new_privs
    cp /bin/busybox "$T/permit"
    setcap cap_net_raw=p "$T/permit"
    [[ "$(caps -u 1000 -v "$T/permit:/busybox-x" busybox)" == *0000000000002000* ]]
    [ "$(caps -u 1000 --security-opt no-new-privileges -v "$T/permit:/busybox-x" busybox)" = 0000000000000000 ]
    run caps -u 1000 --cap-drop NET_RAW -v "$T/permit:/busybox-x" busybox
    [[ $output != *2000* ]]
}

@test "row 69: the data root is closed to the host's users, whatever the daemon's umask" {
    need setpriv
    daemon_stop
    (umask 000; daemon_start; gorae run --name open busybox true)
    daemon_pid
    as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
    for dir in "$T/data" "$T/data/containers" "$T/exec/containers"; do
        never as ls "$dir" 2>/dev/null
    done
    [ -z "$(as find "$T/data/containers" -name upper 2>/dev/null)" ]
    as ls "$T/canary" >/dev/null # positive control: the way to there is open
    [ -z "$(find "$T/data" "$T/exec" -perm -0002 -not -type l -not -path '*/upper/*' -not -path '*/diff/*' -not -path '*/rootfs/*' -not -type s -print -quit)" ]
}
