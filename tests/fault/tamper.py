#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tampers with a running gateway's store behind its back and reads through HTTP: no wrong byte, ever.

usage: tamper.py [--reads N] [--seed N] [--pages N] [--kind TEXT]

Blobs of every shape are stored. Then, again and again, something in the database or the volume files is
changed, swapped, moved, cut, dropped or repeated, and what it belongs to is read. Every such read must
be refused (500 IntegrityCheckFailed), or, where the answer had begun, break off behind bytes that are
right; what was not touched must read right meanwhile. A record that was taken away may be reported as
not there: docs/format.md section 14 says what is not authenticated. Afterwards all is put back, and
reads right again.

Ends when N reads (20,000) have hit what was tampered with, then prints a table. --pages (30): so many
times the database file itself is damaged between a stop and a start. The seed is printed; with it the
same things are done to the same blobs.
"""
import argparse
import collections
import pathlib
import random
import re
import shutil
import sqlite3
import struct
import sys
import tempfile
import time

import fixtures  # first: it ends with 77, and tells where the others are
from fixtures import CHUNK, DATA, META, World, read_store
from blob_client import Gone
from gateway_process import Gateway

fmt = read_store.fmt
REFUSED = "IntegrityCheckFailed"
WHOLE_BYTES_MAX = 600_000  # larger blobs are read whole now and then only
FULL_CHECK_EVERY = 700
SETTLE_S = 60


class Wrong(Exception):
    """The gateway did what it must not."""


# --- what a read must come to ----------------------------------------------------------------------


def check_head(blob, answer, length):
    if answer.length != length or answer.headers["etag"] != blob.etag or \
            answer.metadata != blob.metadata:
        raise Wrong(f"{blob}: the head of an answer is not the blob's: {answer.headers}")


def must_fail(blob, answer, wanted, codes):
    """What became of a read that hit something: codes are the errors that are allowed."""
    if answer.status in (200, 206):
        if answer.whole or not wanted.startswith(answer.body):
            raise Wrong(f"{blob}: {len(answer.body)} of {answer.length} bytes, "
                        f"{'right' if wanted.startswith(answer.body) else 'wrong'}")
        if answer.length != len(wanted):
            raise Wrong(f"{blob}: announced {answer.length} bytes instead of {len(wanted)}")
        return "broken off"
    if answer.code not in codes:
        raise Wrong(f"{blob}: {answer.status} {answer.code}")
    if not answer.whole or (len(blob.content) > 15 and blob.content[:16] in answer.body):
        raise Wrong(f"{blob}: an error with content in it")
    return "refused" if answer.status == 500 else "not found"


def must_be_right(blob, answer, wanted):
    if answer.status not in (200, 206) or answer.body != wanted:
        raise Wrong(f"{blob}: an untouched part: {answer.status} {answer.code}, "
                    f"{len(answer.body)} of {len(wanted)} bytes")
    check_head(blob, answer, len(wanted))


class Reads:
    """Reads that hit what was tampered with, and some that must not. hits counts outcomes."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng
        self.hits = collections.Counter()
        self.touched = []  # (blob, first, end) of what one tampering hits
        self.beside = 0

    def client(self, blob):
        return self.world.clients[blob.account]

    def fail(self, blob, answer, wanted=b"", codes=(REFUSED,)):
        self.hits[must_fail(blob, answer, wanted, codes)] += 1

    def fail_or_right(self, blob, first, end):
        """What was changed may be without effect. How a number that makes no sense is told does not
        matter."""
        answer = self.client(blob).get(blob.path, first, end - 1)
        if answer.body == blob.content[first:end]:
            must_be_right(blob, answer, answer.body)
        else:
            self.fail(blob, answer, blob.content[first:end], (REFUSED, "InternalError"))

    def whole(self, blob):
        must_be_right(blob, self.client(blob).get(blob.path), blob.content)

    def everything(self):
        for blob in self.world.blobs:
            self.whole(blob)
            check_head(blob, self.client(blob).properties(blob.path), 0)
        for account, container in fixtures.PLACES:
            names = self.listed(account, container)
            if names != self.names(account, container):
                raise Wrong(f"{account}/{container} lists {names}")

    # --- listings ----------------------------------------------------------------------------------

    def names(self, account, container):
        return sorted(blob.name for blob in self.world.blobs
                      if (blob.account, blob.container) == (account, container))

    def listed(self, account, container):
        answer = self.world.clients[account].list_blobs(container)
        if answer.status != 200:
            raise Wrong(f"{account}/{container}: a listing: {answer.status} {answer.code}")
        return sorted(name.decode() for name in re.findall(b"<Name>([^<]*)</Name>", answer.body))

    def listing_fails(self, blob, codes=(REFUSED,), more=""):
        answer = self.client(blob).list_blobs(blob.container, more)
        if answer.status == 200:
            raise Wrong(f"{blob}: a listing passes over it")
        self.fail(blob, answer, codes=codes)

    # --- what was hit ------------------------------------------------------------------------------

    def content(self, blob, first, end):
        """Bytes [first, end) cannot be read."""
        size = len(blob.content)
        client = self.client(blob)
        for _ in range(2):
            inside = self.rng.randrange(first, end)
            begin = max(0, inside - self.rng.choice((0, 1, 500, CHUNK, 3 * CHUNK)))
            last = min(size - 1, inside + self.rng.choice((0, 1, 500, CHUNK, 3 * CHUNK)))
            self.fail(blob, client.get(blob.path, begin, last), blob.content[begin:last + 1])
        if size <= WHOLE_BYTES_MAX or self.rng.random() < 0.05:
            self.fail(blob, client.get(blob.path), blob.content)
        self.untouched(blob)

    def untouched(self, blob):
        """A part of the blob beside what was hit."""
        size = len(blob.content)
        hit = [(first, end) for other, first, end in self.touched if other is blob]
        spans = [(begin, until) for piece in blob.pieces for _, _, begin, until in piece.chunks()
                 if all(until <= first or begin >= end for first, end in hit)]
        if spans:
            begin, until = self.rng.choice(spans)
            last = min(until, begin + 1 + self.rng.randrange(size)) - 1
            must_be_right(blob, self.client(blob).get(blob.path, begin, last),
                          blob.content[begin:last + 1])
            self.beside += 1

    def record(self, blob, codes=(REFUSED,), listed=True):
        """The blob as a whole cannot be used. listed False: it is taken away, or with its container."""
        client = self.client(blob)
        size = len(blob.content)
        first = self.rng.randrange(size) if size else 0
        reads = [lambda: client.get(blob.path),
                 lambda: client.get(blob.path, first, first + self.rng.randrange(70000)),
                 lambda: client.properties(blob.path),
                 lambda: client.get_metadata(blob.path),
                 lambda: client.block_list(blob.path)]
        if size > WHOLE_BYTES_MAX:
            reads = reads[1:]
        for read in self.rng.sample(reads, 3):
            self.fail(blob, read(), codes=codes)
        if listed:
            self.listing_fails(blob, codes, self.rng.choice(
                ("", "&include=metadata", "&prefix=" + blob.name.replace(" ", "%20"))))

    def page(self, blob, first, end):
        self.content(blob, first, end)
        self.fail(blob, self.client(blob).block_list(blob.path))
        check_head(blob, self.client(blob).properties(blob.path), 0)

    def staged(self, blob):
        client = self.client(blob)
        for kind in ("all", "uncommitted"):
            self.fail(blob, client.block_list(blob.path, kind))
        self.fail(blob, client.put_block_list(blob.path, list(blob.staged)))
        self.whole(blob)

    def container(self, account, container, codes=(REFUSED,)):
        """What needs the container's own record. A blob is found without it."""
        client = self.world.clients[account]
        blob = self.rng.choice([blob for blob in self.world.blobs if blob.content and
                                (blob.account, blob.container) == (account, container)])
        self.fail_or_right(blob, 0, min(len(blob.content), 1000))
        self.fail(blob, client.container_properties(container), codes=codes)
        self.listing_fails(blob, codes)
        if codes == (REFUSED,):
            self.fail(blob, client.list_containers())

    def data_key(self, blob):
        """The open part is good; what needs the data key must fail."""
        client = self.client(blob)
        reads = [lambda: client.get(blob.path, 0, 100), lambda: client.properties(blob.path),
                 lambda: client.get_metadata(blob.path),
                 lambda: client.list_blobs(blob.container, "&include=metadata")]
        for read in self.rng.sample(reads, 3):
            self.fail(blob, read())


# --- what is done ----------------------------------------------------------------------------------


def flip_bit(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1:]


def change_byte(rng, data):
    at = rng.randrange(len(data))
    return data[:at] + bytes([(data[at] + rng.randrange(1, 256)) % 256]) + data[at + 1:]


def damage_head(rng, data):
    """Magic, flags and length of a record."""
    return change_byte(rng, data[:9]) + data[9:]


def cut(rng, data):
    return data[:rng.randrange(len(data))]


def extend(rng, data):
    return data + rng.randbytes(rng.choice((1, 16, 1000, 70000)))


def empty(_, _data):
    return b""


MUTATIONS = {"a bit flipped": flip_bit, "a byte changed": change_byte, "head changed": damage_head,
             "cut": cut, "extended": extend, "emptied": empty}


class Attacks:
    """Each method does one thing and returns the reads that follow it. Names are the kinds of the
    table; weights say how often."""

    def __init__(self, world, reads, rng):
        self.world, self.reads, self.rng = world, reads, rng
        self.store = world.store
        self.with_data = [blob for blob in world.blobs if blob.pieces]
        self.beside = [blob for blob in world.blobs if blob.beside]
        self.paged = [blob for blob in world.blobs if blob.pages]
        self.staging = [blob for blob in world.blobs if blob.staged]
        self.keyed = [blob for blob in world.blobs if blob.name not in ("objects in a block",)]
        self.old = []
        self.kinds = [
            ("data: a bit flipped", 60, self.data_bit),
            ("data: a byte changed", 40, self.data_byte),
            ("data: a bit of a tag flipped", 30, self.data_tag),
            ("data: a random place in a volume", 30, self.data_anywhere),
            ("data: zeros over a chunk", 10, self.data_zeros),
            ("chunks swapped in an object", 30, self.chunks_in_object),
            ("a chunk over one of another blob", 20, self.chunk_of_other),
            ("objects swapped in a segment", 15, self.objects_in_segment),
            ("objects swapped between blobs", 30, self.objects_of_blobs),
            ("segments swapped in a blob", 15, self.segments_in_blob),
            ("segments swapped between blobs", 20, self.segments_of_blobs),
            ("object cut", 20, self.object_cut),
            ("object extended", 15, self.object_extended),
            ("object dropped", 15, self.object_dropped),
            ("object twice", 15, self.object_twice),
            ("extent moved", 15, self.extent_moved),
            ("volume cut", 2, self.volume_cut),
            ("nonsense in a row", 15, self.nonsense),
            *((f"blob record {name}", 15, self.mutated(self.blob_record, mutate))
              for name, mutate in MUTATIONS.items()),
            *((f"data beside a record {name}", 8, self.mutated(self.beside_record, mutate))
              for name, mutate in MUTATIONS.items()),
            ("data beside records swapped", 15, self.beside_swapped),
            ("data beside a record dropped", 5, self.beside_dropped),
            ("blob records swapped", 30, self.records_swapped),
            ("blob record over another", 20, self.record_over_other),
            ("blob record under a new name", 10, self.record_moved),
            ("blob record of another kind", 10, self.record_of_other_kind),
            ("blob record dropped", 10, self.record_dropped),
            *((f"manifest page {name}", 5, self.mutated(self.manifest_page, mutate))
              for name, mutate in MUTATIONS.items()),
            ("manifest pages swapped", 15, self.pages_swapped),
            ("manifest page dropped", 5, self.page_dropped),
            *((f"staged block {name}", 5, self.mutated(self.staged_block, mutate))
              for name, mutate in MUTATIONS.items()),
            ("staged blocks swapped", 8, self.staged_swapped),
            *((f"container record {name}", 4, self.mutated(self.container_record, mutate))
              for name, mutate in MUTATIONS.items()),
            ("container records swapped", 8, self.containers_swapped),
            ("container record dropped", 3, self.container_dropped),
            ("indexes swapped", 5, self.indexes_swapped),
            ("index closed", 5, self.index_closed),
            ("index dropped", 5, self.index_dropped),
            ("accounts swapped", 3, self.accounts_swapped),
            ("data key of another blob", 20, self.data_key_of_other),
            ("data key changed", 20, self.data_key_changed),
            ("blob shorter than its segment", 10, self.size_forged),
            ("old record whose data has gone", 15, self.old_record),
        ]

    # --- helpers -----------------------------------------------------------------------------------

    def blob(self, blobs=None):
        return self.rng.choice(blobs or self.with_data)

    def two(self, blobs=None):
        return self.rng.sample(blobs or self.with_data, 2)

    def chunk(self):
        blob = self.blob()
        piece = self.rng.choice(blob.pieces)
        return (blob, piece, *self.rng.choice(list(piece.chunks())))

    def patch(self, change, name, at, fresh):
        """Bytes of a data object, from at on."""
        extent = self.store.extent(name)
        if extent is not None:
            change.write_volume(extent["volume"], extent["offset"] + at, fresh)
        else:
            old = self.store.read(name)
            change.set_bytes(name, old[:at] + fresh + old[at + len(fresh):])

    def stored(self, name, at, length):
        return self.store.read_part(name, at, length)

    def hit(self, blob, first, end):
        """The reads of a blob whose bytes [first, end) were hit."""
        self.reads.touched.append((blob, first, end))
        return [lambda: self.reads.content(blob, first, end)]

    def hit_page(self, blob, first, end):
        self.reads.touched.append((blob, first, end))
        return [lambda: self.reads.page(blob, first, end)]

    def hit_piece(self, blob, piece):
        return self.hit(blob, piece.first, piece.first + piece.length)

    # --- data --------------------------------------------------------------------------------------

    def edit_chunk(self, change, edit, tag=False):
        blob, piece, at, length, first, end = self.chunk()
        skip = length - 16 if tag else 0
        old = self.stored(piece.name, at + skip, length - skip)
        self.patch(change, piece.name, at + skip, edit(self.rng, old))
        return self.hit(blob, first, end)

    def data_bit(self, change):
        return self.edit_chunk(change, flip_bit)

    def data_byte(self, change):
        return self.edit_chunk(change, change_byte)

    def data_tag(self, change):
        return self.edit_chunk(change, flip_bit, tag=True)

    def data_zeros(self, change):
        return self.edit_chunk(change, lambda _, old: bytes(len(old)))

    def data_anywhere(self, change):
        """A byte of the volumes, whosever it is, or nobody's."""
        volumes = sorted((self.store.directory / "volumes").iterdir())
        number = self.rng.randrange(len(volumes))
        at = self.rng.randrange(volumes[number].stat().st_size)
        old = self.store.volume_part(number, at, 1)
        change.write_volume(number, at, bytes([old[0] ^ self.rng.randrange(1, 256)]))
        for blob in self.with_data:
            for piece in blob.pieces:
                extent = self.store.extent(piece.name)
                if extent is None or extent["volume"] != number:
                    continue
                for start, length, first, end in piece.chunks():
                    if 0 <= at - extent["offset"] - start < length:
                        return self.hit(blob, first, end)
        return [lambda: self.reads.whole(self.blob())]

    def chunks_in_object(self, change):
        blob = self.blob([blob for blob in self.with_data
                          if any(piece.length >= 2 * CHUNK for piece in blob.pieces)])
        piece = self.rng.choice([piece for piece in blob.pieces if piece.length >= 2 * CHUNK])
        one, other = self.rng.sample(list(piece.chunks()), 2)
        length = min(one[1], other[1])
        both = [self.stored(piece.name, at, length) for at in (one[0], other[0])]
        self.patch(change, piece.name, one[0], both[1])
        self.patch(change, piece.name, other[0], both[0])
        return self.hit(blob, *one[2:]) + self.hit(blob, *other[2:])

    def chunk_of_other(self, change):
        blob, piece, at, length, first, end = self.chunk()
        _, source, start, source_length, _, _ = self.chunk()
        if (source, start) == (piece, at):
            return self.data_bit(change)
        self.patch(change, piece.name, at,
                   self.stored(source.name, start, min(length, source_length)))
        return self.hit(blob, first, end)

    def objects_in_segment(self, change):
        blob = self.blob([blob for blob in self.with_data
                          if any(len(pieces) > 1 for pieces in blob.segments)])
        pieces = self.rng.choice([pieces for pieces in blob.segments if len(pieces) > 1])
        one, other = self.rng.sample(pieces, 2)
        change.swap_names(DATA, one.name, other.name)
        return self.hit_piece(blob, one) + self.hit_piece(blob, other)

    def objects_of_blobs(self, change):
        blob, twin = self.two()
        one, other = self.rng.choice(blob.pieces), self.rng.choice(twin.pieces)
        change.swap_names(DATA, one.name, other.name)
        return self.hit_piece(blob, one) + self.hit_piece(twin, other)

    def segments_in_blob(self, change):
        blob = self.blob([blob for blob in self.with_data if len(blob.segments) > 1])
        one, other = self.rng.sample(blob.segments, 2)
        reads = []
        for piece, twin in zip(one, other):
            change.swap_names(DATA, piece.name, twin.name)
            reads += self.hit_piece(blob, piece) + self.hit_piece(blob, twin)
        return reads

    def segments_of_blobs(self, change):
        name = self.rng.choice([blob.name for blob in self.with_data
                                if blob.name != fixtures.MANY_BLOCKS[2]])
        blob, twin = self.two([blob for blob in self.with_data if blob.name == name])
        number = self.rng.randrange(len(blob.segments))
        reads = []
        for one, other in zip(blob.segments[number], twin.segments[number]):
            change.swap_names(DATA, one.name, other.name)
            reads += self.hit_piece(blob, one) + self.hit_piece(twin, other)
        return reads

    # --- data objects ------------------------------------------------------------------------------

    def object_cut(self, change):
        blob, piece, at, length, first, _ = self.chunk()
        shorter = at + self.rng.randrange(length)
        row, extent = self.store.object(DATA, piece.name), self.store.extent(piece.name)
        if extent is None:
            change.set_bytes(piece.name, row["bytes"][:shorter])
        else:
            # The bytes are there still, or are told to be there.
            change.change_row("extent", (row["id"], 0), length=shorter)
            if self.rng.random() < 0.5:
                change.change_row("object", (row["id"],), size=shorter)
        return self.hit(blob, first, piece.first + piece.length)

    def object_extended(self, change):
        """The last chunk does not end the object any more."""
        blob = self.blob()
        piece = self.rng.choice(blob.pieces)
        row, extent = self.store.object(DATA, piece.name), self.store.extent(piece.name)
        more = self.rng.choice((1, 16, 4096, CHUNK))
        if extent is None:
            change.change_row("object", (row["id"],), size=row["size"] + more,
                              bytes=row["bytes"] + self.rng.randbytes(more))
        else:
            change.change_row("object", (row["id"],), size=row["size"] + more)
            change.change_row("extent", (row["id"], 0), length=extent["length"] + more)
        *_, (_, _, first, end) = piece.chunks()
        return self.hit(blob, first, end)

    def object_dropped(self, change):
        blob = self.blob()
        piece = self.rng.choice(blob.pieces)
        change.remove_object(DATA, piece.name)
        return self.hit_piece(blob, piece)

    def object_twice(self, change):
        """One name leads to another's bytes."""
        blob, twin = self.two()
        one, other = self.rng.choice(blob.pieces), self.rng.choice(twin.pieces)
        source, target = self.store.object(DATA, one.name), self.store.object(DATA, other.name)
        extent = self.store.extent(one.name)
        change.change_row("object", (target["id"],), size=source["size"], bytes=source["bytes"])
        row = None if extent is None else {**extent, "object": target["id"]}
        change.set_row("extent", (target["id"], 0), row)
        return self.hit_piece(twin, other)

    def extent_moved(self, change):
        blob = self.blob([blob for blob in self.with_data
                          if self.store.extent(blob.pieces[0].name) is not None])
        piece = blob.pieces[0]
        extent = self.store.extent(piece.name)
        by = self.rng.choice((1, 16, 4096, 65552))
        change.change_row("extent", (extent["object"], 0), offset=extent["offset"] + by)
        return self.hit_piece(blob, piece)

    def volume_cut(self, change):
        """Whatever lies behind the cut is hit too; one blob is read."""
        blob = self.blob([blob for blob in self.with_data
                          if self.store.extent(blob.pieces[0].name) is not None])
        piece = blob.pieces[0]
        extent = self.store.extent(piece.name)
        chunks = list(piece.chunks())
        at, length, first, _ = self.rng.choice(chunks)
        change.cut_volume(extent["volume"], extent["offset"] + at + self.rng.randrange(length))
        self.reads.touched.append((blob, 0, len(blob.content)))
        return self.hit(blob, first, piece.first + piece.length)

    def nonsense(self, change):
        """Values that no gateway writes, where numbers and bytes should be."""
        blob = self.blob()
        piece = self.rng.choice(blob.pieces)
        row, extent = self.store.object(DATA, piece.name), self.store.extent(piece.name)
        value = self.rng.choice((-1, -2**63, 2**63 - 1, 2**32, "text", b"\xff" * 9, 1.5e300))
        if extent is not None and self.rng.random() < 0.8:
            column = self.rng.choice(("volume", "offset", "length", "start"))
            if column == "start":
                change.set_row("extent", (row["id"], 0), None)
                change.set_row("extent", (row["id"], value), {**extent, "start": value})
            else:
                change.change_row("extent", (row["id"], 0), **{column: value})
        else:
            change.change_row("object", (row["id"],), size=value)
        return [lambda: self.reads.fail_or_right(blob, piece.first, piece.first + piece.length)]

    # --- records -----------------------------------------------------------------------------------

    def mutated(self, pick, mutate):
        """An attack that changes one value; pick gives where it stands, and the reads."""
        def attack(change):
            name, key, reads = pick()
            change.set_map(name, key, mutate(self.rng, self.store.map_value(name, key)))
            return reads
        return attack

    def blob_record(self):
        blob = self.blob(self.world.blobs)
        return self.world.index(blob), blob.key, [lambda: self.reads.record(blob)]

    def hit_beside(self, blob):
        return self.hit(blob, 0, len(blob.content))

    def beside_record(self):
        blob = self.blob(self.beside)
        return self.world.index(blob), blob.beside, self.hit_beside(blob)

    def beside_swapped(self, change):
        one, other = self.two(self.beside)
        chunks = [self.store.map_value(self.world.index(blob), blob.beside) for blob in (one, other)]
        change.set_map(self.world.index(one), one.beside, chunks[1])
        change.set_map(self.world.index(other), other.beside, chunks[0])
        return self.hit_beside(one) + self.hit_beside(other)

    def beside_dropped(self, change):
        name, key, reads = self.beside_record()
        change.set_map(name, key, None)
        return reads

    def records_swapped(self, change):
        one, other = self.two(self.world.blobs)
        records = [self.world.record(blob) for blob in (one, other)]
        change.set_map(self.world.index(one), one.key, records[1])
        change.set_map(self.world.index(other), other.key, records[0])
        return [lambda: self.reads.record(one), lambda: self.reads.record(other)]

    def record_over_other(self, change):
        one, other = self.two(self.world.blobs)
        change.set_map(self.world.index(other), other.key, self.world.record(one))
        return [lambda: self.reads.record(other)]

    def record_moved(self, change):
        blob = self.blob(self.world.blobs)
        ghost = fixtures.Blob(blob.account, blob.container, "moved " + blob.name, b"", {})
        change.set_map(self.world.index(ghost), ghost.key, self.world.record(blob))
        return [lambda: self.reads.record(ghost)]

    def record_of_other_kind(self, change):
        blob, paged, staging = self.blob(self.world.blobs), self.blob(self.paged), \
            self.blob(self.staging)
        value = self.rng.choice((
            self.store.map_value(self.world.index(paged), paged.pages[0][0]),
            self.store.map_value(self.world.index(staging), staging.staged_keys[0]),
            self.store.map_value("account/alpha", b"c/one"),
            self.store.attributes("account/alpha")["gateway.account"]))
        change.set_map(self.world.index(blob), blob.key, value)
        return [lambda: self.reads.record(blob)]

    def record_dropped(self, change):
        blob = self.blob(self.world.blobs)
        change.set_map(self.world.index(blob), blob.key, None)

        def reads():
            self.reads.record(blob, ("BlobNotFound", ""), listed=False)
            if blob.name in self.reads.listed(blob.account, blob.container):
                raise Wrong(f"{blob} is listed without a record")
        return [reads]

    # --- pages, blocks, containers -----------------------------------------------------------------

    def manifest_page(self):
        blob = self.blob(self.paged)
        key, first, end = self.rng.choice(blob.pages)
        return self.world.index(blob), key, self.hit_page(blob, first, end)

    def pages_swapped(self, change):
        many = self.world.named(fixtures.MANY_BLOCKS[2])
        one, other = self.rng.sample(many.pages, 2)
        twin = many
        if self.rng.random() < 0.5:
            twin = self.blob([blob for blob in self.paged if blob is not many])
            other = twin.pages[0]
        values = [self.store.map_value(self.world.index(blob), page[0])
                  for blob, page in ((many, one), (twin, other))]
        change.set_map(self.world.index(many), one[0], values[1])
        change.set_map(self.world.index(twin), other[0], values[0])
        return self.hit_page(many, *one[1:]) + self.hit_page(twin, *other[1:])

    def page_dropped(self, change):
        name, key, reads = self.manifest_page()
        change.set_map(name, key, None)
        return reads

    def staged_block(self):
        blob = self.blob(self.staging)
        return (self.world.index(blob), self.rng.choice(blob.staged_keys),
                [lambda: self.reads.staged(blob)])

    def staged_swapped(self, change):
        one, other = self.two(self.staging)
        keys = self.rng.choice(one.staged_keys), self.rng.choice(other.staged_keys)
        values = [self.store.map_value(self.world.index(blob), key)
                  for blob, key in zip((one, other), keys)]
        change.set_map(self.world.index(one), keys[0], values[1])
        change.set_map(self.world.index(other), keys[1], values[0])
        return [lambda: self.reads.staged(one), lambda: self.reads.staged(other)]

    def container_record(self):
        account, container = self.rng.choice(fixtures.PLACES)
        return (f"account/{account}", b"c/" + container.encode(),
                [lambda: self.reads.container(account, container)])

    def containers_swapped(self, change):
        places = self.rng.sample(fixtures.PLACES, 2)
        where = [(f"account/{account}", b"c/" + container.encode()) for account, container in places]
        values = [self.store.map_value(*place) for place in where]
        change.set_map(*where[0], values[1])
        change.set_map(*where[1], values[0])
        return [lambda place=place: self.reads.container(*place) for place in places]

    def container_dropped(self, change):
        name, key, _ = self.container_record()
        account, container = name.partition("/")[2], key[2:].decode()
        change.set_map(name, key, None)
        return [lambda: self.reads.container(account, container, ("ContainerNotFound", ""))]

    def indexes_swapped(self, change):
        places = self.rng.sample(fixtures.PLACES, 2)
        blob = self.blob([blob for blob in self.world.blobs
                          if (blob.account, blob.container) == places[0] and
                          blob.name != fixtures.MANY_BLOCKS[2]])
        twin = fixtures.Blob(*places[1], blob.name, b"", {})
        change.swap_names(META, self.world.index(blob), self.world.index(twin))
        return [lambda: self.reads.record(blob)]

    def index_closed(self, change):
        """As if the container were being deleted."""
        blob = self.blob(self.world.blobs)
        change.set_map(self.world.index(blob), b"x", b"\1")
        return [lambda: self.reads.record(blob, ("ContainerBeingDeleted", ""), listed=False)]

    def index_dropped(self, change):
        blob = self.blob(self.world.blobs)
        change.remove_object(META, self.world.index(blob))
        return [lambda: self.reads.record(blob, listed=False)]

    def accounts_swapped(self, change):
        """Under a running gateway, which has the accounts' own attributes in memory."""
        change.swap_names(META, "account/alpha", "account/beta")
        account = self.rng.choice(("alpha", "beta"))
        return [lambda: self.reads.container(account, "one")]

    # --- by one who has the service key --------------------------------------------------------------

    def forge(self, change, blob, edit):
        """An authentic record with something else in its open part."""
        account = self.world.accounts[blob.account]
        container_id = self.world.container_id(blob)
        where = read_store.binding("blob", container_id, blob.key)
        record = self.world.record(blob)
        opened = fmt.open_record(self.world.service_key, account.id, where, record)
        head = fmt.split_record(record)[0]
        key = fmt.record_open_key(self.world.service_key, account.id)
        change.set_map(self.world.index(blob), blob.key,
                       head + fmt.xaes_seal(key, edit(opened), fmt.open_part_aad(where, head)))

    def forge_data_key(self, change, blob, edit):
        self.forge(change, blob, lambda opened:
                   opened[:18] + edit(opened[18:130]) + opened[130:])
        return [lambda: self.reads.data_key(blob)]

    def sealed_data_key(self, blob):
        account = self.world.accounts[blob.account]
        container_id = self.world.container_id(blob)
        return account.open_value("blob", container_id, blob.key, self.world.record(blob))[18:130]

    def data_key_of_other(self, change):
        blob, other = self.two(self.world.blobs)
        return self.forge_data_key(change, blob, lambda _: self.sealed_data_key(other))

    def data_key_changed(self, change):
        return self.forge_data_key(change, self.blob(self.world.blobs),
                                   lambda sealed: flip_bit(self.rng, sealed))

    def size_forged(self, change):
        """A blob that is shorter than its first segment."""
        blob = self.blob([blob for blob in self.with_data if blob.segments[0][0].length > 20])
        size = struct.pack(">Q", self.rng.randrange(1, 5))
        self.forge(change, blob, lambda opened: opened[:154] + size + opened[162:])
        return [lambda: self.reads.fail(blob, self.reads.client(blob).get(blob.path), blob.content[:4])]

    # --- older records -----------------------------------------------------------------------------

    def make_old(self):
        """Blobs that were written again, with the records that they had before."""
        client = self.world.clients["alpha"]
        for number, size in enumerate((20, 5000, 30000, 3 * CHUNK, 9 * CHUNK + 1)):
            blob = fixtures.Blob("alpha", "two", f"old {number}", self.rng.randbytes(size), {})
            assert client.put(blob.path, blob.content).status == 201
            self.remember(blob)
            assert client.put(blob.path, b"new").status == 201
        blob = fixtures.Blob("alpha", "two", "old blocks", b"", {})
        blocks = {b"a": self.rng.randbytes(3 * CHUNK), b"b": self.rng.randbytes(CHUNK),
                  b"c": self.rng.randbytes(40)}
        for name, content in blocks.items():
            assert client.put_block(blob.path, name, content).status == 201
        blob.content = b"".join(blocks.values())
        assert client.put_block_list(blob.path, list(blocks)).status == 201
        self.remember(blob)
        assert client.put_block_list(blob.path, [b"a", b"c"]).status == 201
        self.wait_for_removal()
        for blob, _ in self.old:
            client.delete(blob.path)

    def remember(self, blob):
        self.old.append((blob, self.world.record(blob)))

    def wait_for_removal(self):
        deadline = time.monotonic() + SETTLE_S
        while self.store.rows("SELECT count(*) FROM map WHERE substr(key, 1, 2) = ?",
                              b"g/")[0][0] > 0:
            if time.monotonic() > deadline:
                raise Wrong(f"the reaper has left garbage for {SETTLE_S} s ")
            time.sleep(0.02)

    def old_record(self, change):
        blob, record = self.rng.choice(self.old)
        change.set_map(self.world.index(blob), blob.key, record)
        client = self.reads.client(blob)
        first = self.rng.randrange(len(blob.content))

        def reads():
            self.reads.fail(blob, client.get(blob.path), blob.content)
            if blob.name != "old blocks":  # its first block is there still
                self.reads.fail(blob, client.get(blob.path, first, first + CHUNK - 1),
                                blob.content[first:first + CHUNK])
        return [reads]


# --- the database file -----------------------------------------------------------------------------


def damage_database(gateway, world, rng, rounds):
    """Bytes of the database file itself, between a stop and a start. Whatever SQLite makes of it: no
    wrong byte, no crash."""
    outcomes = collections.Counter()
    gateway.stop()
    world.store.close()
    kept = gateway.directory / "kept"
    shutil.copytree(gateway.state, kept)
    for _ in range(rounds):
        shutil.rmtree(gateway.state)
        shutil.copytree(kept, gateway.state)
        with open(gateway.state / "store.sqlite", "r+b") as file:
            size = file.seek(0, 2)
            for _ in range(rng.choice((1, 10, 300))):
                at = rng.randrange(size)
                file.seek(at)
                old = file.read(1)
                file.seek(at)
                file.write(bytes([old[0] ^ rng.randrange(1, 256)]))
        gateway.launch()
        while not gateway.ready.exists() and gateway.process.poll() is None:
            time.sleep(0.01)
        if gateway.process.poll() is not None:
            if gateway.process.returncode != 1:
                raise Wrong(f"a damaged database ends the gateway with {gateway.process.returncode}")
            outcomes["not started"] += 1
            continue
        gateway.learn_endpoints()
        world.connect()
        read_damaged(world, rng, outcomes)
        gateway.check_alive()
        gateway.kill()
    shutil.rmtree(gateway.state)
    shutil.copytree(kept, gateway.state)
    gateway.start()
    world.connect()
    return outcomes


def read_damaged(world, rng, outcomes):
    for blob in rng.sample(world.blobs, 20):
        answer = world.clients[blob.account].get(blob.path)
        if answer.status in (200, 206):
            if not blob.content.startswith(answer.body):
                raise Wrong(f"{blob}: a wrong byte out of a damaged database")
            if answer.whole:
                check_head(blob, answer, len(blob.content))
            outcomes["right" if answer.whole else "broken off"] += 1
        elif answer.status in (403, 404, 500):  # 403: there is no such account any more
            outcomes["refused" if answer.status == 500 else "not found"] += 1
        else:
            raise Wrong(f"{blob}: {answer.status} {answer.code}")


# --- the program -----------------------------------------------------------------------------------


def print_table(table, beside):
    print(f"\n{'kind':<36} {'times':>6} {'reads':>7} {'refused':>8} {'broken off':>11} {'not found':>10}")
    total = collections.Counter()
    for kind, (times, hits) in table.items():
        print(f"{kind:<36} {times:>6} {sum(hits.values()):>7} {hits['refused']:>8} "
              f"{hits['broken off']:>11} {hits['not found']:>10}")
        total.update(hits)
        total["times"] += times
    print(f"{'all':<36} {total['times']:>6} {total['refused'] + total['broken off'] + total['not found']:>7}"
          f" {total['refused']:>8} {total['broken off']:>11} {total['not found']:>10}")
    print(f"and {beside} reads of what lay beside, all right")


def tamper(world, rng, wanted, only):
    reads = Reads(world, rng)
    attacks = Attacks(world, reads, rng)
    attacks.make_old()
    kinds = [kind for kind in attacks.kinds if only in kind[0]]
    table = {kind[0]: [0, collections.Counter()] for kind in kinds}
    reads.everything()
    done = times = 0
    while done < wanted:
        # Each kind once at first, then by weight.
        kind, _, attack = kinds[times] if times < len(kinds) else \
            rng.choices(kinds, [weight for _, weight, _ in kinds])[0]
        reads.hits = collections.Counter()
        reads.touched = []
        try:
            with world.store.tampering() as change:
                checks = attack(change)
                change.publish()
                for check in checks:
                    check()
        except (Wrong, Gone) as wrong:
            world.gateway.check_alive(ending_s=5)
            raise Wrong(f"{kind} (the {times + 1}th): {wrong}") from wrong
        done += sum(reads.hits.values())
        times += 1
        table[kind][0] += 1
        table[kind][1].update(reads.hits)
        reads.whole(rng.choice(attacks.keyed))
        if times % FULL_CHECK_EVERY == 0:
            reads.everything()
    reads.everything()
    print_table(table, reads.beside)
    return done


def run(arguments, directory):
    rng = random.Random(arguments.seed)
    began = time.monotonic()
    gateway = Gateway(directory, index_shards=3)
    gateway.removal_delay_s = 0
    gateway.start()
    try:
        world = World(gateway, rng)
        stored = time.monotonic()
        print(f"seed {arguments.seed}: {len(world.blobs)} blobs stored in {stored - began:.1f} s",
              flush=True)
        done = tamper(world, rng, arguments.reads, arguments.kind)
        print(f"{done} tampered reads in {time.monotonic() - stored:.1f} s", flush=True)
        outcomes = damage_database(gateway, world, rng, arguments.pages)
        print(f"{arguments.pages} damaged databases: "
              f"{', '.join(f'{count} {name}' for name, count in sorted(outcomes.items()))}")
        Reads(world, rng).everything()
        if gateway.stop() != 0:
            raise Wrong("the gateway does not end well")
    except (Wrong, AssertionError) as wrong:
        print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
        sys.exit(f"tamper.py: seed {arguments.seed}: {wrong}")
    finally:
        if gateway.process.poll() is None:
            gateway.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=20000)
    parser.add_argument("--pages", type=int, default=30)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--kind", default="", help="only kinds with this text in their name")
    with tempfile.TemporaryDirectory(prefix="gatekey-tamper.") as directory:
        run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    main()
