#!/usr/bin/env python3
"""`tutti tune` and TUTTI_TUNING in real jobs: tuning_test.py TUTTI HELLO PERF [NAMES...]

No figure is judged: only what is measured, written, read, agreed upon and refused.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

TUTTI, HELLO, PERF = (os.path.abspath(path) for path in sys.argv[1:4])
LIMIT = 400  # seconds: only a job that hangs reaches it


def run(*command, **variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TUTTI_")}
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=LIMIT, stdin=subprocess.DEVNULL,
                          env=clean | variables)


class Tuning(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One measurement for all tests: two sizes of an allreduce."""
        cls.place = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.place.name)
        cls.result, cls.file = cls.folder / "result.json", cls.folder / "here.toml"
        measured = run(PERF, "allreduce", "-n", 2, "--bytes", "8,64K", "--algorithm", "all", "--launches", 1, "--seconds",
                       0.002, "--json", cls.result)
        assert measured.returncode == 0, measured.stderr
        cls.told = run(TUTTI, "tune", "--from", cls.result, "--output", cls.file)

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def changed(self, name, pattern, replacement):
        text, count = re.subn(pattern, replacement, self.file.read_text(), flags=re.M)
        self.assertEqual(count, 1)
        path = self.folder / name
        path.write_text(text)
        return path

    def job(self, wish, **variables):
        return run(TUTTI, "run", "-n", 2, HELLO, TUTTI_TUNING=str(wish), **variables)

    def test_a_fit_says_what_it_found_and_is_silent_in_a_pipe(self):
        self.assertEqual(self.told.returncode, 0, self.told.stderr)
        self.assertRegex(self.told.stdout, r"^.*here\.toml: \d+ calls measured; the median error .*\n$")
        self.assertEqual(self.told.stderr, "")
        self.assertRegex(self.file.read_text(), r"(?s)\[made\].*\[node\]\nhop = \d+\n.*\[correction\.allreduce\]\n")

    def test_tune_measures_by_itself(self):
        output = self.folder / "measured.toml"
        told = run(TUTTI, "tune", "-n", 2, "--seconds", 0.001, "--output", output)
        self.assertEqual(told.returncode, 0, told.stderr)
        for collective in ("allreduce", "broadcast", "reduce", "reduce-scatter", "allgather", "barrier"):
            self.assertIn(f"[correction.{collective}]", output.read_text())
        self.assertEqual(self.job(output).returncode, 0)

    def test_a_job_chooses_by_the_file_and_says_so(self):
        job = self.job(self.file, TUTTI_EXPLAIN="1")
        self.assertEqual(job.returncode, 0, job.stderr)
        self.assertIn(f"by the constants of {self.file}", job.stderr)

    def test_only_rank_0_reads_the_file(self):
        script = f'[ "$TUTTI_RANK" = 0 ] || export TUTTI_TUNING=/nowhere; exec {HELLO}'
        job = run(TUTTI, "run", "-n", 3, "sh", "-c", script, TUTTI_TUNING=str(self.file))
        self.assertEqual(job.returncode, 0, job.stderr)

    def test_a_file_made_elsewhere_is_refused_unless_forced(self):
        elsewhere = self.changed("elsewhere.toml", '^processor = .*', 'processor = "another"')
        refused = self.job(elsewhere)
        self.assertEqual(refused.returncode, 1)
        # Whichever rank ends first: the launcher may end the other before it has said the same.
        self.assertRegex(refused.stderr, r'\[[01]\] .*made elsewhere: processor "another", here "')
        self.assertIn(f"TUTTI_TUNING=force:{elsewhere}", refused.stderr)
        self.assertEqual(self.job(f"force:{elsewhere}").returncode, 0)

    def test_a_malformed_file_is_told_by_its_place(self):
        wrong = self.changed("wrong.toml", "^hop = .*", "hop = 0")
        line = 1 + wrong.read_text().splitlines().index("hop = 0")
        self.assertIn(f"{wrong}:{line}:7: ", self.job(wrong).stderr)
        self.assertIn("/nowhere cannot be read", self.job("/nowhere").stderr)

    def test_algorithms_of_the_file_are_forced_and_the_variable_replaces_them(self):
        forcing = self.folder / "forcing.toml"
        forcing.write_text(self.file.read_text() + '\n[forced]\nalgorithms = "allreduce=ring"\n')
        forced = self.job(forcing, TUTTI_EXPLAIN="1")
        self.assertRegex(forced.stderr, rf"ring, predicted .*, forced by {re.escape(str(forcing))}:\d+:14: ")
        replaced = self.job(forcing, TUTTI_EXPLAIN="1", TUTTI_ALGORITHM="allreduce=two-shot")
        self.assertIn("two-shot, predicted", replaced.stderr)
        self.assertIn("forced by TUTTI_ALGORITHM", replaced.stderr)

    def test_explain_takes_a_file_from_anywhere(self):
        elsewhere = self.changed("other.toml", '^processor = .*', 'processor = "another"')
        told = run(TUTTI, "explain", "allreduce", "--bytes", "1M", "--ranks", 4, "--tuning", elsewhere, "--json")
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual(json.loads(told.stdout)["constants"], str(elsewhere))

    def test_bad_input_is_refused(self):
        text = self.folder / "text.json"
        text.write_text("{}")
        cases = [(["--from", text], "is not a file that tutti-perf --json wrote"),
                 (["--from", "/nowhere"], "/nowhere cannot be read"),
                 (["--from", self.result, "--output", "/nowhere/f"], "there is no folder /nowhere")]
        for words, message in cases:
            with self.subTest(words=words):
                told = run(TUTTI, "tune", *words)
                self.assertEqual(told.returncode, 2)
                self.assertIn(message, told.stderr)
        inside = run(TUTTI, "tune", TUTTI_RANK="0")
        self.assertEqual(inside.returncode, 2)
        self.assertIn("--from", inside.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
