#!/usr/bin/env python3
"""tools/cluster itself: tool_test.py SOURCE BUILD [NAMES...]"""
import json
import os
import pathlib
import signal
import subprocess
import time
import unittest

from clusters import LIMIT, SOURCE, ClusterTest, environment, main, words

# A server and a client of so many bytes, as a transport would move them.
SERVER = """import socket
l = socket.create_server(('', 7000)); print('up', flush=True); c, _ = l.accept(); n = 0
while (d := c.recv(1 << 16)): n += len(d)
print(n)"""
CLIENT = """import socket, sys, time
for _ in range(200):
    try: c = socket.create_connection((sys.argv[1], 7000)); break
    except OSError: time.sleep(0.05)
c.sendall(bytes(int(sys.argv[2]))); c.close()"""


def wait_until(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {LIMIT} s: {what}")
        time.sleep(0.02)


class Tool(ClusterTest):
    def transfer(self, hosts, to, count, **options):
        (self.folder / "server.py").write_text(SERVER)
        (self.folder / "client.py").write_text(CLIENT)
        job = self.shell(hosts, f'"$TUTTI_CLUSTER_AGENT" {to} /usr/bin/python3 {self.folder}/server.py & '
                                f"/usr/bin/python3 {self.folder}/client.py {to} {count}; wait", **options)
        self.assertEqual(job.returncode, 0, job.stderr)
        self.assertEqual(job.stdout.split(), ["up", str(count)], job.stderr)

    def test_hosts_are_apart(self):
        name = f"tutti-cluster-test-{os.getpid()}"
        files = f"/tmp/{name} /dev/shm/{name}"
        job = self.shell(2, f'hostname; touch {files}; "$TUTTI_CLUSTER_AGENT" h2 "hostname; ls {files}; ps -e | wc -l; grep h1 /etc/hosts"')
        lines = job.stdout.split()
        self.assertEqual(lines[:2], ["h1", "h2"], job.stderr)
        self.assertEqual(job.stderr.count("No such file"), 2)
        self.assertLess(int(lines[2]), 10)
        self.assertEqual(lines[3:], ["10.77.0.1", "h1"])
        self.assertEqual([file for file in files.split() if os.path.exists(file)], [])

    def test_counters_tell_what_crossed_which_link(self):
        count = 3_000_000
        self.transfer(3, "h3", count, options=["--rate", "400mbit"])
        sent, received = self.crossed("sent"), self.crossed("received")
        for got in (sent["h1"], received["h3"]):
            self.assertGreater(got, count)
            self.assertLess(got, 1.2 * count)
        self.assertLess(sent["h2"] + received["h2"], count / 10)

    def test_racks_are_joined_by_their_uplinks(self):
        count = 1_000_000
        for racks, to, links in ((2, "h3", ["uplink1"]), (2, "h2", []), (4, "h4", ["uplink1", "uplink4"])):
            with self.subTest(racks=racks, to=to):
                self.transfer(4, to, count, options=["--racks", str(racks), "--rack-rate", "200mbit", "--rate", "400mbit"])
                used = [name for name, moved in self.crossed("sent").items()
                        if name.startswith("uplink") and moved + self.crossed("received")[name] > count]
                self.assertEqual(used, links)

    def test_a_link_can_be_pulled_and_put_back(self):
        script = ('reach() { timeout 2 "$TUTTI_CLUSTER_AGENT" h1 "python3 -c \\"import socket; s = socket.socket(); s.settimeout(1); '
                  'print(s.connect_ex((\'h2\', 9)))\\""; }; '
                  'reach; "$TUTTI_CLUSTER_CONTROL" link h2 down; reach; "$TUTTI_CLUSTER_CONTROL" link h2 up; reach; '
                  '"$TUTTI_CLUSTER_CONTROL" counters; "$TUTTI_CLUSTER_CONTROL" rate h2 10mbit; "$TUTTI_CLUSTER_CONTROL" link h9 down')
        job = self.shell(2, script)
        lines = job.stdout.splitlines()
        self.assertEqual((lines[0], lines[2]), ("111", "111"), job.stdout + job.stderr)  # refused: somebody is there
        self.assertIn(lines[1], ("11", "113", "110"), job.stdout + job.stderr)  # nobody
        self.assertGreater(json.loads(lines[3])["h2"]["received"], 0)
        self.assertIn("the host h9 does not exist; there are h1, h2", job.stderr)

    def test_a_host_can_be_removed(self):
        job = self.shell(2, '"$TUTTI_CLUSTER_AGENT" h2 "echo up; sleep 600" | (read up; "$TUTTI_CLUSTER_CONTROL" remove h2; cat); '
                            '"$TUTTI_CLUSTER_AGENT" h2 true')
        self.assertEqual(job.returncode, 255)
        self.assertIn("the host h2 has been removed", job.stderr)

    def test_the_agent_is_like_ssh(self):
        job = self.shell(2, 'SECRET=x "$TUTTI_CLUSTER_AGENT" -x -l root h2 "echo \\$SECRET-; pwd; exit 7"; echo $?; '
                            'echo input | "$TUTTI_CLUSTER_AGENT" h2 cat')
        self.assertEqual(job.stdout.split(), ["-", "/", "7", "input"], job.stderr)

    def test_the_commands_status_is_passed_on(self):
        self.assertEqual(self.shell(1, "exit 5").returncode, 5)

    def test_nothing_is_left_however_it_ends(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with self.subTest(signal=number):
                mark = f"600.{os.getpid()}{number:02}"
                script = f'"$TUTTI_CLUSTER_AGENT" h2 "setsid sleep {mark} & sleep {mark}" & sleep {mark} & echo up; wait'
                job = subprocess.Popen([*words(2), "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env=environment())
                self.addCleanup(job.kill)
                self.assertEqual(job.stdout.readline(), "up\n")
                wait_until(lambda: len(self.processes(mark)) >= 3, "the start of what is to be ended")
                job.send_signal(number)
                job.communicate(timeout=LIMIT)
                wait_until(lambda: not self.processes(mark), f"the end of all processes after {number}")
                wait_until(lambda: not self.processes(f"/run/tutti-cluster/{job.pid}"), "the end of its hosts")
        # What a killed one could not remove goes at the next start.
        self.assertEqual(self.shell(1, "true").returncode, 0)
        state = pathlib.Path("/run/tutti-cluster")
        self.assertFalse((state / str(job.pid)).exists())

    def processes(self, text):
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if text in entry.read_bytes().decode(errors="replace") and int(entry.parent.name) != os.getpid():
                    found.append(entry.parent.name)
            except OSError:
                pass
        return found

    def test_several_may_run_at_once(self):
        jobs = [subprocess.Popen([*words(2, options=["--quiet"]), "sh", "-c", '"$TUTTI_CLUSTER_AGENT" h2 hostname'],
                                 stdout=subprocess.PIPE, text=True, env=environment()) for _ in range(2)]
        self.assertEqual([job.communicate(timeout=LIMIT)[0] for job in jobs], ["h2\n", "h2\n"])

    def test_bad_input_says_what_would_be_right(self):
        for options, message in ((["--rate", "fast"], "1gbit"), (["--racks", "3"], "from 1 to the number of hosts, 2"),
                                 (["--rack-rate", "1gbit"], "add --racks 2"), (["--ranks-per-host", "0"], "at least 1")):
            with self.subTest(options=options):
                job = self.cluster(2, "true", options=options)
                self.assertEqual(job.returncode, 2)
                self.assertIn(message, job.stderr)
        bare = subprocess.run([SOURCE / "tools/cluster"], capture_output=True, text=True)
        self.assertEqual(bare.returncode, 2)
        self.assertIn("no command is given", bare.stderr)


if __name__ == "__main__":
    main()
