#!/usr/bin/env python3
"""Who does not belong is kept out, and the job is unharmed: strangers_test.py FAULT_RANK DENY_READING [NAMES...]"""

import os
import subprocess
import sys
import tempfile
import unittest

from jobs import LIMIT, Job, Rank, call

PROGRAM, DENY = (os.path.abspath(path) for path in sys.argv[1:3])
LARGE = 1 << 20


class Secrets(unittest.TestCase):
    def refused(self, secret, expected):
        """Rank 1 comes with this secret first; then with the right one, and the job runs."""
        with Job(PROGRAM, 3, secrets={1: secret}, start=False) as job:
            job.tell("init")
            stranger = job.ranks[1]
            self.assertRegex(stranger.hear(), expected)
            stranger.process.kill()
            stranger.process.wait()
            stranger.process.stdin.close()
            right = dict(TUTTI_RANK=1, TUTTI_SIZE=3, TUTTI_STORE=job.store, TUTTI_SECRET_FILE=f"{job.room.name}/secret")
            job.ranks[1] = Rank(1, [PROGRAM], right)
            job.ranks[1].tell("init")
            self.assertEqual(job.hear(), [f"ok {rank} 3" for rank in range(3)])
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * 3)

    def test_a_wrong_secret_is_refused(self):
        with tempfile.NamedTemporaryFile("w") as wrong:
            wrong.write("not the secret of this job at all")
            wrong.flush()
            self.refused(wrong.name, r"^error TUTTI_ERROR_START rank 1 on \S+: the store at \S+ refused the job's secret")

    def test_a_missing_secret_is_refused(self):
        self.refused("/nonexistent/secret", r"^error TUTTI_ERROR_(ARGUMENT|START) .*/nonexistent/secret")

    def test_an_empty_secret_is_refused(self):
        self.refused("/dev/null", r"^error TUTTI_ERROR_(ARGUMENT|START) .*secret")


@unittest.skipUnless(os.getuid() == 0, "only root can be another user, too")
class AnotherUser(unittest.TestCase):
    def as_nobody(self, program, *arguments):
        return subprocess.run(["runuser", "-u", "nobody", "--", "/usr/bin/python3", "-c", program, *map(str, arguments)], timeout=LIMIT,
                              capture_output=True, text=True, cwd="/")

    def test_cannot_open_a_segment_or_a_secret(self):
        with Job(PROGRAM, 2) as job:
            attempts = [f"{job.room.name}/secret"]
            for pid, *descriptors in (answer.split()[1:] for answer in job.all("address")):
                self.assertTrue(descriptors)
                attempts += [f"/proc/{pid}/fd/{descriptor}" for descriptor in descriptors] + [f"/proc/{pid}/mem", f"/proc/{pid}/environ"]
            for path in attempts:
                attempt = self.as_nobody("import sys; open(sys.argv[1], 'rb').read(1)", path)
                self.assertIn("PermissionError", attempt.stderr)
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * 2)

    def test_who_talks_to_the_store_is_shut_out(self):
        with Job(PROGRAM, 2, start=False) as job:
            job.tell("init", job.ranks[:1])
            port = job.store.rsplit(":", 1)[1]
            program = """if True:
                import socket, sys
                while True:  # until rank 0 listens
                    try:
                        stranger = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=30)
                        break
                    except ConnectionRefusedError:
                        pass
                stranger.sendall(b"let me in " * 400)
                try:
                    while stranger.recv(4096): pass
                    print("shut out")
                except ConnectionResetError:
                    print("shut out")
            """
            attempt = self.as_nobody(program, port)
            self.assertEqual(attempt.stdout, "shut out\n", attempt.stderr)
            self.assertRegex(job.ranks[0].errors.until("refused"), r"warning: the store at \S+ refused 127.0.0.1:\d+")
            job.tell("init", job.ranks[1:])
            self.assertEqual(job.hear(), ["ok 0 2", "ok 1 2"])
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * 2)


class WithoutReadingOfOtherProcesses(unittest.TestCase):
    def test_results_are_right_and_a_death_is_seen(self):
        with Job(PROGRAM, 3, prefix=[DENY]) as job:
            for count in 1, 1000, LARGE:
                self.assertEqual(job.all(call(count=count)), ["ok right"] * 3)
                self.assertEqual(job.all(call("broadcast", count, root=1)), ["ok "] * 3)
            job.loop(LARGE)
            for answer in job.hear(job.kill(1)):
                self.assertIn("error TUTTI_ERROR_DEAD rank 1 ", answer)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
