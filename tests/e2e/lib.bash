# Shared by all bats files: a private daemon for each file, a busybox image, and a judge that looks for what was left.
#
# The daemon's folders are below a fresh folder in /tmp, since a unix socket's path may have only 107 bytes. Everything
# the daemon makes (mounts, cgroups, processes) names that folder or a container's id, so the judge can find it.

GORAE_REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
: "${GORAE_BUILD:=$GORAE_REPO/build}"
PATH=$GORAE_BUILD/bin:$PATH

daemon_dirs() {
    T=$(mktemp -d /tmp/gorae-test.XXXXXX)
    SOCK=$T/s
    CGROUP=/gorae-$(basename "$T" | tr -dc 'A-Za-z0-9')
    export T SOCK CGROUP GORAE_HOST=unix://$SOCK
    unset DOCKER_HOST DOCKER_CONTEXT
    export DOCKER_CONFIG=$T/docker-config
    mkdir "$DOCKER_CONFIG"
}

# daemon_start [options]: start goraed (or $GORAED) and wait until it answers
daemon_start() {
    # 3>&-: bats waits for everything that holds its third descriptor
    "${GORAED:-goraed}" -H "unix://$SOCK" --data-root "$T/data" --exec-root "$T/exec" --pidfile "$T/pid" \
        --cgroup-parent "$CGROUP" "$@" >>"$T/log" 2>&1 3>&- &
    DAEMON=$!
    export DAEMON
    local i
    for i in $(seq 400); do
        curl -s --max-time 5 --unix-socket "$SOCK" http://d/_ping >/dev/null 2>&1 && return 0
        kill -0 "$DAEMON" 2>/dev/null || break
        sleep 0.025
    done
    echo "the daemon did not answer; its log:" >&2
    cat "$T/log" >&2
    return 1
}

# What most files begin with. [options of goraed]
daemon_with_busybox() {
    daemon_dirs
    daemon_start "$@"
    import_busybox
}

# What they end with. Where setup_file did nothing for want of a peer (bats cannot skip there), there is nothing to end.
daemon_end() {
    [ -n "${T:-}" ] || return 0
    daemon_stop
    judge_and_clean
}
judge_and_clean() {
    judge_empty || { daemon_clean; return 1; }
    daemon_clean
}

# Each test is a process of its own: who the present daemon is, the pid file knows.
daemon_pid() {
    DAEMON=$(cat "$T/pid" 2>/dev/null) || DAEMON=
}

daemon_stop() {
    daemon_pid
    [ -n "$DAEMON" ] || return 0
    kill -TERM "$DAEMON" 2>/dev/null
    local i
    for i in $(seq 800); do
        kill -0 "$DAEMON" 2>/dev/null || break
        sleep 0.025
    done
    ! kill -0 "$DAEMON" 2>/dev/null || { echo "daemon $DAEMON does not end" >&2; kill -KILL "$DAEMON"; return 1; }
    wait "$DAEMON" 2>/dev/null || true
    DAEMON=
}

daemon_kill() {
    daemon_pid
    kill -KILL "$DAEMON"
    wait "$DAEMON" 2>/dev/null || true # no child of ours where an earlier test started it: hence the loop
    while kill -0 "$DAEMON" 2>/dev/null; do sleep 0.01; done
    DAEMON=
}

# What a test that may have ended the daemon leaves to the next: a daemon, and no container.
daemon_renew() {
    daemon_pid
    [ -n "$DAEMON" ] && kill -0 "$DAEMON" 2>/dev/null || daemon_start
    remove_all
}

# remove_all [CLIENT…]: all containers, so that the next test may use their names
remove_all() { "${@:-gorae}" ps -aq | xargs -r "${@:-gorae}" rm -f >/dev/null; }

# The image that all tests use; the tar is made once a build.
busybox_tar() {
    local tar=$GORAE_BUILD/payload/busybox.tar
    [ -s "$tar" ] || { mkdir -p "$(dirname "$tar")" && "$GORAE_REPO/tests/payload/make-busybox.sh" >"$tar.$$" && mv "$tar.$$" "$tar"; }
    echo "$tar"
}
import_busybox() { # [CLIENT…]: with that one's import, otherwise with the bare API
    if [ $# = 0 ]; then
        curl -sf --unix-socket "$SOCK" -H 'Content-Type: application/x-tar' --data-binary "@$(busybox_tar)" \
            'http://d/images/create?fromSrc=-&repo=busybox:latest&changes=CMD%20%5B%22sh%22%5D' >/dev/null
    else
        "$@" import --change 'CMD ["sh"]' "$(busybox_tar)" busybox:latest >/dev/null
    fi
}

# api METHOD PATH [curl options]: the status goes to $STATUS, the body to $BODY
api() {
    local method=$1 path=$2 out
    shift 2
    out=$(curl -s --max-time 30 --unix-socket "$SOCK" -X "$method" -w '\n%{http_code}' "$@" "http://d$path")
    STATUS=${out##*$'\n'}
    BODY=${out%$'\n'*}
    BODY=${BODY%$'\n'} # every JSON answer ends in one
}
json() { api "$1" "$2" -H 'Content-Type: application/json' -d "$3"; }
# answers STATUS COMMAND…: api, json or what calls them; the status is that
answers() {
    local want=$1
    shift
    "$@"
    [ "$STATUS" = "$want" ] || { echo "$*: $STATUS, not $want: $BODY" >&2; return 1; }
}
message() { jq -r .message <<<"$BODY"; }

# create_refused STATUS TEXT HOSTCONFIG [CONFIG]: no container is made of that, and the answer says why
create_refused() {
    answers "$1" json POST /containers/create "{\"Image\":\"busybox\",\"Cmd\":[\"true\"],${4:+$4,}\"HostConfig\":$3}"
    [[ $(message) == *"$2"* ]] || { echo "$3: $BODY" >&2; return 1; }
}

# The two versions of control groups keep the same figure in files of different names, in folders of different places.
v2() { [ -e /sys/fs/cgroup/cgroup.controllers ]; }
group_file() { # controller, name on v1, name on v2, container
    local id
    id=$(gorae inspect -f '{{.Id}}' "$4")
    if v2; then echo "/sys/fs/cgroup$CGROUP/$id/$3"; else echo "/sys/fs/cgroup/$1$CGROUP/$id/$2"; fi
}

# What a daemon that has stopped may not leave: processes, mounts, cgroups. Prints what it finds; 1 if anything.
judge_empty() {
    local found=0 p
    if grep -F "$T" /proc/self/mounts; then echo "mounts were left"; found=1; fi
    for p in /proc/[0-9]*; do
        [ "$p" != "/proc/$$" ] && [ "$p" != "/proc/$BASHPID" ] || continue
        if { tr "\0" " " <"$p/cmdline"; } 2>/dev/null | grep -F "$T" | grep -E 'gorae-|goraed'; then echo "process ${p#/proc/} was left"; found=1; fi
    done
    if find /sys/fs/cgroup -maxdepth 3 -type d -name "${CGROUP#/}" 2>/dev/null | grep .; then echo "cgroups were left"; found=1; fi
    [ ! -d "$T/exec/containers" ] || [ -z "$(ls -A "$T/exec/containers")" ] || { ls "$T/exec/containers"; echo "run folders were left"; found=1; }
    return $found
}

daemon_clean() {
    local m
    # only what a failed test left: a passing one has nothing mounted here
    for m in $(grep -F "$T" /proc/self/mounts | cut -d' ' -f2 | sort -r); do umount -l "$m"; done
    rm -rf "$T"
}

# Peers that these tests can be run beside. Without them the test is skipped, and CI counts that as a failure.
need() {
    local peer
    for peer; do here "$peer" || skip "needs $peer"; done
}
here() { # PEER…: are they all on this machine?
    local peer
    for peer; do command -v "$peer" >/dev/null 2>&1 || return 1; done
}

# A TCP port that nobody has at this moment: a fixed one may be somebody's.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# For a daemon with TLS: a port, certificates in $T/certs, and in $T/other those of an authority that it must not believe.
tls_files() {
    PORT=$(free_port)
    export PORT
    "$GORAE_REPO/src/service/make-certs" localhost,127.0.0.1 "$T/certs" >/dev/null
    "$GORAE_REPO/src/service/make-certs" localhost "$T/other" >/dev/null
}

# Wait until a command succeeds, at most $1 tenths of a second.
eventually() {
    local n=$1 i
    shift
    for i in $(seq "$n"); do "$@" >/dev/null 2>&1 && return 0; sleep 0.1; done
    "$@"
}

# never COMMAND…: it must fail. Under set -e a plain "! command" ends nothing, and of "a && b" only the last counts; so every
# check in these files stands on a line of its own, and what must fail is said with this.
never() {
    if "$@"; then
        echo "succeeded, and should not: $*" >&2
        return 1
    fi
}

# fails_with TEXT COMMAND…: it fails, and says that
fails_with() {
    local want=$1
    shift
    run "$@"
    [ "$status" -ne 0 ]
    [[ $output == *"$want"* ]] || { echo "$output" >&2; return 1; }
}
