#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The collection applied: to two fresh Debian machines with systemd, a vault and a gateway. Check mode changes nothing;
a deployment serves the vendor's client with a customer's key, and changes nothing when it is repeated; a log level is
reloaded, an interval restarts, a wrong setting does neither; a start is over when the service serves; a rotation, a
revocation drill, a backup and a removal do what they say, and in check mode say what they would do, and do nothing; a
diff has the lines that change; and no secret is in anything that Ansible has printed. Needs root and some four minutes,
and once a minute or two more for the machines' root, which is kept in BUILD/ansible.

  deploy.py BUILD
"""
import base64
import contextlib
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request

from collection import run, skip
from controller import Controller
from machines import Machine, check_possible, free_port

GATEKEYCTL = ("env", "GATEKEY_TOKEN_FILE=/etc/gatekey/listeners/management.token",
              "GATEKEY_CA_FILE=/etc/gatekey/listeners/management.crt")
CONTENT = bytes(range(256)) * 4096


class Site:
    """Controller, vault and gateway."""

    def __init__(self, place, build, machines):
        self.controller = Controller(place, build)
        self.vault, self.gateway = machines
        self.vault_port, self.blob_port, self.management_port = free_port(), free_port(), free_port()
        self.controller.set_hosts(
            {"keyvaultd": {"vault": self.vault.inventory()}, "gatekey": {"gateway": self.gateway.inventory()}},
            {**self.controller.vault_variables(self.vault_port), **self.controller.gateway_variables(self.vault_port),
             "gatekey_blob_tls_listen": f"127.0.0.1:{self.blob_port}",
             "gatekey_management_listen": f"127.0.0.1:{self.management_port}", "drill_account": "archive"})
        self.settings = self.controller.variables["gatekey_settings"]

    def ctl(self, *words):
        done = self.gateway.ask(*GATEKEYCTL, f"GATEKEY_ENDPOINT=https://127.0.0.1:{self.management_port}", "gatekeyctl",
                                *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def metric(self, line):
        """Of the gateway's metrics, by the text that stands in front of the value."""
        token = self.gateway.path("/etc/gatekey/listeners/management.token").read_text(encoding="ascii").strip()
        trusted = ssl.create_default_context(cafile=self.gateway.path("/etc/gatekey/listeners/management.crt"))
        request = urllib.request.Request(f"https://127.0.0.1:{self.management_port}/metrics",
                                         headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, context=trusted, timeout=60) as answer:
            for one in answer.read().decode().splitlines():
                if one.startswith(f"{line} "):
                    return float(one.split()[-1])
        raise AssertionError(f"there is no metric {line}")

    def container(self):
        """The vendor's client."""
        from azure.storage.blob import BlobServiceClient  # pylint: disable=import-outside-toplevel
        endpoint = f"https://127.0.0.1:{self.blob_port}"
        connection = self.ctl("account", "keys", "archive", "--connection-string", "--blob-endpoint", endpoint).strip()
        return BlobServiceClient.from_connection_string(
            connection, connection_verify=str(self.controller.place / "ca/ca.crt")).get_container_client("films")


def check_fresh(site):
    """Check mode foretells, and leaves the machines as they are."""
    changed = site.controller.play("deploy", "--check")
    assert changed["vault"] > 0 and changed["gateway"] > 0, changed
    for path in ("/etc/gatekey", "/etc/keyvaultd", "/var/cache/gatekey", "/usr/bin/gatekey-gateway"):
        assert not site.gateway.path(path).exists() and not site.vault.path(path).exists(), path
    assert not (site.controller.place / "ca").exists()


def check_deployment(site):
    site.controller.play("deploy", "--limit", "keyvaultd")
    site.controller.vault_key(bits=2048)
    site.controller.play("deploy", "--limit", "gatekey")
    container = site.container()
    container.create_container()
    container.upload_blob("first", CONTENT)
    assert container.download_blob("first").readall() == CONTENT
    assert site.controller.play("deploy") == {"vault": 0, "gateway": 0}
    secret = site.gateway.path("/etc/gatekey/secrets/service.key").stat()
    assert (secret.st_uid, secret.st_mode & 0o777) == (0, 0o600)
    return container


def what_stands(site):
    """What a play could change, and the services do not change by themselves."""
    found = {}
    for machine in (site.vault, site.gateway):
        for place in ("/etc", "/usr/bin", "/var/cache/gatekey", "/var/lib/dpkg/info"):
            for path in machine.path(place).rglob("*"):
                status = os.lstat(path)
                found[path] = (status.st_mode, status.st_uid, status.st_gid, status.st_size, status.st_mtime_ns)
        found[machine] = [machine.main_pid(unit) for unit in ("gatekey", "keyvaultd")]
    return found


def check_changes(site):
    """A reload where one will do; a restart where it takes one; neither for what is wrong."""
    configuration = [{"hosts": "gatekey", "gather_facts": False, "tasks": [
        {"ansible.builtin.include_role": {"name": "gatekey.gateway.gatekey", "tasks_from": "configuration"}}]}]
    play = site.controller.play
    running = site.gateway.main_pid("gatekey")
    reloads = site.metric('gatekey_config_reloads_total{result="ok"}')
    chatty = {**site.settings, "log_level": "debug", "policy": {"hsm_keys": "audit"}}
    stands = what_stands(site)
    assert play("deploy", "--check", gatekey_settings=chatty) == {"vault": 0, "gateway": 2}
    assert '+log_level = "debug";' in site.controller.said_last
    assert what_stands(site) == stands
    assert play("deploy", "--limit", "gatekey", gatekey_settings=chatty)["gateway"] == 2
    assert site.gateway.main_pid("gatekey") == running
    # systemd is done when it has sent the signal.
    while site.metric('gatekey_config_reloads_total{result="ok"}') == reloads:
        assert site.metric('gatekey_config_reloads_total{result="refused"}') == 0
    wrong = {**chatty, "provider": {**chatty["provider"], "check_interval_ms": 1}}
    said = play(configuration, gatekey_settings=wrong, fails=True)
    assert "check_interval_ms: give a whole number" in said, said[-2000:]
    assert site.gateway.main_pid("gatekey") == running
    vault = site.vault.main_pid("keyvaultd")
    said = play("deploy", "--limit", "keyvaultd", keyvaultd_settings={"token_lifetime_s": 0}, fails=True)
    assert "token_lifetime_s: is not a whole number" in said, said[-2000:]
    assert site.vault.main_pid("keyvaultd") == vault
    right = {**chatty, "provider": {**chatty["provider"], "check_interval_ms": 30000}}
    assert play(configuration, gatekey_settings=right)["gateway"] == 2
    assert site.gateway.main_pid("gatekey") not in (0, running)


def check_starts(site):
    """A start is over when the first connection is taken, and one that fails is told of."""
    configuration = site.vault.path("/etc/keyvaultd/keyvaultd.conf")
    good = configuration.read_text(encoding="utf-8")
    configuration.write_text("nonsense", encoding="utf-8")
    assert site.vault.ask("systemctl", "restart", "keyvaultd").returncode != 0
    configuration.write_text(good, encoding="utf-8")
    for machine, unit, ports in ((site.vault, "keyvaultd", [site.vault_port]),
                                 (site.gateway, "gatekey", [site.blob_port, site.management_port])):
        done = machine.ask("systemctl", "restart", unit)
        assert done.returncode == 0, done.stderr
        for port in ports:
            socket.create_connection(("127.0.0.1", port)).close()


def check_check_mode(site, first, second):
    """What runs deployed gateways says what it would do, and does not. The vault's key was rotated from first to second."""
    backup = site.controller.place / "foretold"
    others = [f"gatekey.gateway.{name}" for name in ("rotate", "revoke_drill", "backup", "removal")]
    stands = what_stands(site)
    foretold = site.controller.play("rolling_upgrade", *others, "--check", backup_dir=str(backup), removal_sure="yes",
                                    removal_destroy="destroy")
    said = "\n".join(site.controller.said_last)
    assert what_stands(site) == stands and not backup.exists()
    vault = site.controller.vault_key(state="enabled")
    assert (vault["kid"], vault["versions"]) == (second, []), "the drill has disabled the key"
    versions = [kid.rsplit("/", 1)[1] for kid in (first, second)]
    for text in (f"archive/payroll: {first} is ", "and no vault was asked",
                 "archive would be refused from disabling until enabling ", *versions):
        assert text in said, f"{text}: not said in {said}"
    # Settings and a restart; none; the key, and a probe before and after; a directory and a backup; and what removal does
    # on either: it ends the service, removes packages and destroys what they leave.
    assert foretold == {"vault": 3, "gateway": 2 + 0 + 3 + 2 + 3}, foretold


def check_keys(site, container):
    """A version that is stayed on, the newest one again, and what clients see of a drill: nothing, afterwards."""
    play = site.controller.play
    first = site.controller.vault_key()["kid"]
    accounts = site.controller.variables["accounts_present"]
    version = first.rsplit("/", 1)[1]
    pinned = [{**accounts[0], "key_version": version, "blob_service": {"versioning": True, "cors_rules": [
        {"allowed_origins": ["https://films.example"], "allowed_methods": ["GET"]}]}}]
    accounts_play = [{"hosts": "gatekey", "gather_facts": False, "roles": ["gatekey.gateway.accounts"]}]
    for options in (["--check"], []):
        assert play(accounts_play, *options, accounts_present=pinned)["gateway"] == 2
        for line in ('-  "key_version": "",', f'+  "key_version": "{version}",', '-  "versioning": false', '+  "versioning": true'):
            assert line in site.controller.said_last, line
    assert play(accounts_play, accounts_present=pinned)["gateway"] == 0
    second = site.controller.vault_key(rotate=True)["kid"]
    assert second != first
    check_check_mode(site, first, second)
    play("rotate")
    assert f"archive: {first} -> {first}" in site.controller.said
    assert f"archive/payroll: {first} -> {second}" in site.controller.said
    assert play(accounts_play, accounts_present=[{**accounts[0], "key_version": ""}])["gateway"] == 1
    assert second in site.ctl("account", "show", "archive", "--json")
    play("revoke_drill")
    assert "403 KeyVaultEncryptionKeyNotFound" in site.controller.said
    assert container.download_blob("first").readall() == CONTENT


def check_backup(site):
    place = site.controller.place
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=keeper",
        "-keyout", place / "keeper.key", "-out", place / "keeper.crt")
    site.controller.play("backup", backup_dir=str(place / "backup"), backup_recipient=str(place / "keeper.crt"))
    saved = place / "backup/archive.json"
    assert saved.stat().st_mode & 0o777 == 0o600 and '"archive"' in saved.read_text(encoding="utf-8")
    opened = run("openssl", "cms", "-decrypt", "-inform", "PEM", "-in", place / "backup/service.key.cms", "-inkey",
                 place / "keeper.key")
    assert opened.strip() == site.gateway.path("/etc/gatekey/secrets/service.key").read_text(encoding="ascii").strip()


def check_silence(site):
    """No secret is in anything that was printed."""
    secrets = [*site.controller.secrets.values()]
    for path in ("/etc/gatekey/secrets/service.key", "/etc/gatekey/listeners/management.token"):
        secrets.append(site.gateway.path(path).read_text(encoding="ascii").split()[-1])
    secrets.append(site.ctl("account", "keys", "archive", "--connection-string", "--blob-endpoint", "https://h").split(
        "AccountKey=")[1].split(";")[0].strip())
    for secret in secrets:
        assert secret not in site.controller.said
        assert base64.b64encode(secret.encode()).decode()[:20] not in site.controller.said
    assert "PRIVATE KEY" not in site.controller.said


def check_removal(site):
    """Nothing without a yes; data and keys only when told so; and the vault stays where gateways alone are meant."""
    def play(**options):  # one host after the other: these two share what apt has fetched, and its lock
        return site.controller.play("removal", "--forks", "1", **options)

    play(fails=True, removal_sure="no")
    assert site.gateway.main_pid("gatekey") != 0
    assert play(removal_sure="yes", removal_groups="gatekey") == {"gateway": 2}
    assert not site.gateway.path("/usr/bin/gatekey-gateway").exists()
    assert site.gateway.path("/etc/gatekey/secrets/service.key").exists()
    assert any(site.gateway.path("/var/lib/gatekey").iterdir())
    assert site.vault.main_pid("keyvaultd") != 0
    play(removal_sure="yes", removal_destroy="destroy")
    for machine, name in ((site.gateway, "gatekey"), (site.vault, "keyvaultd")):
        for place in (f"/etc/{name}", f"/var/lib/{name}", f"/var/lib/private/{name}", "/var/cache/gatekey"):
            assert not os.path.lexists(machine.path(place)), place
    assert site.vault.main_pid("keyvaultd") == 0 and not site.vault.path("/usr/bin/keyvaultd").exists()
    again = play(removal_sure="yes", removal_destroy="destroy")
    assert again == {"vault": 0, "gateway": 0}, again


def main(build):
    check_possible()
    try:
        import azure.storage.blob  # pylint: disable=import-outside-toplevel,unused-import
    except ImportError:
        skip("python3-azure-storage is not installed")
    place = pathlib.Path(build, "ansible").resolve()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekey-ansible-")))
        machines = [Machine(place, name) for name in ("vault", "gateway")]
        for machine in machines:
            stack.callback(machine.stop)
        site = Site(directory, build, [machine.wait() for machine in machines])
        check_fresh(site)
        try:
            container = check_deployment(site)
            check_changes(site)
            check_starts(site)
            check_keys(site, container)
        except BaseException:
            print(site.gateway.ask("journalctl", "-u", "gatekey", "-n", "30", "--no-pager").stdout)
            raise
        check_backup(site)
        check_silence(site)
        check_removal(site)


if __name__ == "__main__":
    main(sys.argv[1])
