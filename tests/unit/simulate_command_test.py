#!/usr/bin/env python3
"""`tutti simulate` prints what its guide says, and refuses what it cannot simulate.

Usage: simulate_command_test.py TUTTI SOURCE
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

TUTTI = ""
SOURCE = pathlib.Path()
MACHINE = "3700,200,5,0.04,0,256K"


def simulate(*arguments, machine=("--loggops", MACHINE)):
    return subprocess.run([TUTTI, "simulate", *arguments, *machine], capture_output=True, text=True, timeout=120)


def told(*arguments, **named):
    run = simulate(*arguments, "--json", **named)
    if run.returncode != 0:
        raise AssertionError(run.stderr)
    return json.loads(run.stdout)


class Simulate(unittest.TestCase):
    def test_json_holds_the_time_and_its_spread(self):
        answer = told("allreduce", "-a", "recursive-doubling", "-n", "1024", "--bytes", "4K")
        self.assertAlmostEqual(answer["time_us"], 10 * (2 * 0.2 + 3.7 + 4095 * 0.00004), places=3)
        self.assertEqual(answer["messages"], 10240)
        self.assertEqual(answer["events"], 20480)
        spread = list(answer["finished_us"].values())
        self.assertEqual(spread, sorted(spread))
        self.assertEqual(spread[-1], answer["time_us"])

    def test_every_algorithm_of_the_catalogue_can_be_simulated(self):
        table = subprocess.run([TUTTI, "schedule", "--list"], capture_output=True, text=True, timeout=60).stdout
        rows = re.findall(r"^\| ([\w-]+) \| ([\w-]+)[(,]? ?", table, re.MULTILINE)
        simulated = 0
        for collective, algorithm in rows:
            if collective == "Collective":
                continue
            answer = told(collective, "-a", algorithm, "-n", "16", "--bytes", "64K")
            self.assertGreater(answer["time_us"], 4, algorithm)
            simulated += 1
        self.assertGreater(simulated, 30)

    def test_hierarchies_and_windows_are_taken_as_they_are_written_elsewhere(self):
        self.assertGreater(told("allreduce", "-a", "lanes(inner=ring, outer=circulant)", "--nodes", "4x4",
                                "--bytes", "1M")["time_us"], 0)
        one = told("broadcast", "-a", "chain", "-n", "16", "--bytes", "4M")["time_us"]
        many = told("broadcast", "-a", "chain(window=64K)", "-n", "16", "--bytes", "4M")["time_us"]
        self.assertLess(many, one / 4)

    def test_the_same_seed_gives_the_same_noise(self):
        noise = ("allreduce", "-a", "ring", "-n", "32", "--bytes", "1M", "--noise",
                 "slowdown=0.2,period=100us,length=5us", "--seed")
        self.assertEqual(told(*noise, "7"), told(*noise, "7"))
        self.assertNotEqual(told(*noise, "7")["time_us"], told(*noise, "8")["time_us"])

    def test_a_straggler_makes_all_late(self):
        plain = told("allreduce", "-a", "ring", "-n", "8", "--bytes", "8K")["time_us"]
        late = told("allreduce", "-a", "ring", "-n", "8", "--bytes", "8K", "--straggler", "3=1ms")["time_us"]
        self.assertGreater(late, 1000)
        self.assertLess(late, 1000 + 2 * plain)

    def test_a_trace_has_a_slice_for_each_end_and_an_arrow_for_each_message(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "trace.json"
            answer = told("allreduce", "-a", "circulant", "-n", "8", "--bytes", "64K", "--combine", "0.1",
                          "--trace", str(file))
            events = json.loads(file.read_text())["traceEvents"]
        begun = {event["id"] for event in events if event["ph"] == "s"}
        ended = {event["id"] for event in events if event["ph"] == "f"}
        self.assertEqual(len(begun), answer["messages"])
        self.assertEqual(begun, ended)
        slices = [event for event in events if event["ph"] == "X"]
        self.assertEqual(len(slices), answer["events"] + 8 * 3)  # each rank combines three times
        self.assertAlmostEqual(max(event["ts"] + event["dur"] for event in slices), answer["time_us"], places=5)


class Flow(unittest.TestCase):
    def network(self, name):
        return ("--network", str(SOURCE / "topology/examples" / (name + ".toml")))

    def test_messages_share_the_links_of_the_network(self):
        ring = ("allreduce", "-a", "ring", "-n", "4", "--bytes", "4M")
        flow = told(*ring, machine=self.network("test_cluster_two_racks"))
        self.assertEqual((flow["mode"], flow["messages"]), ("flow", 24))
        busiest = flow["busiest_links"][0]
        self.assertIn(busiest["name"], ("rack0 -> rack1", "rack1 -> rack0"))
        self.assertEqual(busiest["class"], "switch")
        self.assertAlmostEqual(busiest["bytes"], 6 * (4 << 20) / 4)
        self.assertGreater(busiest["share"], 0.9)
        self.assertLessEqual(busiest["share"], 1)
        self.assertGreaterEqual(flow["time_us"], busiest["bytes"] / 31.25)  # 250 Mb/s
        shared = told("allreduce", "-a", "recursive-doubling", "-n", "4", "--bytes", "4M",
                      machine=self.network("test_cluster_two_racks"))
        alone = told("allreduce", "-a", "recursive-doubling", "-n", "4", "--bytes", "4M", "--mode", "loggops",
                     machine=self.network("test_cluster_two_racks"))
        self.assertEqual(alone["mode"], "loggops")
        # Two flows at once over the slow link, which LogGOPS does not see.
        self.assertAlmostEqual((shared["time_us"] - alone["time_us"]) / ((4 << 20) / 31.25), 1, places=2)

    def test_ranks_of_a_host_do_not_cross_the_network(self):
        together = told("allreduce", "-a", "ring", "-n", "4", "--bytes", "4M", "--ranks-per-host", "4",
                        machine=self.network("test_cluster"))
        self.assertNotIn("busiest_links", together)
        lanes = told("allreduce", "-a", "lanes(inner=ring, outer=ring)", "--nodes", "4x2", "--bytes", "4M",
                     machine=self.network("test_cluster"))
        self.assertAlmostEqual(lanes["busiest_links"][0]["bytes"], 6 * (4 << 20) / 4)

    def test_a_trace_of_flows_has_a_beginning_and_an_end_for_each(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "trace.json"
            answer = told("allreduce", "-a", "circulant", "-n", "4", "--bytes", "64K", "--combine", "0.1", "--trace",
                          str(file), machine=self.network("test_cluster"))
            events = json.loads(file.read_text())["traceEvents"]
        begun = sorted(event["id"] for event in events if event["ph"] == "b")
        ended = sorted(event["id"] for event in events if event["ph"] == "e")
        self.assertEqual(len(begun), answer["messages"])
        self.assertEqual(begun, ended)
        self.assertEqual(sum(event["ph"] == "X" for event in events), 4 * 2)  # each rank combines twice

    def test_noise_and_stragglers_are_as_in_the_other_mode(self):
        ring = ("allreduce", "-a", "ring", "-n", "4", "--bytes", "1M", "--combine", "0.2")
        plain = told(*ring, machine=self.network("test_cluster"))["time_us"]
        late = told(*ring, "--straggler", "2=5ms", machine=self.network("test_cluster"))["time_us"]
        self.assertGreater(late, plain)
        noise = (*ring, "--noise", "slowdown=0.5", "--seed")
        self.assertEqual(*(told(*noise, "7", machine=self.network("test_cluster")) for _ in range(2)))
        self.assertNotEqual(told(*noise, "7", machine=self.network("test_cluster"))["time_us"],
                            told(*noise, "8", machine=self.network("test_cluster"))["time_us"])

    def test_what_cannot_be_simulated_is_refused_with_the_reason(self):
        ring = ("allreduce", "-a", "ring", "--bytes", "1M", "-n")
        for arguments, words in (((*ring, "5"), "5 ranks need 5 hosts"),
                                 ((*ring, "4", "--loggops", MACHINE, "--mode", "flow"), "--overhead"),
                                 ((*ring, "4", "--overhead", "3"), "ns, us, ms or s"),
                                 ((*ring, "4", "--mode", "fluid"), "fluid")):
            run = simulate(*arguments, machine=self.network("test_cluster"))
            self.assertEqual(run.returncode, 2, arguments)
            self.assertIn(words, run.stderr, arguments)
        run = simulate(*ring, "9472", machine=self.network("frontier"))
        self.assertEqual(run.returncode, 2)
        self.assertIn("1.794e+08 messages", run.stderr)
        self.assertEqual(simulate(*ring, "4", "--mode", "flow", machine=()).returncode, 2)


class Job(unittest.TestCase):
    GRID = ("--grid", "data=10,pipeline=10,tensor=10", "--axis", "data=allreduce:256M", "--axis",
            "pipeline=broadcast:16M", "--axis", "tensor=allreduce:64M", "--ranks-per-host", "4")

    def alps(self):
        return ("--network", str(SOURCE / "topology/examples/alps.toml"))

    def test_reordering_to_the_network_helps_a_grid_of_a_thousand_ranks(self):
        answer = told(*self.GRID, machine=self.alps())
        self.assertEqual((answer["ranks"], len(answer["axes"])), (1000, 3))
        times = {name: mapping["time_us"] for name, mapping in answer["mappings"].items()}
        self.assertGreaterEqual(times["in-order"], 1.3 * times["reordered"])
        run = subprocess.run([TUTTI, "explain", *self.GRID, *self.alps(), "--json"], capture_output=True, text=True,
                             timeout=120)
        said = json.loads(run.stdout)["mappings"]
        for name, time in times.items():
            # A bound of the simulated time, and not far from it.
            self.assertLessEqual(said[name]["step_ps"] / 1e6, 1.001 * time)
            self.assertGreaterEqual(said[name]["step_ps"] / 1e6, 0.5 * time)

    def test_groups_that_share_links_hinder_each_other(self):
        axes = ("--axis", "a=allreduce:4M:ring", "--axis", "b=allreduce:4M:ring")
        network = ("--network", str(SOURCE / "topology/examples/test_cluster.toml"))
        both = told("--grid", "a=2,b=2", *axes, "--mapping", "in-order", machine=network)
        one = told("--grid", "a=2,b=2", *axes[:2], "--mapping", "in-order", machine=network)
        ratio = both["mappings"]["in-order"]["time_us"] / one["mappings"]["in-order"]["time_us"]
        self.assertAlmostEqual(ratio, 2, places=1)

    def test_a_job_is_read_from_a_file_too(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "job.toml"
            file.write_text('[[axis]]\nname = "data"\nsize = 4\ncollective = "allreduce"\nbytes = "1M"\n'
                            'algorithm = "ring"\n[[axis]]\nname = "tensor"\nsize = 2\n')
            answer = told("--job", str(file), machine=self.alps())
            self.assertEqual(answer["axes"][0]["algorithm"], "ring")
            self.assertNotIn("collective", answer["axes"][1])
            file.write_text('[[axis]]\nname = "data"\nsize = 4\nbites = "1M"\n')
            run = simulate("--job", str(file), machine=self.alps())
            self.assertEqual(run.returncode, 2)
            self.assertRegex(run.stderr, r"job\.toml:4:1: .*bites.*bytes")

    def test_bad_jobs_are_refused_with_the_reason(self):
        for arguments, words in ((("--grid", "data=4,tensor"), "is no axis"),
                                 (("--grid", "data=4", "--axis", "dato=allreduce:1M"), "the nearest is data"),
                                 (("--grid", "data=4", "--axis", "data=allreduce"), "COLLECTIVE:BYTES"),
                                 (("--grid", "data=4"), "nothing is said"),
                                 (("--grid", "data=4,data=4", "--axis", "data=allreduce:1M"), "two are called data"),
                                 (("--grid", "data=20000", "--axis", "data=allreduce:1M"), "20000 hosts"),
                                 (("allreduce", "--grid", "data=4", "--axis", "data=allreduce:1M"), "says its collectives")):
            run = simulate(*arguments, machine=self.alps())
            self.assertEqual(run.returncode, 2, arguments)
            self.assertIn(words, run.stderr, arguments)
        self.assertEqual(simulate("--grid", "data=4", "--axis", "data=allreduce:1M", machine=()).returncode, 2)


class BadInput(unittest.TestCase):
    def test_it_says_what_was_wrong_and_what_would_be_right(self):
        ring = ("allreduce", "-a", "ring", "-n", "8", "--bytes", "1M")
        for arguments, words in (
                (("allreducee", "-a", "ring", "-n", "8"), "allreduce, broadcast"),
                (("allreduce", "-a", "rong", "-n", "8"), "ring"),
                (("allreduce", "-a", "ring", "-n", "1048576", "--bytes", "1M"), "2.199e+12 messages"),
                (("allreduce", "-a", "leader(inner=binomial, outer=ring)", "-n", "8"), "needs --nodes"),
                ((*ring, "--root", "2"), "has no root"),
                (("broadcast", "-a", "binomial", "-n", "8", "--root", "8"), "root 8"),
                ((*ring, "--noise", "speed=1"), "slowdown, period and length"),
                ((*ring, "--noise", "period=5us,length=6us"), "leaves no time"),
                ((*ring, "--straggler", "3"), "RANK=DELAY"),
                ((*ring, "--straggler", "8=1us"), "8 ranks"),
                ((*ring, "--straggler", "3=1"), "ns, us, ms or s"),
                ((*ring, "--combine", "-1"), "--combine"),
                (("barrier", "-a", "one-shot", "-n", "640", "--trace", "/dev/null"), "too many for the viewers")):
            run = simulate(*arguments)
            self.assertEqual(run.returncode, 2, arguments)
            self.assertIn(words, run.stderr, arguments)
            self.assertEqual(run.stdout, "", arguments)
        for machine, words in (((), "--loggops"), (("--loggops", "1,2"), "six"), (("--loggops", "a,2,3,4,5,6"), "L is")):
            run = simulate(*ring, machine=machine)
            self.assertEqual(run.returncode, 2, machine)
            self.assertIn(words, run.stderr, machine)


if __name__ == "__main__":
    TUTTI, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1], verbosity=2)
