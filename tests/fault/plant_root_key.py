#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Plants a root key: what somebody can do who writes to the store and knows the customer's public key.

  plant_root_key.py plant STATE --account NAME --public-key PEM --keep FILE --mac KIND [--service-key F]
      puts an account record in the store with a root key of its own, wrapped with the public key:
      RSA-OAEP does not say who wrapped. The record that was there goes to FILE. KIND is what stands for
      the MAC, which takes the service key: own (under another service key), old (the one that was
      there), zeros; or true, under --service-key, which nobody but the operator has
  plant_root_key.py restore STATE --account NAME --keep FILE

STATE is a state directory or a namespace on RADOS (tests/vectors/rados_store.py). No gateway may be
running. Ends with 77 where the Python library "cryptography" is not installed.
"""
import argparse
import json
import os
import pathlib

from open_store import OpenStore, read_store  # first: it ends with 77

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

fmt = read_store.fmt
RECORD = "gatekey.account"
HEAD_BYTES = 91


def forge(stored, public_key):
    """The record with another root key under the same version of the customer's key."""
    record = json.loads(stored[HEAD_BYTES:])
    account_id = bytes.fromhex(record["id"].replace("-", ""))
    generation = record["generations"][-1]
    root_key = os.urandom(32)
    wrapped = public_key.encrypt(
        root_key, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    generation["wraps"][0]["value"] = fmt.b64url(wrapped)
    generation["commitment"] = fmt.b64url(
        fmt.root_commitment(root_key, account_id, generation["generation"]))
    record["sequence"] += 1
    return record


def with_mac(record, stored, kind, service_key):
    forged = fmt.write_account_record(service_key or os.urandom(32), record)
    if kind == "old":
        return stored[:HEAD_BYTES] + forged[HEAD_BYTES:]
    if kind == "zeros":
        return stored[:26] + b"0" * 64 + forged[90:]
    return forged


def put(store, account, value):
    if isinstance(store, read_store.rados_store.RadosStore):
        store.set_attribute(f"account/{account}", RECORD, value)
        return
    with store.tampering() as change:
        change.set_attribute(f"account/{account}", RECORD, value)
        change.publish()
        change.undo.clear()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["plant", "restore"])
    parser.add_argument("state")
    parser.add_argument("--account", required=True)
    parser.add_argument("--keep", required=True)
    parser.add_argument("--public-key")
    parser.add_argument("--mac", choices=["own", "old", "zeros", "true"])
    parser.add_argument("--service-key")
    arguments = parser.parse_args()
    on_rados = read_store.rados_store.is_place(arguments.state)
    store = read_store.open_store(arguments.state) if on_rados else OpenStore(arguments.state)
    keep = pathlib.Path(arguments.keep)
    if arguments.command == "restore":
        put(store, arguments.account, keep.read_bytes())
        return
    stored = store.attributes(f"account/{arguments.account}")[RECORD]
    keep.write_bytes(stored)
    service_key = None
    if arguments.mac == "true":
        service_key = fmt.read_service_key(pathlib.Path(arguments.service_key).read_text())
    public_key = load_pem_public_key(pathlib.Path(arguments.public_key).read_bytes())
    record = forge(stored, public_key)
    put(store, arguments.account, with_mac(record, stored, arguments.mac, service_key))


if __name__ == "__main__":
    main()
