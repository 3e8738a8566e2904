#!/bin/bash
# On a machine that has never seen gorae: one package, and it runs.
. /run/lane/lib.sh

controllers() {
    [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]
    for c in cpuset cpu io memory pids; do grep -qw "$c" /sys/fs/cgroup/cgroup.controllers; done
}
check "the machine has version 2 of control groups, and all of them" controllers

install() { DEBIAN_FRONTEND=noninteractive apt-get install -y ./gorae.deb; }
check "apt installs the package, without a network" install

started() {
    systemctl is-active goraed.socket
    within 30 systemctl is-active goraed
    systemctl is-enabled goraed.service
    systemctl status --no-pager goraed | grep 'Active: active (running)'
    [ "$(systemctl show -P Type goraed)" = notify ]
    [ "$(cat "/proc/$(main_pid)/comm")" = goraed ]
    gorae version
}
check "systemd has started the daemon, which said that it is ready" started

socket() {
    [ "$(stat -c '%a %U %G' /run/gorae.sock)" = "660 root gorae" ]
    [ "$(curl -s --unix-socket /run/gorae.sock http://d/_ping)" = OK ]
    never runuser -u nobody -- curl -s --unix-socket /run/gorae.sock http://d/_ping
    runuser -u nobody -g gorae -- curl -s --unix-socket /run/gorae.sock http://d/_ping
}
check "the socket is there for root and the group gorae, and for nobody else" socket

first_run() {
    import_busybox
    [ "$(gorae run --rm busybox echo hello)" = hello ]
    [ "$(gorae info -f '{{.CgroupVersion}} {{.CgroupDriver}}')" = "2 cgroupfs" ]
    judge
}
check "gorae run" first_run
