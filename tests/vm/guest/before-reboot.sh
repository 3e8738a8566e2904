#!/bin/bash
# Containers of every policy, for the boot that follows this one. See after-reboot.sh.
. /run/lane/lib.sh

leave() {
    local p
    for p in no on-failure always unless-stopped; do
        box --name "run-$p" --restart "$p" --stop-timeout 1 busybox sleep 100000
        box --name "stop-$p" --restart "$p" --stop-timeout 1 busybox sleep 100000
        gorae stop -t 0 "stop-$p"
        gorae create --name "made-$p" --restart "$p" --network none busybox sleep 100000
    done
    systemctl is-enabled goraed
    cat /proc/sys/kernel/random/boot_id >/var/lib/boot-before
}
check "containers of every policy run, are stopped, or were never started" leave
