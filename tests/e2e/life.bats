#!/usr/bin/env bats
# The life of a container after `run`: pause, restart, top, update, stats, prune. What the API answers, what the kernel says,
# what the listeners hear.
bats_require_minimum_version 1.5.0
load lib

setup_file() { daemon_with_busybox; }
teardown_file() { daemon_end; }
teardown() { daemon_renew; }

status_of() { gorae inspect -f '{{.State.Status}}' "$1"; }
frozen() { grep -qE '^(FROZEN|1)$' "$(group_file freezer freezer.state cgroup.freeze "$1")"; }
actions() { # container, since
    gorae events --since "$2" --until "$(date +%s.%N)" --filter type=container --filter "container=$1" --format '{{.Action}}' | tr '\n' ' '
}
counter() { # a container that counts
    gorae run -d --name "$1" busybox sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done' >/dev/null
    eventually 30 sh -c "[ \"\$(gorae logs $1 | wc -l)\" -gt 1 ]"
}

@test "pause: the processes stand still, everybody is told, unpause lets them go on" {
    since=$(date +%s.%N)
    counter p1
    [ "$(gorae pause p1)" = p1 ]
    frozen p1
    n=$(gorae logs p1 | wc -l)
    sleep 0.3
    [ "$(gorae logs p1 | wc -l)" = "$n" ]
    [ "$(gorae inspect -f '{{.State.Status}} {{.State.Running}} {{.State.Paused}}' p1)" = "paused true true" ]
    [ "$(gorae inspect -f '{{.State.Pid}}' p1)" -gt 0 ]
    [[ "$(gorae ps --format '{{.Names}} {{.State}} {{.Status}}')" == "p1 paused Up "*"(Paused)" ]]
    [ "$(gorae ps -q --filter status=paused | wc -l)" = 1 ]
    [ -z "$(gorae ps -q --filter status=running)" ]
    [ "$(gorae info -f '{{.ContainersPaused}} {{.ContainersRunning}} {{.ContainersStopped}}')" = "1 0 0" ]
    [ "$(gorae unpause p1)" = p1 ]
    never frozen p1
    [ "$(status_of p1)" = running ]
    eventually 30 sh -c "[ \"\$(gorae logs p1 | wc -l)\" -gt $n ]"
    [[ "$(actions p1 "$since")" == *"start pause unpause "* ]]
}

@test "what a paused container refuses, and what refuses to be paused" {
    gorae create --name p2 busybox sleep 100 >/dev/null
    answers 409 api POST /containers/p2/pause
    [[ "$(message)" == *"is not running" ]]
    answers 404 api POST /containers/nosuch/pause
    gorae start p2
    answers 409 api POST /containers/p2/unpause
    [[ "$(message)" == *"is not paused" ]]
    answers 204 api POST /containers/p2/pause
    answers 409 api POST /containers/p2/pause
    [[ "$(message)" == *"is already paused" ]]
    answers 409 api POST '/containers/p2/attach?stream=1&stdout=1'
    [[ "$(message)" == *"unpause the container before attach" ]]
    answers 409 api POST /containers/p2/start
    [ "$(message)" = "cannot start a paused container, try unpause instead" ]
    answers 409 api DELETE /containers/p2
    [[ "$(message)" == *"paused container"* ]]
    # wait does not take it for ended
    run timeout 0.5 gorae wait p2
    [ "$status" = 124 ]
}

@test "a paused container is stopped, killed and removed by force; other signals wait for the thaw" {
    since=$(date +%s.%N)
    gorae run -d --name p3 busybox sh -c 'trap "exit 7" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 0.05; done' >/dev/null
    eventually 30 sh -c 'gorae logs p3 | grep -q up'
    gorae pause p3
    gorae kill -s USR1 p3
    [ "$(status_of p3)" = paused ]
    gorae stop -t 5 p3
    [ "$(gorae inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Paused}}' p3)" = "exited 7 false" ]
    [[ "$(actions p3 "$since")" == *"pause kill kill unpause die stop "* ]]
    gorae start p3
    gorae pause p3
    gorae kill p3
    [ "$(gorae inspect -f '{{.State.Status}} {{.State.ExitCode}}' p3)" = "exited 137" ]
    gorae start p3
    gorae pause p3
    gorae rm -f p3
    run -1 gorae inspect p3
}

@test "paused through the death of the daemon, and through a rename while paused" {
    counter p4
    gorae pause p4
    gorae rename p4 p5
    daemon_kill
    daemon_start
    [ "$(status_of p5)" = paused ]
    frozen p5
    n=$(gorae logs p5 | wc -l)
    gorae unpause p5
    eventually 30 sh -c "[ \"\$(gorae logs p5 | wc -l)\" -gt $n ]"
    gorae pause p5
    daemon_stop # ends what is paused as well
    daemon_start
    [ "$(status_of p5)" = exited ]
}

# what a client that attached without Upgrade has got, frames taken off
heard() {
    python3 -c '
import struct, sys
b = open(sys.argv[1], "rb").read()
while len(b) >= 8:
    n = struct.unpack(">I", b[4:8])[0]
    sys.stdout.write(b[8:8 + n].decode())
    b = b[8 + n:]' "$1"
}

@test "attach: several clients at once hear the same, logs=1 begins with what was said before, exec works under a new daemon" {
    gorae run -d -i --name say busybox sh -c 'echo past; echo wrong >&2; while read l && [ "$l" != quit ]; do echo "got $l"; done; echo end' >/dev/null
    eventually 50 sh -c 'gorae logs say 2>&1 | grep -q wrong'
    url=http://d/containers/say/attach
    for i in 1 2 3; do
        curl -sN --max-time 30 --unix-socket "$SOCK" -X POST "$url?logs=1&stream=1&stdout=1&stderr=1" >"$T/hear$i" 2>/dev/null 3>&- &
    done
    curl -sN --max-time 30 --unix-socket "$SOCK" -X POST "$url?stream=1&stdout=1" >"$T/hear4" 2>/dev/null 3>&- &
    for i in 1 2 3; do eventually 50 grep -aq wrong "$T/hear$i"; done
    # the last of them is there when it hears what is said from now on
    mkfifo "$T/in"
    gorae attach say <"$T/in" >/dev/null 2>&1 3>&- &
    exec 7>"$T/in"
    eventually 50 sh -c 'echo knock >&7; grep -aq knock "$T/hear4"'
    printf 'word\nquit\n' >&7
    gorae wait say
    exec 7>&-
    for i in 1 2 3 4; do eventually 50 grep -aq end "$T/hear$i"; done
    gorae logs say >"$T/all" 2>"$T/wrong"
    for i in 1 2 3; do heard "$T/hear$i" | grep -v wrong | diff "$T/all" -; done
    never grep -aq past "$T/hear4"
    heard "$T/hear4" | tail -n 2 | diff <(printf 'got word\nend\n') -
    # logs=1 alone: what was, and no more
    curl -s --max-time 10 --unix-socket "$SOCK" -X POST "$url?logs=1&stdout=1" >"$T/hear5"
    heard "$T/hear5" | diff "$T/all" -

    gorae run -d --name old busybox sleep 1000 >/dev/null
    daemon_kill
    daemon_start
    [ "$(gorae exec old echo in)" = in ]
    run gorae exec old sh -c 'exit 6'
    [ "$status" = 6 ]
    [ "$(echo through | gorae exec -i old cat)" = through ]
}

@test "attach with logs=1 to a container that has ended: what was said at once, then what the next run says, once" {
    gorae run --name twice busybox sh -c 'echo "run $(cat /n 2>/dev/null)"; echo -n again >/n' >/dev/null
    run python3 - "$SOCK" <<'EOF'
import socket, sys, time
def ask(line):
    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])
    s.sendall(line.encode() + b" HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
    return s
def until(s, got, text):
    while text not in got:
        b = s.recv(4096)
        assert b, (got, "closed before", text)
        got += b
    return got
t = time.time()
a = ask("POST /containers/twice/attach?stream=1&logs=1&stdout=1")
got = until(a, b"", b"run \n")
assert got.startswith(b"HTTP/1.1 101 "), got
assert time.time() - t < 2, "not at once"
a.settimeout(1) # it stays open, and silent
try: more = a.recv(10)
except socket.timeout: more = None
assert more is None, more
a.settimeout(10)
assert b" 204 " in ask("POST /containers/twice/start").recv(4096)
got = until(a, got, b"run again\n")
while True:
    b = a.recv(4096)
    if not b: break
    got += b
stream = got.partition(b"\r\n\r\n")[2]
frame = lambda text: b"\1\0\0\0" + len(text).to_bytes(4, "big") + text
assert stream == frame(b"run \n") + frame(b"run again\n"), stream
EOF
    [ "$status" = 0 ] || { echo "$output"; false; }
    # without stream=1 it is over after what was said
    curl -s --max-time 10 --unix-socket "$SOCK" -X POST 'http://d/containers/twice/attach?logs=1&stdout=1' >"$T/hear"
    [ "$(heard "$T/hear")" = "$(printf 'run \nrun again')" ]
    gorae rm twice
}

@test "restart: the same container, a new process; events in order; signal and patience" {
    since=$(date +%s.%N)
    gorae run -d --name r1 --stop-timeout 1 busybox sh -c 'trap "exit 4" HUP; echo run; while :; do sleep 0.05; done' >/dev/null
    id=$(gorae inspect -f '{{.Id}}' r1)
    pid=$(gorae inspect -f '{{.State.Pid}}' r1)
    eventually 30 sh -c 'gorae logs r1 | grep -q run'
    [ "$(gorae restart -s HUP -t 5 r1)" = r1 ]
    [ "$(gorae inspect -f '{{.Id}} {{.State.Status}}' r1)" = "$id running" ]
    [ "$(gorae inspect -f '{{.State.Pid}}' r1)" != "$pid" ]
    [[ "$(actions r1 "$since")" == *"start kill die stop start restart "* ]]
    gorae events --since "$since" --until "$(date +%s.%N)" --filter event=kill --filter container=r1 --format '{{.Actor.Attributes.signal}}' | grep -qx 1
    # a deaf one is killed after its own patience
    since=$(date +%s.%N)
    gorae restart r1
    [[ "$(actions r1 "$since")" == *"kill kill die stop start restart "* ]]
    # one that does not run is started; a paused one runs again
    gorae stop -t 0 r1
    gorae restart r1
    [ "$(status_of r1)" = running ]
    gorae pause r1
    gorae restart -t 0 r1
    [ "$(status_of r1)" = running ]
    never frozen r1
    answers 400 api POST '/containers/r1/restart?signal=NOSUCH'
    answers 404 api POST /containers/nosuch/restart
    answers 204 api POST '/containers/r1/restart?t=0'
}

@test "restart keeps a --rm container; its own end still removes it" {
    gorae run -d --rm --name r2 busybox sleep 100 >/dev/null
    id=$(gorae inspect -f '{{.Id}}' r2)
    gorae restart -t 0 r2
    [ "$(gorae inspect -f '{{.Id}} {{.State.Status}}' r2)" = "$id running" ]
    gorae stop -t 0 r2
    eventually 30 sh -c 'never() { ! "$@"; }; never gorae inspect r2'
}

@test "top: the processes of this container alone, in ps's own columns" {
    since=$(date +%s.%N)
    gorae run -d --name t1 busybox sh -c 'sleep 4321 & sleep 4322 & wait' >/dev/null
    gorae run -d --name t2 busybox sleep 4323 >/dev/null
    eventually 30 sh -c '[ "$(gorae top t1 | wc -l)" = 4 ]'
    gorae top t1 | head -1 | grep -qE '^UID +PID +PPID +C +STIME +TTY +TIME +CMD$'
    gorae top t1 | grep -q 'sleep 4321$'
    gorae top t1 | grep -q "sh -c sleep 4321 & sleep 4322 & wait"
    never grep -q 4323 <(gorae top t1)
    [ "$(gorae top t2 -o pid,comm | tr -s ' ' | tail -n +2)" = "$(gorae inspect -f '{{.State.Pid}}' t2) sleep" ]
    [[ "$(actions t1 "$since")" == *"start top "* ]]
    gorae pause t2
    [ "$(gorae top t2 | wc -l)" = 2 ]
    for q in 'ps_args=-o+comm' 'ps_args=--nosuch'; do
        answers 500 api GET "/containers/t1/top?$q"
    done
    answers 400 api GET '/containers/t1/top?ps_args=-o+ppid%3DPID'
    answers 500 api GET '/containers/t1/top?ps_args=%3Btouch+/tmp/no'
    gorae stop -t 0 t1
    answers 409 api GET /containers/t1/top
    answers 404 api GET /containers/nosuch/top
}

@test "system prune: every kind in turn, nothing that is in use, and it asks" {
    gorae run -d --name k1 busybox sleep 100 >/dev/null
    gorae create --name k2 --label a=1 busybox true >/dev/null
    gorae tag busybox idle:v1
    tar -C / -c etc/hostname | gorae import - >/dev/null
    run gorae system prune <<<n
    [ "$status" = 1 ]
    [[ $output == *"This will remove:"*"  - all stopped containers"*"  - all dangling images"*"system prune has been cancelled" ]]
    [[ $output != *volumes* ]]
    run gorae system prune --volumes --filter label=a --filter until=1h -f
    [ "$status" = 1 ]
    [[ $output == *"--volumes and --filter until"* ]]
    run gorae system prune -f --filter colour=red
    [ "$status" = 1 ]
    [[ $output == *"colour"* ]]
    gorae system prune -f --filter label=nosuch | grep -qx 'Total reclaimed space: 0B'
    [ "$(gorae ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "k1 k2 " ]
    gorae system prune -f --volumes >"$T/o"
    grep -qx 'Deleted Containers:' "$T/o"
    grep -qx 'Deleted Images:' "$T/o"
    [ "$(gorae ps -a --format '{{.Names}}')" = k1 ]
    [ "$(gorae images --format '{{.Repository}}' | sort | tr '\n' ' ')" = "busybox idle " ]
}

@test "image prune: what has no name, with -a what no container uses" {
    gorae run -d --name k1 busybox sleep 100 >/dev/null
    tar -C / -c etc/hostname | gorae import - >/dev/null
    tar -C / -c etc/passwd | gorae import - idle:v2 >/dev/null
    gorae image prune -f | grep -q '^deleted: sha256:'
    [ "$(gorae images --format '{{.Repository}}:{{.Tag}}' | sort | tr '\n' ' ')" = "busybox:latest idle:v1 idle:v2 " ]
    run gorae image prune -a <<<n
    [ "$status" = 1 ]
    [[ $output == *"WARNING! This will remove all images without a container that uses them."*"image prune has been cancelled" ]]
    gorae image prune -a <<<y >"$T/o"
    grep -qx 'untagged: idle:v2' "$T/o"
    gorae images --format '{{.Repository}}' | grep -qx busybox
    [ "$(gorae images --format '{{.Repository}}:{{.Tag}}' | grep -c v2)" = 0 ]
}

@test "prune: of networks, volumes and the build cache there is nothing yet, and a filter is checked all the same" {
    for kind in networks volumes build; do
        answers 200 api POST "/$kind/prune"
        answers 400 api POST "/$kind/prune?filters=%7B%22nosuch%22%3A%5B%22x%22%5D%7D"
        [[ $(message) == *nosuch* ]]
    done
    api POST /volumes/prune
    jq -e '.VolumesDeleted == [] and .SpaceReclaimed == 0' <<<"$BODY"
}

@test "prune: what does not run and passes the filters; bytes, event, question" {
    gorae run -d --name k1 busybox sleep 100 >/dev/null
    gorae run -d --name k2 busybox sleep 100 >/dev/null
    gorae pause k2
    gorae run --name k3 --label a=1 busybox sh -c 'head -c 5000 /dev/zero >/f'
    gorae create --name k4 --label b busybox true >/dev/null
    since=$(date +%s.%N)
    run gorae container prune <<<n
    [ "$status" = 1 ]
    [[ $output == *"WARNING! This will remove all stopped containers."*"container prune has been cancelled" ]]
    gorae container prune -f --filter until=1h | grep -qx 'Total reclaimed space: 0B'
    gorae container prune -f --filter label!=b --filter label=a=1 >"$T/o"
    [ "$(sed -n 1p "$T/o")" = "Deleted Containers:" ]
    grep -qx 'Total reclaimed space: 5kB' "$T/o"
    [ "$(gorae ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "k1 k2 k4 " ]
    gorae container prune <<<y | grep -q 'Deleted Containers'
    [ "$(gorae ps -a --format '{{.Names}}' | sort | tr '\n' ' ')" = "k1 k2 " ]
    gorae events --since "$since" --until "$(date +%s.%N)" --filter event=prune --format '{{.Type}} {{.Actor.Attributes.reclaimed}}' | grep -qx 'container 5000'
    answers 400 api POST '/containers/prune?filters=%7B%22nosuch%22%3A%5B%22x%22%5D%7D'
}
