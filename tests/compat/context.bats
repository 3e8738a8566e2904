#!/usr/bin/env bats
# One store of contexts, two clients: what either writes the other reads, in both directions, files and archives.
load lib

setup_file() {
    here docker openssl || return 0
    daemon_dirs
    tls_files
    DOCKER_CERT_PATH=$T/certs/localhost daemon_start -H "tcp://127.0.0.1:$PORT" --tlsverify
    unset GORAE_HOST
    # the stock client wants a pair that fits
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/key.pem" -out "$T/cert.pem" -subj /CN=lab 2>/dev/null
    cp "$T/cert.pem" "$T/ca.pem"
    export TLS="host=tcp://lab:2376,ca=$T/ca.pem,cert=$T/cert.pem,key=$T/key.pem"
}
teardown_file() { daemon_end; }
setup() {
    need docker openssl
    rm -rf "$DOCKER_CONFIG"
    mkdir "$DOCKER_CONFIG"
    cd "$T"
}

same() { # the same words to both clients: the same JSON, but for the default's own socket
    local a b
    a=$(gorae "$@" | jq -S .)
    b=$(docker "$@" | jq -S .)
    [ -n "$a" ]
    [ "$a" = "$b" ] || { diff <(echo "$a") <(echo "$b") >&2; return 1; }
}
tree() { (cd "$DOCKER_CONFIG" && find . -printf '%P %M %s\n' | sort && find . -name meta.json -exec jq -Sc . {} + | sort); }

@test "the same command makes the same files" {
    gorae context create one --description 'hello <b> & "한"' --docker "$TLS"
    gorae context create two --docker "host=unix://$SOCK"
    gorae context create tri --docker "host=tcp://x,skip-tls-verify=true"
    tree | sed 's/meta.json -rw-r--r-- [0-9]*/meta.json/' >"$T/ours"
    rm -rf "$DOCKER_CONFIG"/contexts
    docker context create one --description 'hello <b> & "한"' --docker "$TLS"
    docker context create two --docker "host=unix://$SOCK"
    docker context create tri --docker "host=tcp://x,skip-tls-verify=true"
    tree | sed 's/meta.json -rw-r--r-- [0-9]*/meta.json/' >"$T/theirs"
    # the stock client escapes < > & in JSON: as many bytes as that differ, so sizes of meta.json are left out
    diff "$T/ours" "$T/theirs"
}

@test "created by one, used by the other" {
    gorae context create ours --docker "host=unix://$SOCK"
    docker context create theirs --docker "host=unix://$SOCK"
    [ "$(docker -c ours version --format '{{.Server.Os}}')" = linux ]
    [ "$(gorae -c theirs version --format '{{.Server.Os}}')" = linux ]
    gorae context use theirs
    [ "$(docker context show)" = theirs ]
    docker ps
    docker context use ours
    [ "$(gorae context show)" = ours ]
    gorae ps
    gorae context rm theirs
    [ "$(docker context ls -q | xargs)" = "default ours" ]
    docker context rm -f ours
    [ "$(gorae context show)" = default ]
}

@test "certificates in a context: made by one, spoken by the other" {
    local tls="host=tcp://localhost:$PORT,ca=$T/certs/client/ca.pem,cert=$T/certs/client/cert.pem,key=$T/certs/client/key.pem"
    gorae context create ours --docker "$tls"
    docker context create theirs --docker "$tls"
    [ "$(docker -c ours version --format '{{.Server.Os}}')" = linux ]
    [ "$(gorae -c theirs version --format '{{.Server.Os}}')" = linux ]
}

@test "inspect and ls say the same" {
    gorae context create ours --description d --docker "$TLS"
    docker context create theirs --docker host=ssh://u@h:22
    same context inspect ours theirs
    docker context use theirs
    same context inspect
    gorae context ls --format json | jq -S 'select(.Name != "default")' >"$T/ours"
    docker context ls --format json | jq -S 'select(.Name != "default")' >"$T/theirs"
    [ -s "$T/ours" ]
    diff "$T/ours" "$T/theirs"
}

@test "config.json: either keeps what the other wrote" {
    echo '{"auths": {"h": {"auth": "eDp5"}}, "psFormat": "{{.ID}}"}' >"$DOCKER_CONFIG/config.json"
    docker context create theirs --docker "host=unix://$SOCK"
    gorae context use theirs
    docker context use default
    gorae context use theirs
    [ "$(jq -Sc . "$DOCKER_CONFIG/config.json")" = '{"auths":{"h":{"auth":"eDp5"}},"currentContext":"theirs","psFormat":"{{.ID}}"}' ]
}

@test "export and import in both directions, keys and all" {
    gorae context create ours --description d --docker "$TLS"
    docker context create theirs --description d --docker "$TLS"
    gorae context export ours a.tar
    docker context export theirs b.tar
    docker context import from-ours a.tar
    gorae context import from-theirs b.tar
    same context inspect from-ours from-theirs
    for n in from-ours from-theirs; do
        dir=$(gorae context inspect $n -f '{{.Storage.TLSPath}}')
        cmp "$T/key.pem" "$dir/docker/key.pem"
        cmp "$T/ca.pem" "$dir/docker/ca.pem"
    done
    # docker's archive lacks the end: every byte of content counts all the same
    head -c -1 b.tar >cut.tar
    run gorae context import cut cut.tar
    [ "$status" = 1 ]
    [[ $output == *"ends in the middle"* ]]
    rm a.tar b.tar cut.tar
}

@test "update by one is seen by the other" {
    docker context create theirs --docker "$TLS"
    gorae context update theirs --docker host=tcp://new --description "by gorae"
    [ "$(docker context inspect theirs | jq -c '.[0] | [.Endpoints.docker.Host, .Metadata.Description, .TLSMaterial]')" = '["tcp://new","by gorae",{}]' ]
    docker context update theirs --docker "$TLS"
    [ "$(gorae context inspect theirs -f '{{.Endpoints.docker.Host}} {{len .TLSMaterial.docker}}')" = "tcp://lab:2376 3" ]
}

@test "which one is used: both clients say the same for every combination" {
    docker context create aa --docker host=unix:///a
    docker context create bb --docker host=unix:///b
    docker context use aa
    for host in '' unix:///h; do
        for context in '' bb; do
            for flag in '' '-c aa' '-c default' '-H unix:///f'; do
                # shellcheck disable=SC2086 # a flag and its value
                [ "$(DOCKER_HOST=$host DOCKER_CONTEXT=$context gorae $flag context show)" = "$(DOCKER_HOST=$host DOCKER_CONTEXT=$context docker $flag context show)" ]
                # shellcheck disable=SC2086
                DOCKER_HOST=$host DOCKER_CONTEXT=$context docker $flag ps 2>"$T/theirs" || true
                # shellcheck disable=SC2086
                DOCKER_HOST=$host DOCKER_CONTEXT=$context gorae $flag ps 2>"$T/ours" || true
                [ "$(grep -oE 'unix:///[a-z]+' "$T/ours" | sed 's,/run$,/var,' | head -n1)" = "$(grep -oE 'unix:///[a-z]+' "$T/theirs" | head -n1)" ]
            done
        done
    done
}
