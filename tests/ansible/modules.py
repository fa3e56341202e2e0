#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The collection's modules against a gateway of this build, each run as Ansible runs it: who shows a client certificate
needs no token, and may do what the gateway's callers say; an account and its scope take a customer's key, stay on a
version and follow again, its Blob service takes settings; nothing changes when asked twice, and check mode foretells the
same diff and changes nothing at all; a list comes whole that the gateway gives in pages; and an account goes only when
its data may. Takes some 25 s. Needs Ansible, but no host and not root.

  modules.py BUILD
"""
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from collection import environment, install, need

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lib"))

PAGE = 2
ACCOUNTS = [f"paged{number}" for number in range(2 * PAGE + 1)]


def openssl(place, *arguments):
    subprocess.run(["openssl", *arguments], cwd=place, check=True, capture_output=True)


def make_clients(place):
    """An authority's certificates for owner.example and reader.example; owner.pem has both halves in one file."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(place, "req", "-x509", *curve, "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign",
            "-days", "2", "-keyout", "ca.key", "-out", "ca.crt")
    for name in ("owner", "reader"):
        openssl(place, "req", "-new", *curve, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr",
                "-addext", f"subjectAltName=DNS:{name}.example", "-addext", "extendedKeyUsage=clientAuth")
        openssl(place, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "2",
                "-copy_extensions", "copy", "-days", "2", "-out", f"{name}.crt")
    (place / "owner.pem").write_text((place / "owner.crt").read_text() + (place / "owner.key").read_text())
    return f"""client_ca = "{place}/ca.crt";
  callers = ( {{ name = "owner"; certificate = "dns:owner.example"; role = "owner"; }},
    {{ name = "reader"; certificate = "dns:reader.example"; role = "reader"; }} );"""


class Modules:
    """Of the collection that is installed in place, for a gateway."""

    def __init__(self, place, gateway):
        self.place, self.installed, self.gateway = place, install(place), gateway
        self.env = {**environment(place), "PYTHONPATH": str(place / "collections")}
        self.credentials = {"client_cert": str(place / "owner.pem")}

    def run(self, module, check_mode=False, **options):
        """The module's result."""
        arguments = {"endpoint": self.gateway.management, "ca_file":
                     str(self.gateway.directory / "tls.crt"), **self.credentials, **options}
        text = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode}})
        done = subprocess.run([sys.executable, self.installed / f"plugins/modules/{module}.py"], input=text, env=self.env,
                              capture_output=True, text=True, check=False)
        assert done.stdout.lstrip().startswith("{"), done.stdout + done.stderr
        return json.loads(done.stdout)

    def change(self, module, **options):
        """Foretold, done, and not done again. The result of the second."""
        foretold = self.run(module, check_mode=True, **options)
        done = self.run(module, **options)
        assert foretold.get("changed") and done.get("changed"), (foretold, done)
        assert foretold["diff"] == done["diff"]
        again = self.run(module, **options)
        assert again.get("changed") is False, again
        return done


def settings(diff):
    """Those before, and those after."""
    return [json.loads(diff[side]) for side in ("before", "after")]


def check_certificates(modules):
    """The role is the certificate's, and one that nobody knows, or none, is nobody."""
    reader = {"client_cert": str(modules.place / "reader.crt"), "client_key": str(modules.place / "reader.key")}
    assert modules.run("account", name="seen")["changed"]
    assert [one["name"] for one in modules.run("account_info", **reader)["accounts"]] == ["seen"]
    refused = modules.run("account", name="unseen", **reader)
    assert refused.get("failed") and refused["status"] == 403, refused
    assert modules.run("account_info", name="unseen")["accounts"] == []
    stranger = modules.run("account_info", client_cert=str(modules.gateway.directory / "tls.crt"),
                           client_key=str(modules.gateway.directory / "tls.key"))
    assert stranger.get("failed"), stranger
    alone = modules.run("account_info", client_cert=None, client_key=reader["client_key"])
    assert "client_cert, which is missing" in alone["msg"], alone
    token = modules.run("account_info", client_cert=None, token_file=str(modules.gateway.directory / "token"))
    assert [one["name"] for one in token["accounts"]] == ["seen"]


def check_keys(modules, vault):
    version = vault.create_key("storage")
    key = {"vault_uri": vault.uri, "key_name": "storage"}
    customer = {"key_source": "Microsoft.Keyvault", "user_identity": vault.identity}
    made = modules.change("account", name="archive", **customer, **key)
    assert made["account"]["properties"]["encryption"]["keyvaultproperties"]["keyversion"] == ""
    scope = {"account": "archive", "name": "payroll"}
    modules.change("encryption_scope", **scope, key_source="Microsoft.KeyVault", **key)
    for name, one in (("account", {"name": "archive"}), ("encryption_scope", scope)):
        modules.change(name, **one, key_version=version)
        assert modules.run(name, **one, **key)["changed"] is False, "a version that was not named was left"
        modules.change(name, **one, key_version="")
    ended = modules.change("encryption_scope", **scope, enabled=False)
    assert [one["enabled"] for one in settings(ended["diff"])] == [True, False], ended
    modules.change("encryption_scope", **scope, key_source="Microsoft.Storage")


def check_blob_service(modules):
    rule = {"allowed_origins": ["https://films.example"], "allowed_methods": ["GET", "HEAD"]}
    new = {"versioning": False, "delete_retention_days": 0, "permanent_deletes": False, "container_retention_days": 0,
           "default_service_version": "", "cors_rules": []}
    kept = {"versioning": True, "delete_retention_days": 7}
    asked = {"permanent_deletes": True, "container_retention_days": 3, "default_service_version": "2021-12-02"}
    rule_kept = {**rule, "allowed_headers": [], "exposed_headers": [], "max_age_s": 0}
    whole = {**new, **kept, **asked, "cors_rules": [rule_kept]}
    assert settings(modules.change("blob_service", account="seen", **kept)["diff"]) == [new, {**new, **kept}]
    done = modules.change("blob_service", account="seen", **asked, cors_rules=[rule])
    assert settings(done["diff"]) == [{**new, **kept}, whole]
    properties = done["service"]["properties"]
    assert properties["deleteRetentionPolicy"] == {"enabled": True, "days": 7, "allowPermanentDelete": True}, properties
    assert properties["containerDeleteRetentionPolicy"] == {"enabled": True, "days": 3}, properties
    less = {"delete_retention_days": 0, "container_retention_days": 0, "cors_rules": []}
    assert settings(modules.change("blob_service", account="seen", **less)["diff"]) == [whole, {**whole, **less}]
    refused = modules.run("blob_service", account="seen", delete_retention_days=366)
    assert "days is 1 to 365" in refused["msg"], refused
    assert modules.run("blob_service", check_mode=True, account="unmade", versioning=True)["changed"]
    assert modules.run("blob_service", account="unmade", versioning=True)["msg"] == "there is no account unmade"


def check_absence(modules):
    kept = modules.run("account", name="seen", state="absent")
    assert "destroys the account's data" in kept["msg"], kept
    gone = modules.change("account", name="seen", state="absent", destroy_data=True)
    assert '"tags"' in gone["diff"]["before"] and gone["diff"]["after"] == "", gone


def check_pages(modules):
    """By the list that account_info has, of the size that a test can fill."""
    for name in ACCOUNTS:
        modules.run("account", name=name)
    listing = ("from ansible_collections.gatekey.gateway.plugins.module_utils import management as m\n"
               "import json, sys, types\n"
               "asked = []\n"
               "real = m.ask\n"
               "m.ask = lambda module, method, url, *more: asked.append(url) or real(module, method, url, *more)\n"
               "client = m.Management(types.SimpleNamespace(params=json.load(sys.stdin)))\n"
               "path = f'/gatekey/accounts?api-version={m.API_VERSION}&$maxpagesize=" + str(PAGE) + "'\n"
               "print(json.dumps([[one['name'] for one in client.list(path)], len(asked)]))\n")
    parameters = {"endpoint": modules.gateway.management, "timeout_s": 60, "client_key": None,
                  "ca_file": str(modules.gateway.directory / "tls.crt"), **modules.credentials}
    done = subprocess.run([sys.executable, "-c", listing], input=json.dumps(parameters), env=modules.env, check=True,
                          stdout=subprocess.PIPE, text=True)
    names, asked = json.loads(done.stdout)
    whole = [one["name"] for one in modules.run("account_info")["accounts"]]
    assert names == whole and set(ACCOUNTS) <= set(names), (names, whole)
    assert asked == -(-len(names) // PAGE) > 1, f"{len(names)} accounts in {asked} pages of {PAGE}"


def main(build):
    need("ansible-galaxy")
    os.environ["GATEKEY_BUILD"] = build
    from gateway_process import Gateway  # pylint: disable=import-outside-toplevel
    from vault_process import Vault  # pylint: disable=import-outside-toplevel
    with contextlib.ExitStack() as stack:
        place = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekey-ansible-")))
        vault = Vault(place / "vault")
        stack.callback(vault.stop)
        gateway = Gateway(place / "gateway", vault=vault)
        gateway.management_settings = make_clients(place)
        gateway.start()
        stack.callback(gateway.stop)
        modules = Modules(place, gateway)
        check_certificates(modules)
        check_keys(modules, vault)
        check_blob_service(modules)
        check_pages(modules)
        check_absence(modules)


if __name__ == "__main__":
    main(sys.argv[1])
