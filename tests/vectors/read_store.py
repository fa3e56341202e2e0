#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads a gateway's store without the gateway: docs/format.md as a program.

  read_store.py DIR --service-key FILE
      the names of its accounts
  read_store.py DIR --service-key FILE --account NAME
      the account and its containers
  ... --container NAME
      its blobs, as far as the service key alone tells
  ... --container NAME --blob NAME [--time TIME] [--out FILE]
      the blob, or its state of that time, with its metadata; its bytes go to FILE

  read_store.py DIR --service-key FILE --shredded
      what is kept of accounts that were shredded

  --customer-key FILE   a private key (PEM) of a version of the customer's key; may be repeated
  --keyvaultd DIR       the state directory of a keyvaultd that holds it

Prints JSON. Ends with 1, and writes no FILE, when anything is not what was written; with 77 where the
Python library "cryptography" is not installed. No gateway may be using DIR; in place of a directory it
may be a namespace on RADOS, "rados:CONF:NAMESPACE", which gateways may use meanwhile.
"""
import argparse
import base64
import fcntl
import hashlib
import json
import os
import pathlib
import sqlite3
import struct
import sys

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.serialization import (load_der_private_key,
                                                              load_pem_private_key)

    import gatekey_format as fmt
    import rados_store
except ImportError as missing:
    print(f"skipped: {missing}; Debian's package is python3-cryptography", file=sys.stderr)
    sys.exit(77)

need = fmt.need

META, DATA = 0, 1
OBJECT_CHUNKS = 64
PIECE_BYTES = 4 << 20  # of a page blob, in one page object
SEALED_CHUNK_BYTES = fmt.CHUNK_BYTES + fmt.TAG_BYTES
TIERS = ("", "Hot", "Cool", "Cold", "Archive")
HEADERS = ("contentType", "contentEncoding", "contentLanguage", "contentDisposition", "cacheControl")


# --- the embedded engine -----------------------------------------------------------------------------


class Store:
    """Objects with bytes, attributes and a map, from store.sqlite and the volume files."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.lock = open(self.directory / "lock", "rb")  # held as long as this object
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        uri = (self.directory / "store.sqlite").absolute().as_uri()
        self.database = sqlite3.connect(f"{uri}?mode=ro", uri=True)
        version = self.database.execute("PRAGMA user_version").fetchone()[0]
        need(version in (1, 2), f"schema {version}")

    def rows(self, sql, *values):
        return self.database.execute(sql, values).fetchall()

    def find(self, pool, name):
        found = self.rows("SELECT id, size, bytes FROM object WHERE pool = ? AND name = ?", pool,
                          name.encode())
        need(found, f"there is no object {name}")
        return found[0]

    def names(self, pool, prefix):
        return [name.decode() for (name,) in
                self.rows("SELECT name FROM object WHERE pool = ? ORDER BY name", pool)
                if name.startswith(prefix.encode())]

    def attributes(self, name):
        return dict((key.decode(), value) for key, value in
                    self.rows("SELECT name, value FROM attr WHERE object = ?",
                              self.find(META, name)[0]))

    def map(self, name, prefix):
        return {key: value for key, value in
                self.rows("SELECT key, value FROM map WHERE object = ? ORDER BY key",
                          self.find(META, name)[0]) if key.startswith(prefix)}

    def map_value(self, name, key):
        found = self.rows("SELECT value FROM map WHERE object = ? AND key = ?",
                          self.find(META, name)[0], key)
        need(found, f"{name} has no {key!r}")
        return found[0][0]

    def read(self, name):
        """The bytes of a data object."""
        number, size, inline = self.find(DATA, name)
        if inline == b"" and size > 0:
            return self.read_blocks(number, size)
        if inline is not None:
            need(len(inline) == size, f"{name} is short")
            return inline
        content = b""
        for start, volume, offset, length in self.rows(
                "SELECT start, volume, offset, length FROM extent WHERE object = ? ORDER BY start",
                number):
            need(start == len(content), f"{name} has a gap")
            with open(self.directory / "volumes" / f"{volume:08d}.vol", "rb") as file:
                file.seek(offset)
                content += file.read(length)
        need(len(content) == size, f"{name} is short")
        return content

    def read_blocks(self, number, size):
        """What is written in place."""
        content = bytearray(size)
        for block, data in self.rows("SELECT number, bytes FROM block WHERE object = ?", number):
            start = block * 4096
            content[start:min(start + len(data), size)] = data[:max(0, size - start)]
        return bytes(content)


def open_store(place):
    return rados_store.RadosStore(place) if rados_store.is_place(place) else Store(place)


# --- what values hold --------------------------------------------------------------------------------


class Reader:
    """Takes fields off the front; end() makes sure that nothing is left."""

    def __init__(self, data):
        self.data = data

    def bytes(self, count):
        need(count <= len(self.data), "a value is short")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, count):
        return int.from_bytes(self.bytes(count), "big")

    def text(self):
        return self.bytes(self.number(2))

    def rest(self):
        return self.bytes(len(self.data))

    def version(self):
        need(self.number(1) == 1, "a version that this does not know")

    def end(self):
        need(self.data == b"", "a value has more than it should")


def read_metadata(reader):
    return {reader.text().decode(): reader.text().decode("latin-1") for _ in range(reader.number(2))}


def read_flag(reader):
    value = reader.number(1)
    need(value in (0, 1), "a flag that is neither")
    return value == 1


def read_blob_service(reader):
    """An account's settings of its Blob service."""
    def metrics():
        return {"enabled": read_flag(reader), "includeApis": read_flag(reader),
                "days": reader.number(4)}

    def rule():
        lists = {name: reader.text().decode()
                 for name in ("origins", "methods", "allowedHeaders", "exposedHeaders")}
        return {**lists, "maxAge": reader.number(4)}

    return {
        "logging": {"deletes": read_flag(reader), "reads": read_flag(reader),
                    "writes": read_flag(reader), "days": reader.number(4)},
        "hourMetrics": metrics(), "minuteMetrics": metrics(),
        "cors": [rule() for _ in range(reader.number(1))],
        "defaultVersion": reader.text().decode(),
        "deleteRetention": {"days": reader.number(4), "permanentDeletes": read_flag(reader)},
        "website": {"enabled": read_flag(reader), "indexDocument": reader.text().decode(),
                    "defaultIndex": reader.text().decode(),
                    "errorDocument": reader.text().decode()},
        "versioning": read_flag(reader),
    }


def read_lease(reader):
    return {"id": reader.bytes(16).hex(), "duration": reader.number(4), "until": reader.number(8),
            "brokenAt": reader.number(8)}


def read_type(reader):
    kind = reader.number(1)
    need(kind in (1, 2), "a blob of an unknown type")
    if kind == 1:
        return {"type": "AppendBlob", "blocks": reader.number(4), "sealed": reader.number(1) == 1}
    return {"type": "PageBlob", "sequence": reader.number(8), "space": reader.bytes(16),
            "groups": reader.bytes(32)}


KINDS = ("base", "snapshot", "version", "lent")


def read_history(reader):
    return {"kind": KINDS[reader.number(1)], "newest": reader.number(8), "version": reader.number(8),
            "deleted": reader.number(8), "keptUntil": reader.number(8)}


def read_acl(reader):
    level = reader.number(1)
    need(level < 3, "public access of an unknown level")
    policies = [{"id": reader.text().decode(), "start": reader.number(8), "expiry": reader.number(8),
                 "permissions": reader.text().decode()} for _ in range(reader.number(1))]
    return {"publicAccess": (None, "blob", "container")[level], "policies": policies}


def read_tier_times(reader):
    return {"changed": reader.number(8), "rehydratesTo": TIERS[reader.number(1)],
            "highPriority": reader.number(1) == 1, "ready": reader.number(8)}


def read_immutability(reader):
    mode = reader.number(1)
    need(mode < 3, "an immutability policy of an unknown mode")
    return {"policyMode": (None, "unlocked", "locked")[mode], "until": reader.number(8),
            "legalHold": reader.number(1) == 1}


def read_life(reader):
    return {"opening": reader.number(8), "deleted": reader.number(8), "keptUntil": reader.number(8)}


def read_lifetime(reader):
    return {"ends": reader.number(8)}


def read_copy(reader):
    return {"id": reader.bytes(16).hex(), "bytes": reader.number(8), "completed": reader.number(8),
            "source": reader.text().decode()}


def read_incremental(reader):
    return {"source": reader.bytes(16).hex(), "era": reader.number(4), "snapshot": reader.number(8)}


def read_copy_unfinished(reader):
    status = reader.number(1)
    need(status in (1, 2, 3), "a copy of an unknown status")
    told = {"status": (None, "pending", "aborted", "failed")[status], "done": reader.number(8),
            "asked": reader.number(8), "description": reader.text().decode()}
    if status == 1:
        told["origin"] = {"account": reader.text().decode(), "accountId": reader.bytes(16).hex(),
                          "container": reader.text().decode(), "blob": reader.text().decode(),
                          "kind": reader.number(1), "time": reader.number(8),
                          "object": reader.bytes(16).hex(), "etag": reader.number(8)}
    return told


def read_loan(reader):
    return {"id": reader.bytes(16), "container": reader.bytes(16), "shard": reader.number(4)}


def read_encryption(reader):
    kind = reader.number(1)
    need(kind in (1, 2), "an encryption that this does not know")
    return {"scope": reader.text().decode()} if kind == 2 else {
        "clientKeySha256": base64.b64encode(reader.bytes(32)).decode()}


def read_container_encryption(reader):
    return {"denyOverride": reader.number(1) != 0, "scope": reader.text().decode()}


def read_scope(data):
    reader = Reader(data)
    reader.version()
    scope = {"disabled": reader.number(1) != 0, "created": reader.number(8), "modified": reader.number(8)}
    reader.end()
    return scope


def read_page_eras(reader):
    eras = {"era": reader.number(4), "shared": reader.number(4),
            "writers": {reader.number(8): reader.bytes(16) for _ in range(reader.number(1))}}
    eras["groups"] = {reader.number(1): reader.number(4) for _ in range(reader.number(2))}
    return eras


def read_rest(reader):
    return base64.b64encode(reader.rest()).decode()


FIELDS = {
    1: ("lease", read_lease),
    2: ("acl", read_acl),
    3: ("tierTimes", read_tier_times),
    4: ("immutability", read_immutability),
    5: ("life", read_life),
    6: ("lifetime", read_lifetime),
    8: ("type", read_type),
    9: ("copy", read_copy),
    10: ("encryption", read_encryption),
    11: ("containerEncryption", read_container_encryption),
    12: ("pageEras", read_page_eras),
    13: ("incremental", read_incremental),
    14: ("loan", read_loan),
    15: ("copyUnfinished", read_copy_unfinished),
    16: ("tags", read_metadata),
    17: ("oddMd5", read_rest),
    20: ("history", read_history),
    21: ("keyed", lambda reader: reader.number(8)),
    22: ("pageLineage", lambda reader: reader.bytes(16)),
}


def read_fields(reader):
    """What most containers and blobs do not have."""
    found, before = {}, 0
    for _ in range(reader.number(1)):
        tag = reader.number(1)
        need(tag in FIELDS and tag > before, f"field {tag} is not known or out of order")
        name, read = FIELDS[tag]
        bytes_of_field = Reader(reader.text())
        found[name] = read(bytes_of_field)
        bytes_of_field.end()
        before = tag
    return found


def read_container(data):
    reader = Reader(data)
    version = reader.number(1)
    need(version in (1, 2, 3), "a version that this does not know")
    container = {"id": reader.bytes(16), "etag": reader.number(8), "created": reader.number(8),
                 "modified": reader.number(8),
                 "shards": reader.number(4) if version > 1 else 1,
                 "metadata": read_metadata(reader),
                 "fields": read_fields(reader) if version > 2 else {}}
    reader.end()
    return container


def read_entries(reader):
    return [read_entry(reader) for _ in range(reader.number(4))]


def read_entry(reader):
    segment, length, lent = reader.bytes(16), reader.number(8), reader.number(1)
    need(lent < 2, "an entry that is lent in a way that this does not know")
    return segment, length, reader.bytes(reader.number(1)), "lent" if lent else None


def read_manifest(reader):
    """A manifest's id, its pages, each with its number and the blob's bytes in it, and the entries that
    come after them. An entry has its segment's id, its length, its block's name, and where it is if not in
    the blob's own container: "beside" the record, or "lent" by another blob."""
    kind = reader.number(1)
    need(kind in (0, 1, 2, 3), "a manifest of an unknown kind")
    if kind == 0:
        return None, [], read_entries(reader)
    if kind == 2:
        return None, [], [(reader.bytes(16), reader.number(8), b"", "beside")]
    manifest, count = reader.bytes(16), reader.number(4)
    if kind == 1:
        return manifest, [(page, reader.number(8)) for page in range(count)], []
    pages = [(reader.number(4), reader.number(8)) for _ in range(count)]
    return manifest, pages, read_entries(reader)


def read_blob(data):
    reader = Reader(data)
    version = reader.number(1)
    need(version in (1, 2), "a version that this does not know")
    state = reader.number(1)
    need(state in (1, 2, 3), "a state that this does not know")
    blob = {"committed": state == 1, "gone": state == 3, "object": reader.bytes(16),
            "sealedDataKey": reader.bytes(112), "etag": reader.number(8),
            "created": reader.number(8), "modified": reader.number(8), "size": reader.number(8),
            "epoch": reader.number(4), "tier": TIERS[reader.number(1)]}
    has_md5, md5 = reader.number(1), reader.bytes(16)
    blob["md5"] = base64.b64encode(md5).decode() if has_md5 else None
    blob["headers"] = {name: value for name, value in
                       ((name, reader.text().decode("latin-1")) for name in HEADERS) if value}
    blob["fields"] = read_fields(reader) if version > 1 else {}
    blob["manifest"] = read_manifest(reader)
    reader.end()
    return blob


def number_and_era(number, era):
    """The end of a page blob's key; rows of the first era have none."""
    return struct.pack(">I", number) + (struct.pack(">I", era) if era else b"")


# --- an account --------------------------------------------------------------------------------------


def binding(kind, container_id, key):
    return b"gateway/v1/" + kind.encode() + b"\0" + container_id + key


class Account:
    """What the service key opens of an account; with the customer's key the rest."""

    def __init__(self, store, service_key, name, customer_keys):
        self.store, self.service_key, self.name = store, service_key, name
        self.customer_keys = customer_keys
        self.object = f"scope/{name}" if "/" in name else f"account/{name}"
        self.attributes = store.attributes(self.object)
        self.record = fmt.read_account_record(service_key, name, self.attributes["gatekey.account"])
        self.id = bytes.fromhex(self.record["id"].replace("-", ""))

    def scope(self, name):
        """An encryption scope: an account of its own within this one."""
        scope = Account(self.store, self.service_key, f"{self.name}/{name}", self.customer_keys)
        need(scope.record["parent"] == self.record["id"], "the scope is of another account")
        return scope

    def scopes(self):
        return {key[2:].decode(): read_scope(self.open_value("encryption scope", self.id, key, value))
                for key, value in self.store.map(self.object, b"e/").items()}

    def open_value(self, kind, container_id, key, value):
        return fmt.open_record(self.service_key, self.id, binding(kind, container_id, key), value)

    def root_keys(self):
        """Of every generation in use: the active one by its first wrap that opens, the older ones by that."""
        used = [generation for generation in self.record["generations"] if generation["state"] != "retired"]
        active, = (generation for generation in used if generation["state"] == "active")
        keys = {active["generation"]: self.root_key(active)}
        for older in (generation for generation in used if generation is not active):
            wrap, = older["wraps"]
            need(wrap["keyId"] == f"root-key/{active['generation']}", "a wrap that the active root key has not made")
            keys[older["generation"]] = fmt.unwrap_older_root_key(
                keys[active["generation"]], active["generation"], self.id, older["generation"],
                fmt.from_b64url(wrap["value"]), fmt.from_b64url(older["commitment"]))
        return keys

    def root_key(self, generation):
        number, commitment = generation["generation"], fmt.from_b64url(generation["commitment"])
        for wrap in generation["wraps"]:
            wrapped = fmt.from_b64url(wrap["value"])
            if wrap["algorithm"] == "XAES-256-GCM":
                return fmt.unwrap_root_key(self.service_key, self.id, number, wrapped, commitment)
            need(wrap["algorithm"] in ("RSA-OAEP-256", "RSA-OAEP", "transit"), "an algorithm that this does not know")
            if wrap["algorithm"] == "transit":
                continue  # its key never leaves the engine
            for private_key in self.customer_keys:
                try:
                    return fmt.unwrap_root_key_rsa(private_key, self.id, number, wrapped, commitment)
                except ValueError:
                    continue  # the private key of another version
        wanted = ", ".join(wrap["keyId"] for wrap in generation["wraps"])
        raise ValueError(f"the root key is wrapped by {wanted}; none of the given keys opens it")

    def profile(self):
        """The gateway's own attribute. Its access keys are left out of what this prints."""
        reader = Reader(fmt.open_record(self.service_key, self.id,
                                        b"account keys/" + self.name.encode(),
                                        self.attributes["gateway.account"]))
        version = reader.number(1)
        need(version in (1, 2, 3, 4), "a version that this does not know")
        profile = {"created": reader.number(8)}
        for _ in range(2):
            reader.bytes(8 + 64)
        profile["location"] = reader.text().decode()
        profile["management"] = json.loads(reader.bytes(reader.number(4)))
        if version > 1:
            profile["blobService"] = read_blob_service(reader)
        if version > 2:
            reader.bytes(32)
        if version > 3:
            profile["containerRetentionDays"] = reader.number(4)
        reader.end()
        return profile

    def containers(self):
        found = {}
        for key, value in self.store.map(self.object, b"c/").items():
            found[key[2:].decode()] = read_container(
                self.open_value("container", self.id, key, value))
        return found

    def kept_containers(self):
        """Those that were deleted, by their names and versions."""
        found = {}
        for key, value in self.store.map(self.object, b"k/").items():
            version = struct.unpack(">Q", key[-8:])[0]
            found[f"{key[2:-9].decode()} {version:016X}"] = read_container(
                self.open_value("container", self.id, key, value))
        return found

    def container(self, name):
        key = b"c/" + name.encode()
        return read_container(self.open_value("container", self.id, key,
                                              self.store.map_value(self.object, key)))

    def blobs(self, container):
        container_id = container["id"]
        found = {key[2:].decode(): read_blob(self.open_value("blob", container_id, key, value))
                 for index in index_names(container)
                 for key, value in self.store.map(index, b"b/").items()}
        return dict(sorted(found.items()))

    def states(self, container):
        """By the blob's name and their time."""
        found = {}
        for index in index_names(container):
            for key, value in self.store.map(index, b"v/").items():
                time = struct.unpack(">Q", key[-8:])[0]
                found[key[2:-9].decode(), time] = read_blob(
                    self.open_value("blob", container["id"], key, value))
        return found

    def blob(self, container, name, time=None, client_key=b""):
        """Properties of the blob, or of its state of that time, its metadata and its bytes, piece by
        piece. client_key: of a blob that is under one."""
        container_id, index = container["id"], index_of(container, name)
        base_key = b"b/" + name.encode()
        key = base_key if time is None else b"v/" + state_name(name, time)
        value = self.store.map_value(index, key)
        blob = read_blob(self.open_value("blob", container_id, key, value))
        need(blob["committed"], "the blob has staged blocks alone")
        scope = blob["fields"].get("encryption", {}).get("scope")
        owner = self if scope is None else self.scope(scope)
        data_key = fmt.open_data_key(owner.root_keys(), owner.id, container_id, blob["object"],
                                     blob["sealedDataKey"], client_key)
        blob["metadata"] = {}
        if fmt.split_record(value)[1]:
            reader = Reader(fmt.open_sealed_part(data_key, binding("blob", container_id, base_key),
                                                 value))
            blob["metadata"] = read_metadata(reader)
            reader.end()
        return blob, self.content(container, name, data_key, blob, time)

    def entries(self, container, name, manifest):
        """Of the blob of that name."""
        manifest_id, pages, tail = manifest
        for page, total in pages:
            key = b"m/" + manifest_id + struct.pack(">I", page)
            value = self.store.map_value(index_of(container, name), key)
            reader = Reader(self.open_value("manifest page", container["id"], key, value))
            reader.version()
            entries = read_entries(reader)
            reader.end()
            need(sum(entry[1] for entry in entries) == total, "a page of another length")
            yield from entries
        yield from tail

    def loan(self, container, name, loan):
        """Of a blob that borrows: where the state is that is lent, its container's id, shard, blob and time,
        and whether nothing may come to name it any more."""
        version, reader = self.row(container, index_of(container, name), "loan", b"l/" + loan["id"])
        need(version == 1, "a version that this does not know")
        closed = reader.number(1) == 1
        found = {"closed": closed, "container": reader.bytes(16), "shard": reader.number(4),
                 "time": reader.number(8), "blob": reader.text()}
        reader.end()
        return found

    def page_rows(self, container, name, blob):
        """Of a page blob: keys of the rows of its groups, then for each piece that is there its number, the
        key of its row, the id of its page object and which pages were written."""
        kind, index = blob["fields"]["type"], index_of(container, name)
        eras = blob["fields"].get("pageEras", {"groups": {}})["groups"]
        groups, pieces = [], []
        for group in bits_of(kind["groups"]):
            key = b"q/" + kind["space"] + number_and_era(group, eras.get(group, 0))
            groups.append(key)
            version, reader = self.row(container, index, "page group", key)
            for piece in [*bits_of(reader.bytes(1024))]:
                number = group * 8192 + piece
                key = b"p/" + kind["space"] + number_and_era(number, reader.number(4) if version == 2 else 0)
                pieces.append((number, key, *self.page_row(container, index, key)))
            reader.end()
        return groups, pieces

    def page_row(self, container, index, key):
        version, row = self.row(container, index, "page object", key)
        object_id = row.bytes(16)
        made = row.number(4) if version == 2 else 0
        written = set(bits_of(row.bytes(1024)))
        if version == 2:
            runs = [(row.number(2), row.number(4)) for _ in range(row.number(2))]
            need(sum(pages for pages, _ in runs) == len(written), "ages of other pages than were written")
        row.end()
        return object_id, written

    def row(self, container, index, kind, key):
        reader = Reader(self.open_value(kind, container["id"], key, self.store.map_value(index, key)))
        version = reader.number(1)
        need(version in (1, 2), "a version that this does not know")
        return version, reader

    def pages(self, container, name, data_key, blob):
        """The bytes of a page blob."""
        end, (_, pieces) = 0, self.page_rows(container, name, blob)
        for number, _, object_id, written in pieces:
            if number * PIECE_BYTES >= blob["size"]:
                break
            yield bytes(number * PIECE_BYTES - end)
            plain = self.piece(container["id"], data_key, object_id, written)
            end = min((number + 1) * PIECE_BYTES, blob["size"])
            yield plain[:end - number * PIECE_BYTES]
        yield bytes(blob["size"] - end)

    def piece(self, container_id, data_key, object_id, written):
        stored = self.store.read(f"{container_id.hex()}/{object_id.hex()}/0")
        sealer, plain = fmt.Pages(data_key, object_id), bytearray(PIECE_BYTES)
        for block in sorted({page // 8 for page in written}):
            at, seal = block * fmt.BLOCK_BYTES, PIECE_BYTES + block * fmt.XAES_OVERHEAD
            opened = sealer.open(block, stored[at:at + fmt.BLOCK_BYTES],
                                 stored[seal:seal + fmt.XAES_OVERHEAD])
            for page in range(block * 8, block * 8 + 8):
                if page in written:
                    plain[page * 512:page * 512 + 512] = opened[page % 8 * 512:page % 8 * 512 + 512]
        return plain

    def content(self, container, name, data_key, blob, time=None):
        if blob["fields"].get("type", {}).get("type") == "PageBlob":
            yield from self.pages(container, name, data_key, blob)
            return
        if blob["fields"].get("copyUnfinished", {}).get("status") == "pending":
            need(blob["size"] == 0, "a pending copy that shows what it has")
            return
        size = 0
        beside_key = b"d/" + (name.encode() if time is None else state_name(name, time))
        for segment_id, length, _, apart in self.entries(container, name, blob["manifest"]):
            if apart == "beside":
                sealed = self.store.map_value(index_of(container, name), beside_key)
                need(len(sealed) == length + fmt.TAG_BYTES, "a chunk of another length")
                yield fmt.Segment(data_key, segment_id).open(0, True, sealed)
            else:
                owner = blob["fields"]["loan"]["container"] if apart else container["id"]
                yield from self.segment(owner, data_key, segment_id, length)
            size += length
        need(size == blob["size"], "the manifest and the size differ")

    def segment(self, container_id, data_key, segment_id, length):
        segment = fmt.Segment(data_key, segment_id)
        chunks = -(-length // fmt.CHUNK_BYTES)
        for first in range(0, chunks, OBJECT_CHUNKS):
            name = f"{container_id.hex()}/{segment_id.hex()}/{first // OBJECT_CHUNKS}"
            sealed = self.store.read(name)
            count = min(chunks - first, OBJECT_CHUNKS)
            plain = min(length - first * fmt.CHUNK_BYTES, OBJECT_CHUNKS * fmt.CHUNK_BYTES)
            need(len(sealed) == plain + count * fmt.TAG_BYTES, f"{name} is of another length")
            for i in range(count):
                chunk = sealed[i * SEALED_CHUNK_BYTES:(i + 1) * SEALED_CHUNK_BYTES]
                yield segment.open(first + i, first + i + 1 == chunks, chunk)


def state_name(name, time):
    return name.encode() + b"\0" + struct.pack(">Q", time)


def bits_of(bits):
    """Those that are set."""
    return [at for at in range(8 * len(bits)) if bits[at // 8] >> at % 8 & 1]


def fnv1a(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % (1 << 64)
    return value


def index_names(container):
    """Of all shards."""
    return [f"index/{container['id'].hex()}/{shard}" for shard in range(container["shards"])]


def index_of(container, name):
    """The shard that all of a blob is in."""
    return index_names(container)[fnv1a(name.encode()) % container["shards"]]


def shredded(store):
    """Each account that was shredded, with the wraps that were destroyed."""
    accounts = {}
    rows = store.map("shredded", b"") if "shredded" in store.names(META, "shredded") else {}
    for key, value in sorted(rows.items()):
        digits, _, digest = key.decode().partition("/")
        row = json.loads(value)
        if not digest:  # stands before its wraps
            need(row["accountId"].replace("-", "") == digits, "a shredded account under another id")
            accounts[digits] = {**row, "wraps": {}}
            continue
        need(digits in accounts, "a destroyed wrap of no account")
        need(len(bytes.fromhex(digest)) == 32, "a hash of another length")
        need(row["generation"] > 0 and isinstance(row["byVault"], bool), "a destroyed wrap of none")
        accounts[digits]["wraps"][digest] = row
    return list(accounts.values())


# --- the command -------------------------------------------------------------------------------------


def keyvaultd_keys(directory):
    state = json.loads(pathlib.Path(directory, "vault.json").read_text())
    return [load_der_private_key(base64.b64decode(version["private"]), None)
            for key in state["keys"] for version in key["versions"]]


def printable(value):
    """Bytes as hexadecimal digits, ETags as headers have them, without what is no news to a reader."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: f"0x{item:016X}" if name == "etag" else printable(item)
                for name, item in value.items() if name not in ("sealedDataKey", "manifest")}
    return value


def save(path, pieces):
    """Writes path whole or not at all, and tells what was written."""
    digest = hashlib.sha256()
    half = pathlib.Path(f"{path}.part") if path else None
    file = open(half, "wb") if half else None
    try:
        for piece in pieces:
            digest.update(piece)
            if file:
                file.write(piece)
    except BaseException:
        if half:
            half.unlink()
        raise
    finally:
        if file:
            file.close()
    if half:
        os.replace(half, path)
    return digest.hexdigest()


def run(arguments):
    store = open_store(arguments.directory)
    service_key = fmt.read_service_key(pathlib.Path(arguments.service_key).read_text())
    if arguments.shredded:
        return shredded(store)
    if not arguments.account:
        return [name.partition("/")[2] for name in store.names(META, "account/")]
    keys = [load_pem_private_key(pathlib.Path(path).read_bytes(), None)
            for path in arguments.customer_key]
    for directory in arguments.keyvaultd:
        keys += keyvaultd_keys(directory)
    account = Account(store, service_key, arguments.account, keys)
    if not arguments.container:
        return {"record": account.record, "profile": account.profile(),
                "containers": account.containers(), "keptContainers": account.kept_containers(),
                "scopes": account.scopes()}
    container = account.container(arguments.container)
    if not arguments.blob:
        return account.blobs(container)
    blob, content = account.blob(container, arguments.blob, arguments.time,
                                 base64.b64decode(arguments.client_key))
    entries = list(account.entries(container, arguments.blob, blob["manifest"]))
    blob["segments"], blob["pages"] = len(entries), len(blob["manifest"][1])
    blob["sha256"] = save(arguments.out, content)
    return blob


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--service-key", required=True)
    parser.add_argument("--account")
    parser.add_argument("--shredded", action="store_true")
    parser.add_argument("--container")
    parser.add_argument("--blob")
    parser.add_argument("--time", type=int)
    parser.add_argument("--client-key", default="", help="in base64, as clients send it")
    parser.add_argument("--out")
    parser.add_argument("--customer-key", action="append", default=[])
    parser.add_argument("--keyvaultd", action="append", default=[])
    arguments = parser.parse_args()
    try:
        json.dump(printable(run(arguments)), sys.stdout, indent=1)
        print()
    except (ValueError, KeyError, IndexError, OSError, InvalidTag, sqlite3.Error) as error:
        sys.exit(f"read_store.py: {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
