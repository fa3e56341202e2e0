# SPDX-License-Identifier: Apache-2.0
"""Fresh Debian machines: a root by debootstrap, made once and kept, that systemd-nspawn boots any number of times, read
only, with what changes in memory. They share this machine's network: listeners take free ports of loopback."""
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from collection import need, run, skip

PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-apt,ca-certificates"
BOOT_S = 180
BOOTED = ("running", "degraded")
MIRROR = "$(ORIGIN) $(CODENAME) $(COMPONENT) $(SITE)"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def codename():
    lines = pathlib.Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    release = dict(line.split("=", 1) for line in lines if "=" in line)
    return release.get("VERSION_CODENAME", "").strip('"')


def mirror(suite):
    """Where this machine's own apt gets Debian from."""
    for line in run("apt-get", "indextargets", "--format", MIRROR, "Identifier: Packages").splitlines():
        origin, name, component, site = line.split(maxsplit=3)
        if (origin, name, component) == ("Debian", suite, "main"):
            return site
    return skip(f"apt here knows no archive of Debian {suite}")


def make_root(place):
    """A root as debootstrap leaves it, with a name for loopback. Takes a minute or more, once."""
    root = place / f"root-{codename()}"
    if root.exists():
        return root
    shutil.rmtree(place / "unfinished", ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", codename(), place / "unfinished",
               mirror(codename())]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        skip(f"debootstrap makes no root here: {done.stdout[-800:]}")
    (place / "unfinished/etc/hosts").write_text("127.0.0.1 localhost\n", encoding="ascii")
    (place / "unfinished").rename(root)
    return root


def check_possible():
    need("debootstrap", "systemd-nspawn", "nsenter", "setpriv", "apt-get", "ansible-playbook")
    if os.geteuid() != 0:
        skip("only root can make a Debian root and boot it")


class Machine:
    """One that was booted; its files are at path(...)."""

    def __init__(self, place, name):
        self.name = name
        self.log = place / f"{name}.log"
        (place / "archives/partial").mkdir(parents=True, exist_ok=True)
        # Not registered anywhere, and ended with this process.
        command = ["setpriv", "--pdeathsig", "TERM", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit",
                   "--volatile=overlay", f"--machine={name}", "--console=pipe", "--boot",
                   f"--bind={place}/archives:/var/cache/apt/archives", f"--directory={make_root(place)}"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "SYSTEMD_NSPAWN_LOCK": "0"})
        self.leader = None

    def wait(self):
        """Until systemd says that all of the boot is done."""
        deadline = time.monotonic() + BOOT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            self.leader = next(iter(children.read_text(encoding="ascii").split()), None)
            if self.leader and self.ask("systemctl", "is-system-running", "--wait").stdout.strip() in BOOTED:
                return self
            time.sleep(0.2)
        said = self.log.read_text(encoding="utf-8", errors="replace")[-800:]
        self.stop()
        return skip(f"systemd-nspawn boots no Debian here: {said}")

    def ask(self, *command):
        return subprocess.run(["nsenter", "--target", self.leader, "--all", *map(str, command)], capture_output=True,
                              text=True, check=False)

    def path(self, *parts):
        """A file of the machine's, as this process sees it."""
        return pathlib.Path(f"/proc/{self.leader}/root", *(part.lstrip("/") for part in parts))

    def main_pid(self, unit):
        """0 while it does not run."""
        return int(self.ask("systemctl", "show", "--property=MainPID", "--value", unit).stdout)

    def inventory(self, **variables):
        return {"ansible_connection": "community.docker.nsenter", "ansible_nsenter_pid": int(self.leader),
                "ansible_python_interpreter": "/usr/bin/python3", "ansible_become": False, **variables}

    def stop(self):
        """At once: nothing of it is kept."""
        if self.leader and self.process.poll() is None:
            os.kill(int(self.leader), signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
