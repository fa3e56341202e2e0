#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Encryption scopes of an account of a Gatekey gateway."""

DOCUMENTATION = r"""
---
module: encryption_scope
short_description: Encryption scopes of an account of a Gatekey gateway
description:
  - Makes a scope, or changes its key or whether it may be used. A scope is never deleted but with its account.
  - Options that are not given stay as they are.
options:
  account:
    description: The account's name.
    type: str
    required: true
  name:
    description: The scope's name.
    type: str
    required: true
  enabled:
    description: Whether reads and writes in the scope are served.
    type: bool
  key_source:
    description: C(Microsoft.KeyVault) for a customer's key, C(Microsoft.Storage) for the operator's service key.
    type: str
    choices: [Microsoft.Storage, Microsoft.KeyVault]
extends_documentation_fragment: [gatekey.gateway.customer_key, gatekey.gateway.management]
notes:
  - Check mode and diff mode are supported. Nothing is asked of a vault in check mode.
author: The Gatekey authors (@gatekey)
"""

EXAMPLES = r"""
- name: A scope under a key of its own
  gatekey.gateway.encryption_scope:
    account: archive
    name: payroll
    key_source: Microsoft.KeyVault
    vault_uri: https://contoso.vault.azure.net
    key_name: payroll
"""

RETURN = r"""
scope:
  description: The scope as the management API has it. In check mode as it was.
  returned: when there is such a scope
  type: dict
"""

# pylint: disable=wrong-import-position
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatekey.gateway.plugins.module_utils.management import (
    KEY_OPTIONS, Management, changed_settings, difference, key_options, management_options, segment, wanted_key)

CUSTOMER = "Microsoft.KeyVault"
NEW = {"enabled": True, "key_source": "Microsoft.Storage"}


def settings_of(scope):
    properties = scope["properties"]
    settings = {"enabled": properties["state"] == "Enabled", "key_source": properties["source"]}
    if settings["key_source"] == CUSTOMER:
        settings["vault_uri"], _, key = properties["keyVaultProperties"]["keyUri"].partition("/keys/")
        settings["key_name"], _, settings["key_version"] = key.partition("/")
    return settings


def wanted_of(parameters, before):
    return {"enabled": parameters["enabled"], "key_source": parameters["key_source"],
            **wanted_key(parameters, before)}


def after_of(before, changed):
    after = {**before, **changed}
    if after["key_source"] != CUSTOMER:
        after = {name: value for name, value in after.items() if name not in KEY_OPTIONS}
    return after


def key_uri(settings):
    version = f"/{settings['key_version']}" if settings.get("key_version") else ""
    return f"{settings.get('vault_uri', '')}/keys/{settings.get('key_name', '')}{version}"


def body_of(changed, after):
    properties = {}
    if "enabled" in changed:
        properties["state"] = "Enabled" if changed["enabled"] else "Disabled"
    if any(name in changed for name in ("key_source", *KEY_OPTIONS)):
        properties["source"] = after["key_source"]
        if after["key_source"] == CUSTOMER:
            properties["keyVaultProperties"] = {"keyUri": key_uri(after)}
    return {"properties": properties}


def main():
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "enabled": {"type": "bool"},
            "key_source": {"type": "str", "choices": ["Microsoft.Storage", CUSTOMER]},
            **key_options(),
            **management_options(),
        },
        supports_check_mode=True)
    management = Management(module)
    name = f"{module.params['account']}/{module.params['name']}"
    account = management.account(module.params["account"])
    if account is None and not module.check_mode:
        module.fail_json(msg=f"there is no account {module.params['account']}")
    path = f"{account['id']}/encryptionScopes/{segment(module.params['name'])}" if account else None
    scope = management.request("GET", path, missing_is_none=True) if path else None
    before = None if scope is None else settings_of(scope)
    changed = changed_settings(before or NEW, wanted_of(module.params, before or NEW))
    after = after_of(before or NEW, changed)
    result = {"changed": after != before, "diff": difference(name, before, after)}
    if result["changed"] and not module.check_mode:
        whole = {**NEW, **changed} if before is None else changed
        scope = management.request("PUT" if before is None else "PATCH", path, body_of(whole, after))
    if scope is not None:
        result["scope"] = scope
    module.exit_json(**result)


if __name__ == "__main__":
    main()
