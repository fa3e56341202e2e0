#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Store and read a blob of an account, as a client would."""

DOCUMENTATION = r"""
---
module: blob_probe
short_description: Store and read a blob of an account, as a client would
description:
  - Puts a small blob into a container of the account and reads it back, with an access key of the account, which
    it takes from the management API and tells nobody.
  - Proves that an account is served, or that it is not.
options:
  account:
    description: The account's name.
    type: str
    required: true
  container:
    description: The container, which is made unless it is there.
    type: str
    default: gatekey-probe
  blob_endpoint:
    description: The gateway's Blob endpoint, C(https://ADDRESS:PORT).
    type: str
    required: true
  blob_ca_file:
    description: PEM file that the endpoint's certificate is checked with, instead of the system's.
    type: path
  expect:
    description: Whether the account has to be C(served), or C(revoked), which is 403 KeyVaultEncryptionKeyNotFound.
    type: str
    choices: [served, revoked]
    default: served
extends_documentation_fragment: gatekey.gateway.management
notes:
  - In check mode nothing is written, and nothing is proved but that there is such an account.
author: The Gatekey authors (@gatekey)
"""

EXAMPLES = r"""
- name: Clients are refused
  gatekey.gateway.blob_probe:
    account: archive
    blob_endpoint: https://127.0.0.1:10001
    blob_ca_file: /etc/gatekey/listeners/ca.crt
    expect: revoked
"""

RETURN = r"""
status:
  description: HTTP status of the request that told.
  returned: unless in check mode
  type: int
code:
  description: The Blob service's error code, or empty.
  returned: unless in check mode
  type: str
"""

# pylint: disable=wrong-import-position
import base64
import hashlib
import hmac
import os
from email.utils import formatdate
from urllib.parse import urlencode

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatekey.gateway.plugins.module_utils.management import (
    Management, ask, management_options, segment)

SERVICE_VERSION = "2021-12-02"
REVOKED = (403, "KeyVaultEncryptionKeyNotFound")


class Client:
    """Of one account; signs with Shared Key."""

    def __init__(self, module, key):
        self.module = module
        self.account = module.params["account"]
        self.endpoint = module.params["blob_endpoint"].rstrip("/")
        self.key = base64.b64decode(key)

    def signature(self, method, path, query, headers, length):
        own = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers) if name.startswith("x-ms-"))
        resource = f"/{self.account}/{self.account}{path}" + "".join(
            f"\n{name}:{query[name]}" for name in sorted(query))
        standard = "\n".join([method, "", "", str(length or ""), "", headers.get("Content-Type", ""), *[""] * 6])
        text = f"{standard}\n{own}{resource}".encode()
        return base64.b64encode(hmac.new(self.key, text, hashlib.sha256).digest()).decode()

    def send(self, method, path, query=None, data=None, **headers):
        headers = {f"x-ms-{name}": value for name, value in headers.items()}
        headers.update({"x-ms-date": formatdate(usegmt=True), "x-ms-version": SERVICE_VERSION})
        if data is not None:
            headers["Content-Type"] = "application/octet-stream"
        sign = self.signature(method, path, query or {}, headers, len(data or b""))
        headers["Authorization"] = f"SharedKey {self.account}:{sign}"
        url = f"{self.endpoint}/{self.account}{path}" + (f"?{urlencode(query)}" if query else "")
        status, answer, body = ask(self.module, method, url, headers, data, self.module.params["blob_ca_file"],
                                   self.module.params["timeout_s"])
        return status, answer.get("x-ms-error-code") or "", body


def probe(module, client):
    """(status, code) of the first request that is refused, or of the last one."""
    container = f"/{segment(module.params['container'])}"
    blob = f"{container}/probe"
    text = os.urandom(32)
    status, code, _ = client.send("PUT", container, {"restype": "container"}, b"")
    if status == 201 or code == "ContainerAlreadyExists":
        status, code, _ = client.send("PUT", blob, None, text, **{"blob-type": "BlockBlob"})
    if status == 201:
        status, code, body = client.send("GET", blob)
        if status == 200 and body != text:
            module.fail_json(msg="what was read is not what was stored")
    return status, code


def main():
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "container": {"type": "str", "default": "gatekey-probe"},
            "blob_endpoint": {"type": "str", "required": True},
            "blob_ca_file": {"type": "path"},
            "expect": {"type": "str", "choices": ["served", "revoked"], "default": "served"},
            **management_options(),
        },
        supports_check_mode=True)
    management = Management(module)
    account = management.existing_account(module.params["account"])
    if module.check_mode:
        module.exit_json(changed=module.params["expect"] == "served")
    key = management.request("POST", f"{account['id']}/listKeys")["keys"][0]["value"]
    module.no_log_values.add(key)
    status, code = probe(module, Client(module, key))
    served = status == 200
    if served if module.params["expect"] == "revoked" else not served:
        module.fail_json(msg=f"the account answers {status} {code}, and should be {module.params['expect']}",
                         status=status, code=code)
    if not served and (status, code) != REVOKED:
        module.fail_json(msg=f"the account answers {status} {code}, which is no revocation", status=status, code=code)
    module.exit_json(changed=served, status=status, code=code)


if __name__ == "__main__":
    main()
