#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Least privilege: what the gateway's user on a Ceph cluster may not do (docs/ceph.md). That it may do what
it must, every other test on the cluster shows.
"""
import ctypes
import errno
import os
import pathlib
import secrets
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "vectors"))
from rados_store import DATA, META, RadosStore  # noqa: E402

OTHER_POOL = "gatekey.test.caps"
LOCK = b"test"


def refused(what, call):
    """Only "not permitted" is: a cluster that is away would refuse everything."""
    try:
        call()
    except OSError as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            return
        raise SystemExit(f"{what}: {error}") from error
    raise SystemExit(f"the gateway's user may {what}")


def lock(store, pool, name):
    store.call("lock_exclusive", store.pools[pool], name, LOCK, b"cookie", b"", None, ctypes.c_uint8(0))
    store.call("unlock", store.pools[pool], name, LOCK, b"cookie")


def check_pools(store):
    lock(store, META, b"lease/somebody")
    refused("lock an account", lambda: lock(store, META, b"account/somebody"))
    refused("call classes in the data pool", lambda: lock(store, DATA, b"lease/somebody"))
    other = store.open_pool(OTHER_POOL.encode())
    refused("read another pool",
            lambda: store.call("read", other, b"x", ctypes.create_string_buffer(1), ctypes.c_size_t(1),
                               ctypes.c_uint64(0)))
    refused("write to another pool",
            lambda: store.call("write_full", other, b"x", b"y", ctypes.c_size_t(1)))


def check_monitor(store):
    for command in ('"auth ls"', '"config-key dump"', '"osd pool create", "pool": "more"',
                    '"osd pool delete", "pool": "gatekey.data", "pool2": "gatekey.data", '
                    '"yes_i_really_really_mean_it": true',
                    '"osd blocklist", "blocklistop": "add", "addr": "192.0.2.1:0/1"'):
        refused(f"ask the monitor for {command}", lambda: store.monitor(f'{{"prefix": {command}}}'))


def main():
    conf = pathlib.Path(os.environ["GATEKEY_TEST_CEPH"]) / "ceph.conf"
    place = f"rados:{conf}:caps-{secrets.token_hex(8)}"
    administrator = RadosStore(place)
    administrator.monitor(f'{{"prefix": "osd pool create", "pool": "{OTHER_POOL}", "pg_num": 1}}')
    store = RadosStore(place, user="client.gatekey")
    check_pools(store)
    check_monitor(store)
    store.close()
    administrator.monitor(f'{{"prefix": "osd pool delete", "pool": "{OTHER_POOL}", "pool2": '
                          f'"{OTHER_POOL}", "yes_i_really_really_mean_it": true}}')
    administrator.close()


if __name__ == "__main__":
    main()
