#!/usr/bin/env bats
# Broken and hostile HTTP against the living daemon (the table of faults on the API). Raw bytes in, status out.
load lib

setup_file() { daemon_dirs; daemon_start; }
teardown() { remove_all || true; }
teardown_file() { daemon_stop; daemon_clean; }

# status of the first answer to these bytes (printf escapes), or "closed"
raw() {
    python3 - "$SOCK" "$1" "${2:-}" <<'EOF'
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(20)
data = sys.argv[2].encode().decode("unicode_escape").encode("latin-1")
try:
    if sys.argv[3] == "slow":
        for b in data: s.send(bytes([b])); time.sleep(0.001)
    else:
        s.sendall(data)
    got = s.recv(65536)
except (BrokenPipeError, ConnectionResetError):
    got = b""
print(got.split(b" ")[1].decode() if got.startswith(b"HTTP/") else "closed")
EOF
}

@test "every malformed head has its status" {
    while IFS='|' read -r want bytes; do
        got=$(raw "$bytes")
        [ "$got" = "$want" ] || { echo "$bytes: $got, not $want"; false; }
    done <<'EOF'
200|GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n
200|GET /_ping HTTP/1.0\r\n\r\n
200|GET http://x/_ping HTTP/1.1\r\nHost: x\r\n\r\n
200|GET /_ping HTTP/1.1\r\nHost: evil.example\r\n\r\n
400|GET /_ping HTTP/1.1\r\n\r\n
400|GET /_ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n
400|POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}
400|POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}
400|POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}
400|GET /_ping HTTP/1.1\nHost: x\n\n
400|GET /_ping HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n
400|GET /_ping HTTP/1.1\r\nHost : x\r\n\r\n
400|GET /_ping HTTP/1.1\r\nHost: x\x00y\r\n\r\n
400|\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n
505|GET /_ping HTTP/9.9\r\nHost: x\r\n\r\n
501|POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n
411|POST /images/load HTTP/1.1\r\nHost: x\r\n\r\n
411|POST /images/create?fromSrc=- HTTP/1.1\r\nHost: x\r\n\r\n
411|PUT /containers/x/archive?path=/ HTTP/1.1\r\nHost: x\r\n\r\n
404|PUT /containers/x/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n
400|POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n
400|POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n
EOF
    [ "$(raw 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')" != 200 ]
}

@test "a head byte by byte is the same head" {
    [ "$(raw 'GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n' slow)" = 200 ]
}

@test "a head over 32 KiB or 100 headers is 431" {
    [ "$(raw "GET /_ping HTTP/1.1\r\nHost: x\r\nA: $(printf 'x%.0s' $(seq 40000))\r\n\r\n")" = 431 ]
    [ "$(raw "GET /_ping HTTP/1.1\r\nHost: x\r\n$(for i in $(seq 120); do printf 'A%d: b\\r\\n' "$i"; done)\r\n")" = 431 ]
}

@test "a JSON body over its limit is 413" {
    run bash -c "head -c 5000000 /dev/zero | tr '\0' ' ' | curl -s -o /dev/null -w '%{http_code}' --unix-socket '$SOCK' -H 'Content-Type: application/json' --data-binary @- http://d/containers/create"
    [ "$output" = 413 ]
}

# What is refused before its body was read: a client that is still sending gets the answer, not a reset connection.
@test "an error reaches a client that is still sending, and the connection ends" {
    run python3 - "$SOCK" <<'EOF'
import json, socket, sys, time
def ask(head, body):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
    s.sendall(head + body) # in one go: the answer is looked for only afterwards
    got, t = b"", time.time()
    while True:
        b = s.recv(65536)
        if not b: break
        got += b
    # Our side stays open. Theirs is closed whole, not only for writing, when sending fails.
    while True:
        try: s.send(b"x"); time.sleep(0.05)
        except (BrokenPipeError, ConnectionResetError): break
        assert time.time() - t < 3, "open after 3 s"
    head, _, body = got.partition(b"\r\n\r\n")
    return head.split(b" ")[1], head.lower(), json.loads(body)["message"]
chunks = (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 32 + b"0\r\n\r\n"
for i in range(10):
    status, head, message = ask(b"POST /images/create?fromSrc=-&repo=q&changes=EXPOSE%2099999 HTTP/1.1\r\nHost: d\r\n"
        b"Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n", chunks)
    assert status == b"400" and "99999" in message, (i, status, message)
    assert b"\r\nconnection: close" in head, head
status, head, message = ask(b"POST /containers/create HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n"
    b"Content-Length: 5000000\r\n\r\n", b" " * 5000000)
assert status == b"413" and b"\r\nconnection: close" in head, (status, head)
# What is short enough to be read to its end is, and the next request is answered.
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
s.sendall(b"POST /containers/nope/kill HTTP/1.1\r\nHost: d\r\nContent-Length: 102400\r\n\r\n" + b"x" * 102400
    + b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
got = b""
while b := s.recv(65536): got += b
assert b"404 Not Found" in got and got.endswith(b"OK"), got
# One that stalls after its answer is not waited for.
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10)
s.sendall(b"POST /containers/nope/kill HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
got, t = b"", time.time()
while b := s.recv(65536): got += b
assert b"404 Not Found" in got and time.time() - t < 3, (got, time.time() - t)
EOF
    [ "$status" = 0 ] || { echo "$output"; false; }
    api GET /images/json
    [ "$BODY" = "[]" ]
}

@test "the stock client, too, reads why its upload was refused" {
    need docker
    head -c 8000000 /dev/zero >"$T/zeros" && tar -C "$T" -cf "$T/r.tar" zeros
    for _ in 1 2 3 4 5; do
        fails_with 99999 env DOCKER_HOST="unix://$SOCK" docker import -c 'EXPOSE 99999' "$T/r.tar" q:1
        [[ $output != *"broken pipe"* && $output != *"reset by peer"* ]]
    done
    fails_with 'Invalid signal: BOGUS' env DOCKER_HOST="unix://$SOCK" docker import -c 'STOPSIGNAL BOGUS' "$T/r.tar" q:1
}

@test "two requests in one segment get two answers in order; Expect: 100-continue is answered" {
    run python3 - "$SOCK" <<'EOF'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(5)
s.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\nGET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
got = b""
while True:
    b = s.recv(65536)
    if not b: break
    got += b
assert got.count(b"HTTP/1.1 200") == 2 and got.index(b"OK") < got.index(b"ApiVersion"), got
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(5)
s.sendall(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
assert s.recv(100).startswith(b"HTTP/1.1 100"), "no 100"
s.sendall(b"{}")
assert b" 400 " in s.recv(1000)
EOF
    [ "$status" = 0 ] || { echo "$output"; false; }
}

@test "a body shorter than its length does nothing" {
    run python3 - "$SOCK" <<'EOF'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(5)
s.sendall(b"POST /containers/create?name=cut HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"Image\":\"busybox\"}")
s.shutdown(socket.SHUT_WR)
print(s.recv(1000)[:12])
EOF
    [[ $output == *400* || $output == *408* ]]
    api GET '/containers/json?all=1'
    [ "$BODY" = "[]" ]
}

# status of POST /containers/create with these bytes (printf escapes) behind {"Image":"busybox",
creates() {
    { printf '{"Image":"busybox",'; printf '%b' "$1"; printf '}'; } >"$T/body"
    api POST "/containers/create$2" -H 'Content-Type: application/json' --data-binary "@$T/body"
}

@test "F49, F61, F62: NUL, numbers and texts that JSON or we do not have are refused whole, and nothing is cut short" {
    import_busybox
    while IFS='|' read -r want body; do
        creates "$body"
        [ "$STATUS" = "$want" ] || { echo "$body: $STATUS, not $want: $BODY"; false; }
    done <<'EOF'
400|"Env":["A=a\\u0000b"]
400|"Cmd":["a\\u0000b"]
400|"WorkingDir":"/a\\u0000b"
400|"Labels":{"a\\u0000b":"c"}
400|"Labels":{"a":"\\u0000"}
400|"Labels":{"a":"\0"}
400|"StopTimeout":1e400
400|"StopTimeout":1.5
400|"StopTimeout":1e1
400|"StopTimeout":NaN
400|"StopTimeout":"5"
400|"StopTimeout":9223372036854775808
400|"StopTimeout":0x10
400|"StopTimeout":+1
400|"StopTimeout":01
201|"StopTimeout":-0
400|"Labels":{"a":"\xff"}
400|"Labels":{"a":"\xc0\x80"}
400|"Labels":{"a":"\\ud800"}
400|"Labels":{"a":"\\udc00\\ud800"}
201|"Labels":{"a":"\\ud83d\\udc33"}
400|"Labels":{"a":"b"},
400|'Labels':{}
400|"Labels":{"a":"\n"}
400|"Labels":{"a":"b"}//
EOF
    printf '\xef\xbb\xbf{"Image":"busybox"}' >"$T/body"
    answers 400 api POST /containers/create -H 'Content-Type: application/json' --data-binary "@$T/body"
    # exact, where a double would round
    creates '"HostConfig":{"Memory":9007199254740993},"Labels":{"whale":"\\ud83d\\udc33","korean":"\xea\xb3\xa0\xeb\x9e\x98"}' '?name=exact'
    [ "$STATUS" = 201 ]
    api GET /containers/exact/json
    jq -r '.Config.Labels | .whale + .korean' <<<"$BODY" | grep -qx '🐳고래'
    grep -q '"Memory": *9007199254740993[,}]' <<<"$BODY"
    for path in '/containers/create?name=a%00b' '/containers/exact%00/start' '/containers/exact/rename?name=b%00'; do
        answers 400 api POST "$path" -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
    done
    answers 400 api GET '/containers/exact/archive?path=/etc%00'
    api GET '/containers/json?all=1'
    [ "$(jq length <<<"$BODY")" = 3 ]
}

@test "F50: sixty-four levels are read, sixty-five are not" {
    import_busybox
    deep() { printf '"X":'; printf '[%.0s' $(seq "$1"); printf ']%.0s' $(seq "$1"); }
    creates "$(deep 63)"
    [ "$STATUS" = 201 ]
    creates "$(deep 64)"
    [ "$STATUS" = 400 ]
    [[ $BODY == *64* ]]
}

@test "F53: a container's name is what the grammar says, and of bounded length" {
    import_busybox
    while read -r want name; do
        creates '"Cmd":["true"]' "?name=$name"
        [ "$STATUS" = "$want" ] || { echo "$name: $STATUS, not $want: $BODY"; false; }
        [ "$want" = 201 ] || [[ $BODY == *name* ]]
    done <<'EOF'
400 %C3%A9tude
400 ../x
400 %2E%2E
400 .
400 -ab
400 _ab
400 a
400 ab%E2%80%AEcd
400 ab%0Acd
400 ab%20cd
400 //ab
201 /ab
201 a.b_c-D9
EOF
    creates '"Cmd":["true"]' "?name=$(head -c 10000 /dev/zero | tr '\0' a)"
    [ "$STATUS" = 400 ]
    creates '"Cmd":["true"]' '?name=' # none: one is made up
    [ "$STATUS" = 201 ]
}

@test "F60: what is sent behind an upgrade is the container's, and a stream without a container ends cleanly" {
    import_busybox
    json POST '/containers/create?name=ended' '{"Image":"busybox","Cmd":["true"]}'
    api POST /containers/ended/start
    api POST /containers/ended/wait
    run python3 - "$SOCK" <<'EOF'
import socket, sys
def dial():
    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1]); return s
up = b"POST /containers/%s/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
a = dial(); a.settimeout(0.5)
a.sendall(up % b"ended" + b"GET /_ping HTTP/1.1\r\n\r\n" + bytes(range(256)) * 400)
assert a.recv(4096).startswith(b"HTTP/1.1 101 "), "no 101"
try:
    assert a.recv(10) == b"", "the garbage was answered"
except socket.timeout:
    pass # it waits for the next start, as Docker does
except ConnectionResetError:
    pass
a.close()
b = dial()
b.sendall(up % b"nosuch" + b"garbage")
got = b.recv(4096)
assert got.startswith(b"HTTP/1.1 404 "), got
EOF
    [ "$status" = 0 ] || { echo "$output"; false; }
    answers 200 api GET /_ping
}

@test "slow heads are given up and hold nobody else" {
    python3 - "$SOCK" >"$T/slow" <<'EOF' 3>&- &
import socket, sys, time
c = []
for i in range(100):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b"GET /_p"); c.append(s)
t = time.time(); c[0].settimeout(30)
try: d = c[0].recv(1000)
except OSError: d = b""
print(round(time.time() - t), d[:12])
EOF
    slow=$!
    sleep 0.5
    start=$(date +%s%N)
    answers 200 api GET /_ping
    [ $((($(date +%s%N) - start) / 1000000)) -lt 1000 ]
    wait $slow
    cat "$T/slow"
    read -r took rest <"$T/slow"
    [ "$took" -ge 8 ]
    [ "$took" -le 13 ]
    [[ $rest == *408* ]]
}

@test "a thousand connections: more get 503, and all is well afterwards" {
    run python3 - "$SOCK" <<'EOF'
import socket, sys
def dial():
    s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1]); return s
c = [dial() for i in range(1000)]
for s in c: s.send(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
ok = sum(s.recv(4096).startswith(b"HTTP/1.1 200") for s in c)
extra = dial(); got = extra.recv(100)
print(ok, got[:12])
EOF
    [[ $output == "1000 b'HTTP/1.1 503"* ]]
    eventually 50 curl -sf --unix-socket "$SOCK" http://d/_ping
}
