#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random walks through what can be done to blobs, each answer compared with a simple model: byte by byte, and
property by property. Several clients walk at once, each in an account of its own under a customer's key of its
own, half of them with versions. Meanwhile keys are taken away and given back, and between two stretches of the
walk the gateway ends, or is killed. In the end the scrub finds nothing, and the store holds what the models'
blobs refer to: nothing too much, nothing too little.

usage: walk.py [--operations N] [--clients N] [--seed N] [--reencrypt]

With --reencrypt the data of one account after the other are encrypted anew, again and again, and the gateway ends and
is killed in the middle of that; on RADOS another gateway does it, which ends as well. What was left in the middle comes
to be due with each start. In the end all is encrypted anew once more, and compared again.

An operation is a request whose answer is compared. A walk that went wrong tells its seed: the same seed with the
same number of operations and clients does the same again.
"""
import argparse
import collections
import json
import multiprocessing
import pathlib
import random
import sys
import tempfile
import threading
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from gateway_process import Gateway, ON_RADOS  # noqa: E402
from vault_process import Vault  # noqa: E402
from audit import Audit  # noqa: E402
from random_operations import Account  # noqa: E402
from reference import Wrong  # noqa: E402

STRETCHES = 6
DARK_EACH, DARK_FOR = 1500, 40  # operations from one revocation to the next, and until it ends
REST_S = 20  # of what was replaced, for those who read it, when a blob that they read may be encrypted anew
HELD_MS = 11 * 60 * 1000  # what was written and comes to be named by nobody is due then


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
        self.account = Account(name, key, rng, versioned, arguments.reencrypt)
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
        while True:
            port, management, operations, compares = pipe.recv()
            account.connect(port)
            self.gateway.management = management
            try:
                if not account.counts:
                    account.begin()
                self._stretch(operations)
                if compares:
                    self._set_dark(False)
                    account.compare_all()
                pipe.send((account.counts, ""))
            except Wrong as wrong:
                pipe.send((account.counts, str(wrong)))
            except Exception:  # pylint: disable=broad-except
                pipe.send((account.counts, traceback.format_exc()))

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


class Reencryptions:
    """Of all accounts, one after the other and again and again, by a gateway that is there for them."""

    def __init__(self, gateway, accounts):
        self.gateway, self.accounts = gateway, accounts
        self.records, self.interrupted = 0, 0
        self.wrong = []
        self.running, self.thread = False, None

    def begin(self):
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def leave(self):
        """None begins any more; the one that is under way has its end in the gateway's."""
        self.running = False

    def finish(self):
        self.thread.join()

    def _run(self):
        while self.running:
            for account in self.accounts:
                if self.running:
                    self.reencrypt(account)

    def reencrypt(self, account):
        done = self.gateway.ctl("account", "reencrypt", account, "--json")
        if not done.stdout.startswith("{"):
            self.interrupted += 1
            return None
        state = json.loads(done.stdout)
        self.records += state["counts"]["reencrypted"]
        if state["counts"]["damaged"] != 0:
            self.wrong.append(f"a re-encryption of {account} finds damage: {state}")
        return state

    def last(self):
        """With nobody there, and the keys as well."""
        for account in self.accounts:
            state = self.reencrypt(account)
            if state is None or state["status"] != "done" or state["counts"]["changing"] != 0:
                self.wrong.append(f"the last re-encryption of {account} comes to {state}")


def check(ends, gateways, arguments):
    """The counts of all walkers. Ends the test if one went wrong."""
    wrong = [reason for _, reason in ends if reason]
    if wrong:
        for gateway in gateways:
            gateway.check_alive()
        raise SystemExit("\n".join(wrong) + f"\n--operations {arguments.operations} --clients "
                         f"{arguments.clients} --seed {arguments.seed}"
                         f"{' --reencrypt' if arguments.reencrypt else ''} does it again")
    return sum((count for count, _ in ends), collections.Counter())


def stretch_of(walkers, gateway, operations, compares):
    for walker in walkers:
        walker.begin(gateway.port, gateway.management, operations, compares)
    return [walker.finish() for walker in walkers]


def start_again(gateways, killed):
    for gateway in gateways:
        if killed:
            gateway.kill()
        elif gateway.stop() != 0:
            raise SystemExit(f"the gateway ended badly; see {gateway.log_file}")
    if gateways[0].clock_file:
        gateways[0].move_clock(gateways[0].clock_offset_ms + HELD_MS)
    for gateway in gateways:
        gateway.start()


def walk(gateways, walkers, reencryptions, arguments):
    counts = collections.Counter()
    for stretch in range(STRETCHES):
        last = stretch == STRETCHES - 1
        share = arguments.operations // len(walkers) // STRETCHES
        if reencryptions:
            reencryptions.begin()
        counts = check(stretch_of(walkers, gateways[0], share, last), gateways, arguments)
        if reencryptions:
            reencryptions.leave()
        if not last:
            start_again(gateways, stretch % 2 == 1)
        if reencryptions:
            reencryptions.finish()
    return counts


def end_reencryptions(gateways, walkers, reencryptions, arguments):
    """What is there is the same as before the last ones, and what others have left is due."""
    start_again(gateways, True)
    reencryptions.last()
    check(stretch_of(walkers, gateways[0], 0, True), gateways, arguments)
    if reencryptions.wrong or reencryptions.records == 0:
        raise SystemExit(f"{reencryptions.records} records were encrypted anew\n" + "\n".join(reencryptions.wrong[:9]))
    for gateway in gateways:
        gateway.removal_delay_s = 0
    start_again(gateways, False)


def settle(gateway):
    """What was replaced is removed; then nothing is too much, and nothing is missing."""
    audit = Audit(gateway)
    audit.wait_for_removal()
    done = gateway.ctl("scrub", "--verify", "--older-than", "1s", "--json")
    if done.returncode != 0:
        raise SystemExit(f"scrub: {done.stdout}{done.stderr}")
    audit.check()
    audit.close()


def gateways_of(directory, vault, reencrypts):
    gateways = [Gateway(directory / "gateway", index_shards=3, vault=vault)]
    if reencrypts and ON_RADOS:
        gateways.append(Gateway(directory / "other", index_shards=3, vault=vault, beside=gateways[0]))
    for gateway in gateways:
        gateway.removal_delay_s = REST_S if reencrypts else 0
        gateway.clock_file = directory / "clock" if reencrypts else None
    if reencrypts:
        gateways[0].move_clock(0)
    return gateways


def run(directory, arguments):
    vault = Vault(directory / "vault")
    gateways = gateways_of(directory, vault, arguments.reencrypt)
    try:
        for gateway in gateways:
            gateway.start()
        walkers = [Walker(number, gateways[0], vault, arguments) for number in range(arguments.clients)]
        reencryptions = Reencryptions(gateways[-1], [walker.account.name for walker in walkers]) \
            if arguments.reencrypt else None
        begun = time.monotonic()
        counts = walk(gateways, walkers, reencryptions, arguments)
        seconds = time.monotonic() - begun
        if reencryptions:
            end_reencryptions(gateways, walkers, reencryptions, arguments)
        settle(gateways[0])
    finally:
        for gateway in gateways:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.stop()
        vault.stop()
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    if reencryptions:
        print(f"{reencryptions.records} records were encrypted anew, and {reencryptions.interrupted} runs interrupted")
    print(f"{counts.total()} operations, {counts.total() / seconds:.0f} a second, seed {arguments.seed}: as the model "
          "has it")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=100000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--reencrypt", action="store_true")
    with tempfile.TemporaryDirectory(prefix="gatekey-walk-") as directory:
        run(pathlib.Path(directory), parser.parse_args())


if __name__ == "__main__":
    main()
