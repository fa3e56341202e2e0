# SPDX-License-Identifier: Apache-2.0
"""How the modules are told of a customer's key."""


class ModuleDocFragment:  # pylint: disable=too-few-public-methods
    DOCUMENTATION = r"""
options:
  vault_uri:
    description: The vault of the customer's key. The account's identity asks it.
    type: str
  key_name:
    description: The key's name there.
    type: str
  key_version:
    description: The version to stay on. C("") follows the key's current version, as with another key than before.
    type: str
"""
