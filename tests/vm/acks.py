"""What the guest's work has acknowledged, and so what must be true after the power was cut.

work.sh writes "try WHAT …" before it asks for something and "ack WHAT …" when the answer was success. Between the two
nobody knows: the cut may fall before or after the thing was done, and either is right as long as it is whole. So each fact is
True, False, or None for "either".

    an image        there, or not
    a container     there, or not; running after the next boot, or not; its limit of processes

Files that were copied into a container are not among them. They are its own data, like what it writes itself, and on disk
when the kernel has come to it; Docker promises no more either. The work copies some all the same, for the disk to be busy.

Who runs after a boot is what the policies say (engine/policy.c has the table): the machine's end is no stop by hand, and a
container that was running is found ended with 255, which is a failure. So all but "no" come back; after a stop by hand, those
with "always" and "on-failure" do.
"""


class Container:
    def __init__(self, policy):
        self.policy = policy
        self.there = self.runs = None
        self.pids = ["-"]


class Promises:
    def __init__(self):
        self.containers, self.images = {}, {}

    def take(self, line):
        words = line.split()
        done = words[0] == "ack"
        if words[0] not in ("try", "ack") or len(words) < 3:
            return
        getattr(self, words[1])(done, *words[2:])

    # each of these: what is known after "try", and after "ack"

    def image(self, done, name):
        self.images[name] = True if done else None

    def untag(self, done, name):
        self.images[name] = False if done else None

    def create(self, done, name, policy):
        c = self.containers.setdefault(name, Container(policy))
        c.there, c.runs = (True, False) if done else (None, None)

    def start(self, done, name):
        c = self.containers[name]
        c.runs = None if not done else c.policy != "no"

    def stop(self, done, name):
        c = self.containers[name]
        if c.policy == "unless-stopped":
            c.runs = False if done else None

    def update(self, done, name, limit):
        c = self.containers[name]
        c.pids = [limit] if done else c.pids + [limit]

    def copy(self, done, name):
        pass

    def remove(self, done, name):
        c = self.containers[name]
        c.there, c.runs = (False, False) if done else (None, None)

    def all(self, done, _):
        """The guest has taken all of it away."""
        if done:
            self.containers.clear()
            self.images.clear()

    def expected(self):
        """For the guest's judge, a line each: image|container NAME yes|no|either [RUNS PIDS]."""
        word = {True: "yes", False: "no", None: "either"}
        out = ["image %s %s" % (name, word[there]) for name, there in self.images.items()]
        for name, c in self.containers.items():
            pids = c.pids[0] if len(c.pids) == 1 else "-"
            out.append("container %s %s %s %s" % (name, word[c.there], word[c.runs], pids))
        return "".join(line + "\n" for line in out)

    def counts(self):
        facts = [c.there for c in self.containers.values()] + list(self.images.values())
        return "%d things certain, %d either way" % (sum(f is not None for f in facts), facts.count(None))
