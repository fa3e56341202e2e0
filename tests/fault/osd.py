#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills OSDs of a cluster of its own at random moments under a load of writes through two gateways, and
starts them again.

usage: osd.py [--osd-kills N] [--clients N] [--seed N]

Pools have three copies, and two are enough to write: with one OSD down, writes go on after a pause. In the
pause requests are slow or end in 503, which is no acknowledgement: such a write is there as a whole or not
at all. What was acknowledged is there, whatever ends, and nothing has to be started anew but the OSD. Last,
a scrub finds what 503s left behind, and nothing else, and removes it.
"""
import argparse
import collections
import concurrent.futures
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from ceph_cluster import Cluster  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from audit import Leak, remove_leavings  # noqa: E402
from write_load import ACCOUNT, Load, Wrong  # noqa: E402

OSDS = 3
GO_ON_S = 120  # how long the pause may be before it is none
OP_TIMEOUT_S = 2  # shorter than many a pause: writes whose outcome nobody knows, too


class Kills:
    def __init__(self, cluster, gateways, arguments):
        self.cluster, self.gateways, self.arguments = cluster, gateways, arguments
        self.rng = random.Random(arguments.seed)
        for gateway in gateways:
            gateway.start()
        self.sas = account_sas(ACCOUNT, gateways[0].create_account(ACCOUNT))
        self.loads = [Load(number, arguments.seed, may_be_busy=True)
                      for number in range(arguments.clients)]
        client = Client(gateways[0].port, ACCOUNT, self.sas)
        for load in self.loads:
            assert client.create_container(f"client-{load.number:02}").status == 201
        client.close()
        self.pauses = []

    def acknowledged(self):
        """Of each gateway."""
        return [sum(load.acknowledged for load in self.loads if load.number % 2 == number)
                for number in range(len(self.gateways))]

    def wait_for_writes(self, running):
        """Until each gateway has acknowledged some that were begun after the kill."""
        began, before = time.monotonic(), self.acknowledged()
        wanted = [count + self.arguments.clients for count in before]
        while any(count < want for count, want in zip(self.acknowledged(), wanted)):
            if time.monotonic() > began + GO_ON_S or any(load.done() for load in running):
                raise Wrong(f"writes do not go on with {OSDS - 1} of {OSDS} OSDs: {before} and then "
                            f"{self.acknowledged()}")
            time.sleep(0.01)
        self.pauses.append(time.monotonic() - began)

    def fault(self, running):
        osd = self.rng.randrange(OSDS)
        time.sleep(self.rng.uniform(0.2, 1))
        self.cluster.kill_osd(osd)
        self.wait_for_writes(running)
        time.sleep(self.rng.uniform(0, 1))
        self.cluster.start_osd(osd)

    def round(self):
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(len(self.loads)) as pool:
            running = [pool.submit(load.run, self.gateways[load.number % 2].port, self.sas, stop, False)
                       for load in self.loads]
            try:
                self.fault(running)
            finally:
                stop.set()
            for load in running:
                load.result()

    def verify(self):
        """Each load through the gateway that it does not write through."""
        for load in self.loads:
            client = Client(self.gateways[1 - load.number % 2].port, ACCOUNT, self.sas)
            load.verify(client)
            load.tidy(client)
            client.close()
        for gateway in self.gateways:
            gateway.check_alive()

    def run(self):
        for number in range(1, self.arguments.osd_kills + 1):
            self.round()
            self.verify()
            print(f"kill {number}: writes went on after {self.pauses[-1]:.1f} s", flush=True)
        left, unused = remove_leavings(*self.gateways)
        self.verify()
        print(f"scrub: {left} data objects and {unused} shards were left that nothing refers to; all are "
              "removed")
        for gateway in self.gateways:
            if gateway.stop() != 0:
                raise Wrong("a gateway does not end well")


def run(arguments, directory):
    began = time.monotonic()
    cluster = Cluster(directory / "ceph", "--osds", str(OSDS))
    gateways = []
    try:
        gateways.append(Gateway(directory / "one", index_shards=3, cluster=cluster.directory,
                                op_timeout_s=OP_TIMEOUT_S))
        gateways.append(Gateway(directory / "two", index_shards=3, beside=gateways[0]))
        kills = Kills(cluster, gateways, arguments)
        kills.run()
    except (Wrong, Leak) as wrong:
        for gateway in gateways:
            print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
        sys.exit(f"osd.py: seed {arguments.seed}: {wrong}")
    finally:
        for gateway in gateways:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.kill()
        cluster.close()
    counts = sum((load.counts for load in kills.loads), collections.Counter())
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    print(f"seed {arguments.seed}: {arguments.osd_kills} kills of an OSD in "
          f"{time.monotonic() - began:.0f} s; every acknowledged write was there; the longest pause was "
          f"{max(kills.pauses):.1f} s, the longest operation of a client "
          f"{max(load.slowest_s for load in kills.loads):.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--osd-kills", type=int, default=4)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    with tempfile.TemporaryDirectory(prefix="gatekey-osd.") as directory:
        run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    main()
