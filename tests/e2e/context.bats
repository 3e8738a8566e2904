#!/usr/bin/env bats
# Contexts: docker's commands, docker's files, and which daemon a command goes to. Sharing them with the stock client is
# in tests/compat/context.bats.
load lib

setup_file() {
    daemon_dirs
    daemon_start
    unset GORAE_HOST
    printf -- '-----BEGIN CERTIFICATE-----\nca\n' >"$T/ca.pem"
    printf -- '-----BEGIN CERTIFICATE-----\ncert\n' >"$T/cert.pem"
    printf -- '-----BEGIN PRIVATE KEY-----\nkey\n' >"$T/key.pem"
}
teardown_file() { daemon_end; }
setup() {
    rm -rf "$DOCKER_CONFIG"
    mkdir "$DOCKER_CONFIG"
    cd "$T"
}

CREATE_TLS() { gorae context create "$1" --description "row 2" --docker "host=tcp://lab:2376,ca=$T/ca.pem,cert=$T/cert.pem,key=$T/key.pem"; }
id_of() { printf %s "$1" | sha256sum | cut -d' ' -f1; }
meta() { echo "$DOCKER_CONFIG/contexts/meta/$(id_of "$1")/meta.json"; }
tls() { echo "$DOCKER_CONFIG/contexts/tls/$(id_of "$1")"; }
# Does a command with these options reach our daemon?
reaches() { [ "$(gorae "$@" version --format '{{.Server.Version}}')" = "$(gorae -H "unix://$SOCK" version --format '{{.Client.Version}}')" ]; }

@test "create: the files are docker's, in its places and with its modes" {
    run gorae context create lab1 --docker "host=unix://$SOCK"
    [ "$status" = 0 ]
    [ "$output" = $'lab1\nSuccessfully created context "lab1"' ]
    [ "$(cat "$(meta lab1)")" = '{"Name":"lab1","Metadata":{},"Endpoints":{"docker":{"Host":"unix://'"$SOCK"'","SkipTLSVerify":false}}}' ]
    CREATE_TLS lab2
    [ "$(stat -c %a "$(tls lab2)" "$(tls lab2)/docker" "$(tls lab2)/docker/key.pem" "$(meta lab2)" | xargs)" = "700 700 600 644" ]
    cmp "$T/key.pem" "$(tls lab2)/docker/key.pem"
    cmp "$T/cert.pem" "$(tls lab2)/docker/cert.pem"
    cmp "$T/ca.pem" "$(tls lab2)/docker/ca.pem"
    [ "$(jq -r .Metadata.Description "$(meta lab2)")" = "row 2" ]
}

@test "create: what is refused leaves nothing" {
    fails_with 'context name "x" is invalid' gorae context create x
    fails_with 'context name "a/b" is invalid' gorae context create a/b
    fails_with 'context name "-ab" is invalid' gorae context create -- -ab
    fails_with '"default" is a reserved context name' gorae context create default
    fails_with 'unrecognized key "hots"' gorae context create lab1 --docker hots=x
    fails_with '"nothing" must be key=value' gorae context create lab1 --docker nothing
    fails_with 'unable to parse docker host "ftp://x"' gorae context create lab1 --docker host=ftp://x
    fails_with 'the host may hold' gorae context create lab1 --docker host=ssh://-oProxyCommand=x
    fails_with "$T/nosuch" gorae context create lab1 --docker "host=tcp://x,ca=$T/nosuch"
    fails_with "$T/log seems invalid: it holds nothing in PEM form" gorae context create lab1 --docker "host=tcp://x,ca=$T/log"
    fails_with 'cert and key go together' gorae context create lab1 --docker "host=tcp://x,cert=$T/cert.pem"
    fails_with 'expected true or false' gorae context create lab1 --docker host=tcp://x,skip-tls-verify=perhaps
    fails_with 'cannot use --docker flag when --from is set' gorae context create lab1 --from default --docker host=tcp://x
    fails_with 'context "nosuch" not found' gorae context create lab1 --from nosuch
    never test -e "$DOCKER_CONFIG/contexts"
    gorae context create lab1 --docker host=tcp://x
    fails_with 'context "lab1" already exists' gorae context create lab1 --docker host=tcp://y
    grep -q tcp://x "$(meta lab1)"
}

@test "create: copies, of the one in use, of another, of its daemon alone" {
    CREATE_TLS lab1
    gorae context create copy --from lab1
    [ "$(gorae context inspect copy -f '{{.Metadata.Description}} {{json .TLSMaterial.docker}}')" = 'row 2 ["ca.pem","cert.pem","key.pem"]' ]
    cmp "$T/key.pem" "$(tls copy)/docker/key.pem"
    gorae context create daemon --docker from=lab1 --description other
    [ "$(gorae context inspect daemon -f '{{.Metadata.Description}} {{.Endpoints.docker.Host}} {{json .TLSMaterial.docker}}')" = 'other tcp://lab:2376 ["ca.pem","cert.pem","key.pem"]' ]
    DOCKER_HOST=unix://$SOCK gorae context create now
    [ "$(gorae context inspect now -f '{{.Endpoints.docker.Host}}')" = "unix://$SOCK" ]
    gorae context use lab1
    gorae context create again
    [ "$(gorae context inspect again -f '{{.Endpoints.docker.Host}}')" = tcp://lab:2376 ]
}

@test "update: a new daemon takes the old one's certificates away; a description does not" {
    CREATE_TLS lab1
    gorae context update lab1 --description new
    [ "$(gorae context inspect lab1 -f '{{.Metadata.Description}} {{len .TLSMaterial.docker}}')" = "new 3" ]
    gorae context update lab1 --docker host=tcp://other
    [ "$(gorae context inspect lab1 -f '{{.Metadata.Description}} {{.Endpoints.docker.Host}} {{json .TLSMaterial}}')" = "new tcp://other {}" ]
    never test -e "$(tls lab1)"
    fails_with 'open '"$T/nosuch" gorae context update lab1 --docker "host=tcp://z,ca=$T/nosuch"
    grep -q tcp://other "$(meta lab1)"
    fails_with 'context "nosuch" not found' gorae context update nosuch --description x
    fails_with '"default" is a reserved' gorae context update default --description x
}

@test "ls: a table, names in their order, the one in use, formats" {
    for n in web10 web2 alpha; do gorae context create "$n" --docker "host=tcp://$n" >/dev/null; done
    gorae context use web2
    [ "$(gorae context ls -q | xargs)" = "alpha default web2 web10" ]
    run gorae context ls
    [ "${lines[0]}" = "NAME      DESCRIPTION                               DOCKER ENDPOINT          ERROR" ]
    [[ ${lines[3]} =~ ^"web2 *"\ +tcp://web2\ *$ ]]
    [ "$(gorae context ls --format '{{.Name}} {{.Current}} {{.DockerEndpoint}}' | tail -n1)" = "web10 false tcp://web10" ]
    [ "$(gorae context ls --format json | jq -r 'select(.Current).Name')" = web2 ]
}

@test "use: config.json keeps all else, its mode, and the link that it is" {
    gorae context create lab1 --docker "host=unix://$SOCK"
    printf '{"auths":{"h":{"auth":"eDp5"}},"unknown":[1,2.5,{"deep":"한"}],"psFormat":"x"}' >"$T/real.json"
    chmod 640 "$T/real.json"
    ln -s "$T/real.json" "$DOCKER_CONFIG/config.json"
    run gorae context use lab1
    [ "$output" = $'lab1\nCurrent context is now "lab1"' ]
    [ -L "$DOCKER_CONFIG/config.json" ]
    [ "$(stat -c %a "$T/real.json")" = 640 ]
    [ "$(jq -c . "$T/real.json")" = '{"auths":{"h":{"auth":"eDp5"}},"unknown":[1,2.5,{"deep":"한"}],"psFormat":"x","currentContext":"lab1"}' ]
    [ "$(gorae context show)" = lab1 ]
    reaches
    gorae context use default
    [ "$(jq -c . "$T/real.json")" = '{"auths":{"h":{"auth":"eDp5"}},"unknown":[1,2.5,{"deep":"한"}],"psFormat":"x"}' ]
    [ "$(gorae context show)" = default ]
    fails_with 'context "nosuch" not found' gorae context use nosuch
    fails_with 'context name "../x" is invalid' gorae context use ../x
    [ "$(gorae context show)" = default ]
}

@test "use: without a config.json, one for its owner alone" {
    gorae context create lab1 --docker "host=unix://$SOCK"
    gorae context use lab1
    [ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
    rm "$DOCKER_CONFIG/config.json"
    gorae context use default
    never test -e "$DOCKER_CONFIG/config.json"
    env -u DOCKER_CONFIG HOME="$T/home" gorae context create other --docker "host=unix://$SOCK"
    env -u DOCKER_CONFIG HOME="$T/home" gorae context use other
    [ -f "$T/home/.docker/config.json" ]
    [ "$(env -u DOCKER_CONFIG HOME="$T/home" gorae context show)" = other ]
}

@test "who is asked: -H and -c, GORAE_HOST, DOCKER_HOST, DOCKER_CONTEXT, context use, in this order" {
    gorae context create good --docker "host=unix://$SOCK"
    gorae context create bad --docker host=unix:///nowhere
    gorae context use bad
    fails_with unix:///nowhere gorae ps
    reaches -c good
    reaches --context=good
    reaches -H "unix://$SOCK"
    DOCKER_CONTEXT=good reaches
    DOCKER_HOST=unix://$SOCK DOCKER_CONTEXT=bad reaches
    GORAE_HOST=unix://$SOCK DOCKER_HOST=unix:///nowhere reaches
    DOCKER_HOST=unix:///nowhere reaches -c good
    DOCKER_HOST=unix:///nowhere DOCKER_CONTEXT=good fails_with unix:///nowhere gorae ps
    [ "$(DOCKER_HOST=unix:///nowhere gorae context show)" = default ]
    [ "$(DOCKER_CONTEXT=good gorae context show)" = good ]
    [ "$(DOCKER_CONTEXT=good gorae version --format '{{.Client.Context}}')" = good ]
    run gorae -c good -H unix:///x ps
    [ "$status" = 125 ]
    [[ $output == *"conflicting options: --host (-H) unix:///x and --context (-c) good both name a daemon"* ]]
}

@test "a variable that overrides the choice is named where one chooses or looks" {
    gorae context create good --docker "host=unix://$SOCK"
    DOCKER_HOST=unix:///y run gorae context use good
    [ "${lines[2]}" = 'Warning: DOCKER_HOST environment variable overrides the active context. To use "good", either set the global --context flag, or unset DOCKER_HOST environment variable.' ]
    GORAE_HOST=unix:///y run gorae context ls
    [[ ${lines[-1]} == "Warning: GORAE_HOST environment variable overrides the active context."* ]]
    run gorae context ls
    [[ $output != *Warning* ]]
}

@test "rm: the one in use only with -f, and config.json forgets it" {
    CREATE_TLS lab1
    gorae context create lab2 --docker host=tcp://x
    gorae context use lab1
    fails_with 'context "lab1" is in use, set -f flag to force remove' gorae context rm lab1
    run gorae context rm nosuch lab2
    [ "$status" = 1 ]
    [ "$output" = $'context "nosuch" does not exist\nlab2' ]
    never test -e "$(meta lab2)"
    run gorae context rm -f lab1 nosuch
    [ "$status" = 0 ]
    never test -e "$(tls lab1)"
    [ "$(cat "$DOCKER_CONFIG/config.json")" = "{}" ]
    fails_with 'context "default" cannot be removed' gorae context rm -f default
}

@test "export and import: the archive, its mode, through a pipe, and what is no archive" {
    CREATE_TLS lab1
    gorae context export lab1
    [ "$(stat -c %a lab1.dockercontext)" = 600 ]
    [ "$(tar tf lab1.dockercontext | sort | xargs)" = "meta.json tls tls/docker tls/docker/ca.pem tls/docker/cert.pem tls/docker/key.pem" ]
    fails_with 'cannot create lab1.dockercontext: file exists' gorae context export lab1
    gorae context import lab2 lab1.dockercontext
    gorae context export lab2 - | gorae context import lab3 -
    [ "$(gorae context inspect lab3 -f '{{.Name}} {{.Metadata.Description}} {{.Endpoints.docker.Host}}')" = "lab3 row 2 tcp://lab:2376" ]
    cmp "$T/key.pem" "$(tls lab3)/docker/key.pem"
    fails_with 'already exists' gorae context import lab3 lab1.dockercontext
    fails_with 'not found' gorae context export nosuch
    never test -e nosuch.dockercontext
    head -c 5000 lab1.dockercontext >cut
    fails_with 'it ends in the middle' gorae context import lab4 cut
    tar cf odd -C "$T" ca.pem
    fails_with '"ca.pem" does not belong' gorae context import lab4 odd
    mkdir -p evil/tls/docker
    ln -s /etc/passwd evil/tls/docker/ca.pem
    cp "$(meta lab1)" evil
    tar cf evil.tar -C evil meta.json tls
    fails_with 'does not belong' gorae context import lab4 evil.tar
    python3 -c 'import tarfile; t = tarfile.open("up.tar", "w"); t.add("evil/meta.json", "tls/../meta.json")'
    tar tPf up.tar | grep -qF tls/../meta.json
    fails_with 'does not belong' gorae context import lab4 up.tar
    tar cf none.tar -T /dev/null
    fails_with 'there is no meta.json in it' gorae context import lab4 none.tar
    printf 'PK\003\004' >packed.zip
    fails_with 'zip archive' gorae context import lab4 packed.zip
    fails_with 'cannot open /nosuch' gorae context import lab4 /nosuch
    never test -e "$(meta lab4)"
    rm -r evil* up.tar none.tar packed.zip odd cut lab1.dockercontext
}

@test "broken files: named with the place, the others shown, nothing lost" {
    gorae context create good --docker "host=unix://$SOCK"
    gorae context create torn --docker host=tcp://x
    echo '{"Name": "torn", ' >"$(meta torn)"
    run gorae context ls
    [ "$status" = 1 ]
    [[ $output == *"good"*"unix://$SOCK"* ]]
    [[ $output == *"$(meta torn): "* ]]
    fails_with "$(meta torn)" gorae -c torn ps
    gorae context rm torn
    echo '{"auths": {"h": ' >"$DOCKER_CONFIG/config.json"
    fails_with "$DOCKER_CONFIG/config.json: " gorae ps
    [[ $output == *"-c default"* ]]
    fails_with "$DOCKER_CONFIG/config.json: " gorae context use good
    [ "$(cat "$DOCKER_CONFIG/config.json")" = '{"auths": {"h": ' ]
    # what needs no choice works
    reaches -c good
    gorae ps --help >/dev/null
    run gorae context ls
    [[ $output == *good* ]]
    echo '{"currentContext": 7}' >"$DOCKER_CONFIG/config.json"
    fails_with "its currentContext a string" gorae ps
    echo '{"currentContext": "gone"}' >"$DOCKER_CONFIG/config.json"
    fails_with 'context "gone" not found' gorae ps
    run gorae context ls
    [[ $output == *'gone *'*'context "gone" not found'* ]]
    # commands that need no daemon do not ask where it is
    [ "$(gorae context show)" = gone ]
    gorae context create other --docker host=tcp://x
    gorae context use good
    reaches
}

@test "a foreign folder in the store is left alone; one that cannot be listed is named" {
    gorae context create good --docker "host=unix://$SOCK"
    mkdir "$DOCKER_CONFIG/contexts/meta/notes"
    [ "$(gorae context ls -q | xargs)" = "default good" ]
    mv "$DOCKER_CONFIG/contexts" "$T/elsewhere"
    ln -s "$T/elsewhere" "$DOCKER_CONFIG/contexts"
    [ "$(gorae context ls -q | xargs)" = "default good" ]
    rm "$DOCKER_CONFIG/contexts"
    mv "$T/elsewhere" "$DOCKER_CONFIG/contexts"
    rm -r "$DOCKER_CONFIG/contexts/meta"
    echo >"$DOCKER_CONFIG/contexts/meta"
    fails_with "open folder $DOCKER_CONFIG/contexts/meta: not a directory" gorae context ls
}

@test "help reads nothing, and a plain command one file at most" {
    need strace
    gorae context create good --docker "host=unix://$SOCK"
    gorae context use good
    strace -f -e trace=open,openat -o "$T/trace" gorae ps --help >/dev/null
    never grep -q "$DOCKER_CONFIG" "$T/trace"
    DOCKER_HOST=unix://$SOCK strace -f -e trace=open,openat,access,stat,newfstatat -o "$T/trace" gorae ps
    never grep -q "$DOCKER_CONFIG" "$T/trace"
    strace -f -e trace=open,openat -o "$T/trace" gorae ps
    [ "$(grep -c "$DOCKER_CONFIG" "$T/trace")" = 2 ] # config.json and meta.json, for a context
    gorae context use default
    gorae -H "unix://$SOCK" ps
    strace -f -e trace=open,openat -o "$T/trace" gorae ps || true
    [ "$(grep -c "$DOCKER_CONFIG" "$T/trace")" = 1 ]
}

@test "completion: names of contexts where one is wanted" {
    gorae context create lab1 --docker host=tcp://x
    words() { gorae __complete "$@" | sort | xargs; }
    [ "$(words context use "")" = "default lab1" ]
    [ "$(words context rm la)" = lab1 ]
    [ "$(words -c l)" = lab1 ]
    [ "$(words context create "")" = "" ]
    [ "$(words context im)" = import ]
    # live names are those of the daemon that the line names
    gorae context create here --docker "host=unix://$SOCK"
    import_busybox
    [ "$(words -c here rmi busy)" = "busybox busybox:latest" ]
    [ "$(words -c lab1 rmi busy)" = "" ]
    [ "$(words context ls --)" = "--format --help --quiet" ]
}
