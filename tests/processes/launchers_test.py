#!/usr/bin/env python3
"""Ranks that a real MPI launcher starts meet over its own servers, without a word of configuration.

Usage: launchers_test.py LAUNCHER BOOTSTRAP_PROBE HELLO LIBRARY SOURCE [NAMES...]

LAUNCHER is one of those that tools/peers sets up: openmpi and openmpi5 speak PMIx, mpich and mpich5 PMI over hydra.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

LAUNCHER = sys.argv[1]
PROBE, HELLO, LIBRARY, SOURCE = (os.path.abspath(path) for path in sys.argv[2:6])
PREFIX = pathlib.Path(SOURCE) / "build/peers" / LAUNCHER
LIMIT = 120  # seconds: only a job that hangs reaches it
OPEN_MPI = LAUNCHER.startswith("openmpi")
FOREIGN = ("TUTTI_", "PMI", "OMPI_", "PRTE_", "SLURM_", "HYD")


def setUpModule():
    subprocess.run([f"{SOURCE}/tools/peers", LAUNCHER], check=True, stdout=subprocess.DEVNULL)


def options():
    if not OPEN_MPI:
        return []
    more = ["--oversubscribe"] if LAUNCHER == "openmpi" else ["--map-by", ":OVERSUBSCRIBE"]
    return more + (["--allow-run-as-root"] if os.geteuid() == 0 else [])


def launch(*command, before=(), **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return subprocess.run([PREFIX / "bin/mpiexec", *options(), *before, *map(str, command)], text=True, timeout=LIMIT,
                          capture_output=True, env=clean | variables)


class Launcher(unittest.TestCase):
    def expect_identities(self, job, ranks, times, how):
        self.assertEqual(job.returncode, 0, job.stdout + job.stderr)
        expected = sorted(times * [f"rank {rank} of {ranks} by {how}" for rank in range(ranks)])
        self.assertEqual(sorted(job.stdout.split("\n")[:-1]), expected, job.stderr)

    def test_ranks_meet_and_meet_again(self):
        how = "PMIx" if OPEN_MPI else "PMI"
        for ranks in (1, 2, 5):
            self.expect_identities(launch("-n", ranks, PROBE, "meet", 3), ranks, 3, how)

    def test_nothing_is_printed_but_by_the_program(self):
        job = launch("-n", 2, HELLO)
        self.assertEqual(job.stderr, "")
        self.assertEqual(sorted(job.stdout.splitlines()),
                         [f"rank {rank} of 2: the numbers 1 to 2 add up to 3" for rank in range(2)])

    def test_a_rank_that_leaves_does_not_hang_the_others(self):
        job = launch("-n", 3, PROBE, "absent", 1)
        self.assertNotEqual(job.returncode, 0)
        self.assertIn('at the fence "greetings"', job.stderr)

    def test_a_complete_set_of_tuttis_variables_wins(self):
        job = launch("-n", 1, PROBE, TUTTI_RANK="0", TUTTI_SIZE="1")
        self.assertNotEqual(job.returncode, 0)
        self.assertIn("half a set of variables: TUTTI_RANK, TUTTI_SIZE set", job.stderr)

    def test_an_mpi_program_may_start_tutti_the_same_way(self):
        with tempfile.TemporaryDirectory() as folder:
            program = f"{folder}/program"
            subprocess.run([PREFIX / "bin/mpicc", "-o", program, f"{SOURCE}/tests/processes/launcher_beside_mpi.c",
                            f"-I{SOURCE}/include", LIBRARY, f"-Wl,-rpath,{os.path.dirname(LIBRARY)}"], check=True)
            # Open MPI 5 makes the process a PMIx client in a way of its own, and must be the first (docs/launchers.md).
            for order in ("second",) if LAUNCHER == "openmpi5" else ("first", "second"):
                with self.subTest(tutti=order):
                    job = launch("-n", 3, program, order)
                    self.assertEqual(job.returncode, 0, job.stdout + job.stderr)
                    self.assertEqual(sorted(job.stdout.splitlines()), [f"rank {rank} is {rank} of 3: 3 3" for rank in range(3)])

    @unittest.skipIf(OPEN_MPI, "PMI is hydra's")
    def test_a_server_at_a_port(self):
        self.expect_identities(launch("-n", 3, PROBE, "meet", 2, before=["-pmi-port"]), 3, 2, "PMI")

    @unittest.skipIf(OPEN_MPI, "PMI is hydra's")
    def test_the_second_version_of_the_protocol(self):
        self.expect_identities(launch("-n", 3, PROBE, "pmi2"), 3, 1, "PMI-2")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[6:])
