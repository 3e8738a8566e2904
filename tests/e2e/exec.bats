#!/usr/bin/env bats
# exec: a further process in a running container, over the API and with gorae's own client.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    daemon_with_busybox
    mkdir "$T/probes"
    cp "$GORAE_BUILD/payload/peek" "$T/probes/"
}
teardown_file() { daemon_end; }
setup() {
    gorae run -d --name cc -v "$T/probes:/probes:ro" busybox sleep 1000
}
teardown() { remove_all || true; }

# exec_make BODY: the new exec's id goes to $EXEC
exec_make() {
    answers 201 json POST /containers/cc/exec "$1"
    EXEC=$(jq -r .Id <<<"$BODY")
    [[ $EXEC =~ ^[0-9a-f]{64}$ ]]
}
exec_state() { api GET "/exec/$EXEC/json" && jq -r "$1" <<<"$BODY"; }
exec_folders() { ls "$T"/exec/containers/*/exec 2>/dev/null; }
no_exec_folders() { [ -z "$(exec_folders)" ]; }
exec_over() { [ "$(exec_state .Running)" = false ]; }
events_of() { curl -s --unix-socket "$SOCK" "http://d/events?since=1&until=$(date +%s.%N)" | jq -r "select(.Actor.Attributes.execID == \"$1\") | .Action"; }
shims_of() { grep -lE "gorae-shim" /proc/[0-9]*/comm 2>/dev/null | while read -r p; do tr '\0' ' ' <"${p%comm}cmdline" | grep -qF "$1" && basename "${p%/comm}"; done; true; }

@test "create, start, inspect: frames of both streams, the exit code, and all fields" {
    exec_make '{"Cmd":["sh","-c","echo out; echo err >&2; exit 3"],"AttachStdout":true,"AttachStderr":true,"User":"0","DetachKeys":"ctrl-a"}'
    api GET "/exec/$EXEC/json"
    jq -e '.Running == false and .ExitCode == null and .Pid == 0 and .DetachKeys == "ctrl-a" and .OpenStdin == false' <<<"$BODY"
    curl -s -i --unix-socket "$SOCK" -H 'Content-Type: application/json' -d '{}' "http://d/exec/$EXEC/start" >"$T/answer"
    grep -q "^HTTP/1.1 200 OK" "$T/answer"
    grep -q "^Content-Type: application/vnd.docker.multiplexed-stream" "$T/answer"
    grep -q "^Api-Version: 1.44" "$T/answer"
    sed '1,/^\r$/d' "$T/answer" | od -An -tx1 | tr -d ' \n' >"$T/hex"
    grep -q 01000000000000046f75740a "$T/hex"
    grep -q 02000000000000046572720a "$T/hex"
    answers 200 api GET "/exec/$EXEC/json"
    jq -e '.Running == false and .ExitCode == 3 and .OpenStdout and .OpenStderr and (.ContainerID | length) == 64' <<<"$BODY"
    jq -e '.ProcessConfig == {entrypoint:"sh",arguments:["-c","echo out; echo err >&2; exit 3"],tty:false,privileged:false,user:"0"}' <<<"$BODY"
    no_exec_folders
}

@test "what is refused: 404, 400, 409" {
    answers 404 json POST /containers/nobody/exec '{"Cmd":["true"]}'
    answers 400 json POST /containers/cc/exec '{"Cmd":[]}'
    [ "$(message)" = "No exec command specified" ]
    answers 400 json POST /containers/cc/exec '{"Cmd":"true"}'
    answers 400 json POST /containers/cc/exec '{"Cmd":["true"],"User":"hans"}'
    [[ $BODY == *"unable to find user hans: no matching entries in passwd file"* ]]
    answers 400 json POST /containers/cc/exec '{"Cmd":["true"],"ConsoleSize":[70000,1]}'
    answers 404 json POST "/exec/$(printf '%064d' 0)/start" '{}'
    answers 404 api GET "/exec/$(printf '%064d' 0)/json"
    exec_make '{"Cmd":["true"]}'
    answers 400 api POST "/exec/$EXEC/resize?h=1&w=1"
    answers 200 json POST "/exec/$EXEC/start" '{"Detach":true}'
    [ -z "$BODY" ]
    answers 409 json POST "/exec/$EXEC/start" '{}'
    exec_make '{"Cmd":["true"]}'
    gorae stop -t 0 cc
    answers 409 json POST /containers/cc/exec '{"Cmd":["true"]}'
    [[ $BODY == *"is not running"* ]]
    answers 409 json POST "/exec/$EXEC/start" '{}'
}

@test "the client: streams, exit codes, Docker's texts for what cannot be run" {
    run --separate-stderr gorae exec cc sh -c 'echo out; echo err >&2; exit 42'
    [ "$status" = 42 ]
    [ "$output" = out ]
    [ "$stderr" = err ]
    run gorae exec cc sh -c 'kill -KILL $$'
    [ "$status" = 137 ]
    run -127 gorae exec cc nosuch
    [[ $output == *'OCI runtime exec failed: exec failed: unable to start container process: exec: "nosuch": executable file not found in $PATH'* ]]
    run gorae container exec cc /etc/passwd
    [ "$status" = 126 ]
    [[ $output == *"permission denied"* ]]
    run gorae exec -d cc nosuch
    [ "$status" = 1 ]
    [[ $output == *"Error response from daemon: OCI runtime exec failed"* ]]
    run gorae exec nobody true
    [ "$status" = 1 ]
    run gorae exec -it cc true </dev/null
    [ "$status" = 1 ]
    [ "$output" = "the input device is not a TTY" ]
    run gorae exec cc
    [ "$status" = 1 ]
}

@test "stdin passes, its end is the process's, and without -i there is none" {
    [ "$(seq 100000 | gorae exec -i cc md5sum)" = "$(seq 100000 | md5sum)" ]
    [ "$(echo unseen | gorae exec cc cat)" = "" ]
    # cat ends before its input does
    run timeout 20 sh -c 'yes | gorae exec -i cc head -n 1'
    [ "$status" = 0 ]
    [ "$output" = y ]
}

@test "variables, working folder, user, and the number that is a name" {
    printf 'FROM_FILE=f\n# no\n' >"$T/env"
    run env HERE=h gorae exec -e A=1 -e HERE --env-file "$T/env" -w /tmp cc sh -c 'echo $A $HERE $FROM_FILE $PWD $HOME; id -u'
    [ "${lines[0]}" = "1 h f /tmp /root" ]
    [ "${lines[1]}" = 0 ]
    gorae exec cc sh -c 'printf "1000:x:0:0::/evil:/bin/sh\nalice:x:1234:77::/home/alice:/bin/sh\n" >>/etc/passwd; echo "crew:x:88:alice" >>/etc/group'
    [ "$(gorae exec -u 1000 cc id -u)" = 1000 ]
    [ "$(gorae exec -u alice cc sh -c 'echo $(id -u) $(id -g) $(id -G) $HOME')" = "1234 77 77 88 /home/alice" ]
    [ "$(gorae exec -u 5:6 cc sh -c 'echo $(id -u) $(id -g)')" = "5 6" ]
    run gorae exec -u 4294967296 cc id -u
    [ "$status" = 1 ]
    run gorae exec -w relative cc pwd
    [ "$status" = 126 ]
}

@test "no file of the host decides who somebody is" {
    echo "root:x:4242:4242::/:/bin/sh" >"$T/passwd"
    gorae exec cc sh -c "ln -sf $T/passwd /etc/passwd"
    run gorae exec -u root cc id -u
    [ "$status" = 1 ]
    [[ $output == *"unable to find user root"* ]]
}

@test "it is confined as the container is: descriptors, capabilities, filter, namespaces; --privileged adds capabilities" {
    gorae exec cc /probes/peek >"$T/p"
    jq -e '(.fd | keys) == ["0","1","2"]' "$T/p"
    jq -e '.CapBnd == "00000000a80425fb" and .CapPrm == .CapBnd and .CapEff == .CapBnd and .CapInh == "0000000000000000"' "$T/p"
    jq -e '.Seccomp == "2" and .NoNewPrivs == "0"' "$T/p"
    pid=$(gorae inspect -f '{{.State.Pid}}' cc)
    for ns in mnt pid net ipc uts; do
        [ "$(jq -r ".ns.$ns" "$T/p")" = "$(readlink "/proc/$pid/ns/$ns")" ]
    done
    gorae exec --privileged cc /probes/peek >"$T/p"
    jq -e '.CapEff != "00000000a80425fb" and .Seccomp == "2"' "$T/p"
    gorae run -d --name nnp --security-opt no-new-privileges --cap-drop ALL -v "$T/probes:/probes:ro" busybox sleep 100
    gorae exec nnp /probes/peek >"$T/p"
    jq -e '.NoNewPrivs == "1" and .CapBnd == "0000000000000000"' "$T/p"
    # a descriptor of the runtime's as working folder leads nowhere, or to the container's own root
    root=$(gorae exec cc stat -c %d:%i /)
    for fd in $(seq 3 12); do
        there=$(gorae exec -w "/proc/self/fd/$fd" cc stat -c %d:%i . 2>/dev/null) || there=$root
        [ "$there" = "$root" ]
    done
    [ "$(tr -d '\n' <"/proc/$pid/cgroup" | md5sum)" = "$(gorae exec -d cc sleep 77; sleep 0.1; tr -d '\n' <"/proc/$(pgrep -fx 'sleep 77')/cgroup" | md5sum)" ]
}

@test "a terminal: its size, a new size, no frames, TERM" {
    exec_make '{"Cmd":["sh","-c","stty size; read x; stty size; echo $TERM; test -t 1"],"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,"ConsoleSize":[11,22]}'
    mkfifo "$T/in"
    python3 - "$SOCK" "$EXEC" >"$T/out" <<'PY'
import http.client, socket, sys, time
path, x = sys.argv[1:]
def call(method, p):
    s = socket.socket(socket.AF_UNIX); s.connect(path)
    s.sendall(("%s %s HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (method, p)).encode())
    return s.recv(65536)
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(path)
body = '{"Detach":false,"Tty":true}'
s.sendall(("POST /exec/%s/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (x, len(body), body)).encode())
got = b""
while b"11 22\r\n" not in got:
    got += s.recv(65536)
assert b" 200 " in call("POST", "/exec/%s/resize?h=33&w=44" % x).split(b"\r\n")[0]
s.sendall(b"\n")
while True:
    b = s.recv(65536)
    if not b: break
    got += b
head, rest = got.split(b"\r\n\r\n", 1)
assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: 1.44"), head
print(rest.decode())
PY
    grep -q "33 44" "$T/out"
    grep -q xterm "$T/out"
    never grep -q $'\001' "$T/out"
    [ "$(exec_state .ExitCode)" = 0 ]
}

@test "a size that comes before the daemon knows that the process runs is not lost" {
    [ -x "$GORAE_BUILD/fault/bin/goraed" ] || skip "this build has no fault points"
    (
        trap daemon_stop EXIT # whatever fails here
        daemon_dirs
        export PATH=$GORAE_BUILD/fault/bin:$PATH GORAED=$GORAE_BUILD/fault/bin/goraed GORAE_FAULT=exec.shim-started:sleep=400
        daemon_start
        import_busybox
        gorae run -d --name slow busybox sleep 100 >/dev/null
        json POST /containers/slow/exec '{"Cmd":["sleep","5"],"Tty":true,"AttachStdout":true}'
        exec=$(jq -r .Id <<<"$BODY")
        (json POST "/exec/$exec/start" '{"Tty":true,"Detach":true}') 3>&- &
        local starter=$!
        sleep 0.15
        json POST "/exec/$exec/resize?h=33&w=44" ''
        wait "$starter"
        gorae rm -f slow >/dev/null
        daemon_stop
        judge_and_clean
        [ "$STATUS" = 200 ] || { echo "$STATUS $BODY"; false; }
    )
}

@test "the head is a segment of its own: no output comes with it, and bytes behind the request are input" {
    exec_make '{"Cmd":["cat"],"AttachStdin":true,"AttachStdout":true}'
    python3 - "$SOCK" "$EXEC" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
s.sendall(("POST /exec/%s/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}early\n" % sys.argv[2]).encode())
assert s.recv(65536).endswith(b"\r\n\r\n")
s.shutdown(socket.SHUT_WR)
got = b""
while True:
    b = s.recv(65536)
    if not b: break
    got += b
assert got == b"\1\0\0\0\0\0\0\6early\n", got
PY
    [ "$(exec_state .ExitCode)" = 0 ]
}

@test "without Upgrade the chunks behind the options are the process's stdin" {
    exec_make '{"Cmd":["cat"],"AttachStdin":true,"AttachStdout":true}'
    run timeout 20 python3 - "$SOCK" "$EXEC" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])
def chunk(b): return b"%x\r\n%s\r\n" % (len(b), b)
s.sendall(("POST /exec/%s/start HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" % sys.argv[2]).encode())
s.sendall(chunk(b'{"Detach":fa') + chunk(b'lse}one\n'))
got = b""
while not got.endswith(b"one\n"):
    got += s.recv(65536)
s.sendall(chunk(b"two\n") + b"0\r\n\r\n")
while True:
    b = s.recv(65536)
    if not b: break
    got += b
assert got.split(b"\r\n")[0] == b"HTTP/1.1 200 OK", got
assert got.endswith(b"\1\0\0\0\0\0\0\4two\n"), got
PY
    echo "$output"
    [ "$status" = 0 ]
    [ "$(exec_state .ExitCode)" = 0 ]
}

@test "the detach keys end the stream, and the process runs on" {
    exec_make '{"Cmd":["sleep","50"],"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,"DetachKeys":"ctrl-a,x"}'
    python3 - "$SOCK" "$EXEC" <<'PY'
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1])
s.sendall(("POST /exec/%s/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" % sys.argv[2]).encode())
s.recv(65536)
time.sleep(0.2)
s.sendall(b"\x01x")
while s.recv(65536): pass
PY
    [ "$(exec_state .Running)" = true ]
    pid=$(exec_state .Pid)
    [ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep 50 " ]
    eventually 20 sh -c "curl -s --unix-socket $SOCK 'http://d/events?since=1&until='\$(date +%s.%N) | grep -q exec_detach"
    [ "$(gorae inspect -f '{{json .ExecIDs}}' cc)" = "[\"$EXEC\"]" ]
    kill -TERM "$pid"
    eventually 50 exec_over
    [ "$(exec_state .ExitCode)" = 143 ]
    [ "$(gorae inspect -f '{{json .ExecIDs}}' cc)" = null ]
}

@test "events: created, started, died, each with the exec's id" {
    exec_make '{"Cmd":["sh","-c","exit 9"],"AttachStdout":true}'
    json POST "/exec/$EXEC/start" '{}'
    exec_over
    [ "$(events_of "$EXEC" | tr '\n' '|')" = "exec_create: sh -c exit 9|exec_start: sh -c exit 9|exec_die|" ]
    curl -s --unix-socket "$SOCK" "http://d/events?since=1&until=$(date +%s.%N)&filters=%7B%22event%22:%5B%22exec_die%22%5D%7D" | jq -es --arg x "$EXEC" 'map(select(.Actor.Attributes.execID == $x)) | .[0].Actor.Attributes.exitCode == "9"'
}

@test "many at once, each with its own output and code" {
    for i in $(seq 24); do
        ( gorae exec cc sh -c "echo $i; sleep 0.2; exit $i" >"$T/many.$i" || echo "code $?" >>"$T/many.$i" ) &
    done
    wait $(jobs -p)
    for i in $(seq 24); do
        [ "$(tr '\n' ' ' <"$T/many.$i")" = "$i code $i " ]
    done
    eventually 20 no_exec_folders
}

@test "what an exec leaves in the background lives on, with the container's pids and with the host's" {
    run timeout 10 gorae exec cc sh -c 'sleep 61 & echo begun'
    [ "$output" = begun ]
    pgrep -fx 'sleep 61'
    gorae run -d --name hostpid --pid host busybox sh -c 'sleep 62 & sleep 1000'
    run timeout 10 gorae exec hostpid sh -c 'sleep 63 & echo begun'
    [ "$output" = begun ]
    pgrep -fx 'sleep 62'
    pgrep -fx 'sleep 63'
    gorae rm -f hostpid cc
    eventually 20 never pgrep -fx 'sleep 6[123]'
}

@test "the container ends: so do its execs, with 137, and nothing of them is left" {
    gorae exec cc sh -c 'echo up; sleep 100' >"$T/up" 3>&- &
    client=$!
    eventually 50 grep -q up "$T/up"
    gorae stop -t 0 cc
    code=0
    wait "$client" || code=$?
    [ "$code" = 137 ]
    no_exec_folders
    gorae start cc
    gorae exec cc true
    gorae exec cc sleep 100 3>&- &
    client=$!
    eventually 50 exec_folders
    timeout 20 gorae rm -f cc
    wait "$client" || true
    never ls "$T"/exec/containers/*
}

@test "a stopped shim does not hold up the container's end for ever" {
    gorae exec -d cc sleep 100
    id=$(gorae inspect -f '{{index .ExecIDs 0}}' cc)
    shim=$(shims_of "/exec/$id")
    [ -n "$shim" ]
    kill -STOP "$shim"
    code=0
    timeout 25 gorae rm -f cc || code=$?
    kill -KILL "$shim" 2>/dev/null || true
    kill -CONT "$shim" 2>/dev/null || true
    eventually 50 sh -c "! ls $T/exec/containers/* 2>/dev/null"
    gorae rm -f cc 2>/dev/null || true
    never gorae inspect cc
}

@test "the shim of an exec is killed: the exec is over, its process too, the container is not" {
    exec_make '{"Cmd":["sleep","64"]}'
    json POST "/exec/$EXEC/start" '{"Detach":true}'
    kill -KILL "$(shims_of "/exec/$EXEC")"
    eventually 50 exec_over
    [ "$(exec_state .ExitCode)" = 137 ]
    eventually 50 never pgrep -fx 'sleep 64'
    [ "$(gorae inspect -f '{{.State.Running}}' cc)" = true ]
    no_exec_folders
}

@test "the daemon is killed: the stream goes on, the next daemon knows the exit code, and leaves nothing" {
    # both ends of the stream outlive the daemon: the client asks for the code only at the end
    mkfifo "$T/typed"
    gorae exec -i cc sh -c 'echo up; read x; echo "got $x"; exit 21' >"$T/up" <"$T/typed" 3>&- &
    client=$!
    exec 7>"$T/typed"
    eventually 50 grep -q up "$T/up"
    gorae exec -d cc sh -c 'sleep 1; exit 5'
    ended=$(gorae inspect -f '{{index .ExecIDs 1}}' cc)
    [ -n "$ended" ]
    daemon_kill 8>&-
    sleep 1.3 # one ends while no daemon looks
    daemon_start 8>&-
    api GET "/exec/$ended/json"
    [ "$(jq -c '[.Running, .ExitCode]' <<<"$BODY")" = '[false,5]' ]
    [ "$(exec_folders | wc -l)" = 1 ]
    echo word >&7
    exec 7>&-
    code=0
    wait "$client" || code=$?
    [ "$code" = 21 ]
    [ "$(tr '\n' ' ' <"$T/up")" = "up got word " ]
    eventually 20 no_exec_folders
    [ "$(gorae inspect -f '{{json .ExecIDs}}' cc)" = null ]
    # and in this container, which an earlier daemon started
    [ "$(gorae exec cc echo again)" = again ]
}

@test "memory is bounded: what is never started, and what has ended" {
    run timeout 60 python3 - "$SOCK" <<'PY'
import http.client, json, socket, sys
class C(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(sys.argv[1])
c = C("d")
def call(m, p, b=None):
    c.request(m, p, json.dumps(b) if b is not None else None, {"Content-Type": "application/json"} if b is not None else {})
    r = c.getresponse(); d = r.read()
    return r.status, d
made = []
for i in range(1024):
    s, d = call("POST", "/containers/cc/exec", {"Cmd": ["true"]}); assert s == 201, (i, s, d)
    made.append(json.loads(d)["Id"])
for i in range(2): # the oldest makes room
    s, d = call("POST", "/containers/cc/exec", {"Cmd": ["true"]}); assert s == 201, (s, d)
assert call("GET", "/exec/%s/json" % made[0])[0] == 404
assert call("GET", "/exec/%s/json" % made[1])[0] == 200
for x in made[1:271]:
    s, d = call("POST", "/exec/%s/start" % x, {"Detach": True}); assert s == 200, (s, d)
import time; time.sleep(1)
s, d = call("POST", "/containers/cc/exec", {"Cmd": ["true"]}); assert s == 201, (s, d)
assert call("GET", "/exec/%s/json" % made[1])[0] == 404
assert call("GET", "/exec/%s/json" % made[270])[0] == 200
PY
    echo "$output"
    [ "$status" = 0 ]
    gorae rm -f cc
    gorae run -d --name cc busybox sleep 10
    gorae exec cc true
}

@test "--explain tells the story of an exec" {
    run gorae --explain exec cc true
    [ "$status" = 0 ]
    [[ $output == *"write the exec's process"* ]]
    [[ $output == *"runtime exec"* ]]
    [[ $output == *"join the container's namespaces"* ]]
}

@test "an exec in a paused container is refused, and one that was there is frozen with it" {
    gorae run -d --name frozen busybox sleep 1000 >/dev/null
    gorae exec -d frozen sh -c 'sleep 0.5; touch /thawed'
    gorae pause frozen
    run gorae exec frozen true
    [ "$status" = 1 ]
    [[ $output == *"is paused, unpause the container before exec"* ]]
    sleep 0.7
    gorae unpause frozen
    eventually 20 gorae exec frozen test -e /thawed
    gorae rm -f frozen
}

@test "detach keys that are none are refused, by exec and by attach" {
    gorae run -dit --name keys busybox sh >/dev/null
    answers 400 json POST /containers/keys/exec '{"Cmd":["true"],"DetachKeys":"ctrl-"}'
    [[ $BODY == *"Invalid detach keys (ctrl-) provided"* ]]
    answers 400 api POST '/containers/keys/attach?stream=1&stdout=1&detachKeys=ab'
    [[ $BODY == *"Invalid detach keys (ab) provided"* ]]
    run gorae exec --detach-keys ab keys true
    [ "$status" = 1 ]
    gorae rm -f keys
}

@test "Ctrl-C without a terminal ends the client with 130" {
    gorae run -d --name ctrlc busybox sleep 1000 >/dev/null
    # a shell that runs a command in the background has it ignore SIGINT
    run timeout -s INT 1 gorae exec ctrlc sleep 1000
    [ "$status" = 124 ]
    run bash -c 'timeout --preserve-status -s INT 1 gorae exec ctrlc sleep 1000'
    [ "$status" = 130 ]
    gorae rm -f ctrlc
}
