#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random walks through what can be done to blobs, each answer compared with a simple model: byte by byte, and
property by property. Several clients walk at once, each in an account of its own under a customer's key of its
own, half of them with versions. Meanwhile keys are taken away and given back, and between two stretches of the
walk the gateway ends, or is killed. In the end the scrub finds nothing, and the store holds what the models'
blobs refer to: nothing too much, nothing too little.

usage: walk.py [--operations N] [--clients N] [--seed N]

An operation is a request whose answer is compared. A walk that went wrong tells its seed: the same seed with the
same number of operations and clients does the same again.
"""
import argparse
import collections
import multiprocessing
import pathlib
import random
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from gateway_process import Gateway  # noqa: E402
from vault_process import Vault  # noqa: E402
from audit import Audit  # noqa: E402
from random_operations import Account  # noqa: E402
from reference import Wrong  # noqa: E402

STRETCHES = 6
DARK_EACH, DARK_FOR = 1500, 40  # operations from one revocation to the next, and until it ends


class Walker:
    """One client: a process that does a stretch when it is told to, and tells how it went."""

    def __init__(self, number, gateway, vault, arguments):
        name = f"walk{number}"
        vault.create_key(name)
        key = gateway.create_account(name, name)
        versioned = number % 2 == 1
        if versioned:
            gateway.set_blob_service(name, {"isVersioningEnabled": True})
        rng = random.Random(arguments.seed * 1000 + number)
        self.gateway, self.vault = gateway, vault
        self.account = Account(name, key, rng, versioned)
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=self._serve, args=(theirs,), daemon=True)
        self.process.start()

    def begin(self, *what):
        self.pipe.send(what)

    def finish(self):
        """Its counts. Ends the test if it went wrong."""
        return self.pipe.recv()

    def _serve(self, pipe):
        account = self.account
        done = False
        while not done:
            port, management, operations, last = pipe.recv()
            account.connect(port)
            self.gateway.management = management
            try:
                if not account.counts:
                    account.begin()
                self._stretch(operations)
                if last:
                    self._set_dark(False)
                    account.compare_all()
                pipe.send((account.counts, ""))
            except Wrong as wrong:
                pipe.send((account.counts, str(wrong)))
            except Exception:  # pylint: disable=broad-except
                pipe.send((account.counts, traceback.format_exc()))
            done = last

    def _stretch(self, operations):
        account = self.account
        end = account.counts.total() + operations
        while account.counts.total() < end:
            account.act()
            if account.rng.random() < 1 / (DARK_FOR if account.dark else DARK_EACH):
                self._set_dark(not account.dark)

    def _set_dark(self, dark):
        """The key is taken away or given back, and the gateway told to ask for it."""
        if dark != self.account.dark:
            self.vault.enable_key(self.account.name, not dark)
            self.gateway.ctl("key", "check", self.account.name)
            self.account.dark = dark


def walk(gateway, walkers, arguments):
    counts = collections.Counter()
    for stretch in range(STRETCHES):
        last = stretch == STRETCHES - 1
        share = arguments.operations // len(walkers) // STRETCHES
        for walker in walkers:
            walker.begin(gateway.port, gateway.management, share, last)
        ends = [walker.finish() for walker in walkers]
        wrong = [reason for _, reason in ends if reason]
        if wrong:
            gateway.check_alive()
            raise SystemExit("\n".join(wrong) + f"\n--operations {arguments.operations} --clients "
                             f"{arguments.clients} --seed {arguments.seed} does it again")
        counts = sum((count for count, _ in ends), collections.Counter())
        if not last:
            if stretch % 2 == 1:
                gateway.kill()
                gateway.start()
            else:
                gateway.restart()
    return counts


def settle(gateway):
    """What was replaced is removed; then nothing is too much, and nothing is missing."""
    audit = Audit(gateway)
    audit.wait_for_removal()
    done = gateway.ctl("scrub", "--verify", "--older-than", "1s", "--json")
    if done.returncode != 0:
        raise SystemExit(f"scrub: {done.stdout}{done.stderr}")
    audit.check()
    audit.close()


def run(directory, arguments):
    vault = Vault(directory / "vault")
    gateway = Gateway(directory / "gateway", index_shards=3, vault=vault)
    gateway.removal_delay_s = 0
    try:
        gateway.start()
        walkers = [Walker(number, gateway, vault, arguments) for number in range(arguments.clients)]
        begun = time.monotonic()
        counts = walk(gateway, walkers, arguments)
        seconds = time.monotonic() - begun
        settle(gateway)
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.stop()
        vault.stop()
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    print(f"{counts.total()} operations, {counts.total() / seconds:.0f} a second, seed {arguments.seed}: as the model "
          "has it")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=100000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    with tempfile.TemporaryDirectory(prefix="gatekey-walk-") as directory:
        run(pathlib.Path(directory), parser.parse_args())


if __name__ == "__main__":
    main()
