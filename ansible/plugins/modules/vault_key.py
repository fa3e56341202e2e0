#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""A key in a Key Vault or a keyvaultd: made, disabled, enabled, rotated."""

DOCUMENTATION = r"""
---
module: vault_key
short_description: A key in a Key Vault or a keyvaultd, made, disabled, enabled, rotated
description:
  - The side of whoever holds the key, for drills and for sites whose vault is keyvaultd. Uses client credentials.
options:
  vault_uri:
    description: The vault.
    type: str
    required: true
  name:
    description: The key's name.
    type: str
    required: true
  state:
    description: C(present) makes the key unless it is there. C(enabled) and C(disabled) are of its versions.
    type: str
    choices: [present, enabled, disabled]
    default: present
  versions:
    description:
      - Names of the versions that C(enabled) and C(disabled) are meant for. Without it all.
      - To undo C(disabled) exactly, give what it returned in C(versions).
    type: list
    elements: str
  rotate:
    description: Make a new version. Makes one each time.
    type: bool
    default: false
  bits:
    description: Size of a new RSA key.
    type: int
    choices: [2048, 3072, 4096]
    default: 3072
  authority:
    description: Who gives tokens.
    type: str
    default: https://login.microsoftonline.com
  tenant_id:
    description: The vault's tenant.
    type: str
    required: true
  resource:
    description: Audience of the vault's tokens.
    type: str
    default: https://vault.azure.net
  client_id:
    description: The application that asks.
    type: str
    required: true
  client_secret_file:
    description: File with the application's secret, on the host that the module runs on.
    type: path
  client_secret:
    description: The secret itself. One of both is needed.
    type: str
  ca_file:
    description: PEM file that vault and authority are checked with, instead of the system's.
    type: path
  timeout_s:
    description: Seconds to wait for an answer.
    type: int
    default: 30
notes:
  - Check mode is supported. It reads, and changes nothing.
author: The Gatekey authors (@gatekey)
"""

EXAMPLES = r"""
- name: A key for the gateway's accounts
  gatekey.gateway.vault_key:
    vault_uri: https://vault.example:8443
    authority: https://vault.example:8443
    tenant_id: 00000000-0000-0000-0000-000000000000
    client_id: 22222222-2222-2222-2222-222222222222
    client_secret_file: /etc/keyvaultd/secrets/admin
    name: storage
"""

RETURN = r"""
kid:
  description: Identifier of the key's current version. Missing when there is none yet, in check mode.
  returned: when there is such a key
  type: str
versions:
  description: Names of the versions that were enabled or disabled.
  returned: always
  type: list
  elements: str
"""

# pylint: disable=wrong-import-position
import json
from urllib.parse import urlencode

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatekey.gateway.plugins.module_utils.management import as_json, ask, read_secret, segment

API_VERSION = "7.4"


class Vault:
    """A vault, asked with a token of its authority."""

    def __init__(self, module):
        self.module = module
        self.uri = module.params["vault_uri"].rstrip("/")
        if not self.uri.startswith("https://") or not module.params["authority"].startswith("https://"):
            module.fail_json(msg="vault_uri and authority have to begin with https://")
        self.token = self.get_token()

    def ask(self, method, url, headers, data=None):
        parameters = self.module.params
        return ask(self.module, method, url, headers, data, parameters["ca_file"], parameters["timeout_s"])

    def get_token(self):
        parameters = self.module.params
        secret = parameters["client_secret"] or read_secret(self.module, parameters["client_secret_file"])
        url = f"{parameters['authority'].rstrip('/')}/{segment(parameters['tenant_id'])}/oauth2/v2.0/token"
        form = urlencode({"grant_type": "client_credentials", "client_id": parameters["client_id"],
                          "client_secret": secret, "scope": f"{parameters['resource']}/.default"}).encode()
        status, _, text = self.ask("POST", url, {"Content-Type": "application/x-www-form-urlencoded"}, form)
        answer = as_json(self.module, text, url)
        if status != 200:
            self.module.fail_json(msg=f"{url}: {status} {answer.get('error')}: {answer.get('error_description')}")
        self.module.no_log_values.add(answer["access_token"])
        return answer["access_token"]

    def request(self, method, path, body=None, missing_is_none=False):
        url = path if path.startswith("https://") else f"{self.uri}{path}?api-version={API_VERSION}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        status, _, text = self.ask(method, url, headers, None if body is None else json.dumps(body).encode())
        if status == 404 and missing_is_none:
            return None
        answer = as_json(self.module, text, path)
        if status != 200:
            error = answer.get("error", {})
            self.module.fail_json(msg=f"{method} {path.split('?')[0]}: {status} {error.get('code')}: "
                                      f"{error.get('message')}")
        return answer

    def versions(self, key):
        """Those of a key: name, and whether it is enabled."""
        found = {}
        page = self.request("GET", f"{key}/versions")
        while True:
            found.update({one["kid"].rsplit("/", 1)[1]: one["attributes"]["enabled"] for one in page["value"]})
            if not page.get("nextLink"):
                return found
            if not page["nextLink"].startswith(f"{self.uri}/"):
                self.module.fail_json(msg="the vault's list goes on at another host")
            page = self.request("GET", page["nextLink"])


def switch(module, vault, key):
    """Enables or disables; the versions that were otherwise before."""
    enabled = module.params["state"] == "enabled"
    meant = module.params["versions"]
    there = vault.versions(key)
    missing = [version for version in meant or [] if version not in there]
    if missing:
        module.fail_json(msg=f"the key has no version {missing[0]}")
    versions = [version for version in there if there[version] != enabled and (meant is None or version in meant)]
    if not module.check_mode:
        for version in versions:
            vault.request("PATCH", f"{key}/{version}", {"attributes": {"enabled": enabled}})
    return versions


def apply(module, vault):
    key = f"/keys/{segment(module.params['name'])}"
    state = module.params["state"]
    answer = vault.request("GET", key, missing_is_none=True)
    changed = answer is None or module.params["rotate"]
    versions = []
    if answer is None and state != "present":
        module.fail_json(msg=f"there is no key {module.params['name']}")
    if answer is None and not module.check_mode:
        answer = vault.request("POST", f"{key}/create", {"kty": "RSA", "key_size": module.params["bits"]})
    elif module.params["rotate"] and not module.check_mode:
        answer = vault.request("POST", f"{key}/rotate", {})
    if state != "present":
        versions = switch(module, vault, key)
    result = {"changed": changed or bool(versions), "versions": versions}
    if answer is not None:
        result["kid"] = answer["key"]["kid"]
    return result


def main():
    module = AnsibleModule(
        argument_spec={
            "vault_uri": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "enabled", "disabled"], "default": "present"},
            "versions": {"type": "list", "elements": "str"},
            "rotate": {"type": "bool", "default": False},
            "bits": {"type": "int", "choices": [2048, 3072, 4096], "default": 3072},
            "authority": {"type": "str", "default": "https://login.microsoftonline.com"},
            "tenant_id": {"type": "str", "required": True},
            "resource": {"type": "str", "default": "https://vault.azure.net"},
            "client_id": {"type": "str", "required": True},
            "client_secret_file": {"type": "path", "no_log": False},
            "client_secret": {"type": "str", "no_log": True},
            "ca_file": {"type": "path"},
            "timeout_s": {"type": "int", "default": 30},
        },
        required_one_of=[("client_secret_file", "client_secret")],
        mutually_exclusive=[("client_secret_file", "client_secret")], supports_check_mode=True)
    module.exit_json(**apply(module, Vault(module)))


if __name__ == "__main__":
    main()
