#!/usr/bin/env python3
"""Every prefix of the stack builds and passes its tests.

    stack.py [N...]             flatten, build with gcc and clang, `make test` in a private world (TAP)

For each chapter N the layers 1..N are stacked in a fresh folder, and the chapter's own Makefile builds them, once with each
compiler, with the warnings of the project as errors; afterwards make must see an edited header. `make test` runs in a world of its own (world.py), because a chapter's
tests start daemons and make namespaces.
"""
import os
import re
import shutil
import subprocess
import time

import book
import layers
import world

WARNINGS = "-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror"
SECONDS = 300


def build_and_test(c, compiler):
    """What went wrong: the last lines of make; nothing if all is well."""
    work = book.ROOT / "build/stack" / ("%02d.%s.%d" % (c.number, compiler, os.getpid()))
    try:
        layers.flatten(c.number, work)
        if not (work / "Makefile").exists():
            return ["the stack has no Makefile"]
        make = 'make CC="%s %s"' % (compiler, WARNINGS)
        line = "%s && %s test" % (make, make)
        if any(work.glob("*.h")):  # a header that was edited must not leave old objects behind
            line += " && { %s -q || { echo 'make has something to do, with nothing changed'; exit 1; }; }" % make
            line += " && touch *.h && if %s -q; then echo 'make does not see that a header has changed'; exit 1; fi" % make
        w = world.World(work, "%02d" % c.number)
        p = w.start(["sh", "-c", line], stdout=-1, stderr=-2, stdin=-3, text=True, errors="replace")
        try:
            out = p.communicate(timeout=SECONDS)[0]
        except subprocess.TimeoutExpired:
            p.kill()
            out = "after %d seconds it had not ended\n" % SECONDS
            p.wait()
            time.sleep(0.2)
        rest = w.end()
        if p.returncode:
            return out.splitlines()[-25:] + rest
        if not re.search(r"Checks: [1-9]", out):
            return ["make test has run no check of libcheck"] + rest
        return rest
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check(words, tap):
    for c in book.chosen(words):
        world.must_be_root("A chapter's tests run in a private world, which")
        for compiler in ("gcc", "clang"):
            text = "%s: builds with %s and passes its tests" % (c.name, compiler)
            if not shutil.which(compiler, path=world.PATH):
                tap.ok(True, text, skip="needs " + compiler)
                continue
            wrong = build_and_test(c, compiler)
            tap.ok(not wrong, text, wrong)


def main(args):
    tap = book.Tap()
    check(args, tap)
    return tap.end()


if __name__ == "__main__":
    book.run(main)
