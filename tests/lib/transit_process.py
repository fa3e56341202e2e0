# SPDX-License-Identifier: Apache-2.0
"""A transit engine as a process (transit_process.mjs), with its customer's hand on it, as vault_process.py has a vault:
keys are made, disabled and enabled by the engine's own operations."""
import http.client
import json
import pathlib
import subprocess
import urllib.parse

from gateway_process import ROOT, wait_for
from https_session import TIMEOUT_S, Session


class Transit:
    """Until stop(). provider_config is what a gateway's configuration needs to use it, identity as whom."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        ready = self.directory / "ready"
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(["node", ROOT / "tests" / "lib" / "transit_process.mjs", self.directory],
                                            stdout=log, stderr=log)
        wait_for("the transit engine", self.process, ready.exists)
        said = json.loads(ready.read_text())
        self.uri, self.ca_file, self.secrets = said["uri"], pathlib.Path(said["ca"]), said["secrets"]
        self.config, self.identity, self.identity_config = (said["vault_config"], said["identity"],
                                                            said["identity_config"])
        self.keys, self.headers = said["keys"], {"X-Vault-Token": said["token"]}
        self.control = urllib.parse.urlsplit(said["control"]).netloc
        self.session = Session(self.ca_file)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def restart(self, impostor=False):
        """As who comes back; an impostor has a certificate that nobody trusts. Faults are forgotten."""
        self._control("POST", "/show", {"impostor": impostor})

    # --- the customer ------------------------------------------------------------------------------

    def _call(self, method, where, body=None, absent=None):
        status, text = self.session.fetch(method, self.keys + where, json.dumps(body or {}).encode(), self.headers)
        if status == 404 and absent is not None:
            return absent
        if status != 200:
            raise SystemExit(f"transit: {method} {where}: {status} {text}")
        return json.loads(text)["data"]

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

    def end_faults(self, key):
        """How many calls they have met."""
        return self._control("DELETE", f"/faults?key={key}")["taken"]
