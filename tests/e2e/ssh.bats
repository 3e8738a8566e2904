#!/usr/bin/env bats
# ssh://: the client's half with a program "ssh" of our own that runs the remote command here, and system dial-stdio, the
# other half. The real sshd is in tests/compat/ssh.bats.
load lib

setup_file() {
    daemon_with_busybox
    gorae run -d --name runs busybox sh -c 'echo one; sleep 1000' >/dev/null
    mkdir "$T/bin"
    cat >"$T/bin/ssh" <<'SSH'
#!/bin/bash
printf '<%s>' "$@" >>"$T/asked"
echo >>"$T/asked"
[ ! -e "$T/refuse" ] || { cat "$T/refuse" >&2; exit "$(cat "$T/code")"; }
[ ! -e "$T/deaf" ] || { echo $$ >>"$T/pids"; exec sleep 1000; }
echo "banner of the machine" >&2
while [ "$1" != -- ]; do shift; done
shift 2
echo $$ >>"$T/pids"
[ -e "$T/vanishing" ] || exec sh -c "exec $*"
trap 'kill "$far"; echo "Timeout, server far not responding." >&2; exit 255' USR1
sh -c "exec $*" <&0 &
far=$!
wait "$far"
SSH
    chmod +x "$T/bin/ssh"
    # how long a machine may be silent is the client's to say, as over TCP
    export FIXED='<-oConnectTimeout=10><-oServerAliveInterval=5><-oServerAliveCountMax=3>'
    export PATH=$T/bin:$PATH FAR=ssh://root@far:2222$SOCK
    unset GORAE_HOST
}
teardown_file() {
    gorae -H "unix://$SOCK" rm -f runs >/dev/null
    daemon_end
}
setup() {
    rm -f "$T/asked" "$T/pids" "$T/refuse" "$T/deaf" "$T/vanishing"
    touch "$T/pids"
}

# Every ssh that this test started has ended.
none_left() {
    local p
    while read -r p; do
        never test -d "/proc/$p"
    done <"$T/pids"
}
# refuse CODE TEXT: this is how the next login ends
refuse() {
    echo "$1" >"$T/code"
    echo "$2" >"$T/refuse"
}

@test "a command through ssh: its words, its answer, and no process afterwards" {
    run gorae -H "$FAR" ps --format '{{.Names}}'
    [ "$status" = 0 ]
    [ "$output" = runs ]
    [ "$(cat "$T/asked")" = "<-l><root><-p><2222>$FIXED<-T><--><far><gorae><--host><unix://$SOCK><system><dial-stdio>" ]
    none_left
}

@test "without user, port and path" {
    run gorae -H ssh://far ps
    [ "$(cat "$T/asked")" = "$FIXED<-T><--><far><gorae><system><dial-stdio>" ]
}

@test "run -i: input, its end, output, exit code" {
    run gorae -H "$FAR" run --rm -i busybox sh -c 'cat; echo done; exit 7' <<<hello
    [ "$status" = 7 ]
    [ "$output" = $'hello\ndone' ]
    none_left
}

@test "many bytes both ways, whole" {
    head -c 3000000 /dev/urandom >"$T/blob"
    gorae -H "$FAR" exec -i runs cat <"$T/blob" >"$T/back"
    cmp "$T/blob" "$T/back"
    gorae -H "$FAR" cp "$T/blob" runs:/blob
    gorae -H "$FAR" cp runs:/blob - | tar xO | cmp - "$T/blob"
    none_left
}

@test "a client that is killed takes its ssh with it, and what ran there" {
    gorae -H "$FAR" logs -f runs >"$T/out" 3>&- &
    local client=$!
    eventually 50 grep -q one "$T/out"
    kill -KILL "$client"
    eventually 50 none_left
}

@test "even an ssh that notices nothing ends with its client, however that ends" {
    touch "$T/deaf"
    local signal client
    for signal in KILL TERM; do
        gorae -H "$FAR" ps >/dev/null 2>&1 3>&- &
        client=$!
        eventually 50 test -s "$T/pids"
        kill "-$signal" "$client"
        eventually 50 none_left
        rm "$T/pids"
        touch "$T/pids"
    done
}

@test "the end of ssh in mid-stream is said" {
    gorae -H "$FAR" logs -f runs >"$T/out" 2>"$T/err" 3>&- &
    local client=$!
    eventually 50 grep -q one "$T/out"
    kill -KILL "$(tail -n1 "$T/pids")"
    local code=0
    wait "$client" || code=$?
    [ "$code" = 1 ]
    grep -qF "lost the connection to the daemon at $FAR: ssh has ended" "$T/err"
}

@test "a stream without an end of its own: the code of an exec is not asked for through a line that broke" {
    touch "$T/vanishing" # USR1 is the end of an ssh that nobody has answered for long
    mkfifo "$T/typed"
    gorae -H "$FAR" exec -i runs cat <"$T/typed" >"$T/out" 2>"$T/err" 3>&- &
    local client=$! code=0
    exec 8>"$T/typed"
    echo before >&8
    eventually 50 grep -q before "$T/out"
    refuse 255 'nobody asks again'
    xargs kill -USR1 <"$T/pids" 2>/dev/null || true
    wait "$client" || code=$?
    exec 8>&-
    [ "$code" = 1 ]
    [ "$(cat "$T/err")" = "lost the connection to the daemon at $FAR: ssh has ended (Timeout, server far not responding.)" ]
}

@test "each way in which a login fails has its sentence" {
    refuse 255 'root@far: Permission denied (publickey).'
    fails_with "the login was refused: ssh must get in without asking, with a key or an agent (root@far: Permission denied (publickey).)" gorae -H "$FAR" ps
    refuse 255 'Host key verification failed.'
    fails_with "the host's key is not known yet: log in once with ssh" gorae -H "$FAR" ps
    refuse 255 $'@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.'
    fails_with "is not the one that known_hosts has" gorae -H "$FAR" ps
    refuse 255 'ssh: Could not resolve hostname far: Name or service not known'
    fails_with "there is no host of that name" gorae -H "$FAR" ps
    refuse 127 'bash: line 1: gorae: command not found'
    fails_with '"gorae system dial-stdio" cannot be run there (bash: line 1: gorae: command not found)' gorae -H "$FAR" ps
    refuse 255 $'\033[31mred\007'
    fails_with "ssh could not connect ( [31mred )" gorae -H "$FAR" ps
    # one login for one failure
    [ "$(wc -l <"$T/asked")" = 6 ]
}

@test "the far daemon does not run: whose sentence it is" {
    fails_with "there, gorae could not reach its daemon (cannot connect to the daemon at unix:///nowhere: is goraed running?" \
        gorae -H ssh://far/nowhere ps
}

@test "nothing of an address becomes an option, or a word for the far shell" {
    fails_with "the host may hold" gorae -H ssh://-oProxyCommand=x ps
    fails_with "the user's name may hold" gorae -H ssh://-l@far ps
    fails_with "the path of the socket may hold" gorae -H 'ssh://far/x;touch$IFS/y' ps
    fails_with "the path of the socket may hold" gorae -H 'ssh://far/a b' ps
    fails_with "a password has no place in it" gorae -H ssh://me:secret@far ps
    fails_with "be followed by :port" gorae -H ssh://far:70000 ps
    fails_with "the host may hold" gorae -H "ssh://fa"$'\n'"r" ps
    fails_with "the host may hold" gorae -H ssh:// ps
    never test -e "$T/asked"
}

@test "no ssh in PATH is said; a PATH's relative places are passed over" {
    cp "$T/bin/ssh" "$T/ssh"
    cd "$T"
    PATH=.:$GORAE_BUILD/bin fails_with 'there is no program "ssh" in PATH' gorae -H "$FAR" ps
}

@test "dial-stdio: half-close in both directions, over pipes" {
    run bash -c 'printf "GET /_ping HTTP/1.0\r\n\r\n" | gorae -H "unix://$SOCK" system dial-stdio'
    [ "$status" = 0 ]
    [[ $output == *OK ]]
    # the daemon closes: it ends, though its input stays open
    coproc far { exec gorae -H "unix://$SOCK" system dial-stdio 3>&-; }
    local pid=$far_PID
    printf 'GET /_ping HTTP/1.0\r\n\r\n' >&"${far[1]}"
    eventually 50 never test -d "/proc/$pid"
}

@test "dial-stdio: a daemon that has said all still hears the rest" {
    python3 - "$T/half" "$T/heard" 3>&- <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
c, _ = s.accept()
c.sendall(b"said\n")
c.shutdown(socket.SHUT_WR)
heard = b""
while part := c.recv(100):
    heard += part
open(sys.argv[2], "wb").write(heard)
PY
    eventually 50 test -S "$T/half"
    coproc far { exec gorae -H "unix://$T/half" system dial-stdio 3>&-; }
    local pid=$far_PID out=${far[0]} in=${far[1]}
    [ "$(timeout 10 cat <&"$out")" = said ]
    echo late >&"$in"
    eval "exec $in>&-"
    eventually 50 never test -d "/proc/$pid"
    eventually 50 test -s "$T/heard"
    [ "$(cat "$T/heard")" = late ]
}

@test "dial-stdio: nobody reads its output any more: it ends" {
    mkfifo "$T/in" "$T/down"
    gorae -H "unix://$SOCK" system dial-stdio <"$T/in" >"$T/down" 3>&- &
    local pid=$!
    exec 8>"$T/in" 9<"$T/down"
    printf 'GET /events HTTP/1.0\r\n\r\n' >&8
    read -r -u 9
    exec 9<&-
    eventually 50 never kill -0 "$pid"
    exec 8>&-
}
