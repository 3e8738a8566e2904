#!/usr/bin/env python3
"""No command in the book is unrun: type what the console blocks show and compare what comes.

    transcript.py [--update] [--strict] [N...]

Each chapter gets a world of its own (world.py) and begins in its flattened folder, in which nothing is built. Its blocks run in
order. In a block, `$ command` is typed (lines with `> ` that follow belong to it); ^C, ^D, ^Z, ^P^Q alone on a line are
keys, pressed once the output above them has come; all else is output. term=2 is a second terminal. prompt="/ # "
declares the prompt of a program, so that lines which begin with it are typed to that program. needs=docker skips the block
where there is no docker. match.py has the language of what may vary.

A block may end while its last command still runs (a server in the foreground): that is seen by its being silent and idle after
the expected output. What it prints later belongs to the next block of the same terminal, which may begin with output. A block
whose terminal shows something that the book doesn't is wrong, and so is a chapter that leaves processes, mounts, control
groups or files behind: the reader's machine would keep them.

--update writes what came into the text, keeping the « » marks where it can: an aid for authors, who then read it.
"""
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import book
import layers
import match
import terminal
import world
from terminal import PROMPT

LIMIT = float(os.environ.get("BOOK_LIMIT", 30))  # seconds a command may take
IDLE = 1.0  # seconds of silence and idleness after which a program counts as waiting
KEYS = re.compile(r"(?:\^[A-Z\[\\\]])+")


class Step:
    """Something typed (or nothing, at the head of a block) and the output that should follow."""

    def __init__(self, prompt, typed):
        self.prompt, self.typed, self.expected, self.keys = prompt, typed, [], False
        self.last = -1  # the last line of the block that belongs to it

    def data(self):
        if not self.keys:
            return self.typed + "\n"
        return "".join(chr(ord(k) & 0x1F) for k in self.typed if k != "^")


def steps(f):
    """A fence's steps in order."""
    prompts = [p for p in (PROMPT, f.attrs.get("prompt")) if p]
    found = [Step(None, None)]
    for number, line in enumerate(f.body):
        prompt = next((p for p in prompts if line.startswith(p) or line == p.rstrip()), None)
        last = found[-1]
        if prompt or KEYS.fullmatch(line.strip()):
            s = Step(prompt, line[len(prompt) :] if prompt else line.strip())
            s.keys = bool(KEYS.fullmatch(s.typed.strip()))
            found.append(s)
        elif line.startswith("> ") and last.prompt == PROMPT and not last.expected and last.typed:
            last.typed += "\n" + line[2:]
        elif line == ">" and last.prompt == PROMPT and not last.expected and last.typed:
            last.typed += "\n"
        else:
            last.expected.append(line)
        found[-1].last = number
    return found, prompts


class Session:
    """A chapter's terminals, and the block that is being played."""

    def __init__(self):
        self.terminals = {}

    def play(self, f):
        """Type one block; return (lines as they came to be, what is wrong)."""
        name = f.attrs.get("term", "1")
        if name not in self.terminals:
            self.terminals[name] = terminal.Terminal()
        t = self.terminals[name]
        todo, prompts = steps(f)
        body, wrong = [], []
        for i, s in enumerate(todo):
            after = todo[i + 1] if i + 1 < len(todo) else None
            if s.typed is not None and not (after is None and s.typed == ""):
                t.send(s.data())
            state = self.follow(t, s, after, prompts)
            got = t.lines(s.typed or "", prompts)
            if s.typed is None and not s.expected and got and todo[1:]:
                wrong.append("before the first command the terminal shows what the book doesn't: %s" % got[0])
            elif not match.agree(s.expected, got):
                wrong += match.difference(s.expected, got)
            if state:
                wrong.append("`%s`: %s" % ((s.typed or "the block's first output").replace("\n", " "), state))
            if s.typed is not None:
                head = (s.prompt or "") + s.typed
                body += [h if k == 0 else "> " + h for k, h in enumerate(head.split("\n"))]
            body += match.updated(s.expected, got)
            t.raw = ""
            if state:
                wrong.append("the rest of the block is not run")
                body += f.body[s.last + 1 :]
                t.send("\x03")
                t.wait(lambda: t.at(PROMPT), 3)
                t.raw = ""
                break
        return body, wrong

    def follow(self, t, s, after, prompts):
        """Wait until a step is over; None, or what went wrong."""
        agreed = lambda: match.agree(s.expected, t.lines(s.typed or "", prompts))
        if after and after.prompt and s.typed is not None:
            want = after.prompt
            t.wait(lambda: t.at(want) or want != PROMPT and t.at(PROMPT), LIMIT)
            if not t.at(want):
                return "the terminal has closed" if not t.open else "has ended" if t.at(PROMPT) else "hangs"
            if not agreed():  # a program in the background may be about to speak
                t.wait(agreed, 2)
            t.quiet(0.03)
            return None
        if after and s.typed is None:
            if after.prompt and self.running(t):
                if not t.wait(lambda: t.at(after.prompt), LIMIT):
                    return "hangs"
                self.still.discard(t)
            t.wait(agreed, LIMIT if s.expected else 0.2)
            return None
        # A key follows, or nothing: over once the output is there and the program returns, or waits in silence.
        t.wait(lambda: agreed() or t.at(PROMPT), LIMIT)
        if not t.at(PROMPT) or not agreed():
            self.settle(t, agreed)
        (self.still.discard if t.at(PROMPT) else self.still.add)(t)
        t.quiet(0.03)
        return None

    still = set()

    def running(self, t):
        return t in self.still

    def settle(self, t, agreed):
        """Wait until the terminal's program is done or has been silent and idle for a while."""
        end, since, last = time.monotonic() + LIMIT, time.monotonic(), None
        while time.monotonic() < end and not (t.at(PROMPT) and agreed()):
            came = t.read(0.1)
            used, runs = t.busy()
            if came or runs or used != last:
                since, last = time.monotonic(), used
            if time.monotonic() - since > IDLE * (2 if t.at(PROMPT) else 1):
                return


def inside(page):
    """In the world: play all blocks of a page and print one JSON line a block."""
    book_blocks = [(i, f) for i, f in enumerate(book.fences(Path(page).read_text())) if f.lang == "console"]
    before, session = world.state(), Session()
    dead = None
    for i, f in book_blocks:
        row = {"fence": i, "line": f.first + 1, "title": next((s for s in f.body if s.strip()), "")}
        needs = f.attrs.get("needs")
        if needs and not all(shutil.which(n) for n in needs.split(",")):
            row["skip"] = "needs " + needs
        elif dead:
            row["wrong"] = ["not run: the block at line %d hung" % dead]
        else:
            row["body"], row["wrong"] = session.play(f)
            if any("the terminal has closed" in w or w.endswith("hangs") for w in row["wrong"]):
                dead = row["line"]
        print(json.dumps(row), flush=True)
    own = {1, os.getpid()} | {t.pid for t in session.terminals.values()}
    rest = world.left(before, own)
    if any(r.startswith("process") for r in rest):  # one may be about to end
        time.sleep(1)
        rest = world.left(before, own)
    print(json.dumps({"left": [r for r in rest if "terminal.rc" not in r]}), flush=True)


def play(c, work):
    """Run a chapter's page; (rows, what it left in its world, what it left on the host)."""
    layers.flatten(c.number, work)
    w = world.World(work, "%02d" % c.number)
    page = "/root/gorae/" + (c.path / "README.md").relative_to(book.ROOT).as_posix()
    p = w.start([world.PYTHON, world.TOOLS + "/transcript.py", "--inside", page], stdout=-1, stdin=-3, text=True)
    rows = []
    for line in p.stdout:
        try:
            rows.append(json.loads(line))
        except ValueError:
            print("# " + line.rstrip())
    code = p.wait()
    rest = w.end()
    if not rows or "left" not in rows[-1]:
        rows.append({"left": ["the world ended early, with exit code %d" % code]})
    return rows[:-1], rows[-1]["left"], rest


def update(c, rows):
    page = c.path / "README.md"
    done = {r["fence"]: r["body"] for r in rows if r.get("body") is not None and r["wrong"]}
    book.refill(page, done)
    ko = c.path / "README.ko.md"
    if ko.exists() and [f.lang for f in book.fences(ko.read_text())] == [f.lang for f in book.fences(page.read_text())]:
        book.refill(ko, done)
    return len(done)


def check(words, tap, options=()):
    before = world.Snapshot() if "--strict" in options else None
    for c in book.chosen(words):
        if not (c.path / "README.md").exists():
            tap.ok(False, "%s has a README.md to play" % c.name)
            continue
        world.must_be_root("The book's transcripts run in a private world, which")
        work = book.ROOT / "build/transcripts" / ("%02d.%d" % (c.number, os.getpid()))
        try:
            rows, rest, host = play(c, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        for r in rows:
            text = "%s line %d: %s" % (c.name, r["line"], r["title"].replace("#", "."))
            tap.ok(not r.get("wrong"), text, r.get("wrong", ()), r.get("skip"))
        tap.ok(not rest, "%s leaves nothing in its world" % c.name, rest)
        tap.ok(not host, "%s leaves nothing on the host" % c.name, host)
        if "--update" in options:
            print("# %s: %d blocks rewritten" % (c.name, update(c, rows)))
    if before:
        changes = before.changes()
        tap.ok(not changes, "mounts, control groups, links, processes and files of the host are as they were", changes)


def main(args):
    if args[:1] == ["--inside"]:
        inside(args[1])
        return 0
    tap = book.Tap()
    check([a for a in args if not a.startswith("--")], tap, args)
    return tap.end()


if __name__ == "__main__":
    book.run(main)
