#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a gateway at random moments under a load of writes, starts it again, and looks at what is there.

usage: crash.py [--rounds N] [--clients N] [--seed N]

Every write that was acknowledged is there, content and metadata; what was deleted stays deleted; a
write that was under way is there as a whole or not at all. Last, the same with SIGTERM, which must end
the gateway with exit code 0.

On the embedded store nothing is left then that nothing refers to: no data object, no entry of a map, no
space in the volume files. On RADOS a second gateway lives, and half of the clients write through it:
the other's end disturbs nobody, and what is left over is what a scrub finds, and removes.

A process that is killed loses nothing that it has given to the kernel, or to an OSD: that data is on
the disk before it is acknowledged is what the order of writes in gateway/store is for, and no test of
this kind shows.
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
from gateway_process import ON_RADOS, Gateway, account_sas  # noqa: E402
from audit import Audit, Leak, remove_leavings  # noqa: E402
from write_load import ACCOUNT, Load, Wrong  # noqa: E402

LOOKERS = 4
AUDIT_EVERY = 10
TELL_EVERY = 100
TERM_ROUNDS = 3


class Crashes:
    def __init__(self, gateway, survivor, arguments):
        self.gateway, self.survivor, self.arguments = gateway, survivor, arguments
        self.rng = random.Random(arguments.seed)
        gateway.start()
        self.sas = account_sas(ACCOUNT, gateway.create_account(ACCOUNT))
        if survivor is not None:
            survivor.start()
        self.loads = [Load(number, arguments.seed) for number in range(arguments.clients)]
        client = self.client(gateway)
        for load in self.loads:
            assert client.create_container(f"client-{load.number:02}").status == 201
        client.close()

    def client(self, gateway):
        return Client(gateway.port, ACCOUNT, self.sas)

    def survives(self, load):
        """Whether the client writes through the gateway that is not killed."""
        return self.survivor is not None and load.number % 2 == 1

    def under_load(self, end):
        """Runs the clients, calls end() meanwhile, waits for all."""
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(len(self.loads)) as pool:
            running = [pool.submit(load.run,
                                   (self.survivor if self.survives(load) else self.gateway).port,
                                   self.sas, stop, not self.survives(load)) for load in self.loads]
            time.sleep(self.rng.uniform(0.05, 0.5))
            end()
            stop.set()
            for load in running:
                load.result()

    def each(self, gateway, look, loads):
        """look at several loads at once, each with a client of its own."""
        def one(load):
            client = self.client(gateway)
            look(load, client)
            client.close()
        with concurrent.futures.ThreadPoolExecutor(LOOKERS) as pool:
            list(pool.map(one, loads))
        gateway.check_alive()

    def restart(self):
        """What the dead one left behind must be right for the other, too, at once."""
        self.gateway.launch()
        if self.survivor is not None:
            self.each(self.survivor, Load.glance,
                      [load for load in self.loads if not self.survives(load)])
        self.gateway.wait_until_ready()

    def verify(self):
        def look(load, client):
            load.verify(client)
            load.tidy(client)
        self.each(self.gateway, look, self.loads)

    def kill_round(self):
        self.under_load(self.gateway.kill)
        self.restart()
        self.verify()

    def terminate_round(self):
        codes = []
        self.under_load(lambda: codes.append(self.gateway.stop()))
        if codes != [0]:
            raise Wrong(f"SIGTERM ends the gateway with {codes}")
        self.restart()
        self.verify()

    # --- what is left over -------------------------------------------------------------------------

    def audit(self):
        """Once the reaper is through; then once more behind a start, which sweeps the volumes."""
        audit = Audit(self.gateway)
        audit.wait_for_removal()
        unused, _ = audit.check()
        self.gateway.restart()
        live, taken = audit.check_volumes()
        audit.close()
        print(f"audit: nothing left over but {unused} unused shards; volumes take "
              f"{taken / 1e6:.1f} MB for {live / 1e6:.1f} MB", flush=True)

    def scrub(self):
        left, unused = remove_leavings(self.gateway, self.survivor)
        self.verify()
        print(f"scrub: {left} data objects and {unused} shards were left that nothing refers to; all are "
              "removed", flush=True)

    def run(self):
        for number in range(1, self.arguments.rounds + 1):
            self.kill_round()
            if number % AUDIT_EVERY == 0 and self.survivor is None:
                self.audit()
            if number % TELL_EVERY == 0:
                print(f"{number} kills", flush=True)
        for _ in range(TERM_ROUNDS):
            self.terminate_round()
        if self.survivor is None:
            self.audit()
        else:
            self.scrub()
        for gateway in (self.gateway, self.survivor):
            if gateway is not None and gateway.stop() != 0:
                raise Wrong("the gateway does not end well")


def run(arguments, directory):
    began = time.monotonic()
    gateway = Gateway(directory / "dies", index_shards=3)
    survivor = Gateway(directory / "lives", index_shards=3, beside=gateway) if ON_RADOS else None
    crashes = None
    try:
        crashes = Crashes(gateway, survivor, arguments)
        crashes.run()
    except (Wrong, Leak) as wrong:
        for each in (gateway, survivor):
            if each is not None:
                print(each.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
        sys.exit(f"crash.py: seed {arguments.seed}: {wrong}")
    finally:
        for each in (gateway, survivor):
            if each is not None and each.process is not None and each.process.poll() is None:
                each.kill()
    counts = sum((load.counts for load in crashes.loads), collections.Counter())
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    print(f"seed {arguments.seed}: {arguments.rounds} kills and {TERM_ROUNDS} SIGTERMs in "
          f"{time.monotonic() - began:.0f} s; every acknowledged write was there")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    with tempfile.TemporaryDirectory(prefix="gatekey-crash.") as directory:
        run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    main()
