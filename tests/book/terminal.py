"""A terminal with bash in it, for a program that types: start, send, wait for a prompt or for silence.

bash runs on a pseudoterminal of its own, as in a terminal window. So that a prompt is never confused with output that looks like
one, bash prints an invisible mark before it (PROMPT_COMMAND), which match.plain() takes off again like any other escape
sequence. Programs that have a prompt of their own are waited for by its text.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path

import match

MARK = "\x1b]7;prompt\x07"
PROMPT = "$ "
START = """PS1='$ ' PS2='' PROMPT_COMMAND='printf "\\033]7;prompt\\007"'
unset HISTFILE
bind 'set enable-bracketed-paste off' 2>/dev/null
"""
ROWS, COLUMNS = 40, 120


class Terminal:
    def __init__(self, rc="/run/terminal.rc"):
        Path(rc).write_text(START)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Python ignores SIGPIPE, and what is ignored stays so over exec: programs would see errors instead of ending.
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execv("/bin/bash", ["bash", "--noprofile", "--noediting", "--rcfile", rc, "-i"])
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.raw = ""  # what has come and belongs to no step yet
        self.open = True
        self.wait(lambda: self.at(PROMPT), 10)
        self.raw = ""

    def read(self, seconds):
        """Take what comes within so many seconds; say whether something came."""
        if not self.open:
            return False
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: bash has gone
            data = b""
        self.open = bool(data)
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    def wait(self, done, seconds):
        """Read until done() or for so many seconds; say whether it is done."""
        end = time.monotonic() + seconds
        while not done():
            now = time.monotonic()
            if now >= end or not self.open:
                return False
            self.read(min(0.2, end - now))
        return True

    def at(self, prompt):
        """Does the terminal show this prompt and wait?"""
        if prompt == PROMPT:
            return MARK + PROMPT in self.raw
        return match.plain(self.raw.rpartition(MARK)[2]).endswith(prompt)

    def quiet(self, seconds):
        while self.read(seconds):
            pass

    def send(self, text):
        data = text.encode()
        while data:
            data = data[os.write(self.fd, data) :]

    def lines(self, typed, prompts):
        """What has come, as lines, without the echo of what was typed and without prompts."""
        text = re.sub(r"(^|\n)?%s" % re.escape(MARK + PROMPT), lambda m: "\n" if m[1] is None else m[1], self.raw)
        text = match.plain(text)
        for p in prompts:
            if p != PROMPT and text.endswith(p):
                text = text[: -len(p)]
        lines = text.split("\n")
        for t in typed.split("\n"):
            if lines and lines[0].strip() == t.strip():
                lines.pop(0)
            elif lines and t.startswith("^") and lines[0].startswith(t):
                lines[0] = lines[0][len(t) :]
        return match.trim(lines)

    def busy(self):
        """Is a program of this terminal at work, not merely waiting? The CPU time used so far, and whether one runs now."""
        used, running = 0, False
        for p in Path("/proc").glob("[0-9]*"):
            try:
                f = (p / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(f[3]) == self.pid and int(p.name) != self.pid:
                used += sum(map(int, f[11:15]))
                running = running or f[0] in "RD"
        return used, running

    def close(self):
        try:
            os.close(self.fd)
        except OSError:
            pass
