#!/usr/bin/env python3
"""`tutti run` and the environment it makes, with real processes: run_test.py TUTTI BOOTSTRAP_PROBE [NAMES...]

Every wait is for an event with a limit; a job that hangs fails its test and is killed.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

TUTTI, PROBE = (os.path.abspath(path) for path in sys.argv[1:3])
LIMIT = 60  # seconds: only a job that hangs reaches it
LAUNCHERS = ("TUTTI_", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_", "XDG_RUNTIME_DIR")


def environment(**variables):
    """Ours, without what any launcher left in it, and with `variables`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(LAUNCHERS)}
    return clean | {name: str(value) for name, value in variables.items()}


def run(*arguments, input=None, **variables):
    return subprocess.run([TUTTI, "run", *map(str, arguments)], capture_output=True, text=True, timeout=LIMIT, input=input,
                          env=environment(**variables))


def start(*command, **variables):
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL, env=environment(**variables))


def shell(program):
    return ["sh", "-c", program]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_alive(pid):
    """A zombie counts as ended: only its parent has not looked yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {LIMIT} s: {what}")
        time.sleep(0.01)


class Output(unittest.TestCase):
    def test_each_line_bears_its_rank_and_streams_stay_apart(self):
        job = run("-n", 3, *shell('echo out $TUTTI_RANK/$TUTTI_SIZE; echo err $TUTTI_RANK >&2; printf "no newline"'))
        self.assertEqual(job.returncode, 0, job.stderr)
        expected = [line for rank in range(3) for line in (f"[{rank}] no newline", f"[{rank}] out {rank}/3")]
        self.assertEqual(sorted(job.stdout.splitlines()), expected)
        self.assertTrue(job.stdout.endswith("\n"))
        self.assertEqual(sorted(job.stderr.splitlines()), [f"[{rank}] err {rank}" for rank in range(3)])

    def test_lines_of_ranks_do_not_mix(self):
        program = 'i=0; while [ $i -lt 300 ]; do printf "%s" begin-$TUTTI_RANK; printf -- "-end-$TUTTI_RANK\\n"; i=$((i+1)); done'
        job = run("-n", 4, *shell(program))
        lines = job.stdout.splitlines()
        self.assertEqual(len(lines), 1200)
        for line in lines:
            self.assertRegex(line, r"^\[(\d)\] begin-\1-end-\1$")

    def test_labels_can_be_left_out_or_asked_for(self):
        self.assertEqual(run("-n", 2, "--no-label", "echo", "x").stdout, "x\nx\n")
        self.assertEqual(run("-n", 1, "echo", "x").stdout, "x\n")
        self.assertEqual(run("-n", 1, "--label", "echo", "x").stdout, "[0] x\n")

    def test_the_programs_own_options_are_its_own(self):
        self.assertEqual(run("-n", 1, "echo", "-n", "--label", "--", "-h").stdout, "--label -- -h")
        self.assertEqual(run("-n", 1, "--", "echo", "-n", "x").stdout, "x")

    def test_input_goes_to_rank_0_alone(self):
        job = run("-n", 3, "cat", input="for one\n")
        self.assertEqual((job.returncode, job.stdout), (0, "[0] for one\n"))

    def test_ranks_are_told_when_nobody_reads(self):
        pipeline = f"{TUTTI} run -n 2 yes | head -n 3"
        job = subprocess.run(["bash", "-o", "pipefail", "-c", pipeline], capture_output=True, text=True, timeout=LIMIT,
                             env=environment())
        self.assertEqual(len(job.stdout.splitlines()), 3)
        self.assertEqual(job.returncode, 1)
        self.assertIn("Broken pipe", job.stderr)


class Binding(unittest.TestCase):
    def masks(self, *arguments):
        program = "import os; print(sorted(os.sched_getaffinity(0)))"
        job = run(*arguments, sys.executable, "-c", program)
        self.assertEqual(job.returncode, 0, job.stderr)
        return sorted(job.stdout.splitlines())

    def test_ranks_have_cores_of_their_own_where_there_are_enough(self):
        allowed = sorted(os.sched_getaffinity(0))
        self.assertEqual(self.masks("-n", 2, "--no-label", "--bind", "none"), [str(allowed)] * 2)
        many = len(allowed) + 1
        self.assertEqual(self.masks("-n", many, "--no-label"), [str(allowed)] * many)
        refused = run("-n", many, "--bind", "core", "true")
        self.assertEqual(refused.returncode, 2)
        self.assertIn(f"{many} ranks are more than the", refused.stderr)
        if run("-n", 2, "--bind", "core", "true").returncode == 0:
            first, second = self.masks("-n", 2, "--no-label")
            self.assertNotEqual(first, second)


class Failure(unittest.TestCase):
    def test_the_first_failure_is_named_and_ends_the_others(self):
        job = run("-n", 4, *shell('if [ $TUTTI_RANK = 2 ]; then kill -9 $$; fi; exec sleep 600'))
        self.assertEqual(job.returncode, 1)
        self.assertRegex(job.stderr,
                         r"^tutti run: rank 2 \(pid \d+, \S+\) was killed by signal 9 \(Killed\); ending the others\n$")

    def test_a_status_is_named(self):
        job = run("-n", 2, *shell('[ $TUTTI_RANK = 1 ] && exit 3; exec sleep 600'))
        self.assertEqual(job.returncode, 1)
        self.assertRegex(job.stderr, r"rank 1 \(pid \d+, \S+\) ended with status 3; ending the others")

    def test_bad_input_has_code_2_and_says_what_would_be_right(self):
        for arguments, message in [
            (["-n", 0, "true"], "0"),
            (["-n", "many", "true"], "many"),
            (["true"], "--ranks is required"),
            (["-n", 2], "no program is named"),
            (["-n", 2, "--lable", "true"], '"--lable" is not an option'),
            (["-n", 2, "--bind", "socket", "true"], "socket"),
            (["-n", 2, "no-such-program"], 'cannot start "no-such-program": No such file or directory'),
            (["-n", 2, "/etc/passwd"], "Permission denied"),
        ]:
            with self.subTest(arguments=arguments):
                job = run(*arguments)
                self.assertEqual(job.returncode, 2, job.stderr)
                self.assertIn(message, job.stderr)
                self.assertEqual(job.stdout, "")


class Signals(unittest.TestCase):
    def ready_job(self, ranks, program, *options):
        """A job each of whose ranks has printed a line, and those lines."""
        job = start(TUTTI, "run", "-n", ranks, *options, *shell(program))
        self.addCleanup(job.stdout.close)
        self.addCleanup(job.stderr.close)
        self.addCleanup(job.kill)
        return job, [job.stdout.readline() for _ in range(ranks)]

    def test_signals_are_passed_on(self):
        for name in ("INT", "TERM", "HUP", "USR1", "USR2"):
            with self.subTest(signal=name):
                program = f'trap "echo got; exit 0" {name}; echo ready; while :; do sleep 0.05; done'
                job, _ = self.ready_job(3, program)
                job.send_signal(getattr(signal, f"SIG{name}"))
                output, errors = job.communicate(timeout=LIMIT)
                self.assertEqual(job.returncode, 0, errors)
                self.assertEqual(sorted(output.splitlines()), ["[0] got", "[1] got", "[2] got"])

    def test_ranks_that_end_by_the_signal_are_a_failure_that_says_so(self):
        job, _ = self.ready_job(2, "echo ready; exec sleep 600")
        job.send_signal(signal.SIGINT)
        _, errors = job.communicate(timeout=LIMIT)
        self.assertEqual(job.returncode, 1)
        self.assertRegex(errors, r"was killed by signal 2 \(Interrupt\) after signal 2 \(Interrupt\) was passed on")

    def test_a_second_request_ends_ranks_that_took_the_first(self):
        program = 'trap "echo no" INT; echo ready; while :; do sleep 0.05; done'
        job, _ = self.ready_job(2, program)
        job.send_signal(signal.SIGINT)
        self.assertEqual(sorted(job.stdout.readline() for _ in range(2)), ["[0] no\n", "[1] no\n"])
        job.send_signal(signal.SIGINT)
        job.communicate(timeout=LIMIT)
        self.assertEqual(job.returncode, 1)

    def test_ranks_that_will_not_end_are_killed_after_the_grace(self):
        program = 'trap "" TERM; trap "[ $TUTTI_RANK = 0 ] && exit 1" USR1; echo ready; while :; do sleep 0.05; done'
        job, _ = self.ready_job(3, program, "--timeout-kill", "0.2")
        job.send_signal(signal.SIGUSR1)
        _, errors = job.communicate(timeout=LIMIT)
        self.assertEqual(job.returncode, 1)
        self.assertIn("2 ranks had not ended 0.2 s after SIGTERM and were killed", errors)

    def test_nothing_is_left_when_the_launcher_is_killed(self):
        job, lines = self.ready_job(3, "sleep 600 & echo $$ $!; wait")
        pids = [int(pid) for line in lines for pid in line.split()[1:]]
        self.assertEqual(len(pids), 6)
        job.kill()
        wait_until(lambda: not any(map(is_alive, pids)), f"the end of {pids}, the ranks and what they started")
        self.assertEqual([name for name in os.listdir("/dev/shm") if "tutti" in name], [])

    def test_what_a_failed_rank_started_is_ended(self):
        program = 'trap "[ $TUTTI_RANK = 0 ] && kill -9 $$" USR1; (trap "" USR1; exec sleep 600) & echo $!; while :; do wait; done'
        job, lines = self.ready_job(2, program)
        pids = [int(line.split()[1]) for line in lines]
        job.send_signal(signal.SIGUSR1)
        job.communicate(timeout=LIMIT)
        self.assertEqual(job.returncode, 1)
        wait_until(lambda: not any(map(is_alive, pids)), f"the end of {pids}")


class Meeting(unittest.TestCase):
    def test_ranks_meet_and_meet_again(self):
        for ranks in (1, 2, 7):
            job = run("-n", ranks, "--label", PROBE, "meet", 3)
            self.assertEqual(job.returncode, 0, job.stderr)
            expected = [f"[{rank}] rank {rank} of {ranks} by TUTTI_* variables" for rank in range(ranks)]
            self.assertEqual(sorted(job.stdout.splitlines()), sorted(3 * expected))

    def test_programs_one_after_the_other_meet_anew(self):
        job = run("-n", 3, *shell(f"{PROBE} && {PROBE}"))
        self.assertEqual((job.returncode, len(job.stdout.splitlines())), (0, 6), job.stderr)

    def test_a_rank_that_leaves_is_named(self):
        job = run("-n", 3, PROBE, "absent", 1)
        self.assertEqual(job.returncode, 1)
        self.assertIn('rank 1 of 3', job.stderr)
        self.assertIn('left the store before arriving at the fence "greetings"', job.stderr)

    def test_a_strangers_secret_is_refused_and_the_job_goes_on(self):
        with tempfile.NamedTemporaryFile("w") as wrong:
            wrong.write("this is not the secret of the job")
            wrong.flush()
            program = (f'[ $TUTTI_RANK = 1 ] && TUTTI_SECRET_FILE={wrong.name} {PROBE}; exec {PROBE}')
            job = run("-n", 2, *shell(program))
        self.assertEqual(job.returncode, 0, job.stderr)
        self.assertRegex(job.stderr, r"\[1\] error 7: rank 1 on \S+: the store at tcp://127.0.0.1:\d+ refused the job's secret")
        self.assertRegex(job.stderr, r"warning: the store at \S+ refused 127.0.0.1:\d+: it does not hold the job's secret")
        self.assertEqual(len(job.stdout.splitlines()), 2)

    def test_the_secret_is_nobody_elses(self):
        job = run("-n", 1, *shell('stat -L -c "%a %u" $TUTTI_SECRET_FILE'))
        self.assertEqual(job.stdout, f"600 {os.geteuid()}\n")

    def test_a_variable_that_nobody_reads_is_named(self):
        job = run("-n", 1, PROBE, TUTTI_ALGORITM="allreduce=ring")
        self.assertEqual(job.returncode, 0)
        self.assertIn("TUTTI_ALGORITM is not a variable of Tutti; the nearest is TUTTI_ALGORITHM", job.stderr)


class WithoutLauncher(unittest.TestCase):
    """Ranks started one by one, by hand or by torchrun's rules."""

    def finish(self, ranks):
        for rank in ranks:
            rank.output, rank.errors = rank.communicate(timeout=LIMIT)
        return ranks

    def secret_file(self, text="a secret of sixteen bytes and more"):
        file = tempfile.NamedTemporaryFile("w")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def test_the_four_variables_are_enough_and_rank_0_listens(self):
        secret = self.secret_file()
        for host in ("127.0.0.1", "[::1]", "localhost"):
            with self.subTest(host=host):
                store = f"tcp://{host}:{free_port()}"
                ranks = self.finish([start(PROBE, "meet", 2, TUTTI_RANK=rank, TUTTI_SIZE=3, TUTTI_STORE=store, TUTTI_SECRET_FILE=secret)
                                     for rank in (2, 1, 0)])
                for rank in ranks:
                    self.assertEqual(rank.returncode, 0, rank.errors)

    def test_torchruns_variables_are_enough_on_one_host(self):
        with tempfile.TemporaryDirectory() as runtime:
            variables = dict(WORLD_SIZE=3, LOCAL_WORLD_SIZE=3, MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port(),
                             TUTTI_PORT=free_port(), XDG_RUNTIME_DIR=runtime)
            ranks = self.finish([start(PROBE, "meet", 2, RANK=rank, **variables) for rank in (2, 0, 1)])
            for rank in ranks:
                self.assertEqual(rank.returncode, 0, rank.errors)
                self.assertIn("of 3 by torchrun", rank.output)
            self.assertEqual(os.listdir(runtime), [])

    def test_a_secret_that_a_dead_job_left_is_no_obstacle(self):
        port = free_port()
        with tempfile.TemporaryDirectory() as runtime:
            os.mkdir(f"{runtime}/tutti", 0o700)
            with open(f"{runtime}/tutti/secret-{port}", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as old:
                old.write("the secret of a job that was killed")
            variables = dict(WORLD_SIZE=2, LOCAL_WORLD_SIZE=2, MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port(), TUTTI_PORT=port,
                             XDG_RUNTIME_DIR=runtime)
            ranks = self.finish([start(PROBE, RANK=rank, **variables) for rank in (1, 0)])
            for rank in ranks:
                self.assertEqual(rank.returncode, 0, rank.errors)
            self.assertEqual(os.listdir(runtime), [])

    def test_a_store_that_is_not_there_is_named_after_the_limit(self):
        port = free_port()
        rank, = self.finish([start(PROBE, TUTTI_RANK=1, TUTTI_SIZE=2, TUTTI_STORE=f"tcp://127.0.0.1:{port}",
                                   TUTTI_SECRET_FILE=self.secret_file(), TUTTI_START_TIMEOUT="0.3")])
        self.assertEqual(rank.returncode, 1)
        self.assertRegex(rank.errors, rf"error 7: rank 1 on \S+ could not reach the store at tcp://127.0.0.1:{port} within 0.3 s")

    def test_ranks_that_are_missing_are_named(self):
        variables = dict(WORLD_SIZE=3, LOCAL_WORLD_SIZE=3, MASTER_ADDR="127.0.0.1", MASTER_PORT=free_port(), TUTTI_PORT=free_port(),
                         TUTTI_START_TIMEOUT=1)
        with tempfile.TemporaryDirectory() as runtime:
            rank, = self.finish([start(PROBE, RANK=0, XDG_RUNTIME_DIR=runtime, **variables)])
            self.assertEqual(rank.returncode, 1)
            self.assertIn("ranks 1, 2 of 3 have not arrived", rank.errors)
            self.assertEqual(os.listdir(runtime), [])

    def test_half_a_set_is_an_error(self):
        rank, = self.finish([start(PROBE, TUTTI_RANK=0, TUTTI_SIZE=2)])
        self.assertEqual(rank.returncode, 1)
        self.assertIn("error 1: half a set of variables: TUTTI_RANK, TUTTI_SIZE set, TUTTI_STORE, TUTTI_SECRET_FILE missing",
                      rank.errors)

    def test_another_users_or_an_open_secret_is_refused(self):
        secret = self.secret_file()
        os.chmod(secret, 0o644)
        rank, = self.finish([start(PROBE, TUTTI_RANK=0, TUTTI_SIZE=1, TUTTI_STORE=f"tcp://127.0.0.1:{free_port()}",
                                   TUTTI_SECRET_FILE=secret)])
        self.assertEqual(rank.returncode, 1)
        self.assertRegex(rank.errors, "error 1: the secret file .* has mode 0644")


def take_signals_as_usual():
    """Under nohup, or in the background of a script, some signals come ignored, and a shell then cannot trap them."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    take_signals_as_usual()
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
