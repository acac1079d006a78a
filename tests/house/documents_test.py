#!/usr/bin/env python3
"""The documents speak of what is there: links lead somewhere, commands exist, variables are the ones the library reads.

Usage: documents_test.py SOURCE
"""
import pathlib
import re
import sys
import unittest

SOURCE = pathlib.Path()


def documents():
    return sorted([*SOURCE.glob("*.md"), *SOURCE.glob("docs/*.md")])


def variables_of_the_library():
    """The names in the table of lib/bootstrap/environment.cpp, which the library holds itself to."""
    table = (SOURCE / "lib/bootstrap/environment.cpp").read_text()
    return set(re.findall(r'EnvironmentVariable\{"(TUTTI_\w+)"', table))


class Documents(unittest.TestCase):
    def test_links_lead_to_files(self):
        broken = []
        for document in documents():
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text()):
                if "://" not in target and not (document.parent / target).exists():
                    broken.append(f"{document.relative_to(SOURCE)}: {target}")
        self.assertFalse(broken)

    def test_every_guide_is_in_the_index(self):
        index = (SOURCE / "docs/README.md").read_text()
        lost = [guide.name for guide in SOURCE.glob("docs/*.md")
                if guide.name != "README.md" and f"({guide.name})" not in index]
        self.assertFalse(lost)

    def test_commands_of_the_tree_exist(self):
        absent = []
        for document in documents():
            for command in re.findall(r"(?<![\w/])(?:tools|tests)/[\w./-]*[\w-]", document.read_text()):
                if not (SOURCE / command).exists():
                    absent.append(f"{document.relative_to(SOURCE)}: {command}")
        self.assertFalse(absent)

    def test_the_transport_of_the_walk_is_the_one_that_is_compiled(self):
        compiled = (SOURCE / "tests/unit/walk_transport.cpp").read_text()
        code = re.search(r"// ---- transports/counting/counting.hpp\n(.*)// ---- end of", compiled, re.DOTALL).group(1)
        self.assertIn(f"```cpp\n{code}```", (SOURCE / "docs/adding-a-transport.md").read_text())

    def test_every_variable_is_documented_and_every_documented_one_is_read(self):
        known = variables_of_the_library()
        header = "".join(path.read_text() for path in SOURCE.glob("include/tutti/*.h"))
        reference = (SOURCE / "docs/reference.md").read_text()
        self.assertEqual([name for name in sorted(known) if f"`{name}" not in reference], [])
        unknown = []
        for document in documents():
            for name in re.findall(r"\bTUTTI_[A-Z_0-9]*[A-Z0-9]", document.read_text()):
                if name not in known and name not in header:
                    unknown.append(f"{document.relative_to(SOURCE)}: {name}")
        self.assertFalse(unknown)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("documents_test.py: wants one argument, the source tree")
    SOURCE = pathlib.Path(sys.argv[1]).absolute()
    unittest.main(argv=sys.argv[:1])
