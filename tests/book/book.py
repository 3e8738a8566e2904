"""What all tools of the book share: where it lies, what a chapter is, and how its text is read.

A chapter is a layer. Its folder holds only what the step adds or changes, and the folders 1..N, stacked, are the
program as it stands after chapter N: the upper file wins, and `.wh.name` hides `name` of the layers below, as
overlayfs and image layers have it. README*.md and book/ are about the program and no part of it.

The text is Markdown. Two things in it concern the tools: fences (three backquotes, a language, attributes) and, in the
sources, regions: lines `// region name` and `// endregion`, which name a piece so that the text can show it. Region
lines are neither shown nor counted.

A tool that is used wrongly raises Complaint: one sentence for the reader and exit code 2, never a Python traceback.
Set BOOK_ROOT to point the tools at another tree: their own tests do. Read next: layers.py, then weave.py.
"""
import difflib
import os
import re
import shlex
import sys
from collections import namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("BOOK_ROOT") or HERE.parents[1]).resolve()

Chapter = namedtuple("Chapter", "number name path")
Fence = namedtuple("Fence", "lang attrs first last body")  # first, last: indexes of the two fence lines

MARK = re.compile(r"^\s*(?://|#|;)\s*(?:region\s+(?P<name>[\w.-]+)|(?P<end>endregion))\s*$")
COUNTED = re.compile(r"^(?!test_)[^/]*\.[ch]$")  # the C that the budget counts and the text must show


class Complaint(Exception):
    """The user's mistake, in one sentence."""


def run(main):
    """Call main(arguments) and turn a Complaint into a sentence."""
    try:
        sys.exit(main(sys.argv[1:]))
    except Complaint as c:
        print(c, file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os._exit(0)  # the reader left the pager
    except PermissionError as e:
        print("%s: %s (was it made by root? then use sudo, or make clean)." % (e.filename and name_of(e.filename), e.strerror), file=sys.stderr)
        sys.exit(2)


def chapters():
    found = []
    for p in sorted((ROOT / "chapters").glob("[0-9][0-9]-*")):
        if p.is_dir():
            found.append(Chapter(int(p.name[:2]), p.name, p))
    return found


def chapter(word):
    """The chapter that 3, 03 or 03-round-trip names."""
    have = chapters()
    for c in have:
        if word in (c.name, "%02d" % c.number, str(c.number)):
            return c
    listed = ", ".join("%02d" % c.number for c in have) or "none yet"
    if not word:
        raise Complaint("Which chapter? Say for example N=01; there are: %s." % listed)
    raise Complaint("There is no chapter %s; there are: %s." % (word, listed))


def chosen(words):
    """The chapters that the words name; all without words."""
    return [chapter(w) for w in words if w] or chapters()


def layer(c):
    """What the layer holds: {relative name: path}, and the list of names that it hides."""
    files, hidden = {}, []
    for p in sorted(c.path.rglob("*")):
        rel = p.relative_to(c.path).as_posix()
        if p.is_dir() or rel.startswith("book/") or re.match(r"README(\.\w+)?\.md$", rel):
            continue
        if p.name.startswith(".wh."):
            hidden.append(rel[: -len(p.name)] + p.name[4:])
        else:
            files[rel] = p
    return files, hidden


def stack(number):
    """The program after chapter `number`: {relative name: path}. 0 is the empty stack."""
    tree = {}
    for c in chapters():
        if c.number > number:
            break
        files, hidden = layer(c)
        for h in hidden:
            gone = [rel for rel in tree if rel == h or rel.startswith(h + "/")]
            if not gone:
                raise Complaint("%s: .wh.%s hides nothing: no chapter below has %s." % (c.name, Path(h).name, h))
            for rel in gone:
                del tree[rel]
        tree.update(files)
    return tree


def visible(text):
    """[(line number, line)] of a source without its region lines."""
    return [(n, s) for n, s in enumerate(text.splitlines(), 1) if not MARK.match(s)]


def regions(path):
    """{name: [(line number, line)]}; a Complaint where the markers don't pair."""
    found, open_name = {}, None
    for n, s in enumerate(path.read_text().splitlines(), 1):
        m = MARK.match(s)
        if m and m["name"]:
            if open_name or m["name"] in found:
                raise Complaint("%s:%d: region %s begins inside another or a second time." % (path, n, m["name"]))
            open_name = m["name"]
            found[open_name] = []
        elif m:
            if not open_name:
                raise Complaint("%s:%d: endregion without a region." % (path, n))
            open_name = None
        elif open_name:
            found[open_name].append((n, s))
    if open_name:
        raise Complaint("%s: region %s never ends." % (path, open_name))
    return found


def added(c, rel, path):
    """The lines of a layer's file that the file below does not have: [(line number, line)], as diff counts."""
    below = stack(c.number - 1).get(rel)
    new = visible(path.read_text())
    old = [s for _, s in visible(below.read_text())] if below else []
    match = difflib.SequenceMatcher(None, old, [s for _, s in new], autojunk=False)
    return [new[j] for op, _, _, j1, j2 in match.get_opcodes() if op in ("insert", "replace") for j in range(j1, j2)]


def counted(c):
    """The layer's C under the budget: {relative name: path}."""
    return {rel: p for rel, p in layer(c)[0].items() if COUNTED.match(Path(rel).name)}


def fences(text):
    """The fenced blocks of a Markdown text, in order."""
    found, opened = [], None
    lines = text.splitlines()
    for i, s in enumerate(lines):
        if opened is None:
            m = re.match(r"^(`{3,})\s*([\w+-]*)\s*(.*?)\s*$", s)
            if m and "`" not in m[3]:
                opened = (i, m[1], m[2], m[3])
        elif s.rstrip() == opened[1]:
            try:
                attrs = dict(w.partition("=")[::2] for w in shlex.split(opened[3]))
            except ValueError as e:
                raise Complaint("line %d: the fence's attributes can't be read: %s." % (opened[0] + 1, e))
            found.append(Fence(opened[2], attrs, opened[0], i, lines[opened[0] + 1 : i]))
            opened = None
    if opened:
        raise Complaint("line %d: this fence never ends." % (opened[0] + 1))
    return found


def refill(path, bodies):
    """Replace the bodies of fences, {fence's number: lines}; say whether anything changed."""
    text = path.read_text()
    lines = text.splitlines()
    for i, f in reversed(list(enumerate(fences(text)))):
        if i in bodies:
            lines[f.first + 1 : f.last] = bodies[i]
    new = "\n".join(lines) + "\n"
    if new != text:
        path.write_text(new)
    return new != text


def texts(c):
    """The chapter's pages that exist."""
    return [p for p in (c.path / "README.md", c.path / "README.ko.md") if p.exists()]


def name_of(path):
    """A path as a message shows it: below the project where it is there."""
    path = Path(path)
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else str(path)


class Tap:
    """Test results in TAP, the Test Anything Protocol: one line a check, details as comments."""

    def __init__(self):
        self.n = self.bad = 0

    def ok(self, good, text, details=(), skip=None):
        self.n += 1
        self.bad += not good
        print("%sok %d - %s%s" % ("" if good else "not ", self.n, text, " # skip " + skip if skip else ""))
        for d in () if good else details:
            print("# " + d)
        sys.stdout.flush()
        return good

    def end(self):
        print("1..%d" % self.n)
        return 1 if self.bad else 0
