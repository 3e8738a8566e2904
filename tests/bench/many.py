"""The measures of bench.py that take many containers or many bytes: logs, a hundred in a row and at once, a thousand in a list,
and what one more costs. Each takes an engine of bench.py whose daemon is up and has the image busybox."""
import concurrent.futures, os, statistics, subprocess, time

QUIET = ["--network", "none"]


def logs(engine, megabytes):
    """Seconds in which `logs` hands out so many MB that a container has written."""
    lines = megabytes * 1000000 // 100
    engine.run("run", "-d", "--name", "talks", *QUIET, "busybox", "sh", "-c", "yes %s | head -n %d" % ("x" * 99, lines))
    engine.run("wait", "talks")
    began = time.perf_counter()
    out = subprocess.Popen([engine.client, "logs", "talks"], env=engine.env, stdout=subprocess.PIPE)
    got = 0
    while part := out.stdout.read(1 << 20):
        got += len(part)
    took = time.perf_counter() - began
    assert out.wait() == 0 and got == lines * 100, "%s: %d bytes of %d came" % (engine.name, got, lines * 100)
    engine.run("rm", "talks")
    return took


def _names(n):
    return ["many%d" % i for i in range(n)]


def _start(engine, name):
    engine.run("run", "-d", "--name", name, *QUIET, "busybox", "sleep", "1000")


def in_a_row(engine, n):
    """Seconds for n containers started, stopped and removed one after the other."""
    began = time.perf_counter()
    for name in _names(n):
        _start(engine, name)
        engine.run("stop", "-t", "0", name)
        engine.run("rm", name)
    return time.perf_counter() - began


def at_once(engine, n, memory):
    """n containers started by n clients at the same time, then removed likewise.
    @return seconds for the starts, seconds for the removals, MiB a container of all the engine's processes together"""
    before = memory(engine)
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        began = time.perf_counter()
        list(pool.map(lambda name: _start(engine, name), _names(n)))
        up = time.perf_counter() - began
        time.sleep(1.5)  # until a shim that has nothing to do has given its memory back
        each = (memory(engine) - before) / n
        began = time.perf_counter()
        list(pool.map(lambda name: engine.run("rm", "-f", name), _names(n)))
        down = time.perf_counter() - began
    return up, down, each


def create(engine, n):
    """n containers that are there and do not run, made in order. @return ms for each"""
    took = []
    for name in _names(n):
        began = time.perf_counter()
        engine.run("create", "--name", name, *QUIET, "busybox", "sleep", "1000")
        took.append((time.perf_counter() - began) * 1000)
    return took


def create_quickly(engine, n, clients=8):
    """Likewise, by several clients: where only the list of them matters."""
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(lambda name: engine.run("create", "--name", name, *QUIET, "busybox", "sleep", "1000"), _names(n)))


def start(engine, n):
    """Those of create(), started in order, while the ones before run on; and beside each a command that asks no daemon and makes no
    container. What makes that one dearer, too, is the machine and not the containers.
    @return ms for each start, ms for each of the others"""
    took, alone = [], []
    for name in _names(n):
        for spent, argv in ((took, ("start", name)), (alone, ("start", "--help"))):
            began = time.perf_counter()
            engine.run(*argv)
            spent.append((time.perf_counter() - began) * 1000)
    return took, alone


def ps(engine, runs):
    """ms of `ps -a`, median."""
    took = [engine.timed("ps", "-a") for _ in range(runs + 1)]
    return statistics.median(took[1:])


def remove(engine, n):
    for at in range(0, n, 50):
        engine.run("rm", "-f", *_names(n)[at:at + 50])


def buckets(took, most=20):
    """(how many there were before, median ms) for at most `most` stretches of equal length."""
    step = max(1, len(took) // most)
    return [(at, statistics.median(took[at:at + step])) for at in range(0, len(took) - step + 1, step)]


def slope(took):
    """How much dearer the last tenth is than the first: 1 is flat."""
    tenth = max(1, len(took) // 10)
    return statistics.median(took[-tenth:]) / statistics.median(took[:tenth])


def plot(path, curves, n):
    """Curves of buckets() as a picture: containers to the right, milliseconds upwards."""
    wide, high, left, floor = 700, 360, 60, 320
    top = max(ms for _, points in curves for _, ms in points) * 1.1
    colours = ["#1f77b4", "#d98f3d", "#2a9d5c"]
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (wide, high),
           '<rect width="100%" height="100%" fill="white"/>',
           '<path d="M%d 20V%dH%d" fill="none" stroke="#333"/>' % (left, floor, wide - 20)]
    for k in range(5):
        y = floor - (floor - 20) * k / 4
        out.append('<text x="%d" y="%.0f" text-anchor="end">%.1f</text>' % (left - 6, y + 4, top / 1.0 * k / 4))
        x = left + (wide - 20 - left) * k / 4
        out.append('<text x="%.0f" y="%d" text-anchor="middle">%d</text>' % (x, floor + 16, n * k // 4))
    out.append('<text x="%d" y="%d" text-anchor="middle">containers that are there already</text>' % (wide // 2, high - 6))
    out.append('<text x="6" y="14">ms</text>')
    for i, (name, points) in enumerate(curves):
        line = " ".join("%.1f,%.1f" % (left + (wide - 20 - left) * at / max(1, n), floor - (floor - 20) * ms / top) for at, ms in points)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>' % (line, colours[i % 3]))
        out.append('<text x="%d" y="%d" fill="%s">%s</text>' % (left + 20, 34 + 16 * i, colours[i % 3], name))
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n</svg>\n")
    assert os.path.getsize(path) > 500
