#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every root key and data key of an account, of its blobs and of what they were, as JSON of names and
hexadecimal digits, for tests that look where they must not be. PLACE is a state directory that no gateway uses, or a namespace on RADOS
(tests/vectors/rados_store.py). Ends with 77 where the Python library "cryptography" is not installed.

  stored_keys.py PLACE SERVICE-KEY-FILE KEYVAULTD-STATE ACCOUNT
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "../../vectors"))

import gatekey_format as fmt  # noqa: E402
import read_store  # noqa: E402


def main(place, service_key_file, vault_state, name):
    service_key = fmt.read_service_key(pathlib.Path(service_key_file).read_text())
    account = read_store.Account(read_store.open_store(place), service_key, name,
                                 read_store.keyvaultd_keys(vault_state))
    root_keys = account.root_keys()
    keys = {f"root key {generation}": key for generation, key in root_keys.items()}
    for container, properties in account.containers().items():
        records = dict(account.blobs(properties))
        records.update({f"{blob} of {time}": record
                        for (blob, time), record in account.states(properties).items()})
        for blob, record in records.items():
            if record["gone"]:
                continue
            scope = record["fields"].get("encryption", {}).get("scope")
            owner = account if scope is None else account.scope(scope)
            keys[f"data key of {container}/{blob}"] = fmt.open_data_key(
                root_keys if scope is None else owner.root_keys(), owner.id, properties["id"],
                record["object"], record["sealedDataKey"])
    json.dump({what: key.hex() for what, key in keys.items()}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
