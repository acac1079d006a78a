#!/usr/bin/env python3
"""Starts a real Slurm on all hosts of the cluster around it, then becomes a command that may use srun:

    slurm.py COMMAND ARGS...

munged and slurmd on each host, slurmctld on the first, no systemd. Everything lies in the cluster's own folder and in the
hosts' own /tmp, and ends with the cluster.
"""
import os
import pathlib
import subprocess
import sys
import time

AGENT = os.environ["TUTTI_CLUSTER_AGENT"]
HOSTS = [host.split(":") for host in os.environ["TUTTI_CLUSTER_HOSTS"].split(",")]
FOLDER = pathlib.Path(os.environ["TUTTI_CLUSTER_DOOR"]).parent / "slurm"
CONF = FOLDER / "slurm.conf"
LIMIT = 60  # seconds until all hosts are idle

TEXT = """\
ClusterName=tutti
SlurmctldHost={first}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=/tmp/munge/socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SlurmdParameters=config_overrides
SelectType=select/linear
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
TmpFS=/tmp
NodeName={names} CPUs={slots} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

# munged insists on folders that nobody else may write to, and slurmd on its spool.
ON_EACH = """
set -e
mkdir -p /tmp/munge {folder}/spool-{host}
chown munge /tmp/munge
runuser -u munge -- munged --key-file={folder}/munge.key --socket=/tmp/munge/socket --pid-file=/tmp/munge/pid \\
  --log-file=/tmp/munge/log --seed-file=/tmp/munge/seed
slurmd -N {host} -f {conf}
"""


def on(host, command):
    done = subprocess.run([AGENT, host, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"slurm.py: {host}: {done.stdout}")


def logs():
    return "\n".join(f"{path}:\n{path.read_text()[-3000:]}" for path in sorted(FOLDER.glob("*.log")))


def main():
    names = [name for name, _ in HOSTS]
    FOLDER.mkdir(mode=0o755)
    (FOLDER / "state").mkdir()
    key = FOLDER / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    subprocess.run(["chown", "munge", key], check=True)
    CONF.write_text(TEXT.format(first=names[0], folder=FOLDER, names=",".join(names), slots=HOSTS[0][1]))
    for name in names:
        on(name, ON_EACH.format(host=name, folder=FOLDER, conf=CONF))
    on(names[0], f"slurmctld -f {CONF}")
    os.environ["SLURM_CONF"] = str(CONF)
    end = time.monotonic() + LIMIT
    while True:
        seen = subprocess.run(["sinfo", "-h", "-N", "-o", "%T"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.split()
        if seen == ["idle"] * len(names):
            break
        if time.monotonic() > end:
            sys.exit(f"slurm.py: after {LIMIT} s the hosts are not idle but: {' '.join(seen)}\n{logs()}")
        time.sleep(0.2)
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
