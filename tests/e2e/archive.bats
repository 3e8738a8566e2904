#!/usr/bin/env bats
# Archives from outside: those of other tools, those of enemies, and a disk that is too small.
load lib

setup_file() {
    daemon_dirs
    daemon_start
}
teardown_file() { daemon_end; }

tar_to() { # path and query, file
    api POST "$1" -H 'Content-Type: application/x-tar' --data-binary "@$2"
}
id_of() { curl -s --unix-socket "$SOCK" "http://d/images/$1/json" | jq -r .Id; }

@test "the busybox tar is the same bytes each time" {
    "$GORAE_REPO/tests/payload/make-busybox.sh" | cmp - "$(busybox_tar)"
    (umask 077 && TZ=Asia/Seoul LC_ALL=C.UTF-8 "$GORAE_REPO/tests/payload/make-busybox.sh") | cmp - "$(busybox_tar)"
}

@test "skopeo reads what we save, and we load what it writes" {
    need skopeo
    import_busybox
    img=$(id_of busybox)
    curl -sf --unix-socket "$SOCK" 'http://d/images/get?names=busybox' -o "$T/ours.tar"
    echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$T/policy"
    [ "sha256:$(skopeo inspect --raw --config "docker-archive:$T/ours.tar" | sha256sum | cut -d' ' -f1)" = "$img" ]
    mkdir "$T/layout"
    tar -C "$T/layout" -xf "$T/ours.tar"
    [ "$(skopeo inspect --config --raw "oci:$T/layout" | sha256sum | cut -d' ' -f1)" = "${img#sha256:}" ]
    skopeo --policy "$T/policy" copy -q "docker-archive:$T/ours.tar" "oci-archive:$T/oci.tar:theirs:1"
    skopeo --policy "$T/policy" copy -q "docker-archive:$T/ours.tar" "docker-archive:$T/docker.tar:theirs:2"
    layers=$(curl -s --unix-socket "$SOCK" http://d/images/busybox/json | jq -c .RootFS.Layers)
    for n in 1 2; do
        f=$([ $n = 1 ] && echo oci || echo docker)
        answers 200 tar_to /images/load "$T/$f.tar"
        [[ $BODY == *"Loaded image: theirs:$n"* ]]
        [ "$(curl -s --unix-socket "$SOCK" "http://d/images/theirs:$n/json" | jq -c .RootFS.Layers)" = "$layers" ]
    done
}

@test "enemies are refused at both doors, and leave nothing" {
    mkdir "$T/canary"
    echo canary >"$T/canary/file"
    before=$(cd "$T/canary" && stat -c '%n %a %u %s %Y %Z' . file)
    stored=$(cd "$T/data/images" && find . | sort)
    python3 - "$T" <<'EOF'
import io, json, hashlib, sys, tarfile
T = sys.argv[1]
def make(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, kind, link in entries:
            x = tarfile.TarInfo(name)
            x.type, x.linkname = kind, link
            data = b"" if kind != tarfile.REGTYPE else b"evil"
            x.size = len(data)
            t.addfile(x, io.BytesIO(data))
    return out.getvalue()
F, S, H = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
shapes = [
    [("../../../../../../.." + T + "/canary/evil", F, "")],
    [("l", S, T + "/canary"), ("h", H, "l/file")],
    [("h", H, "../canary/file")],
    [(".wh...", F, "")],
    [("f", F, ""), ("f/x", F, "")],
]
for i, shape in enumerate(shapes):
    layer = make(shape)
    open(f"{T}/evil{i}.tar", "wb").write(layer)
    config = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
    with tarfile.open(f"{T}/load{i}.tar", "w") as t:
        for name, data in [("c.json", config), ("l.tar", layer), ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["evil:1"], "Layers": ["l.tar"]}]).encode())]:
            x = tarfile.TarInfo(name)
            x.size = len(data)
            t.addfile(x, io.BytesIO(data))
EOF
    for i in 0 1 2 3 4; do
        answers 400 tar_to '/images/create?fromSrc=-&repo=evil:1' "$T/evil$i.tar"
        [[ $(message) == *entry* ]]
        # an archive of several parts may fail after its first progress has been sent: then the error is in the stream
        tar_to /images/load "$T/load$i.tar"
        [ "$STATUS" = 400 ] || [[ $BODY == *errorDetail* ]]
        [[ $BODY == *entry* ]]
    done
    answers 404 api GET /images/evil:1/json
    [ "$(cd "$T/canary" && stat -c '%n %a %u %s %Y %Z' . file)" = "$before" ]
    [ "$(cat "$T/canary/file")" = canary ]
    [ "$(cd "$T/data/images" && find . | sort)" = "$stored" ]
}

@test "a full disk is an answer, and the room comes back" {
    mkdir "$T/small"
    mount -t tmpfs -o size=16m tmpfs "$T/small"
    (
        SOCK=$T/small.sock
        goraed -H "unix://$SOCK" --data-root "$T/small/data" --exec-root "$T/small-exec" --pidfile "$T/small.pid" \
            --cgroup-parent "$CGROUP" >>"$T/log" 2>&1 3>&- &
        daemon=$!
        eventually 100 curl -sf --unix-socket "$SOCK" http://d/_ping
        head -c 20M /dev/urandom >"$T/big"
        tar -C "$T" -cf "$T/big.tar" big
        used=$(df --output=used "$T/small" | tail -1)
        tar_to '/images/create?fromSrc=-&repo=big' "$T/big.tar"
        [ "$STATUS" = 500 ] && [[ $(message) == *"no space left on device"* ]] || ok=no
        [ "$(df --output=used "$T/small" | tail -1)" -le $((used + 64)) ] || ok=no
        import_busybox && [ "$(id_of busybox)" != null ] || ok=no
        kill "$daemon"
        wait "$daemon"
        [ -z "${ok:-}" ]
    )
    umount "$T/small"
}
