#!/usr/bin/env bats
# Completion in bash: what the script proposes for a line that is being typed.
load lib

setup_file() {
    daemon_with_busybox
    gorae run -d --name runs busybox sleep 1000 >/dev/null
    gorae create --name rests busybox true >/dev/null
}
teardown_file() {
    gorae rm -f runs rests >/dev/null
    daemon_end
}

# proposals "gorae st": the words that bash would offer, in one line
proposals() {
    bash --norc -c '. "$1"/src/cli/gorae.bash; COMP_LINE=$2 COMP_POINT=${#2}; _gorae; echo "${COMPREPLY[*]}"' - "$GORAE_REPO" "$1"
}
is() { [ "$(proposals "$1")" = "$2" ] || { echo "$1: $(proposals "$1")" >&2; return 1; }; }
has() { [[ " $(proposals "$1") " == *" $2 "* ]] || { echo "$1: $(proposals "$1")" >&2; return 1; }; }
lacks() { [[ " $(proposals "$1") " != *" $2 "* ]] || { echo "$1: $(proposals "$1")" >&2; return 1; }; }

@test "commands, groups, and the commands of a group" {
    has "gorae " run; has "gorae " container; has "gorae st" start; has "gorae st" stop
    lacks "gorae st" run
    is "gorae imag" "images image"
    has "gorae container " ls; lacks "gorae container " images
    is "gorae --host unix:///x ver" version
    is "gorae nosuch " ""
}

@test "flags of the program and of each command" {
    has "gorae --" --host; is "gorae --ex" --explain
    has "gorae run --" --name; has "gorae ps -" --all; lacks "gorae ps -" --name
    is "gorae run --rm --na" --name
    is "gorae logs --fol" --follow
    # after the image the words belong to the container's program
    is "gorae run busybox --" ""
    has "gorae --tls" --tlscacert; has "gorae --tls" --tlsverify
    # a hidden flag is not proposed
    lacks "gorae run --" --disable-content-trust
}

@test "live names, each where it makes sense" {
    is "gorae rm " "rests runs"
    is "gorae stop " runs
    is "gorae start " rests
    is "gorae rm -f ru" runs
    is "gorae container inspect res" rests
    is "gorae run busy" "busybox:latest busybox"
    is "gorae run --name new busybox" "busybox:latest busybox"
    is "gorae inspect bu" "busybox:latest busybox"
    is "gorae rename runs " ""
}

@test "a colon splits words for bash: only what follows it is proposed" {
    is "gorae rmi busybox:la" latest
    is "gorae rmi busybox:" latest
}

@test "the value of a flag is the shell's, and a daemon that does not answer proposes nothing" {
    is "gorae run --name " ""
    is "gorae -H unix:///nowhere rm " ""
}
