#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a gateway at random moments under a load of writes, starts it again, and looks at what is there.

usage: crash.py [--rounds N] [--clients N] [--seed N]

Every write that was acknowledged is there, content and metadata; what was deleted stays deleted; a
write that was under way is there as a whole or not at all. Then nothing is left that nothing refers to:
no data object, no entry of a map, no space in the volume files. Last, the same with SIGTERM, which must
end the gateway with exit code 0.

A process that is killed loses nothing that it has given to the kernel: that data is on the disk before
it is acknowledged is what the order of writes in gateway/store is for, and no test of this kind shows.
"""
import argparse
import collections
import concurrent.futures
import pathlib
import random
import re
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client, Gone  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from audit import Audit, Leak  # noqa: E402

ACCOUNT = "crashing"
NAMES = 6  # blobs of each client
SIZES = (0, 1, 500, 4096, 16000, 17000, 65536, 70000, 300000)
LARGE = 5 << 20
POOL = random.Random(1).randbytes(LARGE + (1 << 20))
AUDIT_EVERY = 10
TERM_ROUNDS = 3


class Wrong(Exception):
    """Something is not as it was acknowledged."""


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
    acknowledged, or None for no blob, and the one that is under way."""

    def __init__(self, number, seed):
        self.number = number
        self.rng = random.Random(seed * 1000 + number)
        self.containers = {f"client-{number:02}": True}
        self.blobs = {}  # path -> list of possible versions
        self.gone = {}  # containers that are under way
        self.counts = collections.Counter()
        self.serial = 0
        self.client = None

    def metadata(self):
        self.serial += 1
        return {} if self.rng.random() < 0.4 else {"serial": f"{self.number}-{self.serial}"}

    # --- operations: each first tells what may come of it --------------------------------------------

    def settle(self, what, answer, path, version):
        if answer.status >= 300:
            raise Wrong(f"{what} {path}: {answer.status} {answer.code}")
        self.blobs[path] = [version]
        self.counts[what] += 1

    def attempt(self, path, version):
        self.blobs[path] = [*self.blobs.get(path, [None])[:1], version]

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
            answer = self.client.put_block(path, b"%012d" % self.serial, part.bytes())
            if answer.status != 201:
                raise Wrong(f"Put Block {path}: {answer.status} {answer.code}")
            self.counts["Put Block"] += 1
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
        if self.client.create_container(name).status != 201:
            raise Wrong(f"Create Container {name}")
        self.gone[name] = (True,)
        self.counts["Create Container"] += 1
        for at in range(self.rng.randrange(4)):
            self.put(f"{name}/{at}")
        if self.rng.random() < 0.3:
            self.blocks(f"{name}/blocks")
        self.gone[name] = (True, False)
        if self.client.delete_container(name).status != 202:
            raise Wrong(f"Delete Container {name}")
        self.gone[name] = (False,)
        self.counts["Delete Container"] += 1

    def run(self, port, sas, stop):
        """Until the gateway is gone, or stop is set."""
        self.client = Client(port, ACCOUNT, sas)
        steps = [self.put, self.blocks, self.set_metadata, self.delete, self.container]
        try:
            while not stop.is_set():
                step, = self.rng.choices(steps, (6, 3, 3, 3, 1))
                step(f"client-{self.number:02}/{self.rng.randrange(NAMES)}")
        except Gone:
            pass
        finally:
            self.client.close()

    # --- afterwards --------------------------------------------------------------------------------

    def verify(self, client):
        """What is there becomes what is known."""
        deleting = {name for name, possible in self.gone.items() if possible == (True, False)}
        for name, possible in list(self.gone.items()):
            there = client.container_properties(name).status == 200
            if there not in possible:
                raise Wrong(f"container {name} is {'' if there else 'not '}there")
            self.gone[name] = (there,)
            if not there:
                del self.gone[name]
                for path in [path for path in self.blobs if path.startswith(name + "/")]:
                    del self.blobs[path]
        for path, versions in self.blobs.items():
            if path.partition("/")[0] not in deleting or not self.closed(client, path):
                self.blobs[path] = [self.find(client, path, versions)]
        for container in [f"client-{self.number:02}", *self.gone]:
            listed = re.findall(b"<Name>([^<]*)</Name>", client.list_blobs(container).body)
            wanted = [path.partition("/")[2] for path, versions in self.blobs.items()
                      if versions[0] is not None and path.startswith(container + "/")]
            if sorted(name.decode() for name in listed) != sorted(wanted):
                raise Wrong(f"{container} lists {listed} instead of {wanted}")

    @staticmethod
    def closed(client, path):
        """Whether a Delete Container came as far as the blob's shard."""
        return client.get(path).code == "ContainerBeingDeleted"

    def find(self, client, path, versions):
        answer = client.get(path)
        for version in versions:
            if answer.code == "BlobNotFound" if version is None else \
                    answer.status == 200 and version.matches(answer):
                return version
        raise Wrong(f"{path}: {answer.status} {answer.code}, {len(answer.body)} of {answer.length} bytes, "
                    f"metadata {answer.metadata}: none of {len(versions)} that it may be")

    def tidy(self, client):
        """Containers that a crash kept from going."""
        for name in list(self.gone):
            if client.delete_container(name).status != 202:
                raise Wrong(f"Delete Container {name}")
            self.gone[name] = (False,)


class Crashes:
    def __init__(self, gateway, arguments):
        self.gateway, self.arguments = gateway, arguments
        self.rng = random.Random(arguments.seed)
        gateway.start()
        self.sas = account_sas(ACCOUNT, gateway.create_account(ACCOUNT))
        self.loads = [Load(number, arguments.seed) for number in range(arguments.clients)]
        client = self.client()
        for load in self.loads:
            assert client.create_container(f"client-{load.number:02}").status == 201
        client.close()
        self.unused = 0

    def client(self):
        return Client(self.gateway.port, ACCOUNT, self.sas)

    def under_load(self, end):
        """Runs the clients, calls end() meanwhile, waits for all."""
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(len(self.loads)) as pool:
            running = [pool.submit(load.run, self.gateway.port, self.sas, stop) for load in self.loads]
            time.sleep(self.rng.uniform(0.05, 0.5))
            end()
            stop.set()
            for load in running:
                load.result()

    def verify(self):
        client = self.client()
        for load in self.loads:
            load.verify(client)
            load.tidy(client)
        client.close()
        self.gateway.check_alive()

    def kill_round(self):
        self.under_load(self.gateway.kill)
        self.gateway.start()
        self.verify()

    def terminate_round(self):
        codes = []
        self.under_load(lambda: codes.append(self.gateway.stop()))
        if codes != [0]:
            raise Wrong(f"SIGTERM ends the gateway with {codes}")
        self.gateway.start()
        self.verify()

    def audit(self):
        """Once the reaper is through; then once more behind a start, which sweeps the volumes."""
        audit = Audit(self.gateway)
        audit.wait_for_removal()
        self.unused = audit.check()
        self.gateway.restart()
        live, taken = audit.check_volumes()
        audit.close()
        print(f"audit: nothing left over but {self.unused} unused shards; volumes take "
              f"{taken / 1e6:.1f} MB for {live / 1e6:.1f} MB", flush=True)

    def run(self):
        for number in range(1, self.arguments.rounds + 1):
            self.kill_round()
            if number % AUDIT_EVERY == 0:
                self.audit()
        for _ in range(TERM_ROUNDS):
            self.terminate_round()
        self.audit()
        if self.gateway.stop() != 0:
            raise Wrong("the gateway does not end well")


def run(arguments, directory):
    began = time.monotonic()
    gateway = Gateway(directory, index_shards=3)
    crashes = None
    try:
        crashes = Crashes(gateway, arguments)
        crashes.run()
    except (Wrong, Leak) as wrong:
        print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
        sys.exit(f"crash.py: seed {arguments.seed}: {wrong}")
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()
    counts = sum((load.counts for load in crashes.loads), collections.Counter())
    for what, count in sorted(counts.items()):
        print(f"{count:8} {what}")
    print(f"seed {arguments.seed}: {arguments.rounds} kills and {TERM_ROUNDS} SIGTERMs in "
          f"{time.monotonic() - began:.0f} s; every acknowledged write was there")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    with tempfile.TemporaryDirectory(prefix="gatekey-crash.") as directory:
        run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    main()
