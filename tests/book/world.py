#!/usr/bin/env python3
"""A private machine for a chapter, made of what chapter 5 teaches: namespaces and mounts.

    world.py shell N            a shell in chapter N's world, to try things by hand
    world.py run DIR COMMAND…   a command in the world whose ~/gorae/build/chapters/NN is DIR

The world is a copy of this machine that forgets. Its root is an overlay of ours with an upper layer in memory, so what a
command writes to /etc or /usr is gone afterwards. It has its own process table, network (loopback only), host name, IPC, /proc,
/sys, /dev/pts, /tmp, /run and home folder. The project lies read-only in ~/gorae, and the chapter's folder, where one
may write, in ~/gorae/build/chapters/NN. Control groups are the one thing that no mount hides: the world gets a group of its
own in each hierarchy and a cgroup namespace that shows this group as the root.

How it ends: `unshare --kill-child` takes the whole process table down with its first process. The control groups are then
empty and are removed here, innermost first. Snapshot compares before and after; in the world, `left()` says what a
chapter has forgotten to stop or to remove. Read next: transcript.py, which types a chapter's commands into such a world.
"""
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import book

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
TOOLS = "/run/book"  # where the world finds these tools
UPPER = "/run/upper"  # and what it has written to its root


def must_be_root(what):
    if os.geteuid() != 0:
        raise book.Complaint("%s makes namespaces and mounts, which only root may do: run it with sudo." % what)


def namespaces():
    """Can namespaces be made? Tried in a child, so nothing stays."""
    pid = os.fork()
    if pid == 0:
        flags = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000  # CLONE_NEW{NS,CGROUP,UTS,IPC,PID,NET}
        os._exit(0 if ctypes.CDLL(None).unshare(flags) == 0 else 1)
    return os.waitpid(pid, 0)[1] == 0


def mounted(kinds):
    """[(mount point, type, options)] of this process's mounts of the given types."""
    rows = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        kind, _, options = right.split(" ", 2)
        if kind in kinds:
            rows.append((left.split()[4], kind, options))
    return rows


# ---- control groups, from outside -----------------------------------------------------------------------------------
def group_make(name):
    """A group called `name` in each hierarchy; where the kernel refuses, the world does without."""
    made = []
    for top, kind, _ in mounted(("cgroup", "cgroup2")):
        d = Path(top, name)
        try:
            d.mkdir()
            for f in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty at first, and then nothing may enter
                if kind == "cgroup" and (d / f).exists():
                    (d / f).write_text(Path(top, f).read_text())
            made.append(d)
        except OSError:
            pass
    return made


def group_end(made):
    """Remove the groups and what lies in them; return the ones that would not go."""
    stuck = []
    for d in made:
        for path, _, _ in os.walk(d, topdown=False):
            for tries in range(50):
                try:
                    os.rmdir(path)
                    break
                except OSError:
                    time.sleep(0.02 * (tries > 5))
            else:
                stuck.append(path)
    return stuck


class World:
    """Start commands in a world around the folder `work`; end() takes it down and says what is left on the host."""

    count = 0

    def __init__(self, work, label):
        must_be_root("This")
        if not namespaces():
            raise book.Complaint("This machine lets not even root make namespaces, so there can be no private world: see make doctor.")
        World.count += 1
        self.work, self.label = Path(work).resolve(), label
        self.name = "book-%d-%d" % (os.getpid(), World.count)
        self.scratch = Path(tempfile.mkdtemp(prefix=self.name + "-"))
        self.groups = group_make(self.name)
        self.links = set(os.listdir("/sys/class/net"))

    def start(self, command, **more):
        def enter_groups():
            for g in self.groups:
                (g / "cgroup.procs").write_text("0")

        args = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--cgroup", "--fork", "--kill-child", PYTHON,
                str(book.HERE / "world.py"), "enter", str(self.scratch), str(self.work), self.label] + command
        env = {"PATH": PATH, "BOOK_ROOT": str(book.ROOT), "BOOK_WORLD": self.name, "PYTHONDONTWRITEBYTECODE": "1"}
        env.update({k: v for k, v in os.environ.items() if k in ("BOOK_WHY", "BOOK_LIMIT")})
        return subprocess.Popen(args, env=env, preexec_fn=enter_groups, start_new_session=True, **more)

    def end(self):
        wrong = ["control group %s" % p for p in group_end(self.groups)]
        try:
            self.scratch.rmdir()
        except OSError as e:
            wrong.append("folder %s: %s" % (self.scratch, e.strerror))
        wrong += ["mount %s" % m for m in Path("/proc/self/mountinfo").read_text().splitlines() if self.name in m]
        wrong += ["network link %s" % n for n in set(os.listdir("/sys/class/net")) - self.links if not n.startswith("veth")]
        marker = ("BOOK_WORLD=%s" % self.name).encode()
        for p in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (p / "environ").read_bytes().split(b"\0"):
                    wrong.append("process %s: %s" % (p.name, (p / "comm").read_text().strip()))
            except OSError:
                pass
        return wrong


# ---- from inside ----------------------------------------------------------------------------------------------------
def mount(*args):
    r = subprocess.run(["mount"] + list(args), capture_output=True, text=True)
    if r.returncode:
        raise book.Complaint("The private world can't be built: mount %s: %s" % (" ".join(args), r.stderr.strip()))


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS, netdevice(7)


def build_root(scratch, work, label):
    """Mount the world's tree below scratch and move into it."""
    mount("-t", "tmpfs", "book", scratch)
    root, upper = scratch + "/root", scratch + "/upper"
    for d in (root, upper, scratch + "/work"):
        os.mkdir(d)
    groups = mounted(("cgroup", "cgroup2"))
    mount("-t", "overlay", "book", "-o", "lowerdir=/,upperdir=%s,workdir=%s/work" % (upper, scratch), root)
    for d in ("/usr", "/usr/local", "/var", "/opt", "/etc"):
        if os.path.ismount(d):
            mount("--bind", d, root + d)
    mount("--rbind", "/dev", root + "/dev")
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=620", "devpts", root + "/dev/pts")
    mount("-t", "proc", "proc", root + "/proc")
    mount("-t", "sysfs", "-o", "ro", "sysfs", root + "/sys")
    for d, mode in (("/tmp", "1777"), ("/run", "755"), ("/root", "700"), ("/dev/shm", "1777")):
        mount("-t", "tmpfs", "-o", "mode=" + mode, "tmpfs", root + d)
    if groups:
        mount_groups(root, groups)
    for d in ("/run/lock", TOOLS, UPPER, "/root/gorae"):
        os.makedirs(root + d)
    mount("--bind", str(book.HERE), root + TOOLS)
    mount("--bind", upper, root + UPPER)
    mount("--bind", str(book.ROOT), root + "/root/gorae")
    cwd = "/root/gorae/build/chapters/" + label
    os.makedirs(str(book.ROOT / "build/chapters" / label), exist_ok=True)
    mount("-o", "remount,bind,ro", root + "/root/gorae")
    mount("--bind", work, root + cwd)
    old = root + "/mnt"
    subprocess.run(["pivot_root", root, old], check=True)
    os.chdir("/")
    subprocess.run(["umount", "-l", "/mnt"], check=True)
    return cwd


def mount_groups(root, groups):
    """The control groups as this cgroup namespace sees them; version 2 set up as a service manager leaves it."""
    top = "/sys/fs/cgroup"
    if groups[0][0] != top:  # version 1 or both: a folder with one mount for each hierarchy
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", root + top)
    for at, kind, options in groups:
        if not at.startswith(top):
            continue
        os.makedirs(root + at, exist_ok=True)
        wanted = [o for o in options.split(",") if o not in ("rw", "ro") and not o.startswith("release_agent")]
        mount("-t", kind, "-o", ",".join(["rw"] + (wanted if kind == "cgroup" else [])), "cgroup", root + at)
        if kind == "cgroup2":  # processes live in leaves, so that the root may hand out its controllers
            os.mkdir(root + at + "/shell")
            Path(root + at, "shell/cgroup.procs").write_text("0")
            for c in Path(root + at, "cgroup.controllers").read_text().split():
                try:
                    Path(root + at, "cgroup.subtree_control").write_text("+" + c)
                except OSError:
                    pass  # one that is busy elsewhere


def enter(scratch, work, label, *command):
    """The world's first process: builds it, runs the command, collects whatever dies."""
    ctypes.CDLL(None).prctl(15, b"init", 0, 0, 0)  # PR_SET_NAME
    socket.sethostname("lab")
    loopback_up()
    cwd = build_root(scratch, work, label)
    env = {"PATH": PATH, "HOME": "/root", "TERM": "dumb", "LANG": "C.UTF-8", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/bash",
           "BOOK_WORLD": os.environ["BOOK_WORLD"], "BOOK_ROOT": "/root/gorae"}
    env.update({k: v for k, v in os.environ.items() if k in ("BOOK_WHY", "BOOK_LIMIT")})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = subprocess.Popen(list(command), cwd=cwd, env=env, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def state():
    """What a tidy chapter leaves as it found it: (mounts, control groups, links)."""
    mounts = {line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    groups = {p for top, _, _ in mounted(("cgroup", "cgroup2")) for p, _, _ in os.walk(top)}
    return mounts, groups, set(os.listdir("/sys/class/net"))


OURS = re.compile(r"book-|selftest-|calf|gorae")  # names that the book's tools and programs give


class Snapshot:
    """The host as far as a chapter or a tool could have changed it; changes() names what is not as it was.

    Control groups, and what lies at the top of folders where any service may write, count only where the name is one of ours."""

    def __init__(self):
        self.mounts, groups, self.links = state()
        self.groups = {g for g in groups if OURS.search(g)}
        self.files = {(p, os.lstat(p).st_mtime_ns) for top in ("/etc", "/usr/local") for d, _, names in os.walk(top)
                      for p in [os.path.join(d, n) for n in names] if os.path.lexists(p)}
        self.files |= {(str(p), 0) for d in ("/", "/opt", "/root", "/srv", "/mnt") for p in Path(d).iterdir()}
        self.files |= {(str(p), 0) for d in ("/run", "/run/lock", "/tmp", "/var/tmp", "/var/lib", "/dev/shm") if os.path.isdir(d)
                       for p in Path(d).iterdir() if OURS.search(p.name)}
        self.processes = set(self.running())

    @staticmethod
    def running():
        """(pid, name) of the processes of a world, and of programs that lie below build/."""
        for p in Path("/proc").glob("[0-9]*"):
            try:
                world = b"\0BOOK_WORLD=" in b"\0" + (p / "environ").read_bytes()
                if world and "BOOK_WORLD" not in os.environ or os.readlink(p / "exe").startswith("%s/build/" % book.ROOT):
                    yield p.name, (p / "comm").read_text().strip()
            except OSError:
                pass  # it has ended

    def changes(self, seconds=3):
        """In words; what is about to end gets so many seconds for it."""
        end = time.monotonic() + seconds
        while True:
            now, found = Snapshot(), []
            for what, was, there in (("mount", self.mounts, now.mounts), ("control group", self.groups, now.groups),
                                     ("network link", self.links, now.links)):
                found += ["%s %s has %s" % (what, x, "come" if x in there else "gone") for x in sorted(was ^ there)]
            found += ["file %s has changed" % x for x in sorted({p for p, _ in self.files ^ now.files})]
            found += ["process %s (%s) still runs" % x for x in sorted(now.processes - self.processes)]
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.2)


def left(before, own):
    """What the chapter has left in its world, in words; `own` are the pids that belong to the tools."""
    found = []
    for what, was, now in zip(("mount", "control group", "network link"), before, state()):
        found += ["%s %s" % (what, x) for x in sorted(now - was)]
    for p in Path("/proc").glob("[0-9]*"):
        try:
            words = (p / "stat").read_text().rpartition(")")
            if int(p.name) not in own and not words[2].startswith((" Z", " X")):
                found.append("process %s: %s" % (p.name, (p / "cmdline").read_text().replace("\0", " ").strip()))
        except OSError:
            pass
    for top in (UPPER, "/tmp", "/run"):
        for path, folders, files in os.walk(top):
            folders[:] = [d for d in folders if not os.path.join(path, d).startswith((TOOLS, "/run/upper"))] if top == "/run" else folders
            found += ["file %s" % os.path.join(path, f).replace(UPPER, "") for f in files
                      if not re.search(r"__pycache__|ld\.so\.cache", path + f)]
    return found


def main(args):
    if args[:1] == ["enter"]:
        enter(*args[1:])
    if len(args) > 2 and args[0] == "run":
        work, command = Path(args[1]), args[2:]
        label = re.sub(r"\D", "", work.name)[:2] or "00"
    elif len(args) == 2 and args[0] == "shell":
        import layers
        c = book.chapter(args[1])
        label, command = "%02d" % c.number, ["bash"]
        work = book.ROOT / "build/chapters" / label
        layers.flatten(c.number, work)
    else:
        raise book.Complaint("usage: world.py shell N | run DIR COMMAND...")
    must_be_root("A private world")
    w = World(work, label)
    args = w.start(command)
    code = args.wait()
    for what in w.end():
        print("left on the host: " + what, file=sys.stderr)
    return code


if __name__ == "__main__":
    book.run(main)
