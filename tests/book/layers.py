#!/usr/bin/env python3
"""The book as a stack of layers: flatten it, show one step, list all of them, hold them to their budget.

    layers.py flatten N DIR     stack chapters 1..N into DIR
    layers.py build N           the same into build/chapters/NN, and make there
    layers.py name N            the chapter's full name
    layers.py diff N            what chapter N adds, changes and removes, as a unified diff
    layers.py layers            the whole stack, newest first, in the manner of `docker history`
    layers.py budget [N]        at most 250 added lines of C a chapter (TAP)

Added lines are those of a diff against the stack below, in *.c and *.h without the tests, region lines not counted.
A changed file is a whole new copy in its layer, so its size counts whole but its lines only where they differ.
flatten writes only what differs, so that make rebuilds only what changed. Read next: stack.py, which builds them all.
"""
import difflib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import book

BUDGET = 250
COLOURS = {"+": "32", "-": "31", "@": "36"}


def flatten(number, target):
    target.mkdir(parents=True, exist_ok=True)
    tree = book.stack(number)
    for rel, source in tree.items():
        to = target / rel
        to.parent.mkdir(parents=True, exist_ok=True)
        if not to.exists() or to.read_bytes() != source.read_bytes():
            shutil.copyfile(source, to)
        shutil.copymode(source, to)
    for c in book.chapters():  # what an upper layer hides may lie there from another time
        for rel in book.layer(c)[0]:
            if rel not in tree and c.number <= number:
                (target / rel).unlink(missing_ok=True)
    return tree


def build(c):
    place = book.ROOT / "build/chapters" / ("%02d" % c.number)
    tree = flatten(c.number, place)
    if "Makefile" not in tree:
        raise book.Complaint("%s has no Makefile yet, so there is nothing to build." % c.name)
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "N", "MAKEOVERRIDES")}
    r = subprocess.run(["make", "--no-print-directory", "-C", str(place)], env=env, stderr=subprocess.PIPE, text=True)
    sys.stderr.write("".join(s for s in r.stderr.splitlines(True) if not s.startswith("make")))
    if r.returncode:
        raise book.Complaint("%s does not compile: see the compiler's first message above." % c.name)
    print("%s is built in %s" % (c.name, book.name_of(place)))
    return 0


def diff(c):
    below = book.stack(c.number - 1)
    files, _ = book.layer(c)
    now = book.stack(c.number)
    shown = lambda p: [s for _, s in book.visible(p.read_text())] if p else []
    for rel in sorted(set(files) | (set(below) - set(now))):
        before, after = below.get(rel), files.get(rel)
        yield from difflib.unified_diff(shown(before), shown(after), "a/" + rel if before else "/dev/null",
                                        "b/" + rel if after else "/dev/null", lineterm="")


def coloured(line):
    if line.startswith(("+++", "---")):
        return "\033[1m%s\033[0m" % line
    return "\033[%sm%s\033[0m" % (COLOURS[line[0]], line) if line[:1] in COLOURS else line


def lines_added(c):
    return sum(len(book.added(c, rel, p)) for rel, p in book.counted(c).items())


def layers():
    print("%-20s %6s %9s  %s" % ("CHAPTER", "ADDED", "SIZE", "FILES"))
    for c in reversed(book.chapters()):
        files, hidden = book.layer(c)
        below = book.stack(c.number - 1)
        size = sum(p.stat().st_size for p in files.values())
        words = sorted(("~" if rel in below else "+") + rel for rel in files) + sorted("-" + h for h in hidden)
        print("%-20s %6s %7.1fkB  %s" % (c.name, "+%d" % lines_added(c), size / 1000, " ".join(words)))
    print("(+ new, ~ changed, - removed; ADDED counts *.c and *.h without tests; at most %d a chapter)" % BUDGET)


def budget(words, tap):
    for c in book.chosen(words):
        n = lines_added(c)
        each = ["%s adds %d" % (rel, len(book.added(c, rel, p))) for rel, p in book.counted(c).items()]
        tap.ok(n <= BUDGET, "%s adds %d lines of C, at most %d" % (c.name, n, BUDGET), each)


def main(args):
    verb, rest = (args[0] if args else ""), args[1:]
    if verb == "flatten" and len(rest) == 2:
        c = book.chapter(rest[0])
        flatten(c.number, Path(rest[1]))
    elif verb == "name" and len(rest) == 1:
        print(book.chapter(rest[0]).name)
    elif verb == "build" and len(rest) == 1:
        return build(book.chapter(rest[0]))
    elif verb == "diff" and len(rest) == 1:
        paint = coloured if sys.stdout.isatty() else str
        for line in diff(book.chapter(rest[0])):
            print(paint(line))
    elif verb == "layers":
        layers()
    elif verb == "budget":
        tap = book.Tap()
        budget(rest, tap)
        return tap.end()
    else:
        raise book.Complaint("usage: layers.py flatten N DIR | build N | name N | diff N | layers | budget [N]")
    return 0


if __name__ == "__main__":
    book.run(main)
