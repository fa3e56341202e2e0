# SPDX-License-Identifier: Apache-2.0
"""The controller: an inventory of machines, playbooks that are run on it, and what they have said."""
import json
import re
import secrets
import subprocess
import sys

from collection import environment, install, run

TENANT = "00000000-0000-0000-0000-000000000000"
IDENTITY = (f"/subscriptions/{TENANT}/resourceGroups/gatekey/providers/Microsoft.ManagedIdentity/"
            "userAssignedIdentities/gateway")
GATEWAY, HOLDER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


class Controller:
    """In a directory of its own, with the collection installed there and the packages of a build. said: all that was
    printed; said_last: the lines of the last play."""

    def __init__(self, place, build):
        self.place = place
        self.packages = place / "packages"
        self.secrets = {"gateway": secrets.token_hex(20), "holder": secrets.token_hex(20)}
        self.said = ""
        self.said_last = []
        self.variables = {}
        self.hosts = {}
        install(place)
        run("cpack", "-G", "DEB", "-B", self.packages, cwd=build, umask=0o022)

    def set_hosts(self, groups, variables):
        """groups: name of a group, and of its hosts with their variables each. variables: of all."""
        self.hosts, self.variables = groups, variables
        inventory = {"all": {"vars": variables, "children": {name: {"hosts": hosts} for name, hosts in groups.items()}}}
        (self.place / "hosts.json").write_text(json.dumps(inventory), encoding="utf-8")

    def vault_variables(self, port):
        """Of a vault with an identity for the gateways and one for the key's holder; and how he asks it."""
        uri = f"https://localhost:{port}"
        return {
            "keyvaultd_packages_dir": str(self.packages), "keyvaultd_address": "127.0.0.1", "keyvaultd_port": port,
            "keyvaultd_host": "localhost", "keyvaultd_tls": "trial", "keyvaultd_tls_ca_dir": str(self.place / "ca"),
            "keyvaultd_identities": [
                {"name": "gateway", "client_id": GATEWAY, "client_secret": self.secrets["gateway"],
                 "resource_id": IDENTITY, "permissions": ["get", "wrapKey", "unwrapKey"]},
                {"name": "holder", "client_id": HOLDER, "client_secret": self.secrets["holder"], "administer": True}],
            "drill_vault_host": "vault",
            "drill_vault_key": {"vault_uri": uri, "authority": uri, "tenant_id": TENANT, "client_id": HOLDER,
                                "client_secret_file": "/etc/keyvaultd/secrets/holder",
                                "ca_file": "/etc/keyvaultd/ca.crt", "name": "storage"}}

    def gateway_variables(self, vault_port):
        uri = f"https://localhost:{vault_port}"
        return {
            "gatekey_packages_dir": str(self.packages), "gatekey_tls": "trial",
            "gatekey_tls_ca_dir": str(self.place / "ca"),
            "gatekey_secrets": [{"name": "gateway", "content": self.secrets["gateway"]}],
            "gatekey_settings": {"provider": {
                "ca_file": "{{ gatekey_listeners_dir }}/ca.crt", "vaults": [{"uri": uri}],
                "identities": [{"kind": "client-secret", "resource_id": IDENTITY, "client_id": GATEWAY,
                                "tenant_id": TENANT, "authority": uri,
                                "client_secret_file": "{{ gatekey_credentials }}gateway"}]}},
            "accounts_present": [{"name": "archive", "user_identity": IDENTITY, "key_source": "Microsoft.Keyvault",
                                  "vault_uri": uri, "key_name": "storage",
                                  "scopes": [{"name": "payroll", "key_source": "Microsoft.KeyVault", "vault_uri": uri,
                                              "key_name": "storage"}]}]}

    def play(self, playbook, *options, fails=False, **more):
        """Runs one of the collection's, or a list of plays. What it changed, by host; with fails what it said."""
        if not isinstance(playbook, str):
            (self.place / "plays.json").write_text(json.dumps(playbook), encoding="utf-8")
            name = str(self.place / "plays.json")
        else:
            name = f"gatekey.gateway.{playbook}"
        (self.place / "more.json").write_text(json.dumps(more), encoding="utf-8")
        command = ["ansible-playbook", "-i", self.place / "hosts.json", "--diff", "-v",
                   "-e", f"@{self.place}/more.json", name, *options]
        done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False, env=environment(self.place))
        self.said += done.stdout
        self.said_last = done.stdout.splitlines()
        if (done.returncode != 0) != fails:
            sys.exit(f"{' '.join(map(str, command))} ends with {done.returncode}\n{done.stdout[-8000:]}")
        changed = dict(re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", done.stdout, re.M))
        return done.stdout if fails else {host: int(count) for host, count in changed.items()}

    def vault_key(self, **options):
        """The module, on the vault's machine; its result."""
        arguments = {**self.variables["drill_vault_key"], **options}
        result = self.place / "result.json"
        self.play([{"hosts": "keyvaultd", "gather_facts": False, "tasks": [
            {"gatekey.gateway.vault_key": arguments, "register": "result"},
            {"ansible.builtin.copy": {"content": "{{ result | to_json }}", "dest": str(result), "mode": "0600"},
             "delegate_to": "localhost"}]}])
        return json.loads(result.read_text(encoding="utf-8"))
