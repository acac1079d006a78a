#!/usr/bin/env python3
"""Ranks that die, with real processes and real kills: death_test.py FAULT_RANK TUTTI [NAMES...]"""

import os
import pathlib
import random
import subprocess
import sys
import time
import unittest

import jobs
from jobs import Job, call

PROGRAM, TUTTI = (os.path.abspath(path) for path in sys.argv[1:3])
LARGE = 1 << 18  # float32: through slots, in windows


def public_files(pid):
    """What a process has open or mapped in the folders where a crash would leave it behind."""
    found = []
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
        except FileNotFoundError:
            pass
    with open(f"/proc/{pid}/maps") as maps:
        found += [line.split(None, 5)[5].strip() for line in maps if line.split()[1].endswith("s") and len(line.split()) > 5]
    return [path for path in found if path.startswith(("/dev/shm", "/tmp"))]


class Death(unittest.TestCase):
    def strike(self, job, victims, reap=True):
        """Kills inside allreduces; all others name one of the dead. Returns the survivors."""
        begin = time.monotonic()
        survivors = job.kill(*victims, reap=reap)
        for rank, answer in zip(survivors, job.hear(survivors)):
            named = "|".join(str(victim) for victim in victims)
            pids = "|".join(str(job.ranks[victim].pid) for victim in victims)
            self.assertRegex(answer, rf"^error TUTTI_ERROR_DEAD rank ({named}) \(\S+, process ({pids})\) died; rank \d")
            self.assertRegex(answer, "waiting in (allreduce|allgather)")  # the latter while a persistent one is made
        print(f"{len(job.ranks)} ranks, killed {victims}: all others knew after {time.monotonic() - begin:.3f} s", flush=True)
        # Each later call returns the same at once.
        for answer in job.all(call(), survivors):
            self.assertTrue(answer.startswith("error TUTTI_ERROR_DEAD rank "), answer)
        return survivors

    def test_the_others_name_the_dead_rank_for_each_size_and_way_to_wait(self):
        for size, count, how in [(2, 1, "run"), (3, LARGE, "run"), (4, 2000, "run"), (5, 1, "wait"), (3, 1, "poll"), (2, LARGE, "poll"),
                                 (2, LARGE, "persistent")]:
            with self.subTest(size=size, count=count, how=how), Job(PROGRAM, size) as job:
                job.loop(count, how)
                self.strike(job, [size - 1])

    def test_rank_0_who_held_the_store_may_die(self):
        with Job(PROGRAM, 3) as job:
            job.loop(1)
            self.strike(job, [0])

    def test_several_may_die_at_once(self):
        with Job(PROGRAM, 5) as job:
            job.loop(LARGE)
            self.strike(job, [1, 3, 4])

    def test_a_zombie_is_dead(self):
        with Job(PROGRAM, 3) as job:
            job.loop(100)
            self.strike(job, [1], reap=False)

    def test_random_kills(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        for turn in range(10):
            size = dice.randint(2, 5)
            victims = dice.sample(range(size), dice.randint(1, size - 1))
            count, how = dice.choice([1, 700, LARGE]), dice.choice(["run", "wait", "poll"])
            with self.subTest(seed=seed, turn=turn, size=size, victims=victims, count=count, how=how):
                with Job(PROGRAM, size) as job:
                    job.loop(count, how)
                    self.strike(job, victims)

    def test_nothing_remains(self):
        with Job(PROGRAM, 3) as job:
            job.loop(LARGE)
            for rank in job.ranks:
                self.assertEqual(public_files(rank.pid), [])
            self.strike(job, [1])
        for rank in job.ranks:
            self.assertFalse(jobs.is_alive(rank.pid))

    def test_under_tutti_run_the_launcher_names_it_and_ends_the_others(self):
        job = subprocess.Popen([TUTTI, "run", "-n", "3", "sh", "-c", f"echo pid $$; (echo init; echo loop 1 run) | exec {PROGRAM}"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=jobs.environment())
        pids, looping = {}, 0
        while len(pids) < 3 or looping < 3:
            line = job.stdout.readline()
            self.assertTrue(line, job.stderr.read() if job.poll() is not None else "")
            looping += "looping" in line
            if " pid " in line:
                pids[line[1]] = int(line.split()[-1])
        children = [int(pid) for shell in pids.values()
                    for pid in pathlib.Path(f"/proc/{shell}/task/{shell}/children").read_text().split()]
        os.kill(pids["1"], 9)
        errors = job.communicate(timeout=jobs.LIMIT)[1]
        self.assertEqual(job.returncode, 1)
        self.assertRegex(errors, rf"tutti run: rank 1 \(pid {pids['1']}, \S+\) was killed by signal 9")
        for pid in [*pids.values(), *children]:
            self.assertTrue(jobs.ends(pid))


class Leaving(unittest.TestCase):
    def test_a_rank_that_exits_without_goodbye_is_dead(self):
        with Job(PROGRAM, 3) as job:
            job.ranks[1].tell("exit")
            for answer in job.all(call(), [job.ranks[0], job.ranks[2]]):
                self.assertTrue(answer.startswith("error TUTTI_ERROR_DEAD rank 1 "), answer)

    def test_who_has_said_goodbye_may_go_before_the_others_have_finished(self):
        with Job(PROGRAM, 3) as job:
            # The root of a short broadcast needs nobody; it leaves, and ends, before the others have called.
            self.assertEqual(job.all(call("broadcast", 8), job.ranks[:1]), ["ok "])
            self.assertEqual(job.all("free", job.ranks[:1]), ["ok "])
            job.ranks[0].tell("exit")
            job.ranks[0].process.wait(jobs.LIMIT)
            self.assertEqual(job.all(call("broadcast", 8), job.ranks[1:]), ["ok "] * 2)
            self.assertEqual(job.all("free", job.ranks[1:]), ["ok "] * 2)

    def test_a_call_after_anothers_goodbye_is_an_error_that_names_it(self):
        for count in 1, LARGE:
            with self.subTest(count=count), Job(PROGRAM, 3) as job:
                self.assertEqual(job.all("free", job.ranks[:1]), ["ok "])
                for answer in job.all(call(count=count), job.ranks[1:]):
                    self.assertRegex(answer, r"^error TUTTI_ERROR_MISMATCH rank 0 \(.*has said goodbye \(tutti_comm_free\) without "
                                             "calling allreduce")


class Shrinking(unittest.TestCase):
    def test_the_survivors_go_on_after_one_death_and_after_another(self):
        for count in 1, LARGE:
            with self.subTest(count=count), Job(PROGRAM, 4) as job:
                job.loop(count)
                survivors = job.kill(1)
                for answer in job.hear(survivors):
                    self.assertIn("TUTTI_ERROR_DEAD rank 1 ", answer)
                self.assertEqual(job.all("shrink", survivors), ["ok 0 3", "ok 1 3", "ok 2 3"])
                for _ in range(3):
                    self.assertEqual(job.all(call(count=LARGE), survivors), ["ok right"] * 3)
                job.kill(0)
                survivors = survivors[1:]
                for answer in job.all(call(count=count), survivors):
                    self.assertIn("TUTTI_ERROR_DEAD rank 0 ", answer)
                self.assertEqual(job.all("shrink", survivors), ["ok 0 2", "ok 1 2"])
                self.assertEqual(job.all(call(count=LARGE), survivors), ["ok right"] * 2)
                self.assertEqual(job.all("duplicate", survivors), ["ok 0 2", "ok 1 2"])
                self.assertEqual(job.all(call(count=7), survivors), ["ok right"] * 2)

    def test_two_deaths_at_once_leave_one_decision(self):
        with Job(PROGRAM, 5) as job:
            job.loop(LARGE)
            survivors = job.kill(0, 3)
            for answer in job.hear(survivors):
                self.assertIn("TUTTI_ERROR_DEAD", answer)
            self.assertEqual(job.all("shrink", survivors), ["ok 0 3", "ok 1 3", "ok 2 3"])
            self.assertEqual(job.all(call(count=LARGE), survivors), ["ok right"] * 3)

    def test_a_death_while_the_others_decide_delays_nobody(self):
        with Job(PROGRAM, 4) as job:
            job.loop(1)
            survivors = job.kill(3)
            job.hear(survivors)
            job.tell("shrink", survivors[1:])
            job.kill(0)
            self.assertEqual(job.hear(survivors[1:]), ["ok 0 2", "ok 1 2"])
            self.assertEqual(job.all(call(count=100), survivors[1:]), ["ok right"] * 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
