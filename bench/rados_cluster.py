# SPDX-License-Identifier: Apache-2.0
"""The cluster that bench/rados measures on: made by scripts/ceph, warmed, and looked at from /proc."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from stores import BUILD, ROOT

MIB = 1024 * 1024
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CAPACITY_GIB = 40  # more than is ever in it: a cluster that is nearly full slows down
CACHE_MIB = 1024
RAW_POOL = "bench"
QUIET_WINDOW_S = 0.2
QUIET_CORES = 0.1
QUIET_WAIT_S = 30


@contextlib.contextmanager
def working_directory(parent):
    """A new directory, and an ExitStack for what runs in it. Both are cleared away, also on SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    directory = pathlib.Path(tempfile.mkdtemp(prefix="gatekey-bench.", dir=parent or "/var/tmp"))
    try:
        with contextlib.ExitStack() as ends:
            yield directory, ends
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def prepare(*packages):
    """Installs what the shell's words name, beside what the build needs, and builds."""
    words = " ".join(f'"{word}"' for word in packages if word)
    done = subprocess.run(
        ["bash", "-ec", f'. scripts/lib.sh; need_packages "${{build_packages[@]}}" {words}; '
         "build release"], cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(1)


def cpu_s(pids):
    """CPU seconds that these processes have used, all their threads included."""
    total = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS_PER_S


def rss_mb(pids):
    total = 0
    for pid in pids:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total / 1000


def settle(pids):
    """Until these processes have done what they do after a load: removal, compaction, write-back."""
    deadline = time.monotonic() + QUIET_WAIT_S
    while time.monotonic() < deadline:
        before = cpu_s(pids)
        time.sleep(QUIET_WINDOW_S)
        if cpu_s(pids) - before <= QUIET_CORES * QUIET_WINDOW_S:
            return


class Cluster:
    """A cluster of one OSD in a directory of its own, with the allocator that makes an OSD's figures
    mean something (scripts/ceph preloads it)."""

    def __init__(self, directory, store):
        self.directory, self.store = pathlib.Path(directory), store
        self.conf = self.directory / "ceph.conf"

    def start(self, ends):
        """ends, an ExitStack, ends it."""
        ends.callback(self._script, "stop")
        self._script("start", "--fresh", "--osds", "1", "--store", self.store, "--osd-size",
                     str(CAPACITY_GIB), "--osd-cache", str(CACHE_MIB))
        self.osd_pids = [int((self.directory / "osd.0.pid").read_text())]
        self.ceph("osd", "pool", "create", RAW_POOL)
        self.ceph("osd", "pool", "application", "enable", RAW_POOL, "bench")
        return self

    def _script(self, command, *options):
        done = subprocess.run([ROOT / "scripts/ceph", command, "--dir", self.directory, *options],
                              stdout=subprocess.DEVNULL)
        if done.returncode != 0:
            raise SystemExit(f"bench: scripts/ceph {command} failed")

    def ceph(self, *arguments):
        return self.run("ceph", *arguments)

    def run(self, program, *arguments):
        done = subprocess.run([program, "-c", self.conf, *arguments], capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"bench: {program} {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def gateway_store(self):
        """As a gateway's configuration says it."""
        return f"""store: {{ engine = "rados"; conf = "{self.conf}"; user = "client.gatekey";
  keyring = "{self.directory}/gatekey.keyring"; meta_pool = "gatekey.meta";
  data_pool = "gatekey.data"; }};"""

    def warm(self, total_bytes):
        """The first touch of memory and of the disk file is dear on a virtual machine; what the OSD
        has touched it keeps."""
        objects = total_bytes // (4 * MIB)
        for operation in ("put", "remove"):
            subprocess.run(self.load_command(operation, 4 * MIB, 16, objects, requests=objects),
                           check=True, stdout=subprocess.DEVNULL)
        settle(self.osd_pids)

    def load_command(self, operation, size, concurrency, objects, **limits):
        return [BUILD / "bench/rados_load", "--conf", self.conf, "--user", "client.admin", "--pool",
                RAW_POOL, *load_options(operation, size, concurrency, objects, **limits)]


def load_options(operation, size, concurrency, objects, **limits):
    options = ["--op", operation, "--size", str(size), "--concurrency", str(concurrency), "--blobs",
               str(objects)]
    for name, value in limits.items():
        options += [f"--{name}", str(value)]
    return options


def run_load(command, environment):
    """The load generator's JSON object; a failed request ends the run."""
    done = subprocess.run(command, env=dict(os.environ, **environment), capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)
