#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Everything that was replaced or deleted is removed from the store, to the last row, whatever came in
between: overwritten and deleted blobs, block lists committed again, containers, accounts; with the
gateway ended, killed and started again while it removes, and with damaged entries in its way.

usage: removal.py [--blobs N] [--accounts N]
"""
import argparse
import concurrent.futures
import os
import pathlib
import random
import struct
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import Gateway, account_sas  # noqa: E402
from audit import Audit, Leak  # noqa: E402
from open_store import META, read_store  # noqa: E402

MIB = 1 << 20
SIZES = {"empty": 0, "byte": 1, "inline": 4096, "chunk": 65536, "chunks": 300000, "objects": 5 * MIB}
LONG_S = 3600
KILLS = 6
TABLES = ("object", "attr", "map", "extent")


def good(answer):
    if answer.status >= 300:
        raise Leak(f"{answer.status} {answer.code}")
    return answer


class Removal:
    def __init__(self, gateway, arguments):
        self.gateway, self.arguments = gateway, arguments
        self.rng = random.Random(1)
        self.keys = {}

    def start(self, delay_s):
        self.gateway.removal_delay_s = delay_s
        self.gateway.start()
        self.audit = Audit(self.gateway)
        self.store = self.audit.store

    def restart(self, delay_s, kill=False):
        self.audit.close()
        if kill:
            self.gateway.kill()
        elif self.gateway.stop() != 0:
            raise Leak("the gateway does not end well")
        self.start(delay_s)

    def account(self, name):
        if name not in self.keys:
            self.keys[name] = self.gateway.create_account(name)
        return Client(self.gateway.port, name, account_sas(name, self.keys[name]))

    def rows(self):
        """How many of each table there are, without the registry's, which has rows of its own."""
        registry = "(SELECT id FROM object WHERE name = CAST('registry' AS BLOB))"
        return {table: self.store.rows(
            f"SELECT count(*) FROM {table} WHERE {'id' if table == 'object' else 'object'} "
            f"NOT IN {registry}")[0][0] for table in TABLES}

    def expect(self, what, wanted):
        self.audit.wait_for_removal()
        rows = self.rows()
        if rows != wanted:
            raise Leak(f"{what}: {wanted} rows have become {rows}")
        self.audit.check()
        print(f"nothing left: {what}", flush=True)

    # --- what becomes garbage ----------------------------------------------------------------------

    def blocks(self, client, path, names, size=30000):
        for name in names:
            good(client.put_block(path, b"%06d" % name, self.rng.randbytes(size)))

    def commit(self, client, path, names):
        good(client.put_block_list(path, [b"%06d" % name for name in names], {"mark": "x"}))

    def use(self, client, container):
        """Writes blobs of all shapes again and again; all of them are there at the end."""
        for name, size in SIZES.items():
            for _ in range(3):
                good(client.put(f"{container}/{name}", self.rng.randbytes(size), {"mark": "x"}))
        good(client.set_metadata(f"{container}/chunk", {"mark": "y"}))
        path = f"{container}/listed"
        self.blocks(client, path, range(5))
        self.commit(client, path, range(5))
        self.blocks(client, path, [1, 7, 8])  # 1 again, 8 for nothing
        self.commit(client, path, [0, 1, 1, 7])
        path = f"{container}/paged"
        self.blocks(client, path, range(70), 600)
        self.commit(client, path, range(70))
        self.commit(client, path, [*range(10, 70), *range(10, 70)])
        self.commit(client, path, range(20, 70))
        self.blocks(client, path, range(100, 110), 20000)  # and not committed
        path = f"{container}/written over"
        self.blocks(client, path, range(3))
        good(client.put(path, b"new"))
        self.blocks(client, f"{container}/never committed", range(3))

    def delete_blobs(self, client, container):
        for name in [*SIZES, "listed", "paged", "written over"]:
            good(client.delete(f"{container}/{name}"))
        # Only so can blocks alone be got rid of.
        good(client.put(f"{container}/never committed", b""))
        good(client.delete(f"{container}/never committed"))

    # --- the cases ---------------------------------------------------------------------------------

    def blobs_and_containers(self):
        self.start(0)
        client = self.account("first")
        without = self.rows()
        good(client.create_container("used"))
        empty = self.rows()
        self.use(client, "used")
        self.audit.wait_for_removal()
        self.audit.check()
        self.delete_blobs(client, "used")
        self.expect("blobs written over and deleted", empty)
        self.use(client, "used")
        good(client.delete_container("used"))
        self.expect("a container with all that was in it", without)

    def copies(self):
        """Copies that share: what is lent stays for as long as somebody borrows it, and no longer."""
        client = self.account("first")
        without = self.rows()
        names = ("one", "two")
        for name in names:
            good(client.create_container(name))
        empty = self.rows()
        self.blocks(client, "one/lender", range(70), 9000)
        self.commit(client, "one/lender", range(70))
        content = client.get("one/lender").body
        self.copy(client, "one/lender", "two/first")
        self.copy(client, "two/first", "two/second")
        good(client.delete("one/lender"))
        good(client.delete("two/first"))
        self.audit.wait_for_removal()
        self.audit.check()
        if client.get("two/second").body != content:
            raise Leak("what was lent is gone")
        good(client.put("two/second", b"something else"))
        good(client.delete("two/second"))
        self.expect("the last copy that borrowed", empty)
        # Two that borrow of each other.
        for name, other in (names, reversed(names)):
            self.blocks(client, f"{name}/lender", range(3))
            self.commit(client, f"{name}/lender", range(3))
            self.copy(client, f"{name}/lender", f"{other}/borrower")
        content = client.get("two/borrower").body
        good(client.delete_container("one"))
        if client.get("two/borrower").body != content:
            raise Leak("what was lent went with its container")
        good(client.delete_container("two"))
        self.expect("two containers that borrowed of each other", without)

    def copy(self, client, source, path):
        url = f"http://127.0.0.1:{self.gateway.port}/first/{source}?{client.sas}"
        good(client.request("PUT", path, "", {"x-ms-copy-source": url}))

    def interrupted(self):
        """What rests is removed by a later start; a start that does not get through, by the next."""
        self.restart(LONG_S)
        client = self.account("first")
        without = self.rows()
        good(client.create_container("used"))
        good(client.create_container("other"))
        self.use(client, "used")
        self.delete_blobs(client, "used")
        self.fill(client, "other", self.arguments.blobs)
        for number in range(self.arguments.blobs):
            good(client.delete(f"other/{number}"))
        if self.audit.garbage() < self.arguments.blobs:
            raise Leak("garbage does not rest")
        kept = self.rows()
        self.restart(LONG_S)
        time.sleep(0.3)
        if self.rows() != kept:
            raise Leak("garbage does not rest over a restart")
        self.damaged_entries("other")
        for kill in range(KILLS):
            self.restart(0, kill=True)
            time.sleep(0.01 * kill)
        client = self.account("first")
        good(client.delete_container("used"))
        good(client.delete_container("other"))
        self.expect(f"{self.arguments.blobs} blobs, by {KILLS} starts that were killed", without)

    def fill(self, client, container, count):
        def put(numbers):
            mine = Client(client.port, client.account, client.sas)
            for number in numbers:
                good(mine.put(f"{container}/{number}", self.rng.randbytes(20000)))
            mine.close()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(put, [range(at, count, 8) for at in range(8)]))

    def damaged_entries(self, container):
        """Some entries of garbage are not what was written: the others go all the same, nothing else
        goes, and these go when they are whole again."""
        self.restart(LONG_S)
        shards = read_store.index_names(self.container("first", container))
        entries = {(index, key): value for index in shards
                   for key, value in self.store.map(index, b"g/").items()}
        damaged = {place: entries[place] for place in self.rng.sample(sorted(entries), 5)}
        good(self.account("first").put(f"{container}/stays", b"stays"))
        for place, value in damaged.items():
            at = self.rng.randrange(len(value))
            self.change(*place, value[:at] + bytes([value[at] ^ 1]) + value[at + 1:])
        self.restart(0)
        deadline = time.monotonic() + 60
        while (left := sum(len(self.store.map(index, b"g/")) for index in shards)) > len(damaged):
            if time.monotonic() > deadline:
                raise Leak(f"{len(damaged)} damaged entries keep {left} from being removed")
            time.sleep(0.05)
        if good(self.account("first").get(f"{container}/stays")).body != b"stays":
            raise Leak("something that is in use was removed")
        good(self.account("first").delete(f"{container}/stays"))
        for place, value in damaged.items():
            self.change(*place, value)
        print("nothing left: all but the damaged entries", flush=True)

    def container(self, account, container):
        return read_store.Account(self.store, self.audit.service_key, account, []).container(
            container)

    def change(self, name, key, value):
        with self.store.tampering() as change:
            change.set_map(name, key, value)
            change.publish()
            change.undo.clear()

    def accounts(self):
        """Many at once, while the reaper removes the first of them."""
        self.restart(0)
        before = self.rows()
        names = [f"gone{number:02}" for number in range(self.arguments.accounts)]
        for name in names:
            client = self.account(name)
            for container in ("one", "two"):
                good(client.create_container(container))
                for size in (10, 30000):
                    good(client.put(f"{container}/{size}", self.rng.randbytes(size)))
            good(client.delete_container("two"))
            client.close()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self.gateway.delete_account, names))
        self.expect(f"{len(names)} accounts", before)

    def account_interrupted(self):
        self.restart(LONG_S)
        before = self.rows()
        client = self.account("large")
        for container in ("one", "two", "three"):
            good(client.create_container(container))
            self.fill(client, container, self.arguments.blobs // 3)
        good(client.delete_container("three"))
        self.use(client, "one")
        self.gateway.delete_account("large")
        for kill in range(KILLS):
            self.restart(LONG_S, kill=True)
            time.sleep(0.01 * kill)
        self.expect("an account, by starts that were killed", before)

    def half_deleted(self):
        """The gateway ended between an account's mark and the account's end: it lives on. A mark of now stays
        until the account is deleted after all."""
        self.restart(0)
        account = self.account("first")
        good(account.create_container("kept"))
        good(account.put("kept/blob", b"kept"))
        record = read_store.Account(self.store, self.audit.service_key, "first", [])
        container_id = self.container("first", "kept")["id"]
        self.audit.close()
        self.gateway.stop()
        self.audit = Audit(self.gateway)
        database = self.audit.store.database
        with self.audit.store.tampering() as change:
            database.execute("INSERT INTO object (pool, name, version, size) VALUES (?, ?, 1, 0)",
                             (META, b"deleted/" + record.id.hex().encode()))
            number = database.execute("SELECT last_insert_rowid()").fetchone()[0]
            change.set_row("attr", (number, b"gateway.name"),
                           {"object": number, "name": b"gateway.name", "value": b"first"})
            change.set_row("map", (number, container_id),
                           {"object": number, "key": container_id, "value": struct.pack(">I", 3)})
            change.set_map("registry", b"d/" + record.id, struct.pack(">Q", int(time.time() * 1000)))
            change.publish()
            change.undo.clear()
        self.audit.close()
        self.start(0)
        self.account("second").close()
        self.gateway.delete_account("second")
        mark = ["deleted/" + record.id.hex()]
        deadline = time.monotonic() + 60
        while self.store.names(META, "deleted/") != mark:  # the reaper goes through all of them
            if time.monotonic() > deadline:
                raise Leak("the mark of a deletion that was not finished is gone, or another stays")
            time.sleep(0.01)
        if good(self.account("first").get("kept/blob")).body != b"kept":
            raise Leak("an account that was not deleted has lost a blob")
        self.gateway.delete_account("first")
        self.expect("the last account, with the mark of a deletion before", dict.fromkeys(TABLES, 0))

    def run(self):
        self.blobs_and_containers()
        self.copies()
        self.interrupted()
        self.accounts()
        self.account_interrupted()
        self.half_deleted()
        if self.gateway.stop() != 0:
            raise Leak("the gateway does not end well")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blobs", type=int, default=2000)
    parser.add_argument("--accounts", type=int, default=24)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatekey-removal.") as directory:
        gateway = Gateway(os.path.join(directory, "gateway"), index_shards=3)
        try:
            Removal(gateway, arguments).run()
        except Leak as leak:
            print(gateway.log_file.read_text(errors="replace")[-1500:], file=sys.stderr)
            sys.exit(f"removal.py: {leak}")
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.kill()


if __name__ == "__main__":
    main()
