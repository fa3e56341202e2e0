# SPDX-License-Identifier: Apache-2.0
"""Gatekey's stored formats, version 1, written from docs/format.md alone.

A second implementation, in another language and on another library, that reads and writes all that
the plugin stores; read_store.py goes on from here to what the gateway makes of it. It is here to prove
that the document is complete; nothing in the product uses it.
Every function that opens something raises ValueError or InvalidTag rather than give a wrong byte.
"""
import base64
import hashlib
import hmac
import json
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

CHUNK_BYTES = 65536
BLOCK_BYTES = 4096
TAG_BYTES = 16
XAES_OVERHEAD = 24 + TAG_BYTES


def need(condition, what):
    if not condition:
        raise ValueError(what)


# --- derivation ------------------------------------------------------------------------------------


def read_service_key(text):
    """The 32 bytes that stand in the service key file."""
    label, _, value = text.rstrip("\r\n").partition(" ")
    key = base64.b64decode(value, validate=True)
    need(label == "gatekey-service-key-v1" and len(key) == 32, "not a service key file")
    return key


def derive_from_service_key(service_key, label, length=32):
    """A key for one purpose: HKDF-SHA256 with an empty salt, the label as info."""
    return HKDF(hashes.SHA256(), length, None, label.encode()).derive(service_key)


def service_key_id(service_key):
    return derive_from_service_key(service_key, "gatekey/v1/service-key-id", 8).hex()


def expand(key, label, *parts, length=32):
    """HKDF-Expand with  label | 0x00 | parts  as info."""
    info = label.encode() + b"\0" + b"".join(parts)
    return HKDFExpand(hashes.SHA256(), length, info).derive(key)


# --- XAES-256-GCM ----------------------------------------------------------------------------------


def xaes(key, nonce):
    """The message's own AES-256-GCM and the 12 bytes that are its nonce."""
    derived = b""
    for counter in (1, 2):
        cmac = CMAC(algorithms.AES(key))
        cmac.update(struct.pack(">H", counter) + b"X\0" + nonce[:12])
        derived += cmac.finalize()
    return AESGCM(derived), nonce[12:]


def xaes_seal(key, plain, aad):
    nonce = os.urandom(24)
    gcm, inner = xaes(key, nonce)
    return nonce + gcm.encrypt(inner, plain, aad)


def xaes_open(key, sealed, aad):
    need(len(sealed) >= XAES_OVERHEAD, "too short for a nonce and a tag")
    gcm, inner = xaes(key, sealed[:24])
    return gcm.decrypt(inner, sealed[24:], aad)


# --- root keys -------------------------------------------------------------------------------------


def root_commitment(root_key, account_id, generation):
    return expand(root_key, "gatekey/v1/root-commitment", account_id, struct.pack(">I", generation))


def root_wrap_aad(account_id, generation):
    return b"gatekey/v1/root-wrap\0" + account_id + struct.pack(">I", generation)


def wrap_root_key(service_key, account_id, generation, root_key):
    key = derive_from_service_key(service_key, "gatekey/v1/root-wrap")
    return xaes_seal(key, root_key, root_wrap_aad(account_id, generation))


def unwrap_root_key(service_key, account_id, generation, wrapped, commitment):
    need(len(wrapped) == 72, "a wrapped root key is 72 bytes")
    key = derive_from_service_key(service_key, "gatekey/v1/root-wrap")
    root_key = xaes_open(key, wrapped, root_wrap_aad(account_id, generation))
    return check_root_key(root_key, account_id, generation, commitment)


def unwrap_root_key_rsa(private_key, account_id, generation, wrapped, commitment):
    """With the private half of the customer's key, which Gatekey itself never has."""
    root_key = private_key.decrypt(
        wrapped, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None))
    return check_root_key(root_key, account_id, generation, commitment)


def unwrap_older_root_key(active_key, active, account_id, generation, wrapped, commitment):
    """active_key is the root key of generation active, which wraps."""
    need(len(wrapped) == 72, "a wrapped root key is 72 bytes")
    key = expand(active_key, "gatekey/v1/older-root-key", account_id, struct.pack(">I", active))
    root_key = xaes_open(key, wrapped, root_wrap_aad(account_id, generation))
    return check_root_key(root_key, account_id, generation, commitment)


def check_root_key(root_key, account_id, generation, commitment):
    need(len(root_key) == 32 and
         hmac.compare_digest(commitment, root_commitment(root_key, account_id, generation)),
         "this is not the root key that the record commits to")
    return root_key


# --- account record --------------------------------------------------------------------------------


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def record_mac(service_key, account, body):
    key = derive_from_service_key(service_key, "gatekey/v1/account-record")
    message = b"gatekey/v1/account-record\0" + account.encode() + b"\0" + body
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def write_account_record(service_key, record):
    body = json.dumps(record, separators=(",", ":")).encode()
    head = "gatekey-account-record v1 " + record_mac(service_key, record["account"], body) + "\n"
    return head.encode() + body


def read_account_record(service_key, account, stored):
    head, body = stored[:91], stored[91:]
    expected = "gatekey-account-record v1 " + record_mac(service_key, account, body) + "\n"
    need(hmac.compare_digest(head, expected.encode()), "the account record is not authentic")
    record = json.loads(body)
    need(record["version"] in (1, 2) and record["account"] == account, "version or account")
    return record


# --- data keys -------------------------------------------------------------------------------------


def data_key_cipher(root_key, account_id, generation, salt, client_key=b""):
    if client_key:
        info = b"gatekey/v1/data-key-client\0" + account_id + generation
        both = HKDF(hashes.SHA256(), 44, salt, info).derive(root_key + client_key)
    else:
        both = expand(root_key, "gatekey/v1/data-key", account_id, generation, salt, length=44)
    return AESGCM(both[:32]), both[32:]


def data_key_commitment(data_key, object_id):
    return expand(data_key, "gatekey/v1/data-key-commitment", object_id)


def seal_data_key(root_key, account_id, generation, container_id, object_id, data_key, client_key=b""):
    head = (b"GKD\x02" if client_key else b"GKD\x01") + struct.pack(">I", generation)
    salt = os.urandom(24)
    gcm, nonce = data_key_cipher(root_key, account_id, head[4:], salt, client_key)
    sealed = gcm.encrypt(nonce, data_key, head + account_id + container_id + object_id)
    return head + salt + sealed + data_key_commitment(data_key, object_id)


def open_data_key(root_keys, account_id, container_id, object_id, sealed, client_key=b""):
    """root_keys: generation -> key."""
    magic = b"GKD\x02" if client_key else b"GKD\x01"
    need(len(sealed) == 112 and sealed[:4] == magic, "not a sealed data key, or of another kind")
    generation = struct.unpack(">I", sealed[4:8])[0]
    need(generation in root_keys, "a generation that is not there")
    gcm, nonce = data_key_cipher(root_keys[generation], account_id, sealed[4:8], sealed[8:32],
                                 client_key)
    data_key = gcm.decrypt(nonce, sealed[32:80], sealed[:8] + account_id + container_id + object_id)
    need(hmac.compare_digest(sealed[80:], data_key_commitment(data_key, object_id)),
         "this is not the data key that was sealed")
    return data_key


# --- segments --------------------------------------------------------------------------------------


class Segment:
    """Seals and opens the chunks of one segment."""

    def __init__(self, data_key, segment_id):
        both = expand(data_key, "gatekey/v1/segment", segment_id, length=44)
        self.gcm = AESGCM(both[:32])
        self.base_nonce = both[32:]
        self.segment_id = segment_id

    def place(self, index, last):
        counter = struct.pack(">Q", last << 63 | index)
        tail = bytes(a ^ b for a, b in zip(self.base_nonce[4:], counter))
        aad = self.segment_id + struct.pack(">QBB", index, 16, last)
        return self.base_nonce[:4] + tail, aad

    def seal(self, index, last, plain):
        need(len(plain) == CHUNK_BYTES or (last and len(plain) < CHUNK_BYTES), "a chunk's length")
        nonce, aad = self.place(index, last)
        return self.gcm.encrypt(nonce, plain, aad)

    def open(self, index, last, sealed):
        length = len(sealed) - TAG_BYTES
        need(length == CHUNK_BYTES or (last and 0 <= length < CHUNK_BYTES), "a chunk's length")
        nonce, aad = self.place(index, last)
        return self.gcm.decrypt(nonce, sealed, aad)


class Pages:
    """Seals and opens the blocks of one page object."""

    def __init__(self, data_key, object_id):
        self.key = expand(data_key, "gatekey/v1/pages", object_id)
        self.object_id = object_id

    def aad(self, index):
        return self.object_id + struct.pack(">QB", index, 12)

    def seal(self, index, plain):
        """The ciphertext, and its nonce and tag."""
        need(len(plain) == BLOCK_BYTES, "a block's length")
        sealed = xaes_seal(self.key, plain, self.aad(index))
        return sealed[24:-TAG_BYTES], sealed[:24] + sealed[-TAG_BYTES:]

    def open(self, index, block, seal):
        need(len(block) == BLOCK_BYTES and len(seal) == XAES_OVERHEAD, "a block's length")
        return xaes_open(self.key, seal[:24] + block + seal[24:], self.aad(index))


# --- records ---------------------------------------------------------------------------------------


def record_open_key(service_key, account_id):
    key = derive_from_service_key(service_key, "gatekey/v1/record-open")
    return expand(key, "gatekey/v1/record-open", account_id)


def open_part_aad(binding, head):
    return b"gatekey/v1/record-open\0" + struct.pack(">I", len(binding)) + binding + head


def seal_record(service_key, account_id, data_key, binding, open_part, sealed_part):
    """data_key None: without a sealed part."""
    sealed = b""
    if data_key is not None:
        key = expand(data_key, "gatekey/v1/record-sealed")
        sealed = xaes_seal(key, sealed_part, b"gatekey/v1/record-sealed\0" + binding)
    head = b"GKR\x01" + struct.pack(">BI", data_key is not None, len(sealed)) + sealed
    key = record_open_key(service_key, account_id)
    return head + xaes_seal(key, open_part, open_part_aad(binding, head))


def split_record(record):
    need(len(record) >= 9 + XAES_OVERHEAD and record[:4] == b"GKR\x01", "not a record")
    flags, length = struct.unpack(">BI", record[4:9])
    need(flags in (0, 1) and (length >= XAES_OVERHEAD if flags else length == 0), "record header")
    need(9 + length + XAES_OVERHEAD <= len(record), "the record was cut")
    return record[: 9 + length], record[9 : 9 + length], record[9 + length :]


def open_record(service_key, account_id, binding, record):
    head, _, open_part = split_record(record)
    key = record_open_key(service_key, account_id)
    return xaes_open(key, open_part, open_part_aad(binding, head))


def open_sealed_part(data_key, binding, record):
    _, sealed, _ = split_record(record)
    need(len(sealed) > 0, "the record has no sealed part")
    key = expand(data_key, "gatekey/v1/record-sealed")
    return xaes_open(key, sealed, b"gatekey/v1/record-sealed\0" + binding)
