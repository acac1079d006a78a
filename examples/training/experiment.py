#!/usr/bin/env python3
"""Trains every workload by every method with several seeds, in turn, and keeps one result file for each run.

Usage: tools/cluster --hosts 4 --rate 250mbit -- examples/training/experiment.py --name 250mbit --data FOLDER --results FOLDER

Runs on the first host of a tools/cluster. DATA holds text.txt and languages.txt, as prepare.py makes them. Methods of one
seed follow each other, so that what disturbs the machine for a while disturbs all of them. Runs whose file is there are
not repeated: an experiment that was cut goes on. Exit: 0 good, 1 a run failed (its output is shown), 2 bad use.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
METHODS = ["dense", "topk", "int8", "mixed", "none", "int4", "bf16", "topk-global", "topk-plain", "sparse", "reproducible"]
# One shard for each of four ranks. Iterations that reach the target by every method that reaches it, and half as many more.
WORKLOADS = {
    "digits": ["--samples", "36", "--iterations", "48", "--score-every", "2"],
    "characters": ["--samples", "144", "--iterations", "200", "--score-every", "10"],
    "languages": ["--samples", "128", "--iterations", "24", "--score-every", "1"],
}
# The ring is the dense allreduce that comes nearest to the bound of a slow network. Forced, since the choice does not
# know the rate of the links. A quantised sum rounds once on its way, which a ring cannot.
ALGORITHMS = dict.fromkeys(("dense", "reproducible"), "allreduce@256K-=ring")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="of the link rate, the beginning of the files' names")
    parser.add_argument("--data", required=True, type=pathlib.Path)
    parser.add_argument("--results", required=True, type=pathlib.Path)
    parser.add_argument("--build", default=SOURCE / "build", type=pathlib.Path)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--seeds", default=5, type=int)
    parser.add_argument("--seconds", default=1e9, type=float, help="no run begins later")
    parser.add_argument("--until", default="", help="workload=accuracy,...: runs end there")
    return parser.parse_args()


def train(options, workload, method, seed, until):
    file = options.results / f"{options.name}-{workload}-{method}-{seed}.json"
    if file.exists():
        return
    data = SOURCE / "examples/data/digits.csv" if workload == "digits" else options.data / {"characters": "text.txt"}.get(
        workload, "languages.txt")
    command = [options.build / "tools/tutti", "run", "-n", "4", options.build / "examples/training/training", workload, data,
               "--method", method, "--seed", str(seed), "--shards", "4", "--interface", "eth0", "--json", f"{file}.part",
               *WORKLOADS[workload]]
    if method == "none":  # its time alone is wanted
        command += ["--iterations", "10", "--score-every", "10"]
    elif workload in until:
        command += ["--until", until[workload]]
    done = subprocess.run(command, env={**os.environ, "TUTTI_ALGORITHM": ALGORITHMS.get(method, "")}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        print(f"experiment.py: {workload} by {method} failed:\n{done.stdout}", file=sys.stderr)
        sys.exit(1)
    os.rename(f"{file}.part", file)
    last = json.loads(file.read_text())["points"][-1]
    print(f"{file.stem}: {last['iteration']} iterations, {last['seconds']:.2f} s, accuracy {last['accuracy']:.4f}", flush=True)


def main():
    options = arguments()
    options.results.mkdir(parents=True, exist_ok=True)
    until = dict(pair.split("=") for pair in options.until.split(",") if pair)
    began = time.monotonic()
    for seed in range(1, options.seeds + 1):
        for workload in options.workloads.split(","):
            for method in options.methods.split(","):
                if time.monotonic() - began > options.seconds:
                    return
                if method != "sparse" or workload == "languages":  # elsewhere no gradient is zero
                    train(options, workload, method, seed, until)


if __name__ == "__main__":
    main()
