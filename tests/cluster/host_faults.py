#!/usr/bin/env python3
"""Faults among the hosts of the cluster around this: host_faults.py FAULT_RANK TRANSPORT KILLS TEST

Runs on h1 and starts each rank on its own host through the cluster's agent; faults_test.py says when. What a rank is told
and answers, fault_rank.cpp says.
"""
import os
import pathlib
import random
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "faults"))
import jobs  # noqa: E402
from jobs import call  # noqa: E402

PROGRAM, NETWORK, KILLS = sys.argv[1], sys.argv[2], int(sys.argv[3])
AGENT, CONTROL = os.environ["TUTTI_CLUSTER_AGENT"], os.environ["TUTTI_CLUSTER_CONTROL"]
SLOTS = [(name, int(slots)) for name, slots in (text.split(":") for text in os.environ["TUTTI_CLUSTER_HOSTS"].split(","))]
HOSTS = [name for name, slots in SLOTS for _ in range(slots)]  # of each rank
LARGE = 1 << 18  # float32
TIMEOUT = 3  # seconds


def on(host, command):
    """What a command said there."""
    return subprocess.run([AGENT, host, command], capture_output=True, text=True, check=False).stdout


def control(*words):
    subprocess.run([CONTROL, *words], check=True)


class HostRank(jobs.Rank):
    """A rank that the agent started: its number among the processes of its own host."""

    def __init__(self, number, command, variables):
        words = [f"{name}={value}" for name, value in variables.items() if name.startswith(("TUTTI_", "UCX_"))]
        self.host = HOSTS[number]
        super().__init__(number, [AGENT, self.host, "exec env", *words, *command],
                         {"TUTTI_CLUSTER_DOOR": os.environ["TUTTI_CLUSTER_DOOR"]})


class HostJob(jobs.Job):
    """A rank in each slot of the cluster."""

    def __init__(self, start=True, size=len(HOSTS), **variables):
        variables = {"TUTTI_TRANSPORT": f"shm,{NETWORK}", "TUTTI_TIMEOUT": TIMEOUT} | variables
        super().__init__(PROGRAM, size, rank_type=HostRank, store_host="h1", start=start, **variables)
        if start:
            self.processes = [int(answer.split()[1]) for answer in self.all("address")]

    def kill_there(self, victim):
        on(self.ranks[victim].host, f"kill -9 {self.processes[victim]}")
        self.ranks[victim].process.wait(jobs.LIMIT)

    def others(self, *gone):
        return [rank for rank in self.ranks if rank.number not in gone]


def left_behind(host):
    """Processes, segments, files and sockets of a job that has ended. A closed connection's TIME_WAIT (06) is the kernel's."""
    return on(host, "pgrep -l fault_rank; ls -A /dev/shm; ls -A /tmp | grep tutti; "
                    "awk 'FNR > 1 && $4 != \"06\" {print \"socket\", $2, $3, $4}' /proc/net/tcp /proc/net/tcp6").split()


class Faults(unittest.TestCase):
    def expect_named(self, answer, ranks, rank):
        """An error that names one of `ranks` with its host."""
        pattern = "|".join(f"{number} \\({HOSTS[number]}, process \\d+\\)" for number in ranks)
        self.assertRegex(answer, f"^error TUTTI_ERROR_DEAD rank ({pattern}) ", f"rank {rank.number} on {rank.host}")

    def expect_nothing_left(self):
        for host in dict.fromkeys(HOSTS):
            deadline = time.monotonic() + jobs.LIMIT
            while (left := left_behind(host)) and time.monotonic() < deadline:
                time.sleep(0.02)
            self.assertEqual(left, [], f"left on {host}")

    def test_kills(self):
        seed = random.randrange(1 << 30)
        dice = random.Random(seed)
        leaders = [HOSTS.index(host) for host in dict.fromkeys(HOSTS)]
        slowest = 0.0
        for turn in range(KILLS):
            # Rank 0 and every leader are among the victims, the rest is the dice's.
            victim = leaders[turn] if turn < len(leaders) else dice.randrange(len(HOSTS))
            count, how = dice.choice([1, 700, LARGE]), dice.choice(["run", "wait", "poll"])
            with self.subTest(seed=seed, turn=turn, victim=victim, count=count, how=how):
                with HostJob() as job:
                    job.loop(count, how)
                    time.sleep(dice.random() * 0.05)  # the moment is what is random
                    begin = time.monotonic()
                    job.kill_there(victim)
                    survivors = job.others(victim)
                    for rank, answer in zip(survivors, job.hear(survivors)):
                        self.expect_named(answer, [victim], rank)
                        self.assertIn(f"process {job.processes[victim]})", answer)
                    slowest = max(slowest, time.monotonic() - begin)
                    job.tell("exit", survivors)
                    for rank in survivors:
                        rank.process.wait(jobs.LIMIT)
                self.expect_nothing_left()
        print(f"{KILLS} kills; all survivors knew within {slowest:.3f} s of the order to kill", flush=True)

    def test_link_down(self):
        control("rate", "h2", "100mbit")  # so that a transfer is surely under way
        with HostJob() as job:
            job.loop(LARGE)
            begin = time.monotonic()
            control("link", "h2", "down")
            for rank, answer in zip(job.ranks, job.hear()):
                beyond = [number for number, host in enumerate(HOSTS) if (host == "h2") != (rank.host == "h2")]
                self.expect_named(answer, beyond, rank)
            print(f"link down: all ranks knew after {time.monotonic() - begin:.1f} s, TUTTI_TIMEOUT={TIMEOUT}", flush=True)

    def test_host_removed(self):
        with HostJob() as job:
            job.loop(LARGE)
            begin = time.monotonic()
            control("remove", "h3")
            gone = [number for number, host in enumerate(HOSTS) if host == "h3"]
            survivors = job.others(*gone)
            for rank, answer in zip(survivors, job.hear(survivors)):
                self.expect_named(answer, gone, rank)
            print(f"host removed: all survivors knew after {time.monotonic() - begin:.1f} s, TUTTI_TIMEOUT={TIMEOUT}", flush=True)
            size = len(survivors)
            self.assertEqual(job.all("shrink", survivors), [f"ok {rank} {size}" for rank in range(size)])
            self.assertEqual(job.all(call(count=LARGE), survivors), ["ok right"] * size)

    def test_slow_host(self):
        with HostJob() as job:
            job.all(call(count=LARGE))
            control("rate", "h2", "4mbit")
            begin = time.monotonic()
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * len(HOSTS))
            warnings = [line for rank in job.ranks for line in rank.errors.seen if "warning" in line]
            print(f"slow host: right after {time.monotonic() - begin:.1f} s", *warnings, sep="\n", flush=True)
            self.assertEqual([line for line in warnings if " died" in line], [])

    def test_abort_and_lateness(self):
        with HostJob() as job:
            job.all(call(count=LARGE))
            last = len(HOSTS) - 1
            others = job.others(last)
            job.tell(call(count=LARGE), others)
            late = re.compile(rf"rank {last} \({HOSTS[last]}, process \d+\) is late: ")
            deadline = time.monotonic() + jobs.LIMIT
            # Whom a rank waits for directly is the algorithm's affair; somebody waits for the last one.
            while not any(late.search(line) for rank in others for line in list(rank.errors.seen)):
                self.assertLess(time.monotonic(), deadline, "nobody says who is late")
                time.sleep(0.05)
            self.assertEqual(job.all("abort the disk is full", job.ranks[last:]), ["ok "])
            for answer in job.hear(others):
                self.assertRegex(answer, rf"^error TUTTI_ERROR_ABORTED rank {last} \({HOSTS[last]}.* aborted the communicator: the disk is full$")

    def test_peer_that_never_starts(self):
        with HostJob(start=False, TUTTI_START_TIMEOUT=3) as job:
            absent = len(HOSTS) - 1
            begin = time.monotonic()
            others = job.others(absent)
            answers = job.all("init", others)
            for answer in answers:
                self.assertRegex(answer, rf"^error TUTTI_ERROR_START .*\b{absent}\b")
            print(f"never starts: {time.monotonic() - begin:.1f} s, TUTTI_START_TIMEOUT=3:", answers[0], sep="\n", flush=True)

    def test_several_interfaces(self):
        # What every host of a container service has: a bridge with the same address everywhere, that reaches nobody.
        for host in dict.fromkeys(HOSTS):
            on(host, "ip link add aaa0 type veth peer name aaa1 && ip address add 10.1.0.1/16 dev aaa0 && "
                     "ip link set aaa0 up && ip link set aaa1 up")
        chosen = "provider tcp.* on interface eth0" if NETWORK.startswith("ofi") else "UCX: tcp/eth0$"
        with HostJob(TUTTI_LOG="info") as job:
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * len(HOSTS))
            for rank in job.ranks:
                self.assertTrue([line for line in rank.errors.seen if re.search(chosen, line)], rank.errors.seen)
        with HostJob(TUTTI_INTERFACE="eth0") as job:
            self.assertEqual(job.all(call(count=LARGE)), ["ok right"] * len(HOSTS))
        with HostJob(start=False, TUTTI_INTERFACE="eth9", UCX_LOG_LEVEL="error") as job:
            for answer in job.all("init"):
                self.assertRegex(answer, "^error TUTTI_ERROR_START .*eth9.*eth0")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]])
