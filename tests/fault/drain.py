#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A gateway that is told to end, with connections open: a download that is under way comes whole, a request on a
connection that was there before, or that the kernel has taken and nobody else yet, is answered and is the last one
there, and nobody new is let in.

usage: drain.py
"""
import pathlib
import random
import signal
import socket
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from blob_client import Client  # noqa: E402
from gateway_process import STOP_TIMEOUT_S, Gateway, account_sas  # noqa: E402

LARGE = random.Random(1).randbytes(32 << 20)  # more than is under way in sockets

EARLY = 50


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    return False


def check(condition, what):
    if not condition:
        raise SystemExit(f"drain: {what}")


def run(gateway):
    gateway.start()
    sas = account_sas("drained", gateway.create_account("drained"))
    download, beside = (Client(gateway.port, "drained", sas) for _ in range(2))
    check(download.create_container("box").status == 201, "no container")
    check(download.put("box/large", LARGE).status == 201, "no blob")
    check(beside.put("box/small", b"small").headers.get("connection") is None, "a connection ends while none has to")

    download.begin("GET", "box/large")
    gateway.process.send_signal(signal.SIGSTOP)
    early = [Client(gateway.port, "drained", sas) for _ in range(EARLY)]
    for client in early:
        client.begin("GET", "box/small")
    gateway.process.send_signal(signal.SIGTERM)
    gateway.process.send_signal(signal.SIGCONT)
    check(all(client.finish("GET").body == b"small" for client in early), "a request in time is not answered")
    while not refuses(gateway.port):
        gateway.check_alive()
    answer = beside.get("box/small")
    check(answer.status == 200 and answer.body == b"small", f"a request in time is answered with {answer.status}")
    check(answer.headers.get("connection", "").lower() == "close", "nobody is told that it was the last answer")
    answer = download.finish("GET")
    check(answer.status == 200 and answer.body == LARGE, f"{len(answer.body)} of {len(LARGE)} bytes came")
    download.close()
    code = gateway.process.wait(STOP_TIMEOUT_S)
    check(code == 0, f"SIGTERM ends the gateway with {code}")


def main():
    with tempfile.TemporaryDirectory(prefix="gatekey-drain-") as directory:
        run(Gateway(pathlib.Path(directory)))


if __name__ == "__main__":
    sys.exit(main())
