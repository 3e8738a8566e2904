#!/usr/bin/env python3
"""Can this machine do what the chapters ask? One line each: ok, warning or missing, for which chapters, and how to mend it.

    doctor.py [N]               for chapter N alone; exit code 1 if something is missing

A warning is something that a chapter can do without, as it says itself. Each need is tested by trying it where that is possible
without changing the machine.
"""
import ctypes
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import book
import world


def program(name):
    return lambda: shutil.which(name, path=world.PATH) is not None


def header(name):
    return lambda: Path("/usr/include", name).exists()


def kernel():
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= (5, 15)


def static_busybox():
    path = shutil.which("busybox", path=world.PATH)
    return path is not None and b"ld-linux" not in Path(path).read_bytes()[:4096]


def user_namespaces():
    """Can a user who is not root make one? The graders of 05-1 to 05-3 run the student's programs as such a user."""
    pid = os.fork()
    if pid == 0:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        os._exit(0 if ctypes.CDLL(None).unshare(0x10000000) == 0 else 1)  # CLONE_NEWUSER
    return os.waitpid(pid, 0)[1] == 0


def static_programs():
    """Can gcc make a program that needs no library? Tried, in a folder that is gone afterwards."""
    if not program("gcc")():
        return False
    with tempfile.TemporaryDirectory() as tmp:
        r = subprocess.run(["gcc", "-static", "-x", "c", "-", "-o", tmp + "/a"], input=b"int main(void) { return 0; }", capture_output=True)
        return r.returncode == 0


def overlay():
    return "\toverlay\n" in Path("/proc/filesystems").read_text() or any(
        Path("/lib/modules", os.uname().release).rglob("overlay.ko*"))


def cgroups():
    return any(os.access(top, os.W_OK) for top, _, _ in world.mounted(("cgroup", "cgroup2")))


def systemd():
    return Path("/run/systemd/system").is_dir()


MUST, MAY = "missing", "warning"
NEEDS = [  # first chapter, last chapter, what, test, without it, how to mend it
    (1, 99, "Linux 5.15 or later", kernel, MUST, "run the book on Debian 12, Ubuntu 22.04 or later"),
    (1, 99, "gcc", program("gcc"), MUST, "apt install gcc"),
    (1, 99, "make", program("make"), MUST, "apt install make"),
    (1, 99, "libcheck", header("check.h"), MUST, "apt install check"),
    (1, 99, "ps, top (procps)", program("ps"), MUST, "apt install procps"),
    (1, 99, "Python 3.10 or later", lambda: sys.version_info >= (3, 10), MUST, "apt install python3"),
    (1, 99, "clang", program("clang"), MAY, "apt install clang (the tests build each chapter with it, too)"),
    (1, 99, "man pages", lambda: any(Path("/usr/share/man/man2").glob("fork.2*")), MAY, "apt install manpages-dev"),
    (3, 99, "jansson", header("jansson.h"), MUST, "apt install libjansson-dev"),
    (3, 99, "socat", program("socat"), MUST, "apt install socat"),
    (3, 99, "curl", program("curl"), MUST, "apt install curl"),
    (3, 99, "the stock docker client", program("docker"), MAY, "apt install docker.io (blocks that need it are skipped)"),
    (4, 99, "systemd", systemd, MAY, "chapter 4 shows the unit file; without systemd only the init script can be tried"),
    (5, 99, "busybox, statically linked", static_busybox, MUST, "apt install busybox-static"),
    (1, 99, "root", lambda: os.geteuid() == 0, MAY, "sudo (chapter 5, make transcripts and make ladder need it)"),
    (5, 99, "namespaces", world.namespaces, MUST, "as root, on a kernel built with CONFIG_*_NS; not inside an unprivileged container"),
    (5, 99, "gcc -static", static_programs, MUST, "apt install libc6-dev (glibc-static elsewhere): chapter 5 and exercise 05-2 put programs into a bare root"),
    (5, 99, "namespaces of users who are not root (exercises 05-1 to 05-3)", user_namespaces, MAY,
     "sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0, those that exist"),
    (5, 99, "overlayfs", overlay, MUST, "modprobe overlay"),
    (5, 99, "control groups that one may change", cgroups, MUST, "mount -t cgroup2 none /sys/fs/cgroup; not inside an unprivileged container"),
    (1, 99, "doxygen, graphviz (make book)", lambda: program("doxygen")() and program("dot")(), MAY, "apt install doxygen graphviz"),
]


def main(args):
    words = [a for a in args if a]
    have = [c.number for c in book.chapters()]
    wanted = [book.chapter(words[0]).number] if words else have
    bad = 0
    for first, last, what, test, without, mend in NEEDS:
        concerned = [n for n in wanted if first <= n <= last]
        if not concerned:
            continue
        good = bool(test())
        bad += not good and without == MUST
        where = "%02d" % concerned[0] + ("-%02d" % concerned[-1] if len(concerned) > 1 else "")
        print("%-8s %-6s %s%s" % ("ok" if good else without, where, what, "" if good else ": " + mend))
    return 1 if bad else 0


if __name__ == "__main__":
    book.run(main)
