#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Copies that share their source's data, while everything that could take it away goes on: many clients write,
copy, append to, snapshot and delete the same few blobs and containers at once, on RADOS through two gateways;
gateways are killed in the middle of it, again and again.

usage: share.py [--rounds N] [--clients N] [--seed N]

Every content proves itself, and no answer may be a 500: nothing that a blob names was removed. In the end what is
left is exactly what the blobs refer to; and nothing, once the containers are deleted, whoever lent to whom.
"""
import argparse
import collections
import multiprocessing
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client, Gone  # noqa: E402
from gateway_process import ON_RADOS, Gateway, account_sas  # noqa: E402
from audit import Audit, Leak  # noqa: E402
from contend import check_parts, make_part  # noqa: E402

ACCOUNT = "sharing"
CONTAINERS = ("one", "two", "three")
NAMES = 4
# Longer than any read takes: else what is read may be removed meanwhile.
DELAY_S = 3
ROUND_S = 1.5
BORROW_MS = 10 * 60 * 1000  # how long a copy that nobody came back for holds what it borrowed
REFUSALS = ("ServerBusy", "BlobAlreadyExists", "BlobNotFound", "ContainerNotFound", "ContainerBeingDeleted",
            "ContainerAlreadyExists", "InvalidBlockList", "InvalidBlobOrBlock", "CannotVerifyCopySource",
            "SnapshotsPresent", "InvalidBlobType", "BlobIsSealed")


class Sharer:
    """One client."""

    def __init__(self, port, sas, seed):
        self.client = Client(port, ACCOUNT, sas)
        self.url = f"http://127.0.0.1:{port}/{ACCOUNT}"
        self.sas = sas
        self.rng = random.Random(seed)
        self.counts = collections.Counter()
        self.deleting = False  # containers, too

    def judge(self, what, answer):
        self.counts[f"{what} {answer.status} {answer.code}".rstrip()] += 1
        if answer.status >= 300 and answer.code not in REFUSALS:
            raise ValueError(f"{what}: {answer.status} {answer.code} {answer.body}")
        return answer

    def put(self, path):
        self.judge("put", self.client.put(path, make_part(self.rng), {}))

    def stage_and_commit(self, path):
        """Some new blocks, and what there is of others, borrowed ones among them."""
        names = [b"%08d" % number for number in range(5)]
        for name in names[:self.rng.randrange(1, 5)]:
            self.judge("block", self.client.put_block(path, name, make_part(self.rng)))
        for _ in range(2):
            chosen = [name for name in names if self.rng.random() < 0.6]
            self.judge("list", self.client.put_block_list(path, chosen, {}))

    def append(self, path):
        path += "-log"
        if self.rng.random() < 0.3:
            self.judge("create log", self.client.request("PUT", path, "", {"x-ms-blob-type": "AppendBlob"}))
        self.judge("append", self.client.request("PUT", path, "comp=appendblock", {}, make_part(self.rng)))

    def copy(self, path):
        source, more, kind = self.path(), "", self.rng.choice(("", "-log"))
        if kind == "" and self.rng.random() < 0.3:
            answer = self.judge("snapshot", self.client.request("PUT", source, "comp=snapshot"))
            if answer.status == 201:
                more = f"snapshot={answer.headers['x-ms-snapshot']}&"
        url = f"{self.url}/{source}{kind}?{more}{self.sas}"
        self.judge("copy", self.client.request("PUT", path + kind, "", {"x-ms-copy-source": url}))

    def read(self, path):
        answer = self.judge("get", self.client.get(path + self.rng.choice(("", "-log"))))
        if answer.status == 200 and answer.whole:
            check_parts(answer.body)

    def delete(self, path):
        self.judge("delete", self.client.request("DELETE", path, "",
                                                 {"x-ms-delete-snapshots": "include"}))

    def delete_container(self, path):
        container = path.partition("/")[0]
        self.judge("delete container", self.client.delete_container(container))
        self.judge("create container", self.client.create_container(container))

    def path(self):
        return f"{self.rng.choice(CONTAINERS)}/{self.rng.randrange(NAMES)}"

    def steps(self):
        """What it does, and how often."""
        return {self.put: 3, self.stage_and_commit: 4, self.append: 4, self.copy: 14, self.read: 6, self.delete: 4,
                self.delete_container: 0.3 * self.deleting}

    def act(self):
        steps = self.steps()
        step, = self.rng.choices(list(steps), list(steps.values()))
        step(self.path())

    def read_all(self):
        for container in CONTAINERS:
            for name in range(NAMES):
                for kind in ("", "-log"):
                    answer = self.judge("get", self.client.get(f"{container}/{name}{kind}"))
                    if answer.status == 200:
                        if not answer.whole:
                            raise ValueError("a download breaks off")
                        check_parts(answer.body)


def share(client, port, sas, seed, deleting, results):
    """Until the gateway is killed."""
    sharer = client(port, sas, seed)
    sharer.deleting = deleting
    try:
        while True:
            sharer.act()
    except Gone:
        results.put((sharer.counts, None))
    except Exception as error:  # pylint: disable=broad-except
        results.put((sharer.counts, f"{type(error).__name__}: {error}"))


class Sharing:
    client = Sharer

    def __init__(self, directory, arguments):
        self.arguments, self.counts, self.failures = arguments, collections.Counter(), []
        self.borrow_ms = 0
        self.gateways = [Gateway(directory / "first", index_shards=3)]
        if ON_RADOS:
            self.gateways.append(Gateway(directory / "second", index_shards=3, beside=self.gateways[0]))
        for gateway in self.gateways:
            gateway.clock_file = directory / "clock"
            gateway.removal_delay_s = DELAY_S
        self.gateways[0].move_clock(0)
        for gateway in self.gateways:
            gateway.start()
        self.sas = account_sas(ACCOUNT, self.gateways[0].create_account(ACCOUNT))
        client = Client(self.gateways[0].port, ACCOUNT, self.sas)
        for container in CONTAINERS:
            client.create_container(container)

    def round(self, number, deleting):
        results = multiprocessing.Queue()
        clients = [multiprocessing.Process(target=share, args=(
            self.client, self.gateways[at % len(self.gateways)].port, self.sas,
            (self.arguments.seed * 1000 + number) * 1000 + at, deleting, results))
            for at in range(self.arguments.clients)]
        for client in clients:
            client.start()
        time.sleep(ROUND_S)
        for gateway in self.gateways:
            gateway.check_alive()
            gateway.kill()
        outcomes = [results.get() for _ in clients]
        for client in clients:
            client.join()
        self.counts = sum((counts for counts, _ in outcomes), self.counts)
        self.failures += [failure for _, failure in outcomes if failure]
        for gateway in self.gateways:
            gateway.start()
        self.client(self.gateways[-1].port, self.sas, 0).read_all()

    def rounds(self, deleting):
        for gateway in self.gateways:
            gateway.removal_delay_s = DELAY_S
            gateway.restart()
        for number in range(self.arguments.rounds):
            self.round(2 * number + deleting, deleting)
        self.borrow_ms += 2 * BORROW_MS
        self.gateways[0].move_clock(self.borrow_ms)
        self.settle()

    def settle(self):
        """What nobody came back for is given up in its time. What is left is whole, and all there is."""
        for gateway in self.gateways:
            gateway.removal_delay_s = 0
            gateway.restart()
        for gateway in self.gateways:
            self.client(gateway.port, self.sas, 0).read_all()
        self.scrub()

    def audit(self):
        audit = Audit(self.gateways[0])
        audit.wait_for_removal()
        audit.check(may_leave=True)  # data of uploads that were broken off
        self.scrub()
        audit.check()
        audit.close()

    def delete_containers(self):
        client = Client(self.gateways[0].port, ACCOUNT, self.sas)
        for container in CONTAINERS:
            client.delete_container(container)

    def scrub(self):
        done = self.gateways[0].ctl("scrub", "--verify", "--remove", "--older-than", "0s", "--yes", "--json")
        if '"damaged":0' not in done.stdout.replace(" ", ""):
            raise Leak(f"scrub finds damage: {done.stdout}{done.stderr}")

    def run(self):
        try:
            self.rounds(deleting=False)
            self.audit()
            self.rounds(deleting=True)
            # Of those that were deleted some wait for others that borrow of them.
            self.delete_containers()
            self.audit()
        except (Leak, ValueError) as wrong:
            self.failures.append(str(wrong))
        for what, count in sorted(self.counts.items()):
            print(f"{count:8} {what}")
        for gateway in self.gateways:
            gateway.check_alive()
            if gateway.stop() != 0:
                self.failures.append("a gateway does not end well")
        if self.failures:
            for gateway in self.gateways:
                print(gateway.log_file.read_text(errors="replace")[-3000:], file=sys.stderr)
            sys.exit(f"{sys.argv[0]}: seed {self.arguments.seed}: {self.failures}")

    def run_to_the_end(self):
        try:
            self.run()
        finally:
            for gateway in self.gateways:
                if gateway.process is not None and gateway.process.poll() is None:
                    gateway.kill()


def parser_of(description):
    parser = argparse.ArgumentParser(description=description,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    return parser


def main():
    with tempfile.TemporaryDirectory(prefix="gatekey-share.") as directory:
        Sharing(pathlib.Path(directory), parser_of(__doc__).parse_args()).run_to_the_end()


if __name__ == "__main__":
    main()
