#!/usr/bin/env bats
# The daemon as a service: the init script's words and codes, and the units as systemd reads them.
load lib

setup_file() {
    daemon_dirs
    cat >"$T/defaults" <<D
DAEMON=$(command -v goraed)
PIDFILE=$T/pid
LOGFILE=$T/log
GORAE_OPTS="-H unix://$SOCK --data-root $T/data --exec-root $T/exec --cgroup-parent $CGROUP"
D
}
teardown_file() { daemon_end; }

# $DEFAULTS: other settings than the usual
service() { GORAE_DEFAULTS=${DEFAULTS:-$T/defaults} "$GORAE_REPO/src/service/goraed.init" "$@" 3>&-; }

@test "start, status, restart, reload, stop, and their codes" {
    run service status
    [ "$status" = 3 ]
    run service reload
    [ "$status" = 7 ]
    service start
    gorae version
    run service status
    [ "$status" = 0 ]
    [[ $output == *"pid $(cat "$T/pid")"* ]]
    run service start
    [ "$status" = 0 ]
    [[ $output == *"runs already"* ]]
    import_busybox
    gorae run -d --name web --restart always busybox sleep 1000 >/dev/null
    local before
    before=$(cat "$T/pid")
    service restart
    gorae version
    [ "$(cat "$T/pid")" != "$before" ]
    eventually 40 sh -c '[ "$(gorae ps -q | wc -l)" = 1 ]' # as after a reboot
    service reload
    eventually 40 grep -q reloaded "$T/log"
    gorae rm -f web
    service stop
    run service status
    [ "$status" = 3 ]
    service stop
    run service nonsense
    [ "$status" = 2 ]
}

@test "restart: the pid file goes before the process, and the process is what is waited for" {
    need strace
    cat >"$T/slow-end" <<D
#!/bin/sh
exec strace -D -f -qq -o /dev/null -e trace=exit_group -e inject=exit_group:delay_enter=1500000 $(command -v goraed) "\$@"
D
    chmod +x "$T/slow-end"
    sed "s|^DAEMON=.*|DAEMON=$T/slow-end|" "$T/defaults" >"$T/slow-defaults"
    DEFAULTS=$T/slow-defaults
    service start
    service restart
    gorae version
    service stop
}

@test "installed, service(8) finds it by the name goraed, without anything of ours in the environment" {
    [ ! -d /run/systemd/system ] || skip "systemd answers service(8) here"
    make -s -o all -C "$GORAE_REPO" BUILD="$GORAE_BUILD" DESTDIR="$T/root" install-service >/dev/null
    cp "$T/defaults" "$T/root/etc/default/goraed"
    grep -qx '# Provides: *goraed' "$T/root/etc/init.d/goraed"
    # a mount namespace of its own, so that the machine's /etc stays as it is
    unshare -m sh -ec 'mount --bind "$1/etc/init.d" /etc/init.d; mount --bind "$1/etc/default" /etc/default
        ! service goraed status
        service goraed start
        service goraed status
        service goraed restart
        service goraed stop
        ! service goraed status' sh "$T/root" >"$T/said" 3>&-
    [ "$(grep -c 'goraed: the daemon runs, pid' "$T/said")" = 1 ]
    [ "$(grep -c 'goraed: the daemon does not run' "$T/said")" = 2 ]
}

@test "handover: a new daemon, the same containers" {
    service start
    gorae version
    gorae run -d --name web busybox sh -c 'trap "exit 7" TERM; echo on; while :; do sleep 0.1; done' >/dev/null
    local before web
    before=$(cat "$T/pid")
    web=$(gorae inspect -f '{{.State.Pid}}' web)
    service handover
    gorae version
    [ "$(cat "$T/pid")" != "$before" ]
    [ "$(gorae inspect -f '{{.State.Running}} {{.State.Pid}}' web)" = "true $web" ]
    gorae stop web
    [ "$(gorae inspect -f '{{.State.ExitCode}}' web)" = 7 ]
    gorae rm web
    service stop
    # where nothing runs, there is nothing to hand over, and nothing is started
    service handover
    run service status
    [ "$status" = 3 ]
}

@test "SIGUSR2 ends the daemon in good order, and leaves the containers" {
    service start
    gorae version
    gorae run -d --name web busybox sleep 1000 >/dev/null
    local web
    web=$(gorae inspect -f '{{.State.Pid}}' web)
    local pid
    pid=$(cat "$T/pid")
    kill -USR2 "$pid"
    eventually 100 never kill -0 "$pid"
    never test -e "$T/pid"
    never test -e "$SOCK"
    kill -0 "$web"
    service start
    gorae version
    gorae rm -f web
    service stop
}

# settings LINE…: the usual ones and these, as $DEFAULTS
settings() {
    DEFAULTS=$T/settings
    { cat "$T/defaults"; printf '%s\n' "$@"; } >"$DEFAULTS"
}
# A daemon that takes its time between its pid file and its sockets.
slow() {
    printf '#!/bin/sh\necho $$ >"%s"\nsleep 1\nexec "%s" "$@"\n' "$T/pid" "$(command -v goraed)" >"$T/slow"
    chmod +x "$T/slow"
}

@test "start waits for the daemon to answer, whatever its log may say" {
    slow
    settings "DAEMON=$T/slow"
    service start
    gorae version
    service stop
    settings "DAEMON=$T/slow" 'GORAE_OPTS="$GORAE_OPTS --log-level error"'
    local from=$SECONDS
    rm -f "$T/log"
    service start
    gorae version
    never grep -q 'listens on' "$T/log"
    [ $((SECONDS - from)) -lt 20 ]
    service stop
    # one that is not ready in time is said to be so, and is not ended
    settings "DAEMON=$T/slow" START_SECONDS=0
    sed -i 's/sleep 1/sleep 3/' "$T/slow"
    run service start
    [ "$status" = 1 ]
    [[ $output == *"is not ready after 0 seconds"* ]]
    eventually 100 gorae version
    service stop
}

@test "start fails where the daemon fails after it has written its pid file: a port that is taken, a disk that cannot be written" {
    tls_files
    python3 -c '
import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen()
open(sys.argv[2], "w").write("there"); time.sleep(30)' "$PORT" "$T/there" 3>&- &
    local other=$!
    eventually 50 test -s "$T/there"
    # with TLS the daemon gives the port a second to become free
    settings "GORAE_OPTS=\"\$GORAE_OPTS -H tcp://127.0.0.1:$PORT --tlsverify --tlscacert $T/other/ca.pem --tlscert $T/other/localhost/cert.pem --tlskey $T/other/localhost/key.pem\""
    echo 'what an earlier daemon said' >"$T/log"
    run service start
    kill "$other"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"listen on tcp://127.0.0.1:$PORT: address already in use"* ]]
    [[ $output != *"an earlier daemon"* ]]
    mkdir "$T/disk"
    mount -t tmpfs -o ro none "$T/disk"
    settings "GORAE_OPTS=\"\$GORAE_OPTS --data-root $T/disk/data\""
    run service start
    umount "$T/disk"
    [ "$status" = 1 ]
    [[ $output == *"make folder $T/disk/data: read-only file system"* ]]
    run service status
    [ "$status" = 3 ]
}

@test "stop and restart wait for as long as a container may take to end, and say so" {
    settings TELL_SECONDS=1 STOP_SECONDS=1
    service start
    gorae run -d --name slow --stop-timeout 5 busybox sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
    eventually 50 sh -c 'gorae logs slow | grep -q ready'
    local before
    before=$(cat "$T/pid")
    run service restart
    echo "$output"
    [ "$status" = 0 ]
    [[ $output == *"the daemon, pid $before, still stops containers"* ]]
    [ "$(cat "$T/pid")" != "$before" ]
    [ "$(gorae inspect -f '{{.State.Status}} {{.State.ExitCode}}' slow)" = "exited 137" ]
    gorae rm slow
    service stop
}

@test "a start that fails says why, in its own words" {
    echo 'GORAE_OPTS="--nonsense"' >>"$T/defaults"
    run service start
    [ "$status" = 1 ]
    [[ $output == *"unknown option: --nonsense"* ]]
    echo 'DAEMON=/nowhere/goraed' >>"$T/defaults"
    run service start
    [ "$status" = 5 ]
}

@test "the units are what systemd understands" {
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze here"
    mkdir "$T/units"
    sed "s,/usr/sbin/goraed,$(command -v goraed)," "$GORAE_REPO/src/service/goraed.service" >"$T/units/goraed.service"
    cp "$GORAE_REPO/src/service/goraed.socket" "$T/units/"
    run systemd-analyze verify --man=no "$T/units/goraed.service" "$T/units/goraed.socket"
    echo "$output"
    never grep -E "goraed\.(service|socket):.*(Unknown|Failed|Invalid|ignoring)" <<<"$output"
}

@test "the unit lets containers take their time to end, and a daemon that cannot start is given up" {
    local unit=$GORAE_REPO/src/service/goraed.service
    grep -qx 'TimeoutStopSec=infinity' "$unit"
    [ "$(sed -n '/^\[Unit\]/,/^\[Service\]/p' "$unit" | grep -cxE 'StartLimitIntervalSec=60|StartLimitBurst=3')" = 2 ]
}
