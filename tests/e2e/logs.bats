#!/usr/bin/env bats
# Where a container's output is kept: rotation, followers across it, drivers and their options.
load lib

setup_file() { daemon_with_busybox; }
teardown() {
    gorae rm -f web >/dev/null 2>&1 || true
    [ ! -e "$T/journal.pid" ] || kill "$(cat "$T/journal.pid")" 2>/dev/null || true
    rm -f "$T/journal.pid"
}
teardown_file() { daemon_end; }

log_of() { gorae inspect -f '{{.LogPath}}' "$1"; }

@test "max-size and max-file: as many files as asked for, none much larger, logs shows what is left" {
    gorae run --name web --log-opt max-size=1k --log-opt max-file=3 busybox seq -w 1 100 >/dev/null
    local log
    log=$(log_of web)
    [ "$(cd "$(dirname "$log")" && ls -d ./*-json.log* | wc -l)" = 3 ]
    [ "$(stat -c %s "$log.1")" -ge 1024 ]
    [ "$(stat -c %s "$log.1")" -lt 1100 ]
    local lines
    lines=$(cat "$log.2" "$log.1" "$log" | wc -l)
    gorae logs web >"$T/out"
    seq -w 1 100 | tail -n "$lines" | cmp - "$T/out"
}

@test "tail goes back through the files" {
    gorae run --name web --log-opt max-size=1k --log-opt max-file=20 busybox seq -w 1 100 >/dev/null
    gorae logs web | cmp - <(seq -w 1 100)
    local n
    for n in 0 1 13 14 15 16 50 99 100 101; do
        gorae logs --tail "$n" web | cmp - <(seq -w 1 100 | tail -n "$n") || { echo "tail $n" >&2; return 1; }
    done
}

@test "a follower loses nothing and sees nothing twice while the files rotate" {
    gorae run -d --name web --log-opt max-size=4k --log-opt max-file=100 busybox \
        sh -c 'i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); [ $((i%100)) = 0 ] && sleep 0.02; done' >/dev/null
    timeout 60 gorae logs -f web >"$T/first" &
    local first=$!
    sleep 0.2
    timeout 60 gorae logs -f --tail 0 web >"$T/late" &
    wait $! "$first"
    seq 0 2999 | cmp - "$T/first"
    [ "$(tail -1 "$T/late")" = 2999 ]
    # what the late one has is an unbroken end of it
    seq 0 2999 | tail -n "$(wc -l <"$T/late")" | cmp - "$T/late"
}

@test "a daemon that dies while files rotate costs no line" {
    gorae run -d --name web --log-opt max-size=2k --log-opt max-file=100 busybox \
        sh -c 'i=0; while [ $i -lt 1500 ]; do echo $i; i=$((i+1)); [ $((i%50)) = 0 ] && sleep 0.05; done' >/dev/null
    sleep 0.3
    daemon_kill
    sleep 0.5
    daemon_start
    timeout 60 gorae logs -f web >"$T/out"
    seq 0 1499 | cmp - "$T/out"
}

@test "many short lines cost few calls: chunks of the answer, writes of the client; and a follower has each line at once" {
    need strace
    gorae run --name web busybox sh -c 'seq 1 20000; seq 1 5 >&2' >/dev/null 2>&1
    curl -s --raw --unix-socket "$SOCK" 'http://d/containers/web/logs?stdout=1&stderr=1' | tr -d '\r' | grep -aEc '^[0-9a-f]{1,5}$' >"$T/chunks"
    [ "$(cat "$T/chunks")" -lt 200 ]
    strace -f -c -e trace=write -o "$T/calls" gorae logs web >"$T/out" 2>"$T/err"
    seq 1 20000 | cmp - "$T/out"
    seq 1 5 | cmp - "$T/err"
    [ "$(awk '$NF == "write" {print $4}' "$T/calls")" -lt 1000 ]
    # held back is nothing: a line is there before the next one is written
    gorae run -d --name slow -i busybox cat >/dev/null
    mkfifo "$T/in"
    gorae attach --no-stdin=false slow <"$T/in" >/dev/null 2>&1 3>&- &
    exec 7>"$T/in"
    gorae logs -f slow >"$T/slow" 3>&- 7>&- &
    for line in one two three; do
        echo "$line" >&7
        eventually 30 grep -qx "$line" "$T/slow"
    done
    exec 7>&-
    gorae rm -f slow >/dev/null
    wait
}

@test "labels, env and tag are in every record, and --details shows them" {
    gorae run --name web --label color=blue --label size=9 -e WHO=me -e WHAT=x \
        --log-opt labels=color --log-opt env-regex='^WH' --log-opt 'tag={{.Name}}/{{.ImageName}}' busybox echo hi >/dev/null
    jq -ce .attrs "$(log_of web)" | grep -qx '{"WHAT":"x","WHO":"me","color":"blue","tag":"web/busybox"}'
    [ "$(gorae logs --details web)" = "WHAT=x,WHO=me,color=blue,tag=web%2Fbusybox hi" ]
    # as in a query: otherwise nobody could tell where a value ends
    gorae run --name odd --label 'a,b=c d=e%é' --label '-_.~=AZaz09' --log-opt 'labels-regex=.' busybox echo hi >/dev/null
    [ "$(gorae logs --details odd)" = "-_.~=AZaz09,a%2Cb=c+d%3De%25%C3%A9 hi" ]
    [[ $(gorae logs -t --details odd) == 20*"Z -_.~=AZaz09,a%2Cb="* ]]
    gorae run --name bare busybox echo hi >/dev/null
    [ "$(gorae logs --details bare)" = " hi" ]
    gorae rm odd bare >/dev/null
}

@test "local: limits from the start, and logs can read it" {
    gorae run --name web --log-driver local busybox echo hi >/dev/null
    [ "$(gorae logs web)" = hi ]
    [ -z "$(log_of web)" ] # inspect names a file only where it is a json-file
    gorae rm web
    gorae run -d --name web --log-driver local busybox sleep 60 >/dev/null
    jq -ce '[.log_size, .log_files]' "$T"/exec/containers/*/shim.json | grep -qx '\[20971520,5\]'
    gorae rm -f web
    gorae run --name web --log-driver local --log-opt max-size=1k --log-opt max-file=2 busybox seq -w 1 100 >/dev/null
    [ "$(gorae logs web | wc -l)" -lt 40 ]
}

@test "none: no file, and logs says so" {
    gorae run --name web --log-driver none busybox echo hi >/dev/null
    [ -z "$(log_of web)" ]
    run gorae logs web
    [ "$status" = 1 ]
    [[ $output == *"configured logging driver does not support reading"* ]]
}

@test "journald: a line is a datagram with Docker's fields" {
    # A journal of our own, in mounts of our own.
    daemon_stop
    cat >"$T/journal.py" <<'P'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
open(sys.argv[1] + ".ready", "w").close()
with open(sys.argv[1], "ab", 0) as out:
    while True:
        out.write(s.recv(65536) + b"--\n")
P
    mkdir -p /run/systemd
    unshare -m --propagation private sh -c "mount -t tmpfs none /run/systemd && mkdir /run/systemd/journal &&
        { python3 '$T/journal.py' '$T/journal' & echo \$! >'$T/journal.pid'; } && exec goraed -H unix://$SOCK --data-root $T/data \
        --exec-root $T/exec --pidfile $T/pid --cgroup-parent $CGROUP" >>"$T/log" 2>&1 3>&- &
    for _ in $(seq 200); do [ -e "$T/journal.ready" ] && gorae version >/dev/null 2>&1 && break; sleep 0.05; done
    id=$(gorae run -d --name web --label x.y=1 --log-driver journald --log-opt labels=x.y busybox sh -c 'echo one; echo two >&2')
    gorae wait web
    gorae rm web
    daemon_stop
    daemon_start
    cat "$T/journal"
    grep -qx "CONTAINER_ID_FULL=$id" "$T/journal"
    grep -qx "CONTAINER_NAME=web" "$T/journal"
    grep -qx "SYSLOG_IDENTIFIER=${id:0:12}" "$T/journal"
    grep -qx "IMAGE_NAME=busybox" "$T/journal"
    grep -qx "X_Y=1" "$T/journal"
    [ "$(grep -A1 '^PRIORITY=6' "$T/journal" | tail -1)" = MESSAGE=one ]
    [ "$(grep -A1 '^PRIORITY=3' "$T/journal" | tail -1)" = MESSAGE=two ]
}

@test "journald where there is none: the start fails and says why" {
    [ ! -e /run/systemd/journal/socket ] || skip "this machine has a journal"
    run gorae run --name web --log-driver journald busybox true
    [ "$status" = 125 ]
    [[ $output == *"journald is not enabled on this host"* ]]
}

@test "options are checked at create, by name" {
    local case
    for case in \
        "json-file|size=1m|unknown log opt 'size' for json-file log driver" \
        "none|max-size=1m|unknown log opt 'max-size' for none log driver" \
        "journald|max-size=1m|unknown log opt 'max-size' for journald log driver" \
        "json-file|max-size=big|\"big\" is not a size such as 10m" \
        "json-file|max-size=0|\"0\" is not a size such as 10m" \
        "json-file|max-size=9999999999g|is not a size such as 10m" \
        "json-file|max-file=0|\"0\" is not a number from 1 to 100" \
        "json-file|compress=true|rotated logs are kept as they are" \
        "json-file|compress=maybe|is neither true nor false" \
        "json-file|mode=fast|is neither blocking nor non-blocking" \
        "json-file|max-buffer-size=1m|logger: max-buffer-size option is only supported with 'mode=non-blocking'" \
        "local|max-buffer-size=1m|logger: max-buffer-size option is only supported with 'mode=non-blocking'" \
        "json-file|labels-regex=[|is not a regular expression" \
        "json-file|tag={{.Nope}}|{{.Nope}} is none of" \
        "json-file|tag={{|{{ is none of"; do
        IFS='|' read -r driver option want <<<"$case"
        run gorae create --log-driver "$driver" --log-opt "$option" busybox true
        [ "$status" = 1 ] && [[ $output == *"$want"* ]] || { echo "$case: $status $output" >&2; return 1; }
    done
    local wants='{"LogConfig":{"Type":"json-file","Config":{"max-buffer-size":"1m","mode":"blocking"}}}'
    create_refused 400 "only supported with 'mode=non-blocking'" "$wants"
    [ -z "$(gorae ps -aq)" ]
    gorae create --name web --log-opt max-buffer-size=1m --log-opt mode=non-blocking busybox true
    gorae rm web
    run gorae create --log-driver syslog busybox true
    [[ $output == *"no log driver named 'syslog' is registered"* ]]
    [ -z "$(gorae ps -aq)" ]
}
