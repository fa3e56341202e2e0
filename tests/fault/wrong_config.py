#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: each mistake that an operator can make in a configuration is refused with file, line, reason and remedy, and
leaves nothing half begun. Method: a good configuration, in which each case changes one thing, is first checked
(--check-config) and then really started; both must end with 1 and say the same, at the line that the case names, and
neither may have made a file. What only a start can find (an address, a store) is started alone. With
--rados it is the store's mistakes that are made, on the cluster in GATEKEY_TEST_CEPH. Takes some
seconds.
"""
import os
import pathlib
import socket
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from gateway_process import BUILD, Gateway, write_secret  # noqa: E402
from refusals import Failed, Refusals, make_files  # noqa: E402

GUID = "11111111-2222-3333-4444-555555555555"

GOOD = """\
state_dir = "@/state";
plugin = "@gatekey.so";
log_level = "warning";
audit_file = "@/audit.log";
blob: {
  listen = "127.0.0.1:0";
  tls_listen = "127.0.0.1:0";
  tls_certificate = "@/tls.crt";
  tls_key = "@/tls.key";
  domain = "blob.example";
  connections_max = 16;
};
management: {
  listen = "127.0.0.1:0";
  tls_certificate = "@/tls.crt";
  tls_key = "@/tls.key";
  token_file = "@/token";
};
provider: {
  service_key_file = "@/service.key";
  check_interval_ms = 1000;
  identities = ( { kind = "client-secret";
    client_id = "c";
    tenant_id = "t";
    client_secret_file = "@/secret"; } );
  vaults = ( { uri = "https://vault.example"; } );
};
"""

# As Refusals.check_cases has them.
TEXT_CASES = [
    # the file itself
    ("log_level = ", "log_level ", "log_level ", ["syntax error", "correct the line"]),
    ('"warning";', '"warning', "audit_file", ["syntax error", "or the end of the one before"]),
    ("state_dir", "\ufeffstate_dir", "", ["byte order mark", "without one"]),
    ("log_level", '@include "@/none.conf"\nlog_level', "@include", ["include", "correct the line"]),
    ("log_level", 'log_level = "info";\nlog_level', 'log_level = "warning"', ["duplicate"]),
    ("provider: {", "blob: { };\nprovider: {", "blob: { };", ["duplicate"]),
    ("vaults = ", "identities = ", "identities = ( { uri", ["duplicate"]),
    # names
    ("log_level", "log_levle", "log_levle", ["perhaps log_level is meant"]),
    ("  listen = \"127.0.0.1:0\";\n  tls_listen", '  lisen = "127.0.0.1:0";\n  tls_listen', "lisen",
     ["perhaps listen is meant"]),
    ("management: {", "managment: {", "managment", ["perhaps management is meant"]),
    ("token_file", "token_flie", "token_flie", ["perhaps token_file is meant"]),
    ("check_interval_ms", "check_intervall_ms", "check_intervall_ms", ["perhaps check_interval_ms is meant"]),
    ("tenant_id", "tennant_id", "tennant_id", ["perhaps tenant_id is meant"]),
    ("domain = ", "colour = ", "colour", ["there is no such setting", "known here are"]),
    # what is missing
    ('state_dir = "@/state";\n', "", "", ["state_dir: is missing", "add it"]),
    ('plugin = "@gatekey.so";\n', "", "", ["plugin: is missing", "add it"]),
    ('  token_file = "@/token";\n', "", "management: {", ["token_file: is missing", "add it"]),
    ('  tls_key = "@/tls.key";\n  domain', "  domain", "tls_listen", ["needs tls_certificate and tls_key", "add both"]),
    ('  service_key_file = "@/service.key";\n', "", "provider: {", ["gatekeyctl service-key create"]),
    ('    client_id = "c";\n', "", "identities", ["client_id: is missing", "kind client-secret needs it"]),
    ('  listen = "127.0.0.1:0";\n  tls_listen = "127.0.0.1:0";\n  tls_certificate = "@/tls.crt";\n  tls_key = '
     '"@/tls.key";\n  domain', "  domain", "blob: {", ["nothing listens", "tls_listen or both"]),
    # kinds and ranges of values
    ("log_level = \"warning\"", "log_level = warning", "log_level", ["syntax error", "correct the line"]),
    ("log_level = \"warning\"", "log_level = 3", "log_level", ["not a text", "double quotes"]),
    ('"warning"', '"verbose"', "log_level", ["not a level", "error, warning, info or debug"]),
    ("connections_max = 16", 'connections_max = "16"', "connections_max", ["not a whole number", "without quotes"]),
    ("connections_max = 16", "connections_max = 0", "connections_max", ["out of range", "give 1 to 16384"]),
    ("check_interval_ms = 1000", "check_interval_ms = 999", "check_interval_ms", ["whole number from 1000"]),
    ("check_interval_ms = 1000", "check_interval_ms = 1.5", "check_interval_ms", ["give one of these"]),
    ("blob: {", 'blob = "127.0.0.1:0"; x: {', "blob = ", ["not a group", "write blob: { ... };"]),
    ('( { uri = "https://vault.example"; } )', '{ uri = "https://vault.example"; }', "vaults", ["not a list"]),
    # addresses and names
    ('listen = "127.0.0.1:0";\n  tls_listen', 'listen = "localhost:80";\n  tls_listen', "localhost",
     ["not a numeric address", "127.0.0.1:10000"]),
    ('listen = "127.0.0.1:0";\n  tls_listen', 'listen = "::1:80";\n  tls_listen', '"::1:80"', ["[::1]:10000"]),
    ('listen = "127.0.0.1:0";\n  tls_listen', 'listen = "127.0.0.1:65536";\n  tls_listen', "65536",
     ["not a numeric address"]),
    ('listen = "127.0.0.1:0";\n  tls_listen = "127.0.0.1:0"', 'listen = "127.0.0.1:9";\n  tls_listen = "127.0.0.1:9"',
     "tls_listen", ["port 9 is that of blob.listen", "choose another"]),
    ('listen = "127.0.0.1:0";\n  tls_listen = "127.0.0.1:0"', 'listen = "[::1]:9";\n  tls_listen = "[::]:9"',
     "tls_listen", ["port 9 is that of blob.listen", "choose another"]),
    ('  listen = "127.0.0.1:0";\n  tls_certificate', '  listen = "0.0.0.0:0";\n  tls_certificate', "0.0.0.0",
     ["from other machines", "loopback address"]),
    ("blob.example", "Blob.Example", "domain", ["not a host name in lower case"]),
    ("blob.example", "https://blob.example", "domain", ["not a host name"]),
    # paths
    ('"@/state"', '"state"', "state_dir", ["relative path", "from the root"]),
    ('"@/state"', '"@/tls.crt"', "state_dir", ["not a directory", "name one"]),
    ('"@gatekey.so"', '"@/none.so"', "plugin", ["there is no file", "make it or correct the path"]),
    ('"@gatekey.so"', '"@/tls.crt"', "plugin", ["cannot be loaded"]),
    ('"@gatekey.so"', '"@module_newer.so"', "plugin", ["ABI version 2", "same release"]),
    ('"@gatekey.so"', '"@libc"', "plugin", ["not a Gatekey module", "name gatekey.so"]),
    ('"@/audit.log"', '"@/none/audit.log"', "audit_file", ["does not exist", "make it"]),
    ('"@/audit.log"', '"@/readonly/audit.log"', "audit_file", ["may not make", "write permission"]),
    ('"@/audit.log"', '"@"', "audit_file", ["not a regular file", "name another"]),
    ('"@/token"', '"@"', "token_file", ["not a regular file", "name one"]),
    ('"@/token"', '"@/unreadable"', "token_file", ["cannot be read by this user", "read permission"]),
    # secrets
    ('"@/token"', '"@/open"', "token_file", ["open to others", "chmod 0600"]),
    ('"@/token"', '"@/empty"', "token_file", ["one line of 16 to 4000", "write a random token"]),
    ('"@/token"', '"@/two-lines"', "token_file", ["one line of 16 to 4000", "write a random token"]),
    ('"@/secret"', '"@/empty"', "client_secret_file", ["one line of 16", "write a random token"]),
    ('client_secret_file = "@/secret"', 'client_secret = "hunter2hunter2hunter2"', "client_secret",
     ["does not belong in this file", "client_secret_file"]),
    ('"@/service.key"', '"@/token"', "service_key_file", ["does not hold a service key", "put back the file"]),
    ('"@/service.key"', '"@/open"', "service_key_file", ["open to others", "chmod 0600"]),
    # certificates
    ('crt";\n  tls_key = "@/tls.key";\n  domain', 'crt";\n  tls_key = "@/other.key";\n  domain', "other.key",
     ["is not that of the certificate", "belong together"]),
    ('crt";\n  tls_key = "@/tls.key";\n  domain', 'crt";\n  tls_key = "@/rsa.key";\n  domain', "rsa.key",
     ["of RSA", "of EC", "belong together"]),
    ('"@/tls.key";\n  token', '"@/locked.key";\n  token', "locked.key", ["without a password", "name a PEM file"]),
    ('"@/tls.key";\n  token', '"@/token";\n  token', '"@/token";', ["holds no private key", "name a PEM file"]),
    ('"@/tls.crt";\n  tls_key = "@/tls.key";\n  token', '"@/tls.key";\n  tls_key = "@/tls.key";\n  token',
     'tls_certificate = "@/tls.key"', ["holds no certificate", "begins with the server's"]),
    ('"@/tls.crt";\n  tls_key = "@/tls.key";\n  token', '"@/ended.crt";\n  tls_key = "@/tls.key";\n  token', "ended.crt",
     ["ended at 2020-", "renew it"]),
    ('"@/tls.crt";\n  tls_key = "@/tls.key";\n  token', '"@/early.crt";\n  tls_key = "@/tls.key";\n  token', "early.crt",
     ["not valid before 2099-", "set the clock right"]),
    ('"@/token";\n};', '"@/token";\n  client_ca = "@/token";\n};', "client_ca", ["holds no", "name a PEM file"]),
    ('"@/token";\n};', '"@/token";\n  client_ca = "@/tls.key";\n};', "client_ca",
     ["holds no certificate", "the clients' authorities"]),
    ('"@/token";\n};', '"@/token";\n  client_ca = "@/ended.crt";\n};', "client_ca", ["ended at 2020-", "renew it"]),
    ('"@/token";\n};', '"@/token";\n  callers = ( { name = "a"; certificate = "dns:a"; } );\n};', "callers",
     ["nobody vouches for it", "add client_ca"]),
    ('"@/token";\n};', '"@/token";\n  client_ca = "@/ca.crt";\n  callers = ( { name = "a"; certificate = "a.example"; '
     '} );\n};', "callers", ["names none", "sha256:"]),
    ('"@/tls.crt";\n  tls_key = "@/tls.key";\n  domain', '"@/reversed.crt";\n  tls_key = "@/leaf.key";\n  domain',
     "reversed.crt", ["number 2 in it", "put it first"]),
    ('"@/tls.crt";\n  tls_key = "@/tls.key";\n  domain', '"@/strange.crt";\n  tls_key = "@/leaf.key";\n  domain',
     "strange.crt", ["did not issue certificate 1", "after each one its issuer's"]),
    ('"@/tls.crt";\n  tls_key = "@/tls.key";\n  domain', '"@/short.crt";\n  tls_key = "@/short.key";\n  domain',
     "short.crt", ["1024 bits", "2048 at least"]),
    # the store, bearer tokens, policy and copies
    ("plugin = ", 'store: { engine = "rados"; };\nplugin = ', "store: {", ["state_dir as well", "remove one"]),
    ('state_dir = "@/state";', 'store: { engine = "rados"; user = "gatekey"; };', "store", ["client.NAME"]),
    ('state_dir = "@/state";', 'store: { engine = "sqlite"; };', "store", ["is not known", 'write "rados"']),
    ("provider: {", 'bearer = { issuer = "i"; jwks_file = "@/token"; principals = ( ); };\nprovider: {', "bearer",
     ["jwks_file"]),
    ("provider: {", f'bearer = {{ issuer = "i"; jwks_file = "@/jwks"; principals = ( {{ object_id = "{GUID}"; role = '
     '"king"; } ); };\nprovider: {', "bearer", ["role: is missing or not known", "reader"]),
    ("provider: {", 'policy = { key_size = "deny"; };\nprovider: {', "policy", ["needs minimum_key_bits", "add it"]),
    ("connections_max = 16;", 'copy_sources = ( { host = "*.com"; } );', "copy_sources", ["too much", "*.files"]),
    # the provider
    ('kind = "client-secret"', 'kind = "password"', "kind", ["is one of client-secret"]),
    ("https://vault.example", "http://vault.example", "vaults", ["give https://host"]),
    ("https://vault.example", "https://vault.example/keys", "vaults", ["give https://host"]),
    ('client_id = "c"', 'client_id = "c"; authority = "http://login.example"', "client_id", ["give https://host"]),
    ("  vaults", '  ca_file = "@/none.pem";\n  vaults', "ca_file", ["there is no file"]),
    ('client_secret_file = "@/secret"; } );',
     'client_secret_file = "@/secret"; },\n    { kind = "managed"; } );', 'kind = "managed"',
     ["system-assigned identity at most"]),
]


# --- one case --------------------------------------------------------------------------------------


def fill(text, directory):
    libc = next(line.split()[-1] for line in pathlib.Path("/proc/self/maps").read_text().splitlines()
                if "/libc.so" in line or "/libc-" in line)
    for mark, path in (("@gatekey.so", BUILD / "plugin/gatekey.so"),
                       ("@module_newer.so", BUILD / "tests/module_newer.so"), ("@libc", libc)):
        text = text.replace(mark, str(path))
    return text.replace('@"', f'{directory}"').replace("@/", f"{directory}/")


REFUSALS = Refusals(BUILD / "gateway/gatekey-gateway", GOOD, fill)


def check_good(directory):
    """As it is, with Windows' line ends, and with a chain of two."""
    chain = GOOD.replace('"@/tls.crt";\n  tls_key = "@/tls.key";\n  domain',
                         '"@/chain.crt";\n  tls_key = "@/leaf.key";\n  domain')
    REFUSALS.check_good(directory, GOOD, GOOD.replace("\n", "\r\n"), chain)


# --- what only a start finds -----------------------------------------------------------------------


def check_address_cases(directory):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        for old in ('  listen = "127.0.0.1:0";\n  tls_listen', 'tls_listen = "127.0.0.1:0"',
                    '  listen = "127.0.0.1:0";\n  tls_certificate'):
            changed = GOOD.replace(old, old.replace("127.0.0.1:0", taken), 1)
            REFUSALS.expect_failed_start(directory, taken, changed, taken, ["another process listens there", "end it"])
    changed = GOOD.replace('tls_listen = "127.0.0.1:0"', 'tls_listen = "192.0.2.1:9"')
    REFUSALS.expect_failed_start(directory, "another machine's address", changed, "192.0.2.1",
                                 ["no interface of this machine", "choose one"])


def check_store_in_use(directory):
    other = Gateway(directory.parent / "other").start()
    try:
        changed = GOOD.replace("@/state", str(other.state))
        REFUSALS.expect_failed_start(directory, "a store in use", changed, "state_dir",
                                     ["in use by another process", "name another directory"])
    finally:
        other.stop()


def rados_store(cluster, **other):
    settings = {"conf": cluster / "ceph.conf", "user": "client.gatekey", "keyring": cluster / "gatekey.keyring",
                "meta_pool": "gatekey.meta", "data_pool": "gatekey.data"} | other
    return 'store: { engine = "rados"; op_timeout_s = 5; ' + " ".join(
        f'{name} = "{value}";' for name, value in settings.items()) + " };"


def check_rados_cases(directory, cluster):
    """How many there were."""
    write_secret(directory / "other.keyring", "[client.other]\n\tkey = AQBhR0RnAAAAABAAd6Zy4m0cXg5mLxJm0kOMGQ==\n")
    write_secret(directory / "wrong.keyring", "[client.gatekey]\n\tkey = AQBhR0RnAAAAABAAd6Zy4m0cXg5mLxJm0kOMGQ==\n")
    (directory / "empty.conf").write_text("")
    cases = [({"meta_pool": "none"}, ["has no pool none", "ceph osd pool create none"]),
             ({"data_pool": "none"}, ["has no pool none", "ceph osd pool create none"]),
             ({"meta_pool": "gatekey.data"}, ["the pool cannot do that", "must be a replicated one"]),
             ({"user": "client.nobody"}, ["client.nobody", "keyring"]),
             ({"keyring": directory / "other.keyring"}, ["client.gatekey", "keyring"]),
             ({"keyring": directory / "wrong.keyring"}, ["refuses client.gatekey", "ceph auth get"]),
             ({"conf": directory / "empty.conf"}, ["mon_host"])]
    for options, words in cases:
        changed = GOOD.replace('state_dir = "@/state";', rados_store(cluster, **options))
        REFUSALS.expect_failed_start(directory, options, changed, "store: {", words)
    return len(cases)


def main():
    with tempfile.TemporaryDirectory(prefix="gatekey-wrong-config.") as temporary:
        directory = pathlib.Path(temporary) / "files"
        Gateway(directory)  # certificate, token and service key
        make_files(directory)
        if "--rados" in sys.argv:
            count = check_rados_cases(directory, pathlib.Path(os.environ["GATEKEY_TEST_CEPH"]))
        else:
            check_good(directory)
            REFUSALS.check_cases(directory, TEXT_CASES)
            check_address_cases(directory)
            check_store_in_use(directory)
            count = len(TEXT_CASES) + 5
        print(f"{count} mistakes are refused")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        raise SystemExit(f"wrong_config: {failed}") from None
