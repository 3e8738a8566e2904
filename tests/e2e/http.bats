#!/usr/bin/env bats
# Broken and hostile HTTP against the living daemon (the table of faults on the API). Raw bytes in, status out.
load lib

setup_file() { daemon_dirs; daemon_start; }
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
    api GET /_ping
    [ "$STATUS" = 200 ]
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
