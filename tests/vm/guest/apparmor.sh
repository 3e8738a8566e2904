#!/bin/bash
# AppArmor is on in this kernel, as on every Debian and Ubuntu machine. gorae brings no profile: its containers are confined by
# what README.md says, and by AppArmor only as far as goraed is (not at all). It does not claim otherwise.
. /run/lane/lib.sh

unconfined() {
    [ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ]
    systemctl is-active apparmor
    [ "$(cat "/proc/$(main_pid)/attr/apparmor/current")" = unconfined ]
    box --name plain busybox sleep 100000
    [ "$(cat "/proc/$(pid_of plain)/attr/apparmor/current")" = unconfined ]
    [ -z "$(gorae inspect -f '{{.AppArmorProfile}}' plain)" ]
    gorae info -f '{{.SecurityOptions}}' | grep -v apparmor
    gorae rm -f plain
}
check "with AppArmor on, containers run, and are not said to have a profile" unconfined

by_name() {
    gorae run --rm --network none --security-opt apparmor=unconfined busybox true
    gorae run --rm --network none --security-opt apparmor=docker-default busybox true >out 2>&1 && return 1
    grep -i apparmor out
    [ "$(gorae ps -aq | wc -l)" = 0 ]
}
check "a profile that is asked for is refused by name, and unconfined is not" by_name

# Ubuntu from 23.10 on lets unconfined programs without root's rights make no user namespace with rights in it. goraed runs as
# root and makes none at all, so this changes nothing for it; a Debian kernel does not have the setting to try it with.
namespaces() {
    never test -e /proc/sys/kernel/apparmor_restrict_unprivileged_userns
    box --name plain busybox sleep 100000
    [ "$(readlink "/proc/$(pid_of plain)/ns/user")" = "$(readlink /proc/self/ns/user)" ]
    gorae rm -f plain
}
check "no user namespace is made, so none can be forbidden" namespaces
