#!/usr/bin/env bats
# The stock docker client and its Python kin against goraed: cp, export, diff, commit, system df.
bats_require_minimum_version 1.5.0
load lib

setup_file() { ours_for_docker; }
teardown_file() { daemon_end; }
setup() {
    need docker
    mkdir -p "$T/here" && cd "$T/here" && rm -rf -- *
}
teardown() { remove_all docker || true; }

@test "docker cp: case by case what it does with dockerd" {
    "$GORAE_REPO/tests/e2e/copy-matrix.sh" docker >"$T/cases"
    diff "$GORAE_REPO/tests/e2e/copy-matrix.txt" "$T/cases"
}

@test "docker cp: what is refused is told in Docker's words" {
    docker create --name c1 --read-only busybox true >/dev/null
    echo x >x
    run ! docker cp x c1:/tmp/
    [[ $output == *"container rootfs is marked read-only"* ]]
    run ! docker cp c1:/nope .
    [[ $output == *"Could not find the file /nope in container c1"* ]]
    run ! docker cp x c1:/nope/y
    [[ $output == *"Could not find the file /nope in container c1"* ]]
    run ! docker cp nosuch:/etc .
    [[ $output == *"No such container: nosuch"* ]]
}

@test "docker cp keeps links, modes, times, owners; -a takes the container's user" {
    mkdir -p d/e && echo x >d/f && ln d/f d/g && ln -s f d/l && chmod 4711 d/f && chown 12:34 d/e && touch -d @1234567 d/f
    docker create --name c1 -u 9:8 busybox true >/dev/null
    docker cp d c1:/
    docker cp c1:/d - | tar -tv --numeric-owner >list
    grep -q '^-rws--x--x 0/0 .*1970.* d/f$' list
    grep -q ' d/g link to d/f$' list
    grep -q '^drwxr-xr-x 12/34 .* d/e/$' list
    docker cp -a d c1:/tmp
    docker cp c1:/tmp/d/e - | tar -tv --numeric-owner | grep -q '9/8'
}

@test "docker export, diff, commit, history" {
    docker run --name c1 busybox sh -c 'echo new >/new; rm /etc/passwd'
    [ "$(docker diff c1 | sort -k2 | tr '\n' ' ')" = "C /etc D /etc/passwd A /new " ]
    docker export c1 | tar -xO new | grep -qx new
    docker export -o all.tar c1 && tar -tf all.tar >/dev/null
    docker commit -a me -m why -c 'CMD ["cat","/new"]' -c 'ENV A=b' c1 made:1
    [ "$(docker run --rm made:1)" = new ]
    docker history made:1 --format '{{.Comment}}' | grep -qx why
    [ "$(docker inspect -f '{{.Author}} {{index .Config.Env 0}}' made:1)" = "me A=b" ]
    docker commit --pause=false c1 made:2
    run ! docker commit -c 'RUN x' c1 made:3
    docker rm c1 && docker rmi made:1 made:2
}

@test "docker system df, with and without -v" {
    docker run --name c1 busybox sh -c 'head -c 5000 /dev/zero >/z'
    docker system df --format '{{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}' | grep -qx 'Containers|1|0|5kB'
    docker system df -v | grep -q 'c1$'
    docker ps -as --format '{{.Size}}' | grep -q '^5kB'
}

@test "python's docker: get_archive, put_archive, diff, commit, export" {
    python3 -c 'import docker' 2>/dev/null || skip "needs python3-docker"
    docker create --name c1 busybox true >/dev/null
    python3 - <<'PY'
import docker, io, tarfile
c = docker.from_env().containers.get("c1")
out = io.BytesIO(); t = tarfile.open(fileobj=out, mode="w"); x = tarfile.TarInfo("f"); x.size = 3; t.addfile(x, io.BytesIO(b"abc")); t.close()
assert c.put_archive("/tmp", out.getvalue())
stream, stat = c.get_archive("/tmp/f")
assert stat["name"] == "f" and stat["size"] == 3, stat
t = tarfile.open(fileobj=io.BytesIO(b"".join(stream)))
assert t.extractfile("f").read() == b"abc"
assert {"Path": "/tmp/f", "Kind": 1} in c.diff(), c.diff()
image = c.commit(repository="fromsdk", tag="1", message="m", changes="CMD ['x']".replace("'", '"'))
assert image.attrs["Config"]["Cmd"] == ["x"], image.attrs["Config"]
assert tarfile.open(fileobj=io.BytesIO(b"".join(c.export()))).getmember("tmp/f").size == 3
try:
    c.get_archive("/nope"); raise SystemExit("not refused")
except docker.errors.NotFound:
    pass
assert "Containers" in docker.from_env().df()
PY
    docker rmi fromsdk:1
}
