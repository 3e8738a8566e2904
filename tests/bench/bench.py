#!/usr/bin/env python3
"""Measure gorae and its peers side by side; called by bench.sh. Prints a table, writes bench.csv and bench.svg."""
import csv, json, os, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

import many

BUILD, RUNS, OUT = os.path.abspath(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORK = tempfile.mkdtemp(prefix="gorae-bench.", dir="/tmp")
NULL = subprocess.DEVNULL
# What is to be reached, by the name of the measure.
TARGETS = {"daemon start to first answer": 30, "memory of the daemon, idle (RSS)": 4, "run --rm busybox true, wall": 12,
           "ps with one container, wall": 2, "exec one true, wall": 8, "COMMAND --help, wall": 2, "memory of a shim (PSS)": 0.5}
RUN = WORK + "/run"  # a tmpfs, for what both engines keep in /run, which is one on every machine with systemd
DISK = WORK + "/disk"  # for all that they keep elsewhere


def ping(path, timeout=30):
    """Seconds until the socket answers."""
    began = time.perf_counter()
    while time.perf_counter() - began < timeout:
        try:
            s = socket.socket(socket.AF_UNIX)
            s.connect(path)
            s.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
            if s.recv(100).startswith(b"HTTP/1.1 200"):
                return time.perf_counter() - began
        except OSError:
            time.sleep(0.0005)
        finally:
            s.close()
    raise SystemExit("%s does not answer" % path)


def rss(pid, key="VmRSS"):
    """MiB."""
    with open("/proc/%d/status" % pid) as f:
        return int(re.search(key + r":\s+(\d+)", f.read()).group(1)) / 1024


def pss(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return int(re.search(r"Pss:\s+(\d+)", f.read()).group(1)) / 1024


def pids(name, word):
    found = []
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open("/proc/%s/cmdline" % p, "rb") as f:
                    argv = f.read().split(b"\0")
            except OSError:
                continue
            if os.path.basename(argv[0].decode(errors="replace")) == name and any(word.encode() in a for a in argv):
                found.append(int(p))
    return found


class Engine:
    def __init__(self, name, client, daemon, sock, shim):
        self.name, self.client, self.daemon, self.sock, self.shim = name, client, daemon, sock, shim
        self.proc = None
        self.env = dict(os.environ, GORAE_HOST="unix://" + sock, DOCKER_HOST="unix://" + sock)

    running = []

    def up(self):
        Engine.running.append(self)
        self.proc = subprocess.Popen(self.daemon, stdout=NULL, stderr=NULL, env=self.env)
        return ping(self.sock)

    def down(self):
        Engine.running.remove(self)
        self.proc.send_signal(signal.SIGTERM)
        self.proc.wait(60)
        for _ in range(200):
            if not os.path.exists(self.sock):
                break
            time.sleep(0.01)

    def run(self, *argv, **kw):
        return subprocess.run([self.client, *argv], env=self.env, stdout=NULL, stderr=subprocess.PIPE, check=True, **kw)

    def timed(self, *argv):
        r = subprocess.run([BUILD + "/payload/stopwatch", self.client, *argv], env=self.env, stdout=subprocess.PIPE, check=True)
        return float(r.stdout)


class Podman(Engine):
    """No daemon: each command does the whole work, and conmon stays with a container. Its usual limits cannot be set on a machine
    without CAP_SYS_RESOURCE, so it gets smaller ones."""

    def __init__(self):
        super().__init__("podman", "podman", None, "", "conmon")
        self.always = ["podman", "--root", DISK + "/p", "--runroot", RUN + "/p", "--tmpdir", RUN + "/p.tmp", "--cgroup-manager",
                       "cgroupfs", "--events-backend", "none", "--log-level", "error"]
        self.always += ["--runtime", "runc"] if shutil.which("runc") else []

    def words(self, argv):
        own = {"run": ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"], "rm": ["-t", "0"]}
        return [*self.always, argv[0], *own.get(argv[0], []), *argv[1:]]

    def run(self, *argv, **kw):
        return subprocess.run(self.words(argv), stdout=NULL, stderr=subprocess.PIPE, check=True, **kw)

    def timed(self, *argv):
        r = subprocess.run([BUILD + "/payload/stopwatch", *self.words(argv)], stdout=subprocess.PIPE, stderr=NULL, check=True)
        return float(r.stdout)


def podman(tar):
    """[it], where it is installed and can run a container."""
    e = Podman()
    try:
        e.run("import", "--change", 'CMD ["sh"]', tar, "busybox:latest")
        e.run("run", "--rm", "--network", "none", "busybox", "true")
        return [e]
    except FileNotFoundError:
        return []
    except subprocess.CalledProcessError as x:
        print("podman cannot run a container on this machine (%s), so it is left out" % x.stderr.decode().strip().split("\n")[-1])
        return []


def engines(tar):
    s = WORK + "/g.sock"
    out = [Engine("gorae", BUILD + "/bin/gorae", [BUILD + "/bin/goraed", "-H", "unix://" + s, "--data-root", DISK + "/g", "--exec-root",
                  RUN + "/g", "--pidfile", WORK + "/g.pid", "--cgroup-parent", "/gorae-bench"], s, "gorae-shim")]
    if shutil.which("dockerd") and shutil.which("docker") and shutil.which("containerd"):
        s = WORK + "/d.sock"
        out.append(Engine("docker", "docker", ["dockerd", "-H", "unix://" + s, "--data-root", DISK + "/d", "--exec-root", RUN + "/d",
                          "--pidfile", WORK + "/d.pid", "--bridge=none", "--iptables=false"], s, "containerd-shim-runc-v2"))
    return out


def story(engine, *argv):
    """Where the time of a command goes: its longest spans, which may lie one in another or side by side."""
    r = subprocess.run([engine.client, "--explain=json", *argv], env=engine.env, stdout=subprocess.PIPE, stderr=NULL, check=True)
    spans = sorted(json.loads(r.stdout), key=lambda s: s["start"] - s["end"])
    return "; ".join("%s: %s %.1f ms" % (s["prog"], s["what"], (s["end"] - s["start"]) / 1e6) for s in spans[:8])


def missed(rows, stories):
    """A line for each measure that does not reach what it should."""
    for name, unit, values, _ in rows:
        if values.get("gorae", 0) > TARGETS.get(name, float("inf")):
            print("missed: %s: %.2f %s, to reach: %g. %s" % (name, values["gorae"], unit, TARGETS[name], stories.get(name, "")))


def table(rows, peers):
    head = ["measure", "unit", "gorae", *peers, *["%s / gorae" % p for p in peers], "gorae / floor"]
    print("  ".join(h.rjust(14) if i else h.ljust(34) for i, h in enumerate(head)))
    with open(OUT + "/bench.csv", "w", newline="") as f:
        w = csv.writer(f)
        w.writerow(head)
        for name, unit, values, floor in rows:
            ours = values.get("gorae")
            line = [name, unit, "%.2f" % ours if ours is not None else "-"]
            line += ["%.2f" % values[p] if p in values else "-" for p in peers]
            line += ["%.1f" % (values[p] / ours) if p in values and ours else "-" for p in peers]
            line.append("%.1f" % (ours / floor) if floor and ours else "-")
            w.writerow(line)
            print("  ".join(c.rjust(14) if i else c.ljust(34) for i, c in enumerate(line)))


def plot(rows, peers):
    """One bar chart a measure, drawn by hand: a bar is as long as its value, on its own scale."""
    h, y, body = 18, 10, []
    colour = {"gorae": "#1f77b4", "floor": "#888888"}
    for name, unit, values, floor in rows:
        body.append('<text x="10" y="%d" font-weight="bold">%s (%s)</text>' % (y + 12, name, unit))
        y += 20
        bars = dict(values, **({"floor": floor} if floor else {}))
        top = max(bars.values()) or 1
        for who, v in bars.items():
            body.append('<text x="10" y="%d">%s</text><rect x="110" y="%d" width="%.1f" height="12" fill="%s"/><text x="%.1f" y="%d">%.2f</text>'
                        % (y + 11, who, y + 1, 480 * v / top, colour.get(who, "#d98f3d"), 116 + 480 * v / top, y + 11, v))
            y += h
        y += 12
    with open(OUT + "/bench.svg", "w") as f:
        f.write('<svg xmlns="http://www.w3.org/2000/svg" width="700" height="%d" font-family="sans-serif" font-size="12">'
                '<rect width="100%%" height="100%%" fill="white"/>%s</svg>\n' % (y, "".join(body)))


def runtimes():
    """create, start and delete of an OCI runtime alone, on one bundle, in ms."""
    names = {"gorae": BUILD + "/bin/gorae-runtime", **{n: shutil.which(n) for n in ("runc", "crun") if shutil.which(n)}}
    bundle = WORK + "/bundle"
    os.makedirs(bundle + "/rootfs/bin")
    shutil.copy(shutil.which("busybox"), bundle + "/rootfs/bin/true")
    subprocess.run([names["gorae"], "spec", "--bundle", bundle], check=True)
    with open(bundle + "/config.json") as f:
        spec = json.load(f)
    spec["process"].update(terminal=False, args=["/bin/true"])
    with open(bundle + "/config.json", "w") as f:
        json.dump(spec, f)
    took = {n: [] for n in names}

    def once(n, i):
        began = time.perf_counter()
        for verb in (["create", "--bundle", bundle], ["start"], ["delete", "--force"]):
            argv = [names[n], "--root", RUN + "/runtime-" + n, *verb, "bench-%d" % i]
            subprocess.run(argv, stdin=NULL, stdout=NULL, stderr=NULL, check=True)
        took[n].append((time.perf_counter() - began) * 1000)

    for n in list(took):
        try:
            once(n, 0)
        except subprocess.CalledProcessError as e:
            print("%s cannot run a container on this machine (%s), so it is left out" % (n, " ".join(map(str, e.cmd[3:4]))))
            del took[n]
    for i in range(1, RUNS + 2):
        for n in took:
            once(n, i)
    return {n: statistics.median(v[2:]) for n, v in took.items()}


def memory(e):
    """MiB of all of an engine's processes together (PSS: what they share is counted once)."""
    shims = pids(e.shim, WORK if e.name == "gorae" else "moby")
    others = pids("containerd", WORK) if e.name == "docker" else []
    return sum(pss(p) for p in [e.proc.pid, *shims, *others])


def crowd(all_, rows):
    """What takes many containers or many bytes. BENCH_MANY and BENCH_LOG_MB make it smaller, to try the bench itself."""
    number, megabytes = int(os.environ.get("BENCH_MANY", 1000)), int(os.environ.get("BENCH_LOG_MB", 200))
    hundred = max(2, number // 10)
    rows.append(("logs of %d MB" % megabytes, "s", {e.name: many.logs(e, megabytes) for e in all_}, None))
    rows.append(("%d in a row: start, stop, rm" % hundred, "s", {e.name: many.in_a_row(e, hundred) for e in all_}, None))
    up, down, each = {}, {}, {}
    for e in all_:
        up[e.name], down[e.name], each[e.name] = many.at_once(e, hundred, memory)
    rows.append(("%d at once: start" % hundred, "s", up, None))
    rows.append(("%d at once: rm -f" % hundred, "s", down, None))
    rows.append(("memory a container, of %d" % hundred, "MiB", each, None))
    ours = all_[0]
    created = many.create(ours, number)
    for e in all_[1:]:
        many.create_quickly(e, number)
    rows.append(("ps -a with %d containers, wall" % number, "ms", {e.name: many.ps(e, min(RUNS, 9)) for e in all_}, None))
    started, alone = many.start(ours, number)
    for e in all_:
        many.remove(e, number)
    rows.append(("create: last tenth / first tenth", "times", {"gorae": many.slope(created)}, None))
    rows.append(("start: last tenth / first tenth", "times", {"gorae": many.slope(started)}, None))
    rows.append(("start --help, beside each of them", "times", {"gorae": many.slope(alone)}, None))
    with open(OUT + "/more.csv", "w", newline="") as f:
        csv.writer(f).writerows([("containers before", "create ms", "start ms", "start --help ms"), *zip(range(number), created, started, alone)])
    curves = [("create", created), ("start", started), ("start --help (no container)", alone)]
    many.plot(OUT + "/more.svg", [(name, many.buckets(took)) for name, took in curves], number)


def mount_disk():
    """An ext4 with a journal, as people's machines have. Throw-away machines may have none, and there ext4 looks at each inode that
    was deleted in the last minutes before it gives it out again (fs/ext4/ialloc.c, recently_deleted()): half of `run` would be that."""
    os.mkdir(DISK)
    with open(WORK + "/disk.img", "wb") as f:
        f.truncate(8 << 30)
    whole = ["-E", "lazy_itable_init=0,lazy_journal_init=0"]  # else the kernel would go on with it while we measure
    try:
        for command in (["mkfs.ext4", "-q", "-F", *whole, WORK + "/disk.img"], ["mount", "-o", "loop", WORK + "/disk.img", DISK]):
            subprocess.run(command, stdout=NULL, stderr=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        print("no disk of its own, so the folder's is used: %s" % e)


def main():
    os.mkdir(RUN)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", RUN], check=True)
    mount_disk()
    tar = WORK + "/busybox.tar"
    with open(tar, "wb") as f:
        subprocess.run([REPO + "/tests/payload/make-busybox.sh"], stdout=f, check=True)
    all_ = engines(tar)
    rows = []
    starts = {e.name: [] for e in all_}
    for i in range(5):
        for e in all_:
            if i < 3 or e.name == "gorae":
                for p in (DISK + "/g", RUN + "/g"):
                    if e.name == "gorae":
                        shutil.rmtree(p, ignore_errors=True)
                starts[e.name].append(e.up() * 1000)
                e.down()
    rows.append(("daemon start to first answer", "ms", {k: statistics.median(v) for k, v in starts.items()}, None))
    for e in all_:
        e.up()
        e.run("import", "--change", 'CMD ["sh"]', tar, "busybox:latest")
    time.sleep(0.5)
    idle = {e.name: rss(e.proc.pid) for e in all_}
    for e in all_:
        if e.name == "docker":
            idle["docker"] += sum(rss(p) for p in pids("containerd", WORK))
    rows.append(("memory of the daemon, idle (RSS)", "MiB", idle, None))

    floor = []
    alone = podman(tar)
    took = {e.name: [] for e in all_ + alone}
    for i in range(RUNS + 2):
        for e in all_ + alone:
            if e.name == "gorae" or i < 9:
                t = e.timed("run", "--rm", "--network", "none", "busybox", "true")
                if i >= 2:
                    took[e.name].append(t)
        if os.path.exists(BUILD + "/payload/floor"):
            r = subprocess.run([BUILD + "/payload/floor", DISK], stdout=subprocess.PIPE, text=True, check=True)
            floor.append(float(r.stdout))
    least = statistics.median(floor) if floor else None
    stories = {"run --rm busybox true, wall": story(all_[0], "run", "--rm", "--network", "none", "busybox", "true")}
    rows.append(("run --rm busybox true, wall", "ms", {k: statistics.median(v) for k, v in took.items()}, least))

    for e in all_ + alone:
        e.run("run", "-d", "--name", "one", "--network", "none", "busybox", "sleep", "1000")
    took = {e.name: [] for e in all_ + alone}
    for i in range(RUNS + 2):
        for e in all_ + alone:
            t = e.timed("ps")
            if i >= 2:
                took[e.name].append(t)
    stories["ps with one container, wall"] = story(all_[0], "ps")
    rows.append(("ps with one container, wall", "ms", {k: statistics.median(v) for k, v in took.items()}, None))
    took = {e.name: [] for e in all_ + alone}
    for i in range(RUNS + 2):
        for e in all_ + alone:
            if e.name == "gorae" or i < 9:
                t = e.timed("exec", "one", "true")
                if i >= 2:
                    took[e.name].append(t)
    stories["exec one true, wall"] = story(all_[0], "exec", "one", "true")
    rows.append(("exec one true, wall", "ms", {k: statistics.median(v) for k, v in took.items()}, None))
    took = []
    for i in range(RUNS):
        took.append(all_[0].timed("run", "--help"))
    rows.append(("COMMAND --help, wall", "ms", {"gorae": statistics.median(took)}, None))
    time.sleep(1.5)  # until a shim that has nothing to do has given its memory back
    rows.append(("memory of a shim (PSS)", "MiB", {e.name: statistics.mean([pss(p) for p in pids(e.shim, "moby" if e.name == "docker" else WORK)] or [0])
                                                   for e in all_ + alone}, None))
    for e in all_ + alone:
        e.run("rm", "-f", "one")
    for e in all_:
        e.down()
    rows.append(("OCI runtime: create, start, delete", "ms", runtimes(), least))
    for e in all_:
        e.up()
    crowd(all_, rows)
    for e in all_:
        e.down()
    peers = [e.name for e in all_ + alone if e.name != "gorae"]
    peers += sorted({n for row in rows for n in row[2]} - {"gorae", *peers})
    table(rows, peers)
    plot(rows, peers)
    print()
    missed(rows, stories)
    print("written: %s/bench.csv, bench.svg, more.csv, more.svg (medians of %d runs)" % (os.path.relpath(OUT), RUNS))


try:
    main()
finally:
    for e in Engine.running[:]:
        e.down()
    for m in [l.split()[1] for l in open("/proc/self/mounts") if WORK in l.split()[1]][::-1]:
        subprocess.run(["umount", "-l", m], check=False)
    shutil.rmtree(WORK, ignore_errors=True)
