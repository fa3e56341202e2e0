# SPDX-License-Identifier: Apache-2.0
"""A gateway of this build as a process: made in a directory, started, stopped, killed, started again.

The tests of tests/fault and the measurements of bench/ use it. GATEKEY_BUILD in the environment names
the build directory; without it, it is build/release.
"""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import time
import urllib.parse

from https_session import Session

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("GATEKEY_BUILD", "build/release")
ON_RADOS = os.environ.get("GATEKEY_TEST_STORE") == "rados"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
SAS_HOURS = 24 * 365  # clocks are moved forward by days


def account_sas(account, key):
    """An account SAS for all that a client does, so that it signs nothing."""
    expiry = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + SAS_HOURS * 3600))
    query = {"sv": "2020-12-06", "ss": "b", "srt": "sco", "sp": "rwdxylactfi", "se": expiry}
    text = "\n".join([account, query["sp"], query["ss"], query["srt"], "", expiry, "", "",
                      query["sv"], "", ""])
    signature = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    query["sig"] = base64.b64encode(signature).decode()
    return urllib.parse.urlencode(query)


def wait_for(what, process, ready, timeout_s=START_TIMEOUT_S):
    """Until ready() holds; a process that ends meanwhile, or that takes too long, is the end."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise SystemExit(f"{what} did not start; see its log beside its data")
        time.sleep(0.01)


def write_secret(path, text):
    path.write_text(text)
    path.chmod(0o600)


def make_certificate(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
         "-keyout", directory / "tls.key", "-out", directory / "tls.crt"],
        check=True, capture_output=True)
    (directory / "tls.key").chmod(0o600)


class Gateway:
    """With accounts under the service key: the data path is the same under a customer's key, whose root
    key is cached. Or, with vault (vault_process.py), under keys of that, which are asked for when gatekeyctl
    says so. On the embedded store; or, with GATEKEY_TEST_STORE=rados in the environment, on the
    cluster in GATEKEY_TEST_CEPH (scripts/ceph) in a RADOS namespace of its own; or on what store says
    as the configuration does. beside: a second one on the first one's RADOS namespace. cluster: another
    one than the environment's."""

    def __init__(self, directory, program="gateway/gatekey-gateway", module="plugin/gatekey.so",
                 store=None, index_shards=None, beside=None, cluster=None, op_timeout_s=10, vault=None):
        self.directory, self.program, self.module = pathlib.Path(directory), program, module
        self.state = self.directory / "state"  # of the embedded store
        self.place = str(self.state)  # for tests/vectors/read_store.py
        self.store = store or f'state_dir = "{self.state}";'
        if beside is not None:
            self.place, self.store = beside.place, beside.store
        elif cluster is not None or (ON_RADOS and store is None):
            self._take_namespace(pathlib.Path(cluster or os.environ["GATEKEY_TEST_CEPH"]), op_timeout_s)
        self.log_file = self.directory / "log"
        self.log_level = "warning"
        self.management_settings = ""  # further ones, read at the next start
        self.removal_delay_s = 1  # read at the next start
        self.clock_file = None  # another way to tell the time, read at the next start: move_clock
        self.clock_offset_ms = 0
        self.wall_behind_ms = 0
        self.index_shards = index_shards
        self.vault = vault
        self.process = None
        self.port = None
        self.management = None
        self.directory.mkdir(parents=True, exist_ok=True)
        make_certificate(self.directory)
        self.session = Session(self.directory / "tls.crt")
        write_secret(self.directory / "token", secrets.token_urlsafe(32) + "\n")
        if beside is not None:
            self.service_key_file = beside.service_key_file
        else:
            self.service_key_file = self.directory / "service.key"
            self._ctl("service-key", "create", "--out", self.service_key_file)

    def _take_namespace(self, cluster, op_timeout_s):
        namespace = f"test-{secrets.token_hex(8)}"
        self.place = f"rados:{cluster}/ceph.conf:{namespace}"
        self.store = f"""store = {{ engine = "rados"; conf = "{cluster}/ceph.conf";
  user = "client.gatekey"; keyring = "{cluster}/gatekey.keyring"; meta_pool = "gatekey.meta";
  data_pool = "gatekey.data"; namespace = "{namespace}"; op_timeout_s = {op_timeout_s}; }};"""

    # --- the process -------------------------------------------------------------------------------

    def _write_config(self):
        here = self.directory
        shards = f"index_shards = {self.index_shards};" if self.index_shards else ""
        vault = self.vault.provider_config if self.vault else ""
        (here / "gateway.conf").write_text(f"""
{self.store}
{f'clock_offset_file = "{self.clock_file}";' if self.clock_file else ""}
plugin = "{BUILD / self.module}";
log_level = "{self.log_level}";
blob: {{ listen = "127.0.0.1:0"; connections_max = 512;
  removal_delay_s = {self.removal_delay_s}; {shards} }};
management: {{ listen = "127.0.0.1:0"; tls_certificate = "{here}/tls.crt";
  tls_key = "{here}/tls.key"; token_file = "{here}/token"; {self.management_settings} }};
provider: {{ service_key_file = "{self.service_key_file}"; {vault} }};
""")

    def move_clock(self, milliseconds):
        """Of all gateways with this clock_file; they see it within a second. The wall clock is set back by wall_behind_ms
        from then on."""
        new = self.clock_file.with_suffix(".new")
        new.write_text(f"{milliseconds} {self.wall_behind_ms}\n")
        new.rename(self.clock_file)
        self.clock_offset_ms = milliseconds

    def launch(self):
        """Without waiting until it serves."""
        self._write_config()
        self.ready = self.directory / "ready"
        self.ready.unlink(missing_ok=True)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [BUILD / self.program, "--config", self.directory / "gateway.conf", "--ready-file",
                 self.ready], stdout=log, stderr=log)

    def start(self):
        """Its ports are others after each start."""
        self.launch()
        return self.wait_until_ready()

    def wait_until_ready(self):
        wait_for(self.program, self.process, self.ready.exists)
        self.learn_endpoints()
        return self

    def learn_endpoints(self):
        endpoints = json.loads(self.ready.read_text())
        self.port = urllib.parse.urlsplit(endpoints["blob_endpoint"]).port
        self.management = endpoints["management_endpoint"]

    def stop(self):
        """Its exit code; negative for a signal."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise SystemExit("the gateway does not end") from None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def restart(self):
        if self.stop() != 0:
            raise SystemExit(f"the gateway ended badly; see {self.log_file}")
        return self.start()

    def check_alive(self, ending_s=0):
        """After a connection that broke, it may take ending_s to end."""
        try:
            code = self.process.wait(ending_s)
        except subprocess.TimeoutExpired:
            return
        sys.stderr.write(self.log_file.read_text(errors="replace")[-4000:])
        raise SystemExit(f"the gateway ended by itself: {code}")

    # --- accounts ----------------------------------------------------------------------------------

    def ctl(self, *arguments):
        """gatekeyctl, whatever comes of it."""
        with self.begin_ctl(*arguments) as process:
            stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def begin_ctl(self, *arguments):
        """The same, under way."""
        environment = dict(os.environ, GATEKEY_TOKEN_FILE=str(self.directory / "token"),
                           GATEKEY_CA_FILE=str(self.directory / "tls.crt"))
        if self.management:
            environment["GATEKEY_ENDPOINT"] = self.management
        return subprocess.Popen([BUILD / "ctl" / "gatekeyctl", *arguments], env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _ctl(self, *arguments):
        done = self.ctl(*arguments)
        if done.returncode != 0:
            raise SystemExit(f"gatekeyctl {arguments[0]} {arguments[1]}: {done.stdout}{done.stderr}")
        return done.stdout

    def create_account(self, name, key=None):
        """Its first access key. key: of the gateway's vault, for the account to be under."""
        under = ["--vault", self.vault.uri, "--key", key, "--identity", self.vault.identity] if key else []
        self._ctl("account", "create", name, *under)
        return json.loads(self._ctl("account", "keys", name, "--json"))[0]["value"]

    def probe(self, path, timeout_s=60):
        """The status that /healthz or /readyz answers, and its body."""
        return self.session.ask("GET", self.management + path, timeout_s=timeout_s)

    def _authorization(self):
        return f"Bearer {(self.directory / 'token').read_text().strip()}"

    def metric(self, name):
        """Its series in /metrics, as lines."""
        _, text = self.session.fetch("GET", f"{self.management}/metrics", headers={"Authorization": self._authorization()})
        return [line for line in text.decode().splitlines() if line.startswith((f"{name} ", f"{name}{{"))]

    def resource(self, method, name, path="", body=None):
        """The status and the answer of the management API for an account, or for what stands below it."""
        return self.session.ask(
            method,
            f"{self.management}/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/gatekey/providers/"
            f"Microsoft.Storage/storageAccounts/{name}{path}?api-version=2023-05-01",
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": self._authorization()})

    def set_blob_service(self, name, properties):
        """Settings of an account's Blob service, as the resource provider has them."""
        status, answer = self.resource("PUT", name, "/blobServices/default", {"properties": properties})
        if status != 200:
            raise SystemExit(f"the Blob service of {name}: {status} {answer}")

    def delete_account(self, name):
        self._ctl("account", "delete", name, "--yes")
