# SPDX-License-Identifier: Apache-2.0
"""Settings as the text of a configuration file of gatekey-gateway or keyvaultd."""

DOCUMENTATION = r"""
name: libconfig
author: The Gatekey authors (@gatekey)
short_description: Settings as the text of a libconfig file
description:
  - A setting a line, and those of a group at the top a line each. What is further inside stands in its setting's line.
options:
  _input:
    description: Names with texts, numbers, booleans, lists and further groups.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write a configuration
  ansible.builtin.copy:
    content: "{{ {'log_level': 'info', 'blob': {'listen': '127.0.0.1:10000'}} | gatekey.gateway.libconfig }}"
    dest: /etc/gatekey/gatekey.conf
    mode: "0640"
"""

RETURN = r"""
_value:
  description: The file's text.
  type: str
"""

# pylint: disable=wrong-import-position
from ansible.errors import AnsibleFilterError

ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def value_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return f'"{value.translate(ESCAPES)}"'
    if isinstance(value, dict):
        return "{ " + "".join(f"{name} = {value_text(member)}; " for name, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        opening, closing = ("( ", " )") if any(isinstance(one, (dict, list)) for one in value) else ("[ ", " ]")
        return opening + ", ".join(value_text(one) for one in value) + closing
    raise AnsibleFilterError(f"libconfig: {type(value).__name__} is no kind of setting")


def setting_text(name, value):
    if not isinstance(value, dict):
        return f"{name} = {value_text(value)};\n"
    members = "".join(f"  {member} = {value_text(inner)};\n" for member, inner in value.items())
    return f"{name}: {{\n{members}}};\n"


def libconfig(settings):
    return "".join(setting_text(name, value) for name, value in settings.items())


class FilterModule:  # pylint: disable=too-few-public-methods
    """What Ansible looks for."""

    def filters(self):
        return {"libconfig": libconfig}
