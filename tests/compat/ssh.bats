#!/usr/bin/env bats
# ssh:// through a real sshd on loopback, private in all it has: key, port, authorized_keys. Both clients, ours and the
# stock one; each way in which a login can fail.
load lib
load ../e2e/fleet

setup_file() {
    here sshd || return 0
    daemon_with_busybox
    unset GORAE_HOST
    mkdir "$T/ssh" "$T/bin"
    made_run=
    [ -d /run/sshd ] || { mkdir -m 755 /run/sshd; made_run=yes; }
    export made_run
    ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/host"
    ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/key"
    ssh-keygen -q -t ed25519 -N '' -f "$T/ssh/other"
    cp "$T/ssh/key.pub" "$T/ssh/authorized"
    ln -s "$GORAE_BUILD/bin/gorae" "$T/bin/docker" # what the stock client runs at the far end
    PORT=$(free_port)
    export PORT
    sshd_start "$GORAE_BUILD/bin:$T/bin:/usr/bin:/bin"
    # A real ssh, but not with root's own configuration: that would leave a host's key in root's known_hosts.
    cat >"$T/bin/ssh" <<'SSH'
#!/bin/sh
exec /usr/bin/ssh -F "$T/ssh/client" "$@"
SSH
    chmod +x "$T/bin/ssh"
    client_config "$T/ssh/key"
    echo "[127.0.0.1]:$PORT $(cat "$T/ssh/host.pub")" >"$T/ssh/known"
    export FAR=ssh://root@127.0.0.1:$PORT$SOCK
    export PATH=$T/bin:$PATH
}
teardown_file() {
    [ -n "$T" ] || return 0
    BASE=$T
    for name in lab1 desk; do ip netns del "$(ns "$name")" 2>/dev/null || true; done # a failed test's
    sshd_stop
    [ -z "$made_run" ] || rmdir /run/sshd
    daemon_end
}
setup() { need sshd; }

sshd_start() { # the PATH of a login, [address, command that it is started by]
    cat >"$T/ssh/sshd" <<CONF
Port $PORT
ListenAddress ${2:-127.0.0.1}
HostKey $T/ssh/host
PidFile $T/ssh/pid
AuthorizedKeysFile $T/ssh/authorized
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PrintMotd no
PrintLastLog no
SetEnv PATH=$1
CONF
    "${@:3}" /usr/sbin/sshd -f "$T/ssh/sshd" -E "$T/ssh/log" 3>&-
    eventually 50 test -s "$T/ssh/pid"
}
sshd_stop() {
    kill "$(cat "$T/ssh/pid")"
    eventually 50 never test -e "$T/ssh/pid"
}
client_config() { # the key
    cat >"$T/ssh/client" <<CONF
IdentityFile $1
IdentitiesOnly yes
UserKnownHostsFile $T/ssh/known
GlobalKnownHostsFile /dev/null
CONF
}
no_ssh_left() { never pgrep -f "$T/ssh/client"; }

@test "ours: ps, run -i with its end of input and exit code, exec, and no ssh afterwards" {
    gorae -H "$FAR" run -d --name far busybox sh -c 'echo one; sleep 1000'
    [ "$(gorae -H "$FAR" ps --format '{{.Names}}')" = far ]
    run gorae -H "$FAR" run --rm -i busybox sh -c 'cat; exit 7' <<<hello
    [ "$status" = 7 ]
    [ "$output" = hello ]
    [ "$(echo x | gorae -H "$FAR" exec -i far cat)" = x ]
    no_ssh_left
}

@test "the stock client, whose far end is 'docker system dial-stdio'" {
    need docker
    [ "$(docker -H "$FAR" ps --format '{{.Names}}')" = far ]
    run docker -H "$FAR" run --rm -i busybox sh -c 'cat; exit 7' <<<hello
    [ "$status" = 7 ]
    [ "$output" = hello ]
}

@test "a context with ssh://, made by one client and used by the other" {
    need docker
    gorae context create mine --docker "host=$FAR"
    [ "$(docker -c mine ps --format '{{.Names}}')" = far ]
    docker context create theirs --docker "host=$FAR"
    [ "$(gorae -c theirs ps --format '{{.Names}}')" = far ]
}

@test "a client that is killed leaves neither ssh nor what ran at the far end" {
    gorae -H "$FAR" logs -f far >"$T/out" 3>&- &
    local client=$!
    eventually 100 grep -q one "$T/out"
    pgrep -f "$T/ssh/client"
    kill -KILL "$client"
    eventually 100 no_ssh_left
    eventually 100 never pgrep -f "$SOCK system dial-stdio"
}

@test "the login is refused" {
    client_config "$T/ssh/other"
    fails_with "the login was refused: ssh must get in without asking" gorae -H "$FAR" ps
    client_config "$T/ssh/key"
}

@test "the host is unknown; its key has changed" {
    mv "$T/ssh/known" "$T/ssh/known.good"
    fails_with "the host's key is not known yet: log in once with ssh" gorae -H "$FAR" ps
    echo "[127.0.0.1]:$PORT $(cat "$T/ssh/other.pub")" >"$T/ssh/known"
    fails_with "the host's key is not the one that known_hosts has" gorae -H "$FAR" ps
    mv "$T/ssh/known.good" "$T/ssh/known"
}

@test "nobody listens there; there is no such host" {
    fails_with "ssh could not connect (ssh: connect to host 127.0.0.1 port 1: Connection refused)" gorae -H ssh://root@127.0.0.1:1 ps
    fails_with "there is no host of that name" gorae -H ssh://no-such-host.invalid ps
}

@test "the connection is cut in mid-stream: said, and nothing stuck" {
    gorae -H "$FAR" logs -f far >"$T/out" 2>"$T/err" 3>&- &
    local client=$! code=0 session
    eventually 100 grep -q one "$T/out"
    for session in $(pgrep -P "$(cat "$T/ssh/pid")"); do kill -KILL "$session"; done
    wait "$client" || code=$?
    [ "$code" = 1 ]
    grep -qF "lost the connection to the daemon at $FAR: ssh has ended (" "$T/err"
    no_ssh_left
}

# The machine has no power any more: no packet says so.
@test "the machine vanishes in mid-stream: said within the time that TCP has, and so for a new command" {
    local far=ssh://root@$(address 1):$PORT$SOCK code p c=() session
    export BASE=$T
    desk_lay
    lab_lay 1
    sshd_stop
    sshd_start "$GORAE_BUILD/bin:$T/bin:/usr/bin:/bin" "$(address 1)" in_ns lab1
    cp "$T/ssh/known" "$T/ssh/known.loopback"
    echo "[$(address 1)]:$PORT $(cat "$T/ssh/host.pub")" >>"$T/ssh/known"
    gorae -H "unix://$SOCK" run -d --name loud busybox sh -c 'i=0; while :; do echo $i; i=$((i+1)); sleep 0.2; done'
    at_desk gorae -H "$far" logs -f loud >"$T/out" 2>"$T/err.logs" 3>&- &
    c+=($!)
    at_desk gorae -H "$far" logs -f far >"$T/quiet" 2>"$T/err.quiet" 3>&- &
    c+=($!)
    mkfifo "$T/typed"
    at_desk gorae -H "$far" exec -i loud cat <"$T/typed" >"$T/echoed" 2>"$T/err.exec" 3>&- &
    c+=($!)
    exec 8>"$T/typed"
    echo before >&8
    eventually 100 grep -q before "$T/echoed"
    eventually 100 grep -q 3 "$T/out"
    eventually 100 grep -q one "$T/quiet"
    cable 1 down
    local began=$SECONDS
    echo after >&8 # data in flight, which nobody will acknowledge
    fails_with "cannot connect to the daemon at $far: ssh could not connect" at_desk gorae -H "$far" ps
    [ $((SECONDS - began)) -le 12 ]
    for p in "${c[@]}"; do
        eventually 250 never kill -0 "$p"
        code=0
        wait "$p" || code=$?
        [ "$code" = 1 ]
    done
    [ $((SECONDS - began)) -le 30 ]
    [ $((SECONDS - began)) -ge 15 ] # it did wait for a switch to be restarted
    exec 8>&-
    head "$T"/err.*
    for p in logs quiet exec; do
        grep -qF "lost the connection to the daemon at $far: ssh has ended (Timeout, server $(address 1) not responding.)" "$T/err.$p"
    done
    eventually 50 no_ssh_left
    # the daemon answered all the time, and the container ran on
    [ "$(gorae -H "unix://$SOCK" ps --format '{{.Names}}' | sort | xargs)" = "far loud" ]
    gorae -H "unix://$SOCK" rm -f loud
    # what the far end's sshd has not noticed yet (its ClientAliveInterval), and then all as before
    for session in $(pgrep -P "$(cat "$T/ssh/pid")"); do kill -KILL "$session"; done
    eventually 100 never pgrep -f "$SOCK system dial-stdio"
    sshd_stop
    ip netns del "$(ns lab1)"
    ip netns del "$(ns desk)"
    mv "$T/ssh/known.loopback" "$T/ssh/known"
    sshd_start "$GORAE_BUILD/bin:$T/bin:/usr/bin:/bin"
}

@test "no gorae at the far end" {
    sshd_stop
    sshd_start /usr/bin:/bin
    fails_with '"gorae system dial-stdio" cannot be run there' gorae -H "$FAR" ps
    sshd_stop
    sshd_start "$GORAE_BUILD/bin:$T/bin:/usr/bin:/bin"
    gorae -H "$FAR" rm -f far
}
