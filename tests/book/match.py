"""Does this output match that text? The language in which a transcript says what may vary.

Between « and » stands a sample of what varies: a number stands for any number, eight or more hexadecimal digits for any
such, everything else for any text in the line. In a sample of digits and signs, as «10:31:07», the signs stay. A line that holds
only … stands for any number of lines, and … at the end of a line for its rest. Runs of blanks compare equal, and blanks at the ends of a line and blank lines at
the ends of the output do not count. What a terminal draws with (colours, carriage returns) is taken off first.
"""
import difflib
import re

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]|\x07")


def plain(text):
    """A terminal's output as the text that stays on the screen."""
    text = ANSI.sub("", text).replace("\r\n", "\n")
    lines = []
    for s in text.split("\n"):
        s = s.rsplit("\r", 1)[-1] if s.rsplit("\r", 1)[-1] else s.replace("\r", "")
        while "\b" in s:
            s = re.sub(r"[^\b]\b|^\b+", "", s)
        lines.append(s)
    return "\n".join(lines)


def trim(lines):
    """Without blank lines at both ends."""
    lines = [s.rstrip() for s in lines]
    while lines and not lines[0]:
        lines = lines[1:]
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def flat(line):
    return re.sub(r"\s+", " ", line).strip()


def sample(text):
    text = text.strip()
    if re.fullmatch(r"[0-9a-f]{8,}", text) and not text.isdigit():
        return r"[0-9a-f]{8,}"
    if re.search(r"\d", text) and not re.search(r"[^\W\d_]", text):
        return r"\s*".join(r"\d+" if t.isdigit() else re.escape(t) for t in re.findall(r"\d+|[^\d\s]", text))
    return r"\S.*?"


def pattern(line):
    line = flat(line)
    cut = line.endswith("…")
    parts = re.split(r"«([^»]*)»", line.rstrip("…") if cut else line)
    out = ""
    for i, part in enumerate(parts):
        out += " ?" + sample(part) + " ?" if i % 2 else re.escape(part).replace(r"\ ", " ")
    return re.compile(re.sub(r"(?: \?)? (?: \?)", " ?", out) + (".*" if cut else ""))


def fits(expected, line):
    return pattern(expected).fullmatch(flat(line)) is not None


def align(expected, got):
    """The longest agreement: [(expected line or None, actual line or None)]; … takes up what lies between."""
    n, m = len(expected), len(got)
    star = [e.strip() == "…" for e in expected]
    tests = [None if star[i] else pattern(e) for i, e in enumerate(expected)]
    flats = [flat(g) for g in got]
    cost = [[0] * (m + 1) for _ in range(n + 1)]
    step = [[""] * (m + 1) for _ in range(n + 1)]
    for i in range(n, -1, -1):
        for j in range(m, -1, -1):
            ways = []
            if i < n and star[i]:
                ways.append((cost[i + 1][j], "end"))
                if j < m:
                    ways.append((cost[i][j + 1], "take"))
            if i < n and j < m and not star[i] and tests[i].fullmatch(flats[j]):
                ways.append((cost[i + 1][j + 1], "same"))
            if i < n and not star[i]:
                ways.append((cost[i + 1][j] + 1, "gone"))
            if j < m:
                ways.append((cost[i][j + 1] + 1, "new"))
            cost[i][j], step[i][j] = min(ways, key=lambda w: w[0]) if ways else (0, "")
    rows, i, j = [], 0, 0
    while i < n or j < m:
        s = step[i][j]
        if s in ("same", "gone", "end"):
            rows.append((expected[i], got[j] if s == "same" else "…" if s == "end" else None))
        elif s == "new":
            rows.append((None, got[j]))
        i += s in ("same", "gone", "end")
        j += s in ("same", "take", "new")
    return rows


def agree(expected, got):
    return all(e is not None and g is not None for e, g in align(trim(expected), trim(got)))


def difference(expected, got):
    """A unified diff in which lines that match are shown as the book has them."""
    rows = align(trim(expected), trim(got))
    left = [e for e, _ in rows if e is not None]
    right = [g if e is None else e for e, g in rows if g is not None]
    return list(difflib.unified_diff(left, right, "the book", "this run", lineterm="", n=2))


def keep_marks(old, new):
    """`new` with the « » of `old`, where both have the same words apart from them."""
    old = re.sub(r"«([^»]*)»", lambda m: re.sub(r"\s+", "» «", m[0]), old)
    a, b = old.split(), new.split()
    if "«" not in old or len(a) != len(b):
        return new
    spaces = re.findall(r"\s+", new.strip())
    out = new[: len(new) - len(new.lstrip())]
    for i, (x, y) in enumerate(zip(a, b)):
        m = re.fullmatch(r"([^«]*)«[^»]*»([^»]*)", x)
        if m and y.startswith(m[1]) and y.endswith(m[2]) and len(y) > len(m[1] + m[2]):
            y = m[1] + "«" + y[len(m[1]) : len(y) - len(m[2])] + "»" + m[2]
        out += y + (spaces[i] if i < len(spaces) else "")
    return out


def updated(expected, got):
    """The output as the book should now have it: what matches stays as it is written, marks are kept where they fit."""
    out, gone = [], []
    for e, g in align(trim(expected), trim(got)):
        if g is None:
            gone.append(e)
        elif e is not None:
            out.append(e)
            gone = []
        else:
            out.append(keep_marks(gone.pop(0) if gone else "", g))
    return out
