#!/usr/bin/env python3
"""Ranks that the real torchrun starts meet by its variables alone: torchrun_test.py TOOLS/VENV-TORCH BOOTSTRAP_PROBE [NAMES...]"""

import os
import socket
import subprocess
import sys
import tempfile
import unittest

MAKE_ENVIRONMENT, PROBE = (os.path.abspath(path) for path in sys.argv[1:3])
LIMIT = 240  # seconds: torchrun itself takes several to start on a loaded machine; only a job that hangs reaches this
LAUNCHERS = ("TUTTI_", "RANK", "WORLD_SIZE", "LOCAL_", "MASTER_", "TORCHELASTIC_", "XDG_RUNTIME_DIR")


def two_free_ports():
    """The first of two neighbours: torchrun's agent takes one, rank 0's store the next."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                continue


class Torchrun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        made = subprocess.run([MAKE_ENVIRONMENT], stdout=subprocess.PIPE, text=True, check=True)
        cls.torchrun = os.path.join(made.stdout.strip(), "bin", "torchrun")

    def setUp(self):
        runtime = tempfile.TemporaryDirectory()
        self.addCleanup(runtime.cleanup)
        self.runtime = runtime.name

    def start(self, *arguments, **variables):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
        clean |= {"OMP_NUM_THREADS": "1", "XDG_RUNTIME_DIR": self.runtime}
        return subprocess.Popen([self.torchrun, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=clean | {name: str(value) for name, value in variables.items()})

    def finish(self, job):
        try:
            output, errors = job.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            job.kill()
            raise
        return sorted(output.splitlines()), errors

    def identities(self, ranks, times=1):
        return sorted(times * [f"rank {rank} of {ranks} by torchrun" for rank in range(ranks)])

    def test_three_ranks_meet_twice_without_a_word_of_configuration(self):
        port = two_free_ports()
        job = self.start("--nnodes", 1, "--nproc-per-node", 3, "--master-addr", "127.0.0.1", "--master-port", port, "--no-python", PROBE, "meet", 2)
        output, errors = self.finish(job)
        self.assertEqual(job.returncode, 0, errors)
        self.assertEqual(output, self.identities(3, times=2))
        self.assertEqual(os.listdir(self.runtime), [], "the secret is removed when all have it")

    def test_standalone_jobs_meet(self):
        job = self.start("--standalone", "--nproc-per-node", 3, "--no-python", PROBE, TUTTI_PORT=two_free_ports())
        output, errors = self.finish(job)
        self.assertEqual(job.returncode, 0, errors)
        self.assertEqual(output, self.identities(3))

    def test_ranks_that_are_started_again_meet_again(self):
        port = two_free_ports()
        program = f'[ $TORCHELASTIC_RESTART_COUNT = 0 ] && [ $RANK = 1 ] && exit 9; exec {PROBE}'
        job = self.start("--nnodes", 1, "--nproc-per-node", 3, "--max-restarts", 1, "--master-addr", "127.0.0.1", "--master-port", port,
                         "--no-python", "sh", "-c", program)
        output, errors = self.finish(job)
        self.assertEqual(job.returncode, 0, errors)
        self.assertEqual(output, self.identities(3))

    def agents(self, **variables):
        """Two torchruns, as on two hosts."""
        port = two_free_ports()
        return [self.start("--nnodes", 2, "--node-rank", node, "--nproc-per-node", 2, "--master-addr", "127.0.0.1", "--master-port", port,
                           "--no-python", PROBE, **variables) for node in range(2)]

    def test_several_hosts_meet_by_a_secret_file(self):
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write(os.urandom(32).hex())
            secret.flush()
            output = []
            for agent in self.agents(TUTTI_SECRET_FILE=secret.name):
                lines, errors = self.finish(agent)
                self.assertEqual(agent.returncode, 0, errors)
                output += lines
        self.assertEqual(sorted(output), self.identities(4))

    def test_several_hosts_without_a_secret_file_are_told_that_they_need_one(self):
        for agent in self.agents():
            _, errors = self.finish(agent)
            self.assertNotEqual(agent.returncode, 0)
            self.assertIn("TUTTI_SECRET_FILE is required", errors)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
