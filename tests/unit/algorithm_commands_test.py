#!/usr/bin/env python3
"""`tutti schedule` and `tutti verify` do what the guides show, and the guides show what is there.

Usage: algorithm_commands_test.py TUTTI SOURCE
"""
import json
import pathlib
import re
import subprocess
import sys
import unittest

TUTTI = ""
SOURCE = pathlib.Path()


def tutti(*arguments):
    return subprocess.run([TUTTI, *arguments], capture_output=True, text=True, timeout=120)


class Guides(unittest.TestCase):
    def test_the_table_of_algorithms_is_the_catalogue(self):
        table = tutti("schedule", "--list")
        self.assertEqual(table.returncode, 0, table.stderr)
        printed = table.stdout.splitlines()
        self.assertGreater(len(printed), 30)
        guide = (SOURCE / "docs/algorithms.md").read_text()
        shown = re.search(r"^\| Collective \| Algorithm \|.*\n(?:\|.*\n)+", guide, re.MULTILINE).group(0).splitlines()
        self.assertEqual(sorted(printed), sorted(shown),
                         "replace the table in docs/algorithms.md by the output of tutti schedule --list")

    def test_the_schedule_shown_is_what_the_command_prints(self):
        shown = re.search(r"\$ tutti (schedule .*)\n((?:.+\n)+)```", (SOURCE / "docs/algorithms.md").read_text())
        self.assertTrue(tutti(*shown.group(1).split()).stdout.startswith(shown.group(2)))

    def test_the_algorithm_of_the_walk_is_the_one_that_is_compiled(self):
        compiled = (SOURCE / "tests/unit/walk_algorithm.cpp").read_text()
        code = re.search(r"// ---- algorithms/two_way_ring.cpp\n(.*)// ---- end of", compiled, re.DOTALL).group(1)
        self.assertIn(f"```cpp\n{code}```", (SOURCE / "docs/adding-an-algorithm.md").read_text())

    def test_the_catalogue_has_the_lines_that_the_walk_imitates(self):
        catalogue = (SOURCE / "algorithms/catalogue.cpp").read_text()
        self.assertRegex(catalogue, r"extern const Algorithm ring_for_allgather")
        self.assertIn("      ring_for_allgather,\n", catalogue)


class Schedule(unittest.TestCase):
    def test_dot_has_an_edge_for_each_message(self):
        graph = tutti("schedule", "broadcast", "--algorithm", "binomial", "--ranks", "8", "--format", "dot").stdout
        self.assertTrue(graph.startswith("digraph schedule {"))
        self.assertEqual(graph.count("style=dashed"), 7)
        self.assertEqual(graph.count("subgraph"), 8)

    def test_goal_has_matching_messages_with_the_bytes_of_their_blocks(self):
        goal = tutti("schedule", "allreduce", "--algorithm", "ring", "--ranks", "4", "--format", "goal",
                     "--bytes", "4000").stdout
        self.assertTrue(goal.startswith("num_ranks 4\n"))
        sends, recvs, rank = [], [], None
        for line in goal.splitlines():
            if started := re.fullmatch(r"rank (\d+) \{", line):
                rank = int(started.group(1))
            if message := re.fullmatch(r"l\w+: (send|recv) 1000b (?:to|from) (\d) tag (\d+)", line):
                peer, tag = int(message.group(2)), int(message.group(3))
                (sends if message.group(1) == "send" else recvs).append(
                    (rank, peer, tag) if message.group(1) == "send" else (peer, rank, tag))
        self.assertEqual(len(sends), 24)
        self.assertEqual(sorted(sends), sorted(recvs))

    def test_goal_requires_only_labels_that_are_there(self):
        goal = tutti("schedule", "allreduce", "--algorithm", "rabenseifner", "--ranks", "6", "--format", "goal").stdout
        waits = 0
        for rank in goal.split("\nrank ")[1:]:
            labels = set(re.findall(r"^(l\w+):", rank, re.MULTILINE))
            needed = re.findall(r"^(l\w+) requires (l\w+)$", rank, re.MULTILINE)
            waits += len(needed)
            self.assertLessEqual({label for pair in needed for label in pair}, labels)
        self.assertGreater(waits, 0)

    def test_in_rank_order_the_root_may_be_any(self):
        text = tutti("schedule", "reduce", "--algorithm", "one-shot", "--ranks", "4", "--ordered", "--root", "2",
                     "--rank", "0").stdout
        self.assertIn("send to 2", text)


class Verify(unittest.TestCase):
    def test_every_algorithm_of_every_collective_is_proven(self):
        for collective in ("allreduce", "broadcast", "reduce", "reduce-scatter", "allgather", "barrier"):
            told = tutti("verify", collective, "--algorithm", "all", "--ranks", "1,2,5-7,16")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertEqual(told.stderr, "", "silent in a pipe")
            for line in told.stdout.splitlines():
                proven, asked = re.search(r"(\d+) of (\d+) proofs hold", line).groups()
                self.assertEqual(proven, asked)
                self.assertGreaterEqual(int(asked), 12)

    def test_recursive_doubling_in_place_needs_staging_and_a_ring_does_not(self):
        self.assertIn("staging", tutti("verify", "allreduce", "-a", "recursive-doubling", "-n", "8").stdout)
        self.assertNotIn("staging", tutti("verify", "allreduce", "-a", "ring", "-n", "8").stdout)


class Hierarchies(unittest.TestCase):
    def test_any_inner_and_outer_algorithm_is_proven_on_uneven_nodes(self):
        for algorithm in ("lanes(inner=circulant, outer=ring)", "leader(inner=knomial(k=3), outer=rabenseifner)"):
            for placement in ("block", "cyclic", "random"):
                told = tutti("verify", "allreduce", "-a", algorithm, "--nodes", "3,1,4,2", "--placement", placement)
                self.assertEqual(told.returncode, 0, told.stderr)
                self.assertRegex(told.stdout, r"2 of 2 proofs hold|4 of 4 proofs hold")

    def test_all_covers_hierarchies_of_one_and_two_levels(self):
        told = tutti("verify", "broadcast", "--ranks", "4")
        self.assertEqual(told.returncode, 0, told.stderr)
        for form in ("leader(inner=", "lanes(inner=", "outer=lanes(", "outer=leader("):
            self.assertIn(form, told.stdout)
        three = tutti("verify", "reduce", "--nodes", "3,1/4,2")
        self.assertEqual(three.returncode, 0, three.stderr)
        self.assertIn("outer=leader(", three.stdout)

    def test_messages_of_lanes_go_to_ranks_of_the_own_node_and_of_the_own_lane(self):
        text = tutti("schedule", "allreduce", "-a", "lanes(inner=two-shot, outer=ring)", "--nodes", "2x2", "--rank",
                     "1").stdout
        peers = set(re.findall(r"(?:to|from) (\d)", text))
        self.assertEqual(peers, {"0", "3"})


class Explain(unittest.TestCase):
    def test_text_and_json_tell_the_same_choice_and_every_term(self):
        where = ("--bytes", "1M", "--ranks", "64", "--ranks-per-host", "8")
        table = tutti("explain", "allreduce", *where)
        self.assertEqual(table.returncode, 0, table.stderr)
        answer = json.loads(tutti("explain", "allreduce", *where, "--json").stdout)
        self.assertIn(answer["chosen"]["name"] + ", predicted", table.stdout)
        self.assertEqual((answer["hosts"], answer["ranks"]), (8, 64))
        self.assertEqual(answer["candidates"][0]["name"], answer["chosen"]["name"])
        self.assertTrue(any(entry["name"].startswith("lanes(") for entry in answer["candidates"]))
        for entry in answer["candidates"]:
            terms = sum(entry[term + "_ps"] for term in ("latency", "bandwidth", "congestion", "combine", "switches"))
            self.assertEqual(terms, entry["total_ps"])
            self.assertIn(entry["name"], table.stdout)

    def test_the_table_of_the_guide_is_what_the_command_prints(self):
        guide = (SOURCE / "docs/choosing.md").read_text()
        shown = re.search(r"```\n(allreduce of 64K bytes on 8 ranks (?:.+\n)+)```", guide).group(1)
        told = tutti("explain", "allreduce", "--bytes", "64K", "--ranks", "8", "--ranks-per-host", "8",
                     "--cores-per-host", "2")
        self.assertEqual(told.stdout, shown)

    def test_a_million_ranks_are_explained(self):
        told = tutti("explain", "allreduce", "--bytes", "1M", "--ranks", "1048576", "--ranks-per-host", "4")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("on 262144 nodes", told.stdout)

    def test_what_cannot_be_forced_is_told_with_its_reason(self):
        told = tutti("explain", "allreduce", "--bytes", "8", "--nodes", "4", "-a", "lanes(outer=ring)")
        self.assertIn("one node", told.stdout + told.stderr)


class BadInput(unittest.TestCase):
    def test_it_says_what_was_wrong_and_what_would_be_right(self):
        for arguments, words in (
                ("verify allreducee", "allreduce, broadcast"),
                ("verify allreduce -a rings", "ring"),
                ("verify allreduce -a knomial(k=1)", "from 2 to 64"),
                ("verify allreduce -n 0", "from 1 to"),
                ("verify allreduce -n 4-x", "is not a number of ranks"),
                ("verify allreduce -n 9-5", "runs backwards"),
                ("verify allreduce -n ,", "is not a number of ranks"),
                ("verify allreduce -a ring -n 100000", "fit into memory"),
                ("schedule allreduce", "--ranks are needed"),
                ("schedule allreduce -a all -n 4", "one algorithm"),
                ("schedule allreduce -a ring -n 4 --rank 4", "0 to 3"),
                ("schedule allreduce -a ring -n 4 --ordered", "rank order"),
                ("schedule reduce -a chain -n 4 --ordered --root 4", "root 4 is not one of the 4 ranks"),
                ("schedule allreduce -a ring -n 4 --format goal --rank 0", "all ranks"),
                ("schedule allreduce -a ring -n 4 --format goal --bytes x", "x"),
                ("schedule allreduce -a ring(window=1K) -n 4", "windows"),
                ("schedule allreduce -a lanes(inner=ring,outer=ring) -n 4", "needs --nodes"),
                ("verify allreduce -a lanes(inner=ring) --nodes 2,2", "outer= is missing"),
                ("verify allreduce -a lanes(outer=ring) --nodes 2,2", "inner= is missing"),
                ("verify allreduce -a lanes(inner=ring,outer=lanes(inner=ring,outer=ring)) --nodes 2,2",
                 "2 levels of groups"),
                ("verify allreduce --nodes 3,0", "from 1 to"),
                ("verify allreduce --nodes 3,,1", "ranks of each node"),
                ("verify allreduce --nodes 9999999x9999", "more than"),
                ("verify allreduce --nodes 2,2 --placement round", "block, cyclic and random"),
                ("verify allreduce --nodes 2,2 -n 4", "--ranks"),
                ("explain allreduce --bytes 8", "--ranks or --nodes"),
                ("explain allreduce -n 4", "--bytes is needed"),
                ("explain allreduce -n 4 -b 8q", "is not a size"),
                ("explain allreduce -n 4,5 -b 8", "one number of ranks"),
                ("explain allreduce -n 4 -b 8 --ranks-per-host 0", "ranks-per-host"),
                ("explain allreduce -n 4 -b 8 -a rng", "nearest is ring")):
            told = tutti(*arguments.split())
            self.assertEqual(told.returncode, 2, arguments)
            self.assertIn(words, told.stderr, arguments)
            self.assertEqual(told.stdout, "", arguments)


if __name__ == "__main__":
    TUTTI, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1], verbosity=2)
