#!/usr/bin/env python3
"""Kill gorae at every named fault point, start it again, and judge what is there.

    fault.py BUILD [--most N] [POINT...]

The points are the FAULT("...") marks in the sources. For each, and for the 1st, 2nd, ... Nth time that it is reached, a
fresh daemon goes through one scenario of creating, starting, stopping and removing; at the point the process dies with
SIGKILL. A new daemon, without the fault, must then start at once, and everything on the machine must belong to a record
and every record must be true. A point that the scenario never reaches is a failure too. Output is TAP.
"""
import glob, hashlib, http.client, io, json, os, re, shutil, signal, socket, subprocess, sys, tarfile, tempfile, time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TMP_LEFT = re.compile(r"\.tmp-[0-9a-f]{8}$")


class Conn(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("d", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


class World:
    """One data root, one exec root, and the daemons that live on them in turn."""

    def __init__(self, build):
        self.bin = os.path.join(build, "bin")
        self.dir = tempfile.mkdtemp(prefix="gorae-fault.", dir="/tmp")
        self.sock = self.dir + "/s"
        self.cgroup = "/gorae-" + re.sub(r"\W", "", os.path.basename(self.dir))
        self.fault_log = self.dir + "/faults"
        self.proc = None

    def start(self, fault=None):
        env = dict(os.environ)
        env.pop("GORAE_FAULT", None)
        if fault:
            env["GORAE_FAULT"] = fault
        env["GORAE_FAULT_LOG"] = self.fault_log
        began = time.time()
        with open(self.dir + "/log", "ab") as log:
            self.proc = subprocess.Popen(
                [self.bin + "/goraed", "-H", "unix://" + self.sock, "--data-root", self.dir + "/data", "--exec-root",
                 self.dir + "/exec", "--pidfile", self.dir + "/pid", "--cgroup-parent", self.cgroup],
                stdout=log, stderr=log, env=env, close_fds=True)
        while time.time() - began < 10:
            if self.proc.poll() is not None:
                return None
            try:
                if self.call("GET", "/_ping")[0] == 200:
                    return time.time() - began
            except OSError:
                time.sleep(0.01)
        return None

    def call(self, method, path, body=None, kind="application/json"):
        c = Conn(self.sock)
        try:
            headers = {"Content-Type": kind} if body is not None else {}
            if isinstance(body, dict):
                body = json.dumps(body).encode()
            c.request(method, path, body, headers)
            r = c.getresponse()
            data = r.read()
            try:
                return r.status, json.loads(data)
            except ValueError:
                return r.status, data
        except http.client.HTTPException as e:
            raise OSError(str(e))
        finally:
            c.close()

    def try_call(self, *a, **k):
        try:
            return self.call(*a, **k)
        except OSError:
            return 0, None

    def stop(self):
        if self.proc and self.proc.poll() is None:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(60)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
                return False
        return True

    def mounts(self):
        with open("/proc/self/mounts") as f:
            return [l.split()[1] for l in f if self.dir in l.split()[1]]

    def processes(self, name):
        found = []
        for p in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(p, "rb") as f:
                    argv = f.read().split(b"\0")
            except OSError:
                continue
            if os.path.basename(argv[0].decode(errors="replace")) == name and any(self.dir.encode() in a for a in argv):
                found.append((int(p.split("/")[2]), [a.decode(errors="replace") for a in argv]))
        return found

    def cgroups(self):
        out = set()
        for top in glob.glob("/sys/fs/cgroup/*" + self.cgroup) + glob.glob("/sys/fs/cgroup" + self.cgroup):
            out.update(d for d in os.listdir(top) if os.path.isdir(top + "/" + d))
        return out

    def group_says(self, container, controller, v1, v2):
        """What a file of the container's cgroup holds, for either version."""
        one = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
        path = "/sys/fs/cgroup%s%s/%s/%s" % ("" if one else "/" + controller, self.cgroup, container, v2 if one else v1)
        with open(path) as f:
            return f.read().strip()

    def clean(self):
        for m in sorted(self.mounts(), reverse=True):
            subprocess.run(["umount", "-l", m], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def scenario(w, tar, second):
    """What a lively minute looks like. Returns what was acknowledged, as (kind, value) facts still true at the end."""
    sure = {}
    if w.try_call("POST", "/images/create?fromSrc=-&repo=busybox:latest", tar, "application/x-tar")[0] == 200:
        sure["image"] = "busybox"
    # c1 writes a line into each of its log's files
    logs = {"Type": "json-file", "Config": {"max-size": "60", "max-file": "5"}}
    for i, cmd in enumerate((["sleep", "1000"], ["sh", "-c", "seq 1 4; exit 3"])):
        name = "c%d" % i
        host = {"LogConfig": logs} if i else {}
        status, made = w.try_call("POST", "/containers/create?name=" + name, {"Image": "busybox", "Cmd": cmd, "HostConfig": host})
        if status == 201:
            sure[name] = made["Id"]
        if w.try_call("POST", "/containers/%s/start" % name)[0] == 204:
            sure[name + ".started"] = True
    w.try_call("POST", "/containers/c1/wait")
    # one exec that ends, and one that the container's end will end
    for cmd in (["sh", "-c", "exit 4"], ["sleep", "1000"]):
        status, made = w.try_call("POST", "/containers/c0/exec", {"Cmd": cmd, "AttachStdout": True})
        if status == 201:
            attached = cmd[0] == "sh"
            status, _ = w.try_call("POST", "/exec/%s/start" % made["Id"], {"Detach": not attached})
            if status == 200 and attached:
                status, x = w.try_call("GET", "/exec/%s/json" % made["Id"])
                for _ in range(100):  # a shim that died told nobody: the daemon sees the end of its socket, and reads the record
                    if status != 200 or not x["Running"]:
                        break
                    time.sleep(0.02)
                    status, x = w.try_call("GET", "/exec/%s/json" % made["Id"])
                if status == 200 and x["ExitCode"] not in (4, 126, 137):
                    sure["exec"] = "an exec ended with 4, and is said to have ended with %s" % x["ExitCode"]
    if w.try_call("POST", "/containers/c0/stop?t=0")[0] == 204:
        sure["c0.stopped"] = True
    if w.try_call("POST", "/containers/c0/start")[0] == 204:
        sure.pop("c0.stopped", None)
        sure["c0.running"] = True
    w.try_call("POST", "/containers/c0/pause")
    w.try_call("POST", "/containers/c0/unpause")
    w.try_call("POST", "/containers/c0/restart?t=0")
    if w.try_call("POST", "/containers/c0/update", {"PidsLimit": 77})[0] == 200:
        sure["c0.pids"] = 77
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}}
    status, made = w.try_call("POST", "/containers/create?name=again", {"Image": "busybox", "Cmd": ["false"], "HostConfig": policy})
    if status == 201:
        sure["again"] = made["Id"]
        if w.try_call("POST", "/containers/again/start")[0] == 204:
            sure["again.started"] = True
        w.try_call("POST", "/containers/again/wait")
    status, made = w.try_call("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"], "HostConfig": {"AutoRemove": True}})
    if status == 201:
        sure["rm"] = made["Id"]
        w.try_call("POST", "/containers/%s/start" % made["Id"])
        w.try_call("POST", "/containers/%s/wait?condition=removed" % made["Id"])
    w.try_call("POST", "/containers/create?name=pruned", {"Image": "busybox", "Cmd": ["true"], "Labels": {"prune": ""}})
    w.try_call("POST", "/containers/prune?filters=%7B%22label%22%3A%5B%22prune%22%5D%7D")
    status, _ = w.try_call("POST", "/containers/create?name=gone", {"Image": "busybox", "Cmd": ["true"]})
    if status == 201 and w.try_call("DELETE", "/containers/gone")[0] == 204:
        sure["removed"] = "gone"
    if w.try_call("POST", "/images/busybox/tag?repo=other&tag=v1")[0] == 201:
        sure["tag"] = "other:v1"
    status, data = w.try_call("GET", "/images/get?names=other:v1")
    if status == 200 and isinstance(data, bytes):
        w.try_call("POST", "/images/load", data, "application/x-tar")
    copies_and_commits(w, second, sure)
    sure.pop("tag", None)  # from here on it may be gone, answered or not
    w.try_call("DELETE", "/images/other:v1")
    w.try_call("POST", "/images/create?fromSrc=-&repo=second:latest", second, "application/x-tar")
    if w.try_call("DELETE", "/images/second")[0] == 200:
        sure["no second"] = True
    return sure


def copies_and_commits(w, tar, sure):
    """Files into a container that has ended and out of one that runs; an image of the latter, which is paused for it."""
    if w.try_call("PUT", "/containers/c1/archive?path=/tmp", tar, "application/x-tar")[0] == 200:
        sure["copied"] = "c1"
    w.try_call("GET", "/containers/c0/archive?path=/etc")
    w.try_call("GET", "/containers/c0/changes")
    if w.try_call("POST", "/commit?container=c0&repo=committed", {})[0] == 201:
        sure["committed"] = "committed"


def judge(w, sure, took):
    """The invariants, from outside. Returns a list of sentences, empty where all is well."""
    bad = []
    if took > 2:
        bad.append("the daemon took %.1f s to start" % took)
    status, all_ = w.call("GET", "/containers/json?all=1")
    by_id = {c["Id"]: c for c in all_}
    running = {i for i, c in by_id.items() if c["State"] in ("running", "paused")}
    # every record has what it says
    for i in running:
        status, c = w.call("GET", "/containers/%s/json" % i)
        if status != 200:
            bad.append("%s is listed, and inspecting it answers %d" % (i[:12], status))
            continue
        if not os.path.exists("/proc/%d" % c["State"]["Pid"]):
            bad.append("%s is said to run, and pid %d is not there" % (i[:12], c["State"]["Pid"]))
        if w.dir + "/data/containers/%s/rootfs" % i not in w.mounts():
            bad.append("%s runs without its mount" % i[:12])
        frozen = w.group_says(i, "freezer", "freezer.state", "cgroup.freeze")[:1] in ("F", "1")
        if frozen != c["State"]["Paused"]:
            bad.append("%s: paused is %s, and the freezer says otherwise" % (i[:12], c["State"]["Paused"]))
        # an update reaches record and kernel, or neither
        limit = c["HostConfig"]["PidsLimit"] or "max"
        if w.group_says(i, "pids", "pids.max", "pids.max") != str(limit):
            bad.append("%s: the record limits processes to %s, the kernel does not" % (i[:12], limit))
    # everything there belongs to a record
    for m in w.mounts():
        if not any(i in m for i in running):
            bad.append("mount %s belongs to no running container" % m)
    for pid, argv in w.processes("gorae-shim"):
        if not any(i in " ".join(argv) for i in running):
            bad.append("shim %d belongs to no running container" % pid)
    shims = " ".join(" ".join(argv) for _, argv in w.processes("gorae-shim"))
    for d in glob.glob(w.dir + "/exec/containers/*/exec/*"):
        if d not in shims:
            bad.append("exec folder %s has no shim" % os.path.basename(d)[:12])
        elif w.call("GET", "/exec/%s/json" % os.path.basename(d))[0] != 200:
            bad.append("exec %s runs, and the daemon does not know it" % os.path.basename(d)[:12])
    for name in ("gorae-runtime", "gorae-archive"):
        for pid, argv in w.processes(name):
            bad.append("%s %d still runs" % (name, pid))
    for g in w.cgroups():
        if g not in running:
            bad.append("cgroup %s belongs to no running container" % g[:12])
    for d in os.listdir(w.dir + "/exec/containers"):
        if d not in running:
            bad.append("run folder %s belongs to no running container" % d[:12])
    for d in os.listdir(w.dir + "/data/containers"):
        if d not in by_id:
            bad.append("folder containers/%s has no container" % d[:20])
    for root, dirs, files in os.walk(w.dir + "/data"):
        dirs[:] = [d for d in dirs if d not in ("diff", "upper", "rootfs", "work")]
        bad += ["temporary %s was left" % os.path.join(root, f) for f in files if TMP_LEFT.search(f)]
    if os.listdir(w.dir + "/data/quarantine"):
        bad.append("something was quarantined: %s" % os.listdir(w.dir + "/data/quarantine"))
    staging = w.dir + "/data/images/staging"
    if os.path.isdir(staging) and os.listdir(staging):
        bad.append("staging folders were left")
    for blob in glob.glob(w.dir + "/data/images/blobs/sha256/*"):
        with open(blob, "rb") as f:
            if hashlib.sha256(f.read()).hexdigest() != os.path.basename(blob):
                bad.append("blob %s is not what its name says" % os.path.basename(blob)[:12])
    bad += judge_promises(w, sure, by_id)
    return bad


def look(w, sure, took):
    """judge(), where a thing that went while it was looked at is one more sentence: who calls looks again."""
    try:
        return judge(w, sure, took)
    except FileNotFoundError as e:
        return ["%s was named, and is not there" % e.filename]


def judge_promises(w, sure, by_id):
    """What was acknowledged is there."""
    bad = [sure["exec"]] if "exec" in sure else []
    if "image" in sure and w.call("GET", "/images/busybox/json")[0] != 200:
        bad.append("the acknowledged image is lost")
    for name in ("c0", "c1"):
        if name in sure and sure[name] not in by_id:
            bad.append("acknowledged container %s is lost" % name)
    if "c1.started" in sure and "c1" in sure:
        _, c = w.call("GET", "/containers/c1/json")
        if c["State"]["Status"] != "exited" or c["State"]["ExitCode"] not in (3, 137):
            bad.append("c1 ended with 3, and is %s (%s)" % (c["State"]["Status"], c["State"]["ExitCode"]))
    if "again.started" in sure:
        w.call("POST", "/containers/again/wait")
        _, c = w.call("GET", "/containers/again/json")
        if c["State"]["Status"] != "exited" or c["RestartCount"] != 1 or c["State"]["ExitCode"] not in (1, 137, 255):
            bad.append("a failure that its policy repeats once: %s, %d" % (c["State"], c["RestartCount"]))
    if "c1" in sure:
        status, text = w.call("GET", "/containers/c1/logs?stdout=1")
        lines = re.findall(rb"\d", re.sub(rb"\x01\0\0\0....", b"", text)) if status == 200 else None
        whole = w.call("GET", "/containers/c1/json")[1]["State"]["ExitCode"] == 3  # its shim lived to its end
        if lines is None or lines != [b"1", b"2", b"3", b"4"][: 4 if whole and "c1.started" in sure else len(lines)]:
            bad.append("the log of c1: %s %s" % (status, text))
    if "c0.pids" in sure and w.call("GET", "/containers/c0/json")[1]["HostConfig"]["PidsLimit"] != sure["c0.pids"]:
        bad.append("an acknowledged update is lost")
    if "rm" in sure and sure["rm"] in by_id and by_id[sure["rm"]]["State"] not in ("created", "running"):
        bad.append("--rm was not honoured: %s" % by_id[sure["rm"]]["Status"])
    if "removed" in sure and any("/gone" in c["Names"] for c in by_id.values()):
        bad.append("an acknowledged removal came back")
    if "copied" in sure and "c1" in sure and w.call("GET", "/containers/c1/archive?path=/tmp/alone")[0] != 200:
        bad.append("an acknowledged file is not in the container")
    if "committed" in sure and w.call("GET", "/images/committed/json")[0] != 200:
        bad.append("an acknowledged commit is lost")
    if "no second" in sure and w.call("GET", "/images/second/json")[0] != 404:
        bad.append("an acknowledged removal of an image came back")
    if "tag" in sure and w.call("GET", "/images/other:v1/json")[0] != 200:
        bad.append("an acknowledged tag is lost")
    return bad


def goes_on(w, tar):
    """Everything can still be used, and taken away."""
    bad = []
    if w.call("GET", "/images/busybox/json")[0] != 200:
        if w.call("POST", "/images/create?fromSrc=-&repo=busybox:latest", tar, "application/x-tar")[0] != 200:
            bad.append("the image cannot be imported again")
    w.call("POST", "/containers/c0/unpause")  # where it was left paused; else that is refused
    for name in ("c0", "c1"):
        status, _ = w.call("POST", "/containers/create?name=" + name, {"Image": "busybox", "Cmd": ["true"]})
        if status not in (201, 409):
            bad.append("create %s again: %d" % (name, status))
        status, msg = w.call("POST", "/containers/%s/start" % name)
        if status not in (204, 304):
            bad.append("start %s: %d %s" % (name, status, msg))
    _, all_ = w.call("GET", "/containers/json?all=1")
    for c in all_:
        status, msg = w.call("DELETE", "/containers/%s?force=1" % c["Id"])
        if status not in (204, 404):
            bad.append("rm %s: %d %s" % (c["Id"][:12], status, msg))
    if not w.stop():
        bad.append("the daemon does not stop")
    time.sleep(0.05)
    bad += ["mount %s was left" % m for m in w.mounts()]
    bad += ["cgroup %s was left" % g for g in w.cgroups()]
    bad += ["shim %d was left" % p for p, _ in w.processes("gorae-shim")]
    return bad


def one(build, point, nth, tar, second):
    """@return (reached, sentences)"""
    w = World(build)
    try:
        first = w.start("%s#%d:kill" % (point, nth))
        sure = scenario(w, tar, second) if first is not None else {}
        reached = os.path.exists(w.fault_log)
        if first is None and not reached:
            return True, ["the daemon did not start, and not because of the fault"]
        if not reached:
            w.stop()
            return False, []
        time.sleep(0.1)
        if w.proc.poll() is None:  # a shim or a worker died, not the daemon: take the fault away with the daemon
            w.proc.kill()
            w.proc.wait()
        took = w.start()
        if took is None:
            with open(w.dir + "/log") as f:
                return True, ["the daemon does not start again: " + f.read()[-300:]]
        # the ends of processes that were under way are seen a moment later
        for _ in range(30):
            bad = look(w, sure, took)
            if not bad:
                break
            time.sleep(0.1)
        return True, bad + goes_on(w, tar)
    finally:
        if w.proc and w.proc.poll() is None:
            w.proc.kill()
            w.proc.wait()
        for pid, _ in w.processes("gorae-shim"):
            os.kill(pid, signal.SIGKILL)
        w.clean()


def tiny_tar():
    """A root file system of one file: an image whose layer nobody shares."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        info = tarfile.TarInfo("alone")
        info.size = 5
        t.addfile(info, io.BytesIO(b"alone"))
    return out.getvalue()


def points():
    found = set()
    for f in glob.glob(REPO + "/src/*/*.c"):
        with open(f) as src:
            found.update(re.findall(r'FAULT\("([^"]+)"\)', src.read()))
    return sorted(found)


def main(argv):
    build = os.path.abspath(argv[0])
    most = 2
    rest = argv[1:]
    if rest[:1] == ["--most"]:
        most, rest = int(rest[1]), rest[2:]
    tar = subprocess.run([REPO + "/tests/payload/make-busybox.sh"], check=True, stdout=subprocess.PIPE).stdout
    second = tiny_tar()
    n = failed = 0
    for point in rest or points():
        for nth in range(1, most + 1):
            reached, bad = one(build, point, nth, tar, second)
            if not reached and nth > 1:
                break
            n += 1
            if not reached:
                bad = ["the scenario never reaches it"]
            print("%s %d fault %s, time %d" % ("not ok" if bad else "ok", n, point, nth), flush=True)
            for b in bad:
                print("#   " + b, flush=True)
            failed += bool(bad)
    print("1..%d" % n)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
