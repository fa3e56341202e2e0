# SPDX-License-Identifier: Apache-2.0
"""A gateway's store on RADOS: objects with bytes, attributes and a map, through librados itself. Debian's
python3-rados takes the keys of maps for text, which they are not.

A place is "rados:CONF:NAMESPACE", where CONF is the ceph.conf of a cluster that names an administrator's
keyring; the pools are those that scripts/ceph makes.
"""
import ctypes
import os
import re

META, DATA = 0, 1
POOLS = {META: b"gatekey.meta", DATA: b"gatekey.data"}
SCHEME = "rados:"
KEYS_AT_ONCE = 4096
OP_TIMEOUT_S = b"120"  # of a cluster that recovers on a busy machine
ENOENT = 2


def is_place(place):
    return str(place).startswith(SCHEME)


def stored_key(key):
    """docs/format.md: without NUL, in the same order."""
    return key.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1")


def loaded_key(stored):
    return re.sub(rb"\x01(.)", lambda pair: bytes([pair[1][0] - 1]), stored, flags=re.DOTALL)


class RadosStore:
    """As read_store.Store, and writes too. Any gateway may be running."""

    def __init__(self, place, user="client.admin"):
        _, conf, namespace = str(place).split(":")
        self.librados = ctypes.CDLL("librados.so.2")
        self.librados.rados_create_read_op.restype = ctypes.c_void_p
        self.cluster = ctypes.c_void_p()
        self.call("create2", ctypes.byref(self.cluster), b"ceph", user.encode(), ctypes.c_uint64(0))
        self.call("conf_read_file", self.cluster, conf.encode())
        for option in (b"rados_osd_op_timeout", b"rados_mon_op_timeout", b"client_mount_timeout"):
            self.call("conf_set", self.cluster, option, OP_TIMEOUT_S)
        self.call("connect", self.cluster)
        self.pools = {pool: self.open_pool(name) for pool, name in POOLS.items()}
        for pool in self.pools.values():
            self.librados.rados_ioctx_set_namespace(pool, namespace.encode())

    def call(self, name, *arguments):
        result = getattr(self.librados, f"rados_{name}")(*arguments)
        if result == -ENOENT:
            raise ValueError(f"there is no object {arguments[1]}")  # what read_store.need raises
        if result < 0:
            raise OSError(-result, f"{os.strerror(-result)}: {name}")
        return result

    def open_pool(self, name):
        pool = ctypes.c_void_p()
        self.call("ioctx_create", self.cluster, name, ctypes.byref(pool))
        return pool

    def monitor(self, command):
        """One command, as JSON."""
        unused = [ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_void_p(), ctypes.c_size_t()]
        self.call("mon_command", self.cluster, (ctypes.c_char_p * 1)(command.encode()),
                  ctypes.c_size_t(1), b"", ctypes.c_size_t(0), *map(ctypes.byref, unused))
        for answer in unused[::2]:
            self.librados.rados_buffer_free(answer)

    def close(self):
        for pool in self.pools.values():
            self.librados.rados_ioctx_destroy(pool)
        self.librados.rados_shutdown(self.cluster)

    # --- reading -----------------------------------------------------------------------------------

    def names(self, pool, prefix):
        found, cursor, entry = [], ctypes.c_void_p(), ctypes.c_char_p()
        self.call("nobjects_list_open", self.pools[pool], ctypes.byref(cursor))
        while self.librados.rados_nobjects_list_next(cursor, ctypes.byref(entry), None, None) == 0:
            found.append(entry.value.decode())
        self.librados.rados_nobjects_list_close(cursor)
        return sorted(name for name in found if name.startswith(prefix))

    def attributes(self, name, pool=META):
        found, cursor = {}, ctypes.c_void_p()
        key, value, length = ctypes.c_char_p(), ctypes.c_void_p(), ctypes.c_size_t()
        self.call("getxattrs", self.pools[pool], name.encode(), ctypes.byref(cursor))
        while True:
            self.call("getxattrs_next", cursor, ctypes.byref(key), ctypes.byref(value),
                       ctypes.byref(length))
            if key.value is None:
                break
            found[key.value.decode()] = ctypes.string_at(value, length.value)
        self.librados.rados_getxattrs_end(cursor)
        return found

    def map(self, name, prefix):
        found, after, more = {}, b"", True
        while more:
            page, more = self._map_page(name, after, stored_key(prefix))
            found.update((loaded_key(key), value) for key, value in page)
            after = page[-1][0] if page else b""
        return found

    def _map_page(self, name, after, prefix):
        operation = ctypes.c_void_p(self.librados.rados_create_read_op())
        cursor, more, result = ctypes.c_void_p(), ctypes.c_ubyte(), ctypes.c_int()
        self.librados.rados_read_op_omap_get_vals2(
            operation, after, prefix, ctypes.c_uint64(KEYS_AT_ONCE), ctypes.byref(cursor),
            ctypes.byref(more), ctypes.byref(result))
        try:
            self.call("read_op_operate", operation, self.pools[META], name.encode(), 0)
            return list(self._entries(cursor)), bool(more.value)
        finally:
            self.librados.rados_release_read_op(operation)

    def _entries(self, cursor):
        key, value = ctypes.c_void_p(), ctypes.c_void_p()
        key_bytes, value_bytes = ctypes.c_size_t(), ctypes.c_size_t()
        while True:
            self.call("omap_get_next2", cursor, ctypes.byref(key), ctypes.byref(value),
                       ctypes.byref(key_bytes), ctypes.byref(value_bytes))
            if not key.value:
                break
            yield (ctypes.string_at(key, key_bytes.value), ctypes.string_at(value, value_bytes.value))
        self.librados.rados_omap_get_end(cursor)

    def map_value(self, name, key):
        found = self.map(name, key)
        if key not in found:
            raise ValueError(f"{name} has no {key!r}")
        return found[key]

    def read(self, name, pool=DATA):
        """All bytes of an object."""
        size, modified = ctypes.c_uint64(), ctypes.c_long()
        self.call("stat", self.pools[pool], name.encode(), ctypes.byref(size), ctypes.byref(modified))
        content = ctypes.create_string_buffer(size.value)
        taken = self.call("read", self.pools[pool], name.encode(), content, size, ctypes.c_uint64(0))
        return content.raw[:taken]

    # --- writing, behind the gateway's back ----------------------------------------------------------

    def write(self, name, content):
        """A data object's content: all of it."""
        self.call("write_full", self.pools[DATA], name.encode(), content, ctypes.c_size_t(len(content)))

    def set_attribute(self, name, attribute, value):
        self.call("setxattr", self.pools[META], name.encode(), attribute.encode(), value,
                   ctypes.c_size_t(len(value)))
