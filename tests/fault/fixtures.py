# SPDX-License-Identifier: Apache-2.0
"""Blobs of every shape in a running gateway, and what is stored for each of them."""
import concurrent.futures
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import account_sas  # noqa: E402
from open_store import DATA, META, OpenStore, read_store  # noqa: E402,F401

KIB, MIB = 1024, 1024 * 1024
CHUNK = read_store.fmt.CHUNK_BYTES
OBJECT_PLAIN = CHUNK * read_store.OBJECT_CHUNKS
STAGERS = 16

# Where the same shapes stand, with other content: pairs that a swap can be made of.
PLACES = [("alpha", "one"), ("alpha", "two"), ("beta", "one")]
WHOLE = {"byte": 1, "beside": 4 * KIB, "beside twin": 4 * KIB, "small": 4 * KIB + 1,
         "small twin": 4 * KIB + 1, "chunk less one": CHUNK - 1,
         "chunk": CHUNK, "chunk and one": CHUNK + 1, "chunks": 5 * CHUNK + 123,
         "chunks twin": 5 * CHUNK + 123, "objects": OBJECT_PLAIN + 3 * CHUNK + 7, "empty": 0}
WITH_METADATA = {"beside", "small", "chunks", "blocks", "pages"}
BLOCKS = {"blocks": [70000, 1, CHUNK, 12, 5000],
          "objects in a block": [100, 2 * OBJECT_PLAIN + 1000],
          "pages": [700 + i for i in range(70)]}
# One alone: it takes long to make.
MANY_BLOCKS = ("alpha", "one", "many pages", [30] * 2100)
STAGED = [3000, 20000, 70000]


class Piece:
    """A data object of a blob: plaintext [first, first + length) of it, in chunks."""

    def __init__(self, name, first, length):
        self.name, self.first, self.length = name, first, length

    def chunks(self):
        """Of each chunk: where it lies in the object, its stored length, its plaintext's range."""
        for index in range(-(-self.length // CHUNK)):
            plain = min(CHUNK, self.length - index * CHUNK)
            begin = self.first + index * CHUNK
            yield index * read_store.SEALED_CHUNK_BYTES, plain + 16, begin, begin + plain


class Blob:
    """What was stored, and where; etag as it was answered."""

    def __init__(self, account, container, name, content, metadata):
        self.account, self.container, self.name = account, container, name
        self.content, self.metadata = content, metadata
        self.etag = None
        self.staged = {}  # block name -> length: not committed
        self.block_lengths = []

    @property
    def path(self):
        return f"{self.container}/{self.name}"

    @property
    def key(self):
        return b"b/" + self.name.encode()

    def __repr__(self):
        return f"{self.account}/{self.path}"


class World:
    """Accounts, containers, blobs; with the service key, what the store has of them."""

    def __init__(self, gateway, rng):
        self.gateway, self.rng = gateway, rng
        self.keys = {account: gateway.create_account(account) for account in ("alpha", "beta")}
        self.clients = {}
        self.connect()
        self.blobs = []
        for account, container in PLACES:
            done = self.clients[account].create_container(container)
            assert done.status == 201, done.code
            self._fill(account, container)
        account, container, name, lengths = MANY_BLOCKS
        self._put_blocks(account, container, name, lengths)
        self.store = OpenStore(gateway.state)
        self.service_key = read_store.fmt.read_service_key(gateway.service_key_file.read_text())
        self.accounts = {name: read_store.Account(self.store, self.service_key, name, [])
                         for name in self.keys}
        self.containers = {(account, container): self.accounts[account].container(container)
                           for account, container in PLACES}
        for blob in self.blobs:
            self._note(blob)

    def connect(self):
        """Again after each start of the gateway."""
        for client in self.clients.values():
            client.close()
        self.clients = {account: self.new_client(account) for account in self.keys}

    def new_client(self, account):
        return Client(self.gateway.port, account, account_sas(account, self.keys[account]))

    # --- making ------------------------------------------------------------------------------------

    def _metadata(self, name):
        return {"shape": name.replace(" ", "-"), "mark": self.rng.randbytes(8).hex()} \
            if name in WITH_METADATA else {}

    def _add(self, account, container, name, content, put):
        blob = Blob(account, container, name, content, self._metadata(name))
        done = put(blob)
        assert done.status == 201, f"{blob}: {done.status} {done.code}"
        blob.etag = done.headers["etag"]
        self.blobs.append(blob)
        return blob

    def _fill(self, account, container):
        client = self.clients[account]
        for name, size in WHOLE.items():
            self._add(account, container, name, self.rng.randbytes(size),
                      lambda blob: client.put(blob.path, blob.content, blob.metadata))
        for name, lengths in BLOCKS.items():
            self._put_blocks(account, container, name, lengths)
        blob = self._add(account, container, "staged", self.rng.randbytes(10),
                         lambda blob: client.put(blob.path, blob.content))
        for number, length in enumerate(STAGED):
            block = b"staged %d" % number
            assert client.put_block(blob.path, block, self.rng.randbytes(length)).status == 201
            blob.staged[block] = length

    def _put_blocks(self, account, container, name, lengths):
        contents = [self.rng.randbytes(length) for length in lengths]
        names = [b"block %06d" % number for number in range(len(lengths))]

        def stage(client, mine):
            for block, content in mine:
                assert client.put_block(f"{container}/{name}", block, content).status == 201
            client.close()

        def put(blob):
            with concurrent.futures.ThreadPoolExecutor(STAGERS) as pool:
                parts = [list(zip(names, contents))[at::STAGERS] for at in range(STAGERS)]
                list(pool.map(lambda part: stage(self.new_client(account), part), parts))
            return self.clients[account].put_block_list(blob.path, names, blob.metadata)

        blob = self._add(account, container, name, b"".join(contents), put)
        blob.block_lengths = lengths

    # --- what is stored ----------------------------------------------------------------------------

    def index(self, blob):
        return read_store.index_of(self.containers[blob.account, blob.container], blob.name)

    def container_id(self, blob):
        return self.containers[blob.account, blob.container]["id"]

    def record(self, blob):
        return self.store.map_value(self.index(blob), blob.key)

    def _note(self, blob):
        """Where the blob's data objects and pages are."""
        account = self.accounts[blob.account]
        container = self.containers[blob.account, blob.container]
        container_id = container["id"]
        index = self.index(blob)
        opened = read_store.read_blob(account.open_value("blob", container_id, blob.key,
                                                         self.record(blob)))
        blob.object_id, blob.epoch = opened["object"], opened["epoch"]
        blob.manifest, manifest_pages, _ = opened["manifest"]
        blob.segments = []
        first = 0
        blob.beside = None
        for segment, length, _, apart in account.entries(container, blob.name, opened["manifest"]):
            if apart:
                blob.beside = b"d/" + blob.name.encode()
                continue
            pieces = []
            for at in range(0, length, OBJECT_PLAIN):
                name = f"{container_id.hex()}/{segment.hex()}/{at // OBJECT_PLAIN}"
                pieces.append(Piece(name, first + at, min(OBJECT_PLAIN, length - at)))
            blob.segments.append(pieces)
            first += length
        blob.pieces = [piece for pieces in blob.segments for piece in pieces]
        blob.pages = []
        begin = 0
        for page, total in manifest_pages:
            key = b"m/" + blob.manifest + struct.pack(">I", page)
            blob.pages.append((key, begin, begin + total))
            begin += total
        prefix = b"s/" + blob.object_id + struct.pack(">I", blob.epoch) + b"/"
        # Not the staging mark, the key without a block: it says nothing but whether it has changed.
        blob.staged_keys = [key for key in self.store.map(index, prefix) if blob.staged and key != prefix]

    def named(self, name, account="alpha", container="one"):
        return next(blob for blob in self.blobs
                    if (blob.account, blob.container, blob.name) == (account, container, name))
