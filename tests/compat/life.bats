#!/usr/bin/env bats
# The whole life of a container (life.bash) with each pair of client and daemon: the stock client on ours, ours on ours, ours on
# the stock daemon, and there once more with our runtime below it. A pair passes when every check of the scenario does, but for
# the differences that it names itself.
bats_require_minimum_version 1.5.0
load lib

setup() { daemon_dirs; }
teardown() {
    daemon_stop || true
    dockerd_stop
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
    dockerd_start "$@"
    import_busybox gorae -H "unix://$T/ds"
}

@test "the life of a container: gorae and a stock dockerd" {
    need dockerd containerd
    stock
    scenario gorae "$T/ds" dockerd 250
}

@test "a stock dockerd runs containers with our runtime: docker run --runtime gorae, and those parts that a runtime decides" {
    need docker dockerd containerd
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
