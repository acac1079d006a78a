#!/usr/bin/env python3
"""The architecture holds: who may include whom, what the library exports, how long a file may be.

DESIGN: algorithms see lib/schedule alone; transports and topology see neither algorithms nor runtime; lib/runtime
ties them. The include lines of the sources are the truth of that, the dynamic symbols the truth of the interface.

Usage: architecture_test.py ROOT LIBRARY   (the source tree and libtutti.so)
"""
import os
import re
import subprocess
import sys
import unittest

ROOT = ""
LIBRARY = ""
SOURCE_FOLDERS = ("include", "lib", "algorithms", "transports", "topology", "perf", "tools", "examples", "tests")
SOURCE_SUFFIXES = (".cpp", ".hpp", ".h", ".c", ".f90", ".py", ".sh")

# Who may include whom: the longest prefix of a file's path decides, and lists the prefixes it may include.
BASE = ["include/tutti/tutti.h", "lib/error.hpp", "lib/nearest.hpp"]
INSIDE = ["include/", "lib/", "algorithms/", "transports/", "topology/"]
MAY_INCLUDE = {
    "include/": ["include/"],
    "lib/error.hpp": ["include/tutti/tutti.h"],
    "lib/nearest.hpp": [],
    "lib/schedule/": ["lib/schedule/", *BASE],
    "lib/payload/": ["lib/payload/", *BASE],
    "lib/bootstrap/": ["lib/bootstrap/", *BASE],
    "lib/scheduler/": ["lib/scheduler/", "lib/schedule/", "lib/payload/", "algorithms/", "topology/", *BASE],
    "lib/simulator/": ["lib/simulator/", "lib/schedule/", "lib/scheduler/", "algorithms/", "topology/network/", *BASE],
    "lib/runtime/": INSIDE,
    "algorithms/": ["algorithms/", "lib/schedule/", *BASE],
    "transports/": ["transports/", "lib/payload/", "lib/bootstrap/", "topology/", *BASE],
    "topology/": ["topology/", *BASE],
    "tools/": ["tools/", *INSIDE],
    "perf/": ["perf/", *INSIDE],
    "examples/": ["examples/", "include/"],
    "tests/": ["tests/", "perf/", "tools/", "examples/", *INSIDE],
}
SHARED_TRANSPORTS = ("tagged",)  # what the transports over network libraries have in common
LONGEST_FILE = 600
LONGEST_ALGORITHM = 80
LONGEST_FAMILY = 120  # one method, stated for several collectives in one file


def sources():
    """Every source file of the tree, by its path from the root."""
    for folder in SOURCE_FOLDERS:
        for here, folders, files in os.walk(os.path.join(ROOT, folder)):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in files:
                if name.endswith(SOURCE_SUFFIXES):
                    yield os.path.relpath(os.path.join(here, name), ROOT)


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def included_file(path, name):
    """The file of the tree that a quoted include means, or None where there is no such file."""
    for folder in (os.path.dirname(path), "include", "lib", ""):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(ROOT, candidate)):
            return candidate
    return None


def own_includes(path):
    """(line number, name, file of the tree) for each include of a file of ours."""
    for number, line in enumerate(text_of(path).splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
        target = match and included_file(path, match.group(1))
        if target:
            yield number, match.group(1), target


def allowed(path):
    prefix = max((prefix for prefix in MAY_INCLUDE if path.startswith(prefix)), key=len)
    return MAY_INCLUDE[prefix]


def longest(path):
    """How many lines a file may have: the catalogue's entries are stated in the files of the algorithms."""
    if not path.startswith("algorithms/"):
        return LONGEST_FILE
    stated = len(re.findall(r"^extern const Algorithm \w+\s*\{", text_of(path), re.MULTILINE))
    return {0: LONGEST_FILE, 1: LONGEST_ALGORITHM}.get(stated, LONGEST_FAMILY)


class Architecture(unittest.TestCase):
    def complain(self, complaints, rule):
        self.assertFalse(complaints, rule + "\n" + "\n".join(complaints))

    def test_files_include_only_what_their_place_may_see(self):
        complaints = []
        for path in sources():
            if not path.endswith((".cpp", ".hpp", ".h", ".c")):
                continue
            for number, name, target in own_includes(path):
                if not target.startswith(tuple(allowed(path))):
                    right = ", ".join(allowed(path))
                    complaints.append(f"{path}:{number}: includes \"{name}\"; right would be one of: {right}")
        self.complain(complaints, "An include crosses the architecture (DESIGN, The house):")

    def test_only_the_router_knows_more_than_one_transport(self):
        complaints = []
        for path in sources():
            parts = path.split("/")
            if parts[0] != "transports" or len(parts) < 3:
                continue
            for number, name, target in own_includes(path):
                other = target.split("/")
                if len(other) > 2 and other[0] == "transports" and other[1] not in (parts[1], *SHARED_TRANSPORTS):
                    complaints.append(f"{path}:{number}: includes \"{name}\" of another transport")
        self.complain(complaints, "A transport knows only itself, transports/*.hpp and what is shared:")

    def test_no_two_headers_define_a_type_of_one_name(self):
        """In one namespace the linker would take the functions of either for those of both, and say nothing."""
        where = {}
        for path in sources():
            if not path.endswith(".hpp") or path.startswith("tests/"):
                continue
            namespace = ""
            for line in text_of(path).splitlines():
                opened = re.match(r"namespace ([\w:]+) \{", line)
                defined = re.match(r"(?:struct|class) (?:alignas\(\w+\) )?(\w+)[^;]*$", line)
                if opened:
                    namespace = opened[1]
                elif defined and namespace:
                    where.setdefault(f"{namespace}::{defined[1]}", set()).add(path)
        complaints = [f"{name}: {', '.join(sorted(paths))}" for name, paths in where.items() if len(paths) > 1]
        self.complain(complaints, "One name, two types:")

    def test_the_library_exports_the_c_interface_and_nothing_else(self):
        listing = subprocess.run(["nm", "-D", "--defined-only", LIBRARY], check=True, capture_output=True, text=True)
        symbols = {line.split()[2].split("@")[0] for line in listing.stdout.splitlines() if " A " not in line}
        declared = set(public_functions(text_of("include/tutti/tutti.h")))
        self.complain(sorted(symbols - declared), "Exported, but not declared in tutti.h:")
        self.complain(sorted(declared - symbols), "Declared in tutti.h, but not exported:")

    def test_the_soname_carries_the_version_of_the_binary_interface(self):
        dynamic = subprocess.run(["readelf", "-d", LIBRARY], check=True, capture_output=True, text=True).stdout
        self.assertRegex(dynamic, r"SONAME.*\[libtutti\.so\.0\]")

    def test_every_public_function_is_documented(self):
        header = text_of("include/tutti/tutti.h")
        bare = [name for name, documented in public_functions(header).items() if not documented]
        self.complain(bare, "In tutti.h, without a comment at the head of its paragraph:")

    def test_files_keep_to_one_subject(self):
        complaints = []
        for path in sources():
            lines = len(text_of(path).splitlines())
            if lines > longest(path):
                complaints.append(f"{path}: {lines} lines, at most {longest(path)} is right: two ideas live in it")
        self.complain(complaints, "Files that are too long:")

    def test_every_source_says_its_subject_first(self):
        complaints = []
        for path in sources():
            lines = [line for line in text_of(path).splitlines() if line.strip() and not line.startswith("#!")]
            if lines and not lines[0].lstrip().startswith(("//", "/*", "#", "!", '"""')):
                complaints.append(f"{path}: begins with '{lines[0]}'")
        self.complain(complaints, "Files without a first comment:")

    def test_nothing_is_left_for_later(self):
        words = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
        complaints = []
        for path in sources():
            for number, line in enumerate(text_of(path).splitlines(), 1):
                if words.search(line):
                    complaints.append(f"{path}:{number}: {line.strip()}")
        self.complain(complaints, "Words of unfinished work:")


def public_functions(header):
    """name -> whether its paragraph (lines without a blank one between) begins with a comment."""
    found = {}
    for paragraph in re.split(r"\n\s*\n", header):
        documented = paragraph.lstrip().startswith("/*")
        for name in re.findall(r"^TUTTI_API[^;(]*?\b(tutti_\w+)\s*\(", paragraph, re.MULTILINE):
            found[name] = documented
    return found


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("architecture_test.py: wants two arguments, the source tree and libtutti.so")
    ROOT, LIBRARY = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
