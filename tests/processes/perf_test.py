#!/usr/bin/env python3
"""tutti-perf in real jobs: what it measures is complete, bad input is refused, a wrong or dying library is told.

Usage: perf_test.py TUTTI_PERF SOURCE          ours alone
       perf_test.py TUTTI_PERF SOURCE PEER     beside one peer, set up by tools/peers

No figure is compared with another: only that they are there, that they are whole, and what is said of them.
"""
import array
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
        for collective in ("allreduce", "broadcast", "reduce", "reduce-scatter", "allgather", "alltoall", "barrier"):
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


class Lossy(Folder):
    """Sums that lose something: never a speed without its error, never without the dense sum of the same inputs."""

    def check_loss(self, row):
        self.check_row(row)
        for field in ("density", "bits", "distribution", "wire_bytes", "max_abs_error", "nrmse", "snr_db"):
            self.assertIn(field, row)
        self.assertGreater(row["wire_bytes"], 0)
        self.assertGreaterEqual(row["max_abs_error"], 0)

    def test_every_density_stands_beside_the_dense_sum_with_its_error(self):
        rows = self.measure("topk-allreduce", "-n", "3", "--bytes", "64K", "--density", "0,0.001,0.01,1")["results"]
        self.assertEqual([row["density"] for row in rows], [0, 0.001, 0.01, 1, None])
        self.assertEqual([row["collective"] for row in rows], ["topk-allreduce"] * 4 + ["allreduce"])
        for row in rows[1:]:
            self.check_loss(row)
        noise = [row["snr_db"] for row in rows]
        self.assertEqual(noise[0], 0)
        self.assertEqual(sorted(noise[:4]), noise[:4])
        self.assertGreater(noise[3], 100)
        self.assertLess(rows[1]["wire_bytes"], rows[2]["wire_bytes"])
        self.assertLess(rows[2]["wire_bytes"], rows[4]["wire_bytes"])
        self.assertEqual(self.printed.count("SNR dB"), 1)

    def test_every_algorithm_of_a_top_k_sum_gives_the_sum_of_what_was_selected(self):
        rows = self.measure("topk-allreduce", "-n", "3", "--bytes", "40K", "--density", "0.05", "--algorithm", "all",
                            "--dense-result", "--type", "float64")["results"]
        self.assertLessEqual({"split-sparse", "recursive-doubling", "split-dense", "dense"}, {row["algorithm"] for row in rows})
        for row in rows:
            self.check_loss(row)
        self.assertEqual(len({row["max_abs_error"] for row in rows if row["density"]}), 1)

    def test_fewer_bits_send_less_and_lose_more(self):
        rows = self.measure("quantised-allreduce", "-n", "2", "--bytes", "256K", "--bits", "16,8,4,2")["results"]
        self.assertEqual([row["bits"] for row in rows], [16, 8, 4, 2, None])
        for row in rows:
            self.check_loss(row)
        for more, fewer in zip(rows[:3], rows[1:4]):
            self.assertGreater(more["wire_bytes"], fewer["wire_bytes"])
            self.assertGreater(more["snr_db"], fewer["snr_db"])

    def test_a_reproducible_sum_loses_no_more_than_the_plain_one(self):
        rows = self.measure("reproducible-allreduce", "-n", "3", "--bytes", "64K", "--type", "float64",
                            "--distribution", "uniform")["results"]
        self.assertEqual([row["collective"] for row in rows], ["reproducible-allreduce", "allreduce"])
        for row in rows:
            self.check_loss(row)
        self.assertGreaterEqual(rows[0]["snr_db"], rows[1]["snr_db"])
        self.assertGreater(rows[0]["wire_bytes"], rows[1]["wire_bytes"])

    def test_recorded_numbers_are_read_raw_and_as_npy(self):
        numbers = array.array("f", (((7 * i) % 101 - 50) / 64 for i in range(1000)))
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000,), }".ljust(117) + b"\n"
        raw, npy = self.path / "gradient.f32", self.path / "gradient.npy"
        raw.write_bytes(numbers.tobytes())
        npy.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + numbers.tobytes())
        losses = []
        for file in (raw, npy):
            row = self.measure("topk-allreduce", "-n", "2", "--bytes", "16K", "--density", "0.1", "--distribution",
                               str(file))["results"][0]
            self.check_loss(row)
            self.assertEqual(row["distribution"], str(file))
            losses.append((row["max_abs_error"], row["nrmse"], row["snr_db"]))
        self.assertEqual(losses[0], losses[1])

    def test_heavy_tails_suit_few_elements_better_than_uniform_numbers(self):
        noise = {}
        for name in ("uniform", "gaussian", "heavy-tail"):
            noise[name] = self.measure("topk-allreduce", "-n", "2", "--bytes", "256K", "--density", "0.05", "--distribution",
                                       name)["results"][0]["snr_db"]
        self.assertLess(noise["uniform"], noise["gaussian"])
        self.assertLess(noise["gaussian"], noise["heavy-tail"])

    def test_replay_and_plot_know_the_settings(self):
        self.measure("topk-allreduce", "-n", "2", "--bytes", "16K", "--density", "0.01,0.1", "--raw", str(self.path / "raw"))
        file = self.path / "result.json"
        ran = run("replay", str(file), "--raw", str(self.path / "raw"))
        self.assertIn("of 3 cells agree", ran.stdout, ran.stderr)
        drawn = subprocess.run([SOURCE / "tools/plot", file], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(drawn.returncode, 0, drawn.stderr)
        picture = (self.path / "result.svg").read_text()
        self.assertIn("top 1 %, SNR", picture)
        self.assertIn("dense, SNR", picture)


class FaultyPeer(Folder):
    """A peer whose compiler puts a wrong library behind the driver's seam."""

    def beside_faulty(self, fault, call=("allreduce",)):
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
        ran = run(*call, "-n", "2", "--bytes", "4K", "--against", f"faulty={self.path}", "--launches", "1", *QUICK,
                  "--json", str(file), env={**os.environ, "FAULT": fault})
        self.assertEqual(ran.returncode, 1, ran.stdout + ran.stderr)
        return ran, json.loads(file.read_text())

    def test_a_wrong_result_is_told_and_fails_the_run(self):
        ran, results = self.beside_faulty("wrong")
        self.assertIn("WRONG", ran.stdout)
        self.assertIn("element 0 is wrong", ran.stdout)
        self.assertEqual({row["library"]: row["correct"] for row in results["results"]}, {"tutti": True, "faulty": False})

    def test_a_wrong_sum_of_real_numbers_is_told_too(self):
        ran, results = self.beside_faulty("wrong", ["topk-allreduce", "--density", "0.1"])
        self.assertIn("element 0 is wrong", ran.stdout)
        self.assertEqual([(row["collective"], row["library"], row["correct"]) for row in results["results"]],
                         [("topk-allreduce", "tutti", True), ("allreduce", "tutti", True), ("allreduce", "faulty", False)])

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

    def test_settings_of_lossy_sums_are_checked(self):
        self.refused(["allreduce", "--density", "0.1"], "topk-allreduce")
        self.refused(["topk-allreduce"], "needs --density")
        self.refused(["topk-allreduce", "--density", "1.5"], "1.5", "from 0 to 1")
        self.refused(["topk-allreduce", "--density", "nan"], "from 0 to 1")
        self.refused(["topk-allreduce", "--density", "0.1", "--bits", "8"], "--bits")
        self.refused(["topk-allreduce", "--density", "0.1", "--type", "int32"], "int32", "float64")
        self.refused(["topk-allreduce", "--density", "0.1", "--op", "max"], "max", "sum")
        self.refused(["topk-allreduce", "--density", "0.1", "--in-place"], "--in-place")
        self.refused(["topk-allreduce", "--density", "0.1", "--algorithm", "ring"], "ring", "split-sparse")
        self.refused(["quantised-allreduce"], "needs --bits")
        self.refused(["quantised-allreduce", "--bits", "3"], "3", "8, 4, 2")
        self.refused(["reproducible-allreduce", "--density", "0.1"], "--density")
        self.refused(["reproducible-allreduce", "--distribution", "normal"], "normal", "gaussian")

    def test_a_file_of_numbers_that_cannot_be_read_is_named(self):
        file = self.path / "gradient"
        for content, part in ((b"", "0 B"), (b"12345", "5 B"), (b"\x93NUMPY", "NUMPY"), (b"\0\0\xc0\x7f", "not finite"),
                              (b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8'}", "<f4")):
            file.write_bytes(content)
            with self.subTest(content=content):
                ran = run("topk-allreduce", "--density", "0.1", "--distribution", str(file))
                self.assertEqual(ran.returncode, 2, ran.stdout + ran.stderr)
                self.assertIn(str(file), ran.stderr)
                if part != "NUMPY":
                    self.assertIn(part, ran.stderr)

    def test_nothing_is_measured_without_arguments(self):
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
    cases = [BesidePeer] if PEER else [Ours, Lossy, FaultyPeer, BadInput]
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases)
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)
