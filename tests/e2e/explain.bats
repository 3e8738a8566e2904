#!/usr/bin/env bats
# --explain of every command that acts on a container: what the daemon did is named, with what it did it to, and nothing is told
# that did not happen. The four steps themselves, and the other forms, are in cli.bats.
bats_require_minimum_version 1.5.0
load lib

setup_file() { daemon_with_busybox; }
teardown_file() {
    remove_all
    daemon_end
}

# story COMMAND…: its third step, without what every command has, to $STORY
story() {
    gorae --explain "$@" >"$T/out" 2>"$T/err" </dev/null || true
    STORY=$(sed -n '/^3  The daemon does/,/^4  The result/p' "$T/err" | grep -vE 'parse the request|\| route |^[34] ')
    grep -q "^1  A person types" "$T/err" || { cat "$T/err"; return 1; }
}
tells() { # what, then the command
    local what=$1
    shift
    story "$@"
    [[ $STORY =~ $what ]] || { echo "$*: expected [$what] in:"; echo "$STORY"; return 1; }
}
hides() { [[ ! $STORY =~ $1 ]] || { echo "did not happen, and is told: $1"; echo "$STORY"; return 1; }; }

@test "the life of a container, command by command" {
    tells "write the container's record.*config.json: write, fsync, rename" create --name web -i busybox cat
    id=$(gorae inspect -f '{{.Id}}' web)
    tells "mount the overlay.*write the OCI bundle.*start the shim.*clone the namespaces.*clone3.*exec the container's program" start web
    tells "write the exec's process.*start the shim.*runtime exec.*join the container's namespaces.*setns.*exec the container's program" exec web true
    tells "collect what is known.*$id" inspect web
    tells "ask ps for the processes.*/ps, pid [0-9]+, exit code 0" top web
    tells "read the counters of its control groups.*memory" stats --no-stream web
    tells "freeze the container's processes.*call the OCI runtime.*pause: pid [0-9]+, exit code 0" pause web
    tells "thaw the container's processes.*resume: pid [0-9]+, exit code 0" unpause web
    tells "write the container's record.*change the limits of the running container.*\"limit\":77" update --pids-limit 77 web
    tells "rename the container.*name reserved" rename web site
    tells "send a signal.*pidfd_send_signal\\(10\\)" kill -s USR1 site
    tells "stop the container.*start the shim" restart -t 0 site
    tells "collect what is known" port site
    tells "pidfd_send_signal\\(15\\).*pidfd_send_signal\\(9\\)" stop -t 0 site
    tells "remove the container.*folder renamed away" rm site
    hides "unmount the overlay"
    hides "runtime delete"
}

@test "files, images and the whole: what was mounted, read, written" {
    gorae run --name web busybox sh -c 'seq 3; echo x >/new' >/dev/null
    echo in >"$T/in"
    tells "read the log.*3 records, 6 bytes of output" logs web
    tells "compare with the image.*1 changes" diff web
    tells "mount the overlay.*own mount namespace.*unpack into the container.*1 entries, 3 bytes.*unmount the overlay" cp "$T/in" web:/tmp/in
    tells "own mount namespace.*write the archive.*/new" cp web:/new "$T/back"
    tells "write the archive.*the whole root" export -o "$T/all.tar" web
    tells "run gorae-archive.*compare with the image.*unpack a layer.*move the image into the store" commit web made:1
    hides "runtime pause" # it does not run
    tells "list the images.*2 shown" images
    tells "count what is on disk.*2 images, 1 containers" system df
    tells "ask the machine and the tables" system info
    tells "remove the containers that do not run.*1 removed" container prune -f
}

@test "a command that reached no daemon: it was not asked" {
    run gorae --explain nosuch
    [[ "$output" == *"It was not asked."* ]]
    [[ "$output" != *"keeps no trace"* ]]
}
