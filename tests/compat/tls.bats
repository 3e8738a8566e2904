#!/usr/bin/env bats
# TLS with the other half being the real one: the stock client against goraed, gorae against a stock dockerd.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    here docker || return 0
    daemon_dirs
    tls_files
    DOCKER_CERT_PATH=$T/certs/localhost daemon_start -H "tcp://127.0.0.1:$PORT" --tlsverify
    import_busybox
}
teardown_file() { daemon_end; }
setup() {
    need docker
    export DOCKER_CERT_PATH=$T/certs/client
    unset DOCKER_TLS_VERIFY DOCKER_HOST
}
teardown() { dockerd_stop; }
stock() { timeout 60 docker -H "tcp://localhost:$PORT" --tlsverify "$@"; }

@test "stock client: version, run -it, exec -i with half-close, logs -f" {
    run stock version
    [ "$status" = 0 ]
    [[ $output == *"Server: gorae"* ]]
    [ "$(DOCKER_TLS_VERIFY=1 DOCKER_HOST=tcp://localhost:$PORT docker run --rm busybox echo hello)" = hello ]
    run script -qec "docker -H tcp://localhost:$PORT --tlsverify run --rm -it busybox sh -c 'tty; exit 7'" /dev/null </dev/null
    [ "$status" = 7 ]
    [[ $output == *"/dev/pts/0"* ]]
    stock run -d --name web busybox sh -c 'echo first; sleep 1000' >/dev/null
    [ "$(echo through | stock exec -i web cat)" = through ]
    want=$(seq 300000 | sha256sum)
    [ "$(seq 300000 | stock exec -i web cat | sha256sum)" = "$want" ]
    [ "$(seq 300000 | stock run --rm -i busybox cat | sha256sum)" = "$want" ]
    run sh -c "timeout 20 docker -H tcp://localhost:$PORT --tlsverify logs -f web | sed /first/q"
    [ "$output" = first ]
    stock rm -f web
}

@test "stock client: build-sized uploads, import and load, arrive whole" {
    head -c 64M /dev/urandom >"$T/big"
    tar -C "$T" -cf "$T/big.tar" big
    stock import "$T/big.tar" big:1
    stock save -o "$T/saved.tar" big:1
    stock rmi big:1
    [[ $(stock load -i "$T/saved.tar") == *"Loaded image: big:1"* ]]
    stock create --name big big:1 /x
    [ "$(stock cp big:/big - | tar -xOf - big | sha256sum)" = "$(sha256sum <"$T/big")" ]
    stock rm big
    stock rmi big:1
    rm "$T/big" "$T/big.tar" "$T/saved.tar"
}

@test "stock client: refused in its own words, and the daemon's log has ours" {
    run docker -H "tcp://localhost:$PORT" ps
    [ "$status" = 1 ]
    [[ $output == *"Client sent an HTTP request to an HTTPS server"* ]]
    run docker -H "tcp://localhost:$PORT" --tlsverify --tlscert "$T/other/client/cert.pem" --tlskey "$T/other/client/key.pem" ps
    [ "$status" = 1 ]
    [[ $output == *"unknown certificate authority"* ]]
    grep -q "its certificate (client) is signed by an unknown authority" "$T/log"
}

# Go sends one alert, "bad certificate", for all that a daemon's certificate can lack: the log can say no more than that, and
# the client, who knows, says it.
@test "stock client: what it finds wrong with the daemon's certificate, and what the daemon hears of it" {
    local cert=$T/certs/localhost/cert.pem told="it refused our certificate ($T/certs/localhost/cert.pem): it is bad there" before
    n() { grep -cF "$told" "$T/log" || true; }
    heard() { [ "$(n)" -gt "$1" ]; }
    before=$(n)
    run docker -H "tcp://localhost:$PORT" --tlsverify --tlscacert "$T/other/ca.pem" ps
    [ "$status" = 1 ]
    [[ $output == *"signed by unknown authority"* ]]
    eventually 30 heard "$before"

    before=$(n)
    echo "127.0.0.1 elsewhere.example" >"$T/hosts"
    run unshare -m sh -c "mount --bind $T/hosts /etc/hosts && docker -H tcp://elsewhere.example:$PORT --tlsverify ps"
    [ "$status" = 1 ]
    [[ $output == *"not elsewhere.example"* ]]
    eventually 30 heard "$before"

    before=$(n)
    cp "$cert" "$T/good.pem"
    openssl req -new -subj /CN=localhost -key "$T/certs/localhost/key.pem" -out "$T/late.csr"
    openssl x509 -req -in "$T/late.csr" -CA "$T/certs/ca.pem" -CAkey "$T/certs/ca-key.pem" -set_serial 9 -days 0 \
        -extfile <(printf 'extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost') -out "$T/late.pem"
    cp "$T/late.pem" "$cert"
    kill -HUP "$(cat "$T/pid")"
    eventually 50 grep -q "certificate $cert has expired" "$T/log"
    run stock ps
    cp "$T/good.pem" "$cert"
    kill -HUP "$(cat "$T/pid")"
    [ "$status" = 1 ]
    [[ $output == *"certificate has expired"* ]]
    eventually 30 heard "$before"
    eventually 50 stock version
}

@test "gorae against a stock dockerd with TLS, and what each says of a wrong certificate" {
    need dockerd containerd
    local port certs=$T/certs/localhost
    port=$(free_port)
    dockerd_start -H "tcp://127.0.0.1:$port" --tlsverify --tlscacert "$certs/ca.pem" --tlscert "$certs/cert.pem" \
        --tlskey "$certs/key.pem"
    theirs() { timeout 60 gorae -H "tcp://localhost:$port" --tlsverify "$@"; }
    theirs version
    import_busybox theirs
    [ "$(theirs run --rm --network none busybox echo hello)" = hello ]
    theirs run -d --name web --network none busybox sleep 1000 >/dev/null
    [ "$(echo through | theirs exec -i web cat)" = through ]
    [ "$(seq 300000 | theirs exec -i web cat | sha256sum)" = "$(seq 300000 | sha256sum)" ]
    theirs rm -f web
    run theirs --explain ps
    [[ $output == *"shake hands (TLS)"*"keeps no trace"* ]]
    DOCKER_CERT_PATH=$T/nowhere run theirs --tlscacert "$T/certs/ca.pem" ps
    [ "$status" = 1 ]
    [[ $output == *"the daemon demands a client certificate"* ]]
    run theirs --tlscert "$T/other/client/cert.pem" --tlskey "$T/other/client/key.pem" ps
    [ "$status" = 1 ]
    [[ $output == *"refused our certificate"* ]]
    run theirs --tlscacert "$T/other/ca.pem" ps
    [[ $output == *"signed by an unknown authority"* ]]
    theirs rmi -f busybox >/dev/null
}
