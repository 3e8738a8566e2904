"""Grades exercises: one file for a student, a class for an instructor.

    grade.py exercise N [--file F | --dir D] [--hint 1|2|3] [--seed S]
    grade.py class SUBMISSIONS ROSTER [--only N] [--seed S] [--out DIR]
    grade.py kit [OUT]          the tarball for students: the book, starters, graders; no solutions
    grade.py solutions N        an exercise's solution and its explanation into build/solutions/
    grade.py list

An exercise is a folder exercises/NN-K-name: starter files, given/ (files of ours that the starter needs), grader.c,
hints. The grader runs in the sandbox (exercises/sandbox.c) and reports through a pipe (exercises/grade.c says in which
words); here the report becomes text, CSV, JSON and JUnit. Nothing of a student's runs or is compiled outside the sandbox.

SUBMISSIONS holds SUBMISSIONS/<id>/<exercise>/<files>, where <exercise> is 01-1 or the folder's whole name. ROSTER is a
CSV file with a header line; its columns `id` and `name` are read.
"""
import argparse
import csv
import io
import json
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(os.environ.get("BOOK_ROOT") or Path(__file__).resolve().parents[2]).resolve()
EXERCISES = ROOT / "exercises"
BUILD = Path(os.environ.get("BUILD") or "build")
BUILD = (BUILD if BUILD.is_absolute() else ROOT / BUILD) / "exercises"
REPORT_MAX = 4 << 20  # bytes of one report
SECONDS = 120         # wall clock of one grading
FLAGS = "-std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra".split()
OURS = re.compile(r"(README(\.ko)?\.md|grader\.c|hints|floor|\..*|.*~)$")  # files that are not the student's


class Complaint(Exception):
    """A wrong use, in one sentence."""


# ---- exercises -------------------------------------------------------------------------------------------------------

class Exercise:
    def __init__(self, path):
        self.path, self.name = path, path.name
        self.number = "-".join(path.name.split("-")[:2])

    @property
    def title(self):
        first = (self.path / "README.md").read_text().splitlines()[0]
        return re.sub(r"^#\s*(Exercise\s*)?%s[.:]?\s*" % re.escape(self.number), "", first)

    @property
    def files(self):
        return sorted(p.name for p in self.path.iterdir() if p.is_file() and not OURS.match(p.name))

    def hints(self):
        """{heading: {level: text}} of the file `hints`, over the one for all exercises."""
        found = {}
        for path in (EXERCISES / "hints", self.path / "hints"):
            heading = None
            for line in path.read_text().splitlines() if path.exists() else ():
                if m := re.fullmatch(r"\[([\w-]+)\]", line.strip()):
                    heading = found[m[1]] = {}
                elif (m := re.match(r"([123])\s+(.*)", line)) and heading is not None:
                    heading[int(m[1])] = m[2].strip()
        return found

    def place(self, text):
        """'01-which-ps: Section' as the words that a reader can follow."""
        chapter, _, section = text.partition(": ")
        return 'chapters/%s/README.md, section "%s"' % (chapter, section) if section else text


def exercises():
    found = [Exercise(p) for p in EXERCISES.glob("[0-9][0-9]-[0-9]*-*") if (p / "grader.c").exists()]
    return sorted(found, key=lambda e: [int(n) for n in e.number.split("-")])


def exercise(word):
    have = exercises()
    for e in have:
        if word in (e.number, e.name) or (word or "").lstrip("0") == e.number.lstrip("0"):
            return e
    listed = ", ".join(e.number for e in have) or "none yet"
    if not word:
        raise Complaint("Which exercise? Say for example N=%s; there are: %s." % (have[0].number if have else "01-1", listed))
    raise Complaint("There is no exercise %s; there are: %s." % (word, listed))


def chosen(word):
    """The exercises of a number (01-1), of a whole chapter (01), or all."""
    if not word:
        return exercises()
    if re.fullmatch(r"\d{1,2}", word):
        found = [e for e in exercises() if int(e.number.split("-")[0]) == int(word)]
        if found:
            return found
    return [exercise(word)]


# ---- building --------------------------------------------------------------------------------------------------------

_building = threading.Lock()


def compile_(out, sources, libs, depends):
    if out.exists() and all(out.stat().st_mtime > d.stat().st_mtime for d in [*sources, *depends]):
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    cc = os.environ.get("CC") or "cc"
    try:
        r = subprocess.run([*cc.split(), *FLAGS, "-I", str(EXERCISES), "-o", str(out) + ".new", *map(str, sources), *libs],
                           capture_output=True, text=True, errors="replace")
    except OSError:
        raise Complaint("There is no C compiler %s: install gcc and libc6-dev." % cc)
    if r.returncode != 0:
        wrong = next((l for l in r.stderr.splitlines() if "error" in l or "cannot find" in l), r.stderr.strip())
        need = " Install the package `check`." if re.search(r"check\.h|-lcheck|-lsubunit", r.stderr) else ""
        raise Complaint("The grader itself cannot be built: %s.%s" % (wrong, need))
    os.replace(str(out) + ".new", out)


def renew(source, target):
    """Copy what has changed, in one step: other gradings are reading there."""
    if not (os.path.exists(target) and Path(source).read_bytes() == Path(target).read_bytes()):
        shutil.copy2(source, target + ".new")
        os.replace(target + ".new", target)


def frame_objects():
    """The half that all graders share, compiled once."""
    head = EXERCISES / "grade.h"
    made = []
    for n in ("grade", "grade_run", "grade_look"):
        made.append(BUILD / (n + ".o"))
        compile_(made[-1], [EXERCISES / (n + ".c")], ["-c"], [head])
    return made


def shared(e):
    """Programs of the grader whose source is the frame's, exercises/NAME.c: several exercises need them."""
    listed = re.search(r"grade_programs\[\] = \{(.*?)NULL", (e.path / "grader.c").read_text(), re.S)
    names = [n + ".c" for n in re.findall(r'"([^"]+)"', listed[1] if listed else "")]
    return [EXERCISES / n for n in names if (EXERCISES / n).exists() and not (e.path / n).exists()]


def prepare(e):
    """Build the sandbox and the exercise's grader. @return (sandbox, the folder that the sandbox shows as the grader's)"""
    with _building:
        sandbox = BUILD / "sandbox"
        compile_(sandbox, [EXERCISES / "sandbox.c"], [], [])
        folder = BUILD / "graders" / e.name
        compile_(folder / "grader", [e.path / "grader.c", *frame_objects()], "-lcheck -lsubunit -lm -lrt -lpthread".split(),
                 [EXERCISES / "grade.h"])
        given = folder / "given"
        if (e.path / "given").is_dir():
            shutil.copytree(e.path / "given", given, dirs_exist_ok=True, copy_function=renew)
        for p in shared(e):
            given.mkdir(exist_ok=True)
            renew(p, str(given / p.name))
        return sandbox, folder


# ---- one grading -----------------------------------------------------------------------------------------------------

class Check:
    def __init__(self, name, points, title):
        self.name, self.points, self.title = name, points, title
        self.status, self.hint = "lost", name  # lost: not reached
        self.tried = self.expected = self.came = self.needs = ""

    @property
    def got(self):
        return self.points if self.status == "passed" else 0


class Result:
    def __init__(self, e, seed):
        self.exercise, self.seed = e, seed
        self.checks, self.build, self.trouble, self.complete = [], None, None, False

    @property
    def score(self):
        return 0 if self.build else sum(c.got for c in self.checks)

    def hint(self, check, level=1):
        """The texts of levels 1 to `level`; those which the exercise has."""
        texts = self.exercise.hints().get(check.hint) or {}
        return [(n, self.exercise.place(texts[n]) if n == 3 else texts[n]) for n in range(1, level + 1) if n in texts]


def read_report(result, data, code):
    checks = {}
    running = None
    for line in data.decode(errors="replace").split("\n"):
        kind, *f = line.split("\t")
        if kind == "plan" and len(f) == 3:
            checks[f[0]] = Check(f[0], int(f[1]), f[2])
        elif kind == "build" and len(f) == 2:
            result.build = (f[0], f[1])
        elif kind == "begin" and f:
            running = f[0]
        elif kind == "end" and len(f) == 7 and f[0] in checks:
            c, running = checks[f[0]], None
            c.status, c.hint, c.tried, c.expected, c.came, c.needs = f[1:]
        elif kind == "note" and len(f) == 2 and f[0] in checks and not checks[f[0]].came:
            checks[f[0]].came = f[1]
        elif kind == "trouble" and f:
            result.trouble = f[0]
        elif kind == "done":
            result.complete = True
    result.checks = list(checks.values())
    if result.complete or result.trouble:
        return
    why = "the time limit of %d seconds was over" % SECONDS if code == 124 else "the grader ended early (code %d)" % code
    for c in result.checks:
        if c.status == "lost":
            c.came = why + (" during this check" if c.name == running else " before this check")
    if not result.checks:
        result.trouble = why


def grade(e, folder, seed, hidden=()):
    """Run the grader of `e` on the folder of a submission."""
    sandbox, grader = prepare(e)
    result = Result(e, seed)
    out, into = os.pipe()
    command = [str(sandbox), "-s", str(folder), "-g", str(grader), "-r", str(into), "-t", str(SECONDS)]
    for h in (ROOT, *hidden):
        command += ["-h", str(h)]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "GRADE_SEED": str(seed), "LANG": "C.UTF-8"}
    noise = None if os.environ.get("GRADE_DEBUG") else subprocess.DEVNULL
    p = subprocess.Popen([*command, "grader"], pass_fds=[into], env=env, stdin=subprocess.DEVNULL, stdout=noise, stderr=noise)
    os.close(into)
    data = b""
    with os.fdopen(out, "rb") as f:
        while len(data) < REPORT_MAX and (more := f.read1(65536)):
            data += more
    read_report(result, data, p.wait())
    return result


def must_be_root(what):
    if os.geteuid() != 0:
        raise Complaint("The graders run submissions in a sandbox, and to make one needs root: sudo %s" % what)


def seed_of(word):
    if word in (None, ""):
        return random.SystemRandom().randrange(1, 100000)
    if not re.fullmatch(r"\d{1,9}", word):
        raise Complaint("SEED is a whole number, not %s." % word)
    return int(word)


# ---- make exercise ---------------------------------------------------------------------------------------------------

def block(label, text, width=11, ours=False):
    """A field of the report: one line as it is, several as lines of their own behind a bar. In a text of ours `\\n` is what is
    meant, as in a hint that names it."""
    pad = "      %-*s" % (width, label)
    if not text:
        return pad + "(nothing)"
    if ours:
        return pad + text
    # `\n` is a line end that was made visible, `\\n` is a backslash and an n.
    lines = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[0], text).split("\n")
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    if len(lines) == 1:
        return pad + text
    shown = lines[:24] + (["… %d more lines" % (len(lines) - 24)] if len(lines) > 24 else [])
    return "\n".join((pad if i == 0 else " " * len(pad)) + "| " + l for i, l in enumerate(shown))


def tell_build(result, level):
    name, text = result.build
    lines = [l for l in text.split("\\n") if l]
    if lines and lines[0].startswith(("is missing", "is longer", "cannot be")):
        return ["  %s %s: 0 points" % (name, lines[0])]
    told = ["  %s does not compile: 0 points" % name] + ["      " + l for l in lines]
    for n, text in sorted(result.exercise.hints().get("build", {}).items()):
        if n <= level:
            told.append(block("hint", text, ours=True))
    return told


def tell(result, level=1):
    """The report of one grading as lines."""
    e = result.exercise
    told = ["%s  %s" % (e.number, e.title), ""]
    if result.build:
        return told + tell_build(result, level)
    words = {"passed": "passed", "failed": "failed", "skipped": "not tried", "lost": "not ended"}
    by_name = {c.name: c for c in result.checks}
    for c in result.checks:
        told.append("  %-9s %3d/%-3d %s" % (words[c.status], c.got, c.points, c.title))
        if c.status == "skipped":
            why = by_name[c.needs].title if c.needs in by_name else c.needs
            told.append(block("because", "this must hold first: " + why))
        if c.status in ("failed", "lost"):
            told += [block("tried", c.tried)] * bool(c.tried) + [block("expected", c.expected)] * bool(c.expected)
            told.append(block("came", c.came))
            for n, text in result.hint(c, level):
                told.append(block("read" if n == 3 else "hint", text, ours=True))
    told += ["", "%d of 100 points. Seed %d." % (result.score, result.seed)]
    return told


def stage(e, file, into):
    """A folder with the starter's files and the student's one file in its place."""
    file = Path(file)
    if not file.is_file():
        raise Complaint("There is no file %s." % file)
    name = e.files[0] if len(e.files) == 1 else file.name
    if name not in e.files:
        raise Complaint("Exercise %s has no file %s; it has %s." % (e.number, file.name, ", ".join(e.files)))
    for n in e.files:
        shutil.copy(file if n == name else e.path / n, Path(into) / n)
    return Path(into)


def command_exercise(a):
    e = exercise(a.number)
    if a.hint not in ("1", "2", "3"):
        raise Complaint("HINT is 1, 2 or 3, not %s." % a.hint)
    seed = seed_of(a.seed)
    if a.file and a.dir:
        raise Complaint("Say FILE= or DIR=, not both.")
    if a.dir and not Path(a.dir).is_dir():
        raise Complaint("There is no folder %s." % a.dir)
    must_be_root("make exercise N=%s" % e.number)
    with tempfile.TemporaryDirectory() as tmp:
        folder = stage(e, a.file, tmp) if a.file else Path(a.dir).resolve() if a.dir else e.path
        result = grade(e, folder, seed)
    if result.trouble:
        raise Complaint("The exercise cannot be graded here: %s." % result.trouble)
    print("\n".join(tell(result, int(a.hint))))
    if result.score < 100 and not result.build:
        more = " HINT=%d" % (int(a.hint) + 1) if int(a.hint) < 3 else ""
        print("The same run again%s: make exercise N=%s SEED=%d%s" %
              (", with a stronger hint" if more else "", e.number, seed, more))


# ---- make grade ------------------------------------------------------------------------------------------------------

def read_roster(path):
    """[(id, name)] in the file's order."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as x:
        raise Complaint("The roster %s cannot be read: %s." % (path, getattr(x, "strerror", None) or "it is not UTF-8"))
    rows = csv.DictReader(io.StringIO(text))
    if "id" not in (rows.fieldnames or ()):
        raise Complaint("The roster %s needs a header line with a column `id` (and `name`)." % path)
    found = {}
    for n, row in enumerate(rows, 2):
        who = (row["id"] or "").strip()
        if not who and not any((v or "").strip() for v in row.values() if isinstance(v, str)):
            continue
        if not re.fullmatch(r"[\w.@+-]+", who) or who.startswith("."):
            raise Complaint("Line %d of the roster: %r cannot be the name of a folder." % (n, who))
        if who in found:
            raise Complaint("Line %d of the roster: %s is in it twice." % (n, who))
        found[who] = (row.get("name") or "").strip()
    if not found:
        raise Complaint("The roster %s has no students." % path)
    return found


def real_folder(path):
    """Only a folder itself counts. A link may point to somebody else's work."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def gather(base, who, wanted, remarks):
    """{exercise name: folder} that a student handed in."""
    found = {}
    if not real_folder(base / who):
        if os.path.lexists(base / who):
            remarks.append("%s is not a folder of its own and is not graded" % who)
        return found
    known = {n: e for e in exercises() for n in (e.number, e.name)}
    for p in sorted((base / who).iterdir()):
        e = known.get(p.name)
        if e is None:
            remarks.append("%s/%s is no exercise" % (who, p.name))
        elif not real_folder(p):
            remarks.append("%s/%s is not a folder of its own and is not graded" % (who, p.name))
        elif e.name in found:
            remarks.append("%s handed in %s twice; %s counts" % (who, e.number, found[e.name].name))
        elif e.name in wanted:
            found[e.name] = p
    return found


def write_csv(path, roster, columns, results):
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f)
        w.writerow(["id", "name", *[e.number for e in columns], "mean", "handed_in"])
        for who, name in roster.items():
            mine = [results.get((who, e.name)) for e in columns]
            name = "'" + name if name[:1] in "=+-@" and name else name  # a spreadsheet must not take it for a formula
            w.writerow([who, name, *["" if r is None else r.score for r in mine], "%.1f" % mean(mine),
                        sum(r is not None for r in mine)])


def mean(results):
    return sum(r.score if r else 0 for r in results) / len(results) if results else 0


def as_json(r):
    if r is None:
        return None
    d = {"score": r.score, "seed": r.seed, "build": None, "checks": []}
    if r.build:
        d["build"] = {"file": r.build[0], "errors": r.build[1].replace("\\n", "\n")}
    for c in r.checks:
        d["checks"].append({"name": c.name, "title": c.title, "points": c.points, "got": 0 if r.build else c.got,
                            "status": "not built" if r.build else c.status, "tried": c.tried, "expected": c.expected,
                            "came": c.came, "hint": [t for _, t in r.hint(c)] if c.status == "failed" else []})
    return d


def clean(text):
    """Without the characters that XML forbids."""
    return re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", text)


def write_junit(path, roster, columns, results):
    top = ET.Element("testsuites", name="exercises")
    for who in roster:
        suite = ET.SubElement(top, "testsuite", name=who)
        n = {"failures": 0, "skipped": 0, "tests": 0}
        for e in columns:
            r = results.get((who, e.name))
            for c in r.checks if r else [None]:
                case = ET.SubElement(suite, "testcase", classname=e.number, name=c.name if c else "handed in")
                n["tests"] += 1
                if c is None:
                    ET.SubElement(case, "skipped", message="not handed in")
                    n["skipped"] += 1
                elif r.build:
                    ET.SubElement(case, "failure", message=clean("%s: %s" % (r.build[0], r.build[1][:500])))
                    n["failures"] += 1
                elif c.status == "skipped":
                    ET.SubElement(case, "skipped", message="needs " + c.needs)
                    n["skipped"] += 1
                elif c.status != "passed":
                    ET.SubElement(case, "failure", message=clean(c.title)).text = clean(
                        "tried: %s\nexpected: %s\ncame: %s" % (c.tried, c.expected, c.came))
                    n["failures"] += 1
        for k, v in n.items():
            suite.set(k, str(v))
    ET.ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)


def write_feedback(path, who, name, columns, mine):
    lines = ["# %s" % (name or who), ""]
    lines += ["| exercise | points |", "|---|---|"]
    lines += ["| %s %s | %s |" % (e.number, e.title, "not handed in" if mine.get(e.name) is None else mine[e.name].score)
              for e in columns]
    for e in columns:
        if r := mine.get(e.name):
            body = "\n".join(tell(r)[2:])
            fence = "`" * max(3, 1 + max((len(m) for m in re.findall("`+", body)), default=0))
            lines += ["", "## %s  %s" % (e.number, e.title), "", fence + "text", clean(body), fence]
            lines += ["", "To run it again: `make exercise N=%s DIR=your-folder SEED=%d`" % (e.number, r.seed)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(roster, columns, results):
    wide = max([len(w) for w in roster] + [2])
    rows = ["%-*s  %s  %6s" % (wide, "id", "  ".join("%5s" % e.number for e in columns), "mean")]
    for who in roster:
        mine = [results.get((who, e.name)) for e in columns]
        cells = ["%5s" % ("-" if r is None else "none" if r.trouble else r.score) for r in mine]
        rows.append("%-*s  %s  %6.1f" % (wide, who, "  ".join(cells), mean(mine)))
    return "\n".join(rows)


def one_sentence_grade(e, folder, seed, hidden):
    try:
        return grade(e, folder, seed, hidden)
    except OSError as x:  # a folder that went away meanwhile: this student's grading, not the class's
        r = Result(e, seed)
        r.trouble = str(x)
        return r


def command_class(a):
    if not a.submissions or not a.roster:
        raise Complaint("Say make grade SUBMISSIONS=folder ROSTER=file.csv; SUBMISSIONS/<id>/<exercise>/ holds the files.")
    base = Path(a.submissions).resolve()
    if not base.is_dir():
        raise Complaint("There is no folder %s." % a.submissions)
    roster, wanted, seed, remarks = read_roster(a.roster), {e.name: e for e in chosen(a.only)}, seed_of(a.seed), []
    must_be_root("make grade SUBMISSIONS=%s ROSTER=%s" % (a.submissions, a.roster))
    handed = {who: gather(base, who, wanted, remarks) for who in roster}
    columns = [e for e in wanted.values() if a.only or any(e.name in h for h in handed.values())]
    if not columns:
        raise Complaint("No student of the roster has a folder of an exercise in %s." % a.submissions)
    jobs = {(who, n): p for who, h in handed.items() for n, p in h.items()}
    for e in columns:
        prepare(e)
    with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as pool:
        futures = {k: pool.submit(one_sentence_grade, wanted[k[1]], p, seed, [base]) for k, p in jobs.items()}
        results = {k: f.result() for k, f in futures.items()}
    for (who, n), r in results.items():
        if r.trouble:
            remarks.append("%s/%s could not be graded: %s" % (who, r.exercise.number, r.trouble))
    out = Path(a.out) if a.out else BUILD.parent / "grades"
    (out / "feedback").mkdir(parents=True, exist_ok=True)
    write_csv(out / "grades.csv", roster, columns, results)
    absent = [w for w in roster if not handed[w]]
    strangers = sorted(p.name for p in base.iterdir() if p.name not in roster and not p.name.startswith("."))
    everything = {"seed": seed, "students": {w: {"name": n, "mean": round(mean([results.get((w, e.name)) for e in columns]), 1),
                  "exercises": {e.number: as_json(results.get((w, e.name))) for e in columns}} for w, n in roster.items()},
                  "without_submission": absent, "not_in_roster": strangers, "remarks": remarks}
    (out / "grades.json").write_text(json.dumps(everything, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_junit(out / "junit.xml", roster, columns, results)
    for who, name in roster.items():
        write_feedback(out / "feedback" / (who + ".md"), who, name, columns,
                       {e.name: results.get((who, e.name)) for e in columns})
    print(table(roster, columns, results), end="\n\n")
    for label, names in (("In the roster, nothing handed in: ", absent), ("Not in the roster: ", strangers)):
        if names:
            print(label + ", ".join(names))
    for r in remarks:
        print(r[0].upper() + r[1:] + ".")
    print("Seed %d. Written: %s (grades.csv, grades.json, junit.xml, feedback/)" % (seed, out))


# ---- make student-kit, make solutions --------------------------------------------------------------------------------

KIT = "gorae-student-kit"
SECRET = re.compile(r"(^|/)(solution|mutants|floor|expect|\.git\w*|__pycache__)(/|$)|_test\.py$")
KIT_MAKEFILE = """# gorae, the student's kit: the book's chapters, the exercises and their graders.
# make exercise N=01-1   grade your work on an exercise (as root).   make help   what else there is.
BUILD ?= build
.PHONY: help clean
help:
	@echo "make exercise N=01-1 [FILE=path or DIR=path] [HINT=1|2|3] [SEED=n]"
	@python3 tests/book/grade.py list
clean:
	rm -rf build
include exercises/exercises.mk
-include tests/book/book.mk
"""


def kit_files():
    """[(name in the kit, path)]: what is handed out."""
    found = []
    for top in ("chapters", "exercises", "tests/book"):
        for p in sorted((ROOT / top).rglob("*")):
            rel = p.relative_to(ROOT).as_posix()
            if p.is_file() and not p.is_symlink() and not SECRET.search(rel):
                found.append((rel, p))
    found += [(n, ROOT / n) for n in ("LICENSE",) if (ROOT / n).exists()]
    site = BUILD.parent / "book"
    if site.is_dir():
        found += [("book/" + p.relative_to(site).as_posix(), p) for p in sorted(site.rglob("*")) if p.is_file()]
    return found


def command_kit(a):
    out = Path(a.out) if a.out else BUILD.parent / (KIT + ".tar.gz")
    out.parent.mkdir(parents=True, exist_ok=True)

    def plain(info):
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = 0
        info.mode = 0o755 if info.mode & 0o100 else 0o644
        return info
    with tarfile.open(out, "w:gz") as t:
        for name, path in kit_files():
            t.add(path, KIT + "/" + name, recursive=False, filter=plain)
        info = tarfile.TarInfo(KIT + "/Makefile")
        info.size = len(KIT_MAKEFILE.encode())
        info.mode = 0o644
        t.addfile(info, io.BytesIO(KIT_MAKEFILE.encode()))
    print("%s: %d files, %d exercises, no solutions" % (out, len(kit_files()) + 1, len(exercises())))


def command_solutions(a):
    for e in chosen(a.number) if a.number else [exercise("")]:
        if not (e.path / "solution").is_dir():
            raise Complaint("There are no solutions here: this is the student's kit.")
        out = BUILD.parent / "solutions" / e.number
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(e.path / "solution", out)
        print("%s  %s: %s" % (e.number, e.title, out))


def command_list(_):
    for e in exercises():
        print("%-6s %s" % (e.number, e.title))


def arguments():
    p = argparse.ArgumentParser(prog="grade.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = p.add_subparsers(dest="verb", required=True)
    s = sub.add_parser("exercise")
    s.add_argument("number", nargs="?", default="")
    for flag, default in (("--file", ""), ("--dir", ""), ("--hint", "1"), ("--seed", "")):
        s.add_argument(flag, default=default)
    s.set_defaults(call=command_exercise)
    s = sub.add_parser("class")
    s.add_argument("submissions", nargs="?", default="")
    s.add_argument("roster", nargs="?", default="")
    for flag in ("--only", "--seed", "--out"):
        s.add_argument(flag, default="")
    s.set_defaults(call=command_class)
    s = sub.add_parser("kit")
    s.add_argument("out", nargs="?")
    s.set_defaults(call=command_kit)
    s = sub.add_parser("solutions")
    s.add_argument("number", nargs="?", default="")
    s.set_defaults(call=command_solutions)
    sub.add_parser("list").set_defaults(call=command_list)
    return p.parse_args()


if __name__ == "__main__":
    try:
        args = arguments()
        args.call(args)
    except Complaint as c:
        print(c, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
