#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: of a page blob no wrong byte comes out, and no zeros where there was data, whatever somebody does
who writes to the store. Method: rows, blocks and seals are changed, dropped and exchanged behind the
gateway's back; each read of what they are of is refused, others go on, and all is right once it is undone.
"""
import argparse
import os
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from open_store import DATA, KEYS, OpenStore, read_store  # noqa: E402

ACCOUNT, CONTAINER, BLOB = "pages", "box", "disk"
PIECE = 4 << 20
PIECES = (0, 1, 5)  # of the blob, that have pages
SIZE = 8 * PIECE
WRITTEN = 3 * 4096  # from each piece's begin on
KEYS["block"] = ("object", "number")


class Wrong(Exception):
    pass


class World:
    def __init__(self, gateway, rng, later):
        """later: of a blob whose pieces are of different eras, for snapshots were made of it."""
        account = ACCOUNT + ("later" if later else "")
        key = gateway.create_account(account)
        self.rng = rng
        self.client = Client(gateway.port, account, account_sas(account, key))
        self.path = f"{CONTAINER}/{BLOB}"
        self.ok(self.client.create_container(CONTAINER))
        self.ok(self.client.request("PUT", self.path, "", {"x-ms-blob-type": "PageBlob",
                                                           "x-ms-blob-content-length": SIZE}))
        self.content = {piece: rng.randbytes(WRITTEN) for piece in PIECES}
        for piece in PIECES:
            self.write(piece, self.content[piece])
        if later:
            self.end_era(PIECES[0])
            self.end_era(PIECES[1])
        self.store = OpenStore(gateway.state)
        service_key = read_store.fmt.read_service_key(gateway.service_key_file.read_text())
        account = read_store.Account(self.store, service_key, account, [])
        container = account.container(CONTAINER)
        self.index = read_store.index_of(container, BLOB)
        (self.group,), rows = account.page_rows(container, BLOB, account.blobs(container)[BLOB])
        self.rows = {piece: key for piece, key, _, _ in rows}
        self.objects = {piece: f"{container['id'].hex()}/{object_id.hex()}/0"
                        for piece, _, object_id, _ in rows}
        self.refused = 0

    @staticmethod
    def ok(answer):
        if answer.status != 201:
            raise Wrong(f"{answer.status} {answer.code}")

    def write(self, piece, content):
        first = piece * PIECE
        self.ok(self.client.request(
            "PUT", self.path, "comp=page",
            {"x-ms-page-write": "update", "x-ms-range": f"bytes={first}-{first + len(content) - 1}"}, content))

    def end_era(self, piece):
        self.ok(self.client.request("PUT", self.path, "comp=snapshot"))
        content = self.rng.randbytes(4096)
        self.write(piece, content)
        self.content[piece] = content + self.content[piece][4096:]

    def read(self, piece):
        first = piece * PIECE
        return self.client.get(self.path, first, first + WRITTEN - 1)

    def check(self, dark):
        """Pieces in dark are refused, all others as they were."""
        for piece in PIECES:
            answer = self.read(piece)
            if piece in dark:
                if answer.status != 500:
                    raise Wrong(f"piece {piece} answers {answer.status}")
                self.refused += 1
            elif answer.status != 206 or answer.body != self.content[piece]:
                raise Wrong(f"piece {piece} is not what was written: {answer.status}")

    def attack(self, what, dark, change):
        with self.store.tampering() as tampering:
            change(tampering)
            tampering.publish()
            try:
                self.check(dark)
            except Wrong as wrong:
                raise Wrong(f"{what}: {wrong}") from wrong
        self.check(())

    # --- what is changed ---------------------------------------------------------------------------

    def flipped(self, value):
        at = self.rng.randrange(len(value))
        return value[:at] + bytes([value[at] ^ 1 << self.rng.randrange(8)]) + value[at + 1:]

    def row(self, key):
        return self.store.map_value(self.index, key)

    def block_key(self, piece, number):
        return (self.store.find(DATA, self.objects[piece])[0], number)

    def block(self, piece, number):
        return self.store.row("block", *self.block_key(piece, number))["bytes"]

    def rows_changed(self):
        for piece, key in self.rows.items():
            self.attack("a row changed", {piece},
                        lambda change, key=key: change.set_map(self.index, key, self.flipped(self.row(key))))
            self.attack("a row dropped", {piece}, lambda change, key=key: change.set_map(self.index, key, None))
            self.attack("a row cut", {piece},
                        lambda change, key=key: change.set_map(self.index, key, self.row(key)[:-1]))
        one, other = self.rng.sample(PIECES, 2)

        def swap(change):
            values = self.row(self.rows[one]), self.row(self.rows[other])
            change.set_map(self.index, self.rows[one], values[1])
            change.set_map(self.index, self.rows[other], values[0])

        self.attack("rows exchanged", {one, other}, swap)
        self.attack("the group changed", set(PIECES),
                    lambda change: change.set_map(self.index, self.group, self.flipped(self.row(self.group))))
        self.attack("the group dropped", set(PIECES),
                    lambda change: change.set_map(self.index, self.group, None))

    def blocks_changed(self):
        for piece in PIECES:
            number = self.rng.randrange(WRITTEN // 4096)
            key = self.block_key(piece, number)
            self.attack("a block changed", {piece}, lambda change, key=key: change.change_row(
                "block", key, bytes=self.flipped(self.store.row("block", *key)["bytes"])))
            self.attack("a block dropped", {piece},
                        lambda change, key=key: change.set_row("block", key, None))
            seals = self.block_key(piece, PIECE // 4096)
            value = self.store.row("block", *seals)["bytes"]
            at = 40 * number + self.rng.randrange(40)
            wrong = value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]
            self.attack("a seal changed", {piece},
                        lambda change, seals=seals, wrong=wrong: change.change_row("block", seals, bytes=wrong))
            self.attack("seals dropped", {piece},
                        lambda change, seals=seals: change.set_row("block", seals, None))
            self.attack("blocks exchanged with their seals", {piece},
                        lambda change, piece=piece: self.exchange(change, piece))
            self.attack("an object dropped", {piece}, lambda change, piece=piece: change.change_row(
                "object", (self.store.find(DATA, self.objects[piece])[0],), name=b"aside"))
        one, other = self.rng.sample(PIECES, 2)
        self.attack("objects exchanged", {one, other}, lambda change: change.swap_names(
            DATA, self.objects[one], self.objects[other]))

    def exchange(self, change, piece):
        seals = self.block_key(piece, PIECE // 4096)
        value = self.store.row("block", *seals)["bytes"]
        blocks = self.block(piece, 0), self.block(piece, 1)
        change.change_row("block", self.block_key(piece, 0), bytes=blocks[1])
        change.change_row("block", self.block_key(piece, 1), bytes=blocks[0])
        change.change_row("block", seals, bytes=value[40:80] + value[:40] + value[80:])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gatekey-pages.") as directory:
        gateway = Gateway(os.path.join(directory, "gateway"), index_shards=3)
        gateway.start()
        try:
            worlds = [World(gateway, random.Random(arguments.seed), later) for later in (False, True)]
            for _ in range(arguments.passes):
                for world in worlds:
                    world.rows_changed()
                    world.blocks_changed()
            if gateway.stop() != 0:
                raise Wrong("the gateway does not end well")
        except Wrong as wrong:
            print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
            sys.exit(f"tamper_pages.py: seed {arguments.seed}: {wrong}")
        finally:
            if gateway.process.poll() is None:
                gateway.kill()
    print(f"{sum(world.refused for world in worlds)} reads of what was changed, all refused")


if __name__ == "__main__":
    main()
