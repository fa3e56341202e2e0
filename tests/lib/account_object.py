#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An account's object in the embedded store, as the rados tool would show and change one in a pool: for
tests that lose it, or parts of it, behind a gateway's back. docs/format.md section 13.

  account_object.py STATE listxattr OBJECT              names, a line each
  account_object.py STATE getxattr OBJECT NAME          the value's bytes
  account_object.py STATE setxattr OBJECT NAME          from standard input
  account_object.py STATE rmxattr OBJECT NAME
  account_object.py STATE listomapkeys OBJECT
  account_object.py STATE setomapval OBJECT KEY VALUE
  account_object.py STATE cp OBJECT OTHER               attributes and map
  account_object.py STATE rm OBJECT
  account_object.py STATE ls                            names of all objects, a line each
"""
import pathlib
import sqlite3
import sys

META = 0


class State:
    def __init__(self, directory):
        self.database = sqlite3.connect(pathlib.Path(directory) / "store.sqlite", timeout=60)

    def id_of(self, name):
        found = self.database.execute("SELECT id FROM object WHERE pool = ? AND name = ?",
                                      (META, name.encode())).fetchone()
        if found is None:
            sys.exit(f"there is no object {name}")
        return found[0]

    def changed(self, number):
        self.database.execute("UPDATE object SET version = version + 1 WHERE id = ?", (number,))

    def listxattr(self, name):
        for (key,) in self.database.execute("SELECT name FROM attr WHERE object = ? ORDER BY name",
                                            (self.id_of(name),)):
            print(bytes(key).decode())

    def getxattr(self, name, key):
        found = self.database.execute("SELECT value FROM attr WHERE object = ? AND name = ?",
                                      (self.id_of(name), key.encode())).fetchone()
        if found is None:
            sys.exit(f"{name} has no attribute {key}")
        sys.stdout.buffer.write(found[0])

    def setxattr(self, name, key):
        number = self.id_of(name)
        self.database.execute("INSERT OR REPLACE INTO attr (object, name, value) VALUES (?, ?, ?)",
                              (number, key.encode(), sys.stdin.buffer.read()))
        self.changed(number)

    def rmxattr(self, name, key):
        number = self.id_of(name)
        self.database.execute("DELETE FROM attr WHERE object = ? AND name = ?",
                              (number, key.encode()))
        self.changed(number)

    def listomapkeys(self, name):
        for (key,) in self.database.execute("SELECT key FROM map WHERE object = ? ORDER BY key",
                                            (self.id_of(name),)):
            print(bytes(key).decode(errors="replace"))

    def setomapval(self, name, key, value):
        number = self.id_of(name)
        self.database.execute("INSERT OR REPLACE INTO map (object, key, value) VALUES (?, ?, ?)",
                              (number, key.encode(), value.encode()))
        self.changed(number)

    def ls(self):
        for (name,) in self.database.execute("SELECT name FROM object WHERE pool = ?", (META,)):
            print(bytes(name).decode())

    def cp(self, name, other):
        number = self.id_of(name)
        copy = self.database.execute(
            "INSERT INTO object (pool, name, version, size) SELECT pool, ?, version, size FROM object"
            " WHERE id = ?", (other.encode(), number)).lastrowid
        for table, column in (("attr", "name"), ("map", "key")):
            self.database.execute(f"INSERT INTO {table} (object, {column}, value) SELECT ?, {column},"
                                  f" value FROM {table} WHERE object = ?", (copy, number))

    def rm(self, name):
        number = self.id_of(name)
        for table, column in (("attr", "object"), ("map", "object"), ("object", "id")):
            self.database.execute(f"DELETE FROM {table} WHERE {column} = ?", (number,))


def main(directory, command, *arguments):
    state = State(directory)
    with state.database:
        getattr(state, command)(*arguments)
    sys.stdout.flush()
    state.database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
