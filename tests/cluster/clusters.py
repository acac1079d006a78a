"""What the tests of this folder share: clusters that run a command, and what they say of it.

A test program's arguments are SOURCE BUILD, then what it says itself. Without root there are no clusters: skipped, which
tools/check takes for a failure.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = (pathlib.Path(path).absolute() for path in sys.argv[1:3])
TUTTI = BUILD / "tools/tutti"
PROBE = BUILD / "tests/processes/bootstrap_probe"
SUM = BUILD / "tests/cluster/sum"
LIMIT = 120  # seconds: only a cluster that hangs reaches it
FOREIGN = ("TUTTI_", "PMI", "OMPI_", "PRTE_", "HYD", "SLURM_")
SKIPPED = 77


def words(hosts, ranks_per_host=1, options=()):
    return [SOURCE / "tools/cluster", "--hosts", str(hosts), "--ranks-per-host", str(ranks_per_host), "--share", BUILD, *options, "--"]


def environment(**variables):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return clean | {name: str(value) for name, value in variables.items()}


class ClusterTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def cluster(self, hosts, *command, ranks_per_host=1, options=(), **variables):
        """The finished run; `facts` is what --json wrote."""
        file = self.folder / "facts.json"
        file.unlink(missing_ok=True)
        options = [*options, "--share", self.folder, "--json", file, "--quiet"]
        job = subprocess.run([*words(hosts, ranks_per_host, options), *map(str, command)], capture_output=True, text=True,
                             timeout=LIMIT, stdin=subprocess.DEVNULL, cwd=SOURCE, env=environment(**variables))
        self.facts = json.loads(file.read_text()) if file.exists() else None
        return job

    def shell(self, hosts, script, **options):
        return self.cluster(hosts, "sh", "-c", script, **options)

    def secret(self):
        path = self.folder / "secret"
        with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(os.urandom(32).hex())
        return path

    def crossed(self, way="sent"):
        """link -> bytes that went over it during the command."""
        return {name: link["after"][way] - link["before"][way] for name, link in self.facts["links"].items()}

    def expect_identities(self, job, ranks, how, times=1):
        self.assertEqual(job.returncode, 0, job.stdout + job.stderr)
        said = [line.split("] ", 1)[-1] for line in job.stdout.splitlines() if " by " in line]
        self.assertEqual(sorted(said), sorted(times * [f"rank {rank} of {ranks} by {how}" for rank in range(ranks)]), job.stderr)


def main():
    if os.geteuid() != 0:
        print("clusters need root")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
