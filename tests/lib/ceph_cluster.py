# SPDX-License-Identifier: Apache-2.0
"""A Ceph cluster of a test's own (scripts/ceph), whose daemons it may kill and hold up. It ends with the
test, however that ends."""
import os
import pathlib
import signal
import subprocess

from gateway_process import ROOT, wait_for

SCRIPT = ROOT / "scripts" / "ceph"
START_TIMEOUT_S = 600
STOP_TIMEOUT_S = 120


class Cluster:
    """options: what scripts/ceph start takes."""

    def __init__(self, directory, *options):
        self.directory = pathlib.Path(directory)
        self.log_file = self.directory.with_suffix(".log")
        ready = self.directory.with_suffix(".ready")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", SCRIPT, "run", "--dir", self.directory, "--ready-file",
                 ready, *options], stdout=log, stderr=log)
        wait_for("the cluster", self.process, ready.exists, START_TIMEOUT_S)

    def close(self):
        """Daemons that are held up go on, or they would not end."""
        for file in self.directory.glob("*.pid"):
            self._signal(file.stem, signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _signal(self, daemon, number):
        try:
            os.kill(int((self.directory / f"{daemon}.pid").read_text()), number)
        except (ProcessLookupError, FileNotFoundError):
            pass

    def _script(self, *arguments):
        with open(self.log_file, "ab") as log:
            subprocess.run([SCRIPT, *arguments, "--dir", self.directory], stdout=log, stderr=log, check=True)

    # --- faults: a daemon is "osd.0", "mon.a" --------------------------------------------------------

    def hold(self, daemon):
        """It keeps its connections, and answers nothing."""
        self._signal(daemon, signal.SIGSTOP)

    def release(self, daemon):
        self._signal(daemon, signal.SIGCONT)

    def kill_osd(self, number):
        self._script("kill-osd", str(number))

    def start_osd(self, number):
        """Returns once the cluster answers."""
        self._script("start-osd", str(number))

    def resume(self):
        """Starts what does not run, and returns once the cluster answers."""
        self._script("resume")
