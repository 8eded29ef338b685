"""A Slurm of its own on this machine: munged, slurmctld and two slurmd, with their files in one folder.

Nothing of it outlives the tests: started as a program with the folder as argument, this file waits until its
standard input ends, which it does when the tests end in whatever way; then it kills what was started and removes
the folder.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "sinfo", "scontrol", "scancel"]
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
SECONDS = 60  # for what takes one on a machine that has nothing else to do

CONFIGURATION = """\
ClusterName=cognate
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
TmpFS={folder}/tmp-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
KillWait=2
MessageTimeout=30
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=100000 State=UNKNOWN
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=100000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """Why there can be no Slurm here; empty when there can."""
    if os.geteuid() != 0:
        return "Slurm's daemons want to be started by root"
    absent = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    return f"{' '.join(absent)} of Slurm not installed" if absent else ""


def free_ports(n):
    """Below those that Linux gives to outgoing connections, which would take them before the daemons do."""
    found = []
    for port in random.sample(range(20000, 32000), 1000):
        try:
            socket.create_server(("", port)).close()
            found.append(port)
        except OSError:
            pass  # taken
        if len(found) == n:
            return found
    raise AssertionError("no free ports")


def until(condition, what, witness):
    """What the condition yields once it is true. The witness's words go into the complaint when it never is."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {SECONDS} s\n{witness.said()}"
        time.sleep(0.05)
    return found


class Job:
    def __init__(self, cluster, number, log):
        self.cluster, self.number, self.log = cluster, number, log

    def show(self):
        """What scontrol says of it, in as far as it has no spaces."""
        words = self.cluster.run("scontrol", "show", "job", "-o", self.number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def said(self):
        return self.log.read_text() if self.log.exists() else ""

    def wait(self, *states):
        """Waits until it is in one of the states, by default one it stays in, and returns the state."""
        states = states or ENDED

        def reached():
            state = self.show()["JobState"]
            return state if state in states else None

        return until(reached, f"job {self.number} {' or '.join(states)}", self)


class Cluster:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="cognate-slurm."))
        self.folder.chmod(0o755)
        self.guard = subprocess.Popen(
            [sys.executable, __file__, self.folder], stdin=subprocess.PIPE, start_new_session=True
        )
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        self.environment |= {"PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def start(self):
        folder, host = self.folder, socket.gethostname().split(".")[0]
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        for name in ("state", "tmp-n1", "tmp-n2"):
            (folder / name).mkdir()
        text = CONFIGURATION.format(folder=folder, host=host, ports=free_ports(3))
        (folder / "slurm.conf").write_text(text)
        # No cgroup is used; version 2 would want a writable one even so.
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        munge = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "seed-file": "munge.seed"}
        self.spawn("munged", "--foreground", "--force", *(f"--{name}={folder / file}" for name, file in munge.items()))
        until((folder / "munge.socket").exists, "munged", self)
        self.spawn("slurmctld", "-D")
        for node in ("n1", "n2"):
            self.spawn("slurmd", "-D", "-N", node)
        until(lambda: self.run("sinfo", "-h", "-o", "%D %T", check=False).strip() == "2 idle", "two nodes", self)

    def said(self):
        return (self.folder / "log").read_text(errors="replace")

    def spawn(self, program, *arguments):
        with open(self.folder / "log", "ab") as out:
            options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out}
            subprocess.Popen([program, *arguments], env=self.environment, **options)

    def run(self, *command, check=True):
        done = subprocess.run(
            list(map(str, command)),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0 or not check, (command, done.stderr)
        return done.stdout

    def submit(self, folder, *arguments):
        log = folder / "job.log"
        options = ["--parsable", f"--chdir={folder}", f"--output={log}"]
        return Job(self, self.run("sbatch", *options, *arguments).strip(), log)

    def requeue(self, job):
        """Slurm would let two minutes go by until it starts the job again, so that no credential is good twice."""
        self.run("scontrol", "requeue", job.number)
        job.wait("PENDING")
        self.run("scontrol", "update", f"JobId={job.number}", "StartTime=now+2")

    def stop(self):
        self.guard.stdin.close()
        self.guard.wait()


def members(folder):
    """The processes that were started with the cluster's configuration in their environment."""
    mark = b"SLURM_CONF=" + os.fsencode(folder) + b"/"
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as file:
                    if mark in file.read():
                        yield int(entry)
            except OSError:
                pass  # gone


def clear(folder):
    while left := list(members(folder)):
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    shutil.rmtree(folder)


if __name__ == "__main__":
    sys.stdin.read()
    clear(sys.argv[1])
