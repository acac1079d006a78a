#!/usr/bin/env python3
"""The same program starts under a real Slurm on two hosts: slurm_test.py SOURCE BUILD [NAMES...]"""
import unittest

from clusters import PROBE, SOURCE, ClusterTest, main


class Slurm(ClusterTest):
    def srun(self, *commands):
        """What the commands, one after the other, leave: a list of (status, output) and all errors."""
        script = "".join(f"{command}; echo ended $?; " for command in commands)
        job = self.cluster(2, "python3", SOURCE / "tests/cluster/slurm.py", "sh", "-c", script, ranks_per_host=2)
        parts, lines = [], []
        for line in job.stdout.splitlines():
            if line.startswith("ended "):
                parts.append((int(line.split()[1]), sorted(lines)))
                lines = []
            else:
                lines.append(line)
        self.assertEqual(len(parts), len(commands), job.stdout + job.stderr)
        return parts, job.stderr

    def test_srun_with_each_of_its_ways_to_start_mpi(self):
        identities = {how: sorted(2 * [f"rank {rank} of 4 by {how}" for rank in range(4)]) for how in ("PMIx", "PMI", "srun")}
        parts, errors = self.srun(
            f"srun -N 2 -n 4 --mpi=pmix {PROBE} meet 2",
            f"srun -N 2 -n 4 --mpi=pmi2 {PROBE} meet 2",
            f"srun -N 2 -n 4 --mpi=pmi2 {PROBE} pmi2",
            f"TUTTI_SECRET_FILE={self.secret()} srun -N 2 -n 4 --mpi=none {PROBE} meet 2",
            f"srun -N 1 -n 2 --mpi=none {PROBE}",
            f"srun -N 2 -n 2 --mpi=none {PROBE}",
        )
        self.assertEqual(parts[0], (0, identities["PMIx"]), errors)
        self.assertEqual(parts[1], (0, identities["PMI"]), errors)
        self.assertEqual(parts[2], (0, [f"rank {rank} of 4 by PMI-2" for rank in range(4)]), errors)
        self.assertEqual(parts[3], (0, identities["srun"]), errors)
        self.assertEqual(parts[4], (0, [f"rank {rank} of 2 by srun" for rank in range(2)]), errors)
        self.assertEqual(parts[5], (1, []), errors)
        self.assertIn("the ranks run on several hosts (SLURM_STEP_NODELIST=h[1-2]), so TUTTI_SECRET_FILE is required", errors)


if __name__ == "__main__":
    main()
