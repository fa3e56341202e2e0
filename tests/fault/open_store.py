# SPDX-License-Identifier: Apache-2.0
"""The store of a running gateway, looked at and changed behind its back, as somebody can who writes to
the disk. docs/format.md section 13 is what it goes by; tests/vectors/read_store.py reads it.
"""
import os
import pathlib
import sqlite3
import sys

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "vectors"
sys.path.insert(0, str(VECTORS))
import read_store  # noqa: E402  ends with 77 where python3-cryptography is missing

META, DATA = read_store.META, read_store.DATA
BLOCK_BYTES = 4096
KEYS = {"object": ("id",), "attr": ("object", "name"), "map": ("object", "key"),
        "extent": ("object", "start")}


class OpenStore(read_store.Store):
    """The lock file is the gateway's; SQLite itself lets a second process in."""

    def __init__(self, directory):  # pylint: disable=super-init-not-called
        self.directory = pathlib.Path(directory)
        self.database = sqlite3.connect(self.directory / "store.sqlite", isolation_level=None,
                                        timeout=60)
        self.database.row_factory = sqlite3.Row
        self.database.execute("PRAGMA synchronous = OFF")
        self.database.execute("PRAGMA wal_autocheckpoint = 0")
        self.volumes = {}

    def close(self):
        self.database.close()
        for file in self.volumes.values():
            os.close(file)

    def row(self, table, *key):
        where = " AND ".join(f"{column} = ?" for column in KEYS[table])
        found = self.database.execute(f"SELECT * FROM {table} WHERE {where}", key).fetchone()
        return dict(found) if found else None

    def all_rows(self, table):
        return [dict(row) for row in self.database.execute(f"SELECT * FROM {table}")]

    def object(self, pool, name):
        return self.row("object", self.find(pool, name)[0])

    def extent(self, name):
        """The one extent of a data object, None for one that stands in the database."""
        row = self.object(DATA, name)
        return None if row["bytes"] is not None else self.row("extent", row["id"], 0)

    def volume(self, number):
        if number not in self.volumes:
            path = self.directory / "volumes" / f"{number:08d}.vol"
            self.volumes[number] = os.open(path, os.O_RDWR)
        return self.volumes[number]

    def volume_part(self, number, offset, length):
        return os.pread(self.volume(number), length, offset)

    def read_part(self, name, at, length):
        """Bytes of a data object."""
        extent = self.extent(name)
        if extent is None:
            return self.read(name)[at:at + length]
        return self.volume_part(extent["volume"], extent["offset"] + at, length)

    def tampering(self):
        return Tampering(self)


class Tampering:
    """Changes that are put back at the end of a with-block. They take effect with publish()."""

    def __init__(self, store):
        self.store = store
        self.undo = []

    def __enter__(self):
        self.store.database.execute("BEGIN IMMEDIATE")
        return self

    def publish(self):
        self.store.database.execute("COMMIT")

    def __exit__(self, *_):
        if not self.store.database.in_transaction:
            self.store.database.execute("BEGIN IMMEDIATE")
        for step, *arguments in reversed(self.undo):
            step(*arguments)
        self.store.database.execute("COMMIT")

    # --- rows --------------------------------------------------------------------------------------

    def _write_row(self, table, key, row):
        if row is None:
            where = " AND ".join(f"{column} = ?" for column in KEYS[table])
            self.store.database.execute(f"DELETE FROM {table} WHERE {where}", key)
            return
        marks = ", ".join("?" * len(row))
        self.store.database.execute(
            f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) VALUES ({marks})",
            tuple(row.values()))

    def set_row(self, table, key, row):
        """row None: there is none any more."""
        self.undo.append((self._write_row, table, key, self.store.row(table, *key)))
        self._write_row(table, key, row)

    def change_row(self, table, key, **columns):
        self.set_row(table, key, {**self.store.row(table, *key), **columns})

    def set_map(self, name, key, value):
        """value None: the entry goes."""
        number = self.store.find(META, name)[0]
        row = None if value is None else {"object": number, "key": key, "value": value}
        self.set_row("map", (number, key), row)

    def set_attribute(self, name, attribute, value):
        number = self.store.find(META, name)[0]
        key = attribute.encode()
        row = None if value is None else {"object": number, "name": key, "value": value}
        self.set_row("attr", (number, key), row)

    # --- objects -----------------------------------------------------------------------------------

    def swap_names(self, pool, a, b):
        one, other = self.store.object(pool, a), self.store.object(pool, b)
        self.change_row("object", (one["id"],), name=b"aside")
        self.change_row("object", (other["id"],), name=a.encode())
        self.change_row("object", (one["id"],), name=b.encode())

    def remove_object(self, pool, name):
        row = self.store.object(pool, name)
        for table in ("extent", "attr", "map"):
            for part in self.store.database.execute(
                    f"SELECT * FROM {table} WHERE object = ?", (row["id"],)).fetchall():
                self.set_row(table, tuple(part[column] for column in KEYS[table]), None)
        self.set_row("object", (row["id"],), None)

    def set_bytes(self, name, content):
        """A data object's content, perhaps of another length, in its old place."""
        row, extent = self.store.object(DATA, name), self.store.extent(name)
        if extent is None:
            self.change_row("object", (row["id"],), bytes=content, size=len(content))
            return
        room = -(-extent["length"] // BLOCK_BYTES) * BLOCK_BYTES
        assert len(content) <= room, "the next object lies there"
        self.write_volume(extent["volume"], extent["offset"], content)
        if len(content) != extent["length"]:
            self.change_row("object", (row["id"],), size=len(content))
            self.change_row("extent", (row["id"], 0), length=len(content))

    # --- volume files ------------------------------------------------------------------------------

    def write_volume(self, number, offset, content):
        file = self.store.volume(number)
        old = os.pread(file, len(content), offset)
        self.undo.append((os.pwrite, file, old, offset))
        os.pwrite(file, content, offset)

    def cut_volume(self, number, size):
        file = self.store.volume(number)
        whole = os.fstat(file).st_size
        self.undo.append((os.pwrite, file, os.pread(file, whole - size, size), size))
        os.ftruncate(file, size)
