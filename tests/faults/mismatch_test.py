#!/usr/bin/env python3
"""Ranks that call different things: mismatch_test.py FAULT_RANK [NAMES...]"""

import os
import sys
import unittest

from jobs import FLOAT64, INT32, MAX, Job, call

PROGRAM = os.path.abspath(sys.argv[1])
SIZES = 1, 700, 1 << 17  # elements: in a mailbox line, in its ring, through slots


def pairs(count):
    """What most ranks call, and what one calls instead."""
    return {
        "kind": (call("allreduce", count), call("broadcast", count)),
        "kind the other way round": (call("broadcast", count), call("allreduce", count)),
        "a barrier": (call("allreduce", count), call("barrier")),
        "count": (call("allreduce", count), call("allreduce", count + 1)),
        "type": (call("allreduce", count), call("allreduce", count, type=INT32)),
        "type of another size": (call("broadcast", count), call("broadcast", count, type=FLOAT64)),
        "op": (call("allreduce", count), call("allreduce", count, op=MAX)),
        "root of a reduce": (call("reduce", count, root=0), call("reduce", count, root=1)),
        "root of a broadcast": (call("broadcast", count, root=0), call("broadcast", count, root=1)),
    }


class Mismatch(unittest.TestCase):
    def expect_all(self, job, lines, calls_until_known=2):
        """Rank r calls lines[r]; each gets the error from this call, or from its next if it had already left."""
        for rank, line in zip(job.ranks, lines):
            rank.tell(line)
        answers = job.hear()
        early = [rank for rank, answer in zip(job.ranks, answers) if answer.startswith("ok")]
        if early and calls_until_known > 1:
            for rank, answer in zip(early, job.all(call("allreduce", 3), early)):
                answers[rank.number] = answer
        for answer in answers:
            self.assertRegex(answer, r"^error TUTTI_ERROR_MISMATCH .*rank \d \(\S+, process \d+\).* (but )?rank \d \(")
        return answers

    def expect_both_calls(self, answers, *words):
        for answer in answers:
            for word in words:
                self.assertIn(word, answer)

    def test_every_rank_learns_of_a_call_that_differs(self):
        for size in 2, 3, 4:
            for count in SIZES:
                for what, (most, other) in pairs(count).items():
                    for odd in {1, size - 1}:
                        lines = [other if rank == odd else most for rank in range(size)]
                        with self.subTest(what=what, size=size, count=count, odd=odd), Job(PROGRAM, size) as job:
                            self.expect_all(job, lines)

    def test_the_message_names_both_calls(self):
        with Job(PROGRAM, 3) as job:
            answers = self.expect_all(job, [call("allreduce", 5), call("broadcast", 7, root=1), call("allreduce", 5)])
            self.expect_both_calls(answers, "allreduce of 5 float32", "broadcast of 7 float32", "rank 1 (",
                                   "all ranks must call the same", "call 1 of communicator 1")
        with Job(PROGRAM, 2) as job:
            answers = self.expect_all(job, [call("broadcast", 7, root=0), call("broadcast", 7, root=1)])
            self.expect_both_calls(answers, "root 0", "root 1")

    def test_who_left_early_learns_it_even_from_a_call_that_needs_one_message(self):
        for count in SIZES[:2]:
            with self.subTest(count=count), Job(PROGRAM, 2) as job:
                for rank, root in zip(job.ranks, (0, 1)):
                    rank.tell(call("broadcast", count, root=root))
                self.assertEqual(job.hear(), ["ok ", "ok "])
                self.assertIn("TUTTI_ERROR_MISMATCH", job.all(call("broadcast", count, root=0), job.ranks[:1] + job.ranks[1:])[1])
                self.assertIn("TUTTI_ERROR_MISMATCH", job.all(call("barrier"), job.ranks[:1])[0])

    def test_nonblocking_calls_too(self):
        for how in "wait", "poll":
            for count in SIZES:
                for what, (most, other) in pairs(count).items():
                    lines = [line.rsplit(" ", 1)[0] + " " + how for line in (most, other, most)]
                    with self.subTest(what=what, how=how, count=count), Job(PROGRAM, 3) as job:
                        self.expect_all(job, lines)

    def test_a_difference_behind_many_outstanding_calls_is_found(self):
        with Job(PROGRAM, 2) as job:
            job.ranks[0].tell("outstanding 200 4")
            job.ranks[1].tell("outstanding 200 5")
            for answer in job.hear():
                self.assertIn("TUTTI_ERROR_MISMATCH", answer)

    def test_with_check_every_rank_gets_it_from_this_very_call(self):
        for size in 2, 3, 4:
            for what, (most, other) in pairs(SIZES[0]).items():
                with self.subTest(what=what, size=size), Job(PROGRAM, size, TUTTI_CHECK=1) as job:
                    lines = [other if rank == 1 else most for rank in range(size)]
                    for answer in self.expect_all(job, lines, calls_until_known=1):
                        self.assertIn("TUTTI_CHECK: ", answer)

    def test_a_failure_that_is_announced_between_two_calls_comes_with_the_next(self):
        with Job(PROGRAM, 3) as job:
            for rank, line in zip(job.ranks, [call("allreduce", 1), call("broadcast", 1, root=1)]):
                rank.tell(line)
            answers = [job.ranks[0].hear()]
            self.assertIn("TUTTI_ERROR_MISMATCH", answers[0])
            self.assertIn("TUTTI_ERROR_MISMATCH", job.all(call("allreduce", 1), job.ranks[2:])[0])

    def test_a_group_without_a_common_rank_goes_on(self):
        with Job(PROGRAM, 4) as job:
            for rank in job.ranks:
                rank.tell(f"split {rank.number % 2}")
            self.assertEqual(job.hear(), ["ok 0 2", "ok 0 2", "ok 1 2", "ok 1 2"])
            even, odd = job.ranks[0::2], job.ranks[1::2]
            even[0].tell(call("allreduce", 1))
            even[1].tell(call("allreduce", 2))
            for answer in job.hear(even):
                self.assertIn("TUTTI_ERROR_MISMATCH", answer)
            self.assertEqual(job.all(call("allreduce", 100), odd), ["ok right"] * 2)

    def test_another_communicator_goes_on(self):
        with Job(PROGRAM, 3) as job:
            job.all("duplicate")
            self.expect_all(job, [call("allreduce", 1), call("allreduce", 2), call("allreduce", 1)])
            self.assertEqual(job.all("back"), ["ok"] * 3)
            self.assertEqual(job.all(call("allreduce", 1 << 17)), ["ok right"] * 3)
            # A new one does not inherit what failed in the one before it.
            job.all("duplicate")
            self.assertEqual(job.all(call("allreduce", 9)), ["ok right"] * 3)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
