#!/usr/bin/env bats
# The client, as a person and as a script use it, against goraed. What it sends is checked by what happens.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    daemon_dirs
    daemon_start
    import_busybox gorae
}
teardown_file() { daemon_end; }
teardown() { remove_all || true; }

# in_pty ROWSxCOLUMNS SCRIPT COMMAND…: run the command on a terminal of its own. SCRIPT is a list of "wait=>type" steps, one
# a line: when the output holds `wait`, `type` (printf escapes) is typed; "=>resize R C" changes the window instead.
# Prints the output, then "exit=CODE" and whether the terminal's mode is what it was: "mode=same".
in_pty() {
    python3 - "$@" <<'PY'
import fcntl, os, pty, select, signal, struct, sys, termios, time
rows, columns = map(int, sys.argv[1].split("x"))
steps = [s.split("=>", 1) for s in sys.argv[2].splitlines() if s]
ours, theirs = pty.openpty()
def size(r, c):
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", r, c, 0, 0))
size(rows, columns)
before = termios.tcgetattr(theirs)
# The leader of the session stays until all is read: when a leader exits, its terminal is hung up and what was not read
# yet is lost (tty_ioctl(4), setsid(2)).
told, tell = os.pipe()
held, hold = os.pipe()
leader = os.fork()
if leader == 0:
    os.setsid()
    fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
    os.close(hold)
    child = os.fork()
    if child == 0:
        for fd in (0, 1, 2):
            os.dup2(theirs, fd)
        os.closerange(3, 100)
        os.execvp(sys.argv[3], sys.argv[3:])
    for s in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(s, signal.SIG_IGN)
    os.write(tell, b"%d\n" % child)
    os.write(tell, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os.read(held, 1)
    os._exit(0)
def number(): # a line of `told`; not a byte more, or select() would not see the next
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(told, 1)
    return int(line)
child = number()
out, seen, end, status = b"", 0, time.time() + 20, None
while time.time() < end and status is None:
    if select.select([ours], [], [], 0.05)[0]:
        out += os.read(ours, 65536)
    if steps and steps[0][0].encode() in out[seen:]:
        seen = len(out)
        typed = steps.pop(0)[1]
        if typed.startswith("resize "):
            size(*map(int, typed.split()[1:]))
        else:
            os.write(ours, typed.encode().decode("unicode_escape").encode("latin1"))
    if select.select([told], [], [], 0)[0]:
        status = number()
if status is None:
    os.kill(child, signal.SIGKILL)
# What the child wrote is on its way through the terminal; behind a mark of ours there is nothing more of it.
mark = b"<<the end>>"
os.write(theirs, mark)
while mark not in out and select.select([ours], [], [], 10)[0]:
    out += os.read(ours, 65536)
out = out.replace(mark, b"")
sys.stdout.write(out.decode(errors="replace"))
print("\nexit=%s" % status)
print("mode=%s" % ("same" if termios.tcgetattr(theirs) == before else "changed"))
if steps:
    print("never seen:", steps)
os.close(hold)
os.waitpid(leader, 0)
PY
}

# ended PID: wait for a background client, at most 20 s, and put its exit code into $status
ended() {
    for _ in $(seq 200); do kill -0 "$1" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$1" 2>/dev/null || true
    status=0
    wait "$1" || status=$?
}

# ---- help and usage ------------------------------------------------------------------------------------------------

@test "help: the groups of docker, one line a command, and no socket is touched" {
    run gorae --help
    [ "$status" = 0 ]
    [[ $output == *"Common Commands:"*"Management Commands:"*"Commands:"*"Global Options:"* ]]
    [ "$(gorae)" = "$output" ]
    [ "$(gorae help)" = "$output" ]
    run gorae run --help
    [ "$status" = 0 ]
    [[ $output == *"Usage:  gorae run [OPTIONS] IMAGE"* && $output == *"-e, --env list"* ]]
    [[ $(tr -s '[:space:]' ' ' <<<"$output") == *"kept: json-file, local, journald, none"* ]]
    run gorae container ls --help
    [ "$status" = 0 ]
    [[ $output == *"gorae container ls, gorae container list, gorae container ps, gorae ps"* ]]
    run gorae image
    [ "$status" = 0 ]
    [[ $output == *"Usage:  gorae image COMMAND"* ]]
    strace -f -o "$T/calls" -e trace=network gorae --help
    never grep -q 'socket(' "$T/calls"
    strace -f -o "$T/calls" -e trace=network gorae ps # the control: it does see sockets
    grep -q 'socket(' "$T/calls"
}

@test "every command that help lists has a help of its own" {
    local c
    for c in $(gorae --help | awk '/^(Common )?Commands:/ {on=1; next} /^[A-Z]/ {on=0} on && NF {print $1}'); do
        run gorae "$c" --help
        [ "$status" = 0 ]
        [[ $output == "Usage:  gorae $c"* ]]
    done
    for c in container image system; do
        for s in $(gorae $c | awk '/^Commands:/ {on=1; next} /^[A-Z]/ {on=0} on && NF {print $1}'); do
            run gorae $c "$s" --help
            [ "$status" = 0 ]
            [[ $output == "Usage:  gorae $c $s"* ]]
        done
    done
}

@test "usage errors: 125 for flags, 1 for arguments and unknown commands; they name what was typed" {
    run gorae ps --nope
    [ "$status" = 125 ]
    [[ $output == *"unknown flag: --nope"*"See 'gorae ps --help'."* ]]
    run gorae run --memory 1q busybox
    [ "$status" = 125 ]
    [[ $output == *'"1q" for "-m, --memory" flag'* ]]
    run gorae --nope ps
    [ "$status" = 125 ]
    run gorae ps extra
    [ "$status" = 1 ]
    [[ $output == *"'gorae ps' takes no arguments"* ]]
    run gorae rename one
    [ "$status" = 1 ]
    [[ $output == *"exactly 2 arguments"* ]]
    run gorae rm
    [ "$status" = 1 ]
    [[ $output == *"at least 1 argument"* ]]
    run gorae pss
    [ "$status" = 1 ]
    [[ $output == *"'pss' is not a gorae command."*"Did you mean 'ps'?"* ]]
    run gorae container strat
    [ "$status" = 1 ]
    [[ $output == *"Did you mean 'container start'?"* ]]
    run gorae qqqqqq
    [ "$status" = 1 ]
    [[ $output != *"Did you mean"* ]]
    run gorae --tlsverify=perhaps ps
    [ "$status" = 125 ]
    [[ $output == *perhaps*tlsverify* ]]
}

@test "which daemon: -H before GORAE_HOST before DOCKER_HOST; nobody there is exit 1 and says so" {
    GORAE_HOST=unix:///nowhere/g DOCKER_HOST=unix:///nowhere/d run gorae ps
    [ "$status" = 1 ]
    [[ $output == *"unix:///nowhere/g"*"is goraed running?"* ]]
    GORAE_HOST='' DOCKER_HOST=unix:///nowhere/d run gorae ps
    [ "$status" = 1 ]
    [[ $output == *"unix:///nowhere/d"* ]]
    GORAE_HOST='' DOCKER_HOST=unix://$SOCK run gorae ps
    [ "$status" = 0 ]
    GORAE_HOST=unix:///nowhere/g run gorae -H "unix://$SOCK" ps
    [ "$status" = 0 ]
    run gorae -H nonsense ps
    [ "$status" = 1 ]
    [[ $output == *nonsense* ]]
    run gorae -H unix:///nowhere/h version
    [ "$status" = 1 ]
    [[ $output == *"Client: gorae"*"unix:///nowhere/h"* ]]
}

# ---- ps, images, inspect -------------------------------------------------------------------------------------------

@test "ps: columns, -a, -q, -n, -f, --no-trunc, and every form of --format" {
    id=$(gorae run -d --name web --label color=blue --label a=b busybox sleep 300)
    run gorae run --name ended-3 busybox sh -c 'exit 3'
    [ "$status" = 3 ]
    [ "${#id}" = 64 ]
    run gorae ps
    [ "${lines[0]}" = "CONTAINER ID   IMAGE     COMMAND       CREATED                  STATUS                  PORTS     NAMES" ] ||
        [[ ${lines[0]} == "CONTAINER ID   IMAGE     COMMAND       CREATED"*"STATUS"*"PORTS     NAMES" ]]
    [[ ${lines[1]} == "${id:0:12}   busybox   \"sleep 300\"   "*" ago "*" Up "*" web" ]]
    [ "${#lines[@]}" = 2 ]
    [ "$(gorae ps -aq | wc -l)" = 2 ]
    [ "$(gorae ps -q --no-trunc)" = "$id" ]
    [[ $(gorae ps -a --format '{{.Status}}' -f name=ended-3) == "Exited (3) "* ]]
    [ "$(gorae ps -l --format '{{.Names}}')" = ended-3 ]
    [ "$(gorae ps -l --format '{{.Platform}}')" = '<nil>' ]
    [[ $(gorae ps -al --format '{{json .}}' | jq -r .Size) == *"(virtual "* ]]
    [ "$(gorae ps -n 1 --format '{{.Names}}')" = ended-3 ]
    [ "$(gorae ps -f status=exited --format '{{.Names}}')" = ended-3 ]
    [ "$(gorae ps --format '{{.Names}}: {{.Label "color"}} {{upper .State}} {{.Labels}}')" = "web: blue RUNNING a=b,color=blue" ]
    [ "$(gorae ps --format json | jq -r .Names)" = web ]
    run gorae ps --format 'table {{.Names}}\t{{.Label "color"}}\t{{.State}}'
    [ "${lines[0]}" = "NAMES     color     STATE" ]
    [ "${lines[1]}" = "web       blue      running" ]
    run gorae ps --format '{{.Nope}}'
    [ "$status" = 1 ]
    [[ $output == *'template:1:3: there is no key "Nope"'* ]]
    run gorae ps --format '{{.Names'
    [ "$status" = 1 ]
    [[ $output == *"not closed"* ]]
    run gorae ps -f nope=1
    [ "$status" = 1 ]
    [[ $output == "Error response from daemon: "* ]]
    gorae ps -s --format '{{.Size}}' | grep -Eq '^[0-9.]+[kMG]?B \(virtual [0-9.]+MB\)$'
}

@test "control bytes of labels and commands do not reach a terminal, and reach a pipe unchanged" {
    gorae run -d --name evil --label "x=$(printf 'a\033[31mb')" busybox sh -c 'sleep 300' "$(printf '\033]0;title\007')" >/dev/null
    run in_pty 24x80 "" gorae ps --format '{{.Label "x"}} {{.Labels}}'
    [[ $output == *'a\x1b[31mb x=a\x1b[31mb'* && $output != *$'\033'* ]]
    run in_pty 24x80 "" gorae ps --no-trunc
    [[ $output != *$'\033'* && $output != *$'\007'* ]]
    [ "$(gorae ps --format '{{.Label "x"}}')" = "$(printf 'a\033[31mb')" ]
}

@test "images, tag, history, rmi: rows by tag, and what is removed" {
    run gorae images
    [[ ${lines[0]} == "REPOSITORY   TAG       IMAGE ID       CREATED"*"SIZE" && ${lines[1]} == "busybox      latest    "* ]]
    [[ $(gorae images --format 'table\t{{.ID}}' | head -1) == *"IMAGE ID" ]]
    gorae tag busybox other:v1
    [ "$(gorae images -q | sort -u | wc -l)" = 1 ]
    [ "$(gorae images --format '{{.Repository}}:{{.Tag}}' | sort | xargs)" = "busybox:latest other:v1" ]
    [ "$(gorae images other --format '{{.Tag}}')" = v1 ]
    run gorae history busybox
    [[ ${lines[0]} == "IMAGE          CREATED"*"CREATED BY"*"SIZE"*"COMMENT" ]]
    [ "$(gorae rmi other:v1)" = "Untagged: other:v1" ]
    run gorae rmi other:v1
    [ "$status" = 1 ]
    [[ $output == "Error response from daemon: "*"other:v1"* ]]
    run gorae tag busybox UPPER
    [ "$status" = 1 ]
}

@test "save and load carry an image; import takes a pipe; a terminal is refused" {
    gorae tag busybox keep:1
    id=$(gorae inspect --type image -f '{{.Id}}' keep:1)
    gorae save keep:1 >"$T/a.tar"
    gorae save -o "$T/b.tar" keep:1
    cmp "$T/a.tar" "$T/b.tar"
    gorae rmi keep:1
    [[ $(gorae load <"$T/a.tar") == *"Loaded image: keep:1"* ]]
    [ "$(gorae inspect -f '{{.Id}}' keep:1)" = "$id" ]
    [[ $(gorae load -i "$T/b.tar") == *"keep:1"* ]]
    gorae rmi keep:1
    [[ $(gorae import -m note -c 'ENV A=1' - piped:x <"$(busybox_tar)") == sha256:* ]]
    [ "$(gorae inspect -f '{{.Comment}} {{json .Config.Env}}' piped:x)" = 'note ["A=1"]' ]
    gorae rmi piped:x
    run gorae save -o "$T/none.tar" nope
    [ "$status" = 1 ]
    [ ! -e "$T/none.tar" ]
    run in_pty 24x80 "" gorae save busybox
    [[ $output == *"standard output is a terminal"*"exit=1"* ]]
    run in_pty 24x80 "" gorae load
    [[ $output == *"standard input is a terminal"*"exit=1"* ]]
}

@test "inspect: any kind, --type, -f, several names, and what is not there" {
    gorae create --name insp busybox true >/dev/null
    [ "$(gorae inspect insp | jq -r '.[0].Name')" = /insp ]
    [ "$(gorae inspect insp busybox | jq length)" = 2 ]
    [ "$(gorae inspect -f '{{.Name}} {{.State.Status}}' insp)" = "/insp created" ]
    [ "$(gorae inspect -f '{{if .State.Health}}h{{else}}none{{end}}' insp)" = none ]
    [ "$(gorae inspect -f json insp | jq -r .Name)" = /insp ]
    [ "$(gorae container inspect -f '{{.Name}}' insp)" = /insp ]
    [ "$(gorae image inspect -f '{{index .RepoTags 0}}' busybox)" = busybox:latest ]
    run gorae inspect nope
    [ "$status" = 1 ]
    [[ $output == *"No such object: nope"* ]]
    run gorae inspect -f '{{.Name}}' nope insp
    [ "$status" = 1 ]
    [[ $output == *"/insp"* ]]
    run gorae inspect --type image insp
    [ "$status" = 1 ]
    run gorae inspect --type spaceship insp
    [ "$status" = 1 ]
    [[ $output == *'unknown type "spaceship"'* ]]
    run gorae inspect --type '' insp
    [ "$status" = 1 ]
    [[ $output == *'type is empty: must be one of "container", "image", "network", "volume"'* ]]
    run --separate-stderr gorae inspect -s -f '{{.Id}}' busybox insp
    [ "$status" = 0 ]
    [ "$stderr" = "WARNING: --size ignored for image" ]
    run gorae inspect -f '{{.Name' insp
    [ "$status" = 64 ]
    [[ $(gorae inspect -s -f '{{.SizeRootFs}}' insp) -gt 1000000 ]]
}

# ---- run -----------------------------------------------------------------------------------------------------------

@test "run: exit codes of the process, of signals, and of what cannot run" {
    for code in 0 3 42 255; do
        run gorae run --rm busybox sh -c "exit $code"
        [ "$status" = "$code" ]
        [ -z "$output" ]
    done
    # its process 1 cannot kill itself (pid_namespaces(7)), so we do
    gorae run --rm --name victim busybox sh -c 'echo up; sleep 100' >"$T/out" 3>&- &
    pid=$!
    eventually 100 grep -q up "$T/out"
    gorae kill victim
    ended $pid
    [ "$status" = 137 ]
    run -127 gorae run --rm busybox nosuchprogram
    [[ $output == *"executable file not found"*"See 'gorae run --help'."* ]]
    run -127 gorae run --rm busybox /no/such
    run gorae run --rm busybox /bin
    [ "$status" = 126 ]
    run gorae run --rm busybox /etc/passwd
    [ "$status" = 126 ]
    run gorae run --rm --name x/y busybox true
    [ "$status" = 125 ]
    [ -z "$(gorae ps -aq)" ]
}

@test "run: an image that is not here is asked for; --pull never and a failed pull are 125" {
    run gorae run --rm nosuch:image true
    [ "$status" = 125 ]
    [[ $output == "Unable to find image 'nosuch:image' locally"*"gorae: "* ]]
    run gorae run --rm --pull never nosuch:image true
    [ "$status" = 125 ]
    [[ $output != *"Unable to find"* ]]
    run gorae run --rm --pull sometimes busybox true
    [ "$status" = 125 ]
    [[ $output == *"always, missing or never"* ]]
}

@test "run: both streams stay apart, three megabytes pass, nothing is lost at the end" {
    gorae run --rm busybox sh -c 'echo out; echo err >&2' >"$T/out" 2>"$T/err"
    [ "$(cat "$T/out")" = out ]
    [ "$(cat "$T/err")" = err ]
    head -c 3000000 /dev/urandom >"$T/big"
    timeout -k 1 60 gorae run --rm -i busybox cat <"$T/big" | cmp - "$T/big"
    [ "$(timeout -k 1 60 gorae run --rm -i busybox sh -c 'cat >/dev/null; yes | head -c 3000000' <"$T/big" | wc -c)" = 3000000 ]
    [ "$(gorae run --rm -a stdout busybox sh -c 'echo out; echo err >&2' 2>&1)" = out ]
    [ "$(gorae run --rm -a stderr busybox sh -c 'echo out; echo err >&2' 2>&1)" = err ]
}

@test "run: standard input ends when ours does, and is empty without -i" {
    [ "$(printf 'a\nb\n' | timeout -k 1 20 gorae run --rm -i busybox wc -l | xargs)" = 2 ]
    [ "$(printf 'a\nb\n' | timeout -k 1 20 gorae run --rm busybox wc -c | xargs)" = 0 ]
    run timeout -k 1 20 gorae run --rm -i busybox sh -c 'cat; echo end' </dev/null
    [ "$status" = 0 ]
    [ "$output" = end ]
    # a container that does not read: we stop reading too, and it still ends
    run timeout -k 1 20 bash -c 'yes | gorae run --rm -i busybox sh -c "sleep 0.3; exit 4"'
    [ "$status" = 4 ]
    # a reader that goes away ends the client
    run timeout -k 1 20 bash -c 'gorae run --name flood busybox yes | head -c 10 >/dev/null'
    [ "$status" -ne 124 ]
}

@test "run: the flags reach the container" {
    run gorae run --rm -e A=1 -e "B=two words" -w /tmp -u 5:6 -h box busybox sh -c 'echo $A $B; pwd; id -u; id -g; hostname'
    [ "$output" = $'1 two words\n/tmp\n5\n6\nbox' ]
    [ "$(gorae run --rm --entrypoint echo busybox a b)" = "a b" ]
    run gorae run --rm --read-only busybox touch /x
    [ "$status" = 1 ]
    mkdir -p "$T/dir" && echo inside >"$T/dir/f"
    [ "$(gorae run --rm -v "$T/dir:/d:ro" busybox cat /d/f)" = inside ]
    [ "$(cd "$T" && gorae run --rm -v ./dir:/d busybox cat /d/f)" = inside ]
    [ "$(gorae run --rm --mount "type=bind,src=$T/dir,dst=/d" busybox cat /d/f)" = inside ]
    [ "$(gorae run --rm --ulimit nofile=50:60 busybox sh -c 'ulimit -Sn; ulimit -Hn' | xargs)" = "50 60" ]
    printf '# c\nFROM_FILE=1\n' >"$T/env"
    [ "$(gorae run --rm --env-file "$T/env" busybox sh -c 'echo $FROM_FILE')" = 1 ]
    [ "$(gorae run --rm --env-file <(echo PIPED=2) busybox sh -c 'echo $PIPED')" = 2 ]
}

@test "run --cidfile: the id, and no file where nothing was created" {
    gorae run --cidfile "$T/cid" --name cc busybox true
    [ "$(cat "$T/cid")" = "$(gorae inspect -f '{{.Id}}' cc)" ]
    run gorae run --cidfile "$T/cid" busybox true
    [ "$status" = 125 ]
    [[ $output == *"$T/cid exists already"* ]]
    run gorae run --cidfile "$T/cid2" --name cc busybox true
    [ "$status" = 125 ]
    [ ! -e "$T/cid2" ]
}

@test "run: signals are handed on; the third interrupt lets the client go" {
    gorae run --rm --name sig busybox sh -c 'trap "echo got INT; exit 9" INT; echo ready; while :; do sleep 0.1; done' >"$T/out" 3>&- &
    pid=$!
    eventually 100 grep -q ready "$T/out"
    kill -INT $pid
    ended $pid
    [ "$status" = 9 ]
    grep -q "got INT" "$T/out"
    gorae run --rm --name deaf busybox sh -c 'trap "" INT; echo ready; sleep 100' >"$T/out" 2>"$T/err" 3>&- &
    pid=$!
    eventually 100 grep -q ready "$T/out"
    kill -INT $pid; sleep 0.2; kill -INT $pid; sleep 0.2; kill -INT $pid
    ended $pid
    [ "$status" = 1 ]
    grep -q "third signal" "$T/err"
    [ "$(gorae inspect -f '{{.State.Running}}' deaf)" = true ]
}

@test "run -t: a terminal of the window's size, which follows it; raw mode is undone" {
    run in_pty 30x100 $'# =>stty size\\n\n30 100=>resize 40 120\n# =>\\n\n# =>sleep 0.3; stty size\\n\n40 120=>exit 5\\n' gorae run --rm -it busybox sh
    [[ $output == *"30 100"*"40 120"*"exit=5"*"mode=same"* && $output != *"never seen"* ]]
    run gorae run --rm -it busybox true </dev/null
    [ "$status" = 1 ]
    [[ $output == *"not a TTY"* ]]
    [ "$(gorae run --rm -t busybox sh -c 'echo a; echo b >&2' | tr -d '\r' | xargs)" = "a b" ]
}

@test "run -it: the detach keys leave it running and the terminal whole; attach and start -ai come back" {
    run in_pty 24x80 $'# =>\\x10\\x11\n' gorae run -it --name shell busybox sh
    [[ $output == *"exit=0"*"mode=same"* ]]
    [ "$(gorae inspect -f '{{.State.Running}}' shell)" = true ]
    run in_pty 24x80 $'# =>echo again $((1+1))\\n\nagain 2=>\\x01x\n' gorae attach --detach-keys ctrl-a,x shell
    [[ $output == *"again 2"*"exit=0"*"mode=same"* ]]
    run in_pty 24x80 $'# =>exit 4\\n' gorae attach shell
    [[ $output == *"exit=4"*"mode=same"* ]]
    run in_pty 24x80 $'# =>exit 6\\n' gorae start -ai shell
    [[ $output == *"exit=6"*"mode=same"* ]]
    run gorae attach shell
    [ "$status" = 1 ]
    [[ $output == *"stopped container"* ]]
}

# A stopped process stands for a daemon that hangs, or holds the container for long.
@test "run: a daemon that does not answer does not hold up the third signal" {
    daemon_pid
    gorae run --name deaf busybox sh -c 'echo ready; sleep 100' >"$T/out" 2>"$T/err" 3>&- &
    pid=$!
    eventually 100 grep -q ready "$T/out"
    kill -STOP "$DAEMON"
    for _ in $(seq 50); do kill -TERM $pid 2>/dev/null || break; sleep 0.2; done
    kill -CONT "$DAEMON"
    ended $pid
    [ "$status" = 1 ]
    grep -q "third signal" "$T/err"
}

@test "run -it: a daemon that does not answer does not hold up the keyboard when the window changes" {
    mkdir -p "$T/flags"
    daemon_pid
    { eventually 100 test -e "$T/flags/go" && kill -STOP "$DAEMON" && touch "$T/flags/halt"; sleep 60; kill -CONT "$DAEMON"; } \
        >/dev/null 2>&1 3>&- &
    waker=$!
    run in_pty 24x80 $'# =>touch /flags/go; until [ -e /flags/halt ]; do sleep 0.1; done; echo sto""pped\\n\nstopped=>resize 30 90\n=>\\x10\\x11' \
        gorae run -it --name shell -v "$T/flags:/flags" busybox sh
    grep -q '^State:.T' "/proc/$DAEMON/status" # the client has ended, and the daemon has not answered yet
    kill "$waker"
    kill -CONT "$DAEMON"
    [[ $output == *"exit=0"*"mode=same"* && $output != *"never seen"* ]]
}

@test "closed standard descriptors: no file or socket of ours takes their place" {
    gorae create --cidfile "$T/closed.cid" busybox true >&-
    [ "$(wc -c <"$T/closed.cid")" = 64 ]
    gorae ps <&- >&- 2>&-
}

@test "save -o: a file that was there is as it was where the answer breaks off, and keeps its mode" {
    python3 - "$T/cut" <<'PY' >/dev/null 2>&1 3>&- &
import socket, sys
l = socket.socket(socket.AF_UNIX); l.bind(sys.argv[1]); l.listen(8); l.settimeout(20)
c, _ = l.accept()
for answer in b"HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut":
    c.recv(65536); c.sendall(answer)
PY
    eventually 50 test -S "$T/cut"
    mkdir "$T/saved"
    echo before >"$T/saved/file"
    chmod 640 "$T/saved/file"
    fails_with 'cut short' gorae -H "unix://$T/cut" save -o "$T/saved/file" busybox
    [ "$(cat "$T/saved/file")" = before ]
    gorae save -o "$T/saved/file" busybox
    [ "$(stat -c %a "$T/saved/file")" = 640 ]
    tar tf "$T/saved/file" >/dev/null
    ln -s file "$T/saved/link"
    gorae save -o "$T/saved/link" busybox
    [ -L "$T/saved/link" ]
    [ "$(ls "$T/saved" | xargs)" = "file link" ]
}

@test "run and start -a: refused with a daemon whose wait knows no condition, before anything is made" {
    fails_with 'API 1.30' env DOCKER_API_VERSION=1.29 gorae run --name old busybox true
    never gorae inspect old
    gorae create --name old busybox true
    fails_with 'API 1.30' env DOCKER_API_VERSION=1.29 gorae start -a old
    DOCKER_API_VERSION=1.29 gorae run -d busybox true
}

# ---- a container's life --------------------------------------------------------------------------------------------

@test "create, start, stop, kill, wait, rename, rm: each says what it did" {
    id=$(gorae create --name one busybox sh -c 'trap "exit 7" TERM; while :; do sleep 0.1; done')
    [ "$(gorae start one)" = one ]
    eventually 50 gorae inspect -f '{{if .State.Running}}{{else}}{{.Fail}}{{end}}' one
    sleep 0.3
    [ "$(gorae stop -t 5 one)" = one ]
    [ "$(gorae inspect -f '{{.State.ExitCode}}' one)" = 7 ]
    [ "$(gorae wait one)" = 7 ]
    gorae rename one two
    [ "$(gorae inspect -f '{{.Id}}' two)" = "$id" ]
    gorae start two >/dev/null
    run gorae rm two
    [ "$status" = 1 ]
    [[ $output == "Error response from daemon: "* ]]
    [ "$(gorae kill -s KILL two)" = two ]
    [ "$(gorae wait two)" = 137 ]
    [ "$(gorae rm two)" = two ]
    run gorae rm two nope
    [ "$status" = 1 ]
    [ "${#lines[@]}" = 2 ]
    run gorae kill nope
    [ "$status" = 1 ]
}

@test "start -a shows the output and gives the code; several at once are refused" {
    gorae create --name s1 busybox sh -c 'echo hello; exit 3' >/dev/null
    run gorae start -a s1
    [ "$status" = 3 ]
    [ "$output" = hello ]
    run gorae start -a s1 s1
    [ "$status" = 1 ]
    gorae create -i --name s2 busybox cat >/dev/null
    [ "$(echo typed | timeout -k 1 20 gorae start -ai s2)" = typed ]
}

@test "logs: both streams, --tail, -t, --since, -f until the end" {
    gorae run --name ll busybox sh -c 'for i in 1 2 3; do echo line $i; done; echo err >&2' >/dev/null 2>&1
    [ "$(gorae logs ll 2>/dev/null | xargs)" = "line 1 line 2 line 3" ]
    [ "$(gorae logs ll 2>&1 >/dev/null)" = err ]
    [ "$(gorae logs -n 1 ll 2>&1)" = err ]
    gorae logs -t ll | grep -Eq '^20[0-9-]+T[0-9:]+\.[0-9]{9}Z line 1$'
    [ -z "$(gorae logs --until 1h ll 2>&1)" ]
    [ -n "$(gorae logs --since 1h ll)" ]
    run gorae logs --since nonsense ll
    [ "$status" = 1 ]
    [[ $output == *"--since"* ]]
    gorae run -d --name ff busybox sh -c 'echo a; sleep 0.5; echo b' >/dev/null
    run timeout -k 1 20 gorae logs -f ff
    [ "$status" = 0 ]
    [ "$output" = $'a\nb' ]
    gorae run -t --name tty busybox echo raw >/dev/null
    [ "$(gorae logs tty)" = $'raw\r' ]
}

@test "version, info, events" {
    [[ $(gorae version) == "Client: gorae"*"Server:"*"Engine:"*"API version:"* ]]
    [ "$(gorae version -f '{{.Server.ApiVersion}}')" = 1.44 ]
    [ "$(gorae version -f '{{.Server.APIVersion}}')" = 1.44 ] # as docker's users write it
    [[ $(gorae --version) == "gorae version "* ]]
    [[ $(gorae info) == *"Storage Driver: overlay2"* ]]
    [ "$(gorae info -f '{{.Driver}}')" = overlay2 ]
    [ "$(gorae system info -f '{{json .Driver}}')" = '"overlay2"' ]
    since=$(date +%s.%N)
    gorae run --rm --name ev busybox true
    run gorae events --since "$since" --until "$(($(date +%s) + 1))" -f container=ev
    [[ $output == *" container create "*" container start "*" container die "*"exitCode=0"*" container destroy "* ]]
    [ "$(gorae events --since "$since" --until 0s -f event=die --format '{{.Actor.Attributes.name}}' | tail -n 1)" = ev ]
}

# ---- explain -------------------------------------------------------------------------------------------------------

@test "--explain tells the four steps with the bytes of the wire, on standard error, after the output" {
    gorae --explain ps >"$T/out" 2>"$T/err"
    [[ $(cat "$T/out") == "CONTAINER ID"* && $(wc -l <"$T/out") = 1 ]]
    for s in '^1  A person types' '^2  The client sends' '^3  The daemon does' '^4  The result comes' \
        'GET /v1.44/containers/json HTTP/1.1\\r\\n' 'HTTP/1.1 200 OK\\r\\n' 'goraed [0-9]+ +parse the request' \
        'align the table' '^The processes' 'exit code 0'; do
        grep -Eq "$s" "$T/err"
    done
    run gorae --explain run --rm busybox sh -c 'exit 5'
    [ "$status" = 5 ]
    [[ $output == *"exec the container's program"*"exit code 5"* ]]
    run gorae -H unix:///nowhere --explain ps
    [ "$status" = 1 ]
    [[ $output == *"unix:///nowhere"*"exit code 1"* ]]
    run gorae --explain=song ps
    [ "$status" = 125 ]
}

@test "--explain=json: spans of all programs in order of time, and nothing else on standard output" {
    gorae --explain=json run --rm busybox echo hidden >"$T/spans" 2>/dev/null
    never grep -q '^hidden' "$T/spans"
    [ "$(jq -r '[.[].prog] | unique | join(" ")' "$T/spans")" = "gorae goraed runtime shim" ]
    [ "$(jq '[.[].start] as $s | $s == ($s | sort)' "$T/spans")" = true ]
    # what marks an instant may have looked at the clock twice, in either order
    jq -e 'all(.[]; .end - .start > -10000 and (.what | length) > 0)' "$T/spans"
    jq -e 'map(.step) | contains([1, 2, 3, 4])' "$T/spans"
    # once told, a story is gone from the daemon
    [ -z "$(ls -A "$T/exec/trace" 2>/dev/null)" ]
}

@test "--explain=dot draws; the shape of a flow is the same again, and another flow's differs" {
    gorae --explain=dot run --rm busybox true >"$T/run.dot" 2>/dev/null
    dot -Tsvg "$T/run.dot" >"$T/run.svg"
    for word in 'pid [0-9]+' 'gorae.*shim' 'gorae.*runtime' 'pivot into the new root' 'HEAD /_ping' '201 Created'; do
        grep -Eq "$word" "$T/run.svg"
    done
    gorae --explain=dot-shape run --rm busybox true >"$T/1" 2>/dev/null
    gorae --explain=dot-shape run --rm busybox true >"$T/2" 2>/dev/null
    cmp "$T/1" "$T/2"
    never grep -Eq 'pid|[0-9] ms|[0-9a-f]{12}' "$T/1"
    gorae --explain=dot-shape ps >"$T/3" 2>/dev/null
    never cmp -s "$T/1" "$T/3"
}
