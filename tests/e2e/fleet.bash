# A fleet on one machine, for fleet.bats here and for compat: a desk and three lab machines, each a network namespace. The
# desk has a bridge, the switch of the classroom, and every lab a cable to it. All addresses are inside these namespaces, so
# they clash with nobody's.
#
#     desk 10.213.0.1 ── bridge ═╦═ lab1 10.213.0.11  goraed tcp://10.213.0.11:2375
#                                ╠═ lab2 10.213.0.12  …
#                                ╚═ lab3 10.213.0.13

FLEET_PORT=2375

ns() { echo "gorae-$(basename "$BASE" | tr -dc 'A-Za-z0-9')-$1"; }
in_ns() { # name command…: only its network; `ip netns exec` would also hide /sys/fs/cgroup
    local name
    name=$(ns "$1")
    shift
    nsenter --net="/run/netns/$name" "$@"
}
at_desk() { in_ns desk "$@"; }
address() { echo "10.213.0.1$1"; }
cable() { ip -n "$(ns desk)" link set "port$1" "$2"; } # number up|down: at the switch, so that either end just hears nothing

# Whose folders the functions of lib.bash use.
lab() {
    T=$BASE/$1 SOCK=$BASE/$1/s CGROUP=/gorae-$(basename "$BASE" | tr -dc 'A-Za-z0-9')-$1
    GORAED=$T/goraed
    export T SOCK CGROUP GORAED
}

fleet_start() { # names a container's image in each: busybox
    local i
    daemon_dirs
    export BASE=$T
    unset GORAE_HOST
    ip netns add "$(ns desk)"
    ip -n "$(ns desk)" link add br0 type bridge
    ip -n "$(ns desk)" addr add 10.213.0.1/24 dev br0
    ip -n "$(ns desk)" link set br0 up
    for i in 1 2 3; do
        ip netns add "$(ns "lab$i")"
        ip -n "$(ns desk)" link add "port$i" type veth peer name eth0 netns "$(ns "lab$i")"
        ip -n "$(ns desk)" link set "port$i" master br0 up
        ip -n "$(ns "lab$i")" addr add "$(address "$i")/24" dev eth0
        ip -n "$(ns "lab$i")" link set eth0 up
        ip -n "$(ns "lab$i")" link set lo up
        lab "$i"
        mkdir "$T"
        printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s goraed "$@"\n' "$(ns "lab$i")" >"$GORAED"
        chmod +x "$GORAED"
        daemon_start -H "tcp://$(address "$i"):$FLEET_PORT" --insecure-tcp
        import_busybox
    done
}

fleet_stop() {
    local i bad=0
    for i in 1 2 3; do
        lab "$i"
        remove_all timeout 20 gorae -H "unix://$SOCK" || true
        daemon_stop || bad=1
        judge_empty || bad=1
        ip netns del "$(ns "lab$i")"
    done
    ip netns del "$(ns desk)"
    T=$BASE
    daemon_clean
    return $bad
}
