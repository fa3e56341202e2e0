#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many clients write, stage, commit, delete and read the same few blobs at once; on RADOS, through two
gateways.

usage: contend.py [--seconds N] [--clients N] [--seed N]

Every content proves itself: what is read is wholly something that somebody wrote, with the metadata
that came with it. No answer may be a 500: nothing was damaged. Last, once all that was replaced has been
removed, every blob still reads well, and nothing is left that nothing refers to.
"""
import argparse
import collections
import hashlib
import multiprocessing
import pathlib
import random
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import ON_RADOS, Gateway, account_sas  # noqa: E402
from audit import Audit, Leak  # noqa: E402

NAMES = 6
SIZES = (20, 3000, 40000, 70000, 300000)
# What an operation may be refused with. A block that was staged for a blob which has been replaced
# meanwhile must be staged again; writes of a blob take turns.
REFUSALS = {"put": (), "block": ("ServerBusy", "InvalidBlobOrBlock"), "list": ("InvalidBlockList",),
            "get": ("BlobNotFound",), "metadata": ("BlobNotFound",), "delete": ("BlobNotFound",),
            "blocks": ("BlobNotFound",), "listing": ()}
# One gateway does not know of the other's turn: whoever comes second is told to come again.
REFUSALS_OF_TWO = {"put", "list", "metadata", "delete"}


def make_part(rng):
    """Bytes that tell by themselves whether they are whole: length, random bytes, what follows of them."""
    head = struct.pack(">I", rng.choice(SIZES)) + rng.randbytes(12)
    return head + hashlib.shake_128(head).digest(struct.unpack(">I", head[:4])[0])


def check_parts(content):
    """The hash of each part. Raises when it is not a sequence of whole parts."""
    hashes = []
    while content:
        head = content[:16]
        end = 16 + struct.unpack(">I", head[:4])[0]
        if content[16:end] != hashlib.shake_128(head).digest(end - 16):
            raise ValueError(f"part {len(hashes)} of a blob is not what was written")
        hashes.append(hashlib.sha256(content[:end]).hexdigest()[:16])
        content = content[end:]
    return hashes


class Contender:
    """One client. Metadata that comes with content names its parts; metadata that is set later does
    not."""

    def __init__(self, port, sas, seed):
        self.client = Client(port, "shared", sas)
        self.rng = random.Random(seed)
        self.counts = collections.Counter()

    def judge(self, what, answer):
        self.counts[f"{what} {answer.status} {answer.code}".rstrip()] += 1
        refusals = REFUSALS[what] + (("ServerBusy",) if ON_RADOS and what in REFUSALS_OF_TWO else ())
        if answer.status >= 300 and answer.code not in refusals:
            raise ValueError(f"{what}: {answer.status} {answer.code}")
        return answer

    def put(self, path):
        part = make_part(self.rng)
        self.judge("put", self.client.put(path, part, {"parts": check_parts(part)[0]}))

    def stage_and_commit(self, path):
        blocks = {b"%08d" % self.rng.randrange(4): make_part(self.rng)
                  for _ in range(self.rng.randrange(1, 4))}
        for name, part in blocks.items():
            if self.judge("block", self.client.put_block(path, name, part)).status >= 300:
                return
        if self.rng.random() < 0.8:
            self.judge("list", self.client.put_block_list(path, list(blocks), {}))

    def read(self, path):
        answer = self.judge("get", self.client.get(path))
        if answer.status != 200:
            return
        if not answer.whole:
            raise ValueError("a download breaks off")
        parts = answer.metadata.get("parts")
        if parts not in (None, *check_parts(answer.body)):
            raise ValueError("one write's content with another's metadata")

    def set_metadata(self, path):
        self.judge("metadata", self.client.set_metadata(path, {"set": self.rng.randbytes(4).hex()}))

    def act(self):
        path = f"shared/{self.rng.randrange(NAMES)}"
        step, = self.rng.choices(
            [self.put, self.stage_and_commit, self.read, self.set_metadata,
             lambda path: self.judge("delete", self.client.delete(path)),
             lambda path: self.judge("blocks", self.client.block_list(path)),
             lambda path: self.judge("listing", self.client.list_blobs("shared"))],
            (4, 6, 8, 1, 4, 1, 1))
        step(path)


def contend(port, sas, seed, seconds, results):
    contender = Contender(port, sas, seed)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            contender.act()
        results.put((contender.counts, None))
    except Exception as error:  # pylint: disable=broad-except
        results.put((contender.counts, f"{type(error).__name__}: {error}"))


def load(gateways, sas, arguments):
    """What went wrong."""
    results = multiprocessing.Queue()
    clients = [multiprocessing.Process(target=contend, args=(
        gateways[number % len(gateways)].port, sas, arguments.seed * 1000 + number, arguments.seconds,
        results)) for number in range(arguments.clients)]
    for client in clients:
        client.start()
    outcomes = [results.get() for _ in clients]
    for client in clients:
        client.join()
    counts = sum((counts for counts, _ in outcomes), collections.Counter())
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    return [failure for _, failure in outcomes if failure]


def read_all(gateway, sas):
    contender = Contender(gateway.port, sas, 0)
    for number in range(NAMES):
        contender.read(f"shared/{number}")


def settle(gateways, sas):
    """What was replaced is removed now. What is left is whole."""
    for gateway in gateways:
        gateway.removal_delay_s = 0
        gateway.restart()
    audit = Audit(gateways[0])
    audit.wait_for_removal()
    audit.check()
    audit.close()
    for gateway in gateways:
        read_all(gateway, sas)


def run(arguments, directory):
    gateways = [Gateway(directory / "one", index_shards=3)]
    if ON_RADOS:
        gateways.append(Gateway(directory / "two", index_shards=3, beside=gateways[0]))
    try:
        for gateway in gateways:
            # Longer than any read takes: else what is read may be removed meanwhile.
            gateway.removal_delay_s = 60
            gateway.start()
        sas = account_sas("shared", gateways[0].create_account("shared"))
        Client(gateways[0].port, "shared", sas).create_container("shared")
        failures = load(gateways, sas, arguments)
        try:
            settle(gateways, sas)
        except (Leak, ValueError) as wrong:
            failures.append(str(wrong))
        for gateway in gateways:
            gateway.check_alive()
            if gateway.stop() != 0:
                failures.append("a gateway does not end well")
        if failures:
            for gateway in gateways:
                print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
            sys.exit(f"contend.py: seed {arguments.seed}: {failures}")
    finally:
        for gateway in gateways:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    with tempfile.TemporaryDirectory(prefix="gatekey-contend.") as directory:
        run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    main()
