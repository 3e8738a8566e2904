#!/usr/bin/env python3
"""All tests of the book as one TAP stream: the tools themselves, the text, the chapters, the site, and the host afterwards.

    everything.py [--quick] [N...]      --quick leaves out what starts programs

The order is the order in which an author wants to know: do the tools work, does the text agree with the sources, do the sources
build, do the commands do what is printed, does the stock client find what the ladder says. Each of these is a program of its
own (the tool, run for one chapter), so that several run at once; what each says is printed in order and numbered anew. A tool
that ends without its plan, the line `1..N`, has not checked what it should: that is a failure, too.

At the end the host must be as it was. Where other people work on the machine meanwhile, say so with BOOK_SHARED=1; that check is
then skipped. What needs root is skipped without it, with the reason.
"""
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import book
import world

AT_ONCE = (os.cpu_count() or 1) + 1  # most of the time a transcript only waits
SECONDS = 600  # for one tool


def jobs(words, quick):
    """[(name, command or None, reason to skip)] in the order of the report."""
    chapters = ["%02d" % c.number for c in book.chosen(words)]
    site = not words and not quick
    found = [("the tools' own test", ["selftest.py"], None), ("the budget", ["layers.py", "budget"] + chapters, None),
             ("the text", ["weave.py", "check"] + (chapters if words else []), None)]
    if not words:
        found.append(("the translations", ["ko.py", "check"], None))
    root = None if os.geteuid() == 0 else "needs root: a private world is made of namespaces and mounts"
    for name, command in () if quick else (("build", ["stack.py"]), ("transcript", ["transcript.py"]), ("ladder", ["ladder.py", "check"])):
        found += [("chapter %s, %s" % (n, name), command + [n], root) for n in chapters]
    if site:
        tools = shutil.which("doxygen") and shutil.which("dot")
        found.append(("the site", ["pages.py"], None if tools else "needs doxygen and graphviz"))
    return found


def run(command):
    """(exit code, output, seconds) of a tool."""
    start = time.monotonic()
    nice = ["nice"] if command[0] == "pages.py" else []  # minutes of drawing; what is timed goes first
    try:
        r = subprocess.run(nice + [sys.executable, "-B", str(book.HERE / command[0])] + command[1:], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=SECONDS)
        code, out = r.returncode, r.stdout
    except subprocess.TimeoutExpired:
        code, out = -1, "it has not ended within %d seconds\n" % SECONDS
    return code, out, time.monotonic() - start


def report(tap, name, command, code, out):
    """Pass a tool's results on."""
    if command[0] == "pages.py":
        tap.ok(code == 0, "the site is made without a warning or a broken link", out.splitlines())
        return
    n = bad = 0
    plan = None
    for line in out.splitlines():
        m = re.match(r"(not )?ok \d+ - (.*?)(?: # skip (.*))?$", line)
        if m:
            n += 1
            bad += m[1] is not None
            tap.ok(not m[1], m[2], skip=m[3])
        elif re.fullmatch(r"1\.\.\d+", line):
            plan = int(line[3:])
        else:
            print(line if line.startswith("#") else "# " + line)
    whole = plan == n and n > 0 and code == (1 if bad else 0)
    if not whole:
        tap.ok(False, "%s: the tool %s ended early, with exit code %d after %d checks" % (name, command[0], code, n))


def main(args):
    words = [a for a in args if not a.startswith("--")]
    before = world.Snapshot()
    (book.ROOT / "build").mkdir(exist_ok=True)
    tap, todo = book.Tap(), jobs(words, "--quick" in args)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The longest first; the report has its own order.
        first = sorted((j for j in todo if not j[2]), key=lambda j: ("pages.py", "selftest.py").index(j[1][0]) if j[1][0] in ("pages.py", "selftest.py") else 9)
        running = {j[0]: pool.submit(run, j[1]) for j in first}
        for name, command, skip in todo:
            if skip:
                tap.ok(True, name, skip=skip)
                continue
            code, out, seconds = running[name].result()
            report(tap, name, command, code, out)
            print("# %s took %.0f s" % (name, seconds))
    shared = "needs a machine of one's own (BOOK_SHARED is set)" if os.environ.get("BOOK_SHARED") else None
    changes = [] if shared else before.changes()
    tap.ok(not changes, "mounts, control groups, links, processes and files of the host are as they were", changes, shared)
    return tap.end()


if __name__ == "__main__":
    book.run(main)
