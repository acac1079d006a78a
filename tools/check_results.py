#!/usr/bin/env python3
"""Adds up what tools/check ran, and holds it to tests/required.txt.

Usage: check_results.py FOLDER [--required FILE]

FOLDER holds `stages` (lines of OK or FAIL and a name) and one JSON log of `meson test` for each build, named after
it; main.json and fuzz.json are the logs that the required names are looked up in. The last line printed is the sum.
Exit: 0 all passed and nothing required is missing; 1 otherwise; 2 a log or the list cannot be read.
"""
import argparse
import json
import pathlib
import shlex
import sys

PASSED = ("OK", "EXPECTEDFAIL")
REQUIRED_BUILDS = ("main", "fuzz")
KINDS = ("test", "transport", "launcher", "peer")


class BadInput(Exception):
    pass


def read_stages(folder):
    path = folder / "stages"
    if path.exists():
        for line in path.read_text().splitlines():
            result, name = line.split(" ", 1)
            yield name, result


def read_log(path):
    """(test name, result) of one JSON log of meson: an object a line. Meson writes a test's project and suites before
    its name: "tutti:processes / run"."""
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        yield entry["name"].rpartition(" / ")[2], entry["result"]


def read_required(path):
    """(line number, kind, name, tests that prove it) for each line of the list."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            words = ["unbalanced quotes"]
        if not words:
            continue
        kind, name, tests = words[0], (words[1:2] or [""])[0], words[2:]
        if kind not in KINDS or not name or (kind == "test") != (not tests):
            raise BadInput(f"{path}:{number}: '{line.strip()}'; right is 'test NAME', or 'transport', 'launcher' or "
                           "'peer', its name, and the tests that prove it; names with spaces stand in quotes")
        yield number, kind, name, tests or [name]


def missing(required, results):
    """A sentence for each required thing that did not run and pass."""
    for number, kind, name, tests in required:
        for test in tests:
            found = results.get(test)
            if found in PASSED:
                continue
            what = {None: "did not run", "SKIP": "was skipped"}.get(found, f"ended with {found}")
            subject = f"test '{test}'" if kind == "test" else f"{kind} '{name}': its test '{test}'"
            yield f"required (tests/required.txt:{number}): {subject} {what}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--required", type=pathlib.Path)
    arguments = parser.parse_args()
    results = [(name, result, "") for name, result in read_stages(arguments.folder)]
    for log in sorted(arguments.folder.glob("*.json")):
        results += [(name, result, log.stem) for name, result in read_log(log)]

    for name, result, build in results:
        if result not in PASSED:
            print(f"{result.lower()}: {name}" + (f" ({build})" if build else ""))
    complaints = []
    if arguments.required:
        main_results = {name: result for name, result, build in results if build in REQUIRED_BUILDS}
        complaints = list(missing(read_required(arguments.required), main_results))
        print("".join(f"{complaint}\n" for complaint in complaints), end="")

    passed = sum(result in PASSED for _, result, _ in results)
    skipped = sum(result == "SKIP" for _, result, _ in results)
    # A required thing that is absent or skipped is a failure of the check; one that failed is counted already.
    failed = len(results) - passed - skipped + sum("did not run" in text or "skipped" in text for text in complaints)
    if not results:
        print("nothing ran")
        failed = 1
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BadInput, OSError, json.JSONDecodeError) as error:
        print(f"check_results: {error}", file=sys.stderr)
        print("0 passed, 1 failed, 0 skipped")
        sys.exit(2)
