#!/usr/bin/env python3
"""All tests of the book as one TAP stream: the tools themselves, then the chapters.

    everything.py [--quick] [N...]      --quick leaves out what starts programs

The order is the order in which an author wants to know: do the tools work, does the text agree with the sources, do the sources
build, do the commands do what is printed. What needs root is skipped without it, with the reason.
"""
import os
import shutil

import book
import ko
import ladder
import layers
import pages
import selftest
import stack
import transcript
import weave


def main(args):
    words = [a for a in args if not a.startswith("--")]
    tap = book.Tap()
    selftest.check(tap)
    layers.budget(words, tap)
    weave.check(words, tap)
    if not words:
        ko.check([], tap)
    if "--quick" in args:
        return tap.end()
    for name, check in (("stack", stack.check), ("transcripts", transcript.check), ("ladder", ladder.check)):
        if os.geteuid() == 0:
            check(words, tap)
        else:
            tap.ok(True, "the %s of the book" % name, skip="needs root: a private world is made of namespaces and mounts")
    if not shutil.which("doxygen") or not shutil.which("dot"):
        tap.ok(True, "the site", skip="needs doxygen and graphviz")
    elif not words:
        try:
            tap.ok(pages.main([]) == 0, "the site is made without a warning")
        except book.Complaint as e:
            tap.ok(False, "the site is made without a warning", str(e).splitlines())
    return tap.end()


if __name__ == "__main__":
    book.run(main)
