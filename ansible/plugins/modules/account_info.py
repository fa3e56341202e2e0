#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Accounts of a Gatekey gateway, with their keys and states."""

DOCUMENTATION = r"""
---
module: account_info
short_description: Accounts of a Gatekey gateway, with their keys and states
description:
  - Which account stands on which version of which key, and in which state it is. No vault is asked.
options:
  name:
    description: One account alone. Without it all of them.
    type: str
  scopes:
    description: Whether encryption scopes are asked for, too.
    type: bool
    default: false
extends_documentation_fragment: gatekey.gateway.management
notes:
  - Check mode is supported. Nothing is ever changed.
author: The Gatekey authors (@gatekey)
"""

EXAMPLES = r"""
- name: Look at all accounts
  gatekey.gateway.account_info:
  register: known

- name: None is revoked
  ansible.builtin.assert:
    that: "'revoked' not in (known.accounts | map(attribute='properties.gatekey.state'))"
"""

RETURN = r"""
accounts:
  description: Each as the management API has it; with C(error) instead of C(properties) where its record is unreadable.
  returned: always
  type: list
  elements: dict
scopes:
  description: The encryption scopes of these accounts, as the management API has them.
  returned: where they are asked for
  type: list
  elements: dict
"""

# pylint: disable=wrong-import-position
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatekey.gateway.plugins.module_utils.management import Management, management_options


def main():
    module = AnsibleModule(argument_spec={"name": {"type": "str"}, "scopes": {"type": "bool", "default": False},
                                          **management_options()}, supports_check_mode=True)
    management = Management(module)
    if module.params["name"]:
        account = management.account(module.params["name"])
        accounts = [] if account is None else [account]
    else:
        accounts = management.list("/gatekey/accounts")
    result = {"changed": False, "accounts": accounts}
    if module.params["scopes"]:
        result["scopes"] = [scope for account in accounts if "properties" in account
                            for scope in management.list(f"{account['id']}/encryptionScopes")]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
