#!/bin/bash
# Work without an end, for the power to be cut in its middle: containers and images come, change and go in three rows at once.
# What is about to be asked for is written down ("try"), and what was answered with success ("ack"); acks.py says what follows.
. /run/lane/lib.sh
boot=w$(od -An -N3 -tx1 /dev/urandom | tr -d ' ')

# asked WHAT NAME [DETAIL] -- COMMAND…: one line each for the question and the answer, written whole
asked() {
    local what=()
    while [ "$1" != -- ]; do what+=("$1"); shift; done
    shift
    echo "try ${what[*]}"
    if "$@" >/dev/null 2>"work.err.$BASHPID"; then
        echo "ack ${what[*]}"
    else
        echo "refused: ${what[*]}: $(cat "work.err.$BASHPID")"
    fi
}

containers() { # ROW
    local i=0 name policy policies=(no on-failure always unless-stopped)
    while :; do
        i=$((i + 1))
        name=$boot-$1$i policy=${policies[RANDOM % 4]}
        asked create "$name" "$policy" -- gorae create --name "$name" --network none --restart "$policy" busybox sleep 100000
        if [ $((RANDOM % 3)) = 0 ]; then
            echo "$name-text" >"text.$1"
            asked copy "$name" -- gorae cp "text.$1" "$name:/text"
        fi
        [ $((RANDOM % 6)) != 0 ] || continue
        asked start "$name" -- gorae start "$name"
        case $((RANDOM % 6)) in
        0) asked update "$name" $((100 + i)) -- gorae update --pids-limit $((100 + i)) "$name" ;;
        1 | 2) asked stop "$name" -- gorae stop -t 0 "$name" ;;
        3 | 4) asked remove "$name" -- gorae rm -f "$name" ;;
        esac
    done
}

images() {
    local i=0 name
    while :; do
        i=$((i + 1))
        name=$boot-i$i
        mkdir -p tree/bin
        cp --update /bin/busybox tree/bin/
        head -c 100000 /dev/urandom >tree/noise
        echo "$name" >tree/name
        tar -c -f tree.tar -C tree .
        asked image "$name:1" -- gorae import tree.tar "$name:1"
        asked image "$name:2" -- gorae tag "$name:1" "$name:2"
        [ $((i % 3)) != 0 ] || asked untag "$name:1" -- gorae rmi "$name:1"
        sleep $((RANDOM % 4))
    done
}

gorae image inspect busybox >/dev/null || import_busybox
containers a &
containers b &
images &
wait
