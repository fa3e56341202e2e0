#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gatekeyctl scrub against a store in which things are wrong: data and indexes that nothing refers to,
records and chunks that are not what was written, accounts that the registry has lost. It finds them all,
removes what it may, and touches nothing else; also when it is stopped and goes on, when its gateway is
killed, and while clients write.

usage: scrub.py [--blobs N] [--seconds N]
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from audit import Audit, Leak  # noqa: E402
from open_store import DATA, META, read_store  # noqa: E402

ACCOUNT = "scrubbed"
DONE, DAMAGED, UNREFERENCED, STOPPED = 0, 5, 6, 7
LONG_S = 3600
WAIT_S = 120


def good(answer):
    if answer.status >= 300:
        raise Leak(f"{answer.status} {answer.code}")
    return answer


def hex_id(rng):
    return rng.randbytes(16).hex()


class Scrub:
    def __init__(self, gateway, arguments):
        self.gateway, self.arguments = gateway, arguments
        self.rng = random.Random(5)
        gateway.removal_delay_s = 0
        gateway.start()
        self.key = gateway.create_account(ACCOUNT)
        self.audit = Audit(gateway)
        self.store = self.audit.store

    def client(self):
        return Client(self.gateway.port, ACCOUNT, account_sas(ACCOUNT, self.key))

    def scrub(self, *options, code):
        """The report of one that ran to its end, which must be code."""
        done = self.gateway.ctl("scrub", *options, "--json")
        if done.returncode != code:
            raise Leak(f"scrub {options} ended with {done.returncode}, not {code}: {done.stdout}"
                       f"{done.stderr}")
        return json.loads(done.stdout) if done.stdout else None

    def counts(self, report, **wanted):
        found = {name: report["counts"][name] for name in wanted}
        if found != wanted:
            raise Leak(f"{wanted} expected: {json.dumps(report, indent=1)}")

    # --- what is wrong -----------------------------------------------------------------------------

    def account(self):
        return read_store.Account(self.store, self.audit.service_key, ACCOUNT, [])

    def objects_of(self, container, name):
        account = self.account()
        record = account.container(container)
        blob = account.blobs(record)[name]
        for segment, length, _, apart in account.entries(record, name, blob["manifest"]):
            if apart:
                continue
            for number in range(-(-length // (64 * 65536))):
                yield f"{record['id'].hex()}/{segment.hex()}/{number}"

    def plant_object(self, pool, name, content=b"orphan"):
        with self.store.tampering() as change:
            self.store.database.execute(
                "INSERT INTO object (pool, name, version, size, bytes) VALUES (?, ?, 1, ?, ?)",
                (pool, name.encode(), len(content), content if pool == DATA else None))
            change.publish()
            change.undo.clear()

    def change_map(self, name, key, value):
        with self.store.tampering() as change:
            change.set_map(name, key, value)
            change.publish()
            change.undo.clear()

    def flip(self, name):
        """Another byte in the middle of a data object."""
        content = bytearray(self.store.read(name))
        content[len(content) // 2] ^= 1
        with self.store.tampering() as change:
            change.set_bytes(name, bytes(content))
            change.publish()
            change.undo.clear()

    # --- the cases ---------------------------------------------------------------------------------

    def fill(self):
        client = self.client()
        for container in ("first", "second"):
            good(client.create_container(container))
            for number in range(self.arguments.blobs):
                good(client.put(f"{container}/{number:05}", self.rng.randbytes(number % 7 * 9000),
                                {"mark": "x"}))
            good(client.put(f"{container}/beside", self.rng.randbytes(500), {"mark": "x"}))
        path = "first/paged"
        names = [b"%06d" % number for number in range(70)]
        for name in names:
            good(client.put_block(path, name, self.rng.randbytes(700)))
        good(client.put_block_list(path, names, {"mark": "x"}))
        good(client.put_block("first/staged", b"000001", self.rng.randbytes(30000)))
        good(client.put("first/large", self.rng.randbytes(5 << 20)))
        client.close()
        self.audit.wait_for_removal()
        self.datas = set(self.store.names(DATA, ""))
        self.metas = set(self.store.names(META, "")) | {"scrub"}

    def untouched(self, what):
        if set(self.store.names(DATA, "")) != self.datas:
            raise Leak(f"{what}: other data objects than before")
        if set(self.store.names(META, "")) | {"scrub"} != self.metas:
            raise Leak(f"{what}: other objects than before")
        self.audit.check()
        print(f"as it should be: {what}", flush=True)

    def clean(self):
        report = self.scrub("--verify", code=DONE)
        blobs = 2 * self.arguments.blobs + 5
        self.counts(report, accounts=1, containers=2, blobs=blobs, verifiedBlobs=blobs, damaged=0,
                    unreferencedObjects=0, undecidedObjects=0, foreignObjects=0, relisted=0,
                    referencedObjects=len(self.datas))
        if report["counts"]["verifiedBytes"] < 5 << 20:
            raise Leak("not all was read")
        self.untouched("a store without faults")

    def orphans(self):
        container = next(iter(self.datas)).split("/")[0]
        planted = [f"{container}/{hex_id(self.rng)}/{number}" for number in range(3)] + \
            [f"{hex_id(self.rng)}/{hex_id(self.rng)}/0" for _ in range(600)]
        for name in planted:
            self.plant_object(DATA, name)
        index = f"index/{hex_id(self.rng)}/0"
        self.plant_object(META, index)
        self.plant_object(DATA, "somebody's own")
        report = self.scrub(code=UNREFERENCED)
        self.counts(report, unreferencedObjects=len(planted) + 1, removedObjects=0, foreignObjects=1,
                    unreferencedBytes=6 * len(planted))
        if not set(planted) <= set(self.store.names(DATA, "")):
            raise Leak("a report removes")
        report = self.scrub("--remove", "--older-than", "0", "--yes", code=DONE)
        self.counts(report, unreferencedObjects=len(planted) + 1, removedObjects=len(planted) + 1)
        self.store.database.execute("DELETE FROM object WHERE name = ?", (b"somebody's own",))
        self.untouched("what nothing refers to is found and removed")

    def unlisted(self):
        self.change_map("registry", b"a/" + ACCOUNT.encode(), None)
        report = self.scrub("--remove", "--older-than", "0", "--yes", code=DONE)
        self.counts(report, accounts=1, relisted=1, removedObjects=0)
        self.untouched("an account that the registry has lost")

    def damaged(self):
        client = self.client()
        index = read_store.index_of(self.account().container("second"), "00003")
        large = next(iter(self.objects_of("first", "large")))
        rows = self.store.map(index, b"b/00003")
        (key, value), = rows.items()
        lost = set(self.objects_of("second", "00003"))
        self.flip(large)
        beside = read_store.index_of(self.account().container("first"), "beside"), b"d/beside"
        chunk = self.store.map_value(*beside)
        self.change_map(*beside, chunk[:-1] + bytes([chunk[-1] ^ 1]))
        self.change_map(index, key, value[:-1] + bytes([value[-1] ^ 1]))
        report = self.scrub("--remove", "--older-than", "0", "--yes", code=DAMAGED)
        self.counts(report, damaged=1, removedObjects=0, undecidedObjects=len(lost))
        report = self.scrub("--verify", code=DAMAGED)
        self.counts(report, damaged=3)
        names = {(finding["container"], finding["blob"]) for finding in report["damaged"]}
        if names != {("second", "00003"), ("first", "large"), ("first", "beside")}:
            raise Leak(f"damaged: {report['damaged']}")
        self.flip(large)
        self.change_map(*beside, None)
        report = self.scrub("--verify", code=DAMAGED)
        self.counts(report, damaged=2)
        self.change_map(*beside, chunk)
        self.remove_damaged(client, lost)
        client.close()

    def remove_damaged(self, client, lost):
        if client.delete("second/00003").status < 400:
            raise Leak("a damaged record can be deleted after all")
        index = read_store.index_of(self.account().container("second"), "beside")
        self.change_map(index, b"b/beside", b"damaged")
        for name, code in (("second/beside", 0), ("second/00004", 1), ("second/none", 1), ("second/00003", 0),
                           ("second/00003", 1)):
            done = self.gateway.ctl("scrub", "--remove-damaged", f"{ACCOUNT}/{name}", "--yes")
            if done.returncode != code:
                raise Leak(f"--remove-damaged {name}: {done.returncode} {done.stderr}")
        report = self.scrub("--remove", "--older-than", "0", "--yes", code=DONE)
        self.counts(report, damaged=0, removedObjects=len(lost))
        self.datas -= lost
        self.untouched("damaged records and chunks")

    def state(self):
        done = self.gateway.ctl("scrub", "--status", "--json")
        return json.loads(done.stdout)

    def wait_for(self, what, ready):
        deadline = time.monotonic() + WAIT_S
        while not ready(state := self.state()):
            if time.monotonic() > deadline:
                raise Leak(f"{what}: {state}")
            time.sleep(0.05)
        return state

    def stopped(self):
        """Stopped in the middle of verifying, then its gateway is killed, and it goes on after each."""
        blobs = 2 * self.arguments.blobs + 3
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.scrub, "--verify", "--rate", "40", code=STOPPED)
            self.wait_for("it verifies", lambda state: state["counts"]["verifiedBlobs"] > 3)
            began = time.monotonic()
            if self.gateway.ctl("scrub", "--stop").returncode != 0:
                raise Leak("it cannot be stopped")
            running.result()
            if time.monotonic() - began > 10:
                raise Leak("it does not stop")
            if self.gateway.ctl("scrub").returncode not in (DONE, STOPPED):
                raise Leak("another one cannot be begun")
            running = pool.submit(self.scrub, "--verify", "--rate", "40", code=STOPPED)
            before = self.wait_for("it verifies", lambda state: state["counts"]["verifiedBlobs"] > 3)
            self.gateway.kill()
            try:
                running.result()
            except Leak:
                pass  # gatekeyctl lost its gateway
        self.audit.close()
        self.gateway.start()
        self.audit = Audit(self.gateway)
        self.store = self.audit.store
        state = self.state()
        if state["status"] != "interrupted" or state["id"] != before["id"]:
            raise Leak(f"after a kill: {state}")
        report = self.scrub("--resume", code=DONE)
        if report["id"] != before["id"]:
            raise Leak("another scrub went on")
        self.counts(report, verifiedBlobs=blobs, damaged=0, unreferencedObjects=0)
        self.scrub("--resume", code=1)
        self.untouched("stopped and resumed")

    def loaded(self):
        """Clients write, delete and commit blocks; nothing is wrong, and nothing that is in use goes."""
        stop = threading.Event()

        def write(number):
            rng = random.Random(number)
            client = self.client()
            content = {}
            while not stop.is_set():
                name = f"second/load-{number}-{rng.randrange(8)}"
                body = rng.randbytes(rng.choice((10, 20000, 90000)))
                if rng.random() < 0.3 and content.get(name) is not None:
                    good(client.delete(name))
                    content[name] = None
                elif rng.random() < 0.4:
                    names = [b"%04d" % at for at in range(rng.choice((2, 70)))]
                    for at, block in enumerate(names):
                        good(client.put_block(name, block, body[at * 10:at * 10 + 10] or b"-"))
                    good(client.put_block_list(name, names, {}))
                    content[name] = b"".join(body[at * 10:at * 10 + 10] or b"-"
                                             for at in range(len(names)))
                else:
                    good(client.put(name, body))
                    content[name] = body
            for name, body in content.items():
                if body is not None and client.get(name).body != body:
                    raise Leak(f"{name} is not what was written")
            client.close()

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            running = [pool.submit(write, number) for number in range(6)]
            end = time.monotonic() + self.arguments.seconds
            runs = 0
            try:
                while time.monotonic() < end:
                    report = self.scrub("--verify", "--remove", "--older-than", "0", "--yes", code=DONE)
                    self.counts(report, damaged=0, unreferencedObjects=0)
                    runs += 1
            finally:
                stop.set()
            for load in running:
                load.result()
        self.audit.wait_for_removal()
        self.audit.check()
        print(f"as it should be: {runs} scrubs under load", flush=True)

    def run(self):
        self.fill()
        self.clean()
        self.orphans()
        self.unlisted()
        self.damaged()
        self.stopped()
        self.loaded()
        if self.gateway.stop() != 0:
            raise Leak("the gateway does not end well")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blobs", type=int, default=60)
    parser.add_argument("--seconds", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatekey-scrub.") as directory:
        gateway = Gateway(os.path.join(directory, "gateway"), index_shards=5)
        try:
            Scrub(gateway, arguments).run()
        except Leak as leak:
            print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
            sys.exit(f"scrub.py: {leak}")
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.kill()


if __name__ == "__main__":
    main()
