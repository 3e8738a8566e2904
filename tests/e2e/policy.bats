#!/usr/bin/env bats
# Restart policies: who comes back after its end, how often, after how long, and after the daemon's own end.
load lib

setup_file() { daemon_with_busybox; }
teardown() { gorae rm -f web other >/dev/null 2>&1 || true; }
teardown_file() { daemon_end; }

state() { gorae inspect -f '{{.State.Status}} {{.RestartCount}}' "${1:-web}"; }
is() { [ "$(state)" = "$1" ] || { echo "$(state), not $1" >&2; return 1; }; }

@test "on-failure:3 runs four times and then stays; 100, 200, 400 ms lie between" {
    gorae run -d --name web --restart on-failure:3 busybox sh -c 'cut -d " " -f 1 /proc/uptime; exit 4' >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" web)" = exited ]'
    is "exited 3"
    [ "$(gorae inspect -f '{{.State.ExitCode}}' web)" = 4 ]
    gorae logs web | awk 'NR > 1 { gap = $1 - last; if (gap < want[NR] - 0.02) exit 1 } { last = $1 }
        BEGIN { want[2] = 0.1; want[3] = 0.2; want[4] = 0.4 } END { if (NR != 4) exit 1 }'
    # started by hand it begins to count anew
    gorae start web >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}} {{.RestartCount}}" web)" = "exited 3" ]'
}

@test "on-failure: an exit code of 0 is no failure" {
    gorae run -d --name web --restart on-failure busybox true >/dev/null
    eventually 30 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" web)" = exited ]'
    sleep 0.4
    is "exited 0"
}

@test "always: comes back; while it waits it is restarting, and counts as running" {
    gorae run -d --name web --restart always busybox true >/dev/null
    # after the fifth time it waits for 3.2 s, which is long enough to look around
    eventually 100 sh -c '[ "$(gorae inspect -f "{{.RestartCount}}" web)" -ge 5 ]'
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" web)" = restarting ]'
    [ "$(gorae inspect -f '{{.State.Running}} {{.State.Restarting}} {{.State.Pid}}' web)" = "true true 0" ]
    gorae ps --format '{{.Names}} {{.Status}}' | grep -q '^web Restarting (0) .* ago$'
    [ "$(gorae ps -q --filter status=restarting | wc -l)" = 1 ]
    run gorae exec web true
    [[ $output == *"is restarting, wait until the container is running"* ]]
    run timeout 20 gorae attach web
    [ "$status" = 1 ]
    run gorae rm web
    [[ $output == *"cannot remove a restarting container"* ]] || { echo "$output"; false; }
    gorae rm -f web
    [ -z "$(gorae ps -aq)" ]
}

@test "stop ends it, in the middle of a run and in the middle of the wait; kill too" {
    gorae run -d --name web --restart always busybox sleep 1000 >/dev/null
    gorae stop -t 0 web
    sleep 0.4
    is "exited 0"
    gorae run -d --name other --restart always busybox false >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}} {{.RestartCount}}" other)" = "restarting 4" ]'
    gorae stop other
    sleep 2
    [ "$(state other)" = "exited 4" ]
    gorae start other >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}} {{.RestartCount}}" other)" = "restarting 4" ]'
    gorae kill other
    [ "$(gorae inspect -f '{{.State.Status}}' other)" = exited ]
}

# As dockerd: what is waited for is the end of a run, and so is what an attached client waits for.
@test "wait and attach end with the run, though a policy brings the container back; so does run in the foreground" {
    gorae run -d --name web --restart always busybox sh -c 'sleep 0.5; exit 7' >/dev/null
    for condition in '' not-running next-exit; do
        api POST "/containers/web/wait?condition=$condition"
        [ "$(jq .StatusCode <<<"$BODY")" = 7 ]
    done
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Restarting}}" web)" = false ]'
    run timeout 10 gorae attach web
    [ "$status" = 7 ] || [[ $output == *restarting* ]] # it may have ended between the look and the attach
    # stop means down for good, also while it waits for its restart
    gorae stop -t 0 web >/dev/null
    [ "$(gorae inspect -f '{{.State.Status}}' web)" = exited ]
    gorae rm web >/dev/null
    run timeout 10 gorae run --name other --restart always busybox sh -c 'echo once; exit 3'
    [ "$status" = 3 ]
    [ "$output" = once ]
}

@test "events of a restart: die, then start; a policy that is changed to no ends it" {
    local since
    since=$(date +%s.%N)
    gorae run -d --name web --restart on-failure:1 busybox false >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" web)" = exited ]'
    [ "$(gorae events --since "$since" --until "$(date +%s.%N)" --filter container=web --format '{{.Action}}' | paste -sd ' ')" = \
        "create start die start die" ]
    gorae run -d --name other --restart always busybox false >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}} {{.RestartCount}}" other)" = "restarting 5" ]'
    gorae update --restart no other >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" other)" = exited ]'
}

@test "when the daemon begins: always and unless-stopped come back, one that was stopped by hand only with always" {
    gorae run -d --name web --restart always busybox sleep 1000 >/dev/null
    gorae run -d --name other --restart unless-stopped busybox sleep 1000 >/dev/null
    gorae run -d --name none busybox sleep 1000 >/dev/null
    gorae create --name never --restart always busybox sleep 1000 >/dev/null
    daemon_stop
    daemon_start
    eventually 50 sh -c '[ "$(gorae ps --format "{{.Names}}" | sort | paste -sd " ")" = "other web" ]'
    gorae stop -t 0 web other
    daemon_stop
    daemon_start
    eventually 50 sh -c '[ "$(gorae ps --format "{{.Names}}" | sort | paste -sd " ")" = web ]'
    sleep 0.3
    [ "$(gorae ps --format '{{.Names}}')" = web ]
    gorae rm -f none never
}

@test "a daemon that dies: what ends meanwhile comes back with the next one, and the count is kept" {
    gorae run -d --name web --restart always busybox sh -c 'sleep 1; exit 5' >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.RestartCount}}" web)" = 1 ]'
    daemon_kill
    sleep 1.5
    daemon_start
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" web)" = running ]'
    # it dies in the middle of a wait
    gorae run -d --name other --restart always busybox false >/dev/null
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}} {{.RestartCount}}" other)" = "restarting 5" ]'
    daemon_kill
    daemon_start
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" other)" = restarting ]'
}

@test "a reboot: nothing runs, nothing of /run is left, and those come back that were up and shall be" {
    for policy in always unless-stopped on-failure no; do
        gorae run -d --name "up-$policy" --restart "$policy" busybox sleep 1000 >/dev/null
        gorae run -d --name "stopped-$policy" --restart "$policy" busybox sleep 1000 >/dev/null
        gorae stop -t 0 "stopped-$policy" >/dev/null
        gorae create --name "new-$policy" --restart "$policy" busybox sleep 1000 >/dev/null
    done
    gorae run -d --rm --name gone busybox sleep 1000 >/dev/null
    # what a power cut does: every process, every mount, every control group, and /run
    local pids
    pids=$(for c in $(gorae ps -q); do
        pid=$(gorae inspect -f '{{.State.Pid}}' "$c")
        ps -o ppid= -p "$pid"
        echo "$pid"
    done)
    daemon_kill
    kill -KILL $pids
    for m in $(grep -F "$T" /proc/self/mounts | cut -d' ' -f2 | sort -r); do eventually 50 umount "$m"; done
    eventually 50 sh -c "find /sys/fs/cgroup -depth -type d -path '*$CGROUP*' -exec rmdir {} + ; ! find /sys/fs/cgroup -type d -path '*$CGROUP*' | grep -q ."
    rm -rf "$T/exec" "$SOCK" "$T/pid"
    daemon_start
    eventually 80 sh -c '[ "$(gorae ps --format "{{.Names}}" | sort | paste -sd " ")" = "stopped-always stopped-on-failure up-always up-on-failure up-unless-stopped" ]'
    sleep 0.3
    [ "$(gorae ps --format '{{.Names}}' | sort | paste -sd ' ')" = "stopped-always stopped-on-failure up-always up-on-failure up-unless-stopped" ]
    [ "$(gorae inspect -f '{{.State.Status}} {{.State.ExitCode}}' up-no)" = "exited 255" ]
    never gorae inspect gone
    gorae rm -f $(gorae ps -aq) >/dev/null
}

@test "a restart that cannot start is not repeated, and says why" {
    mkdir "$T/bind"
    gorae run -d --name web --restart always --mount "type=bind,src=$T/bind,dst=/b" busybox sh -c 'sleep 0.5; exit 1' >/dev/null
    rmdir "$T/bind"
    eventually 50 sh -c '[ "$(gorae inspect -f "{{.State.Status}}" web)" = exited ]'
    gorae inspect -f '{{.State.Error}}' web | grep -q "bind"
}
