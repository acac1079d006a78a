#!/usr/bin/env python3
"""PMI servers that are odd, wrong or gone, played by this test: pmi_server_test.py BOOTSTRAP_PROBE [NAMES...]

Real servers are in launchers_test.py; here are the limits and the answers that those never give.
"""
import os
import re
import socket
import subprocess
import sys
import threading
import unittest

PROBE = os.path.abspath(sys.argv[1])
LIMIT = 60  # seconds: only a hang reaches it
FOREIGN = ("TUTTI_", "PMI", "RANK", "WORLD_SIZE", "MASTER_", "SLURM_")


class Server:
    """A PMI server for one rank. Attributes are what a test may change."""

    def __init__(self):
        self.versions = ("1", "2")
        self.key_limit = 64
        self.value_limit = 1024
        self.answers = {}  # command: what is sent instead of an answer; None: the connection is closed
        self.values = {}
        self.commands = []
        self.complaints = []

    def serve(self, connection):
        stream = connection.makefile("rb")
        framed = False
        while True:
            text = stream.read(int(stream.read(6) or 0)) if framed else stream.readline()
            if not text:
                return
            fields = dict(re.findall(r"(\S+?)=(\S*)", text.decode().replace(";", " ")))
            self.commands.append(fields["cmd"])
            answer = self.answers.get(fields["cmd"], self.answer(fields, framed))
            if answer is None:
                connection.shutdown(socket.SHUT_RDWR)
                return
            if framed:
                answer = answer.replace(" ", ";") + ";"
                answer = f"{len(answer):6}{answer}"
            else:
                answer += "\n"
            connection.sendall(answer.encode())
            framed = framed or (fields["cmd"] == "init" and fields["pmi_version"] == "2" and "rc=0" in answer)

    def answer(self, fields, framed):
        command = fields["cmd"]
        if command == "init":
            good = fields["pmi_version"] in self.versions
            version = fields["pmi_version"] if good else self.versions[0] if self.versions else "9"
            return f"cmd=response_to_init pmi_version={version} pmi_subversion=0 rc={0 if good else -1}"
        if command in ("put", "kvs-put"):
            return self.put(fields, "kvs-put-response" if framed else "put_result")
        if command in ("get", "kvs-get"):
            return self.get(fields, "kvs-get-response" if framed else "get_result")
        return {
            "get_maxes": f"cmd=maxes kvsname_max=256 keylen_max={self.key_limit} vallen_max={self.value_limit}",
            "get_my_kvsname": "cmd=my_kvsname kvsname=space_7",
            "barrier_in": "cmd=barrier_out rc=0",
            "finalize": "cmd=finalize-response rc=0" if framed else "cmd=finalize_ack rc=0",
            "fullinit": "cmd=fullinit-response pmi-version=2 rank=0 size=1 rc=0",
            "job-getid": "cmd=job-getid-response jobid=job_7 rc=0",
            "kvs-fence": "cmd=kvs-fence-response rc=0",
        }[command]

    def put(self, fields, name):
        key, value = fields["key"], fields["value"]
        if len(key) >= self.key_limit or len(value) >= self.value_limit:
            self.complaints.append(f"{key} of {len(key)} characters = {len(value)} characters")
        if not re.fullmatch(r"[\w-]+", key + value):
            self.complaints.append(f"{key}={value} holds what servers do not take")
        if key in self.values:
            return f"cmd={name} rc=-1 msg=duplicate_key"
        self.values[key] = value
        return f"cmd={name} rc=0 msg=success"

    def get(self, fields, name):
        if fields["key"] not in self.values:
            return f"cmd={name} rc=-1 msg=not_found found=FALSE"
        return f"cmd={name} rc=0 found=TRUE value={self.values[fields['key']]}"


class Pmi(unittest.TestCase):
    def run_probe(self, server, *arguments, **variables):
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=server.serve, args=(ours,))
        with ours, theirs:
            thread.start()
            clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
            clean |= {"PMI_FD": str(theirs.fileno()), "PMI_RANK": "0", "PMI_SIZE": "1"}
            job = subprocess.run([PROBE, *arguments], pass_fds=[theirs.fileno()], capture_output=True, text=True, timeout=LIMIT,
                                 env=clean | variables)
            theirs.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT)
        self.assertEqual(server.complaints, [])
        return job

    def expect_error(self, job, *words):
        self.assertEqual(job.returncode, 1, job.stdout + job.stderr)
        self.assertTrue(job.stderr.startswith("error 7: "), job.stderr)
        for word in words:
            self.assertIn(word, job.stderr)

    def test_a_plain_server_is_told_goodbye(self):
        server = Server()
        job = self.run_probe(server, "meet", "2")
        self.assertEqual((job.returncode, job.stdout), (0, 2 * "rank 0 of 1 by PMI\n"), job.stderr)
        self.assertEqual(server.commands[-1], "finalize")
        self.assertEqual(server.commands.count("init"), 1)

    def test_short_values_and_keys_are_enough(self):
        server = Server()
        server.key_limit, server.value_limit = 24, 65
        job = self.run_probe(server)
        self.assertEqual(job.returncode, 0, job.stderr)
        self.assertGreater(len(server.values), 20000 / 48)

    def test_limits_that_are_too_short_are_an_error(self):
        for key_limit, value_limit in ((20, 1024), (64, 60)):
            server = Server()
            server.key_limit, server.value_limit = key_limit, value_limit
            self.expect_error(self.run_probe(server), f"keys of {key_limit - 1} characters", "too short, 23 and 64 are needed")

    def test_a_server_of_version_two_alone_is_asked_for_it(self):
        server = Server()
        server.versions = ("2",)
        job = self.run_probe(server)
        self.assertEqual((job.returncode, job.stdout), (0, "rank 0 of 1 by PMI-2\n"), job.stderr)
        self.assertEqual(server.commands.count("init"), 2)

    def test_a_server_of_neither_version_is_an_error(self):
        server = Server()
        server.versions = ()
        self.expect_error(self.run_probe(server), "PMI_FD=", "neither version 1 nor version 2")

    def test_wrong_answers_are_shown(self):
        for command, answer, words in (
            ("init", "hello", ['answered "hello"', "init"]),
            ("get_maxes", "cmd=maxes keylen_max=many vallen_max=1024", ["keylen_max", "many"]),
            ("get_my_kvsname", "cmd=my_kvsname", ["names no key-value space"]),
            ("put", "cmd=put_result rc=-1 msg=full", ["did not take the key", "msg=full"]),
            ("get", "cmd=get_result rc=0 value=****", ["what no rank had put"]),
            ("barrier_in", "cmd=barrier_out rc=-1", ['at the fence "greetings"', "rc=-1"]),
        ):
            with self.subTest(command=command):
                server = Server()
                server.answers[command] = answer
                self.expect_error(self.run_probe(server), *words)

    def test_a_server_that_goes_is_named(self):
        for command in ("init", "put", "barrier_in"):
            with self.subTest(command=command):
                server = Server()
                server.answers[command] = None
                self.expect_error(self.run_probe(server), "PMI_FD=", "closed the connection")

    def test_a_descriptor_that_is_closed_is_named(self):
        self.expect_error(self.run_probe(Server(), PMI_FD="99"), "PMI_FD=99 is no open descriptor")

    def test_a_port_where_nobody_listens_is_named(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = f"127.0.0.1:{free.getsockname()[1]}"
        self.expect_error(self.run_probe(Server(), PMI_FD="", PMI_PORT=port), f"PMI_PORT={port} cannot be reached", "refused")

    def test_a_rank_that_cannot_be_is_an_error(self):
        self.expect_error(self.run_probe(Server(), PMI_RANK="3"), "rank 3 of 1")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
