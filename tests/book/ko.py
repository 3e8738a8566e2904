#!/usr/bin/env python3
"""Two languages, block for block: which part of a translation is behind its original?

    ko.py stamp FILE...         note in X.ko.md which state of X.md it translates (after the translation has been mended)
    ko.py check [FILE...]       same blocks, same code, nothing stale, nothing untranslated (TAP)

A block is a heading, paragraph, list, table, quotation or fence. The last line of a translation, `<!-- en: … -->`, has six hex
digits of SHA-256 for each block of the original; where the original has changed, check names the block. Fences are
compared letter by letter instead, and the ladder, which a program writes in both languages, not at all. Korean is written
in the plain style (한다체); a sentence that ends in -ㅂ니다 or -세요 is reported.
"""
import hashlib
import re
from pathlib import Path

import book

STAMP = re.compile(r"^<!-- en:([0-9a-f ]*)-->$", re.M)
ITEM = re.compile(r"^\s*([-*+]|\d+[.)])\s")


def kind_of(line):
    if line.startswith("|"):
        return "table"
    if line.startswith(">"):
        return "quotation"
    if re.match(r"#{1,6} ", line):
        return "heading"
    if re.match(r"^([-*+]|\d+[.)])\s", line):
        return "list"
    return "paragraph"


def blocks(text):
    """[(kind with its size, text)] of a page."""
    text = STAMP.sub("", re.sub(r"(?ms)^<!-- ladder -->$.*?^<!-- /ladder -->$", "", text))
    lines, found = text.splitlines(), []
    fences = {f.first: f for f in book.fences(text)}
    i, open_kind = 0, None
    while i < len(lines):
        line = lines[i]
        if i in fences:
            found.append(["fence", lines[i : fences[i].last + 1]])
            i, open_kind = fences[i].last + 1, None
            continue
        if not line.strip():
            rest = next((s for s in lines[i:] if s.strip()), "")
            if open_kind != "list" or not (ITEM.match(rest) or rest.startswith("  ")):
                open_kind = None
        elif not re.match(r"^<!--.*-->$", line):
            kind = kind_of(line)
            if open_kind == "list" and kind in ("paragraph",) or open_kind == kind == "list":
                found[-1][1].append(line)
            elif kind == open_kind and kind != "heading":
                found[-1][1].append(line)
            else:
                found.append([kind, [line]])
                open_kind = kind
        i += 1
    return [(sized(k, ls), "\n".join(ls)) for k, ls in found]


def sized(kind, lines):
    if kind == "heading":
        return "heading of level %d" % (len(lines[0]) - len(lines[0].lstrip("#")))
    if kind == "list":
        return "list of %d" % sum(bool(ITEM.match(s)) for s in lines)
    if kind == "table":
        return "table of %d rows" % len(lines)
    return kind


def digest(text):
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:6]


def original(path):
    return path.with_name(path.name.replace(".ko.md", ".md"))


def stamp(path):
    text = STAMP.sub("", path.read_text()).rstrip("\n")
    marks = " ".join(digest(t) for _, t in blocks(original(path).read_text()))
    path.write_text("%s\n\n<!-- en: %s -->\n" % (text, marks))


def polite(text):
    """Sentences that leave the plain style: a syllable that ends in ㅂ before 니다, or -세요."""
    for m in re.finditer(r"(\S*)([가-힣])(니다|시오|세요)(?=[.?!:\s]|$)", text):
        if m[3] == "세요" or (m[3] == "니다" and (ord(m[2]) - 0xAC00) % 28 == 17):
            yield m[0]


def wrong_with(path):
    en, ko = original(path).read_text(), path.read_text()
    a, b = blocks(en), blocks(ko)
    mark = STAMP.search(ko)
    if not mark:
        yield "it has no `<!-- en: … -->` line; run `ko.py stamp`"
    marks = mark[1].split() if mark else []
    for i, ((k1, t1), (k2, t2)) in enumerate(zip(a, b)):
        where = "block %d (%s)" % (i + 1, t1.splitlines()[0][:50])
        if k1 != k2:
            yield "%s is a %s there and a %s here; what follows is not compared" % (where, k1, k2)
            return
        if k1 == "fence" and t1 != t2:
            yield "%s: the code differs" % where
        elif k1 != "fence" and i < len(marks) and digest(t1) != marks[i]:
            yield "%s has changed in the original" % where
    if len(a) != len(b):
        yield "%d blocks there and %d here" % (len(a), len(b))
    elif mark and len(marks) != len(a):
        yield "%d blocks are stamped of %d" % (len(marks), len(a))
    prose = "\n".join(t for k, t in b if k != "fence")
    for word in polite(prose):
        yield "not in the plain style: %s" % word


def pairs():
    """The translations that there should be."""
    top = [book.ROOT / "README.md", book.ROOT / "chapters/README.md", book.ROOT / "chapters/glossary.md", book.ROOT / "exercises/README.md"]
    below = sorted(book.ROOT.glob("chapters/[0-9]*/README.md")) + sorted(book.ROOT.glob("exercises/[0-9]*/**/README.md"))
    return [p.with_name(p.stem + ".ko.md") for p in top + below if p.exists()]


def check(files, tap):
    for path in files or pairs():
        wrong = list(wrong_with(path)) if path.exists() else ["there is no translation"]
        tap.ok(not wrong, "%s is current" % book.name_of(path), wrong)


def main(args):
    verb, files = (args[0] if args else ""), [Path(a).resolve() for a in args[1:]]
    for f in files:
        if not f.name.endswith(".ko.md") or not original(f).exists():
            raise book.Complaint("%s is not the translation X.ko.md of an X.md." % book.name_of(f))
    if verb == "stamp" and files:
        for f in files:
            stamp(f)
        return 0
    if verb != "check":
        raise book.Complaint("usage: ko.py stamp FILE... | check [FILE...]")
    tap = book.Tap()
    check(files, tap)
    return tap.end()


if __name__ == "__main__":
    book.run(main)
