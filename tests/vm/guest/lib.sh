# shellcheck shell=bash
# For all scripts in the guest: how a check is made and told, and what is asked again and again.
#
# A check is a line `check "its name" function`. The function runs in a shell of its own with -e, so its first command that
# fails is its end; its last traced lines are shown. The host reads the names out of these files: they stand on lines of
# their own, hold no colon, and are the same however often a script is run.
export LC_ALL=C.UTF-8 HOME=/root
cd /run/lane || exit 1
PS4='+ ${BASH_SOURCE##*/} line $LINENO: '

CHECK_MAX=240 # seconds; what hangs is ended, so that the next check has its turn

check() {
    local name=$1 status work guard began=$SECONDS
    shift
    set -m # each of the two is a process group
    ( set -ex; "$@" ) >check.log 2>&1 </dev/null &
    work=$!
    ( sleep "$CHECK_MAX"; echo "+ not done within $CHECK_MAX s" >>check.log; kill -KILL -- "-$work" ) >/dev/null 2>&1 &
    guard=$!
    set +m
    wait "$work" 2>/dev/null
    status=$?
    { kill -KILL -- "-$guard"; wait "$guard"; } 2>/dev/null
    if [ "$status" = 0 ]; then
        echo "ok $name"
        [ $((SECONDS - began)) -lt 10 ] || echo "# took $((SECONDS - began)) s"
    else
        printf 'not ok %s: exit code %s after %s s\n' "$name" "$status" "$((SECONDS - began))"
        tail -n 25 check.log | sed 's/^/# /'
        echo "# the daemon's last words"
        journalctl -u goraed -n 8 --no-pager -o cat | sed 's/^/# /'
    fi
}

# never COMMAND…: it must fail. Under set -e a plain "! command" ends nothing.
never() {
    if "$@"; then
        echo "succeeded, and should not: $*"
        return 1
    fi
}

# within SECONDS COMMAND…: wait until it succeeds. Seconds of the guest, in which everything is some fifteen times slower.
within() {
    local until=$(($(date +%s) + $1))
    shift
    set +x
    until "$@" >/dev/null 2>&1; do
        if [ "$(date +%s)" -ge "$until" ]; then
            echo "not within its time: $*"
            set -x
            "$@"
            return
        fi
        sleep 0.2
    done
    set -x
}

# The unit allows three starts a minute, enough for a daemon that crashes; these scripts ask for more.
forget_starts() { systemctl reset-failed goraed.service goraed.socket || true; }
main_pid() { systemctl show -P MainPID goraed; }
pid_of() { gorae inspect -f '{{.State.Pid}}' "$1"; }
state_of() { gorae inspect -f '{{.State.Status}}' "$1"; }
is() { [ "$(state_of "$1")" = "$2" ]; }
group_of() { echo "/sys/fs/cgroup$(cut -d: -f3 "/proc/$(pid_of "$1")/cgroup")"; }
# A file of the container's group; and whether it holds just that.
group() { cat "$(group_of "$1")/$2"; }
group_is() { [ "$(group "$1" "$2")" = "$3" ]; }
import_busybox() { gorae import -c 'CMD ["sh"]' busybox.tar busybox:latest; }
box() { gorae run -d --network none "$@"; }

# Everything on the machine belongs to a record, and every record is true. Prints what does not; 1 if anything.
judge() {
    local bad=0 running all id d m
    set +x
    gorae ps -a --no-trunc --format '{{.ID}} {{.State}}' >judge.ps || { set -x; return 1; }
    running=" $(awk '$2 == "running" || $2 == "paused" {print $1}' judge.ps | tr '\n' ' ') "
    all=" $(awk '{print $1}' judge.ps | tr '\n' ' ') "
    of_running() { [[ $running == *" $1 "* ]] || { echo "$2 belongs to no running container"; bad=1; }; }
    while read -r m; do
        id=$(grep -oE '[0-9a-f]{64}' <<<"$m" | head -n 1)
        of_running "$id" "mount $m"
    done < <(awk '$2 ~ "^(/var/lib|/run)/gorae/" {print $2}' /proc/self/mounts)
    for d in $(find /sys/fs/cgroup -type d | grep -E '/(gorae-)?[0-9a-f]{64}(\.scope)?$'); do
        of_running "$(grep -oE '[0-9a-f]{64}' <<<"$d" | tail -n 1)" "control group $d"
    done
    for m in $(pgrep -f '^[^ ]*/gorae-(shim|runtime|archive|init)' | grep -vx $$); do
        id=$(tr '\0' ' ' <"/proc/$m/cmdline" | grep -oE '[0-9a-f]{64}' | head -n 1)
        of_running "$id" "process $m"
    done
    for d in /run/gorae/containers/*; do
        [ ! -e "$d" ] || of_running "${d##*/}" "folder $d"
    done
    for d in /var/lib/gorae/containers/*; do
        [ ! -e "$d" ] || [[ $all == *" ${d##*/} "* ]] || { echo "folder $d has no record"; bad=1; }
    done
    for id in $running; do
        m=$(pid_of "$id")
        [ -d "/proc/$m" ] && [ "$m" != 0 ] || { echo "$id is said to run as $m, which is not there"; bad=1; }
        grep -q " /var/lib/gorae/containers/$id/rootfs " /proc/self/mounts || { echo "$id runs without its mount"; bad=1; }
    done
    find /var/lib/gorae -name '*.tmp-????????' -not -path '*/upper/*' | grep . && { echo "temporaries were left"; bad=1; }
    for d in quarantine images/staging; do
        find "/var/lib/gorae/$d" -mindepth 1 2>/dev/null | grep . && { echo "something is in $d"; bad=1; }
    done
    (cd /var/lib/gorae/images/blobs/sha256 2>/dev/null && for d in *; do [ ! -e "$d" ] || echo "$d  $d"; done | sha256sum -c --quiet) || bad=1
    set -x
    return $bad
}

# A daemon that has stopped leaves no process, mount, link or control group.
nothing_left() {
    never pgrep -l '^gorae'
    never grep -E ' /(run|var/lib)/gorae' /proc/self/mounts
    [ "$(ip -o link | wc -l)" = 1 ]
    never sh -c 'find /sys/fs/cgroup -mindepth 1 -type d | grep -E "gorae|[0-9a-f]{64}" | grep -v "/system.slice/goraed.service$"'
}
