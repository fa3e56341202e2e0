#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Computes the worked example of docs/format.md from v1.json and compares it line by line.

Exits with 77 (skipped) where the Python library "cryptography" is not installed.
"""
import json
import pathlib
import re
import struct
import sys
import uuid

try:
    import gatekey_format as fmt
    from cryptography.hazmat.primitives.ciphers import algorithms
    from cryptography.hazmat.primitives.cmac import CMAC
except ImportError as error:
    print(f"skipped: {error}; Debian's package is python3-cryptography")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs/format.md"


def xaes_message_key(key, nonce):
    blocks = []
    for counter in (1, 2):
        cmac = CMAC(algorithms.AES(key))
        cmac.update(struct.pack(">H", counter) + b"X\0" + nonce[:12])
        blocks.append(cmac.finalize())
    return b"".join(blocks)


def compute_account(vectors):
    service_key, account_id = bytes.fromhex(vectors["serviceKey"]), ident(vectors["accountId"])
    stored = vectors["accountRecord"].encode()
    wrap = fmt.read_account_record(service_key, vectors["account"], stored)["generations"][1]
    wrapped = fmt.from_b64url(wrap["wraps"][0]["value"])
    wrap_key = fmt.derive_from_service_key(service_key, "gatekey/v1/root-wrap")
    commitment = fmt.from_b64url(wrap["commitment"])
    root_key = fmt.unwrap_root_key(service_key, account_id, 2, wrapped, commitment)
    return service_key, account_id, root_key, {
        "service key": service_key,
        "service key id": bytes.fromhex(fmt.service_key_id(service_key)),
        "account-record key": fmt.derive_from_service_key(service_key, "gatekey/v1/account-record"),
        "root-wrap key": wrap_key,
        "record-open key": fmt.derive_from_service_key(service_key, "gatekey/v1/record-open"),
        "account id": account_id,
        "record MAC": bytes.fromhex(fmt.record_mac(service_key, vectors["account"], stored[91:])),
        "wrap, generation 2": wrapped,
        "wrap AAD": fmt.root_wrap_aad(account_id, 2),
        "wrap message key": xaes_message_key(wrap_key, wrapped),
        "wrap GCM nonce": wrapped[12:24],
        "root key": root_key,
        "root commitment": commitment,
    }


def compute_data_key(vectors, account_id, root_key):
    row = vectors["dataKeys"][1]
    container, obj, sealed = ident(row["container"]), ident(row["object"]), bytes.fromhex(row["sealed"])
    both = fmt.expand(root_key, "gatekey/v1/data-key", account_id, sealed[4:8], sealed[8:32], length=44)
    data_key = fmt.open_data_key({2: root_key}, account_id, container, obj, sealed)
    return data_key, {
        "container id": container,
        "object id": obj,
        "sealed data key": sealed,
        "sealing info": b"gatekey/v1/data-key\0" + account_id + sealed[4:32],
        "sealing key": both[:32],
        "sealing nonce": both[32:],
        "sealing AAD": sealed[:8] + account_id + container + obj,
        "data key": data_key,
    }


def compute_segments(vectors, data_key):
    short, long = (ident(vectors["segments"][i]["id"]) for i in (1, 3))
    stored = bytes.fromhex(vectors["segments"][1]["chunks"][0]["sealed"])
    both = fmt.expand(data_key, "gatekey/v1/segment", short, length=44)
    one, two = fmt.Segment(data_key, short), fmt.Segment(data_key, long)
    return {
        "segment id": short,
        "segment key": both[:32],
        "segment base nonce": both[32:],
        "chunk 0, last: nonce": one.place(0, True)[0],
        "chunk 0, last: AAD": one.place(0, True)[1],
        "chunk 0, last: stored": stored,
        "chunk 0, last: plain": one.open(0, True, stored),
        "segment id, two chunks": long,
        "base nonce": two.base_nonce,
        "chunk 0: nonce": two.place(0, False)[0],
        "chunk 1, last: nonce": two.place(1, True)[0],
    }


def compute_record(vectors, service_key, account_id, data_key):
    row = vectors["records"][0]
    record, binding = bytes.fromhex(row["record"]), bytes.fromhex(row["binding"])
    return {
        "binding": binding,
        "record": record,
        "record-sealed key": fmt.expand(data_key, "gatekey/v1/record-sealed"),
        "sealed part": fmt.open_sealed_part(data_key, binding, record),
        "open key": fmt.record_open_key(service_key, account_id),
        "open part": fmt.open_record(service_key, account_id, binding, record),
    }


def ident(text):
    return uuid.UUID(text).bytes


def example(text):
    """The names and values of the code block in the section about the example."""
    block = text.partition("## 15. Worked example")[2].split("```")[1]
    values, name = {}, None
    for line in block.splitlines():
        if not line.strip():
            continue
        label, _, value = re.fullmatch(r"(\S.*?)?(\s{2,}|$)(.*)", line).groups()
        name = label or name
        values[name] = values.get(name, "") + value
    return values


def main():
    vectors = json.loads((HERE / "v1.json").read_text())
    written = example(DOCUMENT.read_text())
    service_key, account_id, root_key, expected = compute_account(vectors)
    assert fmt.read_service_key(written.pop("service key file") + "\n") == service_key
    assert written.pop("account") == vectors["account"]
    data_key, more = compute_data_key(vectors, account_id, root_key)
    expected |= more | compute_segments(vectors, data_key)
    expected |= compute_record(vectors, service_key, account_id, data_key)
    wrong = [name for name in written.keys() | expected.keys()
             if name not in written or name not in expected or
             bytes.fromhex(written[name]) != expected[name]]
    if wrong:
        sys.exit(f"docs/format.md, worked example: {', '.join(sorted(wrong))}")
    print(f"{len(expected)} values of the worked example are right")


if __name__ == "__main__":
    main()
