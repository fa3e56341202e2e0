#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tampers with accounts: the root-key record, the profile with the access keys, and what goes with them.

usage: tamper_accounts.py [--passes N] [--seed N]

Every byte of an account's gatekey.account and gateway.account is changed in turn, both are cut, swapped,
emptied and dropped, and root keys are planted by one who writes to the store and has no service key.
Nothing is read and nothing is written under any of it. A gateway keeps an account that it has opened,
so accounts are changed before it opens them; one that cannot be opened is looked at again each time.
"""
import argparse
import collections
import os
import pathlib
import random
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from open_store import OpenStore, read_store  # noqa: E402

fmt = read_store.fmt
RECORD, PREVIOUS, PROFILE = "gatekey.account", "gatekey.account.previous", "gateway.account"
CHECK = "gatekey.version-check"
ACCOUNTS = ["record", "profile", "both", "planted", "aside", "control"]
CONTENT = b"what was stored before " * 100


class Wrong(Exception):
    """The gateway did what it must not."""


class World:
    def __init__(self, gateway):
        self.gateway = gateway
        self.keys = {name: gateway.create_account(name) for name in ACCOUNTS}
        for name in ACCOUNTS:
            client = self.client(name)
            assert client.create_container("kept").status == 201
            assert client.put("kept/blob", CONTENT, {"mark": "right"}).status == 201
            client.close()
        gateway.stop()  # which also forgets every account
        self.store = OpenStore(gateway.state)
        self.service_key = fmt.read_service_key(gateway.service_key_file.read_text())
        self.good = {name: self.store.attributes(f"account/{name}") for name in ACCOUNTS}
        self.rows = self.count_rows()
        self.counts = collections.Counter()

    def client(self, name):
        return Client(self.gateway.port, name, account_sas(name, self.keys[name]))

    def count_rows(self):
        return [self.store.rows(f"SELECT count(*) FROM {table}")[0][0]
                for table in ("object", "map", "extent")]

    def set(self, account, attribute, value):
        """For good, until it is set again: in between the gateway must not see what is right."""
        with self.store.tampering() as change:
            change.set_attribute(f"account/{account}", attribute, value)
            change.publish()
            change.undo.clear()

    def put_back(self, account):
        for attribute in (RECORD, PREVIOUS, PROFILE, CHECK):
            self.set(account, attribute, self.good[account].get(attribute))

    def start(self):
        self.gateway.start()
        self.clients = {name: self.client(name) for name in ACCOUNTS}

    def restart(self):
        for client in self.clients.values():
            client.close()
        self.gateway.stop()
        self.start()

    # --- what must follow --------------------------------------------------------------------------

    def refused(self, kind, account, number=None):
        """All reads and writes are, or with a number one of them."""
        client = self.clients[account]
        steps = [lambda: client.get("kept/blob"), lambda: client.put("kept/new", b"new"),
                 lambda: client.list_blobs("kept"), lambda: client.create_container("new"),
                 lambda: client.delete("kept/blob"), client.list_containers]
        for step in steps if number is None else [steps[number % len(steps)]]:
            answer = step()
            if answer.status < 300 or answer.code != "IntegrityCheckFailed" or CONTENT[:16] in answer.body:
                raise Wrong(f"{kind}: account {account}: {answer.status} {answer.code}")
            self.counts[kind] += 1

    def works(self, account):
        answer = self.clients[account].get("kept/blob")
        if answer.status != 200 or answer.body != CONTENT or answer.metadata != {"mark": "right"}:
            raise Wrong(f"account {account} does not work: {answer.status} {answer.code}")

    def nothing_was_written(self):
        rows = self.count_rows()
        if rows != self.rows:
            raise Wrong(f"something was written: {self.rows} rows have become {rows}")


# --- bytes -----------------------------------------------------------------------------------------


def every_byte(world, rng, account, attribute):
    good = world.good[account][attribute]
    for at, old in enumerate(good):
        fresh = old ^ 1 << rng.randrange(8) if rng.random() < 0.5 else (old + 1 + rng.randrange(255)) % 256
        world.set(account, attribute, good[:at] + bytes([fresh]) + good[at + 1:])
        world.refused(f"{attribute}: a byte changed", account, at)


def other_lengths(world, rng, account, attribute):
    good = world.good[account][attribute]
    for number in range(60):
        world.set(account, attribute, good[:rng.randrange(len(good))])
        world.refused(f"{attribute}: cut", account, number)
    for number, more in enumerate((b"\0", b"\n", b" ", good, os.urandom(70000), b"{}")):
        world.set(account, attribute, good + more)
        world.refused(f"{attribute}: extended", account, number)
    world.set(account, attribute, b"")
    world.refused(f"{attribute}: emptied", account)
    # An account that has lost one of the two is there: what remains of it tells.
    world.set(account, attribute, None)
    world.refused(f"{attribute}: dropped", account)


def swapped(world, account, other, attribute):
    world.set(account, attribute, world.good[other][attribute])
    world.refused(f"{attribute}: another account's", account)


def without_effect(world, rng, account):
    """What nobody reads, or believes."""
    for value in (b"", b"\xff" * 70000, rng.randbytes(500), world.good["record"][RECORD]):
        world.set(account, PREVIOUS, value)
        world.set(account, CHECK, value[:40])
    world.restart()
    world.works(account)


# --- planted root keys -----------------------------------------------------------------------------


def planted_records(world, account):
    """Records of an attacker's own root key, as good as they can be made without the service key."""
    record = fmt.read_account_record(world.service_key, account, world.good[account][RECORD])
    account_id = bytes.fromhex(record["id"].replace("-", ""))
    own_service_key, root_key = os.urandom(32), os.urandom(32)
    generation = record["generations"][-1]
    generation["commitment"] = fmt.b64url(
        fmt.root_commitment(root_key, account_id, generation["generation"]))
    generation["wraps"][0]["value"] = fmt.b64url(
        fmt.wrap_root_key(own_service_key, account_id, generation["generation"], root_key))
    record["sequence"] += 1
    good = world.good[account][RECORD]
    forged = fmt.write_account_record(own_service_key, record)
    yield "under another service key", forged
    yield "with the MAC that stood there", good[:91] + forged[91:]
    yield "with a MAC of zeros", forged[:26] + b"0" * 64 + forged[90:]
    yield "with a MAC under an empty key", fmt.write_account_record(bytes(32), record)
    yield "without a MAC", forged[91:]
    generation["wraps"][0]["keyId"] = f"service-key/{fmt.service_key_id(own_service_key)}"
    yield "naming another service key", fmt.write_account_record(own_service_key, record)


def planted_by_the_operator(world, account):
    """What the attack would be, by the one who has the service key: it shows that the records above are
    refused for their MAC and for nothing else."""
    record = fmt.read_account_record(world.service_key, account, world.good[account][RECORD])
    account_id = bytes.fromhex(record["id"].replace("-", ""))
    root_key = os.urandom(32)
    generation = record["generations"][-1]
    generation["commitment"] = fmt.b64url(
        fmt.root_commitment(root_key, account_id, generation["generation"]))
    generation["wraps"][0]["value"] = fmt.b64url(
        fmt.wrap_root_key(world.service_key, account_id, generation["generation"], root_key))
    record["sequence"] += 1
    return fmt.write_account_record(world.service_key, record)


def plant(world):
    for kind, forged in planted_records(world, "planted"):
        world.set("planted", RECORD, forged)
        world.refused(f"root key planted {kind}", "planted")
    world.nothing_was_written()
    world.put_back("planted")
    world.works("planted")
    world.set("control", RECORD, planted_by_the_operator(world, "control"))
    client = world.clients["control"]
    if client.put("kept/new", b"new").status != 201 or client.get("kept/new").body != b"new":
        raise Wrong("the attack itself is not well made")
    if client.get("kept/blob").code != "IntegrityCheckFailed":
        raise Wrong("a blob opens under another root key")


# --- the program -----------------------------------------------------------------------------------


def tamper(world, rng, passes):
    for account in ("record", "profile", "planted", "control"):
        attribute = PROFILE if account == "profile" else RECORD
        world.set(account, attribute, b"not yet")
    world.start()
    for _ in range(passes):
        every_byte(world, rng, "record", RECORD)
        every_byte(world, rng, "profile", PROFILE)
    other_lengths(world, rng, "record", RECORD)
    other_lengths(world, rng, "profile", PROFILE)
    swapped(world, "record", "aside", RECORD)
    swapped(world, "profile", "aside", PROFILE)
    world.nothing_was_written()
    for account in ("record", "profile"):
        world.put_back(account)
        world.works(account)
    plant(world)
    without_effect(world, rng, "both")


def run(arguments, directory):
    rng = random.Random(arguments.seed)
    print(f"seed {arguments.seed}", flush=True)
    gateway = Gateway(directory, index_shards=3)
    gateway.start()
    try:
        world = World(gateway)
        tamper(world, rng, arguments.passes)
        gateway.check_alive()
        if gateway.stop() != 0:
            raise Wrong("the gateway does not end well")
    except Wrong as wrong:
        print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
        sys.exit(f"tamper_accounts.py: seed {arguments.seed}: {wrong}")
    finally:
        if gateway.process.poll() is None:
            gateway.kill()
    for kind, count in world.counts.items():
        print(f"{kind:<50} {count:>6} refused")
    print(f"{'all':<50} {sum(world.counts.values()):>6} refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    with tempfile.TemporaryDirectory(prefix="gatekey-accounts.") as directory:
        run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    main()
