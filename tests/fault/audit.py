# SPDX-License-Identifier: Apache-2.0
"""What a store should hold, from what its records say, against what it does hold."""
import os
import struct
import time

from open_store import BLOCK_BYTES, DATA, META, OpenStore, read_store

SETTLE_S = 120
REGISTRY = "registry"
SCRUB = "scrub"
OBJECT_PLAIN = read_store.fmt.CHUNK_BYTES * read_store.OBJECT_CHUNKS
# What a file system itself adds to a file of many pieces.
SLACK_PER_VOLUME = 1 << 20


class Leak(Exception):
    """Something is left that nothing refers to, or something is gone that is referred to."""


class Audit:
    """Of the state of a gateway, running or not, that nobody writes to meanwhile."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.store = OpenStore(gateway.state)
        self.service_key = read_store.fmt.read_service_key(gateway.service_key_file.read_text())

    def close(self):
        self.store.close()

    def garbage(self):
        """Entries that wait for the reaper, and marks of deleted accounts."""
        entries = self.store.rows("SELECT count(*) FROM map WHERE substr(key, 1, 2) = ?", b"g/")[0][0]
        return entries + len(self.store.names(META, "deleted/")) + len(self.registry(b"d/"))

    def registry(self, prefix):
        """What the registry lists, without the prefix."""
        rows = self.store.rows("SELECT key FROM map WHERE object IN (SELECT id FROM object "
                               "WHERE pool = ? AND name = ?)", META, REGISTRY.encode())
        return {key[len(prefix):] for (key,) in rows if key.startswith(prefix)}

    def wait_for_removal(self):
        deadline = time.monotonic() + SETTLE_S
        while self.garbage() > 0:
            self.gateway.check_alive()
            if time.monotonic() > deadline:
                raise Leak(f"{self.garbage()} entries of garbage are left after {SETTLE_S} s")
            time.sleep(0.02)

    # --- what should be there ----------------------------------------------------------------------

    def _segment(self, container_id, segment, length):
        for number in range(-(-length // OBJECT_PLAIN)):
            yield f"{container_id.hex()}/{segment.hex()}/{number}"

    def _index(self, account, container):
        """Map keys of each shard and data objects of one container."""
        container_id, objects = container["id"], set()
        shards = {index: set() for index in read_store.index_names(container)}
        for name, blob in account.blobs(container).items():
            index = read_store.index_of(container, name)
            keys = shards[index]
            keys.add(b"b/" + name.encode())
            _, manifest, pages = blob["manifest"]
            for page in range(len(pages)):
                keys.add(b"m/" + manifest + struct.pack(">I", page))
            for segment, length, _, beside in account.entries(container, name, blob["manifest"]):
                if beside:
                    keys.add(b"d/" + name.encode())
                else:
                    objects.update(self._segment(container_id, segment, length))
            prefix = b"s/" + blob["object"] + struct.pack(">I", blob["epoch"]) + b"/"
            for key, value in self.store.map(index, prefix).items():
                reader = read_store.Reader(
                    account.open_value("staged block", container_id, key, value))
                reader.version()
                objects.update(self._segment(container_id, reader.bytes(16), reader.number(8)))
                reader.end()
                keys.add(key)
        return shards, objects

    def check(self):
        """Raises Leak. Returns how many shards are there that no container has: a crash in the middle
        of Create Container leaves empty ones."""
        metas, datas, maps = set(), set(), {}
        for name in self.store.names(META, "account/"):
            account = read_store.Account(self.store, self.service_key, name.partition("/")[2], [])
            metas.add(name)
            maps[name] = {b"c/" + container.encode() for container in account.containers()}
            for container in account.containers().values():
                shards, objects = self._index(account, container)
                metas |= set(shards)
                maps.update(shards)
                datas |= objects
        stored = set(self.store.names(META, "")) - {REGISTRY, SCRUB}
        listed = {name.decode() for name in self.registry(b"a/")}
        # One that is listed and not there is passed over; one that is not listed cannot be found.
        missing = {name.partition("/")[2] for name in metas if name.startswith("account/")} - listed
        if missing:
            raise Leak(f"the registry has no {sorted(missing)[:3]}")
        unused = {name for name in stored - metas if name.startswith("index/")}
        for name in unused:
            maps[name] = set()
        self._compare("meta objects", metas | unused, stored)
        self._compare("data objects", datas, set(self.store.names(DATA, "")))
        for name, keys in maps.items():
            self._compare(f"map keys of {name}", keys, set(self.store.map(name, b"")))
        self._check_rows()
        return len(unused)

    @staticmethod
    def _compare(what, wanted, there):
        if wanted != there:
            raise Leak(f"{what}: {len(there - wanted)} that nothing refers to, "
                       f"{len(wanted - there)} that are missing: "
                       f"{sorted(there ^ wanted)[:3]}")

    def _check_rows(self):
        for table in ("attr", "map", "extent"):
            lost = self.store.rows(f"SELECT count(*) FROM {table} WHERE object NOT IN "
                                   "(SELECT id FROM object)")[0][0]
            if lost:
                raise Leak(f"{lost} rows of {table} belong to no object")

    def check_volumes(self):
        """Right after a start: the space that the files take is the space of what is in them."""
        live = {}
        for extent in self.store.all_rows("extent"):
            space = -(-extent["length"] // BLOCK_BYTES) * BLOCK_BYTES
            live[extent["volume"]] = live.get(extent["volume"], 0) + space
        total = 0
        for path in sorted((self.store.directory / "volumes").iterdir()):
            number = int(path.stem)
            taken = os.stat(path).st_blocks * 512
            total += taken
            if taken > live.get(number, 0) + SLACK_PER_VOLUME:
                raise Leak(f"{path.name} takes {taken} bytes for {live.get(number, 0)}")
        return sum(live.values()), total
