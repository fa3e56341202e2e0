#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Re-encryption, again and again, while many clients write, copy, append to, snapshot and delete the same few
blobs and containers (share.py), and write pages, on RADOS through two gateways; gateways are killed in the middle of
it.

usage: reencrypt.py [--rounds N] [--clients N] [--seed N]

Every content proves itself, and no answer may be a 500. In the end each re-encryption comes to its end and finds no
damage, and what is left is exactly what the blobs refer to, once what was held for records that never came is given
up.
"""
import concurrent.futures
import hashlib
import json
import pathlib
import tempfile
import time

from share import ACCOUNT, CONTAINERS, NAMES, Sharer, Sharing, parser_of
from audit import Leak

LEASE_S = 60
PAGE = 512
PIECE = 4 << 20
DISK_BYTES = 2 * PIECE + 64 * PAGE
WRITE_PAGES = 24


def make_page(rng):
    """A page that tells by itself whether it is whole."""
    head = rng.randbytes(16)
    return head + hashlib.shake_128(head).digest(PAGE - len(head))


def check_pages(content):
    """Of pages that were written or cleared, in whatever order."""
    for at in range(0, len(content), PAGE):
        page = content[at:at + PAGE]
        if page != bytes(PAGE) and page[16:] != hashlib.shake_128(page[:16]).digest(PAGE - 16):
            raise ValueError(f"page {at // PAGE} is not what was written")


class DiskSharer(Sharer):
    """One that writes pages, too."""

    def steps(self):
        return super().steps() | {self.create_disk: 4, self.write_pages: 12, self.clear_pages: 2,
                                  self.snapshot_disk: 2, self.read_pages: 4, self.delete_disk: 0.5}

    def create_disk(self, path):
        self.judge("create disk", self.client.request("PUT", path + "-disk", "", {
            "x-ms-blob-type": "PageBlob", "x-ms-blob-content-length": DISK_BYTES, "if-none-match": "*"}))

    def pages(self, action):
        count = self.rng.randrange(1, WRITE_PAGES)
        first = self.rng.choice((0, PIECE, 2 * PIECE)) // PAGE + self.rng.randrange(64 - count)
        return count, {"x-ms-page-write": action,
                       "x-ms-range": f"bytes={first * PAGE}-{(first + count) * PAGE - 1}"}

    def write_pages(self, path):
        count, headers = self.pages("update")
        body = b"".join(make_page(self.rng) for _ in range(count))
        self.judge("write pages", self.client.request("PUT", path + "-disk", "comp=page", headers, body))

    def clear_pages(self, path):
        _, headers = self.pages("clear")
        self.judge("clear pages", self.client.request("PUT", path + "-disk", "comp=page", headers))

    def snapshot_disk(self, path):
        answer = self.judge("snapshot disk", self.client.request("PUT", path + "-disk", "comp=snapshot"))
        if answer.status == 201:
            self.read_disk(path, f"snapshot={answer.headers['x-ms-snapshot']}", DISK_BYTES)

    def read_pages(self, path):
        self.read_disk(path, "", 64 * PAGE)

    def read_disk(self, path, query, length):
        answer = self.judge("get disk", self.client.request("GET", path + "-disk", query,
                                                            {"x-ms-range": f"bytes=0-{length - 1}"}))
        if answer.status == 206 and answer.whole:
            check_pages(answer.body)

    def delete_disk(self, path):
        self.delete(path + "-disk")

    def read_all(self):
        super().read_all()
        for container in CONTAINERS:
            for name in range(NAMES):
                self.read_disk(f"{container}/{name}", "", DISK_BYTES)


class Reencrypting(Sharing):
    client = DiskSharer

    def __init__(self, directory, arguments):
        super().__init__(directory, arguments)
        self.reencrypted, self.running = 0, False

    def reencrypt(self, gateway, *options):
        done = gateway.ctl("account", "reencrypt", ACCOUNT, "--json", *options)
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def until_killed(self, gateway):
        """One after the other; one that another gateway has begun is waited for."""
        while self.running:
            _, state = self.reencrypt(gateway)
            if state is not None:
                self.note(state)

    def note(self, state):
        self.reencrypted += state["counts"]["reencrypted"]
        if state["counts"]["damaged"] != 0 or state["status"] == "failed":
            self.failures.append(f"a re-encryption comes to {state}")

    def round(self, number, deleting):
        self.running = True
        with concurrent.futures.ThreadPoolExecutor(len(self.gateways)) as pool:
            running = [pool.submit(self.until_killed, gateway) for gateway in self.gateways]
            super().round(number, deleting)
            self.running = False
            for loop in running:
                loop.result()

    def settle(self):
        """One that was interrupted goes on, and one that begins with nobody there leaves only what it must. Each has to
        wait until the lease of the gateway that was killed is over: it may have been killed after it told the end of
        the last one, or before it told the beginning of the next."""
        until = time.monotonic() + LEASE_S
        while self.reencrypt(self.gateways[0], "--resume")[1] is None and time.monotonic() < until:
            if self.reencrypt(self.gateways[0], "--status")[1]["status"] != "running":
                break  # there is nothing to go on with
        code, state = self.reencrypt(self.gateways[-1])
        while state is None and time.monotonic() < until:
            code, state = self.reencrypt(self.gateways[-1])
        if code != 0 or state["status"] != "done" or state["counts"]["changing"] != 0:
            raise Leak(f"a re-encryption ends with {code}, {state}")
        self.note(state)
        super().settle()


def main():
    parser = parser_of(__doc__)
    with tempfile.TemporaryDirectory(prefix="gatekey-reencrypt.") as directory:
        reencrypting = Reencrypting(pathlib.Path(directory), parser.parse_args())
        reencrypting.run_to_the_end()
    print(f"{reencrypting.reencrypted} records were encrypted anew")


if __name__ == "__main__":
    main()
