# SPDX-License-Identifier: Apache-2.0
"""A load of writes that knows what it has written: what each blob is, or may be, once a write's outcome
is not known because its gateway was killed or answered 503."""
import collections
import pathlib
import random
import re
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client, Gone  # noqa: E402

ACCOUNT = "crashing"
NAMES = 6  # blobs of each client
SIZES = (0, 1, 500, 4096, 16000, 17000, 65536, 70000, 300000)
LARGE = 5 << 20
POOL = random.Random(1).randbytes(LARGE + (1 << 20))
# How long a read may go on to be answered with 503 before it counts as lost.
BUSY_S = 120
BUSY_WAIT_S = 0.05


class Wrong(Exception):
    """Something is not as it was acknowledged."""


class Busy(Exception):
    """A write ended in 503: whether it was carried out, only a read tells."""


class Part:
    """A piece of content, made again when it is compared."""

    def __init__(self, rng):
        self.size = LARGE if rng.random() < 0.01 else rng.choice(SIZES)
        self.head = struct.pack(">Q", rng.getrandbits(64))
        self.offset = rng.randrange(1 << 20)

    def bytes(self):
        return (self.head + POOL[self.offset:self.offset + self.size])[:self.size]


class Version:
    """What one write made of a blob."""

    def __init__(self, parts, metadata, blocks=None):
        self.parts, self.metadata = parts, metadata
        self.blocks = blocks or []  # names, where it was made of blocks

    def matches(self, answer):
        return answer.whole and answer.metadata == self.metadata and \
            answer.body == b"".join(part.bytes() for part in self.parts)


class Load:
    """One client, with containers of its own. A path maps to what it may be: the version that was
    acknowledged, or None for no blob, and those that are under way since. may_be_busy: the store is away
    now and then, and a 503 with Retry-After is an answer as good as any; what ended so may still be carried
    out, after reads that did not see it, until another write to the blob is acknowledged."""

    def __init__(self, number, seed, may_be_busy=False):
        self.number, self.may_be_busy = number, may_be_busy
        self.rng = random.Random(seed * 1000 + number)
        self.blobs = {}  # path -> list of possible versions
        self.gone = {}  # containers that are under way
        self.counts = collections.Counter()
        self.serial = 0
        self.client = None
        self.acknowledged = 0
        self.slowest_s = 0  # operation, which may be several requests

    def metadata(self):
        self.serial += 1
        return {} if self.rng.random() < 0.4 else {"serial": f"{self.number}-{self.serial}"}

    # --- operations: each first tells what may come of it --------------------------------------------

    def expect(self, what, answer, path=""):
        if answer.status == 503 and self.may_be_busy:
            if "retry-after" not in answer.headers:
                raise Wrong(f"{what} {path}: 503 {answer.code} without Retry-After")
            self.counts["503"] += 1
            raise Busy
        if answer.status >= 300:
            raise Wrong(f"{what} {path}: {answer.status} {answer.code}")
        self.counts[what] += 1
        self.acknowledged += 1

    def settle(self, what, answer, path, version):
        self.expect(what, answer, path)
        self.blobs[path] = [version]

    def attempt(self, path, version):
        self.blobs[path] = [*self.blobs.get(path, [None]), version]

    def put(self, path):
        version = Version([Part(self.rng)], self.metadata())
        self.attempt(path, version)
        self.settle("Put Blob", self.client.put(path, version.parts[0].bytes(), version.metadata), path,
                    version)

    def blocks(self, path):
        old = self.blobs.get(path, [None])[0]
        count = 70 if self.rng.random() < 0.05 else self.rng.randrange(1, 5)
        fresh = {}
        for _ in range(count):
            part = Part(self.rng)
            part.size = part.size % 20000 + 1
            self.serial += 1
            fresh[b"%012d" % self.serial] = part
            self.expect("Put Block", self.client.put_block(path, b"%012d" % self.serial, part.bytes()),
                        path)
        listed = dict(fresh)
        if old is not None and old.blocks and self.rng.random() < 0.7:
            # Some of the blocks that are committed stay.
            listed.update((name, part) for name, part in zip(old.blocks, old.parts)
                          if self.rng.random() < 0.6)
        names = self.rng.sample(list(listed), len(listed))
        version = Version([listed[name] for name in names], self.metadata(), names)
        self.attempt(path, version)
        self.settle("Put Block List", self.client.put_block_list(path, names, version.metadata), path,
                    version)

    def set_metadata(self, path):
        old = self.blobs.get(path, [None])[0]
        if old is None:
            self.put(path)
            return
        version = Version(old.parts, self.metadata(), old.blocks)
        self.attempt(path, version)
        self.settle("Set Blob Metadata", self.client.set_metadata(path, version.metadata), path, version)

    def delete(self, path):
        if self.blobs.get(path, [None])[0] is None:
            self.put(path)
            return
        self.attempt(path, None)
        self.settle("Delete Blob", self.client.delete(path), path, None)

    def container(self, _path):
        """One that comes, has blobs, and goes."""
        self.serial += 1
        name = f"brief-{self.number:02}-{self.serial}"
        self.gone[name] = (False, True)
        self.expect("Create Container", self.client.create_container(name), name)
        self.gone[name] = (True,)
        for at in range(self.rng.randrange(4)):
            self.put(f"{name}/{at}")
        if self.rng.random() < 0.3:
            self.blocks(f"{name}/blocks")
        self.gone[name] = (True, False)
        self.expect("Delete Container", self.client.delete_container(name), name)
        self.gone[name] = (False,)

    def step(self):
        act, = self.rng.choices([self.put, self.blocks, self.set_metadata, self.delete, self.container],
                                (6, 3, 3, 3, 1))
        path = f"client-{self.number:02}/{self.rng.randrange(NAMES)}"
        if act != self.container and len(self.blobs.get(path, [])) > 1:
            act = self.put  # what others would make of it depends on what comes of the one before
        began = time.monotonic()
        try:
            act(path)
        except Busy:
            self.recover()
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)

    def run(self, port, sas, stop, dies):
        """Until stop is set, or the gateway is gone, which it may be if it dies."""
        self.work(Client(port, ACCOUNT, sas), stop, dies)

    def work(self, client, stop, dies):
        self.client = client
        try:
            while not stop.is_set():
                self.step()
        except Gone as gone:
            if not dies:
                raise Wrong(f"client {self.number}: a connection broke: {gone}") from gone
        finally:
            self.client.close()

    # --- afterwards --------------------------------------------------------------------------------

    def ask(self, request, *arguments):
        """The answer of a read, once it is one."""
        deadline = time.monotonic() + BUSY_S
        while (answer := request(*arguments)).status == 503 and self.may_be_busy:
            self.counts["503 to a read"] += 1
            if time.monotonic() > deadline:
                raise Wrong(f"reads are answered with 503 for {BUSY_S} s")
            time.sleep(BUSY_WAIT_S)
        return answer

    def learn(self, client, path):
        """What is there becomes what is known, and what was begun on it may come yet where the store was away;
        what was begun before it comes no more."""
        versions = self.blobs[path]
        found = self.find(client, path, versions)
        self.blobs[path] = versions[versions.index(found):] if self.may_be_busy else [found]

    def recover(self):
        """Reads what became of a write that ended in 503, so far."""
        for path, versions in self.blobs.items():
            if len(versions) > 1 and path.partition("/")[0] not in self.gone:
                self.learn(self.client, path)

    def check_containers(self, client):
        for name, possible in list(self.gone.items()):
            answer = self.ask(client.container_properties, name)
            there = answer.status == 200
            if answer.status not in (200, 404) or there not in possible:
                raise Wrong(f"container {name}: {answer.status} {answer.code}, of {possible}")
            self.gone[name] = (there,)
            if not there:
                del self.gone[name]
                for path in [path for path in self.blobs if path.startswith(name + "/")]:
                    del self.blobs[path]

    def check_listings(self, client):
        for container in [f"client-{self.number:02}", *self.gone]:
            body = self.ask(client.list_blobs, container).body
            listed = [name.decode() for name in re.findall(b"<Name>([^<]*)</Name>", body)]
            here = {path.partition("/")[2]: versions for path, versions in self.blobs.items()
                    if path.startswith(container + "/")}
            wanted = {name for name, versions in here.items() if None not in versions}
            possible = {name for name, versions in here.items() if versions != [None]}
            if len(set(listed)) != len(listed) or not wanted <= set(listed) <= possible:
                raise Wrong(f"{container} lists {listed} instead of {wanted}")

    def glance(self, client):
        """Through another gateway, at once: a write that was under way may come yet."""
        for path, versions in self.blobs.items():
            if path.partition("/")[0] not in self.gone:
                found = self.find(client, path, versions)
                if found is versions[-1]:
                    self.blobs[path] = [found]

    def verify(self, client):
        deleting = {name for name, possible in self.gone.items() if possible == (True, False)}
        self.check_containers(client)
        for path in self.blobs:
            if path.partition("/")[0] not in deleting or not self.closed(client, path):
                self.learn(client, path)
        self.check_listings(client)

    def closed(self, client, path):
        """Whether a Delete Container came as far as the blob's shard."""
        return self.ask(client.get, path).code == "ContainerBeingDeleted"

    def find(self, client, path, versions):
        answer = self.ask(client.get, path)
        for version in versions:
            if answer.code == "BlobNotFound" if version is None else \
                    answer.status == 200 and version.matches(answer):
                return version
        raise Wrong(f"{path}: {answer.status} {answer.code}, {len(answer.body)} of {answer.length} bytes, "
                    f"metadata {answer.metadata}: none of {len(versions)} that it may be")

    def tidy(self, client):
        """Containers that a crash kept from going."""
        for name in list(self.gone):
            answer = self.ask(client.delete_container, name)
            if answer.status not in (202, 404 if self.may_be_busy else 202):
                raise Wrong(f"Delete Container {name}: {answer.status} {answer.code}")
            self.gone[name] = (False,)
