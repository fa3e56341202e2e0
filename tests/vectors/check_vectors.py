#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Proves that the plugin and gatekey_format.py read each other, and both the golden file.

  check_vectors.py TOOL             the three ways; TOOL is the built vector_tool
  check_vectors.py TOOL --write     replaces the golden file by one that the plugin writes now. Only
                                    for a new version of the format: what was stored stays stored.

Exits with 77 (skipped) where the Python library "cryptography" is not installed.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import uuid

try:
    from cryptography.exceptions import InvalidTag

    import gatekey_format as fmt
except ImportError as error:
    print(f"skipped: {error}; Debian's package is python3-cryptography")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).with_name("v1.json")
ACCOUNT = "vectors2"
CREATED_MS = 1790000000000


def fill(length, seed):
    """The plaintext of a chunk, which a file of vectors need not hold."""
    return bytes((31 * i + 7 * (i >> 8) + seed) & 0xFF for i in range(length))


def ident(text):
    return uuid.UUID(text).bytes


def refuses(function, *arguments):
    try:
        function(*arguments)
    except (ValueError, InvalidTag):
        return True
    return False


# --- reading -----------------------------------------------------------------------------------------


def verify_account(vectors):
    service_key = bytes.fromhex(vectors["serviceKey"])
    assert fmt.service_key_id(service_key) == vectors["serviceKeyId"]
    account_id = ident(vectors["accountId"])
    stored = vectors["accountRecord"].encode()
    record = fmt.read_account_record(service_key, vectors["account"], stored)
    assert refuses(fmt.read_account_record, service_key, vectors["account"], stored + b" ")
    assert ident(record["id"]) == account_id
    roots = {}
    for generation in record["generations"]:
        wrap = generation["wraps"][0]
        assert wrap["keyId"] == "service-key/" + vectors["serviceKeyId"]
        roots[generation["generation"]] = fmt.unwrap_root_key(
            service_key, account_id, generation["generation"], fmt.from_b64url(wrap["value"]),
            fmt.from_b64url(generation["commitment"]))
    assert roots == {row["generation"]: bytes.fromhex(row["key"]) for row in vectors["rootKeys"]}
    return service_key, account_id, roots


def verify_data_keys(vectors, account_id, roots):
    keys = []
    for row in vectors["dataKeys"]:
        sealed = bytes.fromhex(row["sealed"])
        place = ident(row["container"]), ident(row["object"])
        client_key = bytes.fromhex(row.get("clientKey", ""))
        key = fmt.open_data_key(roots, account_id, *place, sealed, client_key)
        assert key == bytes.fromhex(row["key"])
        assert refuses(fmt.open_data_key, roots, account_id, place[1], place[0], sealed, client_key)
        assert refuses(fmt.open_data_key, roots, account_id, *place, sealed,
                       b"" if client_key else bytes(32))
        keys.append(key)
    return keys


def verify_segment(row, keys):
    segment = fmt.Segment(keys[row["dataKey"]], ident(row["id"]))
    count = len(row["chunks"])
    for index, chunk in enumerate(row["chunks"]):
        sealed = bytes.fromhex(chunk["sealed"])
        last = index == count - 1
        plain = segment.open(index, last, sealed)
        assert plain == fill(len(plain), chunk["seed"])
        assert refuses(segment.open, index, not last, sealed)
        assert refuses(segment.open, index + 1, last, sealed)


def verify_record(row, service_key, account_id, keys):
    record, binding = bytes.fromhex(row["record"]), bytes.fromhex(row["binding"])
    opened = fmt.open_record(service_key, account_id, binding, record)
    assert opened == bytes.fromhex(row["open"])
    assert refuses(fmt.open_record, service_key, account_id, binding + b"x", record)
    if row["dataKey"] is not None:
        sealed = fmt.open_sealed_part(keys[row["dataKey"]], binding, record)
        assert sealed == bytes.fromhex(row["sealed"])


def verify(path):
    vectors = json.loads(path.read_text())
    service_key, account_id, roots = verify_account(vectors)
    keys = verify_data_keys(vectors, account_id, roots)
    for row in vectors["segments"]:
        verify_segment(row, keys)
    for row in vectors["records"]:
        verify_record(row, service_key, account_id, keys)
    print(f"{path}: {len(roots)} root keys, {len(keys)} data keys, "
          f"{len(vectors['segments'])} segments, {len(vectors['records'])} records opened in Python")


# --- writing -----------------------------------------------------------------------------------------


def emit_account(service_key, account_id, roots):
    def generation(number, key):
        wrapped = fmt.wrap_root_key(service_key, account_id, number, key)
        wrap = {"keyId": "service-key/" + fmt.service_key_id(service_key),
                "algorithm": "XAES-256-GCM", "value": fmt.b64url(wrapped), "createdMs": CREATED_MS}
        commitment = fmt.root_commitment(key, account_id, number)
        return {"generation": number, "state": "active" if number == 2 else "decrypt-only",
                "createdMs": CREATED_MS, "commitment": fmt.b64url(commitment), "wraps": [wrap]}

    settings = {"source": "service", "vault": "", "key": "", "keyVersion": "",
                "identity": {"kind": "system-assigned", "resourceId": "", "federatedClientId": ""},
                "services": {"queue": "service", "table": "account"}}
    record = {"version": 1, "account": ACCOUNT, "id": str(uuid.UUID(bytes=account_id)),
              "sequence": 9, "createdMs": CREATED_MS, "settings": settings,
              "generations": [generation(number, key) for number, key in roots.items()],
              "lastRotationMs": 0, "previousWrapUntilMs": 0, "lastVersionCheckMs": 0,
              "keyExpiresMs": 0}
    return fmt.write_account_record(service_key, record).decode()


def emit_data_key(account_id, roots, generation, key, client_key=b""):
    container, obj = uuid.uuid4(), uuid.uuid4()
    sealed = fmt.seal_data_key(roots[generation], account_id, generation, container.bytes,
                               obj.bytes, key, client_key)
    row = {"generation": generation, "container": str(container), "object": str(obj),
           "key": key.hex(), "sealed": sealed.hex()}
    return row | {"clientKey": client_key.hex()} if client_key else row


def emit_segment(keys, key_index, length):
    segment_id = uuid.uuid4()
    segment = fmt.Segment(keys[key_index], segment_id.bytes)
    starts = range(0, max(length, 1), fmt.CHUNK_BYTES)
    chunks = []
    for index, start in enumerate(starts):
        plain = fill(min(length - start, fmt.CHUNK_BYTES), index + 100)
        last = index == len(starts) - 1
        chunks.append({"seed": index + 100, "sealed": segment.seal(index, last, plain).hex()})
    return {"dataKey": key_index, "id": str(segment_id), "chunks": chunks}


def emit_record(service_key, account_id, keys, key_index, binding, open_part, sealed_part):
    key = None if key_index is None else keys[key_index]
    record = fmt.seal_record(service_key, account_id, key, binding, open_part, sealed_part)
    return {"dataKey": key_index, "binding": binding.hex(), "open": open_part.hex(),
            "sealed": None if key is None else sealed_part.hex(), "record": record.hex()}


def emit():
    service_key, account_id = os.urandom(32), os.urandom(16)
    roots = {number: os.urandom(32) for number in (1, 2)}
    keys = [os.urandom(32), os.urandom(32)]
    lengths = (0, 1, 15, 16, 17, 65535, 65536, 65537, 131072)
    return {
        "serviceKey": service_key.hex(),
        "serviceKeyId": fmt.service_key_id(service_key),
        "account": ACCOUNT,
        "accountId": str(uuid.UUID(bytes=account_id)),
        "accountRecord": emit_account(service_key, account_id, roots),
        "rootKeys": [{"generation": n, "key": key.hex()} for n, key in roots.items()],
        "dataKeys": [*(emit_data_key(account_id, roots, i + 1, key) for i, key in enumerate(keys)),
                     emit_data_key(account_id, roots, 2, os.urandom(32), os.urandom(32))],
        "segments": [emit_segment(keys, i % 2, length) for i, length in enumerate(lengths)],
        "records": [
            emit_record(service_key, account_id, keys, 0, b"place", b"open", b"sealed"),
            emit_record(service_key, account_id, keys, None, b"place", b"open alone", b""),
            emit_record(service_key, account_id, keys, 1, b"", b"", b""),
        ],
    }


# --- the three ways ----------------------------------------------------------------------------------


def main(arguments):
    write = arguments[1:] == ["--write"]
    if not arguments or (arguments[1:] and not write):
        sys.exit(__doc__)
    tool = arguments[0]
    if write:
        GOLDEN.write_bytes(subprocess.run([tool, "emit"], check=True, capture_output=True).stdout)
    subprocess.run([tool, "verify", str(GOLDEN)], check=True)
    verify(GOLDEN)
    with tempfile.TemporaryDirectory() as directory:
        ours = pathlib.Path(directory, "written-by-the-plugin.json")
        theirs = pathlib.Path(directory, "written-in-python.json")
        ours.write_bytes(subprocess.run([tool, "emit"], check=True, capture_output=True).stdout)
        verify(ours)
        theirs.write_text(json.dumps(emit()))
        subprocess.run([tool, "verify", str(theirs)], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
