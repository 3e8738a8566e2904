#!/usr/bin/env python3
"""Do the tools see what they should? Two tiny chapters in a temporary folder, and one fault planted at a time.

Every check is made twice: on the sound book, where it must be silent, and on the book with the fault, where it must name it. A
tool that can't fail would pass the first and be found by the second. The tools run as they do for a reader, as programs.
"""
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import book
import doctor
import everything
import world

FILES = {
    "src/base/err.c": "int err_set(void) { return 0; }\n",
    "README.md": "# P\n\nText.\n",
    "chapters/glossary.md": "# Glossary\n\n## pid\n\nA number.\n",
    "chapters/glossary.ko.md": '# 용어집\n\n## <a id="pid"></a>번호(pid)\n\n수.\n',
    "chapters/01-one/Makefile": "CFLAGS = -Wall\nall: hello\ntest: hello test_hello\n\t./test_hello\nhello: hello.o\n"
                                "hello.o: $(wildcard *.h)\n"
                                "test_hello: test_hello.o\n\t$(CC) -o $@ $^ -lcheck -lsubunit -lm -lrt -lpthread\n",
    "chapters/01-one/hello.h": "",
    "chapters/01-one/hello.c": '// region top\n#include <stdio.h>\n// endregion\n\n// region main\nint main(void)\n{\n    puts("hello");\n}\n// endregion\n',
    "chapters/01-one/test_hello.c": "#include <check.h>\n#include <stdlib.h>\nSTART_TEST(one) { ck_assert_int_eq(system(\"./hello\"), 0); }\nEND_TEST\n"
                                    "int main(void)\n{\n    Suite *s = suite_create(\"x\");\n    TCase *t = tcase_create(\"x\");\n"
                                    "    tcase_add_test(t, one);\n    suite_add_tcase(s, t);\n    SRunner *r = srunner_create(s);\n"
                                    "    srunner_run_all(r, CK_NORMAL);\n    return srunner_ntests_failed(r) != 0;\n}\n",
    "chapters/02-two/hello.c": '// region top\n#include <stdio.h>\n// endregion\n\n// region main\nint main(void)\n{\n    puts("bye");\n}\n// endregion\n',
    "chapters/02-two/.wh.test_hello.c": "",
}
PAGE = """# %d. Title

> After this chapter you can say hello.

| | |
|---|---|
| Minutes | reading 1, typing 1 |
| You need | `make` |
| System calls met | `write(2)` |
| Terms | [pid](../glossary.md#pid) |

## Code

```c file=hello.c region=main
```

Left to the reader: `hello.c` region `top`.

```console
$ make hello >/dev/null; ./hello
%s
$ echo pid $$ at 10:31:07
pid «4711» at «09»:31:07
$ cat
```

```console term=2
$ ps -o comm= -C cat
cat
```

```console
^D
$ sh -c 'sleep 0.2; echo late' &
[1] «99»
late
```

## The ladder

<!-- ladder -->
<!-- /ladder -->

## The same in src/

| `src/base/err.c` | `err_set()` |
|---|---|

## Exercises

## To read
"""


class Book:
    """A sound book of two chapters in a folder of its own."""

    def __init__(self, folder):
        self.root = Path(folder)
        for name, text in FILES.items():
            self.write(name, text)
        for c, n, word in (("01-one", 1, "hello"), ("02-two", 2, "bye")):
            self.write("chapters/%s/README.md" % c, PAGE % (n, word))
        self.run("weave.py", "weave")
        for c in ("01-one", "02-two"):
            shutil.copy(self.root / "chapters" / c / "README.md", self.root / "chapters" / c / "README.ko.md")
        self.write("README.ko.md", "# P\n\n글.\n")
        self.run("ko.py", "stamp", *map(str, self.root.glob("**/*.ko.md")))

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def change(self, name, old, new):
        text = (self.root / name).read_text()
        assert old in text, (name, old)
        self.write(name, text.replace(old, new, 1))

    def run(self, tool, *args):
        env = dict(os.environ, BOOK_ROOT=str(self.root), BOOK_LIMIT="5")
        r = subprocess.run([sys.executable, "-B", str(book.HERE / tool)] + list(args), env=env, stdout=-1, stderr=-2, text=True)
        return r.returncode, r.stdout


ONE = "chapters/01-one/"
TEXT = ONE + "README.md"
# what is planted: file, old text, new text; the tool that must see it, and what it must say
FAULTS = [
    ("a source that has changed", ONE + "hello.c", '"hello"', '"hallo"', ["weave.py", "check", "1"], "hello.c main differs from its source"),
    ("a region that is not there", TEXT, "region=main", "region=mian", ["weave.py", "check"], "no region mian; it has: top, main"),
    ("a file that is not there", TEXT, "file=hello.c", "file=hullo.c", ["weave.py", "check"], "no file hullo.c"),
    ("a region that never ends", ONE + "hello.c", "// endregion\n\n", "\n", ["weave.py", "check"], "begins inside another"),
    ("a line that is not shown", TEXT, "Left to the reader: `hello.c` region `top`.", "", ["weave.py", "check"], "1 added lines are neither shown"),
    ("a piece that is too long", ONE + "hello.c", "{\n", "{\n" + "    ;\n" * 40, ["weave.py", "check", "1"], "a piece of 44 lines; at most 40"),
    ("front matter that lacks a row", TEXT, "| You need |", "| You have |", ["weave.py", "check"], "no row `You need`"),
    ("a section that is missing", TEXT, "## To read", "## Reading", ["weave.py", "check"], "no section `## To read`"),
    ("a term that the glossary lacks", TEXT, "#pid", "#pit", ["weave.py", "check"], "glossary.md#pit: chapters/glossary.md has no such heading"),
    ("a source of src/ that has gone", TEXT, "`src/base/err.c`", "`src/base/er.c`", ["weave.py", "check"], "`src/base/er.c` does not exist"),
    ("a function of src/ that has gone", TEXT, "`err_set()`", "`err_sit()`", ["weave.py", "check"], "`err_sit()` is not a function"),
    ("a chapter over its budget", ONE + "hello.c", "{\n", "{\n" + "    ;\n" * 250, ["layers.py", "budget", "1"], "adds 256 lines of C, at most 250"),
    ("a file that does not compile", ONE + "hello.c", "{\n", "{\n    nonsense\n", ["layers.py", "build", "1"], "01-one does not compile: see"),
    ("a link that leads nowhere", TEXT, "## Exercises\n", "## Exercises\n\n[one](../../exercises/01-1-x/README.md)\n", ["weave.py", "check"], "01-1-x/README.md leads nowhere"),
    ("a chapter without a text", "chapters/03-three/Makefile", None, "all:\n", ["weave.py", "check"], "03-three has a README.md"),
    ("a chapter without a translation", "chapters/03-three/README.md", None, "# 3. X\n", ["ko.py", "check"], "there is no translation"),
    ("a whiteout of nothing", "chapters/02-two/.wh.nothing", None, "", ["layers.py", "flatten", "2", "/nowhere"], "hides nothing"),
    ("a stale translation", "README.md", "Text.", "Other text.", ["ko.py", "check"], "block 2 (Other text.) has changed"),
    ("a translation with a block too few", "README.ko.md", "\n글.\n", "\n", ["ko.py", "check"], "2 blocks there and 1 here"),
    ("a translation with other code", ONE + "README.ko.md", '"hello"', '"안녕"', ["ko.py", "check"], "the code differs"),
    ("a polite sentence", "README.ko.md", "글.", "글입니다.", ["ko.py", "check"], "not in the plain style: 글입니다"),
    ("a chapter that isn't there", TEXT, "", "", ["layers.py", "diff", "7"], "There is no chapter 7; there are: 01, 02."),
]
ROOT_FAULTS = [
    ("a source that warns", ONE + "hello.c", "{\n", "{\n    int unused;\n", ["stack.py", "1"], "unused variable"),
    ("a Makefile that overlooks headers", ONE + "Makefile", "hello.o: $(wildcard *.h)\n", "", ["stack.py", "1"], "does not see that a header has changed"),
    ("a test that fails", ONE + "test_hello.c", "), 0)", "), 1)", ["stack.py", "1"], "0%: Checks: 1"),
    ("output that has changed", TEXT, "\nhello\n$ echo", "\nhallo\n$ echo", ["transcript.py", "1"], "-hallo"),
    ("output where the book has none", TEXT, "cat\n```\n\n```console\n^D", "```\n\n```console\n^D", ["transcript.py", "1"], "+cat"),
    ("text where a number was", TEXT, "echo pid $$ at", "echo pid none at", ["transcript.py", "1"], "+pid none at 10:31:07"),
    ("a command that hangs", TEXT, "$ echo pid", "$ sleep 60\n$ echo pid", ["transcript.py", "1"], "`sleep 60`: hangs"),
    ("a process left behind", TEXT, "late\n```", "late\n$ setsid -f sleep 70\n```", ["transcript.py", "1"], "process"),
    ("a mount left behind", TEXT, "late\n```", "late\n$ mount -t tmpfs x /mnt\n```", ["transcript.py", "1"], "mount /mnt"),
    ("a file left behind", TEXT, "late\n```", "late\n$ echo x >/etc/left\n```", ["transcript.py", "1"], "file /etc/left"),
    ("a ladder that is claimed", TEXT, "<!-- ladder -->\n", "<!-- ladder -->\n\n| `docker ps` | yes |\n", ["ladder.py", "check", "1"], "now: This chapter has no daemon"),
]
SITE_FAULTS = [
    ("a comment that Doxygen does not understand", "src/base/err.c", "int err", "/** \\nosuch */\nint err", ["pages.py"], "unknown command '\\nosuch'"),
    ("a figure that is no SVG", "README.md", "Text.", "![x](Makefile)", ["pages.py"], "Makefile is not there or is not an SVG"),
]
SOUND = [["weave.py", "check"], ["layers.py", "budget"], ["ko.py", "check"]]
ROOT_SOUND = [["stack.py", "1"], ["transcript.py"]]


def layers_are_right(b):
    """What flatten makes: the upper file wins, the whiteout hides, region lines stay (they are comments)."""
    out = b.root / "flat"
    b.run("layers.py", "flatten", "2", str(out))
    names = sorted(p.name for p in out.iterdir())
    code, shown = b.run("layers.py", "diff", "2")
    return (names == ["Makefile", "hello.c", "hello.h"] and '"bye"' in (out / "hello.c").read_text() and code == 0
            and '+    puts("bye");' in shown and "--- a/test_hello.c\n+++ /dev/null" in shown and "region" not in shown)


def update_keeps_marks(b):
    """--update mends what differs and keeps the marks of what varies."""
    b.change(TEXT, "\nhello\n$ echo", "\nhallo\n$ echo")
    b.change(TEXT, "pid «4711» at «09»:31:07", "pit «4711» at «09»:31:07")
    b.run("transcript.py", "--update", "1")
    text = (b.root / TEXT).read_text()
    return "\nhello\n$ echo" in text and re.search(r"^pid «\d+» at «10»:31:07$", text, re.M) is not None


def bad_input_is_one_sentence(b):
    """No stack of make's or Python's own: what failed, and exit code 2."""
    code, out = b.run("layers.py", "build", "7")
    good = code == 2 and len(out.splitlines()) == 1
    b.change(ONE + "hello.c", "{\n", "{\n    nonsense\n")
    code, out = b.run("layers.py", "build", "1")
    return good and code == 2 and "nonsense" in out and not re.search(r"^make.*Error|Traceback", out, re.M)


def a_tool_that_ends_early_is_seen():
    """A tool that dies in the middle has printed nothing wrong; everything.py must not take that for good."""
    seen = []
    for code, out in ((0, "ok 1 - a\n1..1\n"), (1, "not ok 1 - a\n1..1\n"), (1, "ok 1 - a\n"), (0, ""), (0, "ok 1 - a\n1..2\n"), (1, "ok 1 - a\n1..1\n")):
        tap, said = book.Tap(), io.StringIO()
        with contextlib.redirect_stdout(said):
            everything.report(tap, "x", ["x.py"], code, out)
        seen.append(tap.bad)
    return seen == [0, 1, 1, 1, 1, 1]


def doctor_sees_what_is_missing():
    """Without programs, and as root that may make no namespaces."""
    path, world.PATH, said = world.PATH, "/nonexistent", io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            code = doctor.main([])
    finally:
        world.PATH = path
    good = code == 1 and re.search(r"^missing +0\d\S* +gcc: apt install gcc$", said.getvalue(), re.M)
    r = subprocess.run(["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", sys.executable, "-B", str(book.HERE / "doctor.py")],
                       stdout=-1, text=True)
    return good and r.returncode == 1 and re.search(r"^missing +0\d\S* +namespaces: ", r.stdout, re.M) is not None


CALFD = r"""#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void)
{
    const char *answer = "HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nConnection: close\r\nContent-Length: 35\r\n\r\n"
                         "{\"Version\":\"1\",\"ApiVersion\":\"1.44\"}";
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "calf.sock"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 9) < 0)
        return 1;
    for (;;) {
        char head[4096];
        int c = accept(fd, NULL, NULL);
        if (read(c, head, sizeof head) > 0 && write(c, answer, strlen(answer)) < 0)
            return 1;
        close(c);
    }
}
"""


def a_wrong_rung_is_seen(b):
    """A daemon that answers all requests with a version: `docker version` works and nothing else does."""
    b.write(ONE + "calfd.c", CALFD)
    b.change(ONE + "Makefile", "all: hello\n", "all: hello calfd\n")
    b.run("ladder.py", "fill", "1")
    text = (b.root / TEXT).read_text()
    if re.findall(r"`docker ([^`]*)` \| yes", text) != ["version"]:
        return False
    b.change(TEXT, "`docker ps` | no", "`docker ps` | yes")
    b.change(TEXT, "`docker version` | yes", "`docker version` | no")
    code, out = b.run("ladder.py", "check", "1")
    return code == 1 and re.findall("now: (.*)", out) == ["| `docker version` | yes |", "| `docker ps` | no |"]


def what_is_left_on_the_host_is_seen(folder):
    """A mount, process, control group, file and link, planted beside a world: both World.end() and Snapshot must name them."""
    before, w = world.Snapshot(), world.World(folder, "01")
    group, rest = w.groups[:1], w.groups[1:]
    world.group_end(rest)
    w.groups = group
    # Worlds that run meanwhile look for links, too, and take a veth for somebody else's.
    planted, link = Path("/tmp/%s-planted" % w.name), "vethcalf%d" % (os.getpid() % 10000)
    p = subprocess.Popen(["sleep", "60"], env={"PATH": world.PATH, "BOOK_WORLD": w.name})
    try:
        for g in group:
            (g / "cgroup.procs").write_text(str(p.pid))
        world.mount("-t", "tmpfs", "book", str(w.scratch))
        planted.write_text("")
        has_link = subprocess.run(["ip", "link", "add", link, "type", "bridge"], stderr=-3).returncode == 0
        changes, end = "\n".join(before.changes(0)), "\n".join(w.end())
        wanted = ["mount %s has come" % w.scratch, "file %s has changed" % planted, "process %d (sleep) still runs" % p.pid]
        wanted += ["control group %s has come" % g for g in group] + ["network link %s has come" % link] * has_link
        missing = [x for x in wanted if x not in changes]
        wanted = ["folder %s" % w.scratch, "process %d: sleep" % p.pid] + ["control group %s" % g for g in group]
        missing += [x for x in wanted if x not in end] + ["mount"] * (not re.search("^mount .*%s" % w.name, end, re.M))
    finally:
        p.kill()
        p.wait()
        subprocess.run(["umount", str(w.scratch)], stderr=-3)
        subprocess.run(["ip", "link", "del", link], stderr=-3)
        planted.unlink(missing_ok=True)
        world.group_end(group)
        w.scratch.rmdir()
    return missing + ["%s, though it is gone" % c for c in before.changes() if w.name in c or link in c]


def check(tap):
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="selftest-", dir=book.ROOT / "build") as top:
        sound = Book(top + "/sound")
        site = shutil.which("doxygen") and shutil.which("dot")
        for command in SOUND + (ROOT_SOUND if root else []) + ([["pages.py"]] if site else []):
            code, out = sound.run(*command)
            tap.ok(code == 0, "selftest: %s finds nothing wrong with a sound book" % " ".join(command), out.splitlines())
        tap.ok(layers_are_right(sound), "selftest: layers are stacked, hidden and compared rightly")
        for name, file, old, new, command, said in FAULTS + (ROOT_FAULTS if root else []) + (SITE_FAULTS if site else []):
            b = Book(top + "/fault")
            if old is None:
                b.write(file, new)
            else:
                b.change(file, old, new)
            code, out = b.run(*command)
            tap.ok(code != 0 and said in out, "selftest: %s sees %s" % (command[0], name), ["wanted: " + said] + out.splitlines())
            shutil.rmtree(b.root)
        tap.ok(bad_input_is_one_sentence(Book(top + "/input")), "selftest: bad input is answered by one sentence")
        tap.ok(a_tool_that_ends_early_is_seen(), "selftest: everything.py sees a tool that ends early")
        if not site:
            tap.ok(True, "selftest: pages.py", skip="needs doxygen and graphviz")
        if root:
            tap.ok(update_keeps_marks(Book(top + "/update")), "selftest: --update keeps the marks")
            tap.ok(doctor_sees_what_is_missing(), "selftest: doctor.py sees what is missing")
            missing = what_is_left_on_the_host_is_seen(top)
            tap.ok(not missing, "selftest: world.py sees what is left on the host", ["not seen: " + m for m in missing])
            if shutil.which("docker"):
                tap.ok(a_wrong_rung_is_seen(Book(top + "/rung")), "selftest: ladder.py sees a rung that is claimed and one that is not")
            else:
                tap.ok(True, "selftest: a wrong rung", skip="needs docker, the stock client")
        else:
            tap.ok(True, "selftest: stack.py, transcript.py and ladder.py", skip="needs root: a private world is made of namespaces and mounts")


def main(args):
    tap = book.Tap()
    check(tap)
    return tap.end()


if __name__ == "__main__":
    book.run(main)
