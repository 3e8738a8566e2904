# Shared by the files here: what tests/e2e has, and the peers. bats cannot skip in setup_file: where a peer is missing that
# makes nothing, and `need` in setup skips each test.
load ../e2e/lib

# goraed as the daemon that the stock client finds
ours_for_docker() {
    here docker || return 0
    daemon_dirs
    daemon_start
    export DOCKER_HOST=unix://$SOCK
    import_busybox docker
}

# dockerd_start [options]: a stock dockerd at $T/ds, which touches nothing of the machine's network
dockerd_start() {
    dockerd -H "unix://$T/ds" --data-root "$T/dd" --exec-root "$T/de" --pidfile "$T/dp" --bridge=none --iptables=false \
        --cgroup-parent "$CGROUP-d" "$@" >"$T/dlog" 2>&1 3>&- &
    eventually 300 curl -sf --unix-socket "$T/ds" http://d/_ping || { tail "$T/dlog"; return 1; }
}
dockerd_stop() {
    [ -e "$T/dp" ] || return 0
    kill -TERM "$(cat "$T/dp")"
    eventually 300 never test -e "$T/dp"
    # it leaves its parent of control groups to whoever named it
    find /sys/fs/cgroup -maxdepth 3 -depth -type d -name "${CGROUP#/}-d" -exec rmdir {} \; 2>/dev/null || true
}
