#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Blobs and what they were against a model: random puts, block lists, snapshots, deletes and undeletes of a
few blobs, each answer compared with what a simple model says; the account begins and ends to keep what is
deleted, and the gateway is restarted, in between. In the end the store holds exactly what the model's blobs
refer to: no data too much, none too little.

usage: history.py [--operations N] [--seed N]
"""
import argparse
import pathlib
import random
import re
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client, meta  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from audit import Audit  # noqa: E402

ACCOUNT, CONTAINER = "history", "blobs"
NAMES = ["a", "a!", "b", "dir/b", "ü"]
SIZES = [0, 1, 900, 4096, 4097, 65536, 70000, 200000]
BLOCKS = [b"%04d" % number for number in range(90)]
CHECK_EACH = 200


class Wrong(Exception):
    """The gateway did not do what the model says."""


def expect(answer, status, code=""):
    if answer.status != status or (code and answer.code != code):
        raise Wrong(f"{status} {code} expected, not {answer.status} {answer.code}")
    return answer


class State:
    """What a blob was at a time: its content, as blocks or whole, and its metadata."""

    def __init__(self, blocks, metadata):
        self.blocks, self.metadata = blocks, metadata

    @property
    def content(self):
        return b"".join(content for _, content in self.blocks)


class Past:
    """A snapshot, or what was overwritten; which time that was given, a listing tells."""

    def __init__(self, time, state, deleted):
        self.time, self.state, self.deleted = time, state, deleted


class Blob:
    def __init__(self):
        self.now = None  # a State
        self.deleted = False  # and kept
        self.staged = {}
        self.past = []  # in the order of their times

    @property
    def live(self):
        return None if self.deleted else self.now

    def snapshots(self):
        return [past for past in self.past if not past.deleted]

    def replace(self, state, keeping):
        if self.now and (self.deleted or keeping):
            self.past.append(Past(None, self.now, True))
        self.now, self.deleted, self.staged = state, False, {}


class Model:
    def __init__(self, gateway, rng):
        self.gateway, self.rng = gateway, rng
        self.key = gateway.create_account(ACCOUNT)
        self.blobs = {name: Blob() for name in NAMES}
        self.keeping = False
        self.connect()
        expect(self.client.create_container(CONTAINER), 201)

    def connect(self):
        self.client = Client(self.gateway.port, ACCOUNT, account_sas(ACCOUNT, self.key))

    def restart(self):
        self.client.close()
        self.gateway.restart()
        self.connect()

    def path(self, name):
        return f"{CONTAINER}/{name}"

    def metadata(self):
        return {"mark": str(self.rng.randrange(1000))} if self.rng.random() < 0.5 else {}

    # --- operations --------------------------------------------------------------------------------

    def keep(self, _name, _blob):
        """Begins or ends to keep what is deleted."""
        self.keeping = not self.keeping
        policy = "<Enabled>true</Enabled><Days>7</Days><AllowPermanentDelete>true</AllowPermanentDelete>" \
            if self.keeping else "<Enabled>false</Enabled>"
        body = f"""<?xml version="1.0"?><StorageServiceProperties><DeleteRetentionPolicy>{policy}
</DeleteRetentionPolicy></StorageServiceProperties>"""
        expect(self.client.request("PUT", "", "restype=service&comp=properties", {}, body.encode()), 202)

    def put(self, name, blob):
        content, metadata = self.rng.randbytes(self.rng.choice(SIZES)), self.metadata()
        expect(self.client.put(self.path(name), content, metadata), 201)
        blob.replace(State([(None, content)], metadata), self.keeping)

    def put_block(self, name, blob):
        block, content = self.rng.choice(BLOCKS), self.rng.randbytes(self.rng.choice(SIZES[1:]))
        expect(self.client.put_block(self.path(name), block, content), 201)
        blob.staged[block] = content

    def put_block_list(self, name, blob):
        known = {block: content for block, content in (blob.live.blocks if blob.live else [])
                 if block is not None}
        known.update(blob.staged)
        chosen = [block for block in known if self.rng.random() < 0.8]
        metadata = self.metadata()
        expect(self.client.put_block_list(self.path(name), chosen, metadata), 201)
        blob.replace(State([(block, known[block]) for block in chosen], metadata), self.keeping)

    def many_blocks(self, name, blob):
        """A list that does not fit into the record."""
        for block in BLOCKS:
            content = self.rng.randbytes(self.rng.randrange(1, 300))
            expect(self.client.put_block(self.path(name), block, content), 201)
            blob.staged[block] = content
        self.put_block_list(name, blob)

    def set_metadata(self, name, blob):
        metadata = self.metadata()
        answer = self.client.set_metadata(self.path(name), metadata)
        expect(answer, 200 if blob.live else 404)
        if blob.live:
            blob.now = State(blob.now.blocks, metadata)

    def snapshot(self, name, blob):
        metadata = self.metadata()
        answer = self.client.request("PUT", self.path(name), "comp=snapshot", meta(metadata))
        if blob.live is None:
            expect(answer, 404, "BlobNotFound")
            return
        time = expect(answer, 201).headers["x-ms-snapshot"]
        blob.past.append(Past(time, State(blob.now.blocks, metadata or blob.now.metadata), False))

    def delete(self, name, blob):
        snapshots = self.rng.choice(["", "include", "only"])
        headers = {"x-ms-delete-snapshots": snapshots} if snapshots else {}
        answer = self.client.request("DELETE", self.path(name), "", headers)
        if blob.live is None:
            expect(answer, 404, "BlobNotFound")
        elif blob.snapshots() and not snapshots:
            expect(answer, 409, "SnapshotsPresent")
        else:
            expect(answer, 202)
            for past in blob.snapshots():
                past.deleted = True
                if not self.keeping:
                    blob.past.remove(past)
            if snapshots != "only":
                blob.staged, blob.deleted = {}, self.keeping
                blob.now = blob.now if self.keeping else None

    def delete_snapshot(self, name, blob):
        if blob.snapshots():
            past = self.rng.choice(blob.snapshots())
            expect(self.client.request("DELETE", self.path(name), at(past.time)), 202)
            expect(self.client.request("DELETE", self.path(name), at(past.time)), 404)
            past.deleted = True
            if not self.keeping:
                blob.past.remove(past)

    def delete_for_good(self, name, blob):
        self.learn(name, blob)
        deleted = [past for past in blob.past if past.deleted]
        if deleted and self.keeping:
            past = self.rng.choice(deleted)
            query = f"deletetype=permanent&{at(past.time)}"
            expect(self.client.request("DELETE", self.path(name), query), 202)
            expect(self.client.request("DELETE", self.path(name), query), 404)
            blob.past.remove(past)

    def undelete(self, name, blob):
        there = blob.now is not None or blob.past
        answer = self.client.request("PUT", self.path(name), "comp=undelete")
        if there:
            expect(answer, 200)
        elif answer.status not in (200, 404):
            raise Wrong(f"undelete of nothing: {answer.status}")
        self.learn(name, blob)
        blob.deleted = False
        for past in blob.past:
            past.deleted = False

    def read(self, name, blob):
        self.compare(name, "", blob.live)
        for past in blob.snapshots()[-2:]:
            self.compare(name, at(past.time), past.state)

    # --- comparing ---------------------------------------------------------------------------------

    def compare(self, name, query, state):
        answer = self.client.request("GET", self.path(name), query)
        if state is None:
            expect(answer, 404, "BlobNotFound")
            return
        expect(answer, 200)
        if answer.body != state.content or answer.metadata != state.metadata:
            raise Wrong(f"{name} {query}: other content or metadata than what was written")

    def compare_all(self):
        for name, blob in self.blobs.items():
            self.learn(name, blob)
            self.compare(name, "", blob.live)
            for past in blob.past:
                self.compare(name, at(past.time), None if past.deleted else past.state)
        for include, deleted in (("snapshots", False), ("snapshots,deleted", True)):
            for page in (1, 3, 5000):
                found, wanted = self.listed(include, page), self.wanted(deleted)
                if found != wanted:
                    raise Wrong(f"pages of {page} with {include} list {found}, not {wanted}")

    def learn(self, name, blob):
        """The times of what was overwritten."""
        rows = [time for found, time, _ in self.listed("snapshots,deleted", 5000)
                if found == name and time]
        if len(rows) != len(blob.past) or rows != sorted(set(rows)):
            raise Wrong(f"{name} has states {rows}, not {len(blob.past)}")
        for past, time in zip(blob.past, rows):
            if past.time not in (None, time):
                raise Wrong(f"{name} has a state of {time}, not of {past.time}")
            past.time = time

    def wanted(self, deleted):
        rows = []
        for name in sorted(NAMES, key=lambda name: name.encode()):
            blob = self.blobs[name]
            rows += [(name, past.time, past.deleted) for past in blob.past]
            rows += [(name, "", blob.deleted)] if blob.now else []
        return [row for row in rows if deleted or not row[2]]

    def listed(self, include, page):
        rows, marker = [], ""
        while True:
            answer = expect(self.client.list_blobs(
                CONTAINER, f"&include={include}&maxresults={page}&marker={marker}"), 200)
            text = answer.body.decode()
            for item in re.findall(r"<Blob>(.*?)</Blob>", text, re.DOTALL):
                time = re.search(r"<Snapshot>(.*?)</Snapshot>", item)
                rows.append((re.search(r"<Name>(.*?)</Name>", item).group(1),
                             time.group(1) if time else "", "<Deleted>true</Deleted>" in item))
            found = re.search(r"<NextMarker>(.+?)</NextMarker>", text)
            if not found:
                return rows
            marker = urllib.parse.quote(found.group(1))


def at(time):
    return f"snapshot={urllib.parse.quote(time)}"


OPERATIONS = [(Model.put, 4), (Model.put_block, 6), (Model.put_block_list, 4), (Model.many_blocks, 1),
              (Model.set_metadata, 2), (Model.snapshot, 6), (Model.delete, 3),
              (Model.delete_snapshot, 4), (Model.delete_for_good, 2), (Model.undelete, 2), (Model.read, 4),
              (Model.keep, 1)]


def run(gateway, arguments):
    rng = random.Random(arguments.seed)
    gateway.removal_delay_s = 0
    gateway.start()
    model = Model(gateway, rng)
    for number in range(arguments.operations):
        operation = rng.choices([operation for operation, _ in OPERATIONS],
                                [weight for _, weight in OPERATIONS])[0]
        name = rng.choice(NAMES)
        try:
            operation(model, name, model.blobs[name])
            if number % CHECK_EACH == CHECK_EACH - 1:
                model.compare_all()
            if rng.random() < 0.004:
                model.restart()
        except Wrong as wrong:
            raise SystemExit(f"operation {number}, {operation.__name__} of {name}: {wrong}; "
                             f"--seed {arguments.seed} replays it") from wrong
    model.compare_all()
    done = gateway.ctl("scrub", "--verify", "--json")
    if done.returncode not in (0, 6):  # what waits for the reaper may look unreferenced
        raise SystemExit(f"scrub: {done.stdout}{done.stderr}")
    audit = Audit(gateway)
    audit.wait_for_removal()
    audit.check()
    audit.close()
    print(f"{arguments.operations} operations, seed {arguments.seed}: as the model has it")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatekey-history-") as directory:
        gateway = Gateway(directory)
        try:
            run(gateway, arguments)
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.stop()


if __name__ == "__main__":
    main()
