# SPDX-License-Identifier: Apache-2.0
"""Accounts under one customer's key, and processes that ask a gateway for a blob of each, for bench/revocation: a process
has one connection for all its accounts, which it keeps."""
import multiprocessing
import time

from blob_client import Client
from gateway_process import account_sas

PROCESSES = 4
PAUSE_S = 0.01  # between rounds, at least
WATCH_RATE_S = 250  # requests a second at most, of a process
BACKGROUND_RATE_S = 100  # requests a second for all accounts in turn, whatever is watched
BLOB = "box/blob"
FORK = multiprocessing.get_context("fork")


class Accounts:
    """names, each with what its client needs."""

    def __init__(self, count):
        self.names = [f"dark{number}" for number in range(count)]
        self.sas = {}

    def client(self, port):
        return Connection(port, self.sas)


class Connection(Client):
    """One for many accounts."""

    def __init__(self, port, sas):
        super().__init__(port, None, None)
        self.all_sas = sas

    def of(self, name):
        self.account, self.sas = name, self.all_sas[name]
        return self


def in_processes(work, items):
    """What work(part of items) returns, of each of the processes."""
    parts = [items[at::PROCESSES] for at in range(min(PROCESSES, len(items)))]
    with FORK.Pool(len(parts)) as pool:
        return pool.map(work, parts, chunksize=1)


# --- making them -------------------------------------------------------------------------------------

WORK = {}  # what the processes of a pool are forked with


def make_part(names):
    gateway, settings = WORK["gateway"], WORK["settings"]
    sas = {}
    for name in names:
        status, answer = gateway.resource("PUT", name, body=settings)
        if status != 200:
            raise SystemExit(f"bench: {name}: {status} {answer}")
        sas[name] = account_sas(name, gateway.resource("POST", name, "/listKeys")[1]["keys"][0]["value"])
    connection = Connection(gateway.port, sas)
    for name in names:
        if connection.of(name).create_container("box").status != 201 or connection.put(BLOB, b"content").status != 201:
            raise SystemExit(f"bench: {name} takes no blob")
    return sas


def make(gateway, settings, count):
    accounts = Accounts(count)
    WORK.update(gateway=gateway, settings=settings)
    for sas in in_processes(make_part, accounts.names):
        accounts.sas.update(sas)
    return accounts


# --- asking ------------------------------------------------------------------------------------------

def watch_part(names):
    """When each has answered as wanted, and the longest round."""
    connection, wanted, until = WORK["accounts"].client(WORK["port"]), WORK["wanted"], WORK["until"]
    seen, slowest_s = [], 0.0
    while names and time.monotonic() < until:
        begun, asked = time.monotonic(), len(names)
        left = []
        for name in names:
            if connection.of(name).properties(BLOB).status == wanted:
                seen.append(time.monotonic())
            else:
                left.append(name)
        names = left
        pace_s = begun + asked / WATCH_RATE_S - time.monotonic()
        time.sleep(max(PAUSE_S, pace_s))
        slowest_s = max(slowest_s, time.monotonic() - begun)
    connection.close()
    return seen, slowest_s, names


class Watch:
    """Processes that are there, and begin with the word."""

    def __init__(self, accounts, names, port, wanted, patience_s):
        WORK.update(accounts=accounts, port=port, wanted=wanted, until=time.monotonic() + patience_s)
        parts = [names[at::PROCESSES] for at in range(min(PROCESSES, len(names)))]
        self.pool = FORK.Pool(len(parts))
        self.pool.map(len, parts, chunksize=1)
        self.parts = parts

    def run(self):
        """When each answered as wanted, by the monotonic clock; a process's longest round; who never did."""
        with self.pool:
            results = self.pool.map(watch_part, self.parts, chunksize=1)
        return ([moment for seen, _, _ in results for moment in seen], max(slowest_s for _, slowest_s, _ in results),
                [name for _, _, left in results for name in left])


def use_all(accounts, port, stop):
    """Asks for all in turn, so that none of them is idle."""
    connection = accounts.client(port)
    while not stop.is_set():
        for name in accounts.names:
            connection.of(name).properties(BLOB)
            if stop.wait(1 / BACKGROUND_RATE_S):
                break


class Background:
    """use_all in a process of its own, for as long as the with lasts."""

    def __init__(self, accounts, port):
        self.stop = FORK.Event()
        self.process = FORK.Process(target=use_all, args=(accounts, port, self.stop))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.process.join()
