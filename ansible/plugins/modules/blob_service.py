#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Settings of the Blob service of an account of a Gatekey gateway."""

DOCUMENTATION = r"""
---
module: blob_service
short_description: Settings of the Blob service of an account of a Gatekey gateway
description:
  - Sets what an account keeps of blobs and containers that were replaced or deleted, and what other origins may ask.
  - Options that are not given stay as they are.
options:
  account:
    description: The account's name.
    type: str
    required: true
  versioning:
    description: Whether what is replaced or deleted becomes a version.
    type: bool
  delete_retention_days:
    description: For how many days deleted blobs are kept, 1 to 365. 0 for none.
    type: int
  permanent_deletes:
    description: Whether deleted blobs that are kept may be removed before their time. With C(delete_retention_days).
    type: bool
  container_retention_days:
    description: For how many days deleted containers are kept, 1 to 365. 0 for none.
    type: int
  default_service_version:
    description: Version of the service for requests that name none, such as C(2021-12-02). One that is set can only be
      replaced.
    type: str
  cors_rules:
    description: All rules for other origins, five at most.
    type: list
    elements: dict
    suboptions:
      allowed_origins:
        description: Origins, or C(*).
        type: list
        elements: str
        required: true
      allowed_methods:
        description: Methods that they may use.
        type: list
        elements: str
        required: true
      allowed_headers:
        description: Headers that they may send, or begins of such with C(*).
        type: list
        elements: str
        default: []
      exposed_headers:
        description: Headers of answers that they may see, or begins of such with C(*).
        type: list
        elements: str
        default: []
      max_age_s:
        description: For how many seconds a browser may remember that.
        type: int
        default: 0
extends_documentation_fragment: gatekey.gateway.management
notes:
  - Check mode and diff mode are supported. Whether the gateway takes a value is seen when it is set, not in check mode.
author: The Gatekey authors (@gatekey)
"""

EXAMPLES = r"""
- name: Versions, and deleted blobs for a week
  gatekey.gateway.blob_service:
    account: archive
    versioning: true
    delete_retention_days: 7

- name: A page elsewhere may read
  gatekey.gateway.blob_service:
    account: archive
    cors_rules:
      - allowed_origins: [https://films.example]
        allowed_methods: [GET, HEAD]
"""

RETURN = r"""
service:
  description: The Blob service as the management API has it. In check mode as it was.
  returned: when there is such an account
  type: dict
"""

# pylint: disable=wrong-import-position
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.gatekey.gateway.plugins.module_utils.management import (
    Management, changed_settings, difference, management_options)

# Of an account that was just made.
NEW = {"versioning": False, "delete_retention_days": 0, "permanent_deletes": False, "container_retention_days": 0,
       "default_service_version": "", "cors_rules": []}
# A rule's options, and what the API calls them.
RULE = {"allowed_origins": "allowedOrigins", "allowed_methods": "allowedMethods", "allowed_headers": "allowedHeaders",
        "exposed_headers": "exposedHeaders", "max_age_s": "maxAgeInSeconds"}


def settings_of(service):
    """The service in this module's own words."""
    properties = service["properties"]
    blobs, containers = properties["deleteRetentionPolicy"], properties["containerDeleteRetentionPolicy"]
    return {
        "versioning": properties["isVersioningEnabled"],
        "delete_retention_days": blobs.get("days", 0),
        "permanent_deletes": blobs["allowPermanentDelete"],
        "container_retention_days": containers.get("days", 0),
        "default_service_version": properties.get("defaultServiceVersion", ""),
        "cors_rules": [{own: rule[name] for own, name in RULE.items()} for rule in properties["cors"]["corsRules"]],
    }


def retention(days):
    return {"enabled": True, "days": days} if days else {"enabled": False}


def body_of(changed, after):
    """What is changed; after is the whole of what is to be. The API takes a policy whole."""
    properties = {}
    if "versioning" in changed:
        properties["isVersioningEnabled"] = changed["versioning"]
    if "delete_retention_days" in changed or "permanent_deletes" in changed:
        properties["deleteRetentionPolicy"] = {
            **retention(after["delete_retention_days"]), "allowPermanentDelete": after["permanent_deletes"]}
    if "container_retention_days" in changed:
        properties["containerDeleteRetentionPolicy"] = retention(changed["container_retention_days"])
    if "default_service_version" in changed:
        properties["defaultServiceVersion"] = changed["default_service_version"]
    if "cors_rules" in changed:
        properties["cors"] = {"corsRules": [
            {name: rule[own] for own, name in RULE.items()} for rule in changed["cors_rules"]]}
    return {"properties": properties}


def rule_options():
    texts = {"type": "list", "elements": "str"}
    return {
        "allowed_origins": {**texts, "required": True},
        "allowed_methods": {**texts, "required": True},
        "allowed_headers": {**texts, "default": []},
        "exposed_headers": {**texts, "default": []},
        "max_age_s": {"type": "int", "default": 0},
    }


def main():
    module = AnsibleModule(
        argument_spec={
            "account": {"type": "str", "required": True},
            "versioning": {"type": "bool"},
            "delete_retention_days": {"type": "int"},
            "permanent_deletes": {"type": "bool"},
            "container_retention_days": {"type": "int"},
            "default_service_version": {"type": "str"},
            "cors_rules": {"type": "list", "elements": "dict", "options": rule_options()},
            **management_options(),
        },
        supports_check_mode=True)
    management = Management(module)
    name = module.params["account"]
    account = management.account(name)
    if account is None and not module.check_mode:
        module.fail_json(msg=f"there is no account {name}")
    path = f"{account['id']}/blobServices/default" if account else None
    service = management.request("GET", path) if path else None
    before = NEW if service is None else settings_of(service)
    changed = changed_settings(before, {setting: module.params[setting] for setting in NEW})
    after = {**before, **changed}
    result = {"changed": after != before, "diff": difference(name, before, after)}
    if result["changed"] and not module.check_mode:
        service = management.request("PUT", path, body_of(changed, after))
    if service is not None:
        result["service"] = service
    module.exit_json(**result)


if __name__ == "__main__":
    main()
