#!/usr/bin/env python3
"""Tables and a picture of what experiment.py has found.

Usage: results.py FOLDER --target digits=0.88 --target characters=0.26 ... [--slow NAME] [--whole FOLDER] [--picture FILE.png]

Prints Markdown: time and bytes to the target accuracy, the share of communication with the ceiling it sets, and the last
accuracy of whole runs. Figures are medians over seeds with the least and the largest; of five seeds these two hold the
median with 94 % confidence. NAME is the link rate of the tables to a target and of the picture; the FOLDER of --whole holds
runs that did not end at a target. Exit: 0 good, 2 bad use.
"""
import argparse
import collections
import json
import pathlib
import statistics
import sys

ORDER = ["dense", "reproducible", "bf16", "int8", "int4", "mixed", "topk", "topk-global", "topk-plain", "sparse"]
# Okabe and Ito's colours and a marker each.
STYLES = dict(zip(ORDER, [("#000000", "o"), ("#999999", "s"), ("#E69F00", "^"), ("#56B4E9", "D"), ("#0072B2", "v"), ("#009E73", "P"),
                          ("#D55E00", "o"), ("#CC79A7", "X"), ("#F0E442", "<"), ("#661100", ">")]))


class Run:
    def __init__(self, content, target):
        self.points, self.parameters = content["points"], content["parameters"]
        first, last = self.points[0], self.points[-1]
        self.reading = first["seconds"]
        self.each = (last["seconds"] - first["seconds"]) / last["iteration"]
        self.accuracy = last["accuracy"]
        self.reached = next((point for point in self.points if point["accuracy"] >= target), None)


def read(folder, targets):
    """{(rate, workload, method): {seed: Run}}"""
    runs = collections.defaultdict(dict)
    for path in sorted(folder.glob("*.json")):
        rate = path.name.split("-")[0]
        content = json.loads(path.read_text())
        if content["workload"] in targets:
            runs[rate, content["workload"], content["method"]][content["seed"]] = Run(content, targets[content["workload"]])
    if not runs:
        sys.exit(f"results.py: {folder} holds no results of these workloads")
    return runs


def spread(values, form):
    values = sorted(values)
    if not values:
        return "-"
    return f"{statistics.median(values):{form}} [{values[0]:{form}}, {values[-1]:{form}}]"


def ceiling_of(dense, nothing):
    """How many times shorter the time to the target would be if sums were free: Amdahl, reading the data included."""
    each = statistics.median(run.each for run in nothing.values())
    return statistics.median(run.reached["seconds"] / (run.reading + run.reached["iteration"] * each)
                             for run in dense.values() if run.reached)


def to_target(runs, rate, workload, target):
    dense = runs[rate, workload, "dense"]
    ceiling = ceiling_of(dense, runs[rate, workload, "none"])
    print(f"\n**{workload}**, to accuracy {target:g}; ceiling {ceiling:.1f}x\n")
    print("| Method | Seeds that reach it | Iterations | ms an iteration | Seconds | Times shorter than dense | MB sent |")
    print("|---|---|---|---|---|---|---|")
    for method in ORDER:
        found = runs.get((rate, workload, method))
        if not found:
            continue
        there = {seed: run for seed, run in found.items() if run.reached}
        ratios = [dense[seed].reached["seconds"] / run.reached["seconds"] for seed, run in there.items()
                  if seed in dense and dense[seed].reached]
        print(f"| {method} | {len(there)} of {len(found)} | {spread([run.reached['iteration'] for run in there.values()], '.0f')} | "
              f"{spread([1000 * run.each for run in found.values()], '.0f')} | "
              f"{spread([run.reached['seconds'] for run in there.values()], '.2f')} | {spread(ratios, '.2f')} | "
              f"{spread([run.reached['sent_bytes'] / 1e6 for run in there.values()], '.0f')} |")


def shares(runs, rates, targets):
    print("\n| Workload | Parameters | Links | dense, ms an iteration | without sums | Share of communication | Ceiling an iteration |")
    print("|---|---|---|---|---|---|---|")
    for workload in targets:
        for rate in rates:
            dense, nothing = runs.get((rate, workload, "dense")), runs.get((rate, workload, "none"))
            if not dense or not nothing:
                continue
            with_sums, without = (statistics.median(run.each for run in found.values()) for found in (dense, nothing))
            print(f"| {workload} | {next(iter(dense.values())).parameters:,} | {rate} | {1000 * with_sums:.0f} | {1000 * without:.0f} | "
                  f"{max(0, 1 - without / with_sums):.0%} | {with_sums / without:.1f}x |")


def each_iteration(runs, rates, targets):
    """Times shorter than dense for an iteration, at all link rates."""
    for workload in targets:
        here = [rate for rate in rates if (rate, workload, "dense") in runs]
        if not here:
            continue
        print(f"\n| {workload}: ms an iteration | " + " | ".join(here) + " |\n|---|" + "---|" * len(here))
        for method in [*ORDER, "none"]:
            cells = [spread([1000 * run.each for run in runs.get((rate, workload, method), {}).values()], ".0f") for rate in here]
            if set(cells) != {"-"}:
                print(f"| {method} | " + " | ".join(cells) + " |")


def accuracies(runs, targets):
    print("\n| Last accuracy of whole runs | " + " | ".join(targets) + " |\n|---|" + "---|" * len(targets))
    for method in ORDER:
        cells = [spread([run.accuracy for (_, where, how), found in runs.items() if (where, how) == (workload, method)
                         for run in found.values()], ".4f") for workload in targets]
        print(f"| {method} | " + " | ".join(cells) + " |")


def draw(runs, rate, targets, path):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(3, len(targets), figsize=(4.2 * len(targets), 10.5), squeeze=False)
    for column, (workload, target) in enumerate(targets.items()):
        front = []
        for method in ORDER:
            found = runs.get((rate, workload, method))
            if not found:
                continue
            colour, marker = STYLES[method]
            for row, (key, scale) in enumerate((("seconds", 1), ("sent_bytes", 1e-6))):
                points = found[min(found)].points
                axes[row][column].plot([max(point[key] * scale, 1e-2) for point in points], [point["accuracy"] for point in points],
                                       color=colour, marker=marker, markersize=3, linewidth=1, label=method)
            there = [run.reached for run in found.values() if run.reached]
            if there:
                x, y = sorted(point["sent_bytes"] / 1e6 for point in there), sorted(point["seconds"] for point in there)
                middle = statistics.median(x), statistics.median(y)
                front.append(middle)
                axes[2][column].errorbar(*middle, xerr=[[middle[0] - x[0]], [x[-1] - middle[0]]],
                                         yerr=[[middle[1] - y[0]], [y[-1] - middle[1]]], color=colour, marker=marker, label=method)
        best = [point for point in sorted(front) if all(other[1] >= point[1] for other in front if other[0] <= point[0])]
        axes[2][column].plot(*zip(*best), color="#BBBBBB", linewidth=1, zorder=0)
        axes[0][column].set_title(f"{workload}, links of {rate}")
        for row, (what, of) in enumerate((("seconds, reading the data included", "held-out accuracy"), ("MB sent by all hosts", "held-out accuracy"),
                                          (f"MB sent to accuracy {target:g}", "seconds to it"))):
            axes[row][column].set(xscale="log", xlabel=what, ylabel=of)
            axes[row][column].grid(alpha=0.3)
        axes[2][column].set_yscale("log")
        for row in (0, 1):
            axes[row][column].axhline(target, color="#BBBBBB", linestyle=":", zorder=0)
        axes[2][column].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--target", action="append", required=True, metavar="WORKLOAD=ACCURACY")
    parser.add_argument("--slow", default="250mbit")
    parser.add_argument("--whole", type=pathlib.Path)
    parser.add_argument("--picture", type=pathlib.Path)
    options = parser.parse_args()
    try:
        targets = {name: float(value) for name, value in (pair.split("=") for pair in options.target)}
    except ValueError:
        parser.error("a target is WORKLOAD=ACCURACY, such as digits=0.88")
    runs = read(options.folder, targets)
    rates = sorted({rate for rate, _, _ in runs}, key=lambda rate: (rate != options.slow, rate == "none"))
    shares(runs, rates, targets)
    for workload, target in targets.items():
        if (options.slow, workload, "dense") in runs and (options.slow, workload, "none") in runs:
            to_target(runs, options.slow, workload, target)
    each_iteration(runs, rates, targets)
    if options.whole:
        accuracies(read(options.whole, targets), targets)
    if options.picture:
        draw(runs, options.slow, targets, options.picture)


if __name__ == "__main__":
    main()
