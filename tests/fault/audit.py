# SPDX-License-Identifier: Apache-2.0
"""What a store should hold, from what its records say, against what it does hold."""
import json
import os
import struct
import time

from open_store import BLOCK_BYTES, DATA, META, OpenStore, read_store

SETTLE_S = 120
REGISTRY = "registry"
NOT_DATA = {REGISTRY, "notices", "scrub", "shredded"}  # objects of the meta pool that always may be there
LEASES = "lease/"
JOBS = {b"n", b"n/pause", b"r", b"r/pause"}  # rows of an account's map that always may be there
SCRUB_OK, SCRUB_UNREFERENCED = 0, 6
OBJECT_PLAIN = read_store.fmt.CHUNK_BYTES * read_store.OBJECT_CHUNKS
# What a file system itself adds to a file of many pieces.
SLACK_PER_VOLUME = 1 << 20


class Leak(Exception):
    """Something is left that nothing refers to, or something is gone that is referred to."""


class Audit:
    """Of what a gateway, running or not, has stored, and nobody writes to meanwhile."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.embedded = not read_store.rados_store.is_place(gateway.place)
        self.store = OpenStore(gateway.state) if self.embedded else \
            read_store.open_store(gateway.place)
        self.service_key = read_store.fmt.read_service_key(gateway.service_key_file.read_text())

    def close(self):
        self.store.close()

    def is_early(self, key):
        """Of an entry for a time that is to come: when what was deleted is kept no more."""
        return key.startswith(b"g/") and struct.unpack(">Q", key[2:10])[0] > \
            time.time() * 1000 + self.gateway.clock_offset_ms

    def garbage(self):
        """Entries that wait for the reaper and are due, and marks of deleted accounts."""
        names = self.store.names(META, "")
        entries = sum(not self.is_early(key) for name in names
                      if name.startswith(("account/", "index/"))
                      for key in self._map(name, b"g/"))
        return entries + len([name for name in names if name.startswith("deleted/")]) + \
            len(self.registry(b"d/"))

    def where(self):
        return {name: len(found) for name in self.store.names(META, "")
                if (found := self._map(name, b"g/"))}

    def _map(self, name, prefix):
        """Of an object that may be removed meanwhile."""
        try:
            return self.store.map(name, prefix)
        except ValueError:
            return {}

    def registry(self, prefix):
        """What the registry lists, without the prefix."""
        return {key[len(prefix):] for key in self._map(REGISTRY, prefix)}

    def wait_for_removal(self):
        """As long as it gets less."""
        least, since = self.garbage(), time.monotonic()
        while least > 0:
            self.gateway.check_alive()
            left = self.garbage()
            if left < least:
                least, since = left, time.monotonic()
            elif time.monotonic() > since + SETTLE_S:
                raise Leak(f"{left} entries of garbage are left, and none was removed for {SETTLE_S} s:"
                           f" {self.where()}")
            time.sleep(0.02 if self.embedded else 0.2)

    # --- what should be there ----------------------------------------------------------------------

    def _segment(self, container_id, segment, length):
        for number in range(-(-length // OBJECT_PLAIN)):
            yield f"{container_id.hex()}/{segment.hex()}/{number}"

    def _index(self, account, container):
        """Map keys of each shard and data objects of one container."""
        container_id, objects = container["id"], set()
        shards = {index: set() for index in read_store.index_names(container)}
        records = [(name, name.encode(), b"b/", blob)
                   for name, blob in account.blobs(container).items()]
        records += [(name, read_store.state_name(name, time), b"v/", state)
                    for (name, time), state in account.states(container).items()]
        for name, place, kind, blob in records:
            if blob["gone"] and not any(kind == b"v/" and name == other
                                        for other, _, kind, _ in records):
                raise Leak(f"{name} is gone, has no states, and is still there")
            index = read_store.index_of(container, name)
            keys = shards[index]
            keys.add(kind + place)
            manifest, pages, _ = blob["manifest"]
            for page, _ in pages:
                keys.add(b"m/" + manifest + struct.pack(">I", page))
            for segment, length, _, apart in account.entries(container, name, blob["manifest"]):
                if apart == "beside":
                    keys.add(b"d/" + place)
                elif not apart:
                    objects.update(self._segment(container_id, segment, length))
            self._loan(account, container, name, blob, keys)
            if blob["fields"].get("type", {}).get("type") == "PageBlob":
                groups, pieces = account.page_rows(container, name, blob)
                keys.update(groups)
                for _, key, object_id, _ in pieces:
                    keys.add(key)
                    objects.add(f"{container_id.hex()}/{object_id.hex()}/0")
            if kind == b"v/":
                continue
            prefix = b"s/" + blob["object"] + struct.pack(">I", blob["epoch"]) + b"/"
            for key, value in self.store.map(index, prefix).items():
                reader = read_store.Reader(
                    account.open_value("staged block", container_id, key, value))
                reader.version()
                objects.update(self._segment(container_id, reader.bytes(16), reader.number(8)))
                reader.end()
                keys.add(key)
        return shards, objects

    def _loan(self, account, container, name, blob, keys):
        """What a record borrows is lent to it, and what is lent somebody borrows."""
        loan = blob["fields"].get("loan")
        if loan is None:
            return
        index = f"index/{loan['container'].hex()}/{loan['shard']}"
        if blob["fields"].get("history", {}).get("kind") == "lent":
            self.store.map_value(index, b"l/" + loan["id"])
            return
        keys.add(b"l/" + loan["id"])
        row = account.loan(container, name, loan)
        key = b"v/" + row["blob"] + b"\0" + struct.pack(">Q", row["time"])
        state = read_store.read_blob(account.open_value("blob", row["container"], key,
                                                        self.store.map_value(index, key)))
        if row["closed"] or row["container"] != loan["container"] or row["shard"] != loan["shard"] or \
                state["fields"]["history"]["kind"] != "lent" or \
                state["fields"]["loan"]["id"] != loan["id"]:
            raise Leak(f"{name} borrows what is not lent to it")

    def check(self, may_leave=False):
        """Raises Leak. Returns how many shards are there that no container has: a crash in the middle
        of Create Container leaves empty ones; and, if such may be left, how many data objects nothing
        refers to."""
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
        stored = {name for name in self.store.names(META, "")
                  if name not in NOT_DATA and not name.startswith(LEASES)}
        listed = {name.decode() for name in self.registry(b"a/")}
        # One that is listed and not there is passed over; one that is not listed cannot be found.
        missing = {name.partition("/")[2] for name in metas if name.startswith("account/")} - listed
        if missing:
            raise Leak(f"the registry has no {sorted(missing)[:3]}")
        unused = {name for name in stored - metas if name.startswith("index/")}
        for name in unused:
            maps[name] = set()
        self._compare("meta objects", metas | unused, stored)
        stored = set(self.store.names(DATA, ""))
        left = stored - datas if may_leave else set()
        self._compare("data objects", datas | left, stored)
        for name, keys in maps.items():
            self._compare(f"map keys of {name}", keys,
                          {key for key in self.store.map(name, b"")
                           if not self.is_early(key) and key not in JOBS})
        if self.embedded:
            self._check_rows()
        return len(unused), len(left)

    @staticmethod
    def _compare(what, wanted, there):
        if wanted != there:
            raise Leak(f"{what}: {len(there - wanted)} that nothing refers to, "
                       f"{len(wanted - there)} that are missing: "
                       f"{sorted(there ^ wanted)[:3]}")

    def _check_rows(self):
        for table in ("attr", "map", "extent", "block"):
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


def scrub(gateway, *options):
    done = gateway.ctl("scrub", "--older-than", "0s", "--json", *options)
    if not done.stdout.startswith("{"):
        raise Leak(f"scrub {options} ends with {done.returncode}: {done.stdout}{done.stderr}")
    return done.returncode, json.loads(done.stdout)["counts"]


def remove_leavings(gateway, other):
    """What writes have left behind that came to no end, a scrub by way of the other gateway finds: that,
    and nothing else, is reported, then removed, then not found again. Returns how many data objects
    there were, and how many shards."""
    audit = Audit(gateway)
    audit.wait_for_removal()
    unused, left = audit.check(may_leave=True)
    found = unused + left
    steps = (((), SCRUB_UNREFERENCED if found else SCRUB_OK, found, 0),
             (("--remove", "--yes"), SCRUB_OK, found, found), (("--verify",), SCRUB_OK, 0, 0))
    for options, *wanted in steps:
        code, counts = scrub(other, *options)
        if [code, counts["unreferencedObjects"], counts["removedObjects"]] != wanted:
            raise Leak(f"scrub {options} ends with {code}, {counts} instead of {wanted}")
    if audit.check() != (0, 0):
        raise Leak("something is left behind a scrub")
    audit.close()
    return left, unused
