#!/usr/bin/env python3
"""The training example in real jobs: it learns by every way of exchanging gradients, and what is promised to be equal is.

Usage: training_test.py TUTTI TRAINING SOURCE

Texts are the tree's own guides and sources: prepare.py's packages are not needed for it.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

TUTTI, TRAINING, SOURCE = "", "", pathlib.Path()
LEARNING = ["dense", "reproducible", "bf16", "int8", "int4", "mixed", "topk", "topk-plain", "topk-global", "sparse"]
# Small models that learn in a few steps: what the program's own recipes are for takes longer.
SMALL = {
    "digits": ["--size", "32", "--iterations", "12", "--score-every", "12"],
    "characters": ["--size", "32", "--samples", "16", "--iterations", "12", "--score-every", "12"],
    "languages": ["--size", "12", "--samples", "16", "--iterations", "12", "--score-every", "12"],
}


class Training(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="tutti-training-test-")
        path = pathlib.Path(cls.folder.name)
        guides = sorted(SOURCE.glob("docs/*.md"))
        (path / "text").write_text("\n".join(guide.read_text() for guide in guides))
        lines = [(file.suffix, line.strip()) for pattern in ("docs/*.md", "lib/runtime/*.cpp", "tests/processes/*.py")
                 for file in sorted(SOURCE.glob(pattern)) for line in file.read_text().splitlines() if len(line) > 30]
        # Every fifth line to the end, so that all kinds are held out.
        lines = [line for number, line in enumerate(lines) if number % 5] + lines[::5]
        (path / "lines").write_text("".join(f"{kind}\t{line}\n" for kind, line in lines))
        cls.data = {"digits": SOURCE / "examples/data/digits.csv", "characters": path / "text", "languages": path / "lines"}
        cls.result = path / "result.json"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_job(self, ranks, workload, *options, data=None):
        return subprocess.run([TUTTI, "run", "-n", str(ranks), TRAINING, workload, str(data or self.data.get(workload, "none")),
                               *options], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)

    def train(self, ranks, workload, *options):
        ran = self.run_job(ranks, workload, *SMALL[workload], "--json", str(self.result), *options)
        self.assertEqual(ran.returncode, 0, ran.stdout)
        return json.loads(self.result.read_text())

    def test_the_loss_falls_in_every_workload_by_every_method(self):
        for workload in SMALL:
            for method in LEARNING:
                with self.subTest(workload=workload, method=method):
                    result = self.train(3, workload, "--method", method, "--density", "0.05")
                    self.assertLess(result["points"][-1]["loss"], 0.97 * result["points"][0]["loss"])
                    self.assertGreater(result["points"][-1]["accuracy"], result["points"][0]["accuracy"])
                    self.assertTrue(result["same_everywhere"])

    def test_a_reproducible_model_has_the_same_bits_for_any_number_of_ranks(self):
        for workload in SMALL:
            models = {self.train(ranks, workload, "--method", "reproducible")["model_hash"] for ranks in (1, 2, 3, 5)}
            self.assertEqual(len(models), 1, workload)

    def test_methods_without_loss_give_the_same_model_but_for_rounding(self):
        for workload in SMALL:
            runs = [self.train(ranks, workload, "--method", method)["points"][-1]["loss"]
                    for ranks, method in ((1, "dense"), (3, "dense"), (4, "sparse"), (2, "reproducible"))]
            for loss in runs[1:]:
                self.assertAlmostEqual(loss / runs[0], 1, delta=1e-3, msg=workload)

    def test_seeds_and_methods_make_a_difference(self):
        models = {self.train(2, "digits", *options)["model_hash"] for options in
                  (["--seed", "1"], ["--seed", "2"], ["--method", "bf16"], ["--method", "topk"], ["--method", "topk-plain"])}
        self.assertEqual(len(models), 5)

    def test_it_ends_at_the_accuracy_that_is_asked_for(self):
        points = self.train(2, "digits", "--score-every", "1", "--until", "0.3")["points"]
        self.assertGreaterEqual(points[-1]["accuracy"], 0.3)
        self.assertTrue(all(point["accuracy"] < 0.3 for point in points[:-1]))

    def test_bad_input_is_refused_clearly(self):
        broken = pathlib.Path(self.folder.name) / "broken"
        rows = self.data["digits"].read_text().splitlines()
        broken.write_text("\n".join([*rows[:4], rows[4].replace(",", ";", 1), *rows[5:]]) + "\n")
        for words, ranks, workload, options, data in (
                ("cannot be opened", 3, "digits", [], "absent"),
                ("line 5, column 1 is not as wanted", 3, "digits", [], broken),
                ("line 1 is not as wanted: a language", 2, "languages", [], broken),
                ('there is no workload "numbers"', 2, "numbers", [], broken),
                ('there is no method "magic"', 3, "digits", ["--method", "magic"], None),
                ("2 shards cannot be shared by 3 ranks", 3, "digits", ["--shards", "2"], None),
                ('no network interface "none0"', 2, "digits", ["--interface", "none0"], None),
                ("density", 2, "digits", ["--method", "topk", "--density", "2"], None),
                ("--samples", 3, "digits", ["--samples", "few"], None)):
            ran = self.run_job(ranks, workload, *options, data=data)
            self.assertNotEqual(ran.returncode, 0, words)
            self.assertIn(words, ran.stdout)


if __name__ == "__main__":
    TUTTI, TRAINING, SOURCE = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).absolute()
    unittest.main(argv=sys.argv[:1])
