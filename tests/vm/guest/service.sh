#!/bin/bash
# The daemon as a service of systemd, and what becomes of the containers meanwhile.
. /run/lane/lib.sh

new_pid() { local now; now=$(main_pid); [ "$now" != 0 ] && [ "$now" != "$1" ] && gorae version; }

killed() {
    box --name lives busybox sleep 100000
    pid_of lives >lives.pid
    local was
    was=$(main_pid)
    kill -KILL "$was"
    within 60 new_pid "$was"
    is lives running
    [ "$(pid_of lives)" = "$(cat lives.pid)" ]
    judge
}
check "a daemon that is killed is started again, and its containers never noticed" killed

watchdog() {
    forget_starts
    mkdir -p /run/systemd/system/goraed.service.d
    printf '[Service]\nWatchdogSec=4\n' >/run/systemd/system/goraed.service.d/soon.conf
    systemctl daemon-reload
    systemctl restart goraed
    within 60 gorae version
    [ "$(systemctl show -P WatchdogUSec goraed)" = 4s ]
    local was
    was=$(main_pid)
    sleep 9
    [ "$(main_pid)" = "$was" ]
    kill -STOP "$was"
    within 90 new_pid "$was"
    journalctl -u goraed --no-pager | grep -i 'watchdog timeout'
    rm -r /run/systemd/system/goraed.service.d
    systemctl daemon-reload
    systemctl restart goraed
}
check "a daemon that hangs is found by the watchdog, and one that does not is left alone" watchdog

activation() {
    forget_starts
    gorae rm -f lives
    systemctl stop goraed.service
    never systemctl is-active goraed.service
    systemctl is-active goraed.socket
    gorae version
    systemctl is-active goraed.service
}
check "the first word on the socket starts the daemon" activation

# Whatever becomes of the check, the daemon has its old settings afterwards.
reload() {
    forget_starts
    cp /etc/gorae/daemon.json daemon.json.was
    trap 'cp daemon.json.was /etc/gorae/daemon.json; forget_starts; systemctl restart goraed.socket goraed.service' EXIT
    echo '{"debug": true}' >/etc/gorae/daemon.json
    systemctl reload goraed
    within 20 sh -c 'journalctl -u goraed --no-pager | grep "reloaded; changed: debug"'
    [ "$(gorae info -f '{{.Debug}}')" = true ]
    echo '{"debug": tru' >/etc/gorae/daemon.json
    systemctl reload goraed
    within 20 sh -c 'journalctl -u goraed --no-pager | grep "the old settings stay"'
    [ "$(gorae info -f '{{.Debug}}')" = true ]
    never systemctl restart goraed
    journalctl -u goraed --no-pager -n 20 | grep 'daemon.json: invalid JSON: line 1 column 13'
}
check "reload takes what is right, and refuses what is broken by name" reload

stop_systemctl() {
    forget_starts
    box --name asked --stop-signal TERM busybox sh -c 'trap "echo was asked; exit 5" TERM; while :; do sleep 0.2; done'
    box --name forced --stop-timeout 1 busybox sleep 100000
    systemctl stop goraed.service goraed.socket
    nothing_left
    [ ! -e /run/gorae.sock ]
    systemctl start goraed.socket goraed.service
    [ "$(gorae inspect -f '{{.State.ExitCode}}' asked)" = 5 ]
    gorae logs asked | grep 'was asked'
    [ "$(gorae inspect -f '{{.State.ExitCode}}' forced)" = 137 ]
    gorae rm asked forced
}
check "systemctl stop leaves no process, mount, link or control group" stop_systemctl

stop_service() {
    box --name again --restart always --stop-timeout 1 busybox sleep 100000
    systemctl stop goraed.socket
    service goraed stop
    nothing_left
    service goraed start
    within 30 is again running
    service goraed status
    gorae rm -f again
    judge
}
check "service goraed stop leaves nothing either, and start brings back who is to come back" stop_service
