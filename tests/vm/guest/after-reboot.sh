#!/bin/bash
# The machine was switched off in order and on again: nobody has asked the daemon for anything yet.
. /run/lane/lib.sh

up() {
    never cmp /proc/sys/kernel/random/boot_id /var/lib/boot-before
    systemctl is-active goraed
    gorae version
}
check "after a reboot the daemon is up by itself" up

# As Docker: what "always" has was stopped by hand comes back with the daemon; a machine that goes down is no stop by hand.
back() {
    gorae ps -a
    within 60 is run-always running
    within 60 is run-unless-stopped running
    within 60 is stop-always running
    is run-no exited
    is stop-no exited
    is stop-unless-stopped exited
    for p in no on-failure always unless-stopped; do is "made-$p" created; done
    gorae ps | grep run-always
    [ "$(gorae exec run-always echo here)" = here ]
}
check "after a reboot gorae ps shows those whose policy says so, and no others" back

whole() {
    judge
    gorae ps -aq | xargs gorae rm -f
    judge
}
check "after a reboot everything has a record" whole
