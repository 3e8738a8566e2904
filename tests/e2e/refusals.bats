#!/usr/bin/env bats
# What cannot be, is refused: by the name that the user typed, with the rule it breaks, with docker's exit code, and with nothing
# made. What is Docker's and not ours is said to be so, instead of "unknown".
bats_require_minimum_version 1.5.0
load lib

setup_file() { daemon_with_busybox; }
teardown_file() { daemon_end; }
teardown() { remove_all; }

refused() { # CODE TEXT ARGUMENTS…
    local code=$1 text=$2
    shift 2
    run gorae "$@"
    [ "$status" = "$code" ] || { echo "$*: exit code $status, $output"; return 1; }
    [[ $output == *"$text"* ]] || { echo "$*: $output"; return 1; }
    [ "$(gorae ps -aq | wc -l)" = 0 ]
}

@test "create: what is missing beside the image is no reason to look for the image" {
    for mode in --pid --ipc --uts; do
        refused 125 "No such container: nosuch" run "$mode" container:nosuch busybox true
        [[ $output != *"Unable to find image"* ]]
    done
    refused 125 "network nosuch not found" run --network nosuch busybox true
    [[ $output != *"Unable to find image"* ]]
    # positive control: the image itself
    refused 125 "Unable to find image 'nosuch:latest' locally" run nosuch true
}

@test "create: the platform that was asked for is the image's, or it is another image" {
    machine=$(gorae image inspect -f '{{.Os}}/{{.Architecture}}' busybox)
    [ "$(gorae run --rm --platform "$machine" busybox echo same)" = same ]
    [ "$(gorae run --rm --platform linux busybox echo same)" = same ]
    [ "$(gorae run --rm --platform "${machine#linux/}" busybox echo same)" = same ]
    answers 404 api POST "/containers/create?platform=linux/s390x" -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
    [ "$(message)" = "image with reference busybox was found but its platform ($machine) does not match the specified platform (linux/s390x)" ]
    refused 1 "Unable to find image" create --platform linux/s390x busybox true
    for other in linux/nosuch other/amd64 "$machine/v9" arm; do
        answers 404 api POST "/containers/create?platform=$other" -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
    done
    for bad in foo linux/amd64/v1/x / linux/ /amd64; do
        answers 400 api POST "/containers/create?platform=$bad" -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
        [[ "$(message)" == *"\"$bad\""* ]]
    done
}

@test "limits that mean nothing: a reservation below the least memory, a rate for what is no device" {
    refused 125 "Minimum memory reservation allowed is 6MB" run --memory-reservation 1m busybox true
    for flag in --device-read-bps --device-write-bps --device-read-iops --device-write-iops --blkio-weight-device; do
        refused 125 "/dev/nosuch" run "$flag" /dev/nosuch:100 busybox true
        refused 125 "/etc/passwd is no block device" run "$flag" /etc/passwd:100 busybox true
    done
    # positive control: what is right passes
    gorae run --rm --memory-reservation 8m busybox true
}

@test "the client: names that are missing, addresses that are none, wishes that exclude each other" {
    refused 125 'invalid label ""' run -l '' busybox true
    refused 125 'invalid label "=x"' run --label =x busybox true
    refused 125 '"zz" is not a hardware address' run --mac-address zz busybox true
    refused 125 '"02:00:00:00:00" is not a hardware address' run --mac-address 02:00:00:00:00 busybox true
    refused 125 "--no-healthcheck and --health-cmd exclude each other" run --health-cmd x --no-healthcheck busybox true
    refused 125 "--no-healthcheck and --health-interval exclude each other" run --health-interval 1s --no-healthcheck busybox true
    refused 125 'invalid stream "foo"' run -a foo busybox true
    refused 1 "--attach and --detach exclude each other" run -d -a stdout busybox true
    gorae run --rm -l x -l y= --mac-address 02:00:00:00:00:0a busybox true
}

@test "rm -f and rmi -f of what is not there says so, and succeeds, as docker's does" {
    run gorae rm -f nosuch
    [ "$status" = 0 ]
    [[ $output == *"No such container: nosuch"* ]]
    run gorae rm nosuch
    [ "$status" = 1 ]
    gorae create --name there busybox >/dev/null
    run gorae rm -f nosuch there
    [ "$status" = 0 ]
    [ -z "$(gorae ps -aq)" ]
    run gorae rmi -f nosuch
    [ "$status" = 0 ]
    [[ $output == *"No such image: nosuch:latest"* ]]
    run gorae rmi nosuch
    [ "$status" = 1 ]
    # without a daemon there is nothing to be sure of
    run gorae -H unix://"$T/none" rm -f nosuch
    [ "$status" = 1 ]
}

@test "what comes with a later step is refused by name: nothing is silently ignored" {
    refused 125 "IPAMConfig of network none is not supported yet" run --network none --ip 1.2.3.4 busybox true
    refused 125 "Aliases of network none is not supported yet" run --network none --network-alias other busybox true
    refused 125 "HostConfig.VolumeDriver is not supported yet" run --volume-driver foo busybox true
    refused 125 "HostConfig.Links is not supported yet" run --link other busybox true
    refused 125 "HostConfig.VolumesFrom is not supported yet" run --volumes-from other busybox true
    refused 125 "HostConfig.PortBindings is not supported yet" run -p 80:80 busybox true
    gorae run --rm --network none busybox true # positive control
}

@test "ps -q wins over --format, and says so, as docker's does" {
    id=$(gorae create --name quiet busybox)
    [ "$(gorae ps -aq --no-trunc --format '{{.Names}}' 2>"$T/warned")" = "$id" ]
    grep -qx 'WARNING: Ignoring custom format, because both --format and --quiet are set.' "$T/warned"
    [ "$(gorae ps -a --format '{{.Names}}' 2>&1)" = quiet ] # positive control
}

@test "flags of docker that are not ours are refused by name, with a reason" {
    refused 125 "--use-api-socket" run --use-api-socket busybox true
    [[ $output == *"-v"* ]]
    for f in --cpu-count --cpu-percent --io-maxbandwidth --io-maxiops; do
        refused 125 "$f: it exists on Windows only" run "$f" 1 busybox true
        refused 125 "$f: it exists on Windows only" create "$f=1" busybox true
    done
    refused 125 "--checkpoint: checkpoints are not kept here" start --checkpoint x nosuch
    refused 125 "--checkpoint-dir: checkpoints are not kept here" start --checkpoint-dir /x nosuch
    refused 125 "--tree: an image has one platform here" images --tree
    refused 125 "--platform: an image has one platform here" rmi --platform linux/amd64 busybox
    refused 125 "--platform: an image has one platform here" image inspect --platform linux/amd64 busybox
    refused 125 "unknown flag: --nosuch" run --nosuch busybox true # positive control
    # they are in no help, and completion does not propose them
    never grep -q use-api-socket <(gorae run --help)
    gorae __complete run --cpu >"$T/proposed"
    grep -qx -- --cpus "$T/proposed"
    never grep -q cpu-count "$T/proposed"
}

@test "commands of docker that are not here are named as such" {
    for c in build pull push login logout search network volume builder context swarm service stack node secret config plugin trust manifest buildx compose checkpoint; do
        gorae --help | grep -qE "^  $c " && continue # it has come in the meantime
        refused 1 "'$c' is a command of docker's that gorae" "$c"
    done
    refused 1 "'frobnicate' is not a gorae command" frobnicate
    refused 1 "'image pull' is a command of docker's that gorae" image pull x
    refused 1 "Did you mean 'kill'" kil
}
