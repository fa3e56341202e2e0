#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The Ansible collection without a host: what ansible-galaxy builds of it passes ansible-lint's production profile,
every playbook parses, every role and module explains itself, its filter writes what libconfig reads, and it
reloads what the gateway does. Takes some 20 s."""
import pathlib
import re
import sys
import tempfile

import yaml
from collection import ROOT, SOURCE, environment, install, need, run

sys.path.insert(0, str(SOURCE / "plugins/filter"))


def check_defaults(installed):
    """Each default is an option of the role's argument specs, and the other way round unless it is required."""
    for role in sorted((installed / "roles").iterdir()):
        defaults = yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8"))
        specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))
        options = specs["argument_specs"]["main"]["options"]
        assert set(defaults) == set(options), f"{role.name}: {set(defaults) ^ set(options)}"
        for name, option in options.items():
            if "default" in option:
                assert option["default"] == defaults[name], f"{name}: two defaults"


def check_filter():
    from libconfig import libconfig  # pylint: disable=import-outside-toplevel,import-error
    text = libconfig({"log_level": "in\"fo\\\n", "blob": {"port": 1, "on": True, "hosts": ["a", "b"], "none": []},
                      "provider": {"vaults": [{"uri": "u", "bits": [1, 2]}]}})
    assert text == ('log_level = "in\\"fo\\\\\\n";\n'
                    'blob: {\n  port = 1;\n  on = true;\n  hosts = [ "a", "b" ];\n  none = [  ];\n};\n'
                    'provider: {\n  vaults = ( { uri = "u"; bits = [ 1, 2 ]; } );\n};\n'), text


def check_reloads():
    """The role takes for reloadable what the gateway does."""
    source = (ROOT / "gateway/config_change.c").read_text(encoding="utf-8")
    table = re.search(r"renewable\[\] = \{(.*?)\}", source, re.S)[1]
    names = {name.rsplit(".", 1)[-1] for name in re.findall(r'"([^"]+)"', table)}
    own = yaml.safe_load((SOURCE / "roles/gatekey/vars/main.yml").read_text(encoding="utf-8"))["gatekey_reloadable"]
    assert {name for group in re.findall(r"\(([a-z_|]+)\)", own) for name in group.split("|")} == names, names


def main():
    need("ansible-galaxy", "ansible-lint", "ansible-playbook", "ansible-doc")
    check_filter()
    check_reloads()
    with tempfile.TemporaryDirectory(prefix="gatekey-ansible-") as directory:
        place = pathlib.Path(directory)
        installed = install(place)
        env = environment(place)
        check_defaults(installed)
        said = run("ansible-lint", "--nocolor", "--offline", "--profile", "production", cwd=installed, env=env)
        assert re.search(r"Passed with production profile: 0 failure\(s\), 0 warning\(s\)", said), said
        playbooks = [f"gatekey.gateway.{playbook.stem}" for playbook in sorted((installed / "playbooks").glob("*.yml"))]
        run("ansible-playbook", "--syntax-check", "-i", "localhost,", *playbooks, env=env)
        modules = [f"gatekey.gateway.{module.stem}" for module in sorted((installed / "plugins/modules").glob("*.py"))]
        assert modules
        run("ansible-doc", "-t", "module", *modules, env=env)
        run("ansible-doc", "-t", "filter", "gatekey.gateway.libconfig", env=env)
        roles = [f"gatekey.gateway.{role.name}" for role in sorted((installed / "roles").iterdir())]
        run("ansible-doc", "-t", "role", *roles, env=env)


if __name__ == "__main__":
    main()
