#!/usr/bin/env python3
"""Ranks that are late, that give up, and that fork: late_test.py FAULT_RANK [NAMES...]"""

import os
import signal
import sys
import unittest

from jobs import Job, call

PROGRAM = os.path.abspath(sys.argv[1])
LARGE = 1 << 18


class Late(unittest.TestCase):
    def warnings(self, rank):
        return [line for line in rank.errors.seen if " is late: " in line]

    def test_a_stopped_rank_is_named_and_the_job_goes_on_when_it_wakes(self):
        for size, count, algorithm in [(3, 1, ""), (2, LARGE, ""), (4, LARGE, "allreduce=ring")]:
            with self.subTest(size=size, count=count), Job(PROGRAM, size, TUTTI_ALGORITHM=algorithm) as job:
                job.all(call(count=count))
                job.ranks[1].process.send_signal(signal.SIGSTOP)
                others = [rank for rank in job.ranks if rank.number != 1]
                job.tell(call(count=count))
                # Only who waits for it directly says so: in a ring, the rank behind it.
                speaker = job.ranks[2] if size == 4 else job.ranks[0]
                line = speaker.errors.until(" is late: ")
                self.assertRegex(line, rf"warning: rank 1 \(\S+, process {job.ranks[1].pid}\) is late: rank {speaker.number} .* has waited "
                                       rf"\d+\.\d s for it in allreduce of {count} float32.*; it is stopped by a signal")
                job.ranks[1].process.send_signal(signal.SIGCONT)
                self.assertEqual(job.hear(), ["ok right"] * size)
                for rank in others:
                    for line in self.warnings(rank):
                        self.assertIn("warning: rank 1 (", line)  # nobody who waits himself is called late

    def test_a_rank_that_computes_is_named_with_its_last_call(self):
        with Job(PROGRAM, 3) as job:
            job.all(call("barrier"))
            job.tell(call(count=4), job.ranks[:2])
            line = job.ranks[0].errors.until(" is late: ")
            self.assertRegex(line, r"rank 2 .*; its last call here was 1, barrier")
            self.assertEqual(job.all(call(count=4), job.ranks[2:]) + job.hear(job.ranks[:2]), ["ok right"] * 3)

    def test_beyond_its_limit_it_is_an_error(self):
        with Job(PROGRAM, 3, TUTTI_LATE_TIMEOUT="0.5") as job:
            job.all(call())
            job.ranks[1].process.send_signal(signal.SIGSTOP)
            for answer in job.all(call(), [job.ranks[0], job.ranks[2]]):
                self.assertRegex(answer, r"^error TUTTI_ERROR_LATE rank 1 .* is late: .*stopped by a signal; TUTTI_LATE_TIMEOUT is over")
            job.ranks[1].process.send_signal(signal.SIGCONT)
            self.assertIn("error TUTTI_ERROR_LATE rank 1 ", job.all(call(), job.ranks[1:2])[0])


class Abort(unittest.TestCase):
    def test_all_waits_on_all_ranks_end_with_the_reason(self):
        for how in "run", "wait", "poll":
            with self.subTest(how=how), Job(PROGRAM, 4) as job:
                others = [rank for rank in job.ranks if rank.number != 2]
                job.tell(call(count=LARGE, how=how), others)
                for rank in others:
                    rank.errors.until("begun")
                self.assertEqual(job.all("abort the disk is full", job.ranks[2:3]), ["ok "])
                for answer in job.hear(others) + job.all(call(), job.ranks[2:3]):
                    self.assertRegex(answer, r"^error TUTTI_ERROR_ABORTED rank 2 \(.*\) aborted the communicator: the disk is full$")

    def test_other_communicators_go_on(self):
        with Job(PROGRAM, 3) as job:
            job.all("duplicate")
            job.all("abort enough", job.ranks[:1])
            for answer in job.all(call()):
                self.assertIn("TUTTI_ERROR_ABORTED", answer)
            self.assertEqual(job.all("back"), ["ok"] * 3)
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * 3)

    def test_what_an_abort_left_behind_does_not_fill_the_transport(self):
        for algorithm in "ring", "two-shot":
            with self.subTest(algorithm=algorithm), Job(PROGRAM, 4, TUTTI_ALGORITHM="allreduce=" + algorithm) as job:
                for _ in range(20):
                    job.all("duplicate")
                    job.tell(f"outstanding 8 {LARGE}", job.ranks[1:])
                    job.tell(f"outstanding 8 {LARGE} abort", job.ranks[:1])
                    for answer in job.hear():  # who was the first to finish all is not concerned
                        self.assertRegex(answer, "^(ok|error TUTTI_ERROR_ABORTED)")
                    job.all("back")
                self.assertEqual(job.all(call(count=2 * LARGE)), ["ok right"] * 4)

    def test_survivors_of_an_abort_may_shrink_too(self):
        with Job(PROGRAM, 3) as job:
            job.all("abort enough", job.ranks[:1])
            self.assertEqual(job.all("shrink"), [f"ok {rank} 3" for rank in range(3)])
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * 3)


class Fork(unittest.TestCase):
    def test_a_child_is_refused_and_its_parent_unharmed(self):
        with Job(PROGRAM, 2) as job:
            job.all(call(count=LARGE))
            self.assertEqual(job.all("fork"), ["ok"] * 2)
            self.assertIn("forked after tutti_init", job.ranks[0].errors.until("forked"))
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
