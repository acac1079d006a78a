"""Jobs of real processes that a test drives line by line: fault_rank.cpp says what the lines mean.

Every wait is for an event, with a limit that only a job that hangs reaches.
"""

import os
import queue
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time

LIMIT = 60  # seconds
LAUNCHERS = ("TUTTI_", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_", "XDG_RUNTIME_DIR")
FLOAT32, FLOAT64, INT32 = 10, 11, 2
SUM, MAX = 0, 4


def environment(**variables):
    """Ours, without what any launcher left in it, and with `variables`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    return clean | {name: str(value) for name, value in variables.items()}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def ends(pid):
    """Whether a process that was told to end does so within LIMIT: the kernel takes its time to carry a kill out."""
    deadline = time.monotonic() + LIMIT
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.005)
    return not is_alive(pid)


class Lines:
    """The lines of a stream as they come."""

    def __init__(self, stream):
        self.seen = []
        self.queue = queue.Queue()
        threading.Thread(target=self.read, args=[stream], daemon=True).start()

    def read(self, stream):
        for line in stream:
            self.seen.append(line.rstrip("\n"))
            self.queue.put(line.rstrip("\n"))
        self.queue.put(None)
        stream.close()

    def next(self, limit=LIMIT):
        line = self.queue.get(timeout=limit)
        if line is None:
            raise EOFError("the rank has ended")
        return line

    def until(self, pattern, limit=LIMIT):
        end = time.monotonic() + limit
        while True:
            line = self.next(max(end - time.monotonic(), 0.001))
            if re.search(pattern, line):
                return line


class Rank:
    def __init__(self, number, command, variables):
        self.number = number
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, bufsize=1, env=environment(**variables))
        self.output, self.errors = Lines(self.process.stdout), Lines(self.process.stderr)

    @property
    def pid(self):
        return self.process.pid

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        try:
            return self.output.next()
        except (queue.Empty, EOFError) as failure:
            raise AssertionError(f"rank {self.number} gives no answer ({failure!r}); stderr: {self.errors.seen}") from None


class Job:
    """Ranks that this process starts itself, without a launcher; used as a context, it leaves none behind."""

    def __init__(self, program, size, prefix=(), secrets=None, start=True, nodes=None, rank_type=Rank, store_host="127.0.0.1",
                 **variables):
        self.room = tempfile.TemporaryDirectory()
        secret = os.path.join(self.room.name, "secret")
        with open(secret, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write("a secret of sixteen bytes and more")
        self.store = f"tcp://{store_host}:{free_port()}"
        self.ranks = []
        for rank in range(size):
            facts = dict(TUTTI_RANK=rank, TUTTI_SIZE=size, TUTTI_STORE=self.store,
                         TUTTI_SECRET_FILE=(secrets or {}).get(rank, secret)) | variables
            if nodes:
                facts["TUTTI_NODE"] = nodes[rank]
            self.ranks.append(rank_type(rank, [*prefix, program], facts))
        if start:
            answers = self.all("init")
            assert answers == [f"ok {rank} {size}" for rank in range(size)], answers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for rank in self.ranks:
            if rank.process.poll() is None:
                rank.process.kill()
            rank.process.wait()
            rank.process.stdin.close()
        self.room.cleanup()

    def tell(self, line, ranks=None):
        for rank in self.ranks if ranks is None else ranks:
            rank.tell(line)

    def hear(self, ranks=None):
        return [rank.hear() for rank in (self.ranks if ranks is None else ranks)]

    def all(self, line, ranks=None):
        """Tells all ranks the same and returns their answers."""
        self.tell(line, ranks)
        return self.hear(ranks)

    def loop(self, count, how="run"):
        """All ranks are inside allreduces when this returns."""
        answers = self.all(f"loop {count} {how}")
        assert answers == ["looping"] * len(self.ranks), answers

    def kill(self, *victims, reap=True):
        for victim in victims:
            self.ranks[victim].process.send_signal(signal.SIGKILL)
        if reap:
            for victim in victims:
                self.ranks[victim].process.wait()
        return [rank for rank in self.ranks if rank.number not in victims]


def call(kind="allreduce", count=1, type=FLOAT32, op=SUM, root=0, how="run"):
    return f"{kind} {count} {type} {op} {root} {how}"
