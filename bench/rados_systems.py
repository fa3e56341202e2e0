# SPDX-License-Identifier: Apache-2.0
"""What bench/rados measures on one cluster: a gateway of ours, stock radosgw without encryption, with
SSE-KMS and with SSE-C, and librados itself.

All speak to loopback, with keep-alive and TCP_NODELAY, and check one signature a request: a SAS of the
account here, a presigned URL there. radosgw is Debian's, with its defaults, but for tcp_nodelay, which
it does not set, and rgw_crypt_require_ssl=false, without which it refuses SSE-C here; with its log of
one line a request, as ours with its own of none.
"""
import base64
import functools
import hashlib
import hmac
import http.client
import json
import secrets
import signal
import socket
import subprocess
import time
import urllib.parse

import stores
from gateway_process import BUILD, START_TIMEOUT_S, Gateway, wait_for, write_secret
from rados_cluster import load_options, settle

INLINE_BYTES_MAX = 4 << 20  # radosgw keeps so much in the object that it overwrites
REMOVAL_DELAY_S = 1
KMS_KEY = "bench-key"


class System:
    """name; pids of the gateway's processes, none for librados; command and environment of its load."""

    name = ""
    pids = ()
    environment = {}

    def command(self, operation, size, concurrency, objects, **limits):
        raise NotImplementedError

    def after(self, operation, size):
        """Outside the measured time: what it has put off by a load is done."""


class Librados(System):
    name = "librados"

    def __init__(self, cluster):
        self.cluster = cluster

    def command(self, operation, size, concurrency, objects, **limits):
        return self.cluster.load_command(operation, size, concurrency, objects, **limits)


class Gatekey(System):
    """Replaced data is removed a second later, so most of that work falls into the measured time."""

    name = "gatekey"

    def __init__(self, cluster, directory, ends):
        gateway = Gateway(directory, store=cluster.gateway_store())
        gateway.removal_delay_s = REMOVAL_DELAY_S
        gateway.start()
        ends.callback(end, gateway.process)
        self.server = stores.Server("gatekey", gateway.process, gateway.port, "bench",
                                    gateway.create_account("bench"))
        self.pids = (gateway.process.pid,)
        self.settled = [*cluster.osd_pids, *self.pids]
        self.environment = {"BENCH_SAS": self.server.sas}

    def command(self, operation, size, concurrency, objects, **limits):
        return [BUILD / "bench/blob_load", "--port", str(self.server.port), "--base", self.server.base,
                "--sas-env", "BENCH_SAS", *load_options(operation, size, concurrency, objects, **limits)]

    def after(self, operation, _size):
        if operation != "get":
            time.sleep(REMOVAL_DELAY_S + 0.5)
        settle(self.settled)


class Vault:
    """The stand-in that SSE-KMS asks for a data key with each request."""

    def __init__(self, ends):
        process = subprocess.Popen([BUILD / "bench/vault_stub"], stdout=subprocess.PIPE, text=True)
        ends.callback(end, process)
        self.port = int(process.stdout.readline())


def end(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Radosgw:
    """The process that serves all three kinds, each in a bucket of its own."""

    def __init__(self, cluster, directory, ends):
        self.cluster, self.directory = cluster, directory
        directory.mkdir(parents=True)
        self.port = free_port()
        self.vault = Vault(ends)
        self.conf = self._write_conf()
        with open(directory / "out", "wb") as log:
            self.process = subprocess.Popen(
                ["radosgw", "-c", self.conf, "-n", "client.rgw.bench", "-f"], stdout=log, stderr=log)
        ends.callback(end, self.process)
        wait_for("radosgw", self.process, self._answers)
        user = json.loads(self._admin("user", "create", "--uid=bench", "--display-name=bench"))
        self.access_key = user["keys"][0]["access_key"]
        self.secret_key = user["keys"][0]["secret_key"]

    def _write_conf(self):
        keyring = self.directory / "keyring"
        write_secret(keyring, self.cluster.ceph("auth", "get-or-create", "client.rgw.bench", "mon",
                                                "allow rw", "osd", "allow rwx"))
        token = self.directory / "token"
        write_secret(token, secrets.token_urlsafe(16))
        conf = self.directory / "ceph.conf"
        conf.write_text(f"""{self.cluster.conf.read_text()}
[client.rgw.bench]
keyring = {keyring}
rgw_data = {self.directory}
log_file = {self.directory}/log
rgw_frontends = beast endpoint=127.0.0.1:{self.port} tcp_nodelay=1
rgw_crypt_require_ssl = false
rgw_crypt_s3_kms_backend = vault
rgw_crypt_vault_secret_engine = transit
rgw_crypt_vault_addr = http://127.0.0.1:{self.vault.port}
rgw_crypt_vault_prefix = /v1/transit
rgw_crypt_vault_auth = token
rgw_crypt_vault_token_file = {token}
""")
        return conf

    def _answers(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def _admin(self, *arguments):
        return self.cluster.run("radosgw-admin", *arguments)

    def collect_garbage(self):
        """Stock radosgw does it two hours later."""
        self._admin("gc", "process", "--include-all")


def presigned(radosgw, method, path):
    """The target of a request, as s3_presign.c makes those under load."""
    def sign(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()

    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    words = [now[:8], "us-east-1", "s3", "aws4_request"]
    query = urllib.parse.urlencode({
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": "/".join([radosgw.access_key, *words]),
        "X-Amz-Date": now, "X-Amz-Expires": "600", "X-Amz-SignedHeaders": "host"})
    request = f"{method}\n{path}\n{query}\nhost:127.0.0.1:{radosgw.port}\n\nhost\nUNSIGNED-PAYLOAD"
    key = functools.reduce(sign, words, f"AWS4{radosgw.secret_key}".encode())
    text = "\n".join(["AWS4-HMAC-SHA256", now, "/".join(words),
                      hashlib.sha256(request.encode()).hexdigest()])
    return f"{path}?{query}&X-Amz-Signature={sign(key, text).hex()}"


class RadosgwKind(System):
    """In a bucket of the same name."""

    def __init__(self, radosgw, name, environment=None, options=()):
        self.name, self.radosgw, self.bucket, self.options = name, radosgw, name, options
        self.pids = (radosgw.process.pid,)
        self.settled = [*radosgw.cluster.osd_pids, *self.pids]
        self.environment = {"BENCH_SECRET": radosgw.secret_key, **(environment or {})}
        self._create_bucket()

    def _create_bucket(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.radosgw.port, timeout=START_TIMEOUT_S)
        connection.request("PUT", presigned(self.radosgw, "PUT", f"/{self.bucket}"),
                           headers={"Content-Length": "0"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise SystemExit(f"bench: the bucket {self.bucket}: {answer.status} {answer.read()[:300]!r}")

    def _program(self):
        return [BUILD / "bench/s3_load", "--port", str(self.radosgw.port), "--bucket", self.bucket,
                "--access-key", self.radosgw.access_key, "--secret-env", "BENCH_SECRET", *self.options]

    def command(self, operation, size, concurrency, objects, **limits):
        return self._program() + load_options(operation, size, concurrency, objects, **limits)

    def after(self, operation, size):
        if operation != "get" and size > INLINE_BYTES_MAX:
            self.radosgw.collect_garbage()
        settle(self.settled)


def radosgw_kinds(radosgw, names):
    """Those of "radosgw" (without encryption), "kms" and "ssec" that names has."""
    customer_key = base64.b64encode(secrets.token_bytes(32)).decode()
    extras = {"radosgw": {},
              "kms": {"options": ["--kms-key", KMS_KEY]},
              "ssec": {"environment": {"BENCH_CUSTOMER_KEY": customer_key},
                       "options": ["--customer-key-env", "BENCH_CUSTOMER_KEY"]}}
    return [RadosgwKind(radosgw, name, **extra) for name, extra in extras.items() if name in names]
