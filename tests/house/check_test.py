#!/usr/bin/env python3
"""tools/check tells the truth: it adds up every result, and fails where something required is absent or was skipped.

Usage: check_test.py SOURCE
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path()


class Check(unittest.TestCase):
    def results(self, main, required="", other=(), stages="", fuzz=()):
        """(exit code, last line, all lines) of check_results.py over logs with these (name, result) pairs."""
        with tempfile.TemporaryDirectory(prefix="tutti-check-") as name:
            folder = pathlib.Path(name)
            for build, tests in (("main", main), ("fuzz", fuzz), ("sanitize-address", other)):
                lines = [json.dumps({"name": "tutti:suite / " + test, "result": result}) + "\n" for test, result in tests]
                (folder / f"{build}.json").write_text("".join(lines))
            (folder / "stages").write_text(stages)
            (folder / "required.txt").write_text(required)
            program = SOURCE / "tools" / "check_results.py"
            ran = subprocess.run([sys.executable, program, folder, "--required", folder / "required.txt"],
                                 text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return ran.returncode, ran.stdout.splitlines()[-1], ran.stdout

    def test_the_sum_counts_every_build_and_stage(self):
        code, last, _ = self.results([("a", "OK"), ("b", "SKIP")], other=[("a", "OK")], stages="OK build\n")
        self.assertEqual((code, last), (0, "3 passed, 0 failed, 1 skipped"))

    def test_a_test_that_failed_or_ran_out_of_time_fails_the_check(self):
        for result in ("FAIL", "TIMEOUT", "ERROR", "UNEXPECTEDPASS", "INTERRUPT"):
            code, last, everything = self.results([("a", "OK"), ("b", result)])
            self.assertEqual((code, last), (1, "1 passed, 1 failed, 0 skipped"))
            self.assertIn(": b (main)", everything)

    def test_a_failed_stage_fails_the_check(self):
        self.assertEqual(self.results([("a", "OK")], stages="FAIL build-address\n")[0], 1)

    def test_what_is_required_must_have_run(self):
        code, last, everything = self.results([("a", "OK")], required="# why\ntest a\ntest gone\n")
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertIn("tests/required.txt:3): test 'gone' did not run", everything)

    def test_what_is_required_must_not_be_skipped(self):
        code, _, everything = self.results([("net", "SKIP")], required="transport shm net\n")
        self.assertEqual(code, 1)
        self.assertIn("transport 'shm': its test 'net' was skipped", everything)

    def test_names_may_hold_spaces(self):
        self.assertEqual(self.results([("C face", "OK")], required='test "C face"\n')[0], 0)
        self.assertEqual(self.results([("C face", "FAIL")], required='test "C face"\n')[0], 1)

    def test_fuzzing_counts_as_having_run(self):
        self.assertEqual(self.results([], required="test a\n", fuzz=[("a", "OK")])[0], 0)

    def test_what_passed_under_a_sanitizer_alone_has_not_run(self):
        self.assertEqual(self.results([], required="test a\n", other=[("a", "OK")])[0], 1)

    def test_no_test_at_all_is_a_failure(self):
        self.assertEqual(self.results([])[:2], (1, "0 passed, 1 failed, 0 skipped"))

    def test_a_line_that_says_nothing_is_bad_input(self):
        for line in ("tests a", "test", "transport shm", "test a b", 'test "a'):
            code, _, everything = self.results([("a", "OK")], required=f"test a\n{line}\n")
            self.assertEqual(code, 2, line)
            self.assertIn(f"required.txt:2: '{line}'", everything)

    def test_commands_refuse_options_they_do_not_know(self):
        for command in (["check", "--fast"], ["check", "--sanitize", "memory"], ["quickstart", "now"],
                        ["install-dependencies", "--all"]):
            ran = subprocess.run([SOURCE / "tools" / command[0], *command[1:]], text=True, capture_output=True)
            self.assertEqual(ran.returncode, 2, command)
            self.assertIn(command[-1], ran.stderr)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("check_test.py: wants one argument, the source tree")
    SOURCE = pathlib.Path(sys.argv[1]).absolute()
    unittest.main(argv=sys.argv[:1])
