#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a gateway has on RADOS, for tests that have no librados.

  rados_space.py dump PLACE DIR    every object with its attributes and its map, a file each; key, value,
                                   key, value of a map as they are stored
  rados_space.py spoil PLACE       changes one byte of each chunk of every data object

PLACE: tests/vectors/rados_store.py.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "vectors"))
from rados_store import DATA, META, POOLS, RadosStore  # noqa: E402

SEALED_CHUNK_BYTES = 65536 + 16
AT = 100


def dump(store, directory):
    directory.mkdir()
    for pool, pool_name in POOLS.items():
        for number, name in enumerate(store.names(pool, "")):
            parts = [name.encode(), store.read(name, pool)]
            parts += [part for key, value in store.attributes(name, pool).items()
                      for part in (key.encode(), value)]
            if pool == META:
                parts += [part for entry in store.map(name, b"").items() for part in entry]
            (directory / f"{pool_name.decode()}.{number}").write_bytes(b"\n".join(parts))


def spoil(store):
    for name in store.names(DATA, ""):
        content = bytearray(store.read(name))
        for at in range(AT, len(content), SEALED_CHUNK_BYTES):
            content[at] ^= 1
        store.write(name, bytes(content))


def main(words):
    if len(words) == 3 and words[0] == "dump":
        dump(RadosStore(words[1]), pathlib.Path(words[2]))
    elif len(words) == 2 and words[0] == "spoil":
        spoil(RadosStore(words[1]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
