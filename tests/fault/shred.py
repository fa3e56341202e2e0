#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A shredding that breaks off anywhere is whole when it is asked for again: the gateway is killed while it
shreds an account with a scope, at another moment each time, and started again. Then no wrap is left in the store, the
evidence has all of them, the audit has that evidence, and no backup is taken.

usage: shred.py [--rounds N]
"""
import argparse
import base64
import hashlib
import json
import os
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from audit import Leak  # noqa: E402
from open_store import META, OpenStore  # noqa: E402

RECORD = "gatekey.account"
SHRED_S = 0.01  # about what it takes, from the note on


def wraps_of(store, name):
    """The hashes of an object's wraps."""
    record = json.loads(store.attributes(name)[RECORD].partition(b"\n")[2])
    values = [wrap["value"] for generation in record["generations"] for wrap in generation["wraps"]]
    return {hashlib.sha256(base64.urlsafe_b64decode(value + "==")).hexdigest() for value in values}


class Shredding:
    def __init__(self, gateway, audit_file):
        self.gateway, self.audit_file = gateway, audit_file
        self.rng = random.Random(1)
        self.store = None

    def ctl(self, *arguments):
        done = self.gateway.ctl(*arguments)
        if done.returncode != 0:
            raise Leak(f"gatekeyctl {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def make(self, name):
        """An account with a scope and a blob in each; its backup, and the hashes of all wraps."""
        client = Client(self.gateway.port, name, account_sas(name, self.gateway.create_account(name)))
        self.ctl("scope", "create", f"{name}/within")
        self.ctl("account", "new-root-key", name)
        client.create_container("kept")
        client.put("kept/blob", b"secret")
        backup = self.gateway.directory / f"{name}.backup"
        self.ctl("account", "export", name, "--out", backup)
        return backup, wraps_of(self.store, f"account/{name}") | wraps_of(self.store, f"scope/{name}/within")

    def shred(self, name):
        return json.loads(self.ctl("account", "shred", name, "--confirm", name, "--json"))

    def check(self, name, backup, wraps):
        """Asked for again it is whole, whatever was done before."""
        evidence = self.shred(name)
        if "verified" not in evidence or {wrap["sha256"] for wrap in evidence["wraps"]} != wraps:
            raise Leak(f"{name}: the evidence is not what was destroyed: {evidence}")
        if self.shred(name) != evidence:
            raise Leak(f"{name}: the evidence is another one the next time")
        left = {f"account/{name}", f"scope/{name}/within"} & set(self.store.names(META, ""))
        if left:
            raise Leak(f"{name} is shredded, and {left} is there")
        told = [json.loads(line) for line in self.audit_file.read_text().splitlines()]
        hashes = {event["detail"][-64:] for event in told
                  if event["event"] == "account.shred.wrap" and event["account"].startswith(name)}
        whole = [event for event in told if event["event"] == "account.shred" and event["account"] == name]
        if hashes != wraps or not whole or whole[-1]["outcome"] != "ok":
            raise Leak(f"{name}: the audit has {hashes} and {whole}")
        restored = self.gateway.ctl("account", "restore", name, "--in", backup)
        if restored.returncode != 1 or "(AccountShredded)" not in restored.stderr:
            raise Leak(f"{name}: a backup is not refused: {restored.stdout}{restored.stderr}")

    def noted(self):
        """Whose shredding has begun: names."""
        rows = self.store.map("shredded", b"")
        return {json.loads(row)["account"] for key, row in rows.items() if b"/" not in key}

    def killed(self, name, wait_s):
        """So long after it was noted what is to be destroyed."""
        made = self.make(name)
        shredding = self.gateway.begin_ctl("account", "shred", name, "--confirm", name)
        while name not in self.noted():
            pass
        time.sleep(wait_s)
        self.gateway.kill()
        shredding.communicate()
        self.gateway.start()
        self.check(name, *made)

    def run(self, rounds):
        self.gateway.start()
        self.store = OpenStore(self.gateway.state)
        self.check("unbroken", *self.make("unbroken"))
        for i in range(rounds):
            self.killed(f"round{i}", self.rng.uniform(0, SHRED_S))
        self.ctl("audit", "verify", self.audit_file)
        if self.gateway.stop() != 0:
            raise Leak("the gateway does not end well")
        print(f"{rounds} times killed while it shredded, and whole each time")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatekey-shred.") as directory:
        place = os.path.join(directory, "gateway")
        audit_file = pathlib.Path(place, "audit.log")
        gateway = Gateway(place, store=f'state_dir = "{place}/state"; audit_file = "{audit_file}";')
        try:
            Shredding(gateway, audit_file).run(arguments.rounds)
        except Leak as leak:
            print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
            sys.exit(f"shred.py: {leak}")
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.kill()


if __name__ == "__main__":
    main()
