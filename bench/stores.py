# SPDX-License-Identifier: Apache-2.0
"""Blob servers to be measured: a gateway with or without encryption, and Azurite. Each is started in
a directory of its own, with one container, and answers on loopback."""
import base64
import http.client
import os
import pathlib
import secrets
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "lib"))
from gateway_process import (BUILD, ROOT, START_TIMEOUT_S, Gateway,  # noqa: E402,F401
                             account_sas, wait_for)

VERSION = "2021-12-02"
CONTAINER = "bench"


def build():
    for command in (["cmake", "--preset", "release"], ["cmake", "--build", "--preset", "release"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stdout[-4000:] + done.stderr)


class Server:
    """A started server: host, port, base (path of the container), sas."""

    def __init__(self, name, process, port, account, key):
        self.name, self.process, self.port = name, process, port
        self.base = f"/{account}/{CONTAINER}"
        self.sas = account_sas(account, key)
        self._create_container()

    def _create_container(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
        connection.request("PUT", f"{self.base}?restype=container&{self.sas}",
                           headers={"x-ms-version": VERSION, "Content-Length": "0"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 201:
            raise SystemExit(f"{self.name}: the container: {answer.status} {body[:300]!r}")
        connection.close()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_gateway(directory, program="gateway/gatekey-gateway", module="plugin/gatekey.so"):
    gateway = Gateway(directory, program, module).start()
    key = gateway.create_account("bench")
    return Server("gatekey", gateway.process, gateway.port, "bench", key)


def start_passthrough(directory):
    server = start_gateway(directory, "bench/gatekey-gateway-bench", "bench/passthrough.so")
    server.name = "pass-through"
    return server


AZURITE_ACCOUNT = "bench"


def start_azurite(directory):
    directory.mkdir(parents=True)
    key = base64.b64encode(secrets.token_bytes(64)).decode()
    port_file = directory / "log"
    with open(port_file, "wb") as log:
        process = subprocess.Popen(
            ["node", ROOT / "bench/node_modules/azurite/dist/src/blob/main.js", "--silent",
             "--location", directory / "data", "--blobHost", "127.0.0.1", "--blobPort", "0",
             "--skipApiVersionCheck", "--disableTelemetry"],
            stdout=log, stderr=log, env=dict(os.environ, AZURITE_ACCOUNTS=f"{AZURITE_ACCOUNT}:{key}"))
    prefix = b"Azurite Blob service successfully listens on http://127.0.0.1:"
    wait_for("azurite", process, lambda: prefix in port_file.read_bytes())
    text = port_file.read_bytes()
    port = int(text[text.index(prefix) + len(prefix):].split()[0].strip(b"/"))
    return Server("azurite", process, port, AZURITE_ACCOUNT, key)
