"""The door of a cluster: a Unix socket through which commands inside its hosts start commands on other hosts, as over
rsh, and change the network.

A request is a line of JSON with the client's standard streams as descriptors beside it; the answer is a line of JSON. The
connection is the life of what it started: when the client goes, its command on the other host is ended.
"""
import array
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading

LONGEST_REQUEST = 1 << 20  # bytes


class Door:
    def __init__(self, path, commands):
        """`commands`: name -> function(request, streams, gone); `gone(timeout)` says whether the client has left."""
        self.commands = commands
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        os.chmod(path, 0o600)
        self.listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection:
            streams = []
            try:
                request, streams = receive(connection)
                answer = self.commands[request["do"]](request, streams, lambda timeout: left(connection, timeout))
            except (RuntimeError, KeyError, ValueError) as problem:
                answer = {"error": str(problem)}
            finally:
                for stream in streams:
                    os.close(stream)
            try:
                connection.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                pass

    def close(self):
        self.listener.close()


def receive(connection):
    data, descriptors = b"", array.array("i")
    while not data.endswith(b"\n") and len(data) < LONGEST_REQUEST:
        piece, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(3 * 4))
        if not piece:
            break
        data += piece
        for level, kind, bytes_ in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(bytes_)
    return json.loads(data), list(descriptors)


def left(connection, timeout):
    """Whether the client is gone, after `timeout` seconds at most."""
    poll = select.poll()
    poll.register(connection, select.POLLIN | select.POLLRDHUP)
    return bool(poll.poll(timeout * 1000))


def start_command(enter, words, environment, streams, gone):
    """Runs a command to its end, or until the client has left; its exit status as a shell would say it."""
    # A session of its own: what it started, and did not part from it, ends with it.
    process = subprocess.Popen([*enter, *words], stdin=streams[0], stdout=streams[1], stderr=streams[2], env=environment,
                               cwd="/", start_new_session=True)
    while process.poll() is None:
        if not gone(0.02):
            continue
        for number in (signal.SIGHUP, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(2)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        process.wait()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def ask(path, request, with_streams=False):
    """The client's side: the answer, or an exit with its error."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(path)
            text = json.dumps(request).encode() + b"\n"
            streams = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))] if with_streams else []
            sent = connection.sendmsg([text], streams)
            if sent < len(text):
                connection.sendall(text[sent:])
            answer = json.loads(connection.makefile().readline() or "{}")
        except (OSError, ValueError) as problem:
            sys.exit(f"cluster: {path}: {problem}; is this inside a cluster that still runs?")
    if not answer or "error" in answer:
        print(f"cluster: {answer.get('error', 'the cluster has ended')}", file=sys.stderr)
        sys.exit(255)
    return answer
