#!/usr/bin/env python3
"""Sums across hosts are right, and their bytes cross the links: sums_test.py SOURCE BUILD TRANSPORT [NAMES...]

TRANSPORT is what goes into TUTTI_TRANSPORT for the way between hosts: ofi:tcp, ucx:tcp.
"""
import sys
import unittest

from clusters import SUM, TUTTI, ClusterTest, main

NETWORK = sys.argv.pop(3)


class Sums(ClusterTest):
    def expect_sums(self, job, ranks):
        self.assertEqual(job.returncode, 0, job.stdout + job.stderr)
        said = sorted(line.split("] ", 1)[-1] for line in job.stdout.splitlines() if line)
        self.assertEqual(said, [f"rank {rank} of {ranks} has the sums" for rank in range(ranks)], job.stderr)

    def expect_crossed(self, hosts, count, times):
        """Each byte of the result needs every host's, and every host needs it: 2 (hosts - 1) crossings, whatever the algorithm."""
        sent = {name: moved for name, moved in self.crossed("sent").items() if name.startswith("h")}
        received = {name: moved for name, moved in self.crossed("received").items() if name.startswith("h")}
        for total in (sum(sent.values()), sum(received.values())):
            self.assertGreaterEqual(total, 2 * (hosts - 1) * count * times)
        for name in sent:
            self.assertGreaterEqual(sent[name], count * times, f"{name} sent less than its own part of the sum")
            self.assertGreaterEqual(received[name], count * times, f"{name} received less than the result")

    def test_sums_cross_the_links(self):
        for hosts, ranks_per_host, count, times in ((2, 1, 1 << 20, 3), (2, 2, 1 << 18, 3), (3, 2, 100_000, 3), (5, 1, 1 << 18, 2)):
            for transport in (f"shm,{NETWORK}", NETWORK):
                with self.subTest(hosts=hosts, ranks_per_host=ranks_per_host, transport=transport):
                    ranks = hosts * ranks_per_host
                    job = self.cluster(hosts, TUTTI, "run", "-n", ranks, SUM, count, times, ranks_per_host=ranks_per_host,
                                       options=["--rate", "1gbit"], TUTTI_TRANSPORT=transport)
                    self.expect_sums(job, ranks)
                    self.expect_crossed(hosts, count // 8 * 8, times)

    def test_racks(self):
        job = self.cluster(4, TUTTI, "run", "-n", 4, SUM, 1 << 18, 2, options=["--rate", "1gbit", "--racks", "2", "--rack-rate", "250mbit"],
                           TUTTI_TRANSPORT=NETWORK)
        self.expect_sums(job, 4)
        self.expect_crossed(4, 1 << 18, 2)
        # Each rack's sum must cross to the other one.
        self.assertGreaterEqual(self.crossed("sent")["uplink1"], 2 * (1 << 18))
        self.assertGreaterEqual(self.crossed("received")["uplink1"], 2 * (1 << 18))


if __name__ == "__main__":
    main()
