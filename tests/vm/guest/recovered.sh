#!/bin/bash
# After a power cut: the host has written into "expected" what was acknowledged before it. Lines are
#   image NAME yes|no|either
#   container NAME yes|no|either RUNS(yes|no|either) PIDS(number or -)
. /run/lane/lib.sh

up() {
    [ "$(systemctl is-system-running)" != degraded ]
    systemctl is-active goraed
    gorae version
    never journalctl -u goraed --no-pager -g quarantine
}
check "after the power was cut the daemon is up by itself" up

images() {
    gorae images -a --format '{{.Repository}}:{{.Tag}}' | sort >have
    awk '$1 == "image" && $3 == "yes" {print $2}' expected | sort >want
    awk '$1 == "image" && $3 == "no" {print $2}' expected | sort >never
    [ -z "$(comm -13 have want)" ]
    [ -z "$(comm -12 have never)" ]
    # each that is there, promised or not, is whole: it runs, and says its name
    local name
    for name in $(grep '^w.*-i' have); do
        [ "$(gorae run --rm --network none "$name" /bin/busybox cat /name)" = "${name%:*}" ]
    done
}
check "acknowledged images are there and run, and removed ones are not" images

containers() {
    gorae ps -a --format '{{.Names}}' | sort >have
    awk '$1 == "container" && $3 == "yes" {print $2}' expected | sort >want
    awk '$1 == "container" && $3 == "no" {print $2}' expected | sort >never
    [ -z "$(comm -13 have want)" ]
    [ -z "$(comm -12 have never)" ]
}
check "acknowledged containers are there, and removed ones are not" containers

# Those about which nothing is certain may be in any state but a broken one.
policies() {
    awk '$1 == "container" && $3 == "yes" {print $2, $4}' expected >want
    settled() { ! gorae ps -a --format '{{.Names}} {{.State}}' | sort | join - <(sort want) |
        awk '($3 == "yes" && $2 != "running") || ($3 == "no" && $2 == "running")' | grep .; }
    within 90 settled
    awk '$1 == "container" && $4 == "no" {print $2}' expected | sort | join -v 2 - <(gorae ps -a --format '{{.Names}} {{.State}}' | sort) |
        awk '$2 !~ /^(running|exited|created)$/' | { ! grep .; }
}
check "restart policies are honoured" policies

details() {
    local kind name there runs pids
    while read -r kind name there runs pids _; do
        [ "$kind $there" = "container yes" ] || continue
        [ "$pids" = - ] || [ "$(gorae inspect -f '{{.HostConfig.PidsLimit}}' "$name")" = "$pids" ]
        if [ "$pids $runs" != "- yes" ] && [ "$runs" = yes ]; then group_is "$name" pids.max "$pids"; fi
    done <expected
}
check "acknowledged limits are in the record and in the kernel" details

invariants() { judge; }
check "everything there has a record, and every record is true" invariants

# The next round begins with nothing but busybox.
away() {
    gorae ps -aq | xargs -r gorae rm -f
    gorae images --format '{{.Repository}}:{{.Tag}}' | grep '^w' | xargs -r gorae rmi
    [ "$(gorae ps -aq | wc -l)" = 0 ]
    judge
    gorae run --rm --network none busybox true
}
check "what the cut has left can be taken away" away
[ -n "$(gorae ps -aq)" ] || echo "ack all away"
