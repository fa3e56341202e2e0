#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two gateways on one cluster are restarted one after the other, as for an upgrade, under a load of writes and
reads by clients that never ask twice: no request fails, and all that was written is there.

usage: rolling_restart.py [--rounds N] [--clients N] [--seed N]

A client does what a pool of connections and a balancer in front of the gateways do: it opens a connection to
any gateway that takes one, keeps it until an answer or the other side closes it, and sends nothing on one that was
closed. The account is under a customer's key, so that each gateway asks the vault anew when it is back.
"""
import argparse
import concurrent.futures
import itertools
import pathlib
import random
import select
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from vault_process import Vault  # noqa: E402
from write_load import ACCOUNT, Load, Wrong  # noqa: E402

GATEWAYS = 2
KEY = "customer"
PATIENCE_S = 120


class Traveller(Client):
    """A client of all gateways."""

    def __init__(self, gateways, sas, rng):
        super().__init__(None, ACCOUNT, sas)
        self.gateways, self.rng = gateways, rng

    def _connect(self):
        *others, last = self.rng.sample(self.gateways, len(self.gateways))
        for gateway in others:
            self.port = gateway.port
            try:
                super()._connect()
                return
            except ConnectionRefusedError:
                pass
        self.port = last.port
        super()._connect()

    def begin(self, *request):
        if self.socket is not None and select.select([self.socket], [], [], 0)[0]:
            self.close()
        super().begin(*request)


class Rolling:
    def __init__(self, gateways, arguments):
        self.gateways, self.arguments = gateways, arguments
        for gateway in gateways:
            gateway.start()
        self.sas = account_sas(ACCOUNT, gateways[0].create_account(ACCOUNT, KEY))
        self.loads = [Load(number, arguments.seed) for number in range(arguments.clients)]
        self.travellers = [Traveller(gateways, self.sas, random.Random(load.number)) for load in self.loads]
        for load, traveller in zip(self.loads, self.travellers):
            assert traveller.create_container(f"client-{load.number:02}").status == 201
        self.failed = threading.Event()

    def work(self, load, traveller, stop):
        try:
            load.work(traveller, stop, False)
        except BaseException:
            self.failed.set()
            raise

    def wait_for_progress(self):
        """Until each client has had an answer: all of them work with what there is now."""
        before = [load.acknowledged for load in self.loads]
        for _ in range(PATIENCE_S * 100):
            if self.failed.is_set() or all(load.acknowledged > count for load, count in zip(self.loads, before)):
                return
            self.failed.wait(0.01)
        raise Wrong(f"a client has had no answer for {PATIENCE_S} s")

    def restart_all(self):
        for _, gateway in itertools.product(range(self.arguments.rounds), self.gateways):
            self.wait_for_progress()
            if gateway.stop() != 0:
                raise Wrong("SIGTERM ends a gateway badly")
            self.wait_for_progress()
            gateway.start()
        self.wait_for_progress()

    def run(self):
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(len(self.loads)) as pool:
            running = [pool.submit(self.work, load, traveller, stop)
                       for load, traveller in zip(self.loads, self.travellers)]
            try:
                self.restart_all()
            finally:
                stop.set()
            for load in running:
                load.result()
        for load, traveller in zip(self.loads, self.travellers):
            load.verify(traveller)
            traveller.close()


def run(arguments, directory):
    vault = Vault(directory / "vault")
    try:
        vault.create_key(KEY)
        first = Gateway(directory / "gateway-0", vault=vault)
        gateways = [first, *(Gateway(directory / f"gateway-{number}", beside=first, vault=vault)
                             for number in range(1, GATEWAYS))]
        rolling = Rolling(gateways, arguments)
        rolling.run()
        for gateway in gateways:
            if gateway.stop() != 0:
                raise Wrong("SIGTERM ends a gateway badly")
    finally:
        vault.stop()
    print(f"{arguments.rounds * GATEWAYS} restarts, {sum(load.acknowledged for load in rolling.loads)} writes, "
          "none failed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatekey-rolling-") as directory:
        run(arguments, pathlib.Path(directory))


if __name__ == "__main__":
    sys.exit(main())
