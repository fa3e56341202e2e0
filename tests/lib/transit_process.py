# SPDX-License-Identifier: Apache-2.0
"""A transit engine as a process (transit_process.mjs), with its customer's hand on it, as vault_process.py has a vault:
keys are made, disabled and enabled by the engine's own operations."""
import base64
import http.client
import json
import pathlib
import subprocess
import urllib.parse

from gateway_process import ROOT, wait_for, write_secret
from https_session import TIMEOUT_S, Session


class Transit:
    """Until stop(). config and identity_config are what a gateway's configuration needs to use it as identities, each
    with tokens of its own."""

    def __init__(self, directory, identities):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        ready = self.directory / "ready"
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(["node", ROOT / "tests" / "lib" / "transit_process.mjs", self.directory],
                                            stdout=log, stderr=log)
        wait_for("the transit engine", self.process, ready.exists)
        said = json.loads(ready.read_text())
        self.uri, self.ca_file, self.secrets = said["uri"], pathlib.Path(said["ca"]), said["secrets"]
        self.config = said["vault_config"]
        self.engine, self.headers = said["engine"], {"X-Vault-Token": said["token"]}
        self.control = urllib.parse.urlsplit(said["control"]).netloc
        self.session = Session(self.ca_file)
        self.roles = {identity: self._make_role(identity.rpartition("/")[2], said["policy"]) for identity in identities}

    def _make_role(self, name, policy):
        """Its role id; one who knows the secret id too may do what the policy permits."""
        role = f"{self.uri}/v1/auth/approle/role/{name}"
        self._ask("POST", role, {"token_policies": [policy]})
        secret = self._ask("POST", f"{role}/secret-id")["secret_id"]
        write_secret(self.directory / f"{name}.secret", secret + "\n")
        self.secrets.append(secret)
        return self._ask("GET", f"{role}/role-id")["role_id"]

    @property
    def identity_config(self):
        return ",\n".join(f"""{{ kind = "approle"; resource_id = "{identity}"; role = "{role}";
    secret_id_file = "{self.directory}/{identity.rpartition('/')[2]}.secret"; }}""" for identity, role in self.roles.items())

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def restart(self, impostor=False):
        """As who comes back; an impostor has a certificate that nobody trusts. Faults are forgotten."""
        self._control("POST", "/show", {"impostor": impostor})

    # --- the customer ------------------------------------------------------------------------------

    def _ask(self, method, url, body=None, absent=None):
        status, text = self.session.fetch(method, url, json.dumps(body or {}).encode(), self.headers)
        if status == 404 and absent is not None:
            return absent
        if status not in (200, 204):
            raise SystemExit(f"transit: {method} {url}: {status} {text}")
        return json.loads(text)["data"] if text else None

    def _call(self, method, where, body=None, absent=None):
        return self._ask(method, f"{self.engine}/keys/{where}", body, absent)

    def unwrap(self, key_id, _, wrapped):
        """What was wrapped by it, as a gateway names the key and keeps the wrap."""
        name = key_id.split("/")[-2]
        opened = self._ask("POST", f"{self.engine}/decrypt/{name}", {"ciphertext": wrapped.decode()})
        return base64.b64decode(opened["plaintext"])

    def create_key(self, name):
        """Of a key that is there it makes a new version. Its version."""
        there = self._call("GET", name, absent={}) != {}
        return str(self._call("POST", f"{name}/rotate" if there else name)["latest_version"])

    def enable_key(self, name, enabled, version):
        """The newest version: with the whole key, which is deleted softly. One before it: with all before that, and for
        good."""
        if int(version) < self._call("GET", name)["latest_version"]:
            self._call("POST", f"{name}/config", {"min_decryption_version": int(version) + 1})
        elif enabled:
            self._call("POST", f"{name}/soft-delete-restore")
        else:
            self._call("DELETE", f"{name}/soft-delete")

    # --- what goes wrong ---------------------------------------------------------------------------

    def _control(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.control, timeout=TIMEOUT_S)
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer

    def begin_fault(self, key, operation, fault):
        """With each such call for the key, until end_faults."""
        self._control("POST", "/faults", {"key": key, "operation": operation, **fault})

    def begin_token_fault(self, identity, fault):
        """With each login as this identity."""
        self._control("POST", "/faults", {"client_id": self.roles[identity], "operation": "token", **fault})

    def end_faults(self, key, identity):
        """Of that key, and of that identity's logins. How many calls they have met."""
        return self._control("DELETE", f"/faults?key={key}&client_id={self.roles[identity]}")["taken"]
