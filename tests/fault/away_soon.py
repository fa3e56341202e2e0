#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How soon everybody is told that the cluster is away: every request with 503 and Retry-After, however many
want the same blob; /readyz with no, /healthz with yes, at once. A gateway can be ended meanwhile. away.py
looks at what is there afterwards.

usage: away_soon.py

Makes a cluster of its own with scripts/ceph, and holds up its OSDs.
"""
import argparse
import concurrent.futures
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from ceph_cluster import Cluster  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402

ACCOUNT = "away"
OP_TIMEOUT_S = 3
LOCK_WAIT_S = 5  # how long a write waits for its turn, gateway/blob/locks.h
BUSY_MACHINE_S = 6
ANSWER_S = OP_TIMEOUT_S + LOCK_WAIT_S + BUSY_MACHINE_S
PROBE_S = 1 + BUSY_MACHINE_S
END_S = 3 * OP_TIMEOUT_S + BUSY_MACHINE_S
BACK_S = 60
OSDS = 2  # of one alone, Ceph 16 leaves placement groups unreadable once it was held up
SAME = 8  # writers of one blob
SIZES = {"small": 3000, "chunks": 300000, "objects": 5 << 20}


class Wrong(Exception):
    """Something is not as it should be."""


class Away:
    def __init__(self, cluster, gateway):
        self.cluster, self.gateway = cluster, gateway
        self.rng = random.Random(1)
        gateway.start()
        self.sas = account_sas(ACCOUNT, gateway.create_account(ACCOUNT))
        self.back_until = 0
        self.contents = {name: self.rng.randbytes(size) for name, size in SIZES.items()}
        self.expect("before", self.request("create_container", "kept"), 201)
        for name, content in self.contents.items():
            self.expect(name, self.request("put", f"kept/{name}", content, {"mark": "old"}), 201)

    def request(self, operation, *arguments):
        client = Client(self.gateway.port, ACCOUNT, self.sas)
        try:
            return getattr(client, operation)(*arguments)
        finally:
            client.close()

    @staticmethod
    def expect(what, answer, status):
        if answer.status != status:
            raise Wrong(f"{what}: {answer.status} {answer.code} instead of {status}")

    # --- while it is away ----------------------------------------------------------------------------

    def refused(self, operation, *arguments):
        """The time that it took."""
        began = time.monotonic()
        answer = self.request(operation, *arguments)
        took_s = time.monotonic() - began
        what = f"{operation} {arguments[:1]} after {took_s:.1f} s"
        self.expect(what, answer, 503)
        if "retry-after" not in answer.headers:
            raise Wrong(f"{what}: 503 without Retry-After")
        if took_s > ANSWER_S:
            raise Wrong(f"{what}: that is too late")
        return took_s

    def probe(self, path, status):
        began = time.monotonic()
        found, body = self.gateway.probe(path)
        took_s = time.monotonic() - began
        if found != status or took_s > PROBE_S:
            raise Wrong(f"{path} answers {found} {body} after {took_s:.1f} s")

    def wait_for_not_ready(self):
        """A look at the store is good for a second."""
        deadline = time.monotonic() + PROBE_S
        while self.gateway.probe("/readyz")[0] == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.probe("/readyz", 503)

    def refuse_all(self, news):
        calls = [("get", f"kept/{name}") for name in SIZES]
        calls += [("put", f"kept/{name}", content, {"mark": "new"}) for name, content in news.items()]
        calls += [("set_metadata", "kept/small", {"mark": f"set{number}"}) for number in range(SAME)]
        calls += [("put_block", "kept/staged", b"1", b"x"), ("list_blobs", "kept"), ("list_containers",),
                  ("create_container", "other"), ("delete", "kept/absent"), ("properties", "kept/small")]
        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            running = [pool.submit(self.refused, *call) for call in calls]
            self.probe("/healthz", 200)
            self.wait_for_not_ready()
            return max(call.result() for call in running)

    # --- when it is back -----------------------------------------------------------------------------

    def served(self, operation, *arguments):
        """Placement groups come back one by one."""
        while (answer := self.request(operation, *arguments)).status == 503:
            if time.monotonic() > self.back_until:
                raise Wrong(f"the cluster is back, and {operation} {arguments[:1]} answers 503 "
                            f"{answer.code}")
            time.sleep(0.05)
        if answer.status >= 300:
            raise Wrong(f"{operation} {arguments[:1]}: {answer.status} {answer.code}")
        return answer

    def wait_until_back(self):
        self.back_until = time.monotonic() + BACK_S
        self.served("put", "kept/back", b"back")
        while self.gateway.probe("/readyz")[0] != 200:
            if time.monotonic() > self.back_until:
                raise Wrong("the cluster is back, and the gateway is not ready")
            time.sleep(0.05)
        self.gateway.check_alive()

    def check(self, news):
        """Old or new, and whole."""
        for name, old in self.contents.items():
            answer = self.served("get", f"kept/{name}")
            mark = answer.metadata.get("mark")
            contents = {"old": [old], "new": [news[name]]}.get(mark, [old, news[name]])
            if answer.body not in contents:
                raise Wrong(f"kept/{name} is neither what it was nor what was written, with {mark}")
            self.contents[name] = answer.body
            self.served("set_metadata", f"kept/{name}", {"mark": "old"})

    def outage(self):
        news = {name: self.rng.randbytes(size) for name, size in SIZES.items()}
        self.probe("/readyz", 200)
        self.hold()
        try:
            slowest_s = self.refuse_all(news)
        finally:
            self.release()
        self.wait_until_back()
        self.check(news)
        print(f"503 for all after {slowest_s:.1f} s at most, and back", flush=True)

    def hold(self):
        for number in range(OSDS):
            self.cluster.hold(f"osd.{number}")

    def release(self):
        for number in range(OSDS):
            self.cluster.release(f"osd.{number}")

    def end_meanwhile(self):
        self.hold()
        try:
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                running = pool.submit(self.refused, "put", "kept/small", b"last", {"mark": "new"})
                self.wait_for_not_ready()
                began = time.monotonic()
                code = self.gateway.stop()
                took_s = time.monotonic() - began
                if code != 0 or took_s > END_S:
                    raise Wrong(f"SIGTERM ends the gateway with {code} after {took_s:.1f} s")
                running.result()
        finally:
            self.release()
        self.gateway.start()
        self.wait_until_back()
        print(f"a gateway ends meanwhile, in {took_s:.1f} s", flush=True)

    def run(self):
        self.outage()
        self.end_meanwhile()
        if self.gateway.stop() != 0:
            raise Wrong("the gateway does not end well")


def run(directory):
    cluster = Cluster(directory / "ceph", "--osds", str(OSDS))
    gateway = None
    try:
        gateway = Gateway(directory / "gateway", cluster=cluster.directory, op_timeout_s=OP_TIMEOUT_S)
        Away(cluster, gateway).run()
    except Wrong as wrong:
        print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
        sys.exit(f"away_soon.py: {wrong}")
    finally:
        if gateway is not None and gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()
        cluster.close()


def main():
    argparse.ArgumentParser(description=__doc__,
                            formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    with tempfile.TemporaryDirectory(prefix="gatekey-away-soon.") as directory:
        run(pathlib.Path(directory))


if __name__ == "__main__":
    main()
