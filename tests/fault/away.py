#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two gateways on a cluster that is away for a while: its OSDs stand still, then are killed; its monitor
stands still. Requests end in 503 ServerBusy with Retry-After meanwhile, reads and writes alike, and are
served again, by the same processes, when the cluster is back. What was acknowledged reads back; what was
not is there as a whole or not at all. A gateway that is started meanwhile ends with 1 and says why. Once
the cluster is back, what one gateway changes of an account the other obeys: its watch was lost.

usage: away.py

Makes a cluster of its own with scripts/ceph.
"""
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client, Gone  # noqa: E402
from ceph_cluster import Cluster  # noqa: E402
from gateway_process import BUILD, Gateway, account_sas  # noqa: E402

ACCOUNT = "away"
SIZES = {"beside": 100, "small": 70000, "large": 9 << 20}
OSDS = 2
OP_TIMEOUT_S = 2
# Longer than the cluster keeps a watch of a gateway that it does not hear.
STILL_S = 25
BACK_TIMEOUT_S = 120
SKIPPED = 77


class Wrong(Exception):
    """Something is not as it should be."""


class Bystander:
    """A process that has the store open and watches nothing: librados has no reason of its own to look
    for news of the cluster. ask_store.c."""

    def __init__(self, cluster):
        self.process = subprocess.Popen(
            [BUILD / "tests" / "ask_store", cluster.directory / "ceph.conf",
             cluster.directory / "gatekey.keyring", str(OP_TIMEOUT_S)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sees(self, all_objects):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().strip()
        if line not in ("all", "some", "none"):
            raise Wrong(f"ask_store: {line}")
        return line == ("all" if all_objects else "none")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Away:
    def __init__(self, directory):
        self.rng = random.Random(1)
        # Ceph 16 has placement groups without a second copy wait for ever when their OSD stood still.
        self.cluster = Cluster(directory / "ceph", "--osds", str(OSDS))
        self.bystander = Bystander(self.cluster)
        store = (f'store: {{ engine = "rados"; conf = "{self.cluster.directory}/ceph.conf"; '
                 f'keyring = "{self.cluster.directory}/gatekey.keyring"; op_timeout_s = {OP_TIMEOUT_S}; }};')
        self.gateways = [Gateway(directory / name, store=store) for name in "ab"]
        for gateway in self.gateways:
            gateway.service_key_file = self.gateways[0].service_key_file
            gateway.start()
        key = self.gateways[0].create_account(ACCOUNT)
        self.clients = [Client(gateway.port, ACCOUNT, account_sas(ACCOUNT, key))
                        for gateway in self.gateways]
        self.expect("create container", self.clients[0].create_container("box"), 201)
        self.known = {name: {self.rng.randbytes(size)} for name, size in SIZES.items()}
        for name, contents in self.known.items():
            self.expect(name, self.clients[0].put(f"box/{name}", *contents), 201)

    def expect(self, what, answer, status):
        if answer.status != status:
            raise Wrong(f"{what}: {answer.status} {answer.code}, not {status}")

    def expect_busy(self, what, answer):
        self.expect(what, answer, 503)
        if answer.code != "ServerBusy" or "retry-after" not in answer.headers:
            raise Wrong(f"{what}: {answer.code} {answer.headers}")

    def alive(self):
        for gateway in self.gateways:
            gateway.check_alive()

    # --- while it is away --------------------------------------------------------------------------

    def all_is_busy(self):
        """Also what takes more than one write, and what fails while its content still comes."""
        for client in self.clients:
            for name, size in SIZES.items():
                self.expect_busy(f"get {name}", client.get(f"box/{name}"))
                content = self.rng.randbytes(size)
                self.known[name].add(content)  # it may be written yet
                try:
                    self.expect_busy(f"put {name}", client.put(f"box/{name}", content))
                except Gone:  # answered and closed before all of a body was taken
                    pass
            self.expect_busy("list", client.list_blobs("box"))
        self.alive()

    def no_start(self):
        gateway = self.gateways[1]
        gateway.stop()
        gateway.launch()
        code = gateway.process.wait(BACK_TIMEOUT_S)
        log = gateway.log_file.read_text(errors="replace")
        if code != 1 or not ("no OSD of the pool" in log or "no monitor" in log):
            raise Wrong(f"a start without a cluster: {code}, {log[-500:]}")

    # --- when it is back ---------------------------------------------------------------------------

    def is_back(self):
        deadline = time.monotonic() + BACK_TIMEOUT_S
        while not self.bystander.sees(True):
            if time.monotonic() > deadline:
                raise Wrong("the cluster is back, and a process that was idle does not see it")
        for client in self.clients:
            while (answer := client.list_blobs("box")).status != 200:
                self.expect_busy("list", answer)
                if time.monotonic() > deadline:
                    raise Wrong("the cluster is back, and the gateway does not see it")
        self.alive()
        for name, contents in self.known.items():
            found = self.clients[0].get(f"box/{name}")
            self.expect(f"get {name}", found, 200)
            if found.body not in contents:
                raise Wrong(f"{name} is neither what was written before nor what was tried")
            content = self.rng.randbytes(SIZES[name])
            self.expect(f"put {name}", self.clients[0].put(f"box/{name}", content), 201)
            if self.clients[1].get(f"box/{name}").body != content:
                raise Wrong(f"{name} reads back wrong through the other gateway")
            self.known[name] = {content}

    def changes_are_heard(self):
        """The old key holds no longer, at the other gateway either."""
        done = self.gateways[0].ctl("account", "keys", ACCOUNT, "--regenerate", "key1")
        if done.returncode != 0:
            raise Wrong(f"a new key: {done.stderr}")
        deadline = time.monotonic() + BACK_TIMEOUT_S
        while self.clients[1].list_blobs("box").status != 403:
            if time.monotonic() > deadline:
                raise Wrong("the other gateway did not hear of a new key")

    def run(self):
        for number in range(OSDS):
            self.cluster.hold(f"osd.{number}")
        self.all_is_busy()
        time.sleep(STILL_S)
        for number in range(OSDS):
            self.cluster.release(f"osd.{number}")
        self.is_back()
        print("the OSDs stood still, and all goes on", flush=True)
        for number in range(OSDS):
            self.cluster.kill_osd(number)
        if not self.bystander.sees(False):
            raise Wrong("there are no OSDs, and the bystander has answers")
        self.all_is_busy()
        self.no_start()
        self.cluster.resume()
        self.gateways[1].start()
        self.clients[1].close()
        self.clients[1].port = self.gateways[1].port
        self.is_back()
        print("the OSDs were killed, and all goes on", flush=True)
        self.cluster.hold("mon.a")
        self.is_back()
        self.cluster.release("mon.a")
        self.is_back()
        print("the monitor stood still, and nothing was felt", flush=True)
        self.changes_are_heard()
        print("changes of an account are heard", flush=True)

    def end(self):
        for gateway in self.gateways:
            if gateway.process.poll() is None:
                gateway.kill()
        self.bystander.close()
        self.cluster.close()


def main():
    if shutil.which("ceph-mon") is None:
        print("skipped: there are no programs of Ceph")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="gatekey-away-") as directory:
        away = Away(pathlib.Path(directory))
        try:
            away.run()
        except Wrong as wrong:
            for gateway in away.gateways:
                print(gateway.log_file.read_text(errors="replace")[-2000:])
            print(f"WRONG: {wrong}")
            return 1
        finally:
            away.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
