#!/usr/bin/env python3
"""Faults of a job over several nodes, which this machine plays: nodes_test.py FAULT_RANK [--kills N] [NAMES...]

TUTTI_NODE says which node a rank counts as on, so everything between nodes goes over the network transport and the control
plane's sockets. NODES_TEST_TRANSPORTS lists other network transports, such as ucx:tcp.
"""

import os
import random
import signal
import sys
import time
import unittest

import jobs
from jobs import Job, call

KILLS = 10
if "--kills" in sys.argv:
    at = sys.argv.index("--kills")
    KILLS = int(sys.argv[at + 1])
    del sys.argv[at:at + 2]
PROGRAM = os.path.abspath(sys.argv[1])
TRANSPORTS = os.environ.get("NODES_TEST_TRANSPORTS", "ofi:tcp").split()
LARGE = 1 << 18  # float32
DIED = r"rank ({}) \(\S+, process ({})\) died; rank \d"


def spread(nodes, transport="ofi:tcp", **variables):
    """A job with a rank for each letter; equal letters share a node."""
    return Job(PROGRAM, len(nodes), nodes=nodes, TUTTI_TRANSPORT=f"shm,{transport}", **variables)


def one_of(numbers):
    return "|".join(str(number) for number in numbers)


class Death(unittest.TestCase):
    def strike(self, job, victims):
        """Kills inside allreduces; all others name one of the dead. Returns the survivors."""
        begin = time.monotonic()
        pattern = "^error TUTTI_ERROR_DEAD " + DIED.format(one_of(victims), one_of(job.ranks[victim].pid for victim in victims))
        survivors = job.kill(*victims)
        for answer in job.hear(survivors):
            self.assertRegex(answer, pattern)
            self.assertIn("waiting in allreduce", answer)
        print(f"{len(job.ranks)} ranks, killed {victims}: all others knew after {time.monotonic() - begin:.3f} s", flush=True)
        for answer in job.all(call(), survivors):
            self.assertTrue(answer.startswith("error TUTTI_ERROR_DEAD rank "), answer)
        return survivors

    def test_the_others_name_the_dead_rank_wherever_it_was(self):
        for transport in TRANSPORTS:
            for nodes, victims in [("ab", [1]), ("ab", [0]), ("aabb", [0]), ("aabb", [2]), ("aabb", [3]), ("abcab", [2]),
                                   ("aabb", [2, 3]), ("abc", [0, 1])]:
                for count in 1, LARGE:
                    with self.subTest(transport=transport, nodes=nodes, victims=victims, count=count), spread(nodes, transport) as job:
                        job.loop(count)
                        self.strike(job, victims)

    def test_random_kills(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        for turn in range(KILLS):
            nodes = dice.choice(["aabb", "abcd", "aabbcc", "abab", "aabcd", "aaab"])
            victims = dice.sample(range(len(nodes)), dice.choice([1, 1, 1, 2]))
            count, how = dice.choice([1, 700, LARGE]), dice.choice(["run", "wait", "poll"])
            transport = dice.choice(TRANSPORTS)
            with self.subTest(seed=seed, turn=turn, nodes=nodes, victims=victims, count=count, how=how, transport=transport):
                with spread(nodes, transport) as job:
                    job.loop(count, how)
                    time.sleep(dice.random() * 0.02)  # the moment is what is random
                    self.strike(job, victims)
                    for rank in job.ranks:
                        if rank.number not in victims:
                            rank.tell("exit")
                            rank.process.wait(jobs.LIMIT)
                        self.assertFalse(jobs.is_alive(rank.pid))

    def test_a_rank_that_exits_without_goodbye_is_dead(self):
        with spread("abb") as job:
            job.ranks[0].tell("exit")
            for answer in job.all(call(), job.ranks[1:]):
                self.assertTrue(answer.startswith("error TUTTI_ERROR_DEAD rank 0 "), answer)


class Leaving(unittest.TestCase):
    def test_who_has_said_goodbye_may_go_before_the_others_have_finished(self):
        for nodes in "abb", "aab", "abc":
            with self.subTest(nodes=nodes), spread(nodes) as job:
                self.assertEqual(job.all(call(count=8)), ["ok right"] * 3)  # all are connected
                self.assertEqual(job.all(call("broadcast", 8), job.ranks[:1]), ["ok "])
                self.assertEqual(job.all("free", job.ranks[:1]), ["ok "])
                job.ranks[0].tell("exit")
                job.ranks[0].process.wait(jobs.LIMIT)
                self.assertEqual(job.all(call("broadcast", 8), job.ranks[1:]), ["ok "] * 2)
                self.assertEqual(job.all("free", job.ranks[1:]), ["ok "] * 2)

    def test_a_call_after_anothers_goodbye_is_an_error_that_names_it(self):
        for nodes in "abb", "aab":
            with self.subTest(nodes=nodes), spread(nodes) as job:
                self.assertEqual(job.all("free", job.ranks[:1]), ["ok "])
                for answer in job.all(call(count=LARGE), job.ranks[1:]):
                    self.assertRegex(answer, r"^error TUTTI_ERROR_MISMATCH rank 0 \(.*has said goodbye \(tutti_comm_free\) without "
                                             "calling allreduce")


class Mismatch(unittest.TestCase):
    def test_every_rank_learns_of_a_call_that_differs_and_what_both_called(self):
        for transport in TRANSPORTS:
            for nodes in "ab", "aabb", "abc":
                for count in 5, 1 << 17:
                    lines = [call("allreduce", count + (rank == 1)) for rank in range(len(nodes))]
                    with self.subTest(transport=transport, nodes=nodes, count=count), spread(nodes, transport) as job:
                        for rank, line in zip(job.ranks, lines):
                            rank.tell(line)
                        for rank, answer in zip(job.ranks, job.hear()):
                            if answer.startswith("ok"):
                                rank.tell(call("allreduce", 3))
                                answer = rank.hear()
                            self.assertRegex(answer, r"^error TUTTI_ERROR_MISMATCH .*rank \d \(\S+, process \d+\).*rank \d \(")
                            self.assertIn(f"allreduce of {count} float32", answer)
                            self.assertIn(f"allreduce of {count + 1} float32", answer)


class Late(unittest.TestCase):
    def test_a_stopped_rank_is_named_and_the_job_goes_on_when_it_wakes(self):
        for nodes, stopped in ("aabb", 3), ("abb", 2):
            with self.subTest(nodes=nodes), spread(nodes) as job:
                job.all(call())
                job.ranks[stopped].process.send_signal(signal.SIGSTOP)
                others = [rank for rank in job.ranks if rank.number != stopped]
                job.tell(call())
                line = others[-1].errors.until(" is late: ")
                self.assertRegex(line, rf"warning: rank {stopped} \(\S+, process {job.ranks[stopped].pid}\) is late: .*it is stopped by a signal")
                job.ranks[stopped].process.send_signal(signal.SIGCONT)
                self.assertEqual(job.hear(), ["ok right"] * len(nodes))

    def test_a_stopped_leader_is_late_and_not_dead(self):
        with spread("ab", TUTTI_TIMEOUT="2") as job:
            job.all(call())
            job.ranks[1].process.send_signal(signal.SIGSTOP)
            job.tell(call())
            self.assertRegex(job.ranks[0].errors.until(" is late: "), r"rank 1 \(.*its node does not answer questions")
            time.sleep(3)  # beyond TUTTI_TIMEOUT: its host gives signs of life all the time
            job.ranks[1].process.send_signal(signal.SIGCONT)
            self.assertEqual(job.hear(), ["ok right"] * 2)

    def test_a_rank_that_computes_is_named_with_its_last_call(self):
        with spread("aab") as job:
            job.all(call("barrier"))
            job.tell(call(count=4), job.ranks[:2])
            line = job.ranks[0].errors.until(" is late: ")
            self.assertRegex(line, r"rank 2 \(\S+, process \d+\).*; its last call here was 1, barrier")
            self.assertEqual(job.all(call(count=4), job.ranks[2:]) + job.hear(job.ranks[:2]), ["ok right"] * 3)


class Abort(unittest.TestCase):
    def test_all_waits_on_all_nodes_end_with_the_reason(self):
        with spread("aabbc") as job:
            others = [rank for rank in job.ranks if rank.number != 2]
            job.tell(call(count=LARGE), others)
            for rank in others:
                rank.errors.until("begun")
            self.assertEqual(job.all("abort the disk is full", job.ranks[2:3]), ["ok "])
            for answer in job.hear(others) + job.all(call(), job.ranks[2:3]):
                self.assertRegex(answer, r"^error TUTTI_ERROR_ABORTED rank 2 \(.*\) aborted the communicator: the disk is full$")


class Shrinking(unittest.TestCase):
    def test_the_survivors_of_all_nodes_go_on_after_one_death_and_after_another(self):
        for nodes, victims in [("aabb", (2, 0)), ("abcd", (0, 1)), ("abab", (1, 0))]:
            for transport in TRANSPORTS:
                with self.subTest(nodes=nodes, victims=victims, transport=transport), spread(nodes, transport) as job:
                    survivors = job.ranks
                    job.loop(1)
                    for victim in victims:
                        job.kill(victim)
                        survivors = [rank for rank in survivors if rank.number != victim]
                        answers = job.hear(survivors) if victim == victims[0] else job.all(call(), survivors)
                        for answer in answers:
                            self.assertIn(f"TUTTI_ERROR_DEAD rank {victim} ", answer)
                        size = len(survivors)
                        self.assertEqual(job.all("shrink", survivors), [f"ok {rank} {size}" for rank in range(size)])
                        self.assertEqual(job.all(call(count=LARGE), survivors), ["ok right"] * size)
                        self.assertEqual(job.all("duplicate", survivors), [f"ok {rank} {size}" for rank in range(size)])
                        self.assertEqual(job.all(call(count=7), survivors), ["ok right"] * size)
                        if victim == victims[0]:
                            job.all("back", survivors)

    def test_the_survivors_go_on_when_a_whole_node_has_died_at_once(self):
        for nodes, victims in ("aabb", (2, 3)), ("aabbcc", (0, 1)):
            with self.subTest(nodes=nodes), spread(nodes) as job:
                job.loop(1)
                survivors = job.kill(*victims)
                for answer in job.hear(survivors):
                    self.assertIn("TUTTI_ERROR_DEAD rank ", answer)
                size = len(survivors)
                self.assertEqual(job.all("shrink", survivors), [f"ok {rank} {size}" for rank in range(size)])
                self.assertEqual(job.all(call(count=LARGE), survivors), ["ok right"] * size)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
