#!/usr/bin/env python3
"""`tutti topo` shows node and network in each of its formats, and refuses what cannot be read or drawn.

Usage: topo_test.py TUTTI SOURCE
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

TUTTI = ""
SOURCE = ""
RATE = '{ bandwidth = "200 Gb/s", latency = "300 ns" }'


def topo(*options, **variables):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TUTTI_")}
    return subprocess.run([TUTTI, "topo", *options], env=environment | variables, capture_output=True, text=True,
                          timeout=120)


def example(name):
    return os.path.join(SOURCE, "topology/examples", name + ".toml")


def node(name):
    return os.path.join(SOURCE, "tests/data/nodes", name + ".xml")


class Topo(unittest.TestCase):
    def described(self, lines):
        """A file that describes a network with these lines, for as long as the test runs."""
        file = tempfile.NamedTemporaryFile("w", suffix=".toml", delete=True)
        self.addCleanup(file.close)
        file.write(f"[network]\n{lines}\n[link]\nhost = {RATE}\nswitch = {RATE}\n")
        file.flush()
        return file.name

    def test_text_tells_node_and_network(self):
        told = topo("--node", node("gh200_4"), "--network", example("test_cluster_two_racks"))
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("4 packages, 288 cores", told.stdout)
        self.assertIn("accelerator cuda0: NVIDIA H100", told.stdout)
        self.assertIn("rack0: host0 host1", told.stdout)
        self.assertIn("a route of 3 links and 75 us: host0 > rack0 > rack1 > host3", told.stdout)

    def test_this_machine_is_the_default(self):
        told = topo()
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("Node: this machine", told.stdout)
        self.assertNotIn("Network:", told.stdout)

    def test_the_variable_gives_the_network(self):
        self.assertIn("Network: torus", topo(TUTTI_NETWORK=example("blue_waters")).stdout)

    def test_json_has_what_the_text_has(self):
        told = json.loads(topo("--node", node("epyc_8_numa"), "--network", example("frontier"), "--format", "json").stdout)
        self.assertEqual(len(told["node"]["cores"]), 64)
        self.assertEqual(told["node"]["memories"][7]["number"], 7)
        self.assertEqual((told["network"]["hosts"], told["network"]["switches"]), (9472, 74 * 32))
        classes = {entry["name"]: entry["links"] for entry in told["network"]["classes"]}
        self.assertEqual(classes, {"host": 2 * 4 * 9472, "local": 74 * 32 * 31, "global": 74 * 73 * 4})

    def test_pictures_are_what_graphviz_reads(self):
        for options in (["--network", example("test_cluster_two_racks")], ["--network", example("oversubscribed_fat_tree")],
                        ["--network", example("frontier")], ["--node", node("gh200_4")]):
            dot = topo(*options, "--format", "dot")
            self.assertEqual(dot.returncode, 0, dot.stderr)
            read = subprocess.run(["gvpr", "BEG_G { exit(0) }"], input=dot.stdout, capture_output=True, text=True, timeout=60)
            self.assertEqual((read.returncode, read.stderr), (0, ""))
        svg = topo("--network", example("test_cluster_two_racks"), "--format", "svg")
        self.assertEqual(svg.returncode, 0, svg.stderr)
        self.assertTrue(xml.etree.ElementTree.fromstring(svg.stdout).tag.endswith("svg"))
        self.assertIn("rack0", svg.stdout)

    def test_a_large_picture_says_what_it_leaves_out(self):
        groups = topo("--network", example("frontier"), "--format", "dot")
        self.assertIn("9472 hosts and the insides of groups are left out", groups.stderr)
        self.assertEqual(groups.stdout.count("label=\"group "), 74)
        self.assertEqual(groups.stdout.count(" -- "), 74 * 73 // 2)
        switches = topo("--network", self.described('kind = "fat-tree"\nk = 16'), "--format", "dot")
        self.assertIn("1024 hosts are left out", switches.stderr)

    def test_a_load_is_drawn_and_told(self):
        racks = ["--network", example("test_cluster_two_racks"), "--load", "allreduce", "--algorithm", "ring", "--bytes", "4M"]
        drawn = topo(*racks, "--format", "dot")
        self.assertEqual(drawn.returncode, 0, drawn.stderr)
        # In a ring of 4 ranks each rank sends 2 * 3 / 4 of the vector, and each link carries what one rank sends.
        self.assertIn("at most 6291456 bytes on a link", drawn.stderr)
        self.assertIn('tooltip="load 6.29146e+06"', drawn.stdout)
        told = json.loads(topo(*racks, "--format", "json").stdout)
        self.assertEqual(max(told["network"]["load"]), 6291456)
        self.assertIn("at most 6291456 bytes", topo(*racks).stdout)
        self.assertIn("which --algorithm", topo(*racks[:4], "--format", "dot").stderr)
        self.assertIn("which --network", topo("--load", "allreduce", "--algorithm", "ring").stderr)

    def test_what_is_too_large_to_draw_is_refused_and_still_told(self):
        torus = self.described('kind = "torus"\nsizes = [100, 100, 100]')
        drawn = topo("--network", torus, "--format", "dot")
        self.assertEqual(drawn.returncode, 2)
        self.assertIn("1000000 switches are too many for a picture", drawn.stderr)
        self.assertIn("1000000 hosts, host0 to host999999", topo("--network", torus).stdout)

    def test_bad_input_is_exit_code_2_with_the_place(self):
        bad = topo("--network", self.described('kind = "dragonfly"\ngroups = 2\nswitch_per_group = 3'))
        self.assertEqual(bad.returncode, 2)
        self.assertRegex(bad.stderr, r"\.toml:4:1: .*\"switch_per_group\"; the nearest is switches_per_group")
        self.assertEqual(topo("--network", "/nonexistent").returncode, 2)
        self.assertEqual(topo("--node", "/nonexistent").returncode, 2)
        self.assertEqual(topo("--format", "png").returncode, 2)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("topo_test.py: wants two arguments, the tutti command and the source tree")
    TUTTI, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
