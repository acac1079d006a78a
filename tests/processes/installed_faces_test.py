#!/usr/bin/env python3
"""Each face works from an installed tree as its users build it: a program compiled with what pkg-config says (in
Fortran, with the module compiled first) and started by the installed `tutti run`.

Usage: installed_faces_test.py BUILD SOURCE [FORTRAN_COMPILER]
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = ""
SOURCE = pathlib.Path()
FORTRAN = ""


def run(*command, **options):
    """What the command prints; a failure carries all that it said."""
    result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if result.returncode:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


class InstalledFaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="tutti-installed-"))
        run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", cls.folder / "stage")
        cls.launcher = next(cls.folder.glob("stage/**/bin/tutti"))
        cls.prefix = cls.launcher.parent.parent
        cls.libraries = next(cls.prefix.glob("**/libtutti.so.0")).parent

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def pkg_config(self, *options):
        environment = dict(os.environ, PKG_CONFIG_PATH=str(self.libraries / "pkgconfig"))
        return run("pkg-config", f"--define-variable=prefix={self.prefix}", *options, "tutti", env=environment).split()

    def flags(self):
        return [*self.pkg_config("--cflags", "--libs"), f"-Wl,-rpath,{self.libraries}"]

    def start(self, program, *arguments):
        environment = dict(os.environ, LD_LIBRARY_PATH=str(self.libraries))
        return run(self.launcher, "run", "-n", "2", program, *arguments, env=environment)

    def test_a_c_program(self):
        program = self.folder / "hello"
        run("cc", "-std=c11", "-Wall", "-Werror", SOURCE / "examples/hello.c", "-o", program, *self.flags())
        self.assertIn("add up to 3", self.start(program))

    def test_a_cpp_program_with_nothing_but_the_standard_library(self):
        program = self.folder / "kmeans"
        run("c++", "-std=c++20", "-Wall", "-Werror", SOURCE / "examples/kmeans.cpp", "-o", program, *self.flags())
        self.assertIn("as known", self.start(program, SOURCE / "examples/data/iris.csv"))

    def test_a_fortran_program_and_the_module_it_compiles(self):
        if not FORTRAN:
            self.skipTest("no Fortran compiler")
        (sources,) = self.pkg_config("--variable=fortrandir")
        program = self.folder / "face"
        test = SOURCE / "tests/processes/face_fortran_test.f90"
        run(FORTRAN, "-c", pathlib.Path(sources) / "tutti.F90", cwd=self.folder)
        run(FORTRAN, test, "tutti.o", "-o", program, *self.flags(), cwd=self.folder)
        self.start(program)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("installed_faces_test.py: wants the build folder, the source tree, and a Fortran compiler if there is one")
    BUILD, SOURCE = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2]).absolute()
    FORTRAN = sys.argv[3] if len(sys.argv) == 4 else ""
    unittest.main(argv=sys.argv[:1])
