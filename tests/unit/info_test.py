#!/usr/bin/env python3
"""`tutti info` tells what is there, and refuses an environment that no call could use.

Usage: info_test.py TUTTI
"""
import os
import subprocess
import sys
import unittest

TUTTI = ""


def info(**variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUTTI_")}
    return subprocess.run([TUTTI, "info"], env=environment | variables, capture_output=True, text=True, timeout=60)


class Info(unittest.TestCase):
    def test_it_tells_version_transports_cores_and_algorithms(self):
        told = info()
        self.assertEqual(told.returncode, 0, told.stderr)
        version = subprocess.run([TUTTI, "--version"], check=True, capture_output=True, text=True).stdout.split()[-1]
        lines = told.stdout.splitlines()
        self.assertEqual(lines[0], f"Tutti {version}")
        words = [line.split() for line in lines]
        self.assertIn(["transports", "threads,", "shm,", "ofi,", "ucx"], words)
        self.assertIn(["allreduce", "ring"], [line[:2] for line in words])
        self.assertIn(["barrier", "dissemination(ways=1..16)"], [line[:2] for line in words])

    def test_it_counts_the_cores_that_it_may_run_on(self):
        core = min(os.sched_getaffinity(0))
        command = ["taskset", "-c", str(core), TUTTI, "info"]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        self.assertIn(f"1 that this process may run on: {core}\n", told)

    def test_it_marks_the_variables_that_are_set(self):
        marked = [line for line in info(TUTTI_TIMEOUT="7").stdout.splitlines() if line.startswith("* ")]
        self.assertEqual(len(marked), 1)
        self.assertTrue(marked[0].startswith("* TUTTI_TIMEOUT "), marked[0])
        self.assertTrue(marked[0].endswith('= "7"'), marked[0])

    def test_an_unknown_variable_is_a_warning_that_names_the_nearest(self):
        told = info(TUTTI_ALGORITM="ring")
        self.assertEqual(told.returncode, 0)
        self.assertRegex(told.stderr, "TUTTI_ALGORITM .*TUTTI_ALGORITHM")

    def test_a_forced_algorithm_that_nobody_knows_is_bad_input(self):
        told = info(TUTTI_ALGORITHM="allreduce=rng")
        self.assertEqual(told.returncode, 2)
        self.assertIn('column 11 of "allreduce=rng"', told.stderr)
        self.assertIn("the nearest is ring", told.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("info_test.py: wants one argument, the tutti command")
    TUTTI = os.path.abspath(sys.argv[1])
    unittest.main(argv=sys.argv[:1])
