#!/usr/bin/env python3
"""tutti-perf in a cluster measures every library on the same hosts, over the links: perf_test.py SOURCE BUILD [NAMES...]

No figure is compared with another: only what ran where, and that its bytes crossed.
"""
import json
import subprocess
import unittest

from clusters import BUILD, SOURCE, ClusterTest, main

PERF = BUILD / "perf/tutti-perf"


class Perf(ClusterTest):
    def test_peers_run_on_the_same_hosts(self):
        subprocess.run([SOURCE / "tools/peers", "openmpi", "mpich"], check=True, stdout=subprocess.DEVNULL)
        file = self.folder / "result.json"
        count = 1 << 18
        job = self.cluster(2, PERF, "allreduce", "-n", 2, "--bytes", count, "--launches", 1, "--seconds", 0.05, "--against",
                           "openmpi,mpich", "--json", file, options=["--rate", "1gbit"])
        self.assertEqual(job.returncode, 0, job.stdout + job.stderr)
        result = json.loads(file.read_text())
        rows = {row["library"]: row for row in result["results"]}
        self.assertEqual(sorted(rows), ["mpich", "openmpi", "tutti"])
        calls = 0
        for row in rows.values():
            self.assertEqual((row["hosts"], row["ranks"], row["correct"]), (2, 2, True))
            calls += row["samples"]
        links = result["setup"]["links"]
        for host in ("h1", "h2"):
            # Every call of every library needs all of each host's vector on the other one.
            moved = {way: links["after"][host][way] - links["before"][host][way] for way in ("sent", "received")}
            self.assertGreaterEqual(min(moved.values()), calls * count)
        for name, agent in (("openmpi", "plm_rsh_agent"), ("mpich", "-launcher-exec")):
            command, = (job["command"] for job in result["setup"]["jobs"] if job["name"] == name)
            self.assertIn(agent, command)


if __name__ == "__main__":
    main()
