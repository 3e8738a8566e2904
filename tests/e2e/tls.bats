#!/usr/bin/env bats
# TLS on TCP: everything a person does over it, every certificate that must not do, and what is left of tlspipe's powers.
bats_require_minimum_version 1.5.0
load lib

# leaf NAME EXTENSIONS DAYS [CA folder]: a certificate that make-certs would not make
leaf() {
    local ca=${4:-$T/certs}
    openssl ecparam -name prime256v1 -genkey -noout -out "$T/$1.key"
    openssl req -new -subj "/CN=$1" -key "$T/$1.key" -out "$T/$1.csr" 2>/dev/null
    openssl x509 -req -in "$T/$1.csr" -CA "$ca/ca.pem" -CAkey "$ca/ca-key.pem" -set_serial 7 -days "$3" \
        -extfile <(echo "$2") -out "$T/$1.pem" 2>/dev/null
}

setup_file() {
    daemon_dirs
    tls_files
    leaf expired extendedKeyUsage=clientAuth 0
    leaf anything basicConstraints=CA:FALSE 10
    leaf server extendedKeyUsage=serverAuth 10
    leaf late "$(printf 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost')" 0
    cp -r "$T/certs/localhost" "$T/daemon"
    tls_daemon
    import_busybox
}
teardown_file() { daemon_end; }
setup() {
    unset DOCKER_TLS DOCKER_TLS_VERIFY
    export DOCKER_CERT_PATH=$T/certs/client
}

tls_daemon() {
    daemon_start -H "tcp://127.0.0.1:$PORT" --tlsverify --tlscacert "$T/daemon/ca.pem" --tlscert "$T/daemon/cert.pem" \
        --tlskey "$T/daemon/key.pem" "$@"
}
tls() { gorae -H "tcp://localhost:$PORT" --tlsverify "$@"; }
# as PAIR: with another certificate than ours
as() { local who=$1; shift; tls --tlscert "$T/$who.pem" --tlskey "$T/$who.key" "$@"; }
pipes() { pgrep -P "$(cat "$T/pid")" -f 'gorae-tlspipe server'; }
# logged WORDS: the daemon's log says so, since the last call of mark
mark() { MARK=$(wc -l <"$T/log"); }
logged() { tail -n "+$((MARK + 1))" "$T/log" | grep -qF -- "$1"; }

@test "a container's life over TLS: run -it, exec -i with half-close, logs -f, events" {
    [ "$(tls run --rm busybox echo hello)" = hello ]
    run script -qec "gorae -H tcp://localhost:$PORT --tlsverify run --rm -it busybox sh -c 'tty; exit 7'" /dev/null </dev/null
    [ "$status" = 7 ]
    [[ $output == *"/dev/pts/0"* ]]
    tls run -d --name web busybox sh -c 'while read line; do echo "$line"; done; sleep 1000' >/dev/null
    [ "$(echo through | timeout 20 gorae -H "tcp://localhost:$PORT" --tlsverify exec -i web cat)" = through ]
    want=$(seq 300000 | sha256sum)
    [ "$(seq 300000 | timeout 60 gorae -H "tcp://localhost:$PORT" --tlsverify exec -i web cat | sha256sum)" = "$want" ]
    [ "$(seq 300000 | timeout 60 gorae -H "tcp://localhost:$PORT" --tlsverify run --rm -i busybox cat | sha256sum)" = "$want" ]
    run tls exec web sh -c 'exit 42'
    [ "$status" = 42 ]
    tls exec -d web sh -c 'echo late >/proc/1/fd/1'
    run timeout 20 sh -c 'gorae -H "tcp://localhost:$PORT" --tlsverify logs -f web | sed /late/q'
    [[ $output == *late* ]]
    run tls rm -f web
    [ "$status" = 0 ]
    run tls events --since 1m --until 0s --filter event=die
    [[ $output == *"container die"* ]]
}

@test "many at once, and each gets its own" {
    local i
    for i in $(seq 20); do tls run --rm busybox echo "number $i" >"$T/out.$i" & done
    wait
    for i in $(seq 20); do [ "$(cat "$T/out.$i")" = "number $i" ]; done
}

@test "64 MiB up and down arrive whole" {
    head -c 64M /dev/urandom >"$T/big"
    tar -C "$T" -cf "$T/big.tar" big
    tls import "$T/big.tar" big:1 >/dev/null
    tls save -o "$T/saved.tar" big:1
    tls rmi big:1
    [ "$(tls load -i "$T/saved.tar")" = "Loaded image: big:1" ]
    tls create --name big big:1 /x >/dev/null
    [ "$(tls cp big:/big - | tar -xOf - big | sha256sum)" = "$(sha256sum <"$T/big")" ]
    tls rm big
    tls rmi big:1
    rm "$T/big" "$T/big.tar" "$T/saved.tar"
}

@test "tlspipe is nobody, without capabilities, files and children" {
    local pid
    pid=$(pipes)
    field() { awk -v k="$1:" '$1 == k { print $2 }' "/proc/$pid/status"; }
    [ "$(field Uid)" = 65534 ]
    [ "$(field Gid)" = 65534 ]
    [ "$(field Groups)" = "" ]
    [ "$(field CapEff)" = 0000000000000000 ]
    [ "$(field CapPrm)" = 0000000000000000 ]
    [ "$(field CapAmb)" = 0000000000000000 ]
    [ "$(field NoNewPrivs)" = 1 ]
    grep -q '^Max core file size  *0 ' "/proc/$pid/limits"
    [ "$(stat -c %u "/proc/$pid/mem")" = 0 ] # not dumpable: its memory is root's to read, not nobody's
    ls -l "/proc/$pid/fd"
    never sh -c "ls -l /proc/$pid/fd | grep -vE 'total|/dev/null|socket:|$T/log'"
    [ "$(field Seccomp)" = 2 ] || nm "$(command -v gorae-tlspipe)" | grep -q '__asan_\|__tsan_'
}

@test "the client's tlspipe is confined likewise, and ends with its connection" {
    local pid
    gorae -H "tcp://localhost:$PORT" --tlsverify events >/dev/null 3>&- &
    eventually 50 pgrep -f "tlspipe client .*$T"
    pid=$(pgrep -f "tlspipe client .*$T")
    eventually 50 grep -q '^Uid:.65534' "/proc/$pid/status" # it opens what only root may, first
    eventually 50 grep -q '^NoNewPrivs:.1' "/proc/$pid/status"
    kill -KILL $!
    eventually 50 sh -c "! kill -0 $pid"
}

@test "who may not come in is told why, on both sides" {
    mark
    DOCKER_CERT_PATH=$T/nowhere run tls --tlscacert "$T/certs/ca.pem" ps
    [ "$status" = 1 ]
    [[ $output == *"demands a client certificate"*"--tlscert"* ]]
    eventually 30 logged "it showed no certificate"

    run as expired ps
    [ "$status" = 1 ]
    [[ $output == *"refused our certificate ($T/expired.pem): it has expired"* ]]
    eventually 30 logged "its certificate (expired) expired on 20"

    for who in anything server; do
        run as "$who" ps
        [ "$status" = 1 ]
        [[ $output == *"refused our certificate"* ]]
        eventually 30 logged "its certificate ($who) is not for clients: its extended key usage lacks clientAuth"
    done

    run tls --tlscert "$T/other/client/cert.pem" --tlskey "$T/other/client/key.pem" ps
    [ "$status" = 1 ]
    [[ $output == *"refused our certificate"*"authority that is unknown there"* ]]
    eventually 30 logged "is signed by an unknown authority"

    # nobody came in, whatever version of the protocol
    for v in -tls1_2 -tls1_3; do
        run openssl s_client "$v" -connect "localhost:$PORT" -CAfile "$T/certs/ca.pem" < <(printf 'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n'; sleep 0.5)
        [[ $output != *"200 OK"* ]]
    done
    tls version >/dev/null
}

@test "a refused upload gets the reason too, though it is refused while it sends" {
    DOCKER_API_VERSION=1.44 run as expired import - x:1 < <(head -c 8M /dev/zero)
    [ "$status" = 1 ]
    [[ $output == *"refused our certificate"*"it has expired"* ]]
}

@test "a daemon that is not the one is not talked to, and which rule it breaks is named" {
    mark
    run tls --tlscacert "$T/other/ca.pem" ps
    [ "$status" = 1 ]
    [[ $output == *"the daemon's certificate (localhost) is signed by an unknown authority"*"not the one in $T/other/ca.pem"* ]]
    eventually 30 logged "it refused our certificate ($T/daemon/cert.pem): it is signed by an authority that is unknown there"
    run gorae -H "tcp://127.0.0.1:$PORT" --tlsverify version
    [ "$status" = 0 ]
    echo "127.0.0.1 elsewhere.example" >"$T/hosts"
    run unshare -m sh -c "mount --bind $T/hosts /etc/hosts && gorae -H tcp://elsewhere.example:$PORT --tlsverify ps"
    [ "$status" = 1 ]
    [[ $output == *"the daemon's certificate is for localhost, 127.0.0.1, not for \"elsewhere.example\""* ]]
    # TLS has no alert for a wrong name: RFC 8446 leaves "bad certificate" for it
    eventually 30 logged "it refused our certificate ($T/daemon/cert.pem): it is bad there (made out to another name?)"

    local port
    port=$(free_port)
    openssl s_server -accept "$port" -cert "$T/late.pem" -key "$T/late.key" -quiet >/dev/null 2>&1 3>&- &
    eventually 30 sh -c "ss -ltn | grep -q :$port"
    run gorae -H "tcp://localhost:$port" --tlsverify ps
    kill $!
    [ "$status" = 1 ]
    [[ $output == *"the daemon's certificate (late) expired on 20"* ]]
}

@test "plain HTTP to the TLS port, TLS to a plain port, nobody there, old TLS" {
    local port
    mark
    run gorae -H "tcp://localhost:$PORT" ps
    [ "$status" = 1 ]
    [[ $output == "Error response from daemon: Client sent an HTTP request to an HTTPS server." ]]
    [ "$(curl -s -o /dev/null -w '%{http_code}' "http://localhost:$PORT/_ping")" = 400 ]
    eventually 30 logged "it sent an HTTP request without TLS"
    # an upload, too, gets to read the answer: no reset overtakes it
    run python3 - "$PORT" <<'P'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\n\r\n" + b"x" * 300000)
answer = b"".join(iter(lambda: s.recv(4096), b""))
print(answer.split(b"\r\n")[0].decode(), len(answer) > 100)
P
    [ "$output" = "HTTP/1.0 400 Bad Request True" ]

    port=$(free_port)
    socat "TCP-LISTEN:$port,fork,reuseaddr" "UNIX:$SOCK" 3>&- &
    eventually 30 sh -c "ss -ltn | grep -q :$port"
    run gorae -H "tcp://localhost:$port" --tlsverify ps
    kill $!
    [ "$status" = 1 ]
    [[ $output == *"the daemon does not speak TLS there"*"--tlsverify"* ]]

    run gorae -H "tcp://localhost:$(free_port)" --tlsverify ps
    [ "$status" = 1 ]
    [[ $output == *"is goraed running"*"connection refused"* ]]

    mark
    run openssl s_client -tls1_1 -cipher ALL:@SECLEVEL=0 -connect "localhost:$PORT" </dev/null
    [ "$status" != 0 ]
    eventually 30 logged "no TLS newer than 1.1"
}

@test "strangers who hold connections open keep nobody out" {
    python3 - "$PORT" "$T/strangers" <<'P' 3>&- &
import socket, sys, time
port, out = int(sys.argv[1]), sys.argv[2]
held = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
held[0].settimeout(20)
first = held[0].recv(1)                 # the oldest makes room at once
time.sleep(0.3)
held[150].setblocking(False)
try:
    younger = held[150].recv(1)         # one that is among the 256 youngest has five seconds
except BlockingIOError:
    younger = "open"
open(out, "w").write("full\n")
held[-1].settimeout(20)
began = time.monotonic()
last = held[-1].recv(1)
open(out, "a").write(f"{first!r} {younger} {last!r} {time.monotonic() - began < 9}\n")
P
    eventually 100 grep -q full "$T/strangers"
    local began=$SECONDS
    [ "$(timeout 5 gorae -H "tcp://localhost:$PORT" --tlsverify version -f '{{.Server.ApiVersion}}')" = 1.44 ]
    [ $((SECONDS - began)) -lt 4 ]
    wait $!
    grep -qx "b'' open b'' True" "$T/strangers"
}

@test "tlspipe killed: what it carried breaks clearly, and the next connection works" {
    local pid
    tls run -d --name web busybox sleep 1000 >/dev/null
    pid=$(pipes)
    mark
    tls events >"$T/heard" 2>"$T/broken" &
    local client=$!
    # before its session is up the next server would take it, and it would never end
    heard() { tls exec web true && grep -q exec_die "$T/heard"; }
    eventually 50 heard
    kill -KILL "$pid"
    local code=0
    wait "$client" || code=$?
    [ "$code" = 1 ]
    grep -q "hung up in the middle of the TLS session" "$T/broken"
    [ "$(tls ps --format '{{.Names}}')" = web ]
    logged "gorae-tlspipe $pid ended (signal 9)"
    [ "$(pipes)" != "$pid" ]
    tls rm -f web
}

@test "SIGHUP: a renewed certificate is served, and old connections go on" {
    local old
    old=$(pipes)
    tls run -d --name web busybox sh -c 'until [ -e /go ]; do sleep 0.1; done; echo end-of-it; sleep 0.2' >/dev/null
    tls logs -f web >"$T/followed" &
    local client=$!
    eventually 50 pgrep -f "tlspipe client .*$T"
    "$GORAE_REPO/src/service/make-certs" new,localhost "$T/certs" >/dev/null
    echo broken >"$T/daemon/cert.pem"
    mark
    kill -HUP "$(cat "$T/pid")"
    eventually 50 logged "reload: TLS: certificate $T/daemon/cert.pem is not a certificate in PEM form; the old settings stay"
    [ "$(pipes)" = "$old" ]
    cp "$T/certs/new/cert.pem" "$T/certs/new/key.pem" "$T/daemon/"
    kill -HUP "$(cat "$T/pid")"
    shows() { openssl s_client -connect "localhost:$PORT" </dev/null 2>/dev/null | grep -q "subject=CN = $1"; }
    eventually 50 shows new
    kill -0 "$old"
    tls exec web touch /go
    wait "$client"
    grep -q end-of-it "$T/followed"
    eventually 50 sh -c "! kill -0 $old"
    [ "$(pipes | wc -l)" = 1 ]
    tls rm -f web
    cp "$T/certs/localhost/cert.pem" "$T/certs/localhost/key.pem" "$T/daemon/"
    kill -HUP "$(cat "$T/pid")"
    eventually 50 shows localhost
}

@test "the daemon dies: a container's stream goes on, a new daemon takes the port at once, and no old tlspipe stays" {
    local old
    mkfifo "$T/typed"
    tls run --rm -i busybox sh -c 'read x; echo "got $x"' <"$T/typed" >"$T/heard" 2>/dev/null 3>&- &
    local client=$!
    exec 5>"$T/typed"
    eventually 50 sh -c 'gorae ps -q | grep -q .'
    old=$(pipes)
    daemon_kill
    tls_daemon
    [ "$(tls ps -q | wc -l)" = 1 ]
    echo word >&5
    exec 5>&-
    eventually 50 grep -q "got word" "$T/heard"
    wait "$client" || true # its wait request ended with the daemon
    eventually 50 sh -c "! kill -0 $old"
    eventually 50 sh -c '[ -z "$(gorae ps -aq)" ]'
}

@test "the daemon stopped: connections end, and nothing stays" {
    local old
    tls run -d --name web busybox sleep 1000 >/dev/null
    tls logs -f web >/dev/null &
    local client=$!
    tls events >/dev/null 2>&1 &
    local other=$!
    two() { [ "$(pgrep -fc "tlspipe client .*$T")" = 2 ]; }
    eventually 50 two
    old=$(pipes)
    daemon_stop
    never kill -0 "$old"
    wait "$client" || true
    wait "$other" || true
    judge_empty
    tls_daemon
    tls rm -f web
}

@test "Host and Origin: a certificate does for the one, nothing for the other" {
    local c=(curl -s --cacert "$T/certs/ca.pem" --cert "$T/certs/client/cert.pem" --key "$T/certs/client/key.pem")
    [ "$("${c[@]}" -H 'Host: vm7.lab:2376' "https://localhost:$PORT/_ping")" = OK ]
    [[ $("${c[@]}" -H 'Origin: https://evil.example' "https://localhost:$PORT/_ping") == *"web page"* ]]
}

@test "flags and variables choose TLS as docker's do" {
    [ "$(DOCKER_TLS_VERIFY=1 gorae -H "tcp://localhost:$PORT" version -f '{{.Server.ApiVersion}}')" = 1.44 ]
    DOCKER_TLS_VERIFY='' run gorae -H "tcp://localhost:$PORT" version
    [[ $output == *"HTTP request to an HTTPS server"* ]]
    # no check of the daemon's certificate, but one of our own to show
    rm -rf "$T/half"
    mkdir "$T/half"
    cp "$T/certs/client/cert.pem" "$T/certs/client/key.pem" "$T/half/"
    export DOCKER_CERT_PATH=$T/half
    [ "$(DOCKER_TLS=1 gorae -H "tcp://localhost:$PORT" version -f '{{.Server.ApiVersion}}')" = 1.44 ]
    gorae -H "tcp://localhost:$PORT" --tls version >/dev/null
    DOCKER_TLS_VERIFY=1 gorae -H "tcp://localhost:$PORT" --tlsverify=false version >/dev/null
    run gorae -H "tcp://localhost:$PORT" --tlsverify ps
    [ "$status" = 1 ]
    [[ $output == *"certificate authority $T/half/ca.pem"*"no such file"* ]]
    gorae -H "tcp://localhost:$PORT" --tlsverify --tlscacert "$T/certs/ca.pem" ps
    rm "$T/half/key.pem"
    run gorae -H "tcp://localhost:$PORT" --tls ps
    [[ $output == *"certificate $T/half/cert.pem is given without its key"* ]]
    unset DOCKER_CERT_PATH
    DOCKER_CONFIG=$T/certs/client run gorae -H "tcp://localhost:$PORT" --tlsverify ps
    [ "$status" = 0 ]
    # the port of TLS, and the daemon that --tls means when none is named
    run unshare -n gorae -H tcp://127.0.0.1 --tls ps
    [[ $output == *"tcp://127.0.0.1: "* ]]
    GORAE_HOST='' run unshare -n gorae --tls ps
    [[ $output == *"tcp://localhost:2376"* ]]
    # a unix socket has no TLS
    run gorae --tlsverify --tlscacert "$T/certs/ca.pem" ps
    [ "$status" = 0 ]
}

@test "a context carries the certificates, and needs no variable" {
    unset DOCKER_CERT_PATH
    local c=$T/certs/client
    GORAE_HOST='' gorae context create lab --docker "host=tcp://localhost:$PORT,ca=$c/ca.pem,cert=$c/cert.pem,key=$c/key.pem"
    GORAE_HOST='' run gorae -c lab version -f '{{.Server.ApiVersion}}'
    [ "$output" = 1.44 ]
    # without an authority of its own it asks the system's, which knows no lab
    GORAE_HOST='' gorae context create blind --docker "host=tcp://localhost:$PORT,cert=$c/cert.pem,key=$c/key.pem"
    GORAE_HOST='' run gorae -c blind version
    [ "$status" = 1 ]
    [[ $output == *"certificate"*"authorit"* ]]
    GORAE_HOST='' gorae context create lax --docker "host=tcp://localhost:$PORT,cert=$c/cert.pem,key=$c/key.pem,skip-tls-verify=true"
    GORAE_HOST='' gorae -c lax version >/dev/null
    GORAE_HOST='' gorae context rm lab blind lax
}

@test "the story over TLS: both tlspipes, their certificates, and a clock of another machine" {
    run tls --explain ps
    [[ $output == *"shake hands (TLS)"*"TLSv1.3, TLS_"*"gorae-tlspipe client"* ]]
    [[ $output == *"the daemon's certificate: localhost, checked"* ]]
    [[ $output == *"the client's certificate: client"* ]]
    [[ $output == *"gorae-tlspipe server: the daemon's end of TLS"* ]]
    [[ $output != *"another machine"* ]]
    run unshare -T --monotonic 100000 gorae -H "tcp://localhost:$PORT" --tlsverify --explain=json ps
    [ "$status" = 0 ]
    # all within a second of the first, and the daemon's work after the request
    jq -e '(map(.start) | max - min) < 10000000000' <<<"$output"
    jq -e '(map(select(.what == "send the request")) | first | .start) <= (map(select(.prog == "goraed")) | first | .start)' <<<"$output"
    run unshare -T --monotonic 100000 gorae -H "tcp://localhost:$PORT" --tlsverify --explain ps
    [[ $output == *"The daemon is on another machine"* ]]
}

# ---- the daemon's options --------------------------------------------------------------------------------------------

check() { timeout 60 goraed -H "unix://$T/s2" --data-root "$T/d2" --exec-root "$T/e2" --pidfile "$T/p2" "$@"; }
# end_check: the daemon that check started in the background
end_check() {
    local pid
    pid=$(cat "$T/p2")
    kill -TERM "$pid"
    eventually 100 sh -c "! kill -0 $pid"
}
# refused WORDS OPTIONS…: not started, not valid, and nothing has changed on the machine
refused() {
    local words=$1
    shift
    run -1 check "$@"
    [[ $output == "goraed: "*"$words"* ]] || { echo "not said: $words"; return 1; }
    run -1 check --validate "$@"
    [[ $output == *"$words"* ]]
    [ ! -e "$T/d2" ]
    [ ! -e "$T/e2" ]
    [ ! -e "$T/p2" ]
    [ ! -e "$T/s2" ]
}

@test "files that are missing or wrong: named, and nothing is started" {
    local d=$T/daemon
    refused "certificate authority $T/none.pem: open $T/none.pem: no such file" --tlsverify --tlscacert "$T/none.pem" --tlscert "$d/cert.pem" --tlskey "$d/key.pem"
    refused "certificate $T/none.pem: " --tls --tlscert "$T/none.pem" --tlskey "$d/key.pem"
    refused "key $T/none.pem: " --tls --tlscert "$d/cert.pem" --tlskey "$T/none.pem"
    refused "key $T/other/client/key.pem does not fit certificate $d/cert.pem" --tls --tlscert "$d/cert.pem" --tlskey "$T/other/client/key.pem"
    refused "certificate $d/key.pem is not a certificate in PEM form" --tls --tlscert "$d/key.pem" --tlskey "$d/key.pem"
    refused "key $d/cert.pem is not a private key" --tls --tlscert "$d/cert.pem" --tlskey "$d/cert.pem"
    refused "authority $d/key.pem holds no certificate" --tlsverify --tlscacert "$d/key.pem" --tlscert "$d/cert.pem" --tlskey "$d/key.pem"
    openssl ec -in "$d/key.pem" -aes128 -passout pass:x -out "$T/locked.pem" 2>/dev/null
    refused "key $T/locked.pem is locked with a passphrase" --tls --tlscert "$d/cert.pem" --tlskey "$T/locked.pem"
    DOCKER_CERT_PATH=$T/nowhere refused "certificate authority $T/nowhere/ca.pem" --tlsverify # the usual place, moved
}

@test "where it may listen, and who is warned" {
    local port=$PORT
    export DOCKER_CERT_PATH=$T/daemon
    # valid is not yet allowed: whoever can connect with --tls alone is root
    run -1 check -H "tcp://0.0.0.0:$(free_port)" --tls
    [[ $output == *"say --tlsverify"*"--insecure-tcp"* ]]
    run -1 check -H "tcp://127.0.0.1:$port" --tlsverify
    [[ $output == *"listen on tcp://127.0.0.1:$port: address already in use"* ]]
    [ ! -e "$T/p2" ]
    check --validate --tlsverify -H tcp://0.0.0.0
    echo '{"tlsverify": true}' >"$T/daemon.json"
    run -1 check --config-file "$T/daemon.json" --tlsverify
    [[ $output == *"both as a flag and in the configuration file: tlsverify"* ]]

    chmod 644 "$T/daemon/key.pem"
    port=$(free_port)
    check -H "tcp://0.0.0.0:$port" --config-file "$T/daemon.json" --cgroup-parent "$CGROUP" --tlscert "$T/late.pem" --tlskey "$T/late.key" >"$T/log2" 2>&1 3>&- &
    eventually 50 gorae -H "unix://$T/s2" version
    chmod 644 "$T/late.key"
    kill -HUP "$(cat "$T/p2")"
    eventually 50 grep -q "key $T/late.key may be read by everyone" "$T/log2"
    eventually 50 grep -q "certificate $T/late.pem has expired" "$T/log2"
    run gorae -H "tcp://localhost:$port" --tlsverify --tlscacert "$T/certs/ca.pem" ps
    [[ $output == *"the daemon's certificate (late) expired"* ]]
    eventually 30 grep -qF "it refused our certificate ($T/late.pem): it has expired, or is not valid yet" "$T/log2"
    end_check
    chmod 600 "$T/daemon/key.pem"
    never grep -q "everybody who can connect" "$T/log2"
}

@test "--tls alone asks nobody for a certificate, and says so" {
    local port
    port=$(free_port)
    DOCKER_CERT_PATH=$T/daemon check -H "tcp://127.0.0.1:$port" --tls --cgroup-parent "$CGROUP" >"$T/log2" 2>&1 3>&- &
    eventually 50 gorae -H "unix://$T/s2" version
    DOCKER_CERT_PATH=$T/nowhere gorae -H "tcp://localhost:$port" --tls version >/dev/null
    gorae -H "tcp://localhost:$port" --tlsverify version >/dev/null
    # without a certificate the rules for a browser's errands hold
    [[ $(curl -sk -H 'Host: evil.example' "https://localhost:$port/_ping") == *"is not this machine"* ]]
    end_check
}

@test "a TCP socket that was passed to us may be anywhere with --tlsverify, and not with --tls alone" {
    local port
    port=$(free_port)
    passed() { # options
        timeout 60 python3 -c 'import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", int(sys.argv[1])))
s.listen(10)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[2], sys.argv[2:])' "$port" goraed -H fd:// -H "unix://$T/s2" --data-root "$T/d2" --exec-root "$T/e2" --pidfile "$T/p2" \
            --cgroup-parent "$CGROUP" --tlscacert "$T/daemon/ca.pem" --tlscert "$T/daemon/cert.pem" --tlskey "$T/daemon/key.pem" "$@" 3>&-
    }
    run -1 passed --tls
    [[ $output == *"-H fd:// (0.0.0.0 port $port): whoever can connect there would be root on this machine"* ]]
    passed --tlsverify >"$T/log2" 2>&1 &
    eventually 50 gorae -H "tcp://localhost:$port" --tlsverify version
    end_check
    never grep -q "API is accessible" "$T/log2"
    passed --tls --insecure-tcp >"$T/log2" 2>&1 &
    eventually 50 gorae -H "tcp://localhost:$port" --tlsverify version
    end_check
    grep -q "API is accessible on fd:// (0.0.0.0 port $port) without client certificates" "$T/log2"
}

@test "make-certs: modes, a second host under the same authority, and no overwriting" {
    local make=$GORAE_REPO/src/service/make-certs c=$T/lab
    run "$make" vm1.lab,10.0.0.5,fd00::5 "$c"
    [ "$status" = 0 ]
    [[ $output == *"$c/vm1.lab/"*"$c/client/"* ]]
    [ "$(stat -c %a "$c/ca-key.pem" "$c/vm1.lab/key.pem" "$c/client/key.pem" | sort -u)" = 600 ]
    [ "$(stat -c %a "$c/ca.pem" "$c/vm1.lab/cert.pem" "$c/client/cert.pem" | sort -u)" = 644 ]
    openssl x509 -in "$c/vm1.lab/cert.pem" -noout -ext subjectAltName | grep -q "DNS:vm1.lab, IP Address:10.0.0.5, IP Address:FD00:0:0:0:0:0:0:5"
    sum=$(sha256sum "$c/ca.pem" "$c/ca-key.pem" "$c/client/key.pem")
    "$make" vm2.lab "$c" >/dev/null
    [ "$(sha256sum "$c/ca.pem" "$c/ca-key.pem" "$c/client/key.pem")" = "$sum" ]
    openssl verify -CAfile "$c/ca.pem" "$c"/*/cert.pem
    run "$make" vm1.lab "$c"
    [ "$status" = 1 ]
    [[ $output == *"is there already"* ]]
    for bad in client ../up 'a;b' -x .hidden; do
        run "$make" "$bad" "$c"
        [ "$status" != 0 ]
    done
    run "$make"
    [ "$status" = 2 ]
    [ "$(ls -A "$c" | sort | xargs)" = "ca-key.pem ca.pem client vm1.lab vm2.lab" ]
}

@test "a context carries the certificates: no flag, no variable, and the files it was made from may go" {
    unset DOCKER_CERT_PATH
    cp -r "$T/certs/client" "$T/mine"
    gorae context create lab --docker "host=tcp://localhost:$PORT,ca=$T/mine/ca.pem,cert=$T/mine/cert.pem,key=$T/mine/key.pem"
    rm -r "$T/mine"
    [ "$(echo through | gorae -c lab run --rm -i busybox cat)" = through ]
    gorae context use lab
    [ "$(gorae version --format '{{.Server.Os}}')" = linux ]
    gorae context use default
    gorae context export lab - | gorae context import copy -
    [ "$(gorae -c copy version --format '{{.Server.Os}}')" = linux ]
    # a context that knows another CA, one without a certificate of its own, and one that checks nobody
    gorae context create wrong --docker "host=tcp://localhost:$PORT,ca=$T/other/ca.pem,cert=$T/certs/client/cert.pem,key=$T/certs/client/key.pem"
    run gorae -c wrong ps
    [ "$status" = 1 ]
    [[ $output == *"localhost:$PORT"* ]]
    gorae context create nameless --docker "host=tcp://localhost:$PORT,ca=$T/certs/ca.pem"
    run gorae -c nameless ps
    [ "$status" = 1 ]
    gorae context create careless --docker "host=tcp://localhost:$PORT,cert=$T/certs/client/cert.pem,key=$T/certs/client/key.pem,skip-tls-verify=true"
    [ "$(gorae -c careless version --format '{{.Server.Os}}')" = linux ]
    # the variables of the default context do not reach a named one
    [ "$(DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=/nowhere gorae -c lab version --format '{{.Server.Os}}')" = linux ]
}
