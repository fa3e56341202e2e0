#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Have a Gatekey gateway ask the vault now, and take a newer version of a key."""

DOCUMENTATION = r"""
---
module: key_check
short_description: Have a Gatekey gateway ask the vault now, and take a newer version of a key
description:
  - Asks the vault of a customer's key now, and has its newest version taken where the key follows that.
  - What the vault refuses is a state, not a failure of this module.
options:
  account:
    description: The account's name.
    type: str
    required: true
  scope:
    description: An encryption scope of the account, for that one's key.
    type: str
extends_documentation_fragment: gatekey.gateway.management
notes:
  - In check mode no vault is asked; C(changed) then says whether the gateway knows of a newer version.
author: The Gatekey authors (@gatekey)
"""

EXAMPLES = r"""
- name: Take the customer's new version now
  gatekey.gateway.key_check:
    account: archive
"""

RETURN = r"""
before:
  description: Identifier of the key version in use before. Empty under the operator's service key.
  returned: always
  type: str
after:
  description: Of the one in use now.
  returned: always
  type: str
state:
  description: State of the account or scope now.
  returned: always
  type: str
reason:
  description: The vault's own words, where there are any.
  returned: always
  type: str
"""

# pylint: disable=wrong-import-position
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatekey.gateway.plugins.module_utils.management import (
    Management, management_options, segment)


def key_of(thing):
    """Of an account, or of a scope."""
    properties = thing["properties"]
    key = properties.get("keyVaultProperties") or properties.get("encryption", {}).get("keyvaultproperties", {})
    return key.get("currentVersionedKeyIdentifier", "")


def main():
    module = AnsibleModule(
        argument_spec={"account": {"type": "str", "required": True}, "scope": {"type": "str"}, **management_options()},
        supports_check_mode=True)
    management = Management(module)
    thing = management.existing_account(module.params["account"])
    path = thing["id"]
    if module.params["scope"]:
        path += f"/encryptionScopes/{segment(module.params['scope'])}"
        thing = management.request("GET", path)
    before = key_of(thing)
    pending = thing["properties"]["gatekey"]["rotationPending"]
    if not module.check_mode:
        thing = management.request("POST", f"{path}/gatekeyCheckKey")
    gatekey = thing["properties"]["gatekey"]
    after = key_of(thing)
    module.exit_json(changed=pending if module.check_mode else after != before, before=before, after=after,
                     state=gatekey["state"], reason=gatekey.get("reason", ""))


if __name__ == "__main__":
    main()
