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

service() { GORAE_DEFAULTS=$T/defaults "$GORAE_REPO/src/service/goraed.init" "$@" 3>&-; }

@test "start, status, restart, reload, stop, and their codes" {
    run service status
    [ "$status" = 3 ]
    run service reload
    [ "$status" = 7 ]
    service start
    eventually 40 gorae version
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
    eventually 40 gorae version
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
    eventually 40 gorae version
    gorae run -d --name web busybox sh -c 'trap "exit 7" TERM; echo on; while :; do sleep 0.1; done' >/dev/null
    local before web
    before=$(cat "$T/pid")
    web=$(gorae inspect -f '{{.State.Pid}}' web)
    service handover
    eventually 40 gorae version
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
    eventually 40 gorae version
    gorae run -d --name web busybox sleep 1000 >/dev/null
    local web
    web=$(gorae inspect -f '{{.State.Pid}}' web)
    kill -USR2 "$(cat "$T/pid")"
    eventually 100 never test -e "$T/pid"
    never test -e "$SOCK"
    kill -0 "$web"
    service start
    eventually 40 gorae version
    gorae rm -f web
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
    ! grep -E "goraed\.(service|socket):.*(Unknown|Failed|Invalid|ignoring)" <<<"$output"
}
