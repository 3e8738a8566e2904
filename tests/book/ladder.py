#!/usr/bin/env python3
"""The ladder: which commands of the stock docker client work against the reader's own daemon, measured.

    ladder.py fill [N...]       measure and write the table between <!-- ladder --> and <!-- /ladder -->
    ladder.py check [N...]      measure and compare (TAP)

Each rung is a small shell script that gets a fresh calfd, started in the chapter's built folder in a private world, and ten
seconds. It counts as working only if it exits with 0 and prints what a Docker daemon would have made it print.
A chapter says what must be done before its daemon can serve in comments of its README.md, each optional:
    <!-- ladder-setup: make root -->    <!-- ladder-daemon: ./calfd -H unix://calf.sock -->
Where a chapter has no calfd the table's place says so. With BOOK_WHY=1 it says
what every rung printed. Read next: world.py.
"""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import book
import layers
import world

SLEEPER = "id=$(docker run -d busybox sleep 100); "
ID = r"[0-9a-f]{64}\n"
RUNGS = [  # the command as the table shows it, the script, what its output must match in full
    ("version", "docker version", r"(?s).*\nServer:.*"),
    ("info", SLEEPER + "docker info", r"(?s)(?!.*ERROR).* Containers: 1\n.*"),
    ("ps", SLEEPER + "docker ps", r"CONTAINER ID .*\n[0-9a-f]{12} .*\n"),
    ("ps -a", "docker create busybox echo hello >f; docker ps -a", r"CONTAINER ID .*\n[0-9a-f]{12} .*\n"),
    ("create", "docker create busybox echo hello", ID),
    ("start", "id=$(docker create busybox echo hello); docker start $id", ID),
    ("run -d", "docker run -d busybox sleep 100", ID),
    ("wait", 'id=$(docker run -d busybox sh -c "exit 3"); docker wait $id', r"3\n"),
    ("logs", "id=$(docker run -d busybox echo hello); docker wait $id >f; docker logs $id", r"hello\n"),
    ("logs -f", 'docker logs -f $(docker run -d busybox sh -c "echo one; sleep 1; echo two")', r"one\ntwo\n"),
    ("stop", SLEEPER + "docker stop -t 1 $id; docker ps -q", ID),
    ("kill", SLEEPER + "docker kill $id; docker wait $id >f; docker ps -q", ID),
    ("inspect", SLEEPER + "docker inspect -f '{{.State.Status}} {{.Id}}' $id", r"running " + ID),
    ("rm", "id=$(docker run -d busybox true); docker wait $id >f; docker rm $id; docker ps -aq", ID),
    ("rename", SLEEPER + "docker rename $id two; docker ps --format '{{.Names}}'", r"two\n"),
    ("attach", 'docker attach $(docker run -d busybox sh -c "sleep 1; echo hello")', r"hello\n"),
    ("run", "docker run busybox echo hello", r"hello\n"),
    ("run --rm", "docker run --rm busybox echo hello; sleep 0.3; docker ps -aq", r"hello\n"),
    ("run -i", "echo hello | docker run -i busybox cat", r"hello\n"),
    ("run -it", "docker run -it busybox tty", r"/dev/(pts/\d+|console)\n"),
    ("exec", SLEEPER + "docker exec $id echo hello", r"hello\n"),
    ("top", SLEEPER + "docker top $id", r"(?s).*PID.*sleep 100\n"),
    ("restart", SLEEPER + "docker restart -t 1 $id; docker ps -q --no-trunc", r"([0-9a-f]{64}\n)\1"),
    ("pause", SLEEPER + "docker pause $id; docker inspect -f '{{.State.Status}}' $id", ID + r"paused\n"),
    ("cp", SLEEPER + "echo hello >f; docker cp -q f $id:/tmp/f; docker exec $id cat /tmp/f", r"hello\n"),
    ("images", "docker images", r"REPOSITORY .*\nbusybox .*\n"),
    ("pull", "docker pull busybox", r"(?s).*(Downloaded newer|up to date).*"),
    ("build", "printf 'FROM busybox\\nRUN true\\n' | DOCKER_BUILDKIT=0 docker build -q -", r"sha256:" + ID),
    ("network ls", "docker network ls", r"NETWORK ID .*\n(?s:.+)"),
    ("volume create", "docker volume create v", r"v\n"),
]
SECONDS = 10
MARKS = re.compile(r"(?ms)^<!-- ladder -->$\n.*?^<!-- /ladder -->$")
WORDS = {"README.md": ("Stock client", "works", "yes", "no", "This chapter has no daemon, so none of the %d commands of the ladder works yet."),
         "README.ko.md": ("원래 클라이언트", "동작", "예", "아니오", "이 장에는 데몬이 없으므로 사다리의 명령 %d개 가운데 동작하는 것이 아직 없다.")}


def on_a_terminal(script):
    """Run a script on a pseudoterminal of its own; (exit code, output). The time limit is an alarm in the child."""
    pid, fd = pty.fork()
    if pid == 0:
        signal.alarm(SECONDS)  # survives execve(2)
        os.execvp("sh", ["sh", "-ec", "exec " + script])
    out = b""
    try:
        while True:
            out += os.read(fd, 4096)
    except OSError:
        os.close(fd)
    return os.waitpid(pid, 0)[1], out.decode("utf-8", "replace").replace("\r", "")


patience = 4.0  # seconds in which a daemon must have made its socket


def try_rung(script, wanted, daemon):
    """Does the script do, against a fresh daemon, what it should?"""
    global patience
    Path("calf.sock").unlink(missing_ok=True)
    log = open("/tmp/calfd.log", "w")
    d = subprocess.Popen(["sh", "-c", "exec " + daemon], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + patience
    while not Path("calf.sock").exists() and d.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    if not Path("calf.sock").exists():
        patience = 0.1  # a daemon without a socket has none for the next rung either
    try:
        if " -it " in script:
            code, out = on_a_terminal(script)
        else:
            r = subprocess.run(["timeout", "-k", "1", str(SECONDS), "sh", "-ec", script], capture_output=True, text=True, errors="replace")
            code, out = r.returncode, r.stdout
            if os.environ.get("BOOK_WHY"):
                print("# %s\n#   exit code %d, printed %r, said %r" % (script, code, out[-300:], r.stderr[-300:]), file=sys.stderr)
        # a daemon that remembers gets an empty table for the next rung
        subprocess.run(["timeout", "5", "sh", "-c", "docker ps -aq | xargs -r docker rm -f"], stdout=-3, stderr=-3)
    finally:
        if d.poll() is None:
            os.killpg(d.pid, signal.SIGTERM)
        try:
            d.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(d.pid, signal.SIGKILL)
            d.wait()
    for p in Path("/proc").glob("[0-9]*"):  # what the daemon was asked to run may outlive it
        if int(p.name) not in (1, os.getpid()):
            try:
                os.kill(int(p.name), signal.SIGKILL)
            except OSError:
                pass
    return code == 0 and re.fullmatch(wanted, out) is not None


def inside(setup, daemon):
    os.environ["DOCKER_HOST"] = "unix://" + os.path.abspath("calf.sock")
    r = subprocess.run(["sh", "-ec", setup], capture_output=True, text=True)
    if r.returncode or not Path("calfd").exists():
        print(json.dumps({"broken": "`%s` failed: %s" % (setup, r.stderr.strip()[-300:])}))
        return
    print(json.dumps({name: try_rung(script, wanted, daemon) for name, script, wanted in RUNGS}))


def measure(c):
    """{command: does it work}; empty without a daemon."""
    if "calfd.c" not in book.stack(c.number):
        return {}
    page = (c.path / "README.md").read_text()
    option = lambda name, other: (re.findall(r"<!-- ladder-%s: (.*?) -->" % name, page) or [other])[0]
    work = book.ROOT / "build/transcripts" / ("%02d.ladder.%d" % (c.number, os.getpid()))
    layers.flatten(c.number, work)
    try:
        w = world.World(work, "%02d" % c.number)
        setup = "make >/dev/null; " + option("setup", ":")
        p = w.start([world.PYTHON, world.TOOLS + "/ladder.py", "--inside", setup, option("daemon", "./calfd")], stdout=-1, stdin=-3)
        out = p.communicate()[0]
        rest = w.end()
    finally:
        shutil.rmtree(work, ignore_errors=True)
    found = json.loads(out) if out else {"broken": "the world ended early"}
    if "broken" in found or rest:
        raise book.Complaint("%s: the ladder can't be measured: %s" % (c.name, found.get("broken") or "; ".join(rest)))
    return found


def table(found, name):
    head, works, yes, no, none = WORDS[name]
    if not found:
        body = none % len(RUNGS)
    else:
        body = "| %s | %s |\n|---|---|\n" % (head, works)
        body += "\n".join("| `docker %s` | %s |" % (k, yes if v else no) for k, v in found.items())
    return "<!-- ladder -->\n\n%s\n\n<!-- /ladder -->" % body


def check(words, tap, fill=False):
    for c in book.chosen(words):
        if not (c.path / "README.md").exists():
            tap.ok(False, "%s has a README.md with a ladder" % c.name)
            continue
        pages = [p for p in book.texts(c) if MARKS.search(p.read_text())]
        if not shutil.which("docker", path=world.PATH):
            tap.ok(True, "%s: the ladder" % c.name, skip="needs docker, the stock client")
            continue
        world.must_be_root("The ladder starts the chapter's daemon in a private world, which")
        try:
            found = measure(c)
        except book.Complaint as e:
            tap.ok(False, "%s: the ladder" % c.name, [str(e)])
            continue
        for p in pages:
            text, new = p.read_text(), table(found, p.name)
            old = MARKS.search(text)[0]
            if fill:
                p.write_text(MARKS.sub(lambda _: new, text))
            tap.ok(fill or old == new, "%s: the ladder of %s is as measured, %d rungs of %d" % (
                c.name, p.name, sum(found.values()), len(RUNGS)), ["now: " + s for s in new.splitlines() if s not in old.splitlines()])
        if not pages:
            tap.ok(False, "%s has a ladder" % c.name)


def main(args):
    if args[:1] == ["--inside"]:
        inside(*args[1:])
        return 0
    if not args or args[0] not in ("fill", "check"):
        raise book.Complaint("usage: ladder.py fill [N...] | check [N...]")
    tap = book.Tap()
    check(args[1:], tap, args[0] == "fill")
    return tap.end()


if __name__ == "__main__":
    book.run(main)
