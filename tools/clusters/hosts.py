"""The hosts of a cluster: each a set of namespaces (network, UTS, IPC, mount, PID) that one process holds.

Nothing has a name outside the namespaces, and the kernel ends a host with the process that holds it: when that one is
killed, or when the command that made it dies in whatever way, every process of the host ends, and its interfaces,
mounts and shared memory are gone.
"""
import ctypes
import os
import pathlib
import signal
import subprocess

HOLD = pathlib.Path(__file__).with_name("hold.sh")
PR_SET_PDEATHSIG = 1


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(*command):
    """A command that must succeed."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Namespaces:
    """A process that holds namespaces; `pid` is its number outside."""

    def __init__(self, kinds, program):
        """Runs the words of `program` inside; it says "ready" when all is mounted, and then only waits."""
        flags = [f"--{kind}" for kind in kinds]
        more = ["--fork", "--kill-child=SIGKILL"] if "pid" in kinds else []
        self.process = subprocess.Popen(["unshare", *flags, *more, "--", *map(str, program)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent,
                                        start_new_session=True)
        said = self.process.stdout.readline()
        if said != "ready\n":
            raise RuntimeError(f"{program}: {said}{self.process.stderr.read().strip()}")
        self.pid = self.process.pid
        if "pid" in kinds:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            self.pid = int(children[0])
        self.kinds = kinds

    def enter(self, *kinds):
        """The words that come before a command which is to run inside (in all namespaces, unless some are named)."""
        return ["nsenter", "--target", str(self.pid), *(f"--{kind}" for kind in kinds or self.kinds), "--"]

    def end(self):
        for number in (self.pid, self.process.pid):
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            stream.close()


class Host(Namespaces):
    def __init__(self, name, folder, shared):
        """`shared`: folders below /tmp and /dev/shm that the host sees as they are; all else there is its own."""
        super().__init__(("net", "uts", "ipc", "mount", "pid"), [HOLD, name, folder, *shared])
        self.name = name
        self.removed = False

    def remove(self):
        """As a host that loses its power: no process says a word, and the link is gone."""
        self.removed = True
        self.end()
