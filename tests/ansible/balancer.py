# SPDX-License-Identifier: Apache-2.0
"""A load balancer as a site has one, in small: a TCP listener that gives each new connection to the next gateway
in rotation. A gateway is taken out by a file out/NAME, and has no connection left when there is idle/NAME: what
the rolling upgrade's tasks before and after each gateway's turn work with."""
import pathlib
import selectors
import socket
import threading

CHUNK_BYTES = 65536


class Balancer:
    """gateways: name to port on loopback. Serves until close()."""

    def __init__(self, place, gateways):
        self.gateways = gateways
        self.out, self.idle = place / "out", place / "idle"
        self.open = dict.fromkeys(gateways, 0)
        self.given = dict.fromkeys(gateways, 0)
        self.lock = threading.Lock()
        for directory in (self.out, self.idle):
            directory.mkdir()
        for name in gateways:
            (self.idle / name).touch()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def take(self):
        """A gateway in rotation, the one that had the fewest connections. It is not idle before it is known to be in:
        whoever takes it out and then sees it idle has not missed one."""
        with self.lock:
            for name in sorted(self.gateways, key=self.given.get):
                (self.idle / name).unlink(missing_ok=True)
                if not (self.out / name).exists():
                    self.open[name] += 1
                    self.given[name] += 1
                    return name
                self.mark(name)
        raise ConnectionError("no gateway is in rotation")

    def mark(self, name):
        if self.open[name] == 0:
            (self.idle / name).touch()

    def release(self, name):
        with self.lock:
            self.open[name] -= 1
            self.mark(name)

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        name = self.take()
        try:
            with client, socket.create_connection(("127.0.0.1", self.gateways[name])) as server:
                self.copy_both_ways(client, server)
        except OSError:
            pass  # either side is gone: the client sees that by itself
        finally:
            self.release(name)

    @staticmethod
    def copy_both_ways(client, server):
        """Until one of both has closed."""
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(CHUNK_BYTES)
                    if not data:
                        return
                    key.data.sendall(data)


def tasks(place):
    """(before, after): files with the tasks for this balancer."""
    where = "delegate_to: localhost\n  become: false\n"
    before, after = pathlib.Path(place, "before.yml"), pathlib.Path(place, "after.yml")
    before.write_text(f"""---
- name: Take it out of the load balancer
  ansible.builtin.copy:
    content: ""
    dest: {place}/out/{{{{ inventory_hostname }}}}
    mode: "0600"
  {where}
- name: Wait until it has no connection
  ansible.builtin.wait_for:
    path: {place}/idle/{{{{ inventory_hostname }}}}
  {where}""", encoding="utf-8")
    after.write_text(f"""---
- name: Put it back into the load balancer
  ansible.builtin.file:
    path: {place}/out/{{{{ inventory_hostname }}}}
    state: absent
  {where}""", encoding="utf-8")
    return before, after
