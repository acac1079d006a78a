#!/usr/bin/env python3
"""An installed Tutti is found and linked by pkg-config, by CMake and through `meson devenv`, from any prefix; and a
build without a dependency names the Debian package that brings it.

Usage: packaging_test.py BUILD SOURCE
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = ""
SOURCE = ""
CONSUMER = """
#include <stdio.h>
#include <tutti/tutti.h>
int main(void) { return printf("%s\\n", tutti_version()) < 0; }
"""
CMAKE_LISTS = """
cmake_minimum_required(VERSION 3.16)
project(consumer C)
find_package(Tutti 0.1 REQUIRED)
add_executable(consumer consumer.c)
target_link_libraries(consumer PRIVATE Tutti::tutti)
"""


def run(*command, **options):
    """What the command prints; a failure carries all that it said."""
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if result.returncode:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


class Packaging(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tutti-packaging-"))
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", cls.folder / "stage")
        # Moved to another prefix than it was configured for: nothing in it may depend on the old one.
        library = next(cls.folder.glob("stage/**/libtutti.so.0"))
        cls.prefix = next(parent for parent in library.parents if (parent / "include").is_dir())
        cls.libraries = library.parent
        (cls.folder / "consumer.c").write_text(CONSUMER)
        cls.version = next(line.split("'")[1] for line in (pathlib.Path(SOURCE) / "meson.build").read_text().splitlines()
                           if line.strip().startswith("version:"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def flags(self, *options):
        """What pkg-config says of the installed tree where it lies now."""
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.libraries / "pkgconfig"))
        return run("pkg-config", f"--define-variable=prefix={self.prefix}", *options, "--cflags", "--libs", "tutti",
                   env=environment).split()

    def compile(self, name, *flags):
        program = self.folder / name
        run("cc", "-std=c11", "-Wall", "-Werror", self.folder / "consumer.c", "-o", program, *flags)
        return program

    def test_pkg_config_gives_what_a_c_compiler_needs(self):
        program = self.compile("by-pkg-config", *self.flags(), f"-Wl,-rpath,{self.libraries}")
        self.assertEqual(run(program).strip(), self.version)

    def test_the_static_library_links_with_what_pkg_config_lists(self):
        flags = ["-l:libtutti.a" if flag == "-ltutti" else flag for flag in self.flags("--static")]
        program = self.compile("static", *flags)
        self.assertNotIn("libtutti", run("readelf", "-d", program))
        self.assertEqual(run(program).strip(), self.version)

    def test_cmake_finds_the_package(self):
        (self.folder / "CMakeLists.txt").write_text(CMAKE_LISTS)
        run("cmake", "-S", self.folder, "-B", self.folder / "cmake", f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", self.folder / "cmake")
        self.assertEqual(run(self.folder / "cmake" / "consumer").strip(), self.version)

    def test_the_development_environment_finds_the_library_that_was_not_installed(self):
        program = self.compile("without-a-path", *self.flags())
        self.assertEqual(run("meson", "devenv", "-C", BUILD, program).split()[-1], self.version)

    def test_a_missing_dependency_is_named_with_its_debian_package(self):
        environment = dict(os.environ, PKG_CONFIG_LIBDIR="/nonexistent", PKG_CONFIG_PATH="")
        result = subprocess.run(["meson", "setup", self.folder / "bare", SOURCE], env=environment, text=True,
                                capture_output=True)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("hwloc is missing: on Debian, apt-get install libhwloc-dev", result.stdout)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("packaging_test.py: wants two arguments, the build folder and the source tree")
    BUILD, SOURCE = map(os.path.abspath, sys.argv[1:])
    unittest.main(argv=sys.argv[:1])
