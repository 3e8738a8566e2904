#!/usr/bin/env bats
# The whole life of a container (life.bash) with each pair of client and daemon: the stock client on ours, ours on ours, ours on
# the stock daemon, and there once more with our runtime below it. A pair passes when every check of the scenario does, but for
# the differences that it names itself.
bats_require_minimum_version 1.5.0
load ../e2e/lib

setup() { daemon_dirs; }
teardown() {
    if [ -e "$T/dp" ]; then
        kill -TERM "$(cat "$T/dp")"
        for _ in $(seq 300); do [ -e "$T/dp" ] || break; sleep 0.1; done
        find /sys/fs/cgroup -maxdepth 3 -depth -type d -name "${CGROUP#/}-d" -exec rmdir {} \; 2>/dev/null || true
    fi
    daemon_clean
}
# the whole text is in the failure's message; what passed is only counted
scenario() { # client, daemon's socket, daemon's name, fewest checks, parts
    local code=0
    "$GORAE_REPO/tests/compat/life.bash" "$1" "$2" "$3" "$T/w" "${5:-}" >"$T/life" 2>"$T/life.err" || code=$?
    grep -v '^ok ' "$T/life" >&2
    [ "$code" = 0 ] || cat "$T/life.err" >&2
    echo "# $(basename "$1") on $3: $(tail -n 1 "$T/life")" >&3
    [ "$(grep -cE '^(ok|differs) ' "$T/life")" -ge "$4" ]
    return "$code"
}
on_ours() {
    daemon_start
    import_busybox
    scenario "$1" "$SOCK" goraed 250
    daemon_stop
    judge_empty
}

@test "the life of a container: the stock client and goraed" {
    need docker
    on_ours docker
}

@test "the life of a container: gorae and goraed" {
    on_ours gorae
}

stock() { # [options of dockerd]
    dockerd -H "unix://$T/ds" --data-root "$T/dd" --exec-root "$T/de" --pidfile "$T/dp" --bridge=none --iptables=false \
        --cgroup-parent "$CGROUP-d" "$@" >"$T/dlog" 2>&1 3>&- &
    eventually 300 curl -sf --unix-socket "$T/ds" http://d/_ping
    gorae -H "unix://$T/ds" import --change 'CMD ["sh"]' "$(busybox_tar)" busybox:latest >/dev/null
}

@test "the life of a container: gorae and a stock dockerd" {
    need dockerd
    need containerd
    stock
    scenario gorae "$T/ds" dockerd 250
}

@test "a stock dockerd runs containers with our runtime: docker run --runtime gorae, and those parts that a runtime decides" {
    need docker
    need dockerd
    need containerd
    # a note of every call, so that it is sure who made the container
    printf '#!/bin/sh\necho "$*" >>%s\nexec %s "$@"\n' "$T/calls" "$GORAE_BUILD/bin/gorae-runtime" >"$T/runtime"
    chmod +x "$T/runtime"
    stock --add-runtime "gorae=$T/runtime"
    d() { docker -H "unix://$T/ds" "$@"; }
    [ "$(d run --rm --network none busybox echo theirs)" = theirs ]
    [ ! -e "$T/calls" ] || never grep -q create "$T/calls"
    [ "$(d run --rm --runtime gorae --network none busybox echo ours)" = ours ]
    for verb in create start delete; do grep -qw "$verb" "$T/calls"; done
    RUNTIME=gorae scenario gorae "$T/ds" dockerd 130 "create inside run exec control oom"
}
