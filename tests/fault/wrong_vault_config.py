#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Goal and method are wrong_config.py's, of keyvaultd's configuration. Takes some seconds."""
import pathlib
import socket
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))
from gateway_process import BUILD, make_certificate, write_secret  # noqa: E402
from refusals import Failed, Refusals, certify, make_files  # noqa: E402

GOOD = """\
listen = {
  address = "127.0.0.1";
  port = 0;
  certificate_file = "@/tls.crt";
  key_file = "@/tls.key";
};
imds = { address = "::1";
  port = 0; arc_challenge_directory = "@/readonly"; };
state_dir = "@/state";
kind = "vault";
host = "localhost";
tenant_id = "t";
tenants = [ "u" ];
resource = "https://vault.azure.net";
token_lifetime_s = 3600;
purge_protection = true;
recoverable_days = 90;
identities = (
  { name = "gateway"; client_id = "1";
    client_secret_file = "@/secret";
    resource_id = "/r";
    permissions = [ "get", "wrapKey", "unwrapKey" ]; },
  { name = "admin"; client_id = "2";
    client_certificate_file = "@/rsa.crt";
    administer = true; }
);
control = { enabled = true;
  token_file = "@/token"; };
"""

# As Refusals.check_cases has them.
CASES = [
    # the file itself
    ("kind = ", "kind ", "kind ", ["syntax error", "correct the line"]),
    ('"vault";', '"vault', "tenant_id", ["syntax error", "or the end of the one before"]),
    ("kind = ", 'kind = "safe";\nkind = ', 'kind = "vault"', ["duplicate"]),
    # names
    ("state_dir", "stat_dir", "stat_dir", ["perhaps state_dir is meant"]),
    ("key_file", "kee_file", "kee_file", ["perhaps key_file is meant"]),
    ("resource_id", "resource_ids", "resource_ids", ["perhaps resource_id is meant"]),
    ("token_lifetime_s", "colour", "colour", ["there is no such setting", "remove it"]),
    # what is missing
    ('state_dir = "@/state";\n', "", "", ["state_dir: is missing", "add it"]),
    ('tenant_id = "t";\n', "", "", ["tenant_id: is missing", "add it"]),
    ('  key_file = "@/tls.key";\n', "", "listen = {", ["key_file: is missing", "add it"]),
    ('client_id = "2";', "", 'name = "admin"', ["client_id: is missing", "add it"]),
    ('  token_file = "@/token"; };', "  };", "control = {", ["token_file: is missing", "add it"]),
    ('kind = "vault"', 'kind = "managed-hsm"', "", ["hsm: is missing", "add it"]),
    # kinds and ranges of values
    ('"localhost"', "localhost", "host", ["syntax error"]),
    ('"localhost"', "5", "host", ["not a text", "double quotes"]),
    ('"localhost"', '"local host"', "host", ["without blanks", "correct it"]),
    ('"localhost"', '""', "host", ["is empty", "remove the line"]),
    ("3600", "0", "token_lifetime_s", ["whole number from 1 to 86400", "give one"]),
    ("3600", '"3600"', "token_lifetime_s", ["whole number", "without quotes"]),
    ("recoverable_days = 90", "recoverable_days = 3", "recoverable_days", ["too short", "give 7 to 90"]),
    ("recoverable_days = 90", "recoverable_days = 0", "recoverable_days",
     ["needs soft delete", "purge_protection = false"]),
    ("purge_protection = true", "purge_protection = 1", "purge_protection", ["neither true nor false"]),
    ('"vault";', '"safe";', "kind", ["not known", 'write "vault" or "managed-hsm"']),
    ('"localhost";', '"localhost";\nhsm = { };', "hsm", ["for kind", "remove it"]),
    ('imds = { address = "::1";\n  port = 0; arc_challenge_directory = "@/readonly"; };', "imds = 80;", "imds",
     ["not a group", "write imds = { ... };"]),
    ('[ "u" ]', '"u"', "tenants", ["not a list", "in brackets"]),
    ('[ "u" ]', "[ 5 ]", "tenants", ["member 1 is no tenant's id"]),
    ('[ "get", "wrapKey", "unwrapKey" ]', '"get"', "permissions", ["not a list", "in brackets"]),
    ('"wrapKey", ', '"fly", ', "permissions", ["member 2 is no permission", "give names"]),
    # addresses
    ('address = "127.0.0.1"', 'address = "localhost"', "address", ["not a numeric address", "127.0.0.1 or ::1"]),
    ("  port = 0;\n", "  port = 65536;\n", "65536", ["whole number from 0 to 65535"]),
    ('"localhost";', '"localhost"; authority = "http://a"; token_secret_file = "@/token";', "authority",
     ["no https://host:port", "correct it"]),
    ('"localhost";', '"localhost"; authority = "https://a";', "authority", ["token_secret_file is missing", "add it"]),
    # identities
    ('"admin"; client_id = "2"', '"gateway"; client_id = "2"', 'client_id = "2"', ["of another", "choose one"]),
    ('"admin"; client_id = "2"', '"admin"; client_id = "1"', 'name = "admin"', ["of another", "choose one"]),
    ('resource_id = "/r";', 'resource_id = "/r"; system_assigned = true;', 'name = "gateway"',
     ["excludes resource_id", "remove one"]),
    ("administer = true;", 'administer = true; tenant_id = "v";', 'name = "admin"', ["not among tenants", "add it there"]),
    ("administer = true;", 'administer = true; installed_in = [ "v" ];', 'name = "admin"',
     ["v is not among tenants", "add it there"]),
    ('resource_id = "/r";', 'resource_id = "/r"; installed_in = [ "u" ];', 'name = "gateway"',
     ["not managed identities", "remove it"]),
    ("administer = true;", 'administer = true; federated = { identity = "admin"; };', 'name = "admin"',
     ["no user-assigned managed identity", "name one with a resource_id"]),
    ("administer = true;", "administer = true;\n  federated = { };", "federated", ["issuer: is missing", "add it"]),
    # paths
    ('"@/state"', '"state"', "state_dir", ["relative path", "from the root"]),
    ('"@/state"', '"@/tls.crt"', "state_dir", ["not a directory", "name one"]),
    ('"@/readonly"', '"@/none"', "arc_challenge_directory", ["is no directory", "make it"]),
    ('kind = "vault"', 'hsm = { token_label = "l"; pin_file = "@/secret"; module = "@/none.so"; };\n'
     'kind = "managed-hsm"', "hsm", ["cannot be read", "install the token's library"]),
    # secrets
    ('"@/secret"', '"@/none"', "client_secret_file", ["cannot be read", "chmod 0600"]),
    ('"@/secret"', '"@/open"', "client_secret_file", ["open to others", "chmod 0600"]),
    ('"@/secret"', '"@/two-lines"', "client_secret_file", ["one line of 16 to 4000", "write a random token"]),
    ('"@/token"', '"@/empty"', "token_file", ["one line of 16 to 4000", "write a random token"]),
    ('kind = "vault"', 'hsm = { token_label = "l"; pin_file = "@/empty"; module = "@/tls.crt"; };\n'
     'kind = "managed-hsm"', "hsm", ["pin_file", "one line of 16 to 4000"]),
    # certificates and key sets
    ('key_file = "@/tls.key"', 'key_file = "@/other.key"', "other.key", ["is not that of the certificate"]),
    ('key_file = "@/tls.key"', 'key_file = "@/locked.key"', "locked.key", ["without a password", "name a PEM file"]),
    ('  certificate_file = "@/tls.crt"', '  certificate_file = "@/ended.crt"', "ended.crt",
     ["ended at 2020-", "renew it"]),
    ('client_certificate_file = "@/rsa.crt"', 'client_certificate_file = "@/secret"', "client_certificate_file",
     ["no PEM block", "name a PEM file"]),
    ('"@/rsa.crt"', '"@/ca.crt"', "client_certificate_file", ["no certificate of an RSA key", "name one"]),
    ("administer = true;", 'administer = true;\n  federated = { issuer = "i"; subject = "s"; jwks_file = "@/none"; };',
     "federated", ["jwks_file", "none"]),
]


def fill(text, directory):
    return text.replace("@/", f"{directory}/")


REFUSALS = Refusals(BUILD / "keyvaultd/keyvaultd", GOOD, fill)


def check_starts(directory):
    """What only a start can find."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        changed = GOOD.replace("  port = 0;\n", f"  port = {server.getsockname()[1]};\n", 1)
        # The state is made before it listens.
        REFUSALS.expect("a port that is taken", written(directory, changed), 1,
                        ["listen: ", "another process listens there", "end it"])
    (directory / "state/vault.json").write_text("{}")
    REFUSALS.expect("another file", written(directory, GOOD), 9, ["state_dir: ", "not a state file of this version"])


def written(directory, text):
    config = directory / "start.conf"
    config.write_text(fill(text, directory))
    return config


def main():
    with tempfile.TemporaryDirectory(prefix="gatekey-wrong-vault.") as temporary:
        directory = pathlib.Path(temporary)
        make_certificate(directory)
        write_secret(directory / "token", "t" * 32 + "\n")
        make_files(directory)
        certify(directory, "rsa", "rsa.key", "-days", "2")
        REFUSALS.check_good(directory, GOOD, GOOD.replace("\n", "\r\n"))
        REFUSALS.check_cases(directory, CASES)
        check_starts(directory)
        print(f"{len(CASES) + 2} mistakes are refused")


if __name__ == "__main__":
    try:
        main()
    except Failed as failed:
        raise SystemExit(f"wrong_vault_config: {failed}") from None
