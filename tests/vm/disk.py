"""A disk that forgets what was not flushed: an NBD server over a file, for a guest whose power is going to be cut.

Killing qemu alone is too kind a power cut. The guest's own page cache is lost, but every write that it has handed to its
disk is in the host's page cache and stays, in order. A real disk has a cache of its own: between two flushes it writes
what it likes, in any order, and at the cut some sectors are new and some are old. Programs that rename without fsync, or
fsync a file and not its folder, get away with it on the first and lose data on the second. So the disk is played by this:

  write   what was there before is remembered, then the file is written; so reading needs no second place to look
  flush   what was remembered is forgotten: from here on those writes are safe (the guest's fsync ends in a flush)
  freeze  asked for, the disk stops after so many writes more, in the middle of whatever the guest was writing
  cut     from the last write back to the first, each sector since the last flush is put back with a given probability

With probability 1 all unflushed writes are lost, with 0 none, and between these any mixture can come out. A sector of 4096
bytes is written whole or not at all, as disks promise; a longer write can be torn. Not modelled: disks that lie about
flushing, and bits that rot.

The protocol is the fixed newstyle handshake and simple replies of NBD (https://github.com/NetworkBlockDevice/nbd,
doc/proto.md); qemu is its only client. Read next: vm.py.
"""
import os, socket, struct, threading

SECTOR = 4096
OPT_EXPORT_NAME, OPT_ABORT, OPT_GO = 1, 2, 7
REP_ACK, REP_INFO, REP_ERR_UNSUP = 1, 3, 0x80000001
FLAGS = 1 | 4 | 8  # flags are there, flush and FUA are understood
READ, WRITE, DISCONNECT, FLUSH = range(4)
FUA, EINVAL, EIO = 1, 22, 5


class Disk:
    """One file served on one unix socket to one client at a time."""

    def __init__(self, path, address):
        self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self.size = os.fstat(self.fd).st_size
        self.before = []  # (offset, what was there), oldest first
        self.flushes = 0
        self.writes_left = None
        self.frozen, self.closing = threading.Event(), threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(address)
        self.listener.listen(1)
        self.thread = None

    def serve(self):
        """Wait for one client in a thread of its own, and serve it until it goes."""
        self.thread = threading.Thread(target=self.client, daemon=True)
        self.thread.start()

    def freeze(self, writes, seconds):
        """Do `writes` more, then nothing. @return whether it came to that within `seconds`"""
        self.writes_left = writes
        return self.frozen.wait(seconds)

    def close(self):
        """When the client has ended: wait until its last request is done with. The file stays open for cut()."""
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)  # where it never came
        self.listener.close()
        self.thread.join(30)
        if self.thread.is_alive():
            raise RuntimeError("the disk's client does not go")

    def cut(self, rng, lose):
        """Put back each unflushed sector with probability `lose`. Returns (sectors written since the flush, put back)."""
        seen = lost = 0
        for offset, old in reversed(self.before):
            for at in range(0, len(old), SECTOR):
                seen += 1
                if rng.random() < lose:
                    lost += 1
                    os.pwrite(self.fd, old[at:at + SECTOR], offset + at)
        self.before.clear()
        return seen, lost

    def client(self):
        try:
            sock, _ = self.listener.accept()
            with sock:
                if self.handshake(sock):
                    while self.request(sock):
                        pass
        except (EOFError, OSError):
            pass  # the client was killed: that is what it is for

    def handshake(self, sock):
        sock.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3))
        take(sock, 4)
        while True:
            magic, option, length = struct.unpack(">8sII", take(sock, 16))
            if magic != b"IHAVEOPT":
                return False
            take(sock, length)
            if option == OPT_EXPORT_NAME:
                sock.sendall(struct.pack(">QH", self.size, FLAGS))
                return True
            if option == OPT_GO:
                reply(sock, option, REP_INFO, struct.pack(">HQH", 0, self.size, FLAGS))
                reply(sock, option, REP_ACK)
                return True
            reply(sock, option, REP_ACK if option == OPT_ABORT else REP_ERR_UNSUP)
            if option == OPT_ABORT:
                return False

    def request(self, sock):
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", take(sock, 28))
        if magic != 0x25609513 or kind == DISCONNECT:
            return False
        error, data = 0, b""
        if kind == READ:
            data = os.pread(self.fd, length, offset)
            if len(data) != length:
                error, data = EIO, b""
        elif kind == WRITE:
            self.write(offset, take(sock, length))
        elif kind != FLUSH:
            error = EINVAL
        if kind == FLUSH or flags & FUA:
            self.before.clear()
            self.flushes += 1
        sock.sendall(struct.pack(">IIQ", 0x67446698, error, handle) + data)
        return True

    def write(self, offset, data):
        """Remembered in whole sectors, so that putting one back is always a whole one."""
        start = offset - offset % SECTOR
        end = -(-(offset + len(data)) // SECTOR) * SECTOR
        self.before.append((start, os.pread(self.fd, end - start, start)))
        os.pwrite(self.fd, data, offset)
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left == 0:
                self.frozen.set()
                self.closing.wait()


def take(sock, length):
    out = bytearray()
    while len(out) < length:
        part = sock.recv(min(length - len(out), 1 << 20))
        if not part:
            raise EOFError
        out += part
    return bytes(out)


def reply(sock, option, kind, data=b""):
    sock.sendall(struct.pack(">QIII", 0x3E889045565A9, option, kind, len(data)) + data)
