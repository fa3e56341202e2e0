#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Both servers tell their supervisor what they do: at READY the first connection is taken, without a second try; a
reload says when it begins and when it is over, a refused one, too; and an end is announced. Takes a second or two.

usage: supervised.py
"""
import json
import os
import pathlib
import signal
import socket
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))
from gateway_process import START_TIMEOUT_S, Gateway  # noqa: E402
from vault_process import Vault  # noqa: E402


def check(condition, what):
    if not condition:
        raise SystemExit(f"supervised: {what}")


class Supervisor:
    """Whoever is started from now on finds it in its environment."""

    def __init__(self, directory):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(directory / "notify"))
        self.socket.settimeout(START_TIMEOUT_S)
        os.environ["NOTIFY_SOCKET"] = str(directory / "notify")

    def expect(self, state):
        told = self.socket.recv(4096).decode()
        check(told.split("\n")[0] == state, f"{state} is to be told, and {told!r} was")
        return told


def connect(endpoint):
    address = urllib.parse.urlsplit(endpoint)
    socket.create_connection((address.hostname, address.port)).close()


def run_gateway(supervisor, directory):
    gateway = Gateway(directory)
    gateway.launch()
    supervisor.expect("READY=1")
    endpoints = json.loads(gateway.ready.read_text())
    connect(endpoints["blob_endpoint"])
    connect(endpoints["management_endpoint"])
    configuration = directory / "gateway.conf"
    for text in (configuration.read_text(), "nonsense"):
        configuration.write_text(text)
        gateway.process.send_signal(signal.SIGHUP)
        check("MONOTONIC_USEC=" in supervisor.expect("RELOADING=1"), "a reload without its time")
        supervisor.expect("READY=1")
    gateway.process.terminate()
    supervisor.expect("STOPPING=1")
    check(gateway.process.wait() == 0, "a gateway that was told to end has not ended well")


def run_vault(supervisor, directory):
    vault = Vault(directory)
    supervisor.expect("READY=1")
    vault.process.terminate()
    supervisor.expect("STOPPING=1")
    check(vault.process.wait() == 0, "a vault that was told to end has not ended well")


def main():
    with tempfile.TemporaryDirectory(prefix="gatekey-supervised.") as temporary:
        directory = pathlib.Path(temporary)
        supervisor = Supervisor(directory)
        run_gateway(supervisor, directory / "gateway")
        run_vault(supervisor, directory / "vault")


if __name__ == "__main__":
    main()
