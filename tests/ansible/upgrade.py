#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The rolling upgrade: two gateways on the fixture's Ceph cluster, each on a fresh Debian machine, deployed with
pools, a user and a service key that the collection makes, and upgraded to new packages behind a load balancer while
clients write and read without a retry. No request fails, and both gateways are new. Needs root and some five minutes.

  upgrade.py BUILD
"""
import contextlib
import os
import pathlib
import re
import sys
import tempfile
import threading

from balancer import Balancer, tasks
from collection import run, skip
from controller import Controller
from machines import Machine, check_possible, free_port

GATEWAYS = ("one", "two")
PACKAGES = ("gatekey", "gatekey-plugin", "gatekeyctl")
CLIENTS = 2
NEXT = "0.1.0+next"


class Load:
    """Clients that write a blob and read it back, each time on a connection of its own, until they are told to end."""

    def __init__(self, make_client):
        self.ended = threading.Event()
        self.requests, self.errors = [0] * CLIENTS, []
        self.threads = [threading.Thread(target=self.run, args=(number, make_client())) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number, container):
        own = {"headers": {"Connection": "close"}}
        while not self.ended.is_set():
            content = os.urandom(4096 + 70000 * (self.requests[number] % 2))
            try:
                container.upload_blob(f"load-{number}", content, overwrite=True, **own)
                if container.download_blob(f"load-{number}", **own).readall() != content:
                    self.errors.append("another content")
            except Exception as error:  # pylint: disable=broad-except
                self.errors.append(repr(error))
            self.requests[number] += 2

    def end(self):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def new_packages(packages, place):
    """The same programs, as the next version."""
    place.mkdir()
    for name in PACKAGES:
        tree = place / name
        run("dpkg-deb", "-R", next(packages.glob(f"{name}_*.deb")), tree)
        control = tree / "DEBIAN/control"
        text = re.sub(r"^Version: .*$", f"Version: {NEXT}", control.read_text(encoding="utf-8"), flags=re.M)
        text = re.sub(r"gatekey-plugin \(= .*?\)", f"gatekey-plugin (= {NEXT})", text)
        control.write_text(text, encoding="utf-8")
        run("dpkg-deb", "-b", tree, place / f"{name}_{NEXT}_all.deb")
    return place


def set_up(controller, machines, ceph):
    """Returns the gateways' Blob ports."""
    vault_port = free_port()
    ports = {name: free_port() for name in GATEWAYS}
    gateways = {name: machines[name].inventory(gatekey_blob_tls_listen=f"127.0.0.1:{ports[name]}",
                                               gatekey_management_listen=f"127.0.0.1:{free_port()}")
                for name in GATEWAYS}
    controller.set_hosts(
        {"keyvaultd": {"vault": machines["vault"].inventory()}, "gatekey": gateways},
        {**controller.vault_variables(vault_port), **controller.gateway_variables(vault_port), "gatekey_store": "rados",
         "gatekey_ceph_admin_host": "localhost", "gatekey_ceph_admin_command": ["ceph", "-c", f"{ceph}/ceph.conf"],
         "gatekey_ceph_user": "client.ansible", "gatekey_ceph_meta_pool": "ansible.meta",
         "gatekey_ceph_data_pool": "ansible.data", "gatekey_ceph_data_profile": "gatekey"})
    return ports


def check_deployment(controller, machines):
    controller.play("deploy", "--limit", "keyvaultd")
    controller.vault_key(bits=2048)
    controller.play("deploy", "--limit", "gatekey")
    assert controller.play("deploy", "--limit", "gatekey") == {"one": 0, "two": 0}
    keys = {machines[name].path("/etc/gatekey/secrets/service.key").read_text(encoding="ascii") for name in GATEWAYS}
    assert len(keys) == 1, "the gateways have two service keys"
    assert keys.pop().split()[-1] not in controller.said
    keyring = machines["one"].path("/etc/gatekey/secrets/ceph.keyring").read_text(encoding="ascii")
    assert keyring.split("key = ")[1].split()[0] not in controller.said


def connection_string(controller, machine, port):
    management = controller.hosts["gatekey"][machine.name]["gatekey_management_listen"]
    done = machine.ask("env", "GATEKEY_TOKEN_FILE=/etc/gatekey/listeners/management.token",
                       "GATEKEY_CA_FILE=/etc/gatekey/listeners/management.crt",
                       f"GATEKEY_ENDPOINT=https://{management}", "gatekeyctl", "account", "keys", "archive",
                       "--connection-string", "--blob-endpoint", f"https://127.0.0.1:{port}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def check_upgrade(controller, machines, balancer, make_client):
    before = {name: machines[name].main_pid("gatekey") for name in GATEWAYS}
    packages = new_packages(controller.packages, controller.place / "next")
    hooks = tasks(controller.place)
    load = Load(make_client)
    try:
        controller.play("rolling_upgrade", gatekey_packages_dir=str(packages), gateways_before=str(hooks[0]),
                        gateways_after=str(hooks[1]))
    finally:
        load.end()
    assert not load.errors, load.errors[:5]
    assert all(load.requests) and all(balancer.given.values()), (load.requests, balancer.given)
    for name in GATEWAYS:
        versions = machines[name].ask("dpkg-query", "-W", "-f", "${Version} ", *PACKAGES).stdout.split()
        assert versions == [NEXT] * len(PACKAGES), versions
        assert machines[name].main_pid("gatekey") not in (0, before[name]), name
    print(f"{sum(load.requests)} requests, {balancer.given}, none failed")


def check_stop(controller, machines):
    """What is wrong ends at the first gateway, and leaves it as it was."""
    before = {name: machines[name].main_pid("gatekey") for name in GATEWAYS}
    said = controller.play("rolling_upgrade", fails=True, gatekey_settings={"provider": {"check_interval_ms": 1}})
    recap = said.split("PLAY RECAP")[1]
    assert "one " in recap and "two " not in recap, recap
    assert before == {name: machines[name].main_pid("gatekey") for name in GATEWAYS}


def main(build, ceph):
    check_possible()
    try:
        from azure.storage.blob import ContainerClient  # pylint: disable=import-outside-toplevel
    except ImportError:
        skip("python3-azure-storage is not installed")
    with contextlib.ExitStack() as stack:
        place = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gatekey-ansible-")))
        controller = Controller(place, build)
        machines = {}
        for name in ("vault", *GATEWAYS):
            machines[name] = Machine(pathlib.Path(build, "ansible").resolve(), name)
            stack.callback(machines[name].stop)
        for machine in machines.values():
            machine.wait()
        ports = set_up(controller, machines, ceph)
        check_deployment(controller, machines)
        balancer = Balancer(place, ports)
        stack.callback(balancer.close)
        connection = connection_string(controller, machines["one"], balancer.port)

        def make_client():
            return ContainerClient.from_connection_string(connection, "films", retry_total=0,
                                                          connection_verify=str(place / "ca/ca.crt"))

        make_client().create_container()
        check_upgrade(controller, machines, balancer, make_client)
        check_stop(controller, machines)


if __name__ == "__main__":
    main(sys.argv[1], os.environ["GATEKEY_TEST_CEPH"])
