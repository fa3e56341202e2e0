# SPDX-License-Identifier: Apache-2.0
"""Blob servers to be measured: a gateway with or without encryption, and Azurite. Each is started in
a directory of its own, with one container, and answers on loopback."""
import base64
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import secrets
import signal
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "release"
START_TIMEOUT_S = 60
VERSION = "2021-12-02"
CONTAINER = "bench"


def account_sas(account, key):
    """An account SAS for all that a load does, so that the load signs nothing."""
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6 * 3600))
    query = {"sv": "2020-12-06", "ss": "b", "srt": "sco", "sp": "rwdlac", "se": expiry}
    text = "\n".join([account, query["sp"], query["ss"], query["srt"], "", expiry, "", "",
                      query["sv"], "", ""])
    signature = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    query["sig"] = base64.b64encode(signature).decode()
    return urllib.parse.urlencode(query)


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


def wait_for(what, process, ready):
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{what} did not start; see its log beside its data")
        time.sleep(0.05)


def write_secret(path, text):
    path.write_text(text)
    path.chmod(0o600)


def make_certificate(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", directory / "tls.key", "-out", directory / "tls.crt"],
        check=True, capture_output=True)
    (directory / "tls.key").chmod(0o600)


def start_gateway(directory, binary="gateway/gatekey-gateway", module="plugin/gatekey.so"):
    """A gateway on the embedded store with one account under the service key: the data path is the
    same under a customer's key, whose root key is cached."""
    directory.mkdir(parents=True)
    ctl = BUILD / "ctl" / "gatekeyctl"
    make_certificate(directory)
    write_secret(directory / "token", secrets.token_urlsafe(32) + "\n")
    subprocess.run([ctl, "service-key", "create", "--out", directory / "service.key"], check=True,
                   capture_output=True)
    (directory / "gateway.conf").write_text(f"""
state_dir = "{directory}/state";
plugin = "{BUILD / module}";
log_level = "warning";
blob: {{ listen = "127.0.0.1:0"; connections_max = 512; removal_delay_s = 1; }};
management: {{ listen = "127.0.0.1:0"; tls_certificate = "{directory}/tls.crt";
  tls_key = "{directory}/tls.key"; token_file = "{directory}/token"; }};
provider: {{ service_key_file = "{directory}/service.key"; }};
""")
    ready = directory / "ready"
    with open(directory / "log", "ab") as log:
        process = subprocess.Popen([BUILD / binary, "--config", directory / "gateway.conf",
                                    "--ready-file", ready], stdout=log, stderr=log)
    wait_for(binary, process, ready.exists)
    endpoints = json.loads(ready.read_text())
    environment = dict(os.environ, GATEKEY_ENDPOINT=endpoints["management_endpoint"],
                       GATEKEY_TOKEN_FILE=str(directory / "token"),
                       GATEKEY_CA_FILE=str(directory / "tls.crt"))
    subprocess.run([ctl, "account", "create", "bench"], check=True, env=environment,
                   capture_output=True)
    keys = subprocess.run([ctl, "account", "keys", "bench", "--json"], check=True, env=environment,
                          capture_output=True, text=True)
    key = json.loads(keys.stdout)[0]["value"]
    port = urllib.parse.urlsplit(endpoints["blob_endpoint"]).port
    return Server("gatekey", process, port, "bench", key)


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
    prefix = b"Azurite Blob service is successfully listening at http://127.0.0.1:"
    wait_for("azurite", process, lambda: prefix in port_file.read_bytes())
    text = port_file.read_bytes()
    port = int(text[text.index(prefix) + len(prefix):].split()[0].strip(b"/"))
    return Server("azurite", process, port, AZURITE_ACCOUNT, key)
