#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Storage accounts of a Gatekey gateway, and whose key they are under."""

DOCUMENTATION = r"""
---
module: account
short_description: Storage accounts of a Gatekey gateway, and whose key they are under
description:
  - Makes an account, changes its settings, or destroys it with its data.
  - Options that are not given stay as they are.
  - A customer's key is proved by the gateway before anything is changed; what it refuses changes nothing.
options:
  name:
    description: The account's name.
    type: str
    required: true
  state:
    description: Whether there is such an account.
    type: str
    choices: [present, absent]
    default: present
  destroy_data:
    description:
      - Has to be true for C(absent). An account's wrapped root key is destroyed at once; no key brings it back.
    type: bool
    default: false
  subscription:
    description: Where a new account is filed.
    type: str
    default: 00000000-0000-0000-0000-000000000000
  resource_group:
    description: Where a new account is filed.
    type: str
    default: gatekey
  location:
    description: Of a new account.
    type: str
    default: local
  tags:
    description: All tags of the account.
    type: dict
  https_only:
    description: Refuse requests over plain HTTP.
    type: bool
  public_access:
    description: Permit containers that everybody may read.
    type: bool
  system_identity:
    description: Whether the account has the system-assigned identity.
    type: bool
  user_identity:
    description: Resource id of the user-assigned identity as which the vault is asked. C("") for none.
    type: str
  federated_client_id:
    description: Application by which a vault in another tenant is asked.
    type: str
  key_source:
    description: C(Microsoft.Keyvault) for a customer's key, C(Microsoft.Storage) for the operator's service key.
    type: str
    choices: [Microsoft.Storage, Microsoft.Keyvault]
  queue_key_type:
    description:
      - C(Account) for queues under the account's root key.
      - Settled when the account is made, as C(Service) when it is not given.
    type: str
    choices: [Service, Account]
  table_key_type:
    description: As C(queue_key_type), of tables.
    type: str
    choices: [Service, Account]
extends_documentation_fragment: [gatekey.gateway.customer_key, gatekey.gateway.management]
notes:
  - Check mode and diff mode are supported. Nothing is asked of a vault in check mode.
author: The Gatekey authors (@gatekey)
"""

EXAMPLES = r"""
- name: An account that follows the current version of a customer's key
  gatekey.gateway.account:
    name: archive
    user_identity: "{{ gateway_identity }}"
    key_source: Microsoft.Keyvault
    vault_uri: https://contoso.vault.azure.net
    key_name: storage

- name: It stays on one version
  gatekey.gateway.account:
    name: archive
    key_version: 0123456789abcdef0123456789abcdef
"""

RETURN = r"""
account:
  description: The account as the management API has it. In check mode as it was.
  returned: when there is such an account
  type: dict
"""

# pylint: disable=wrong-import-position
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatekey.gateway.plugins.module_utils.management import (
    KEY_OPTIONS, Management, changed_settings, difference, key_options, management_options, segment, wanted_key)

IDENTITY_SETTINGS = ("system_identity", "user_identity")
# Of what is not in the account's answer the key is the service's.
SERVICE_SETTINGS = {"queue_key_type": "queue", "table_key_type": "table"}
CUSTOMER = "Microsoft.Keyvault"


def settings_of(account):
    """An account in this module's own words."""
    properties = account["properties"]
    encryption = properties["encryption"]
    identity = account.get("identity", {})
    users = list(identity.get("userAssignedIdentities", {}))
    settings = {
        "tags": account.get("tags", {}),
        "https_only": properties["supportsHttpsTrafficOnly"],
        "public_access": properties["allowBlobPublicAccess"],
        "system_identity": identity.get("type", "None").startswith("SystemAssigned"),
        "user_identity": users[0] if users else "",
        "key_source": encryption["keySource"],
        **{setting: encryption["services"].get(service, {}).get("keyType", "Service")
           for setting, service in SERVICE_SETTINGS.items()},
    }
    if settings["key_source"] == CUSTOMER:
        key = encryption["keyvaultproperties"]
        settings.update(vault_uri=key["keyvaulturi"], key_name=key["keyname"], key_version=key["keyversion"],
                        federated_client_id=encryption["identity"].get("federatedIdentityClientId", ""))
    return settings


def wanted_of(parameters, before):
    """What is asked for, in the same words: every setting that is given, and what follows from it."""
    wanted = {name: parameters[name] for name in (
        "tags", "https_only", "public_access", "system_identity", "user_identity", "federated_client_id",
        "key_source", *SERVICE_SETTINGS) if parameters[name] is not None}
    wanted.update(wanted_key(parameters, before))
    if "tags" in wanted:
        wanted["tags"] = {str(name): str(value) for name, value in wanted["tags"].items()}
    # Resource ids do not tell capitals from small letters.
    if wanted.get("user_identity", "").lower() == before.get("user_identity", "").lower():
        wanted.pop("user_identity", None)
    return wanted


def identity_body(settings):
    kinds = (["SystemAssigned"] if settings.get("system_identity") else []) + (
        ["UserAssigned"] if settings.get("user_identity") else [])
    body = {"type": ",".join(kinds) or "None"}
    if settings.get("user_identity"):
        body["userAssignedIdentities"] = {settings["user_identity"]: {}}
    return body


def encryption_body(settings):
    body = {"keySource": settings["key_source"], "services": {
        service: {"keyType": settings[setting]} for setting, service in SERVICE_SETTINGS.items()}}
    if settings["key_source"] != CUSTOMER:
        return body
    identity = {"userAssignedIdentity": settings.get("user_identity", "")}
    if settings.get("federated_client_id"):
        identity["federatedIdentityClientId"] = settings["federated_client_id"]
    return {**body, "identity": identity, "keyvaultproperties": {
        "keyvaulturi": settings.get("vault_uri", ""), "keyname": settings.get("key_name", ""),
        "keyversion": settings.get("key_version", "")}}


def body_of(changed, settings):
    """A PATCH of what is changed; settings is the whole of what is to be."""
    properties = {}
    body = {"properties": properties}
    if "tags" in changed:
        body["tags"] = changed["tags"]
    if "https_only" in changed:
        properties["supportsHttpsTrafficOnly"] = changed["https_only"]
    if "public_access" in changed:
        properties["allowBlobPublicAccess"] = changed["public_access"]
    if any(name in changed for name in IDENTITY_SETTINGS):
        body["identity"] = identity_body(settings)
    if any(name in changed for name in ("key_source", "federated_client_id", *KEY_OPTIONS)) or (
            settings["key_source"] == CUSTOMER and "identity" in body):
        properties["encryption"] = encryption_body(settings)
    return body


def after_of(before, changed):
    after = {**before, **changed}
    if after["key_source"] == CUSTOMER:
        for name in (*KEY_OPTIONS, "federated_client_id"):
            after.setdefault(name, "")
    else:
        for name in (*KEY_OPTIONS, "federated_client_id"):
            after.pop(name, None)
    return after


def create(module, management):
    parameters = module.params
    nothing = {"tags": {}, "https_only": False, "public_access": False, "system_identity": False, "user_identity": "",
               "key_source": "Microsoft.Storage", **dict.fromkeys(SERVICE_SETTINGS, "Service")}
    changed = wanted_of(parameters, nothing)
    settings = after_of(nothing, changed)
    result = {"changed": True, "diff": difference(parameters["name"], None, settings)}
    if not module.check_mode:
        body = body_of({**nothing, **changed}, settings)
        body.update(location=parameters["location"], kind="StorageV2", sku={"name": "Standard_LRS"})
        path = (f"/subscriptions/{segment(parameters['subscription'])}/resourceGroups/"
                f"{segment(parameters['resource_group'])}/providers/Microsoft.Storage/storageAccounts/"
                f"{segment(parameters['name'])}")
        result["account"] = management.request("PUT", path, body)
    return result


def update(module, management, account):
    before = settings_of(account)
    changed = changed_settings(before, wanted_of(module.params, before))
    for name in SERVICE_SETTINGS:
        if name in changed:
            module.fail_json(msg=f"{name} is settled when the account is made: {module.params['name']} has {before[name]}")
    after = after_of(before, changed)
    result = {"changed": after != before, "account": account,
              "diff": difference(module.params["name"], before, after)}
    if result["changed"] and not module.check_mode:
        result["account"] = management.request("PATCH", account["id"], body_of(changed, after))
    return result


def remove(module, management, account):
    if account is None:
        return {"changed": False}
    if not module.params["destroy_data"]:
        module.fail_json(msg="state absent destroys the account's data for ever: it needs destroy_data: true")
    if not module.check_mode:
        management.request("DELETE", account["id"])
    return {"changed": True, "diff": difference(module.params["name"], settings_of(account), None)}


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "destroy_data": {"type": "bool", "default": False},
            "subscription": {"type": "str", "default": "00000000-0000-0000-0000-000000000000"},
            "resource_group": {"type": "str", "default": "gatekey"},
            "location": {"type": "str", "default": "local"},
            "tags": {"type": "dict"},
            "https_only": {"type": "bool"},
            "public_access": {"type": "bool"},
            "system_identity": {"type": "bool"},
            "user_identity": {"type": "str"},
            "federated_client_id": {"type": "str"},
            "key_source": {"type": "str", "choices": ["Microsoft.Storage", CUSTOMER]},
            **key_options(),
            **{name: {"type": "str", "choices": ["Service", "Account"], "no_log": False} for name in SERVICE_SETTINGS},
            **management_options(),
        },
        supports_check_mode=True)
    management = Management(module)
    account = management.account(module.params["name"])
    if module.params["state"] == "absent":
        result = remove(module, management, account)
    elif account is None:
        result = create(module, management)
    else:
        result = update(module, management, account)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
