# SPDX-License-Identifier: Apache-2.0
"""A vault of this build as a process, keyvaultd, with its customer's hand on it: keys are made, disabled and
enabled as a customer does it, by Key Vault's own REST operations."""
import base64
import json
import pathlib
import subprocess
import urllib.parse
import uuid

from gateway_process import BUILD, make_certificate, wait_for, write_secret
from https_session import Session

RESOURCE = "https://vault.azure.net"
API = "api-version=7.4"
GATEWAY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/gateway"


class Vault:
    """Until stop(). provider_config is what a gateway's configuration needs to use it, identity as whom; or others of
    identities, each with tokens of its own."""

    def __init__(self, directory, identities=(GATEWAY,)):
        self.directory, self.identity = pathlib.Path(directory), identities[0]
        self.check_interval_ms = 86400000  # of a gateway that is configured from now on, as the next one
        self.version_check_interval_s = 86400
        self.directory.mkdir(parents=True)
        self.tenant = str(uuid.uuid4())
        self.admin = str(uuid.uuid4())
        self.clients = {identity: str(uuid.uuid4()) for identity in identities}
        make_certificate(self.directory)
        self.certificate, self.port = self.directory / "tls", 0
        for client in (self.admin, *self.clients.values()):
            write_secret(self._secret_file(client), uuid.uuid4().hex + "\n")
        write_secret(self.directory / "control.token", uuid.uuid4().hex + "\n")
        self._start()
        self.session = Session(self.directory / "tls.crt")
        self.token = self._get_token()

    def _secret_file(self, client):
        return self.directory / f"{client}.secret"

    def _start(self):
        here = self.directory
        clients = ",\n  ".join(f"""{{ name = "{identity.rpartition('/')[2]}"; client_id = "{client}"; resource_id = "{identity}";
    client_secret_file = "{self._secret_file(client)}"; permissions = [ "get", "wrapKey", "unwrapKey" ]; }}"""
                                for identity, client in self.clients.items())
        (here / "keyvaultd.conf").write_text(f"""
listen = {{ address = "127.0.0.1"; port = {self.port}; certificate_file = "{self.certificate}.crt"; key_file = "{self.certificate}.key"; }};
state_dir = "{here}/state";
host = "localhost";
tenant_id = "{self.tenant}";
resource = "{RESOURCE}";
token_lifetime_s = 86400;
purge_protection = true;
recoverable_days = 90;
identities = (
  {{ name = "admin"; client_id = "{self.admin}"; client_secret_file = "{self._secret_file(self.admin)}"; administer = true; }},
  {clients}
);
control = {{ enabled = true; token_file = "{here}/control.token"; }};
""")
        ready = here / "ready"
        ready.unlink(missing_ok=True)
        with open(here / "log", "ab") as log:
            self.process = subprocess.Popen(
                [BUILD / "keyvaultd" / "keyvaultd", "--config", here / "keyvaultd.conf", "--ready-file",
                 ready], stdout=log, stderr=log)
        wait_for("keyvaultd", self.process, ready.exists)
        self.uri = json.loads(ready.read_text())["vault_uri"]
        self.port = urllib.parse.urlsplit(self.uri).port

    @property
    def ca_file(self):
        return self.directory / "tls.crt"

    @property
    def secrets(self):
        """What nobody else may see."""
        return [self._secret_file(client).read_text().strip() for client in (self.admin, *self.clients.values())]

    @property
    def challenge(self):
        """What its 401 says of whose tokens it takes."""
        return f'Bearer authorization="{self.uri}/{self.tenant}", resource="{RESOURCE}"'

    @property
    def config(self):
        return f'{{ uri = "{self.uri}"; }}'

    @property
    def identity_config(self):
        return ",\n".join(f"""{{ kind = "client-secret"; resource_id = "{identity}"; client_id = "{client}";
    tenant_id = "{self.tenant}"; authority = "{self.uri}"; client_secret_file = "{self._secret_file(client)}"; }}"""
                          for identity, client in self.clients.items())

    @property
    def provider_config(self):
        return f"""ca_file = "{self.ca_file}";
  check_interval_ms = {self.check_interval_ms}; version_check_interval_s = {self.version_check_interval_s};
  vaults = ( {self.config} );
  identities = ( {self.identity_config} );"""

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def restart(self, impostor=False):
        """On its port; an impostor has a certificate that nobody trusts. Faults are forgotten."""
        self.certificate = self.directory / ("impostor" if impostor else ".") / "tls"
        if impostor and not self.certificate.parent.exists():
            self.certificate.parent.mkdir()
            make_certificate(self.certificate.parent)
        self.stop()
        self._start()

    # --- the customer ------------------------------------------------------------------------------

    def _ask(self, method, path, body, content_type, headers):
        status, answer = self.session.ask(method, self.uri + path, body, {"Content-Type": content_type, **headers})
        if status == 401 and headers:  # a vault that was restarted gives out other tokens
            self.token = self._get_token()
            headers = {"Authorization": f"Bearer {self.token}"}
            status, answer = self.session.ask(method, self.uri + path, body, {"Content-Type": content_type, **headers})
        if status != 200:
            raise SystemExit(f"keyvaultd: {method} {path}: {status} {answer}")
        return answer

    def _get_token(self):
        secret = self._secret_file(self.admin).read_text().strip()
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": self.admin,
                                       "client_secret": secret, "scope": f"{RESOURCE}/.default"})
        return self._ask("POST", f"/{self.tenant}/oauth2/v2.0/token", form.encode(),
                         "application/x-www-form-urlencoded", {})["access_token"]

    def _call(self, method, path, body, query=""):
        return self._ask(method, f"{path}?{query}{API}", None if body is None else json.dumps(body).encode(),
                         "application/json", {"Authorization": f"Bearer {self.token}"})

    def create_key(self, name):
        """Of a key that is there it makes a new version. Its version."""
        made = self._call("POST", f"/keys/{name}/create", {"kty": "RSA", "key_size": 2048})
        return made["key"]["kid"].rpartition("/")[2]

    def enable_key(self, name, enabled, version=""):
        """One version; "": its newest."""
        self._call("PATCH", f"/keys/{name}/{version}".rstrip("/"), {"attributes": {"enabled": enabled}})

    def unwrap(self, key_id, algorithm, wrapped):
        """What was wrapped by it, as a gateway names the key and keeps the wrap."""
        value = base64.urlsafe_b64encode(wrapped).rstrip(b"=").decode()
        opened = self._call("POST", f"{urllib.parse.urlsplit(key_id).path}/unwrapkey", {"alg": algorithm, "value": value})
        return base64.urlsafe_b64decode(opened["value"] + "==")

    # --- what goes wrong ---------------------------------------------------------------------------

    def begin_fault(self, key, operation, fault):
        """With each such call for the key, until end_faults: fault as POST /control/faults takes it."""
        self._call("POST", "/control/faults", {"key": key, "operation": operation, "count": -1, **fault})

    def begin_token_fault(self, identity, fault):
        """With each token that is asked for as this identity."""
        self._call("POST", "/control/faults",
                   {"client_id": self.clients[identity], "operation": "token", "count": -1, **fault})

    def end_faults(self, key, identity):
        """Of that key, and of that identity's tokens. How many calls they have met."""
        return self._call("DELETE", "/control/faults", None, f"key={key}&client_id={self.clients[identity]}&")["taken"]
