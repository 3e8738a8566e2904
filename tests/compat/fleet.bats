#!/usr/bin/env bats
# The stock clients at the desk of a fleet: docker with contexts that gorae made, and docker-compose against a machine that
# is not this one, through TLS as the README has it.
load lib
load ../e2e/fleet

setup_file() {
    fleet_start
    fleet_contexts
}
teardown_file() { fleet_stop; }

@test "the stock client goes round the same contexts" {
    need docker
    local c
    for c in $(docker context ls -q | grep ^lab); do
        run at_desk docker -c "$c" run --rm -i busybox sh -c 'cat; exit 4' <<<"$c"
        [ "$status" = 4 ]
        [ "$output" = "$c" ]
    done
    [ "$c" = lab3 ]
}

@test "docker-compose up, ps, logs, down, on another machine" {
    need docker-compose
    mkdir "$BASE/project"
    cat >"$BASE/project/docker-compose.yml" <<'YAML'
version: "2.4"
services:
  one:
    image: busybox
    network_mode: none
    command: sh -c "echo from one; sleep 1000"
    stop_grace_period: 1s
  two:
    image: busybox
    network_mode: none
    command: sleep 1000
    stop_grace_period: 1s
    depends_on: [one]
YAML
    cd "$BASE/project"
    DOCKER_HOST=$(endpoint 3)
    export DOCKER_HOST DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH=$BASE/certs/client
    # python's requests believes these before the authority that compose hands it
    unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    # without the certificate it is kept out: what follows does go through TLS
    DOCKER_CERT_PATH='' DOCKER_TLS_VERIFY='' run at_desk docker-compose --no-ansi ps
    [ "$status" != 0 ]
    at_desk docker-compose --no-ansi up -d
    [ "$(at_desk gorae -H "$DOCKER_HOST" ps --format '{{.Names}}' | sort | xargs)" = "project_one_1 project_two_1" ]
    [ -z "$(at_desk gorae -c lab1 ps -q)" ]
    eventually 50 sh -c 'nsenter --net="/run/netns/$1" docker-compose --no-ansi logs one | grep -q "from one"' - "$(ns desk)"
    at_desk docker-compose --no-ansi down
    [ -z "$(at_desk gorae -H "$DOCKER_HOST" ps -aq)" ]
}
