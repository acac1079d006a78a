#!/usr/bin/env python3
"""The same program starts on several hosts under each launcher: start_test.py SOURCE BUILD [NAMES...]"""
import os
import subprocess
import unittest

from clusters import PROBE, SOURCE, TUTTI, ClusterTest, main

PEERS = SOURCE / "build/peers"


class Start(ClusterTest):
    def mpiexec(self, name):
        subprocess.run([SOURCE / "tools/peers", name], check=True, stdout=subprocess.DEVNULL)
        return PEERS / name / "bin/mpiexec"

    def test_open_mpi(self):
        for name in ("openmpi", "openmpi5"):
            with self.subTest(launcher=name):
                job = self.cluster(3, self.mpiexec(name), "--allow-run-as-root", "-n", 6, PROBE, "meet", 2, ranks_per_host=2)
                self.expect_identities(job, 6, "PMIx", 2)
                self.assertGreater(min(self.crossed().values()), 1000)  # all three hosts took part

    def test_hydra(self):
        for name in ("mpich", "mpich5"):
            with self.subTest(launcher=name):
                job = self.cluster(3, self.mpiexec(name), "-n", 6, PROBE, "meet", 2, ranks_per_host=2)
                self.expect_identities(job, 6, "PMI", 2)
                self.assertGreater(min(self.crossed().values()), 1000)

    def test_torchrun(self):
        made = subprocess.run([SOURCE / "tools/venv-torch"], stdout=subprocess.PIPE, text=True, check=True)
        torchrun = f"{made.stdout.strip()}/bin/torchrun"
        secret = self.secret()
        command = (f"env OMP_NUM_THREADS=1 TUTTI_SECRET_FILE={secret} {torchrun} --nnodes 2 --nproc-per-node 2 --master-addr h1 "
                   f"--master-port 29500 --no-python --node-rank")
        job = self.shell(2, f'"$TUTTI_CLUSTER_AGENT" h2 {command} 1 {PROBE} & {command} 0 {PROBE}; status=$?; wait; exit $status')
        self.expect_identities(job, 4, "torchrun")

    def test_tutti_run(self):
        self.expect_identities(self.cluster(3, TUTTI, "run", "-n", 6, PROBE, "meet", 2, ranks_per_host=2), 6, "TUTTI_* variables", 2)
        self.assertGreater(min(self.crossed().values()), 1000)


class TuttiRun(ClusterTest):
    def run_job(self, *arguments, hosts=3, **options):
        return self.cluster(hosts, TUTTI, "run", *arguments, ranks_per_host=2, **options)

    def test_ranks_fill_the_hosts_in_order(self):
        where = {
            (): "h1 h1 h2 h2 h3", ("--hosts", "h3:1,h1:4"): "h3 h1 h1 h1 h1", ("--hosts", "h[2-3]"): "h2 h2 h2 h3 h3",
        }
        for options, hosts in where.items():
            with self.subTest(options=options):
                job = self.run_job("-n", 5, *options, "hostname")
                self.assertEqual(sorted(job.stdout.splitlines()), [f"[{rank}] {host}" for rank, host in enumerate(hosts.split())], job.stderr)

    def test_folder_and_variables_go_along(self):
        job = self.run_job("-n", 3, "--hosts", "h1,h2,h3", "sh", "-c", "echo $PWD $FLAVOUR", FLAVOUR="sour cherry")
        self.assertEqual(sorted(job.stdout.splitlines()), [f"[{rank}] {SOURCE} sour cherry" for rank in range(3)], job.stderr)

    def test_the_secret_is_on_no_command_line(self):
        script = ('key=$(cat $TUTTI_SECRET_FILE); all=$(cat /proc/*/cmdline /proc/*/environ | tr "\\0" "\\n"); '
                  'case ${#key},$all in ?,*) echo no key;; *,*$key*) echo seen;; *,*TUTTI_RANK*) echo unseen;; esac')
        job = self.run_job("-n", 3, "--hosts", "h1,h2,h3", "--label", "sh", "-c", script)
        self.assertEqual(sorted(job.stdout.splitlines()), [f"[{rank}] unseen" for rank in range(3)], job.stderr)

    def test_the_first_failure_is_named_and_ends_the_others(self):
        job = self.run_job("-n", 6, "sh", "-c", "if [ $TUTTI_RANK = 4 ]; then exit 3; fi; exec sleep 600")
        self.assertEqual(job.returncode, 1)
        self.assertRegex(job.stderr, r"^tutti run: rank 4 \(pid \d+, h3\) ended with status 3; ending the others\n$")

    def test_a_host_that_is_removed_is_named(self):
        # Only once all are up: a host that goes while it is being entered is another story.
        script = f'{TUTTI} run -n 6 sh -c "echo up; exec sleep 600" | (for rank in 0 1 2 3 4 5; do read up; done; '
        script += '"$TUTTI_CLUSTER_CONTROL" remove h2; cat)'
        job = self.shell(3, f"{script}", ranks_per_host=2)
        self.assertIn("tutti run: host h2 (ranks 2 to 3)", job.stderr)

    def test_nothing_is_left_on_the_hosts_when_the_launcher_is_killed(self):
        script = (f'{TUTTI} run -n 6 sh -c "echo up; exec sleep 600" > {self.folder}/out & job=$!; '
                  f'while [ $(wc -l < {self.folder}/out) -lt 6 ]; do sleep 0.05; done; kill -9 $job; wait; '
                  'for host in h1 h2 h3; do for try in $(seq 100); do '
                  '"$TUTTI_CLUSTER_AGENT" $host "pgrep -x sleep" >/dev/null || break; done; '
                  '"$TUTTI_CLUSTER_AGENT" $host "pgrep -x sleep" && echo left on $host; done; echo looked')
        job = self.shell(3, script, ranks_per_host=2)
        self.assertEqual(job.stdout, "looked\n", job.stderr)

    def test_bad_input_has_code_2_and_says_what_would_be_right(self):
        for arguments, message in (
            (["-n", 7, "true"], "has 6 slots, fewer than the 7 ranks"),
            (["-n", 2, "--hosts", "h1:0", "true"], '"0" is no number of slots'),
            (["-n", 2, "--hosts", "h[1", "true"], "closing bracket"),
            (["-n", 2, "--hosts", "-oProxyCommand=x,h1", "true"], 'does not begin with "-"'),
            (["-n", 6, "no-such-program"], 'cannot start "no-such-program"'),
        ):
            with self.subTest(arguments=arguments):
                job = self.run_job(*arguments)
                self.assertEqual(job.returncode, 2, job.stderr)
                self.assertIn(message, job.stderr)

    def test_a_host_that_cannot_be_reached_is_named(self):
        job = self.run_job("-n", 2, "--hosts", "h1,h9", "sleep", 600)
        self.assertEqual(job.returncode, 1)
        self.assertIn("tutti run: host h9 (ranks 1 to 1)", job.stderr)


if __name__ == "__main__":
    main()
