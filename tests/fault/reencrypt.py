#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Re-encryption, again and again, while many clients write, copy, append to, snapshot and delete the same few
blobs and containers (share.py), on RADOS through two gateways; gateways are killed in the middle of it.

usage: reencrypt.py [--rounds N] [--clients N] [--seed N]

Every content proves itself, and no answer may be a 500. In the end each re-encryption comes to its end and finds no
damage, and what is left is exactly what the blobs refer to, once what was held for records that never came is given
up.
"""
import concurrent.futures
import json
import pathlib
import tempfile
import time

from share import ACCOUNT, Sharing, parser_of
from audit import Leak

LEASE_S = 60


class Reencrypting(Sharing):
    def __init__(self, directory, arguments):
        super().__init__(directory, arguments)
        self.reencrypted, self.running = 0, False

    def reencrypt(self, gateway, *options):
        done = gateway.ctl("account", "reencrypt", ACCOUNT, "--json", *options)
        return done.returncode, json.loads(done.stdout) if done.stdout else None

    def until_killed(self, gateway):
        """One after the other; one that another gateway has begun is waited for."""
        while self.running:
            _, state = self.reencrypt(gateway)
            if state is not None:
                self.note(state)

    def note(self, state):
        self.reencrypted += state["counts"]["reencrypted"]
        if state["counts"]["damaged"] != 0 or state["status"] == "failed":
            self.failures.append(f"a re-encryption comes to {state}")

    def round(self, number, deleting):
        self.running = True
        with concurrent.futures.ThreadPoolExecutor(len(self.gateways)) as pool:
            running = [pool.submit(self.until_killed, gateway) for gateway in self.gateways]
            super().round(number, deleting)
            self.running = False
            for loop in running:
                loop.result()

    def settle(self):
        """One that was interrupted goes on, once the lease of the gateway that was killed is over; and one that begins
        with nobody there leaves only what it must."""
        until = time.monotonic() + LEASE_S
        while self.reencrypt(self.gateways[0], "--resume")[1] is None and time.monotonic() < until:
            if self.reencrypt(self.gateways[0], "--status")[1]["status"] != "running":
                break  # there is nothing to go on with
            time.sleep(0.2)
        code, state = self.reencrypt(self.gateways[-1])
        if code != 0 or state["status"] != "done" or state["counts"]["changing"] != 0:
            raise Leak(f"a re-encryption ends with {code}, {state}")
        self.note(state)
        super().settle()


def main():
    parser = parser_of(__doc__)
    with tempfile.TemporaryDirectory(prefix="gatekey-reencrypt.") as directory:
        reencrypting = Reencrypting(pathlib.Path(directory), parser.parse_args())
        reencrypting.run_to_the_end()
    print(f"{reencrypting.reencrypted} records were encrypted anew")


if __name__ == "__main__":
    main()
