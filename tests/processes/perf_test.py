#!/usr/bin/env python3
"""tutti-perf in real jobs: what it measures is complete, bad input is refused, a wrong or dying library is told.

Usage: perf_test.py TUTTI_PERF SOURCE          ours alone
       perf_test.py TUTTI_PERF SOURCE PEER     beside one peer, set up by tools/peers

No figure is compared with another: only that they are there, that they are whole, and what is said of them.
"""
import csv
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PERF = ""
SOURCE = pathlib.Path()
PEER = None

FIELDS = {
    "library": str, "version": str, "collective": str, "chosen": bool, "transport": str, "ranks": int, "hosts": int,
    "bytes": int, "type": str, "in_place": bool, "median_us": float, "low_us": float, "high_us": float, "p99_us": float,
    "samples": int, "batch": int, "cpu_us": float, "bound_us": float, "correct": bool,
}
QUICK = ["--seconds", "0.05"]


def run(*arguments, **options):
    return subprocess.run([PERF, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300, cwd=SOURCE,
                          **options)


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tutti-perf-test-")
        self.path = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def measure(self, *arguments):
        """The result file of a quick measurement that must succeed."""
        file = self.path / "result.json"
        launches = [] if "--launches" in arguments else ["--launches", "1"]
        ran = run(*arguments, *launches, *QUICK, "--json", str(file))
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.printed = ran.stdout
        self.errors = ran.stderr
        return json.loads(file.read_text())

    def check_row(self, row):
        for field, kind in FIELDS.items():
            with self.subTest(field=field, library=row.get("library")):
                self.assertIsInstance(row[field], (int, float) if kind is float else kind)
        self.assertLessEqual(row["low_us"], row["median_us"])
        self.assertLessEqual(row["median_us"], row["high_us"])
        self.assertGreater(row["low_us"], 0)
        self.assertGreaterEqual(row["batch"], 1)
        self.assertTrue(row["correct"])


class Ours(Folder):
    def test_every_collective_is_measured_and_correct(self):
        for collective in ("allreduce", "broadcast", "reduce", "reduce-scatter", "allgather", "barrier"):
            with self.subTest(collective):
                sizes = [] if collective == "barrier" else ["--bytes", "48,100K"]
                results = self.measure(collective, "-n", "2", *sizes)
                self.assertEqual(len(results["results"]), 1 if collective == "barrier" else 2)
                for row in results["results"]:
                    self.check_row(row)
                    self.assertEqual(row["library"], "tutti")
                    self.assertEqual(row["collective"], collective)
                    self.assertTrue(row["chosen"])
                    self.assertTrue(row["algorithm"])
                    self.assertGreater(row["bound_us"], 0)

    def test_the_setup_says_what_a_repetition_needs(self):
        setup = self.measure("allreduce", "-n", "2", "--bytes", "64")["setup"]
        for key in ("cpu", "cores", "binding", "kernel", "compiler", "flags", "options", "jobs", "method", "date"):
            self.assertIn(key, setup)
        self.assertIn("tutti-perf-driver", setup["jobs"][0]["command"])
        self.assertIn(setup["jobs"][0]["command"], self.printed)

    def test_progress_and_tables_leave_the_error_output_of_a_pipe_alone(self):
        self.measure("allreduce", "-n", "2", "--bytes", "64")
        self.assertEqual(self.errors, "")

    def test_types_operations_and_in_place(self):
        for words in (["--type", "bfloat16"], ["--type", "float64", "--op", "max"], ["--type", "int32", "--op", "bxor"],
                      ["--op", "avg"], ["--in-place"]):
            with self.subTest(words=words):
                row = self.measure("allreduce", "-n", "2", "--bytes", "4K", *words)["results"][0]
                self.check_row(row)
        self.assertTrue(row["in_place"])

    def test_more_ranks_than_cores(self):
        ranks = len(os.sched_getaffinity(0)) + 2
        row = self.measure("allreduce", "-n", str(ranks), "--bytes", "64")["results"][0]
        self.check_row(row)
        self.assertEqual(row["ranks"], ranks)

    def test_every_algorithm_stands_beside_the_choice(self):
        rows = self.measure("allreduce", "-n", "2", "--bytes", "4K", "--algorithm", "all")["results"]
        self.assertEqual(sum(row["chosen"] for row in rows), 1)
        forced = [row["algorithm"] for row in rows if not row["chosen"]]
        for name in ("ring", "recursive-doubling", "circulant", "one-shot", "two-shot"):
            self.assertIn(name, forced)

    def test_a_forced_algorithm_runs(self):
        row = self.measure("allreduce", "-n", "2", "--bytes", "4K", "--algorithm", "ring")["results"][0]
        self.assertEqual((row["algorithm"], row["chosen"]), ("ring", False))

    def test_overlap_of_nonblocking_calls_is_a_percentage(self):
        row = self.measure("allreduce", "-n", "2", "--bytes", "256K", "--nonblocking")["results"][0]
        self.assertGreaterEqual(row["overlap_percent"], 0)
        self.assertLessEqual(row["overlap_percent"], 100)

    def test_raw_samples_and_csv_hold_what_the_rows_say(self):
        raw, table = self.path / "raw", self.path / "table.csv"
        row = self.measure("allreduce", "-n", "2", "--bytes", "4K", "--raw", str(raw), "--csv", str(table),
                           "--launches", "2")["results"][0]
        lines = [json.loads(line) for line in raw.read_text().splitlines()]
        ours = [line for line in lines if line["library"] == "tutti"]
        self.assertEqual(len(ours), 1)
        self.assertEqual(len(ours[0]["us"]), row["samples"])
        self.assertEqual(len(ours[0]["launch"]), row["samples"])
        with table.open() as file:
            written = list(csv.DictReader(file))
        self.assertEqual(float(written[0]["median_us"]), row["median_us"])

    def test_replay_reads_its_own_file_and_tells_a_difference(self):
        self.measure("allreduce", "-n", "2", "--bytes", "64K")
        file = self.path / "result.json"
        ran = run("replay", str(file))
        self.assertIn("of 1 cells agree", ran.stdout, ran.stderr)
        self.assertIn(ran.returncode, (0, 1))
        forged = json.loads(file.read_text())
        for key in ("median_us", "low_us", "high_us"):
            forged["results"][0][key] /= 1000
        file.write_text(json.dumps(forged))
        ran = run("replay", str(file))
        self.assertEqual(ran.returncode, 1)
        self.assertIn("DIFFER", ran.stdout)

    def test_bounds_of_the_machine(self):
        file = self.path / "bounds.json"
        ran = run("bounds", "-n", "2", "--bytes", "64K", "--seconds", "0.05", "--json", str(file))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        parts = {limit["part"] for limit in json.loads(file.read_text())["limits"]}
        self.assertLessEqual({"switch", "copy-all", "pass"}, parts)

    def test_a_rank_that_is_killed_ends_the_measurement_with_its_name(self):
        process = subprocess.Popen([PERF, "allreduce", "-n", "2", "--bytes", "1M", "--seconds", "60", "--interval", "0.001",
                                    "--launches", "1"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            os.kill(self.rank_of(process.pid), signal.SIGKILL)
            output, errors = process.communicate(timeout=120)
        finally:
            process.kill()
        self.assertEqual(process.returncode, 1, output + errors)
        self.assertRegex(errors, r"rank \d")

    def rank_of(self, ancestor):
        """The process of one of our ranks below `ancestor`, once it is there."""
        limit = time.monotonic() + 60
        while time.monotonic() < limit:
            parents = {}
            for folder in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    status = (folder / "stat").read_text()
                    words = (folder / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                parents[int(folder.name)] = (int(status.rpartition(")")[2].split()[1]), words[0])
            for process, (parent, program) in parents.items():
                while program.endswith(b"tutti-perf-driver") and parent in parents:
                    if parent == ancestor:
                        return process
                    parent = parents[parent][0]
        self.fail("no rank of ours appeared")


class FaultyPeer(Folder):
    """A peer whose compiler puts a wrong library behind the driver's seam."""

    def beside_faulty(self, fault):
        (self.path / "bin").mkdir()
        sources = SOURCE.resolve() / "perf/driver"
        faulty = pathlib.Path(__file__).resolve().with_name("perf_faulty_library.c")
        compiler = f"""#!/bin/sh
for word; do
  case $word in */library_mpi.c) word={faulty} ;; esac
  set -- "$@" "$word"
  shift
done
exec cc -I{sources} "$@"
"""
        launcher = """#!/bin/sh
[ "$1" = -n ] || exit 0
size=$2
shift 2
rank=0
while [ $rank -lt $size ]; do
  "$@" --rank $rank --size $size &
  rank=$((rank + 1))
done
wait
"""
        for name, text in (("mpicc", compiler), ("mpiexec", launcher)):
            (self.path / "bin" / name).write_text(text)
            (self.path / "bin" / name).chmod(0o755)
        file = self.path / "result.json"
        ran = run("allreduce", "-n", "2", "--bytes", "4K", "--against", f"faulty={self.path}", "--launches", "1", *QUICK,
                  "--json", str(file), env={**os.environ, "FAULT": fault})
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        return ran, json.loads(file.read_text())

    def test_a_wrong_result_is_told_and_fails_the_run(self):
        ran, results = self.beside_faulty("wrong")
        self.assertIn("WRONG", ran.stdout)
        self.assertIn("element 0 is wrong", ran.stdout)
        self.assertEqual({row["library"]: row["correct"] for row in results["results"]}, {"tutti": True, "faulty": False})

    def test_a_call_that_fails_on_one_rank_is_told_and_keeps_nobody_waiting(self):
        ran, results = self.beside_faulty("fail")
        self.assertIn("rank 1: the fiftieth call", ran.stdout)
        self.assertEqual([row["library"] for row in results["results"]], ["tutti"])
        self.assertEqual(results["not_run"][0]["library"], "faulty")


class BadInput(Folder):
    def refused(self, arguments, *parts):
        with self.subTest(arguments=arguments):
            ran = run(*arguments)
            self.assertEqual(ran.returncode, 2, ran.stdout + ran.stderr)
            for part in parts:
                self.assertIn(part, ran.stderr)

    def test_every_bad_value_is_named_with_what_would_be_right(self):
        self.refused(["alltoallx"], "alltoallx", "allreduce")
        self.refused(["allreduce", "-n", "0"], "0 ranks", "1 to")
        self.refused(["allreduce", "-n", "-1"], "-1 ranks")
        self.refused(["allreduce", "--bytes", "8:x"], "'x'", "8:64M")
        self.refused(["allreduce", "--bytes", "64:8"], "backwards")
        self.refused(["allreduce", "--bytes", "6"], "6 B", "float32")
        self.refused(["allreduce", "--bytes", ""], "8:64M")
        self.refused(["allreduce", "--type", "float33"], "float33", "float32")
        self.refused(["allreduce", "--op", "plus"], "plus", "sum")
        self.refused(["allreduce", "--op", "band"], "band", "integers")
        self.refused(["allreduce", "--algorithm", "rong"], "rong", "ring")
        self.refused(["allreduce", "--against", "nix"], "nix", "openmpi")
        self.refused(["allreduce", "--against", "mine=/nowhere"], "/nowhere/bin/mpicc")
        self.refused(["broadcast", "-n", "2", "--root", "2"], "root 2")
        self.refused(["barrier", "--bytes", "8"], "--bytes")
        self.refused(["allreduce", "--launches", "0"], "--launches")
        self.refused(["allreduce", "extra"], "extra", "replay")
        self.refused(["--unknown"])
        self.refused([])

    def test_replay_refuses_what_is_no_result_file(self):
        file = self.path / "f.json"
        self.refused(["replay"], "replay needs a file")
        self.refused(["replay", str(file)], str(file))
        for content, part in (("{", "not JSON"), ("[]", "no setup"), ('{"setup": {}, "results": []}', "setup.options")):
            file.write_text(content)
            self.refused(["replay", str(file)], part)

    def test_a_peer_that_cannot_compile_is_told_with_its_output(self):
        (self.path / "bin").mkdir()
        for program in ("mpicc", "mpiexec"):
            tool = self.path / "bin" / program
            tool.write_text("#!/bin/sh\necho the reason is this\nexit 1\n")
            tool.chmod(0o755)
        ran = run("allreduce", "-n", "2", "--bytes", "64", "--against", f"mine={self.path}", *QUICK)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("the reason is this", ran.stderr)


class BesidePeer(Folder):
    def test_the_peer_is_measured_in_the_same_rounds(self):
        prepared = subprocess.run([SOURCE / "tools/peers", PEER], text=True, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        self.assertEqual(prepared.returncode, 0, prepared.stdout)
        results = self.measure("allreduce", "-n", "2", "--bytes", "64,64K", "--against", PEER)
        rows = results["results"]
        self.assertEqual([row["library"] for row in rows], ["tutti", PEER, "tutti", PEER])
        for row in rows:
            self.check_row(row)
        for row in rows[1::2]:
            self.assertIsNone(row["algorithm"])
            self.assertFalse(row["chosen"])
            self.assertRegex(row["version"], "MPICH|Open MPI")
        self.assertEqual(rows[0]["batch"], rows[1]["batch"])
        command = results["setup"]["jobs"][1]["command"]
        self.assertIn("mpiexec", command)
        self.assertIn(command, self.printed)
        self.assertTrue(re.search(r"\d\.\d\dx", self.printed), self.printed)

    def test_the_peer_is_measured_with_bfloat16(self):
        rows = self.measure("allreduce", "-n", "2", "--bytes", "1K", "--type", "bfloat16", "--against", PEER)["results"]
        self.check_row(rows[1])
        self.assertIn("user-defined operation", self.printed)


if __name__ == "__main__":
    PERF, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    PEER = sys.argv[3] if len(sys.argv) > 3 else None
    cases = [BesidePeer] if PEER else [Ours, FaultyPeer, BadInput]
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases)
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)
