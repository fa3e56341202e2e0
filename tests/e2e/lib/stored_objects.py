#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every data object of a store, as JSON of names and SHA-256s of their bytes. PLACE as stored_keys.py has it. One that is
removed meanwhile is left out.

  stored_objects.py PLACE
"""
import hashlib
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "../../vectors"))

import read_store  # noqa: E402


def read_all(store):
    for name in list(store.names(read_store.DATA, "")):
        try:
            content = store.read(name)
        except ValueError as wrong:
            if "there is no object" not in str(wrong):
                raise
            continue
        yield name, hashlib.sha256(content).hexdigest()


def main(place):
    json.dump(dict(read_all(read_store.open_store(place))), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
