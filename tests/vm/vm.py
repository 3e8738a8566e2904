#!/usr/bin/env python3
"""gorae on a Debian machine of its own: systemd, cgroup v2, AppArmor, and the power cut.

    vm.py BUILD [--seed N] [--cuts N] [--only SCRIPT,...] [--skip SCRIPT,...] [--bats FILE,...] [--keep]

The guest (image.sh makes it, once) is booted by qemu without KVM on a fresh copy of its disk, several times in turn:

  1   the package is installed, and used under systemd and cgroup v2; the machine is shut down in order
  2   after that reboot; then work begins, and the power is cut in its middle
  3…  after each cut: what was acknowledged is there and whole, nothing is there without a record; then work and a cut again
  n   the same, then the package is upgraded, removed and purged

Host and guest talk through three things. A second, read-only disk holds a tar of guest/, the package, and what this boot is
to do ("plan", "expected"). A virtio port carries lines back: "ok NAME", "not ok NAME: why", "# more", and while there is
work "try …" and "ack …". A port, and no serial line, since its write(2) returns when the line has reached the host: what
the guest says was acknowledged is known here even if the power goes the next instant. The serial line is the console.

Which checks a script has is read from its text (lines that begin with check), so a guest that dies early, or a script that
skips its second half, fails by name. A boot ends when the guest has powered off, when it is cut, when its kernel panics, or
when nothing was heard of it for a while; in the last two cases the last lines of its console are shown.

What a power cut is here stands in disk.py, what is promised across one in acks.py. Output is TAP.
"""
import argparse, ctypes, glob, io, os, random, re, shutil, signal, subprocess, sys, tarfile, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from acks import Promises
from disk import Disk

SILENT_MAX = 300  # seconds without a word on port or console; a busy host makes a step of two seconds one of a hundred
BOOT_MAX = 1500
DEAD = re.compile(r"Kernel panic|emergency mode|Freezing execution|end Kernel panic|Give root password|BUG: ")
FIRST = ["install", "service", "limits", "life", "apparmor", "systemd-cgroup", "before-reboot"]
LAST = ["upgrade", "remove"]


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def say(self, ok, name, why=()):
        self.n += 1
        self.failed += not ok
        print("%s %d %s" % ("ok" if ok else "not ok", self.n, name), flush=True)
        for line in why:
            print("#   " + line, flush=True)

    @staticmethod
    def note(text):
        print("# " + text, flush=True)


class Died(Exception):
    pass


def die_with_parent():
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def checks_of(script):
    with open("%s/guest/%s.sh" % (HERE, script)) as f:
        return re.findall(r'^check "([^"]+)"', f.read(), re.M)


class Boot:
    """One run of qemu on the lane's disk. `label` sets its checks apart from those of another boot with the same plan."""

    def __init__(self, lane, plan, label="", expected=""):
        self.lane, self.plan, self.label = lane, plan, label
        self.dir = tempfile.mkdtemp(prefix="boot-", dir=lane.dir)
        self.console, self.port = self.dir + "/console", self.dir + "/port"
        self.at = 0  # how much of the port was read
        self.seen, self.check = set(), None
        self.heard = (0, time.time())
        self.write_payload(self.dir + "/payload.tar", expected)
        self.disk = Disk(lane.root, self.dir + "/d")
        self.disk.serve()
        self.began = time.time()
        with open(self.dir + "/qemu", "w") as log:
            self.qemu = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                         preexec_fn=die_with_parent)

    def command(self):
        guest = self.lane.guest
        kernel = ("root=/dev/vda console=ttyS0 panic=-1 cgroup_no_v1=all loglevel=4 systemd.show_status=1 "
                  "random.trust_cpu=on mitigations=off no_timer_check")  # on a busy host its timers seem not to work
        return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-machine", "pc", "-accel", "tcg,thread=multi",
                "-cpu", "max", "-smp", "2", "-m", "1024", "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
                "-kernel", guest + "/vmlinuz", "-initrd", guest + "/initrd", "-append", kernel, "-serial", "file:" + self.console,
                "-drive", "file=nbd+unix:///?socket=%s/d,format=raw,if=virtio,cache=writeback" % self.dir,
                "-drive", "file=%s/payload.tar,format=raw,if=virtio,readonly=on" % self.dir,
                "-device", "virtio-serial-pci", "-chardev", "file,id=port,path=" + self.port,
                "-device", "virtserialport,chardev=port,name=lane", "-device", "virtio-rng-pci"]

    def write_payload(self, path, expected):
        with tarfile.open(path, "w") as t:
            t.add(HERE + "/guest", ".")
            for f in self.lane.payload:
                t.add(f, os.path.basename(f))
            for f in self.lane.repo:
                t.add(f, "repo/" + os.path.relpath(f, REPO))
            plan, bats = ("".join(s + "\n" for s in names) for names in (self.plan, self.lane.bats))
            for name, text in (("plan", plan), ("expected", expected), ("bats", bats)):
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                t.addfile(info, io.BytesIO(text.encode()))

    def lines(self):
        """What the port has brought since the last time, whole lines only."""
        try:
            with open(self.port, "rb") as f:
                f.seek(self.at)
                data = f.read()
        except FileNotFoundError:
            return []
        whole = data[:data.rfind(b"\n") + 1]
        self.at += len(whole)
        return whole.decode(errors="replace").splitlines()

    def console_text(self):
        try:
            with open(self.console, errors="replace") as f:
                return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n(?=\r?\n)", "", f.read())
        except FileNotFoundError:
            return ""

    def take(self, line):
        """A check's result, or more about the last one; "try" and "ack" are for the promises."""
        result = re.match(r"(ok|not ok) ([^:]+)(?:: (.*))?$", line)
        if result:
            self.close_check()
            self.check = (result[1] == "ok", result[2], [result[3]] if result[3] else [])
        elif line.startswith("# ") and self.check:
            self.check[2].append(line[2:])
        elif line.startswith(("try ", "ack ")):
            self.lane.promises.take(line)
        else:
            Tap.note(line.removeprefix("# "))

    def close_check(self):
        if self.check:
            ok, name, why = self.check
            self.seen.add(name)
            self.lane.tap.say(ok, self.named(name), why)
            self.check = None

    def named(self, check):
        return "vm %s%s" % (check, ", " + self.label if self.label else "")

    def watch(self):
        """Raises Died where waiting on makes no sense."""
        text = self.console_text()
        bad = DEAD.search(text)
        if bad:
            raise Died("the guest says: %s" % bad[0])
        now, size = time.time(), len(text) + self.at
        if size != self.heard[0]:
            self.heard = (size, now)
        if now - self.heard[1] > SILENT_MAX:
            raise Died("nothing was heard of the guest for %d seconds" % SILENT_MAX)
        if now - self.began > BOOT_MAX:
            raise Died("the guest has not finished within %d seconds" % BOOT_MAX)

    def follow(self, until=lambda line: False):
        """Take its lines until it has powered off (returns False) or one of them is what is waited for (True)."""
        while True:
            over = self.qemu.poll() is not None
            found = False
            for line in self.lines():
                self.take(line)
                found = until(line) or found
            if found:
                return True
            if over:
                return False
            self.watch()
            time.sleep(0.05)

    def end(self):
        """qemu, by its pid, whatever state it is in; then the disk, when it has taken the last request."""
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait()
        self.disk.close()
        for line in self.lines():
            self.take(line)
        self.close_check()
        Tap.note("boot with %s: %.0f s" % (" ".join(self.plan), time.time() - self.began))

    def judge(self, why):
        """What was planned and never heard of, and the console where something is wrong."""
        missing = [c for s in self.plan for c in checks_of(s) if c not in self.seen]
        for name in missing:
            self.lane.tap.say(False, self.named(name), ["the guest ended before this check did"] + why)
        if why and not missing:
            self.lane.tap.say(False, self.named("the guest comes to its end"), why)
        if why or missing:
            with open(self.dir + "/qemu") as f:
                said = f.read().splitlines()[-3:]
            for line in said + ["the console's last lines:"] + self.console_text().splitlines()[-25:]:
                Tap.note("  " + line)
        return not why and not missing

    def run(self):
        """Until the guest has powered off. @return whether it came that far with all its checks"""
        why = []
        try:
            self.follow()
        except Died as e:
            why = [str(e)]
        finally:
            self.end()
        return self.judge(why)

    def run_and_cut(self, rng, at_once):
        """Until it works, and a number of things are acknowledged; then the power goes. At once: so what was acknowledged last
        must have been on the disk already. Or some writes later, in the middle of what the guest was writing."""
        target, writes, lose = rng.randint(8, 40), 0 if at_once else rng.randint(1, 60), rng.choice([1, 0.5, 0.5, 0.1])
        acks, last, why = 0, "", []

        def enough(line):
            nonlocal acks, last
            if line.startswith("ack "):
                acks, last = acks + 1, line
            # an image ends in syncfs(2), which makes up for all that others have forgotten to flush
            return acks >= target and line.startswith(("ack create", "ack update", "ack remove"))

        try:
            if not self.follow(enough):
                why = ["the guest powered off by itself"]
            elif writes:
                self.disk.freeze(writes, 10)
        except Died as e:
            why = [str(e)]
        finally:
            self.end()
        seen, lost = self.disk.cut(rng, lose)
        Tap.note("power cut %d writes after \"%s\", the %dth that was acknowledged: %d sectors were not flushed, %d of them are lost; %s"
                 % (writes, last, acks, seen, lost, self.lane.promises.counts()))
        return self.judge(why)


class Lane:
    """The disk that all boots share, what they are given, and what they have promised."""

    def __init__(self, args):
        self.tap, self.promises = Tap(), Promises()
        self.build = os.path.abspath(args.build)
        cache = os.environ.get("GORAE_VM_CACHE", REPO + "/.cache/vm")
        self.guest = subprocess.run([HERE + "/image.sh", cache], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.out = self.build + "/vm"
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        self.root = self.out + "/root.ext4"
        subprocess.run(["cp", "--sparse=always", self.guest + "/root.ext4", self.root], check=True)
        self.payload = self.packages() + [self.busybox()]
        self.bats = args.bats
        self.repo = [REPO + "/" + p for p in ("tests/e2e", "tests/payload", "src/service")] if args.bats else []
        self.dir = tempfile.mkdtemp(prefix="gorae-vm.", dir="/tmp")  # a socket's path must be short

    def busybox(self):
        path = self.out + "/busybox.tar"
        with open(path, "wb") as f:
            subprocess.run([REPO + "/tests/payload/make-busybox.sh"], check=True, stdout=f)
        return path

    def packages(self):
        """The package, and the same one again with a higher version: what an upgrade is tried with."""
        found = sorted(glob.glob(self.build + "/gorae_*.deb"), key=os.path.getmtime)
        if not found:
            raise SystemExit("vm.py: no package in %s (make deb)" % self.build)
        tree = self.out + "/package"
        subprocess.run(["dpkg-deb", "-R", found[-1], tree], check=True)
        with open(tree + "/DEBIAN/control", "r+") as f:
            control = f.read()
            f.seek(0)
            f.write(re.sub(r"(?m)^Version: (.*)$", r"Version: \1+next", control))
        shutil.copy(found[-1], self.out + "/gorae.deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, self.out + "/gorae-next.deb"], check=True,
                       stdout=subprocess.DEVNULL)
        return [self.out + "/gorae.deb", self.out + "/gorae-next.deb"]

    def boots(self, args):
        """All of them, in order. After a boot that went wrong the next ones would only say so again."""
        if args.only or args.bats:
            return Boot(self, ["install"] + args.only + ["e2e"] * bool(args.bats)).run()
        if not Boot(self, [s for s in FIRST if s not in args.skip]).run():
            return False
        rng = random.Random(args.seed)
        plan, label = ["after-reboot", "work"], ""
        for n in range(1, args.cuts + 1):
            if not Boot(self, plan, label, self.promises.expected()).run_and_cut(rng, n % 2 == 1):
                return False
            plan, label = ["recovered", "work"], "after cut %d" % n
        plan = ["recovered"] if args.cuts else ["after-reboot"]
        return Boot(self, plan + LAST, label, self.promises.expected()).run()

    def clean(self, keep):
        if keep:
            Tap.note("kept: %s and %s" % (self.dir, self.out))
            return
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)


def end_by_signal(number, _):
    raise SystemExit("vm.py: ended by signal %d" % number)  # so that every `finally` is gone through


def main():
    words = lambda s: s.split(",")
    p = argparse.ArgumentParser(description="gorae in a virtual machine")
    p.add_argument("build")
    p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="of the power cuts")
    p.add_argument("--cuts", type=int, default=2, help="one at random, one at once after an acknowledgement, and so on")
    p.add_argument("--only", type=words, default=[], help="after install, run these scripts in one boot")
    p.add_argument("--skip", type=words, default=[], help="leave these out of the first boot")
    p.add_argument("--bats", type=words, default=[], help="after install, run these files of tests/e2e in one boot")
    p.add_argument("--keep", action="store_true", help="keep disk and consoles")
    args = p.parse_args()
    if os.uname().machine != "x86_64":
        print("ok 1 vm # skip the guest is an x86_64 machine, and this host is not\n1..1")
        return 0
    signal.signal(signal.SIGTERM, end_by_signal)
    signal.signal(signal.SIGINT, end_by_signal)
    lane = Lane(args)
    try:
        Tap.note("seed %d (again with: vm.py BUILD --seed %d)" % (args.seed, args.seed))
        whole = lane.boots(args)
    finally:
        lane.clean(args.keep)
    print("1..%d" % lane.tap.n)
    return 0 if whole and not lane.tap.failed else 1


if __name__ == "__main__":
    sys.exit(main())
