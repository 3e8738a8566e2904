#!/usr/bin/env python3
"""Code in the text is the code that compiles: fill the fences from the sources, and find where they disagree.

    weave.py weave [FILE...]    fill every fence that names a source
    weave.py check [N...]       say what is wrong, chapter by chapter (TAP)

A fence ```c file=http.c region=read-head shows that region of the file as it is in the stack at that chapter; without
region= the whole file. A file that starts with src/ is the project's. check also holds the text to its promises: each line
of C that the layer adds is shown or listed as `Left to the reader`, no piece is longer than 40 lines, the front matter and
the closing sections are there, and every link, file and function that the text names exists. Read next: transcript.py,
which does for commands what this does for code.
"""
import re
from pathlib import Path

import book

PIECE = 40
FRONT = ("Minutes", "You need", "System calls met", "Terms")
SECTIONS = ("The ladder", "The same in src/", "Exercises", "To read")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def piece(f, tree):
    """The lines that a fence should hold."""
    name = f.attrs["file"]
    path = tree.get(name) or (book.ROOT / name if name.startswith("src/") else None)
    if path is None or not path.exists():
        raise book.Complaint("there is no file %s in this chapter's stack" % name)
    region = f.attrs.get("region")
    if region is None:
        lines = [s for _, s in book.visible(path.read_text())]
    else:
        have = book.regions(path)
        if region not in have:
            raise book.Complaint("%s has no region %s; it has: %s" % (name, region, ", ".join(have) or "none"))
        lines = [s for _, s in have[region]]
    while lines and not lines[0].strip():
        lines.pop(0)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def woven(text):
    return [(i, f) for i, f in enumerate(book.fences(text)) if "file" in f.attrs]


def weave(path, c):
    tree = book.stack(c.number)
    try:
        return book.refill(path, {i: piece(f, tree) for i, f in woven(path.read_text())})
    except book.Complaint as e:
        raise book.Complaint("%s: %s" % (book.name_of(path), e))


def check_fences(text, tree):
    """Stale, unknown and overlong pieces."""
    for _, f in woven(text):
        at = "line %d" % (f.first + 1)
        try:
            want = piece(f, tree)
        except book.Complaint as e:
            yield "%s: %s" % (at, e)
            continue
        if want != f.body:
            yield "%s: %s differs from its source; run `make weave`" % (at, " ".join(f.attrs.values()))
        if len(want) > PIECE:
            yield "%s: a piece of %d lines; at most %d" % (at, len(want), PIECE)


def left_to_reader(text):
    """(file, region or None) of the lines that say what is not shown."""
    for line in re.findall(r"^.*Left to the reader:(.*)$", text, re.M):
        for name, region in re.findall(r"`([\w./-]+\.[ch])`(?:\s+region\s+`([\w.-]+)`)?", line):
            yield name, region or None


def check_coverage(text, c):
    """Each added line of C is shown or listed."""
    shown = {(f.attrs["file"], f.attrs.get("region")) for _, f in woven(text)} | set(left_to_reader(text))
    files = book.counted(c)
    for name, region in left_to_reader(text):
        if name not in book.stack(c.number) or region and region not in book.regions(book.stack(c.number)[name]):
            yield "left to the reader, but not there: %s %s" % (name, region or "")
    for rel, path in files.items():
        if (rel, None) in shown:
            continue
        seen = {n for name, lines in book.regions(path).items() if (rel, name) in shown for n, _ in lines}
        missing = [n for n, s in book.added(c, rel, path) if s.strip() and n not in seen]
        if missing:
            yield "%s: %d added lines are neither shown nor left to the reader, the first is line %d" % (
                rel, len(missing), missing[0])


def slug(heading):
    """A heading's anchor, as forges make it."""
    return re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower()).replace(" ", "-")


def anchors(path):
    text = outside(path.read_text())
    return ({slug(h) for h in re.findall(r"^#+\s+(.*?)\s*$", text, re.M)}
            | set(re.findall(r'<a (?:id|name)="([^"]+)"', text)))


def outside(text, blank_code=False):
    """The text with its fences blanked, so that line numbers stay."""
    lines = text.splitlines()
    for f in book.fences(text):
        lines[f.first : f.last + 1] = [""] * (f.last + 1 - f.first)
    text = "\n".join(lines)
    return re.sub(r"`[^`\n]*`", "``", text) if blank_code else text


def check_links(path):
    for target in LINK.findall(outside(path.read_text(), blank_code=True)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        to = (path.parent / name).resolve() if name else path
        if not to.exists():
            yield "the link to %s leads nowhere" % target
        elif fragment and to.suffix == ".md" and fragment not in anchors(to):
            yield "the link to %s: %s has no such heading" % (target, book.name_of(to))


def check_names(text, c):
    """Files and functions in backquotes exist: src/ by path, C files by name, functions of src/ in its section."""
    tree = book.stack(c.number)
    names = {Path(rel).name for n in book.chapters() for rel in book.layer(n)[0]} | {Path(rel).name for rel in tree}
    names |= {p.name for d in ("src", "exercises") for p in (book.ROOT / d).rglob("*.[ch]")}
    prose = outside(text)
    for word in re.findall(r"`([^`\n]+)`", prose):
        if re.fullmatch(r"src/[\w./-]*", word) and not (book.ROOT / word).exists():
            yield "`%s` does not exist" % word
        if re.fullmatch(r"\w[\w-]*\.[ch]", word) and word not in names and not Path("/usr/include", word).exists():
            yield "`%s`: no chapter and no part of src/ has such a file" % word
    _, _, tail = prose.partition("\n## The same in src/")
    words = set(re.findall(r"`(\w+)\(\)`", tail.partition("\n## ")[0]))
    if words:
        source = "\n".join(p.read_text() for p in (book.ROOT / "src").rglob("*.[ch]"))
        for w in sorted(words):
            if not re.search(r"\b%s\(" % w, source):
                yield "`%s()` is not a function of src/" % w


def check_front(text, c):
    head = text.partition("\n## ")[0]
    if not re.match(r"# %d\. \S" % c.number, text):
        yield "the first line is not `# %d. Title`" % c.number
    if not re.search(r"^> After this chapter you can", head, re.M):
        yield "there is no `> After this chapter you can …`"
    rows = {k.strip(): v for k, v in re.findall(r"^\|([^|\n]+)\|(.*)\|\s*$", head, re.M)}
    for row in FRONT:
        if not rows.get(row, "").strip():
            yield "the front matter has no row `%s`" % row
    if rows.get("Minutes") and not re.search(r"reading \d+, typing \d+", rows["Minutes"]):
        yield "Minutes is not `reading N, typing N`"
    for term in rows.get("Terms", "").split(","):
        if term.strip() and "glossary.md#" not in term:
            yield "the term %s does not link to the glossary" % term.strip()
    for s in SECTIONS:
        if not re.search(r"^## %s\s*$" % re.escape(s), text, re.M):
            yield "there is no section `## %s`" % s
    if not re.search(r"^<!-- ladder -->$.*^<!-- /ladder -->$", text, re.M | re.S):
        yield "there is no <!-- ladder --> … <!-- /ladder -->"


def check(words, tap):
    for c in book.chosen(words):
        page = c.path / "README.md"
        if not page.exists():
            tap.ok(False, "%s has a README.md" % c.name)
            continue
        text, tree = page.read_text(), book.stack(c.number)
        for what, found in (("its code is current", check_fences(text, tree)),
                            ("all its code is shown", check_coverage(text, c)),
                            ("front matter and sections are complete", check_front(text, c)),
                            ("what it names exists", check_names(text, c))):
            try:
                wrong = list(found)
            except book.Complaint as e:
                wrong = [str(e)]
            tap.ok(not wrong, "%s: %s" % (c.name, what), wrong)
        for p in book.texts(c):
            wrong = list(check_links(p))
            tap.ok(not wrong, "%s: the links of %s" % (c.name, p.name), wrong)
    if not any(words):
        for p in sorted((book.ROOT / "chapters").glob("*.md")):
            wrong = list(check_links(p))
            tap.ok(not wrong, "the links of chapters/%s" % p.name, wrong)


def main(args):
    verb, rest = (args[0] if args else ""), args[1:]
    if verb == "check":
        tap = book.Tap()
        check(rest, tap)
        return tap.end()
    if verb != "weave":
        raise book.Complaint("usage: weave.py weave [FILE...] | check [N...]")
    wanted = [Path(r).resolve() for r in rest]
    for c in book.chapters():
        for p in book.texts(c):
            if (not wanted or p.resolve() in wanted) and weave(p, c):
                print("woven: %s" % book.name_of(p))
    return 0


if __name__ == "__main__":
    book.run(main)
