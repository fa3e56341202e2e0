#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every data object of a store, as JSON of names and SHA-256s of their bytes. PLACE as stored_keys.py has it.

  stored_objects.py PLACE
"""
import hashlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "../../vectors"))

import read_store  # noqa: E402


def main(place):
    store = read_store.open_store(place)
    json.dump({name: hashlib.sha256(store.read(name)).hexdigest()
               for name in store.names(read_store.DATA, "")}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
