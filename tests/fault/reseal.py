#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kills a gateway at random moments of a reseal, under a load of writes, and goes on with it in the next one.

usage: reseal.py [--rounds N] [--clients N] [--seed N]

In each round the account gets a new root key, all is resealed under it, with the gateway killed once in the
middle, and the root keys of before are retired in the end. Every write that was acknowledged is there then, and
a scrub that opens every chunk finds nothing damaged. Last, sealed data keys of retired root keys are put back
behind the gateway's back, with the records that have them: they are refused, and what was not touched reads on.
"""
import argparse
import concurrent.futures
import json
import pathlib
import random
import sys
import tempfile
import threading
import time

from open_store import META, OpenStore  # first: it ends with 77 where something is missing
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from audit import scrub  # noqa: E402
from write_load import ACCOUNT, Load, Wrong  # noqa: E402



class Resealing:
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

    def client(self):
        return Client(self.gateway.port, ACCOUNT, self.sas)

    def under_load(self, work):
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(len(self.loads)) as pool:
            running = [pool.submit(load.run, self.gateway.port, self.sas, stop, True)
                       for load in self.loads]
            try:
                work()
            finally:
                stop.set()
            for load in running:
                load.result()

    def reseal(self, *options):
        """Runs it to its end, or until the gateway is killed: the exit code, and what was printed."""
        done = self.gateway.ctl("account", "reseal", ACCOUNT, "--json", *options)
        return done.returncode, done.stdout

    def new_root_key(self):
        done = self.gateway.ctl("account", "new-root-key", ACCOUNT)
        if done.returncode != 0:
            raise Wrong(f"new-root-key ends with {done.returncode}: {done.stderr}")

    def killed_in_the_middle(self):
        def work():
            self.new_root_key()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                running = pool.submit(self.reseal)
                time.sleep(self.rng.uniform(0, 0.4))
                self.gateway.kill()
                running.result()
        self.under_load(work)
        self.gateway.start()
        self.verify()  # what was under way is known by that

    def finish(self):
        """A kill may have come before it began, or after its end."""
        code, text = self.reseal("--resume")
        if code not in (0, 1):
            raise Wrong(f"reseal --resume ends with {code}: {text}")
        code, text = self.reseal()
        state = json.loads(text)
        status = self.status()
        if code != 0 or state["status"] != "done" or status["generation"] != status["oldestGeneration"]:
            raise Wrong(f"a reseal comes to {state}, the account to {status}")

    def status(self):
        shown = self.gateway.ctl("account", "show", ACCOUNT, "--json").stdout
        return json.loads(shown)["properties"]["gatekey"]

    def verify(self):
        for load in self.loads:
            client = self.client()
            load.verify(client)
            load.tidy(client)
            client.close()
        self.gateway.check_alive()

    def verify_all(self):
        self.verify()
        _, counts = scrub(self.gateway, "--verify")
        if counts["damaged"] != 0:
            raise Wrong(f"a scrub finds damage: {counts}")

    # --- what was retired --------------------------------------------------------------------------

    def put_back(self):
        """The record of a blob from before its data key was sealed anew."""
        client = self.client()
        path = "retired/put-back"
        assert client.create_container("retired").status == 201
        assert client.put(path, b"of before").status == 201
        store = OpenStore(self.gateway.state)
        row = self.find(store, b"b/put-back")
        self.new_root_key()
        self.under_load(self.finish)
        if client.get(path).body != b"of before":
            raise Wrong("a blob that was resealed does not read")
        with store.tampering() as tampering:
            tampering.set_map(*row)
            tampering.publish()
            answer = client.get(path)
            if answer.status != 500 or b"of before" in answer.body:
                raise Wrong(f"a data key of a retired root key is answered with {answer.status}")
        if client.get(path).body != b"of before":
            raise Wrong("a blob that was put back does not read")
        store.close()
        client.close()

    @staticmethod
    def find(store, key):
        for name in store.names(META, "index/"):
            value = store.map(name, key).get(key)
            if value is not None:
                return name, key, value
        raise Wrong(f"{key} is in no index")

    def run(self):
        for _ in range(self.arguments.rounds):
            self.killed_in_the_middle()
            self.under_load(self.finish)
            self.verify()
        self.verify_all()
        self.put_back()
        self.verify_all()
        if self.gateway.stop() != 0:
            raise Wrong("the gateway does not end well")


def run(arguments, directory):
    began = time.monotonic()
    gateway = Gateway(directory / "dies", index_shards=3)
    try:
        Resealing(gateway, arguments).run()
    except Wrong as wrong:
        print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
        sys.exit(f"reseal.py: seed {arguments.seed}: {wrong}")
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.kill()
    print(f"seed {arguments.seed}: {arguments.rounds} reseals, each with a kill in the middle, in "
          f"{time.monotonic() - began:.0f} s; every acknowledged write was there")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    with tempfile.TemporaryDirectory(prefix="gatekey-reseal.") as directory:
        run(parser.parse_args(), pathlib.Path(directory))


if __name__ == "__main__":
    main()
