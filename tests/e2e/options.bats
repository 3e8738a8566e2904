#!/usr/bin/env bats
# The daemon's settings: flags, daemon.json, reload; where it listens; what a service manager hears.
load lib

setup_file() { daemon_dirs; }
setup() { daemon_pid; }
teardown() { daemon_stop || true; rm -f "$T/daemon.json"; }
teardown_file() { judge_and_clean; }

config() { printf '%s' "$1" >"$T/daemon.json"; }
validate() { run goraed --validate --config-file "$T/daemon.json" "$@"; }
refuses() { # text the configuration file has, sentence, flags…
    config "$1"
    local want=$2
    shift 2
    validate "$@"
    [ "$status" = 1 ] && [[ $output == *"$want"* ]] || { echo "$status: $output" >&2; return 1; }
}
logged() { eventually 40 grep -q "$1" "$T/log"; }

@test "a file of settings: positions, types, unknown keys, keys that a flag gives too" {
    refuses '{"debug": tru' "configuration file $T/daemon.json: invalid JSON: line 1 column"
    refuses '["debug"]' "an object of settings is expected"
    refuses '{"debug": "yes"}' '"debug" must be true or false'
    refuses '{"labels": "a=b"}' '"labels" must be a list of strings'
    refuses '{"debugg": true, "log-levle": 1}' "don't match any configuration option: debugg, log-levle"
    refuses '{"debug": false, "labels": ["a=b"]}' "both as a flag and in the configuration file: debug: (from flag: true, from file: false), labels: (from flag: [\"c=d\"], from file: [\"a=b\"])" -D --label c=d
    config '{"debug": true, "labels": ["a=b"], "shutdown-timeout": 3}'
    validate
    [ "$status" = 0 ]
    [ "$output" = "configuration OK" ]
    run goraed --validate --config-file "$T/nosuch"
    [ "$status" = 1 ]
    [[ $output == *"$T/nosuch"* ]]
    config ''
    validate
    [ "$status" = 0 ]
}

@test "values are checked by name, wherever they stand" {
    refuses '{"log-level": "loud"}' "--log-level loud: debug, info, warn, error or fatal is expected"
    refuses '{"shutdown-timeout": -2}' "--shutdown-timeout -2"
    refuses '{"max-concurrent-downloads": 0}' "--max-concurrent-downloads 0"
    refuses '{"labels": ["a=b", "a=c"]}' "conflict labels for a=b and a=c"
    refuses '{"hosts": ["http://x"]}' "-H http://x: unix:///path, tcp://address:port or fd:// is expected"
    refuses '{"cgroup-parent": "x"}' "--cgroup-parent x"
    refuses '{"default-shm-size": "big"}' "--default-shm-size big"
    refuses '{"default-ipc-mode": "host"}' "--default-ipc-mode host"
    refuses '{"log-driver": "syslog"}' "no log driver named 'syslog'"
    refuses '{"log-opts": {"max-size": "big"}}' '"big" is not a size'
    refuses '{"log-opts": {"max-size": 10}}' '"log-opts.max-size" must be a string'
    refuses '{"log-opts": {"tag": true}}' '"log-opts.tag" must be a string'
    refuses '{"default-ulimits": {"nosuch": {"Soft": 1, "Hard": 1}}}' "nosuch"
    for bad in 5 null '{}' '{"Soft": "10", "Hard": "x"}' '{"Soft": 1}' '{"Soft": 1, "Hard": 2, "soft": 1}' '{"Soft": 1, "Hard": 2, "Name": 5}'; do
        refuses '{"default-ulimits": {"nofile": '"$bad"'}}' '"default-ulimits.nofile" must be {"Soft": NUMBER, "Hard": NUMBER}'
    done
    config '{"default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}}}'
    validate
    [ "$output" = "configuration OK" ]
    refuses '{"seccomp-profile": "/nosuch/profile"}' "/nosuch/profile"
    refuses '{"log-opts": {"max-buffer-size": "1m"}}' "max-buffer-size option is only supported with 'mode=non-blocking'"
    refuses '{"exec-opts": ["native.cgroupdriver=openrc"]}' "native.cgroupdriver=cgroupfs or systemd is expected"
    refuses '{"runtimes": {"x": {"path": "relative"}}}' 'the runtime x needs an absolute "path"'
    refuses '{"registry-mirrors": ["mirror"]}' "--registry-mirror mirror"
    refuses '{}' "--debug=maybe: true or false is expected" --debug=maybe
    run goraed --log-opt nothing
    [[ $output == *"--log-opt nothing: KEY=VALUE is expected"* ]]
}

@test "a file that was written for dockerd: what is so anyway is taken, what cannot be had is refused by name" {
    config '{"storage-driver": "overlay2", "iptables": false, "ip6tables": false, "bridge": "none", "userland-proxy": false, "experimental": false,
        "features": {"buildkit": false}, "containerd": "/run/containerd.sock", "selinux-enabled": false, "raw-logs": false,
        "authorization-plugins": [], "userns-remap": "", "max-concurrent-uploads": 5, "max-download-attempts": 5, "live-restore": true}'
    validate
    [ "$output" = "configuration OK" ]
    validate --ipv6=false --ip-masq=false
    [ "$output" = "configuration OK" ]
    config '{}'
    validate -s overlay2 --feature containerd-snapshotter=false --experimental=false
    [ "$output" = "configuration OK" ]
    refuses '{"storage-driver": "zfs"}' "--storage-driver zfs: it can only be overlay2"
    refuses '{"iptables": true}' "--iptables true: it can only be false: Networks come with a later step"
    refuses '{"bridge": "br0"}' "--bridge br0: it can only be none"
    refuses '{"features": {"buildkit": false, "containerd-snapshotter": true}}' '--feature {"buildkit":false,"containerd-snapshotter":true}: it can only be false'
    refuses '{"authorization-plugins": ["x"]}' '--authorization-plugin ["x"]: it can only be empty'
    refuses '{"userns-remap": "default"}' "--userns-remap default"
    refuses '{"max-download-attempts": 0}' "--max-download-attempts 0"
    refuses '{}' "--experimental true: it can only be false" --experimental
    refuses '{}' '--feature x=true: it can only be false' --feature x=true
    refuses '{"bridge": 5}' '"bridge" must be a string'
    refuses '{"iptables": 0}' '"iptables" must be true or false'
    refuses '{"ipv6": null}' '"ipv6" must be true or false'
    refuses '{"containerd": true}' '"containerd" must be a string'
    refuses '{"authorization-plugins": ""}' '"authorization-plugins" must be a list of strings'
    refuses '{"features": {"x": 5}}' '--feature {"x":5}: it can only be false'
}

# flag, key (- for the same), the sentence: of each kind that dockerd has and we have not
none_here() {
    cat <<'EOF'
bip - networks
bip6 - networks
mtu - networks
icc - networks
ip - networks
ip-forward - networks
ip-forward-no-drop - networks
allow-direct-routing - networks
dns - networks
dns-opt dns-opts networks
dns-search - networks
default-address-pool default-address-pools networks
default-gateway - networks
default-gateway-v6 - networks
default-network-opt default-network-opts networks
fixed-cidr - networks
fixed-cidr-v6 - networks
host-gateway-ip - networks
userland-proxy-path - networks
http-proxy proxies registries
https-proxy proxies registries
no-proxy proxies registries
storage-opt storage-opts overlayfs
init-path - gorae-init
cpu-rt-period - real-time
cpu-rt-runtime - real-time
oom-score-adjust - OOMScoreAdjust
node-generic-resource node-generic-resources swarm
swarm-default-advertise-addr - swarm
network-diagnostic-port - swarm
cdi-spec-dir cdi-spec-dirs CDI
containerd-namespace - containerd
containerd-plugins-namespace - containerd
EOF
}

@test "what dockerd has and we have not is refused by name and reason, unlike a misspelling" {
    while read -r flag key why; do
        [ "$key" != - ] || key=$flag
        refuses "{\"$key\": \"x\"}" "\"$key\" cannot be set: "
        [[ $output == *"$why"* ]] || { echo "$key: $output" >&2; return 1; }
        for form in "--$flag" "--$flag=x" "--$flag x"; do
            refuses '{}' "--$flag cannot be set: " $form
            [[ $output == *"$why"* && $output != *unknown* ]] || { echo "$form: $output" >&2; return 1; }
        done
    done < <(none_here)
    refuses '{"bip": "10.0.0.1/8", "mtu": 1400}' '"bip" cannot be set: networks come with a later step'
    refuses '{"mtuu": 1400}' "don't match any configuration option: mtuu"
    # what asks for nothing is so anyway
    config '{"icc": false, "ip-forward-no-drop": false, "dns": [], "bip": "", "storage-opts": []}'
    validate --icc=false
    [ "$output" = "configuration OK" ]
}

@test "the option that is unknown is named, alone or among letters" {
    refuses '{}' "unknown option: --nosuch" --nosuch
    refuses '{}' "unknown option: -x" -xD
    refuses '{}' "unknown option: -x" --debug -Dx
    refuses '{}' "option -G needs a value" -G
    for key in data-root exec-root pidfile; do refuses "{\"$key\": \"\"}" "--$key \"\": a path is expected"; done
}

@test "every option of the issue is in the help, and each of the help is taken from a file by its key" {
    goraed --help >"$T/help"
    for option in host data-root exec-root group config-file log-level log-format debug default-runtime add-runtime default-ulimit log-driver \
        log-opt label init no-new-privileges seccomp-profile default-shm-size exec-opt cgroup-parent registry-mirror insecure-registry \
        max-concurrent-downloads metrics-addr pidfile shutdown-timeout live-restore validate version; do
        grep -Eq "^ +(-[a-zA-Z], )?--$option( |\$)" "$T/help" || { echo "--$option is not in the help" >&2; return 1; }
    done
    # a key that the table lacks would be refused as unknown; a value of the wrong type is refused as such, or for its value
    for key in hosts data-root exec-root group log-level log-format debug default-runtime runtimes default-ulimits log-driver log-opts labels init \
        no-new-privileges seccomp-profile default-shm-size exec-opts cgroup-parent registry-mirrors insecure-registries max-concurrent-downloads \
        metrics-addr pidfile shutdown-timeout live-restore; do
        refuses "{\"$key\": null}" "\"$key\" must be"
    done
}

@test "what containers get that do not say otherwise" {
    config '{"log-driver": "local", "log-opts": {"max-file": "2"}, "default-shm-size": "8m", "init": true, "no-new-privileges": true,
        "default-ulimits": {"nofile": {"Soft": 100, "Hard": 200}}, "labels": ["room=9"], "insecure-registries": ["here:5000"]}'
    daemon_start --config-file "$T/daemon.json"
    import_busybox
    gorae create --name plain busybox true >/dev/null
    gorae inspect plain | jq -e '.[0].HostConfig | .LogConfig == {"Type":"local","Config":{"max-file":"2"}} and .ShmSize == 8388608
        and .Init and .SecurityOpt == ["no-new-privileges"] and .Ulimits == [{"Name":"nofile","Soft":100,"Hard":200}]'
    gorae create --name own --log-driver json-file --shm-size 1m --ulimit nofile=50:60 --ulimit core=0 --security-opt no-new-privileges=false busybox true >/dev/null
    gorae inspect own | jq -e '.[0].HostConfig | .LogConfig == {"Type":"json-file","Config":{}} and .ShmSize == 1048576
        and .SecurityOpt == ["no-new-privileges=false"] and (.Ulimits | map(.Name) | sort) == ["core","nofile"]'
    [ "$(gorae run --rm busybox sh -c 'ulimit -n; grep NoNewPrivs /proc/self/status | cut -f 2; df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2')" = "100
1
8192" ]
    gorae info --format '{{json .Labels}} {{.LoggingDriver}} {{json .RegistryConfig.IndexConfigs}}' | grep -q '^\["room=9"\] local .*here:5000'
    gorae rm plain own
}

@test "info shows what was set, to our client and to the stock one; the socket belongs to the group" {
    printf '{"defaultAction": "SCMP_ACT_ALLOW"}' >"$T/profile"
    getent group daemon >/dev/null
    daemon_start --group daemon --label room=9 --log-driver local --no-new-privileges --seccomp-profile "$T/profile" --default-cgroupns-mode private \
        --live-restore --debug --registry-mirror https://mirror.example --insecure-registry here:5000 --insecure-registry 10.0.0.0/8 \
        --add-runtime "other=$(command -v gorae-runtime)" --default-runtime other
    [ "$(stat -c '%G %a' "$SOCK")" = "daemon 660" ]
    cat >"$T/format" <<'F'
{{range .SecurityOptions}}{{println .}}{{end}}{{.LoggingDriver}} {{.CgroupDriver}} {{.LiveRestoreEnabled}} {{.Debug}}
{{.DefaultRuntime}} {{json .Runtimes}}
{{json .Labels}} {{json .RegistryConfig.Mirrors}} {{json .RegistryConfig.IndexConfigs}} {{json .RegistryConfig.InsecureRegistryCIDRs}}
F
    shows() {
        "$@" --format "$(cat "$T/format")" >"$T/info"
        grep -qx 'name=seccomp,profile=custom' "$T/info"
        grep -qx 'name=no-new-privileges' "$T/info"
        grep -qx 'name=cgroupns' "$T/info"
        grep -qx 'local cgroupfs true true' "$T/info"
        grep -q '^other .*"other":{"path":"/' "$T/info"
        grep -q '^\["room=9"\] \["https://mirror.example/*"\] .*here:5000.*10.0.0.0/8' "$T/info"
    }
    shows gorae info
    if command -v docker >/dev/null; then DOCKER_HOST=$GORAE_HOST shows docker info; fi
    daemon_stop
    daemon_start --seccomp-profile unconfined
    [ "$(gorae info --format '{{json .SecurityOptions}}')" = '["name=seccomp,profile=unconfined"]' ] ||
        [ "$(gorae info --format '{{json .SecurityOptions}}')" = '["name=seccomp,profile=unconfined","name=cgroupns"]' ]
}

@test "SIGHUP: what can change changes, the rest is named, and a broken file changes nothing" {
    config '{"labels": ["a=1"], "data-root": "'"$T"'/data", "shutdown-timeout": 5}'
    "${GORAED:-goraed}" -H "unix://$SOCK" --exec-root "$T/exec" --pidfile "$T/pid" --cgroup-parent "$CGROUP" --config-file "$T/daemon.json" 2>"$T/log" 3>&- &
    eventually 100 gorae version
    [ "$(gorae info --format '{{json .Labels}}')" = '["a=1"]' ]
    local since
    since=$(date +%s.%N)
    printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v gorae-runtime)" >"$T/other"
    chmod +x "$T/other"
    config '{"labels": ["a=2"], "debug": true, "data-root": "/elsewhere", "default-runtime": "other",
        "runtimes": {"other": {"path": "'"$T"'/other", "runtimeArgs": ["--debug"]}}}'
    kill -HUP "$(cat "$T/pid")"
    logged "reloaded; changed: .*labels.*; changed at the next start only: data-root"
    [ "$(gorae info --format '{{json .Labels}} {{.Debug}}')" = '["a=2"] true' ]
    [ "$(gorae info --format '{{.DockerRootDir}}')" = "$T/data" ]
    gorae events --since "$since" --until "$(date +%s.%N)" --filter type=daemon --format '{{.Action}} {{json .Actor.Attributes}}' >"$T/events"
    sed -n 's/^reload //p' "$T/events" | jq -e '."default-runtime" == "other" and .labels == "[\"a=2\"]" and (.name | length) > 0'
    # a runtime that the reload brought, as the default, with its arguments; and one that it takes away
    [ "$(gorae info --format '{{.DefaultRuntime}} {{.Runtimes.other.path}} {{json .Runtimes.other.runtimeArgs}}')" = "other $T/other [\"--debug\"]" ]
    import_busybox
    gorae run --name web busybox true
    [ "$(gorae inspect -f '{{.HostConfig.Runtime}}' web)" = other ]
    config '{"labels": ["a=2"], "debug": true, "data-root": "/elsewhere"}'
    : >"$T/log"
    kill -HUP "$(cat "$T/pid")"
    logged "reloaded; changed: .*default-runtime, runtimes"
    run gorae start web
    [[ $output == *"runtime other of container "*" is not known to this daemon"* ]]
    run gorae create --runtime other busybox true
    [[ $output == *"Unknown runtime specified other"* ]]
    gorae rm web >/dev/null
    config '{"log-opts": {"max-size": 10}}' # once the end of the daemon
    kill -HUP "$(cat "$T/pid")"
    logged 'reload: configuration file .*"log-opts.max-size" must be a string; the old settings stay'
    config '{"labels": ["a=3"], "debug": tru'
    kill -HUP "$(cat "$T/pid")"
    logged "reload: configuration file .*line 1 column.*the old settings stay"
    [ "$(gorae info --format '{{json .Labels}}')" = '["a=2"]' ]
    kill -USR1 "$(cat "$T/pid")"
    logged "thread $(cat "$T/pid"): .*system call"
}

@test "--validate, and so the check before a reload, refuses what could not start, and opens nothing" {
    local long port
    long=/tmp/$(printf '%0110d' 0)
    port=$(free_port)
    refuses '{"hosts": ["tcp://0.0.0.0:2375"]}' "-H tcp://0.0.0.0:2375: whoever can connect there would be root"
    refuses '{"hosts": ["tcp://example.org:2375"]}' "-H tcp://example.org:2375"
    refuses '{"hosts": ["tcp://127.0.0.1:99999"]}' "-H tcp://127.0.0.1:99999"
    refuses '{"hosts": ["unix:///run/a", "unix:///run/b", "unix:///run/a"]}' "-H unix:///run/a is given twice"
    refuses "{\"hosts\": [\"unix://$long\"]}" "-H unix://$long is too long: the path of a socket has at most 107 bytes"
    refuses '{"group": "nosuch"}' "--group nosuch: no such group"
    refuses '{"metrics-addr": "nowhere"}' "--metrics-addr nowhere: ADDRESS:PORT is expected"
    refuses '{"metrics-addr": "0.0.0.0:9323"}' "--metrics-addr 0.0.0.0:9323: everybody who can connect could read there"
    config "{\"hosts\": [\"tcp://0.0.0.0:$port\", \"unix://$T/unopened\", \"fd://\"], \"insecure-tcp\": true, \"metrics-addr\": \"127.0.0.1:$port\"}"
    validate
    [ "$output" = "configuration OK" ]
    [ ! -e "$T/unopened" ]
    config '{"labels": ["a=1"]}'
    daemon_start --config-file "$T/daemon.json"
    config '{"labels": ["a=2"], "metrics-addr": "0.0.0.0:9323"}'
    kill -HUP "$(cat "$T/pid")"
    logged "reload: --metrics-addr 0.0.0.0:9323.*the old settings stay"
    [ "$(gorae info --format '{{json .Labels}}')" = '["a=1"]' ]
}

@test "what is taken without effect is said to be so" {
    daemon_start --containerd /run/containerd.sock
    logged "warn.*--containerd is without effect"
}

@test "the daemon's log as JSON" {
    daemon_start --log-format json
    daemon_stop
    tail -1 "$T/log" | jq -e '.level == "info" and (.msg | startswith("stopping"))'
}

@test "TCP: this machine alone, unless somebody insists; no web page's requests" {
    run goraed -H tcp://0.0.0.0:23751 --data-root "$T/d" --exec-root "$T/e" --pidfile "$T/p"
    [ "$status" = 1 ]
    [[ $output == *"would be root on this machine"* ]]
    [ ! -e "$T/d" ]
    for bad in tcp://127.0.0.1:0 tcp://127.0.0.1:99999 tcp://example.org:1 tcp://127.0.0.1:1/x tcp://[::1; do
        run goraed -H "$bad" --data-root "$T/d" --exec-root "$T/e" --pidfile "$T/p"
        [ "$status" = 1 ] && [[ $output == *"-H $bad"* ]] || { echo "$bad: $output" >&2; return 1; }
    done
    daemon_start -H tcp://127.0.0.1:23751
    [ "$(gorae -H tcp://127.0.0.1:23751 version --format '{{.Server.Version}}')" = "$(gorae version --format '{{.Server.Version}}')" ]
    code() { curl -s -o "$T/body" -w '%{http_code}' "$@" http://127.0.0.1:23751/version; }
    [ "$(code)" = 200 ]
    [ "$(code -H 'Host: localhost:23751')" = 200 ]
    [ "$(code -H "Host: $(hostname)")" = 200 ]
    [ "$(code -H "Host: $(hostname | tr a-z A-Z):23751")" = 200 ]
    # anybody may have a name in a domain of his own lead here
    [ "$(code -H "Host: $(hostname).example.org")" = 403 ]
    [ "$(gorae info --format '{{json .Warnings}}')" = '[]' ]
    [ "$(code -H 'Origin: http://127.0.0.1:23751')" = 403 ]
    [ "$(code -H 'Host: rebound.example:23751')" = 403 ]
    grep -q 'is not this machine' "$T/body"
    # the unix socket has permissions instead
    curl -s -o /dev/null -w '%{http_code}' -H 'Host: rebound.example' --unix-socket "$SOCK" http://x/version | grep -q 200
    import_busybox
    [ "$(echo hello | gorae -H tcp://127.0.0.1:23751 run --rm -i busybox tr a-z A-Z)" = HELLO ]
    run goraed -H tcp://127.0.0.1:23751 --data-root "$T/d" --exec-root "$T/e" --pidfile "$T/p"
    [ "$status" = 1 ]
    [[ $output == *"listen on tcp://127.0.0.1:23751"*"in use"* ]]
}

@test "a socket that was opened before: -H fd://, and the client who came first" {
    run goraed -H fd:// --data-root "$T/d" --exec-root "$T/e" --pidfile "$T/p"
    [ "$status" = 1 ]
    [[ $output == *"-H fd://: no sockets were passed"* ]]
    cat >"$T/activate.py" <<'P'
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(10)
c = socket.socket(socket.AF_UNIX)
c.connect(sys.argv[1])
c.send(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
pid = os.fork()
if pid == 0:
    os.dup2(s.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execvp(sys.argv[2], sys.argv[2:])
s.close()
answer = b""
while True:
    p = c.recv(4096)
    if not p:
        break
    answer += p
print(answer.decode().split("\r\n")[0], answer.decode()[-2:])
P
    python3 "$T/activate.py" "$T/passed" goraed -H fd:// --data-root "$T/data" --exec-root "$T/exec" --pidfile "$T/pid" --cgroup-parent "$CGROUP" --group daemon >"$T/first" 2>>"$T/log" 3>&-
    logged "$T/passed was passed to us with group 0, and --group daemon does not change that"
    grep -q '^HTTP/1.1 200 OK OK$' "$T/first"
    gorae -H "unix://$T/passed" version >/dev/null
    daemon_stop
    [ -S "$T/passed" ] # not ours to remove
}

@test "a TCP socket that was opened before keeps the rule of one that we open" {
    local port
    port=$(free_port)
    cat >"$T/pass.py" <<'P'
import os, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen(10)
os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execvp(sys.argv[3], sys.argv[3:])
P
    passed() { # address, options
        local address=$1
        shift
        timeout 60 python3 "$T/pass.py" "$address" "$port" goraed -H fd:// -H "unix://$SOCK" --data-root "$T/data" --exec-root "$T/exec" \
            --pidfile "$T/pid" --cgroup-parent "$CGROUP" "$@" 3>&-
    }
    run passed 0.0.0.0
    [ "$status" = 1 ]
    [[ $output == *"-H fd:// (0.0.0.0 port $port): whoever can connect there would be root on this machine"* ]]
    passed 127.0.0.1 >"$T/log" 2>&1 &
    eventually 100 gorae -H "tcp://127.0.0.1:$port" version
    never grep -q "API is accessible" "$T/log"
    daemon_stop
    passed 0.0.0.0 --insecure-tcp >"$T/log" 2>&1 &
    eventually 100 gorae -H "tcp://127.0.0.1:$port" version
    logged "API is accessible on fd:// (0.0.0.0 port $port) without encryption: everybody who can connect there is root on this machine"
}

@test "info warns of an address that makes strangers root" {
    local port
    port=$(free_port)
    daemon_start -H "tcp://0.0.0.0:$port" --insecure-tcp
    [ "$(gorae info --format '{{index .Warnings 0}}')" = \
        "WARNING: API is accessible on tcp://0.0.0.0:$port without encryption: everybody who can connect there is root on this machine" ]
    gorae info 2>&1 | grep -q "WARNING: API is accessible on tcp://0.0.0.0:$port"
}

@test "a service manager is told when the daemon is ready, that it is well, and that it stops" {
    cat >"$T/manager.py" <<'P'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
out = open(sys.argv[2], "w", 1)
while True:
    out.write(s.recv(4096).decode() + "\n")
P
    python3 "$T/manager.py" "$T/notify" "$T/told" 3>&- &
    local manager=$!
    eventually 40 test -S "$T/notify"
    NOTIFY_SOCKET=$T/notify WATCHDOG_USEC=400000 daemon_start
    eventually 40 grep -q WATCHDOG=1 "$T/told"
    [ "$(head -1 "$T/told")" = READY=1 ]
    # and under constant traffic, too: 2 s of requests are ten halves of the watchdog's time
    local before until
    before=$(grep -c WATCHDOG=1 "$T/told")
    until=$((SECONDS + 2))
    while [ "$SECONDS" -le "$until" ]; do gorae version >/dev/null; done
    [ "$(grep -c WATCHDOG=1 "$T/told")" -ge $((before + 4)) ]
    daemon_stop
    eventually 40 grep -qx STOPPING=1 "$T/told"
    kill "$manager"
}
