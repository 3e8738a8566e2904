"""Tests of the graders (TAP).  grade_test.py [NN-K …] [exercises|hostile|class|kit|misuse …]; without words, all.

What a grader says must be true, so: the starter scores its stated floor, the solution 100 with several seeds, every
mutant (a solution with one fault) loses exactly the points that its file `expect` states and draws the stated hint. A
hostile submission gets nothing it should not have; each of those tests has a control that shows that the attack would
have been seen. Needs root. A grading mostly waits (for a program that must not end, for a limit), so many run at once. At the
end the host must be as it was; where other people work on the machine meanwhile, BOOK_SHARED=1 skips that check.
"""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grade as g

SEEDS = (7, 4711)
AT_ONCE = 3 * (os.cpu_count() or 1)  # gradings
done = {"n": 0, "failed": 0}
mine = threading.local()  # .told: what a group of tests that runs beside others has said so far


def ok(good, what, why="", skip=None):
    if hasattr(mine, "told"):
        mine.told.append((good, what, why, skip))
        return good
    done["n"] += 1
    done["failed"] += not good
    print("%sok %d - %s%s" % ("" if good else "not ", done["n"], what, " # skip " + skip if skip else ""), flush=True)
    if not good and why:
        print("".join("# %s\n" % l for l in str(why).splitlines()), end="", flush=True)
    return good


def side_by_side(tests):
    """Run groups of tests at the same time; what each says is printed as a whole, in their order."""
    def one(name, test):
        mine.told = []
        start = time.monotonic()
        try:
            test()
        except Exception as x:  # a group that breaks off has not tested what it should
            ok(False, "%s: the tests come to their end" % name, repr(x))
        return mine.told, time.monotonic() - start
    with ThreadPoolExecutor(max(1, len(tests))) as pool:
        running = {name: pool.submit(one, name, test) for name, test in tests.items()}
        for name, r in running.items():
            told, seconds = r.result()
            for t in told:
                ok(*t)
            print("# %s took %.0f s" % (name, seconds), flush=True)


def folder_of(tmp, name, *layers):
    """A submission made of folders laid over each other, later ones on top."""
    d = Path(tmp) / name
    d.mkdir(parents=True)
    for layer in layers:
        for p in layer.iterdir():
            if p.is_file() and not g.OURS.match(p.name) and p.name != "expect":
                shutil.copy(p, d / p.name)
    return d


def patched(text, hunks):
    """Apply a unified diff's hunks to a text. The lines that a hunk removes and those around them must be there, once;
    line numbers do not count, so a change elsewhere in the file spoils nothing."""
    for hunk in re.split(r"(?m)^@@.*\n", hunks)[1:]:
        lines = [l or " " for l in hunk.split("\n")[:-1]]
        old, new = ("".join(l[1:] + "\n" for l in lines if l[0] in " " + sign) for sign in "-+")
        found = len(re.findall("(?m)^(?=%s)" % re.escape(old), text))
        if found != 1:
            raise g.Complaint("%s in the solution: %s" % ("not found" if not found else "found %d times" % found, old.split("\n")[0:3]))
        text = re.sub("(?m)^" + re.escape(old), lambda m: new, text)
    return text


def mutant_of(tmp, e, m):
    """The solution with the mutant's patch. @return the folder, or None after saying what does not apply"""
    d = folder_of(tmp, "%s/mutant-%s" % (e.name, m.name), e.path / "solution")
    parts = re.split(r"(?m)^--- (\S+).*\n\+\+\+ .*\n", (m / "patch").read_text())
    for name, hunks in zip(parts[1::2], parts[2::2]):
        name = name.rpartition("/")[2]
        try:
            (d / name).write_text(patched((d / name).read_text(), hunks))
        except (g.Complaint, OSError) as x:
            ok(False, "%s: the patch of mutant %s applies to solution/%s" % (e.number, m.name, name), x)
            return None
    return d if ok(len(parts) > 2, "%s: mutant %s is a patch" % (e.number, m.name)) else None


def lines_of(result):
    return "\n".join(g.tell(result))


# ---- exercises -------------------------------------------------------------------------------------------------------

def expectations(path):
    want = dict(l.split(" ", 1) for l in path.read_text().splitlines() if " " in l)
    return int(want["score"]), set(want.get("lost", "").split()), want["hint"]


def test_text(e):
    """What stands beside the programs: READMEs, hints for every check, a table of 100 points."""
    for name in ("README.md", "README.ko.md", "solution/README.md", "solution/README.ko.md"):
        ok((e.path / name).is_file() and len((e.path / name).read_text()) > 300, "%s has %s" % (e.number, name))
    source = (e.path / "grader.c").read_text()
    listed = re.findall(r'"([^"]+)"', re.search(r"grade_files\[\] = \{(.*?)NULL", source, re.S)[1])
    ok(sorted(listed) == e.files, "%s: the grader reads the files of the starter" % e.number, "%s %s" % (listed, e.files))
    hints, headings = e.hints(), set(re.findall(r'\bhint\("([^"]+)"\)', source))
    names = {m for m in re.findall(r'^\s*\{"([\w-]+)", \d+,', source, re.M)}
    lacking = [h for h in names | headings if set(hints.get(h, {})) != {1, 2, 3}]
    ok(not lacking, "%s: every check has three hints" % e.number, lacking)
    places = {h[3] for k, h in hints.items() if 3 in h}
    wrong = []
    for place in places:
        chapter, _, section = place.partition(": ")
        text = g.ROOT / "chapters" / chapter / "README.md"
        if text.exists() and not re.search(r"^#+ (\d[\d.]* )?%s\s*$" % re.escape(section), text.read_text(), re.M):
            wrong.append(place)
        elif not text.parent.is_dir():
            wrong.append(place)
    ok(not wrong, "%s: the places that hints name are in the chapter" % e.number, wrong)


def gradings(e, tmp):
    """({(what, seed): folder}, {mutant: its folder or None}) to be graded for an exercise."""
    jobs = {("starter", SEEDS[0]): e.path}
    for seed in SEEDS:
        jobs["solution", seed] = folder_of(tmp, "%s/solution-%d" % (e.name, seed), e.path / "solution")
    mutants = sorted(p for p in (e.path / "mutants").iterdir() if p.is_dir()) if (e.path / "mutants").is_dir() else []
    made = {m: mutant_of(tmp, e, m) for m in mutants}
    jobs.update({(m.name, SEEDS[0]): d for m, d in made.items() if d})
    return jobs, made


def test_exercise(e, made, results):
    mutants = list(made)
    starter, solution = results["starter", SEEDS[0]], results["solution", SEEDS[0]]
    ok(sum(c.points for c in solution.checks) == 100, "%s: the checks add up to 100 points" % e.number)
    ok(starter.build is None and starter.score == int((e.path / "floor").read_text()),
       "%s: the starter compiles and scores its floor" % e.number, lines_of(starter))
    for seed in SEEDS:
        r = results["solution", seed]
        ok(r.score == 100 and not r.trouble, "%s: the solution scores 100 with seed %d" % (e.number, seed), r.trouble or lines_of(r))
    ok(len(mutants) >= 3, "%s has at least three mutants" % e.number)
    for m in [m for m in mutants if made[m]]:
        r = results[m.name, SEEDS[0]]
        score, lost, hint = expectations(m / "expect")
        heading, _, words = hint.partition(": ")
        drawn = [t for c in r.checks if c.status == "failed" and c.hint == heading for _, t in r.hint(c)]
        right = {c.name for c in r.checks if c.status != "passed"} == lost and r.score == score
        ok(right and any(t.startswith(words) for t in drawn), "%s: mutant %s scores %d and draws its hint" % (e.number, m.name, score),
           r.trouble or lines_of(r))


def test_patches():
    """Controls: what a patch that no longer fits looks like."""
    ok(patched("a\nb\n\nc\nd\n", "@@ -9,3 +9,3 @@\n b\n\n-c\n+x\n d\n") == "a\nb\n\nx\nd\n", "a patch applies wherever its lines are")
    for text, said in (("a\nb\n", "not found"), ("b\nc\nb\nc\n", "found 2 times"), ("bb\nc\n", "not found")):
        try:
            ok(False, "a patch that does not fit is refused", patched(text, "@@ -1 +1 @@\n-%sc\n+x\n" % "b\n-"))
        except g.Complaint as x:
            ok(said in str(x), "a patch that does not fit is refused: " + said, x)


def test_exercises(which):
    test_patches()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as tmp, ThreadPoolExecutor(AT_ONCE) as pool:
        todo = {e: gradings(e, tmp) for e in which}
        spent = {e: 0.0 for e in which}

        def one(e, folder, seed):
            begin = time.monotonic()
            r = g.grade(e, folder, seed)
            spent[e] += time.monotonic() - begin
            return r
        running = {e: {k: pool.submit(one, e, d, k[1]) for k, d in jobs.items()} for e, (jobs, _) in todo.items()}
        for e, (_, made) in todo.items():
            test_text(e)
            test_exercise(e, made, {k: f.result() for k, f in running[e].items()})
            print("# %s: %d gradings, %.0f s if one after another" % (e.number, len(running[e]), spent[e]), flush=True)
    print("# the exercises took %.0f s" % (time.monotonic() - start), flush=True)


# ---- hostile submissions ---------------------------------------------------------------------------------------------
# They are handed in for 01-2, whose grader shows in `came` what the program printed.

HEAD = "#include <dirent.h>\n#include <err.h>\n#include <errno.h>\n#include <fcntl.h>\n#include <signal.h>\n#include <stdio.h>\n" \
       "#include <stdlib.h>\n#include <string.h>\n#include <sys/mman.h>\n#include <sys/mount.h>\n#include <sys/prctl.h>\n#include <sys/ptrace.h>\n#include <sys/stat.h>\n" \
       "#include <sys/types.h>\n#include <unistd.h>\nint main(int argc, char **argv)\n{\n(void)argc; (void)argv;\n%s\nreturn 0;\n}\n"


def attack(tmp, name, body, whole=None):
    e, d = g.exercise("01-2"), Path(tmp) / "class" / name / "01-2"
    d.mkdir(parents=True)
    (d / "pstat.c").write_text(whole if whole is not None else HEAD % body)
    begin = time.monotonic()
    r = g.grade(e, d, 5, [Path(tmp) / "class"])
    return r, time.monotonic() - begin


def came(r):
    return "\n".join(c.came for c in r.checks)


def strangers_uids():
    """Processes of the host that have a sandbox's uid."""
    found = []
    for p in Path("/proc").glob("[0-9]*"):
        try:
            if p.stat().st_uid >= 0x70000000:
                found.append(p.name)
        except OSError:
            pass
    return found


def called(name):
    """Processes of the host, in whatever namespace, with a thread of this name."""
    found = []
    for p in Path("/proc").glob("[0-9]*/task/*/comm"):
        try:
            if p.read_text() == name + "\n":
                found.append(p.parts[2])
        except OSError:
            pass
    return found


def host():
    groups = sorted(str(p) for p in Path("/sys/fs/cgroup").rglob("gorae-exercise-*"))
    # A mount of ours that got out would lie on or below /tmp; other mounts may come and go while we run.
    ours = re.compile(r"/tmp(/(usr|lib|bin|etc|dev|proc|work|priv|tmp)\b.*)?$")
    mounts = [l for l in Path("/proc/self/mounts").read_text().splitlines() if ours.match(l.split()[1])]
    return mounts, groups, strangers_uids()


ENDLESS = {
    "loop": "for (;;) ;",
    "bomb": "for (;;) fork();",
    "stay": "if (fork() == 0) { setsid(); prctl(PR_SET_NAME, \"%s\"); for (;;) pause(); } printf(\"started\\n\");",
    "flood": "for (;;) puts(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\");",
    "memory": "for (size_t n = 0; n < 4096; n++) { char *p = malloc(1 << 20); if (!p) { printf(\"refused at %zu\\n\", n); return 1; } "
              "memset(p, 1, 1 << 20); } printf(\"had it all\\n\");",
    "disk": "static char b[1 << 20]; for (int f = 0; f < 50; f++) { char n[32]; sprintf(n, \"/tmp/%d\", f); signal(SIGXFSZ, SIG_IGN); "
            "int fd = open(n, O_CREAT | O_WRONLY, 0600); for (int i = 0; i < 100; i++) if (write(fd, b, sizeof b) < 0) { "
            "printf(\"refused %d\\n\", errno); break; } } struct stat st; stat(\"/tmp/49\", &st); printf(\"last %ld\\n\", (long)st.st_size);",
}


def test_hostile_endless(tmp):
    name = "stay%d" % os.getpid()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {k: pool.submit(attack, tmp, k, v.replace("%s", name) if k == "stay" else v) for k, v in ENDLESS.items()}
        running["compiler"] = pool.submit(attack, tmp, "compiler", None, "#include \"/dev/zero\"\nint main(void) { return 0; }\n")
        got = {k: f.result() for k, f in running.items()}
    r, seconds = got["loop"]
    ok(r.score == 0 and "no end within" in r.checks[0].came and seconds < 40, "an endless loop is stopped and named", came(r))
    r, seconds = got["bomb"]
    ok(r.score == 0 and r.complete and seconds < 60, "a fork bomb is stopped; the grader goes on to its end", (seconds, came(r)))
    r, _ = got["stay"]
    ok("started" in came(r) and not called(name), "a process that stays behind ends with the sandbox", called(name))
    own = Path("/proc/thread-self/comm").read_text().strip()
    ok(str(os.getpid()) in called(own), "control: a process is found by its name", own)
    r, _ = got["flood"]
    ok(r.score == 0 and len(lines_of(r)) < 40000, "endless output is cut", len(lines_of(r)))
    r, _ = got["memory"]
    ok("had it all" not in came(r) and r.complete, "four gigabytes of memory are not to be had", came(r))
    r, _ = got["disk"]
    ok("refused" in came(r) and "last 0" in came(r), "the disk cannot be filled", came(r))
    r, seconds = got["compiler"]
    ok(r.score == 0 and r.build and seconds < 60, "a source that keeps the compiler busy does not compile", came(r))


def test_hostile_reading(tmp):
    neighbour = Path(tmp) / "class" / "anna" / "01-2"
    neighbour.mkdir(parents=True)
    secret = "NEIGHBOURS_SECRET_LINE"
    (neighbour / "pstat.c").write_text("/* %s */\n" % secret)
    os.chmod(neighbour / "pstat.c", 0o644)
    solution = g.exercise("01-2").path / "solution/pstat.c"
    paths = [neighbour / "pstat.c", solution, "/priv/grader/grader", "/priv/submission/pstat.c", "/etc/shadow", "/root", "/home",
             "/proc/1/root/etc/shadow", "/proc/2/environ", "/proc/2/fd/3", "/proc/2/mem"]
    ask = "".join('printf("%%s %s\\n", open("%s", O_RDONLY) < 0 ? "shut" : "OPEN");' % (p, p) for p in paths)
    control = 'printf("%s own\\n", open("/work/pstat.c", O_RDONLY) < 0 ? "shut" : "OPEN");'
    r, _ = attack(tmp, "reader", ask + control)
    ok("OPEN own" in came(r), "control: a file that may be read is reported as open", came(r))
    ok(neighbour.joinpath("pstat.c").read_text() and solution.read_text(), "control: the files are there and readable on the host")
    told = came(r).replace("OPEN own", "")
    ok("OPEN" not in told and told.count("shut") >= len(paths), "neighbour, solution, grader and host files cannot be opened", told)
    r, _ = attack(tmp, "include", None, '#include "%s"\nint main(void) { return 0; }\n' % (neighbour / "pstat.c"))
    ok(r.build and secret not in r.build[1] and "No such file" in r.build[1], "a neighbour's file cannot be included", r.build)
    r, _ = attack(tmp, "incbin", None, '__asm__(".incbin \\"%s\\"");\nint main(void) { return 0; }\n' % solution)
    ok(r.build is not None, "a solution cannot be assembled in", r.build)
    for name, target in (("link", neighbour / "pstat.c"), ("uplink", Path("../../anna/01-2/pstat.c"))):
        d = Path(tmp) / "class" / name / "01-2"
        d.mkdir(parents=True)
        (d / "pstat.c").symlink_to(target)
        r = g.grade(g.exercise("01-2"), d, 5)
        ok(r.build and "plain files" in r.build[1], "a link in the place of a file is refused (%s)" % name, r.build)
    d = Path(tmp) / "class" / "pipe" / "01-2"
    d.mkdir(parents=True)
    os.mkfifo(d / "pstat.c")
    r = g.grade(g.exercise("01-2"), d, 5)
    ok(r.build and "plain files" in r.build[1], "a FIFO in the place of a file does not hang the grader", r.build)


def test_hostile_writing(tmp):
    mark = "gorae-was-here"
    places = ["/usr/" + mark, "/etc/" + mark, "/" + mark, "/priv/" + mark, "/dev/" + mark, "/proc/sys/kernel/hostname",
              str(g.ROOT / mark), str(Path(tmp) / mark)]
    body = "".join('printf("%%s %s\\n", open("%s", O_WRONLY | O_CREAT, 0600) < 0 ? "shut" : "OPEN");' % (p, p) for p in places)
    body += 'printf("%%s own\\n", open("/tmp/%s", O_WRONLY | O_CREAT, 0600) < 0 ? "shut" : "OPEN");' % mark
    body += 'printf("%s mount\\n", mount("t", "/tmp", "tmpfs", 0, "") ? "shut" : "OPEN");'
    body += 'printf("%s name\\n", sethostname("x", 1) ? "shut" : "OPEN");'
    r, _ = attack(tmp, "writer", body)
    ok("OPEN own" in came(r), "control: the sandbox's own /tmp can be written", came(r))
    ok("OPEN" not in came(r).replace("OPEN own", ""), "nothing else can be written, mounted or renamed", came(r))
    there = [p for p in places + ["/tmp/" + mark] if mark in p and os.path.exists(p)]
    ok(not there, "and nothing of it is on the host", there)


def test_hostile_grader(tmp):
    body = 'if (fork() == 0) pause(); pid_t c = fork(); if (c == 0) for (;;) pause();' \
           'printf("%s child\\n", kill(c, SIGKILL) ? "shut" : "OPEN");' \
           'for (int p = 1; p < 4; p++) printf("%s kill %d\\n", kill(p, SIGKILL) ? "shut" : "OPEN", p);' \
           'printf("%s parent\\n", kill(getppid(), SIGKILL) ? "shut" : "OPEN");' \
           'printf("%s trace\\n", ptrace(PTRACE_ATTACH, getppid(), 0, 0) ? "shut" : "OPEN"); fflush(stdout); kill(-1, SIGKILL);'
    r, _ = attack(tmp, "killer", body)
    ok("OPEN child" in came(r), "control: a kill that is allowed is reported", came(r))
    ok("OPEN" not in came(r).replace("OPEN child", "") and r.complete, "the grader and pid 1 cannot be killed or traced", came(r))
    fake = "plan\\tplain\\t100\\tx\\nend\\tplain\\tpassed\\tplain\\t\\t\\t\\t\\ndone\\n"
    body = 'const char *s = "%s"; for (int fd = 0; fd < 256; fd++) if (write(fd, s, strlen(s)) < 0) continue;' \
           'char n[64]; for (int p = 1; p < 40; p++) for (int f = 0; f < 10; f++) { sprintf(n, "/proc/%%d/fd/%%d", p, f);' \
           'int fd = p == getpid() ? -1 : open(n, O_WRONLY); if (fd >= 0) { printf("OPEN %%s\\n", n); if (write(fd, s, strlen(s))) continue; } }' % fake
    r, _ = attack(tmp, "forger", body)
    ok(r.score == 0 and "OPEN" not in came(r) and len(r.checks) == 5, "a printed result counts for nothing", lines_of(r))
    ok("end\\tplain\\tpassed" in came(r), "control: what was printed came as the program's output", came(r))


def test_hostile():
    with tempfile.TemporaryDirectory() as tmp:
        test_hostile_endless(tmp)
        test_hostile_reading(tmp)
        test_hostile_writing(tmp)
        test_hostile_grader(tmp)


# ---- a class ---------------------------------------------------------------------------------------------------------

def make(*words, **kw):
    # Unset what an outer make may have put in the environment.
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run([*words], cwd=kw.get("cwd", g.ROOT), capture_output=True, text=True, env={**env, **kw.get("env", {})},
                          user=kw.get("user"), timeout=300)


def call(*words, **kw):
    return make(sys.executable, "tests/book/grade.py", *words, **kw)


def hand_in(base, who, number, kind):
    e = g.exercise(number)
    d = base / who / number
    d.mkdir(parents=True)
    source = {"starter": e.path, "solution": e.path / "solution"}[kind]
    for n in e.files:
        shutil.copy(source / n, d / n)
    return d


def test_class():
    with tempfile.TemporaryDirectory() as tmp:
        base, out = Path(tmp) / "in", Path(tmp) / "out"
        hand_in(base, "anna", "01-1", "solution")
        hand_in(base, "anna", "01-2", "starter")
        (hand_in(base, "boris", "01-1", "starter") / "which.c").write_text("int main(void) { return x; }\n")
        (base / "boris" / "notes").mkdir()
        (base / "mallory").mkdir()
        (base / "mallory" / "01-1").symlink_to("../anna/01-1")
        hand_in(base, "stranger", "01-1", "starter")
        roster = Path(tmp) / "roster.csv"
        roster.write_text("\ufeffid,name\nanna,\"Anna, the first\"\nboris,=1+1\nmallory,Mal\nclara,Clara 김\n", encoding="utf-8")
        r = call("class", str(base), str(roster), "--out", str(out), "--seed", "5")
        ok(r.returncode == 0, "a class is graded", r.stderr)
        for words in ("anna       100     30    65.0", "Not in the roster: stranger", "nothing handed in: mallory, clara",
                      "Boris/notes is no exercise", "Mallory/01-1 is not a folder of its own"):
            ok(words in r.stdout, "the table says: " + words, r.stdout)
        rows = list(csv.DictReader(open(out / "grades.csv", encoding="utf-8")))
        ok([(x["id"], x["01-1"], x["01-2"], x["mean"]) for x in rows] ==
           [("anna", "100", "30", "65.0"), ("boris", "0", "", "0.0"), ("mallory", "", "", "0.0"), ("clara", "", "", "0.0")],
           "grades.csv has everyone of the roster in its order", rows)
        ok(rows[0]["name"] == "Anna, the first" and rows[1]["name"] == "'=1+1", "names survive; none is a formula", rows)
        j = json.loads((out / "grades.json").read_text())
        anna = j["students"]["anna"]["exercises"]
        ok(anna["01-1"]["score"] == 100 and anna["01-2"]["score"] == 30 == sum(c["got"] for c in anna["01-2"]["checks"]) and
           j["students"]["boris"]["exercises"]["01-1"]["build"]["file"] == "which.c" and j["without_submission"] == ["mallory", "clara"],
           "grades.json agrees", j)
        x = ET.parse(out / "junit.xml").getroot()
        suites = {s.get("name"): s for s in x}
        ok(list(suites) == ["anna", "boris", "mallory", "clara"] and suites["anna"].get("failures") == "3" and
           int(suites["anna"].get("tests")) == len(suites["anna"]) == 13, "junit.xml counts the same", ET.tostring(x)[:2000])
        ok(sorted(p.name for p in (out / "feedback").iterdir()) == ["anna.md", "boris.md", "clara.md", "mallory.md"],
           "everyone of the roster has a feedback file")
        text = (out / "feedback" / "boris.md").read_text()
        ok("does not compile: 0 points" in text and "which.c:1" in text, "the feedback shows the compiler's first errors", text)
        ok("Which bracket" in (out / "feedback" / "anna.md").read_text(), "the feedback shows hints")
        for text, said in (("id;name\nx;y\n", "column `id`"), ("id\na\na\n", "twice"), ("id\n../x\n", "cannot be the name"), ("id\n", "no students")):
            roster.write_text(text)
            r = call("class", str(base), str(roster))
            ok(r.returncode == 2 and said in r.stderr and "Traceback" not in r.stderr, "a bad roster is named: " + said, r.stderr)


# ---- the student kit -------------------------------------------------------------------------------------------------

def telling_lines(e):
    """Lines of a solution that nobody hands out: long enough to be somebody's thought."""
    public = {l.strip() for p in g.EXERCISES.glob("*.[ch]") for l in p.read_text().splitlines()}
    for top in (g.ROOT / "chapters", e.path):
        for p in top.rglob("*"):
            if p.is_file() and not g.SECRET.search(p.relative_to(g.ROOT).as_posix()):
                public |= {l.strip() for l in p.read_text(errors="replace").splitlines()}
    own = {l.strip() for p in (e.path / "solution").rglob("*") if p.is_file() for l in p.read_text().splitlines()}
    return {l for l in own if len(l) >= 30} - public


def leaks(kit):
    found = []
    texts = {}
    with tarfile.open(kit) as t:
        for m in t.getmembers():
            if re.search(r"(^|/)(solution|mutants|floor|expect|\.git)(/|$)|_test\.py$", m.name) or m.name.startswith("/") or ".." in m.name:
                found.append(m.name)
            if m.isfile():
                texts[m.name] = {l.strip() for l in t.extractfile(m).read().decode(errors="replace").splitlines()}
    for e in g.exercises():
        secret = telling_lines(e)
        # One line alone may be a turn of phrase that two exercises share.
        found += ["%s: %s" % (n, l) for n, lines in texts.items() if len(lines & secret) > 1 for l in lines & secret]
    return found


def test_kit():
    with tempfile.TemporaryDirectory() as tmp:
        kit = Path(tmp) / "kit.tar.gz"
        r = call("kit", str(kit))
        ok(r.returncode == 0, "the student kit is packed", r.stderr)
        ok(all(len(telling_lines(e)) >= 3 for e in g.exercises()), "every solution has lines by which a leak would be known",
           [(e.number, len(telling_lines(e))) for e in g.exercises()])
        ok(not leaks(kit), "the kit holds no solution, mutant or history", leaks(kit)[:10])
        spoiled = Path(tmp) / "spoiled.tar.gz"
        with tarfile.open(kit) as a, tarfile.open(spoiled, "w:gz") as b:
            for m in a.getmembers():
                b.addfile(m, a.extractfile(m) if m.isfile() else None)
            b.add(g.exercises()[0].path / "solution" / g.exercises()[0].files[0], "x/innocent.c")
        ok(leaks(spoiled), "control: a solution under another name is found")
        with tarfile.open(kit) as t:
            t.extractall(tmp, filter="data") if hasattr(tarfile, "data_filter") else t.extractall(tmp)
        unpacked = Path(tmp) / g.KIT
        e = g.exercises()[0]
        r = make("make", "exercise", "N=" + e.number, "FILE=%s" % (e.path / "solution" / e.files[0]), cwd=unpacked, env={"BOOK_ROOT": ""})
        ok(r.returncode == 0 and "100 of 100 points" in r.stdout, "make exercise works in the unpacked kit", r.stdout + r.stderr)
        r = make("make", "solutions", "N=" + e.number, cwd=unpacked, env={"BOOK_ROOT": ""})
        ok("no solutions here" in r.stderr, "the unpacked kit says that it has no solutions", r.stdout + r.stderr)
        r = make("make", cwd=unpacked, env={"BOOK_ROOT": ""})
        ok(r.returncode == 0 and e.number in r.stdout, "make alone tells what the kit can do", r.stdout + r.stderr)


# ---- wrong use -------------------------------------------------------------------------------------------------------

def sentence(r, *words):
    """One line, the words in it, exit code 2, no traceback."""
    return r.returncode == 2 and all(w in r.stderr for w in words) and len(r.stderr.strip().splitlines()) == 1


def test_misuse():
    all_numbers = [e.number for e in g.exercises()]
    r = call("exercise", "77-7")
    ok(sentence(r, "no exercise 77-7", *all_numbers), "an unknown exercise lists those that exist", r.stderr)
    r = call("exercise", "")
    ok(sentence(r, "Which exercise?", *all_numbers), "no exercise named: the same", r.stderr)
    for words, said in ((["--file", "/nonexistent.c"], "no file"), (["--dir", "/nonexistent"], "no folder"), (["--hint", "9"], "HINT"),
                        (["--seed", "x"], "SEED")):
        r = call("exercise", "01-1", *words)
        ok(sentence(r, said), "wrong use is one sentence: %s" % " ".join(words), r.stderr)
    with tempfile.TemporaryDirectory() as tmp:
        bad = Path(tmp) / "which.c"
        bad.write_text("int main(void)\n{\n    return nothing\n}\n")
        r = call("exercise", "01-1", "--file", str(bad))
        ok("which.c does not compile: 0 points" in r.stdout and "which.c:3" in r.stdout and "hint" in r.stdout,
           "a file that does not compile: its first errors, 0 points, a hint", r.stdout + r.stderr)
        r = call("exercise", "01-1", "--dir", tmp + "/../" + Path(tmp).name)
        ok("does not compile" in r.stdout, "a folder may be named by any path", r.stdout + r.stderr)
        # An unprivileged user needs a copy that it may read.
        os.chmod(tmp, 0o755)
        for top in ("exercises", "tests/book"):
            shutil.copytree(g.ROOT / top, Path(tmp) / "copy" / top, ignore=shutil.ignore_patterns("__pycache__"))
        r = make("python3", "-B", "tests/book/grade.py", "exercise", "01-1", cwd=Path(tmp) / "copy", user=65534, env={"BOOK_ROOT": "", "PATH": "/usr/bin:/bin"})
        ok(sentence(r, "needs root"), "without root: one sentence", r.stdout + r.stderr)
    r = make("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "tests/book/grade.py", "exercise", "01-1")
    ok(sentence(r, "no private mount"), "without namespaces: one sentence", r.stdout + r.stderr)
    r = make("make", "-f", "exercises/exercises.mk", "exercise", "N=77-7")
    ok("no exercise 77-7" in r.stderr and len(r.stderr.strip().splitlines()) <= 2, "make adds one line of its own at most", r.stderr)


def main(words):
    groups = {"hostile": test_hostile, "class": test_class, "kit": test_kit, "misuse": test_misuse}
    g.must_be_root("python3 tests/book/grade_test.py")
    before, start = host(), time.monotonic()
    for e in g.exercises():
        g.prepare(e)
    print("# building the sandbox and the graders took %.0f s" % (time.monotonic() - start), flush=True)
    numbers = [w for w in words if w not in groups and w != "exercises"]
    if not words or "exercises" in words or numbers:
        test_exercises([e for w in numbers for e in g.chosen(w)] or g.exercises())
    # Only now: a fork bomb beside them would spoil what the exercises measure.
    side_by_side({name: test for name, test in groups.items() if not words or name in words})
    shared = "needs a machine of one's own (BOOK_SHARED is set)" if os.environ.get("BOOK_SHARED") else None
    after = before if shared else host()
    ok(before == after, "mounts, control groups and processes of the host are as before", "%s\n%s" % (before, after), shared)
    print("1..%d" % done["n"])
    return 1 if done["failed"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except g.Complaint as c:
        print("Bail out! %s" % c)
        sys.exit(2)
