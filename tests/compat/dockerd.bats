#!/usr/bin/env bats
# Our client against a stock dockerd: the other half of the joint. Skipped where docker.io is not installed (CI has it).
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    here dockerd containerd || return 0
    daemon_dirs
    dockerd_start
    export GORAE_HOST=unix://$T/ds
    import_busybox gorae
}
teardown_file() {
    [ -n "${T:-}" ] || return 0
    remove_all || true
    dockerd_stop
    daemon_clean
}
setup() { need dockerd containerd; }

@test "version shows both sides" {
    run gorae version
    [ "$status" = 0 ]
    [[ $output == *"Server:"* ]]
    [ "$(gorae version --format '{{.Server.ApiVersion}}')" != "" ]
    gorae info >/dev/null
}

@test "run, exit codes, stdin, streams apart" {
    [ "$(gorae run --rm --network none busybox echo hello)" = hello ]
    run gorae run --rm --network none busybox sh -c 'exit 42'
    [ "$status" = 42 ]
    run -127 gorae run --rm --network none busybox nosuch
    [ "$(seq 100000 | gorae run --rm -i --network none busybox sha256sum)" = "$(seq 100000 | sha256sum)" ]
    gorae run --rm --network none busybox sh -c 'echo out; echo err >&2' >"$T/o" 2>"$T/e"
    [ "$(cat "$T/o")" = out ]
    [ "$(cat "$T/e")" = err ]
}

@test "ps, logs, inspect, stop, rename, rm" {
    gorae run -d --name one --network none busybox sh -c 'echo line; sleep 100'
    eventually 50 sh -c 'gorae logs one | grep -q line'
    gorae ps --format '{{.Names}} {{.Image}}' | grep -qx 'one busybox'
    [ "$(gorae inspect -f '{{.State.Status}}' one)" = running ]
    gorae rename one two
    gorae stop -t 0 two
    [ "$(gorae wait two)" = 137 ]
    gorae rm two
    run gorae inspect two
    [ "$status" = 1 ]
}

@test "images, tag, save, load, rmi" {
    id=$(gorae images -q --no-trunc busybox)
    gorae save busybox -o "$T/b.tar"
    gorae tag busybox copy:1
    gorae rmi copy:1
    gorae rmi -f busybox
    gorae load -i "$T/b.tar" | grep -q 'Loaded image: busybox:latest'
    [ "$(gorae images -q --no-trunc busybox)" = "$id" ]
}

@test "what dockerd saves goraed loads, and the reverse, with the same id" {
    id=$(gorae images -q --no-trunc busybox)
    gorae save busybox -o "$T/theirs.tar"
    goraed -H "unix://$T/g" --data-root "$T/gd" --exec-root "$T/ge" --pidfile "$T/gp" --cgroup-parent "$CGROUP" >"$T/glog" 2>&1 3>&- &
    eventually 50 gorae -H "unix://$T/g" version
    gorae -H "unix://$T/g" load -i "$T/theirs.tar"
    [ "$(gorae -H "unix://$T/g" images -q --no-trunc busybox)" = "$id" ]
    [ "$(gorae -H "unix://$T/g" run --rm busybox echo from-theirs)" = from-theirs ]
    gorae -H "unix://$T/g" save busybox -o "$T/ours.tar"
    gorae rmi -f busybox
    gorae load -i "$T/ours.tar"
    [ "$(gorae images -q --no-trunc busybox)" = "$id" ]
    kill -TERM "$(cat "$T/gp")"
}

@test "cp does the same with dockerd as with goraed, case by case" {
    mkdir "$T/matrix" && cd "$T/matrix"
    "$GORAE_REPO/tests/e2e/copy-matrix.sh" gorae >"$T/cases"
    diff "$GORAE_REPO/tests/e2e/copy-matrix.txt" "$T/cases"
}

@test "export, diff, commit, system df" {
    gorae run --name kept --network none busybox sh -c 'echo new >/new; rm /etc/passwd'
    [ "$(gorae diff kept | sort -k2 | tr '\n' ' ')" = "C /etc D /etc/passwd A /new " ]
    gorae export kept | tar -xO new | grep -qx new
    id=$(gorae commit -m message -c 'CMD ["cat","/new"]' kept committed:1)
    [ "$(gorae run --rm --network none committed:1)" = new ]
    [ "$(gorae images -q --no-trunc committed:1)" = "$id" ]
    gorae system df --format '{{.Type}} {{.TotalCount}}' | grep -qx 'Images 2'
    gorae system df -v >/dev/null
    gorae rm kept
    gorae rmi committed:1
}

@test "--explain tells the client's side, and says that the daemon keeps no trace" {
    run gorae --explain ps
    [ "$status" = 0 ]
    [[ $output == *"GET /v1."*"/containers/json"* ]]
}
