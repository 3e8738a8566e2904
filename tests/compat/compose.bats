#!/usr/bin/env bats
# Two clients in Python that people have on their machines: Debian's docker-compose (1.29) brings a project of two services up and
# down, and python3-docker walks through a container's whole life. The services have no network yet; their project's own comes
# with the step on networks.
bats_require_minimum_version 1.5.0
load lib

setup_file() {
    daemon_with_busybox
    mkdir "$T/proj"
    cat >"$T/proj/docker-compose.yml" <<'YML'
version: "2.4"
services:
  web:
    image: busybox
    command: sh -c "echo web up; trap 'exit 0' TERM; while :; do sleep 0.05; done"
    network_mode: none
    environment: {GREETING: hello}
    volumes: ["./data:/data"]
    healthcheck: {test: "test -e /data/ok", interval: 100ms, retries: 1000}
  worker:
    image: busybox
    command: sh -c "echo worker up; trap 'exit 0' TERM; while :; do sleep 0.05; done"
    network_mode: none
    depends_on: {web: {condition: service_healthy}}
    mem_limit: 32m
    restart: on-failure
YML
}
teardown_file() { daemon_end; }
setup() { export DOCKER_HOST=unix://$SOCK; }
teardown() { remove_all; }
compose() { (cd "$T/proj" && timeout -s KILL 60 docker-compose --ansi never "$@"); }
states() { gorae ps -a --format '{{.Names}} {{.State}}' | sort | tr '\n' ' '; }

@test "docker-compose: a project of two services, up, looked at, changed and down" {
    need docker-compose
    mkdir -p "$T/proj/data"
    (sleep 2; touch "$T/proj/data/ok") 3>&- &
    compose up -d # the second waits until the first is healthy
    [ -e "$T/proj/data/ok" ]
    [ "$(states)" = "proj_web_1 running proj_worker_1 running " ]
    compose ps | grep -E 'proj_web_1 .*Up \(healthy\)'
    compose ps | grep -E 'proj_worker_1 .*Up '
    compose logs | grep -E 'web_1 .*web up'
    compose logs | grep -E 'worker_1 .*worker up'
    [ "$(compose exec -T web sh -c 'echo $GREETING')" = hello ]
    run compose exec -T worker sh -c 'exit 3'
    [ "$status" = 3 ]
    compose top worker | grep -q 'worker up'
    compose images | grep -E 'proj_web_1 +busybox +latest'
    [ "$(gorae inspect -f '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}' proj_worker_1)" = "33554432 on-failure" ]

    id=$(gorae inspect -f '{{.Id}}' proj_web_1)
    compose up -d # nothing changed: nothing is made anew
    [ "$(gorae inspect -f '{{.Id}}' proj_web_1)" = "$id" ]
    sed -i 's/GREETING: hello/GREETING: again/' "$T/proj/docker-compose.yml"
    compose up -d -t 1
    [ "$(gorae inspect -f '{{.Id}}' proj_web_1)" != "$id" ]
    [ "$(compose exec -T web sh -c 'echo $GREETING')" = again ]

    compose pause
    [ "$(states)" = "proj_web_1 paused proj_worker_1 paused " ]
    compose unpause
    compose restart -t 1
    compose stop -t 1
    [ "$(states)" = "proj_web_1 exited proj_worker_1 exited " ]
    compose start
    compose up -d --scale worker=2
    [ "$(states)" = "proj_web_1 running proj_worker_1 running proj_worker_2 running " ]
    compose kill worker
    compose down -t 1
    [ "$(states)" = "" ]
}

@test "docker-compose: up in the foreground shows what is printed, and ends the project with itself" {
    need docker-compose
    mkdir -p "$T/proj/data"
    touch "$T/proj/data/ok"
    (cd "$T/proj" && exec docker-compose --ansi never up -t 1) >"$T/up" 2>&1 3>&- &
    up=$!
    eventually 150 grep -q 'worker up' "$T/up"
    kill -INT "$up"
    wait "$up" || true
    [ "$(states)" = "proj_web_1 exited proj_worker_1 exited " ]
    compose down
    [ "$(states)" = "" ]
}

@test "python's docker walks through a whole life" {
    python=$(PATH=/usr/bin:$PATH command -v python3)
    "$python" -c 'import docker' 2>/dev/null || skip "needs python3-docker"
    timeout -s KILL 60 "$python" - <<'PY'
import docker, threading, time
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound

client = docker.from_env(timeout=30)
assert client.ping()
assert client.version()["ApiVersion"] == client.api.version()["ApiVersion"]
assert client.containers.run("busybox", "echo hello", remove=True) == b"hello\n"
try:
    client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 7"], remove=True, stderr=True)
    raise SystemExit("7 is no failure?")
except ContainerError as e:
    assert e.exit_status == 7 and b"bad" in e.stderr, e
began = time.time()
c = client.containers.run("busybox", ["sh", "-c", "echo one; echo two >&2; trap 'exit 4' TERM; while :; do sleep 0.05; done"],
                          detach=True, name="life", labels={"k": "v"}, environment={"A": "b"}, mem_limit="64m",
                          healthcheck={"test": ["CMD", "true"], "interval": 100000000}, restart_policy={"Name": "no"})
assert client.containers.list(filters={"label": "k=v"}) == [c]
assert client.containers.get("life").id == c.id
for _ in range(100):
    c.reload()
    if c.attrs["State"]["Health"]["Status"] == "healthy" and b"two" in c.logs():
        break
    time.sleep(0.05)
assert c.status == "running" and c.attrs["State"]["Health"]["Status"] == "healthy", c.attrs["State"]
assert c.logs(stderr=False) == b"one\n" and c.logs(tail=0) == b"" and b"T" in c.logs(timestamps=True)
assert c.attach(logs=True, stdout=True, stderr=False) == b"one\n" # what was said, and no waiting for more
assert c.exec_run("sh -c 'echo $A; exit 3'") == (3, b"b\n")
code, (out, err) = c.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
assert (code, out, err) == (0, b"o\n", b"e\n")
code, sock = c.exec_run("cat", stdin=True, socket=True)
sock._sock.sendall(b"through\n")
sock._sock.shutdown(1)
assert sock._sock.recv(100).endswith(b"through\n")
assert any("trap" in " ".join(p) for p in c.top()["Processes"])
stats = c.stats(stream=False)
assert stats["memory_stats"]["limit"] == 64 << 20 and stats["name"] == "/life", stats
assert next(c.stats(decode=True))["id"] == c.id
c.pause(); c.reload(); assert c.status == "paused"
try:
    c.exec_run("true")
    raise SystemExit("an exec in what is paused")
except APIError as e:
    assert e.status_code == 409, e
c.unpause()
c.update(mem_limit="96m", memswap_limit="96m")
c.rename("lived"); c.reload()
assert c.name == "lived" and c.attrs["HostConfig"]["Memory"] == 96 << 20
c.restart(timeout=5); c.reload(); assert c.status == "running"
ended = []
t = threading.Thread(target=lambda: ended.append(c.wait(timeout=20)))
t.start()
time.sleep(0.2)
c.stop(timeout=5)
t.join()
assert ended[0]["StatusCode"] == 4, ended
assert c.wait(condition="not-running")["StatusCode"] == 4
c.start(); c.kill(); assert c.wait()["StatusCode"] == 137
try:
    c.kill()
    raise SystemExit("killed twice")
except APIError as e:
    assert e.status_code == 409, e
assert c.diff() is None or isinstance(c.diff(), list)
image = c.commit("lived", "1", changes='CMD ["echo","made"]')
assert client.containers.run("lived:1", remove=True) == b"made\n"
c.remove()
try:
    client.containers.get("lived")
    raise SystemExit("it is still there")
except NotFound:
    pass
client.images.remove("lived:1")
try:
    client.containers.create("nosuchimage")
    raise SystemExit("made of nothing")
except ImageNotFound:
    pass
seen = [e["Action"] for e in client.events(decode=True, since=began, until=time.time(), filters={"container": c.id, "type": "container"})]
assert [a for a in seen if a in ("create", "start", "pause", "unpause", "update", "rename", "destroy")] == \
    ["create", "start", "pause", "unpause", "update", "rename", "start", "start", "destroy"], seen
assert client.containers.prune()["ContainersDeleted"] is None
assert client.df()["Containers"] in (None, [])
PY
}
