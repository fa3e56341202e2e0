#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every root key and data key of an account, as JSON of names and hexadecimal digits, for tests that look
where they must not be. PLACE is a state directory that no gateway uses, or a namespace on RADOS
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
        for blob, record in account.blobs(properties).items():
            keys[f"data key of {container}/{blob}"] = fmt.open_data_key(
                root_keys, account.id, properties["id"], record["object"], record["sealedDataKey"])
    json.dump({what: key.hex() for what, key in keys.items()}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
