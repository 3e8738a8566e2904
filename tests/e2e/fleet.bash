# A fleet on one machine, for fleet.bats here and for compat: a desk and three lab machines, each a network namespace. The
# desk has a bridge, the switch of the classroom, and every lab a cable to it. All addresses are inside these namespaces, so
# they clash with nobody's. Two labs speak plain TCP as in a closed room, the third TLS with certificates on both sides.
#
#     desk 10.213.0.1 ── bridge ═╦═ lab1 10.213.0.11  goraed tcp://10.213.0.11:2375
#                                ╠═ lab2 10.213.0.12  goraed tcp://10.213.0.12:2375
#                                ╚═ lab3 10.213.0.13  goraed tcp://10.213.0.13:2376 --tlsverify


ns() { echo "gorae-$(basename "$BASE" | tr -dc 'A-Za-z0-9')-$1"; }
in_ns() { # name command…: only its network; `ip netns exec` would also hide /sys/fs/cgroup
    local name
    name=$(ns "$1")
    shift
    nsenter --net="/run/netns/$name" "$@"
}
at_desk() { in_ns desk "$@"; }
address() { echo "10.213.0.1$1"; }
port() { if [ "$1" = 3 ]; then echo 2376; else echo 2375; fi; } # docker's, without and with TLS
endpoint() { echo "tcp://$(address "$1"):$(port "$1")"; }
cable() { ip -n "$(ns desk)" link set "port$1" "$2"; } # number up|down: at the switch, so that either end just hears nothing

# Whose folders the functions of lib.bash use.
lab() {
    T=$BASE/$1 SOCK=$BASE/$1/s CGROUP=/gorae-$(basename "$BASE" | tr -dc 'A-Za-z0-9')-$1
    GORAED=$T/goraed
    export T SOCK CGROUP GORAED
}

desk_lay() { # the room with its switch
    ip netns add "$(ns desk)"
    ip -n "$(ns desk)" link add br0 type bridge
    ip -n "$(ns desk)" addr add 10.213.0.1/24 dev br0
    ip -n "$(ns desk)" link set br0 up
}
lab_lay() { # number: a machine and its cable
    local name
    name=$(ns "lab$1")
    ip netns add "$name"
    ip -n "$(ns desk)" link add "port$1" type veth peer name eth0 netns "$name"
    ip -n "$(ns desk)" link set "port$1" master br0 up
    ip -n "$name" addr add "$(address "$1")/24" dev eth0
    ip -n "$name" link set eth0 up
    ip -n "$name" link set lo up
}

fleet_start() { # each has an image: busybox
    local i how
    daemon_dirs
    export BASE=$T
    unset GORAE_HOST
    "$GORAE_REPO/src/service/make-certs" "lab3,$(address 3)" "$BASE/certs" >/dev/null
    desk_lay
    for i in 1 2 3; do
        lab_lay "$i"
        lab "$i"
        mkdir "$T"
        printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s goraed "$@"\n' "$(ns "lab$i")" >"$GORAED"
        chmod +x "$GORAED"
        how=--insecure-tcp
        [ "$i" != 3 ] || how=--tlsverify
        DOCKER_CERT_PATH=$BASE/certs/lab3 daemon_start -H "$(endpoint "$i")" "$how"
        import_busybox
    done
}

# A context for each, as the README makes them.
fleet_contexts() {
    local i c=$BASE/certs/client
    for i in 1 2; do gorae context create "lab$i" --docker "host=$(endpoint "$i")"; done
    gorae context create lab3 --docker "host=$(endpoint 3),ca=$c/ca.pem,cert=$c/cert.pem,key=$c/key.pem"
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
