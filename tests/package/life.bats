#!/usr/bin/env bats
# The package's life on a small Debian without systemd: installed, upgraded, removed, purged, by dpkg itself, in a mount and a
# pid namespace of its own. systemd's half is in the VM's lane.
load ../e2e/lib

setup_file() {
    deb=$(echo "$GORAE_BUILD"/gorae_*.deb)
    "$GORAE_REPO/tests/package/debian.sh" "$GORAE_BUILD/debian" "$deb"
    T=$(mktemp -d /tmp/gorae-package.XXXXXX)
    R=$T/root
    CGROUP=/gorae-$(basename "$T" | tr -dc 'A-Za-z0-9')
    export T R CGROUP
    # Its process 1 keeps the namespaces; when it ends, all that runs in them ends.
    unshare --mount --pid --fork --kill-child sh -ec '
        mkdir "$R"
        mount -t tmpfs disk "$T"; mkdir "$T/up" "$T/work" "$R"
        mount -t overlay -o "lowerdir=$1,upperdir=$T/up,workdir=$T/work" root "$R"
        mount -t proc proc "$R/proc"
        mount --rbind /sys "$R/sys"
        mount --rbind /dev "$R/dev"
        mount -t tmpfs run "$R/run"
        mkdir "$R/var/lib/gorae.disk"
        mount -t tmpfs disk "$R/var/lib/gorae.disk" # overlays cannot be stacked on the root, which is one
        : >"$R/ready"
        exec sleep 1000' _ "$GORAE_BUILD/debian" 3>&- &
    echo $! >"$T.pid" # beside the folder, which is another one inside
    eventually 100 test -e "/proc/$(cat "$T.pid")/task/$(cat "$T.pid")/children"
    eventually 100 inside test -e /ready
    cp "$deb" "$(outside /first.deb)"
    mkdir "$(outside /x)"
    dpkg-deb -R "$deb" "$(outside /x)"
    sed -i 's/^Version: .*/&+next/' "$(outside /x)/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone -b "$(outside /x)" "$(outside /next.deb)" >/dev/null
    rm -rf "$(outside /x)"
    cp "$(busybox_tar)" "$(outside /busybox.tar)"
}
teardown_file() {
    kill -KILL "$(cat "$T.pid")" 2>/dev/null # unshare passes over other signals
    wait 2>/dev/null
    rm -f "$T.pid"
    local left
    left=$(find /sys/fs/cgroup -maxdepth 3 -type d -name "${CGROUP#/}")
    for c in $left; do find "$c" -depth -type d -exec rmdir {} + 2>/dev/null; done
    rm -rf "$T"
    [ -z "$left" ] || { echo "cgroups were left: $left"; return 1; }
}

init() { cat "/proc/$(cat "$T.pid")/task/$(cat "$T.pid")/children" | tr -d ' '; }
outside() { echo "/proc/$(init)/root$R$1"; }
inside() { nsenter -t "$(init)" -m -p env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C chroot "$R" "$@" 3>&-; }
# policy 104 lets maintainer scripts start services, 101 does not: as the administrator of a chroot says it (invoke-rc.d(8))
policy() { printf '#!/bin/sh\nexit %s\n' "$1" >"$(outside /usr/sbin/policy-rc.d)"; chmod 755 "$(outside /usr/sbin/policy-rc.d)"; }
files() { inside find / -xdev \( -path /var/lib/dpkg -o -path /var/log -o -path /tmp -o -path /var/cache \) -prune -o -print |
    grep -vx '/etc/gshadow-\|/etc/group-' | sort; } # adduser's own copies
ours() { inside sh -c 'for p in /proc/[0-9]*; do readlink $p/exe; done 2>/dev/null | grep gorae'; }
pid_of() { inside gorae inspect -f '{{.State.Pid}}' "$1"; }

@test "installed where services may not start: all is in its place, and nothing runs" {
    policy 101
    files >"$T/before"
    inside dpkg -i /first.deb
    inside getent group gorae
    [ -z "$(inside getent group gorae | cut -d: -f4)" ]
    inside test -L /etc/systemd/system/multi-user.target.wants/goraed.service
    inside test -L /etc/systemd/system/sockets.target.wants/goraed.socket
    inside sh -c 'ls /etc/rc2.d/S??goraed /etc/rc0.d/K??goraed'
    run inside service goraed status
    [ "$status" = 3 ]
    never ours
}

@test "an upgrade leaves containers running, and the administrator's settings" {
    policy 104
    echo "GORAE_OPTS='--cgroup-parent $CGROUP --data-root /var/lib/gorae.disk/data'" >>"$(outside /etc/default/goraed)"
    inside service goraed start
    inside gorae import /busybox.tar busybox
    inside gorae run -d --name web busybox sh -c 'trap "exit 7" TERM; echo on; while :; do sleep 0.1; done'
    local web daemon
    web=$(pid_of web)
    daemon=$(inside cat /run/gorae.pid)
    [ "$web" -gt 1 ]
    inside dpkg -i /next.deb
    [ "$(inside dpkg-query -W -f '${Version}' gorae)" = "$(dpkg-deb -f "$(outside /next.deb)" Version)" ]
    [ "$(inside cat /run/gorae.pid)" != "$daemon" ]
    [ "$(pid_of web)" = "$web" ]
    [ "$(inside gorae inspect -f '{{.State.Status}}' web)" = running ]
    inside grep -q "cgroup-parent $CGROUP" /etc/default/goraed
    inside grep -q 'containers are left running' /var/log/gorae.log
    # whoever reads its standard output still does, and it can be stopped as ever
    inside gorae exec web true
    [ "$(inside gorae logs web)" = on ]
}

@test "a daemon that was stopped is started by an upgrade, as any service" {
    inside service goraed stop
    [ -z "$(ours)" ]
    inside dpkg -i /next.deb
    inside gorae version
    [ "$(inside gorae inspect -f '{{.State.Status}} {{.State.ExitCode}}' web)" = "exited 7" ]
}

@test "a removal stops the daemon and its containers, and keeps what they are made of" {
    inside gorae start web
    inside dpkg -r gorae
    never ours
    never inside test -e /usr/bin/goraed
    inside test -s /etc/default/goraed
    inside test -d /var/lib/gorae.disk/data/containers
    inside dpkg -i /first.deb
    [ "$(inside gorae inspect -f '{{.State.Status}} {{.State.ExitCode}}' web)" = "exited 7" ]
}

@test "a removal stops the containers of a daemon with live-restore, too" {
    echo '{"live-restore": true}' >"$(outside /etc/gorae/daemon.json)"
    inside service goraed restart
    inside gorae start web
    # root's own client looks at another machine (README: contexts)
    inside gorae context create lab7 --docker host=unix:///nowhere/gorae.sock
    inside gorae context use lab7
    inside grep -q '"currentContext": *"lab7"' /root/.docker/config.json
    never inside gorae version
    inside dpkg -r gorae
    inside rm -r /root/.docker
    never ours
}

@test "a purge leaves nothing of it, and touches nothing else" {
    inside dpkg -i /first.deb
    inside service goraed stop
    # a folder of the administrator's is mounted below what is deleted
    inside sh -c 'mkdir -p /srv/precious "/var/lib/gorae/a b" && echo mine >/srv/precious/file && mount --bind /srv/precious "/var/lib/gorae/a b"'
    inside sh -c 'echo key >/etc/gorae/key.pem; echo old >/var/log/gorae.log.1'
    inside dpkg -P gorae
    never ours
    [ "$(inside cat /srv/precious/file)" = mine ]
    never inside sh -c 'ls -d /var/lib/gorae /etc/gorae /run/gorae /run/gorae.sock /run/gorae.pid /var/log/gorae*'
    inside rm -r /srv/precious
    files >"$T/after"
    run diff "$T/before" "$T/after"
    echo "$output"
    [ "$status" = 0 ]
    inside getent group gorae
}

@test "neither leaves anything where the daemon had never run" {
    policy 101
    inside dpkg -i /first.deb
    inside dpkg -P gorae
    never inside test -e /var/lib/gorae
}
