#!/usr/bin/env python3
"""Faults of a job on four hosts with two ranks each: faults_test.py SOURCE BUILD [--kills N] [--network TRANSPORT] [NAMES...]

Each test has a cluster of its own, in which host_faults.py starts the ranks and does the harm.
"""
import subprocess
import sys
import unittest

from clusters import BUILD, SOURCE, ClusterTest, environment, main, words

PROGRAM = BUILD / "tests/faults/fault_rank"


def option(name, default):
    if name not in sys.argv:
        return default
    at = sys.argv.index(name)
    value = sys.argv[at + 1]
    del sys.argv[at:at + 2]
    return value


KILLS, NETWORK = option("--kills", "5"), option("--network", "ofi:tcp")
LIMIT = 120 + 20 * int(KILLS)  # seconds: only a cluster that hangs reaches it


class Faults(ClusterTest):
    def strike(self, test):
        options = ["--rate", "1gbit", "--quiet", "--share", self.folder]
        job = subprocess.run([*words(4, 2, options), sys.executable, SOURCE / "tests/cluster/host_faults.py", PROGRAM, NETWORK, KILLS,
                              f"Faults.test_{test}"], capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL,
                             env=environment(TMPDIR=self.folder))
        print(job.stdout, end="", flush=True)
        self.assertEqual(job.returncode, 0, job.stderr)

    def test_kills_at_random_moments_are_named_by_all_and_leave_nothing(self):
        self.strike("kills")

    def test_a_link_that_goes_down_in_a_transfer_is_an_error_on_both_sides(self):
        self.strike("link_down")

    def test_a_host_that_is_removed_is_named_and_the_others_go_on(self):
        self.strike("host_removed")

    def test_a_slow_host_is_waited_for(self):
        self.strike("slow_host")

    def test_who_is_late_is_named_and_an_abort_ends_all_waits(self):
        self.strike("abort_and_lateness")

    def test_a_peer_that_never_starts_is_named(self):
        self.strike("peer_that_never_starts")

    def test_the_interface_that_reaches_the_peers_or_is_named_is_taken(self):
        self.strike("several_interfaces")


if __name__ == "__main__":
    main()
