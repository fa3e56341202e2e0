/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/commands.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define FIELD(member) offsetof(struct ctl_options, member)

static const struct ctl_option_rule rules[] = {
    {"--endpoint", OPTION_TEXT, FIELD(endpoint), "URL",
     "management endpoint, https://127.0.0.1:PORT  (or GATEKEY_ENDPOINT)"},
    {"--token-file", OPTION_TEXT, FIELD(token_file), "FILE",
     "file with the management token  (or GATEKEY_TOKEN_FILE)"},
    {"--ca-file", OPTION_TEXT, FIELD(ca_file), "FILE",
     "PEM file with the endpoint's authority  (or GATEKEY_CA_FILE)"},
    {"--client-cert", OPTION_TEXT, FIELD(client_cert), "FILE",
     "PEM file with a certificate to show instead of a token  (or GATEKEY_CLIENT_CERT)"},
    {"--client-key", OPTION_TEXT, FIELD(client_key), "FILE",
     "PEM file with its private key, without a password  (or GATEKEY_CLIENT_KEY)"},
    {"--timeout", OPTION_TEXT, FIELD(timeout_s), "SECONDS", "how long to wait (default 60)"},
    {"--json", OPTION_FLAG, FIELD(json), "", "print JSON, the gateway's own where it answers"},
    {"--subscription", OPTION_TEXT, FIELD(subscription), "ID",
     "where the account is filed (default 00000000-0000-0000-0000-000000000000)"},
    {"--resource-group", OPTION_TEXT, FIELD(resource_group), "NAME", "(default gatekey)"},
    {"--location", OPTION_TEXT, FIELD(location), "NAME", "(default local)"},
    {"--tag", OPTION_TAG, 0, "NAME=VALUE", "may be repeated"},
    {"--identity", OPTION_TEXT, FIELD(identity), "RESOURCE-ID",
     "user-assigned identity, /subscriptions/.../userAssignedIdentities/NAME"},
    {"--system-identity", OPTION_FLAG, FIELD(system_identity), "",
     "the system-assigned identity (of an account that exists)"},
    {"--federated-client-id", OPTION_TEXT, FIELD(federated_client_id), "ID",
     "application of a vault in another tenant"},
    {"--vault", OPTION_TEXT, FIELD(vault), "URI",
     "vault of the customer key, https://NAME.vault..."},
    {"--key", OPTION_TEXT, FIELD(key), "NAME", "the customer key's name"},
    {"--key-version", OPTION_TEXT, FIELD(key_version), "VERSION",
     "stay on this version (default: follow the current one)"},
    {"--automatic-version", OPTION_FLAG, FIELD(automatic_version), "",
     "follow the key's current version again"},
    {"--queue-key-type", OPTION_TEXT, FIELD(queue_key_type), "Account|Service",
     "whose root key queues are under, settled for good (default Service)"},
    {"--table-key-type", OPTION_TEXT, FIELD(table_key_type), "Account|Service",
     "whose root key tables are under, settled for good (default Service)"},
    {"--service-managed", OPTION_FLAG, FIELD(service_managed), "",
     "leave the customer key: the operator's service key wraps"},
    {"--enable", OPTION_FLAG, FIELD(enable), "", "let the scope be used again"},
    {"--disable", OPTION_FLAG, FIELD(disable), "", "refuse reads and writes in the scope"},
    {"--https-only", OPTION_FLAG, FIELD(https_only), "", "refuse requests over plain http"},
    {"--public-access", OPTION_FLAG, FIELD(public_access), "",
     "let containers be made readable without a credential"},
    {"--yes", OPTION_FLAG, FIELD(yes), "", "yes, destroy it"},
    {"--confirm", OPTION_TEXT, FIELD(confirm), "NAME",
     "its name once more; without it, it is asked for"},
    {"--regenerate", OPTION_TEXT, FIELD(regenerate), "key1|key2", "make this key anew first"},
    {"--connection-string", OPTION_FLAG, FIELD(connection_string), "",
     "print one connection string instead (needs --blob-endpoint)"},
    {"--blob-endpoint", OPTION_TEXT, FIELD(blob_endpoint), "URL",
     "the gateway's Blob endpoint, without the account"},
    {"--config", OPTION_TEXT, FIELD(config), "FILE",
     "the gateway's configuration, to be checked as well (on its machine)"},
    {"--no-fail", OPTION_FLAG, FIELD(no_fail), "", "exit 0 whatever the state"},
    {"--out", OPTION_TEXT, FIELD(out), "FILE", "file to make; one that exists is refused"},
    {"--in", OPTION_TEXT, FIELD(in), "FILE",
     "what account export has made, or - for standard input"},
    {"--replace-settings", OPTION_FLAG, FIELD(replace_settings), "",
     "take the backup's key, vault, version and identity over later ones"},
    {"--replace-keys", OPTION_FLAG, FIELD(replace_keys), "",
     "take the backup's access keys over those that are there"},
    {"--verify", OPTION_FLAG, FIELD(verify), "", "open every record and every chunk, too"},
    {"--remove", OPTION_FLAG, FIELD(remove), "",
     "remove what nothing refers to (default: report it)"},
    {"--older-than", OPTION_TEXT, FIELD(older_than), "DURATION",
     "leave what was changed later than that before the scrub (default 24h)"},
    {"--rate", OPTION_TEXT, FIELD(rate), "N",
     "at most N reads (scrub), blobs (reseal) or MiB (reencrypt) a second"},
    {"--pause", OPTION_FLAG, FIELD(pause), "", "pause the one that runs"},
    {"--resume", OPTION_FLAG, FIELD(resume), "",
     "go on with the one that was stopped, or broke off"},
    {"--status", OPTION_FLAG, FIELD(status), "", "show the last one, or the one that runs"},
    {"--stop", OPTION_FLAG, FIELD(stop), "", "stop the one that runs"},
    {"--remove-damaged", OPTION_TEXT, FIELD(remove_damaged), "ACCOUNT/CONTAINER/BLOB",
     "remove this blob's record, which cannot be opened (needs --yes)"},
    {"--head", OPTION_TEXT, FIELD(head), "NUMBER:HASH",
     "what was printed of an event before, and must be as it was"},
    {"--help", OPTION_FLAG, FIELD(help), "", "this text"},
};

#define GATEWAY_OPTIONS                                                                            \
    "--endpoint", "--token-file", "--ca-file", "--client-cert", "--client-key", "--timeout",       \
        "--json"

static const char *const create_options[] = {"--vault",
                                             "--key",
                                             "--key-version",
                                             "--identity",
                                             "--federated-client-id",
                                             "--queue-key-type",
                                             "--table-key-type",
                                             "--resource-group",
                                             "--location",
                                             "--tag",
                                             "--https-only",
                                             "--subscription",
                                             "--public-access",
                                             GATEWAY_OPTIONS,
                                             NULL};
static const char *const update_options[] = {"--vault",
                                             "--key",
                                             "--key-version",
                                             "--automatic-version",
                                             "--service-managed",
                                             "--identity",
                                             "--system-identity",
                                             "--federated-client-id",
                                             "--tag",
                                             GATEWAY_OPTIONS,
                                             NULL};
static const char *const scope_create_options[] = {"--vault", "--key", "--key-version",
                                                   GATEWAY_OPTIONS, NULL};
static const char *const scope_update_options[] = {"--vault",           "--key",    "--key-version",
                                                   "--service-managed", "--enable", "--disable",
                                                   GATEWAY_OPTIONS,     NULL};
static const char *const plain_options[] = {GATEWAY_OPTIONS, NULL};
static const char *const delete_options[] = {"--yes", GATEWAY_OPTIONS, NULL};
static const char *const shred_options[] = {"--confirm", GATEWAY_OPTIONS, NULL};
static const char *const keys_options[] = {"--regenerate", "--connection-string", "--blob-endpoint",
                                           GATEWAY_OPTIONS, NULL};
static const char *const export_options[] = {"--out", GATEWAY_OPTIONS, NULL};
static const char *const restore_options[] = {"--in", "--replace-settings", "--replace-keys",
                                              GATEWAY_OPTIONS, NULL};
static const char *const status_options[] = {"--no-fail", GATEWAY_OPTIONS, NULL};
static const char *const scrub_options[] = {
    "--verify", "--remove",         "--older-than", "--rate",        "--resume", "--status",
    "--stop",   "--remove-damaged", "--yes",        GATEWAY_OPTIONS, NULL};
static const char *const doctor_options[] = {"--config", "--no-fail", GATEWAY_OPTIONS, NULL};
static const char *const audit_options[] = {"--head", "--json", NULL};
static const char *const account_job_options[] = {"--rate",   "--pause",       "--resume",
                                                  "--status", GATEWAY_OPTIONS, NULL};
static const char *const service_key_options[] = {"--out", "--json", NULL};

const struct ctl_command ctl_commands[] = {
    {"account", "create", "NAME", "make a storage account", create_options,
     "Without --vault and --key the root key is wrapped by the operator's service key. With them\n"
     "an --identity is needed, which the gateway's configuration must know; the key must be RSA\n"
     "of 2048, 3072 or 4096 bits in a vault with soft delete and purge protection, and the\n"
     "identity needs get, wrapKey and unwrapKey on it.\n",
     ctl_account_create},
    {"account", "show", "NAME", "one account, with its key and its state", plain_options, "",
     ctl_account_show},
    {"account", "list", "", "all accounts, a line each", plain_options, "", ctl_account_list},
    {"account", "update", "NAME", "change key, version, vault, identity or tags", update_options,
     "The root key is wrapped anew; no data is touched and no request waits. The present key must\n"
     "still be usable. --tag replaces all tags.\n",
     ctl_account_update},
    {"account", "delete", "NAME", "destroy an account and all its data", delete_options,
     "The root key is destroyed at once: nothing brings the data back. Needs --yes.\n",
     ctl_account_delete},
    {"account", "shred", "NAME", "destroy an account, with evidence of that", shred_options,
     "Deletes the account, and prints which wraps of its root keys were destroyed, by their "
     "SHA-256,\n"
     "after a second read of the store has found none of them. The audit has the same. Its "
     "backups\n"
     "are refused from then on. No vault is asked: it works with the key revoked. Given again it "
     "ends\n"
     "what broke off, and prints the evidence of an account that is gone. Who has copied the "
     "store\n"
     "before keeps what the key versions open that it names: have those disabled.\n",
     ctl_account_shred},
    {"account", "keys", "NAME", "print its access keys", keys_options,
     "Whoever has an access key may do anything with the account. Keep the output out of logs.\n",
     ctl_account_keys},
    {"account", "new-root-key", "NAME", "seal new data under a new root key", plain_options,
     "For an account whose root key may be known to somebody. It is wrapped as the present one "
     "is,\n"
     "and no request waits; the present key must still be usable. Data from before stays "
     "readable,\n"
     "and stays under the root key that it was written under, until gatekeyctl account reseal.\n"
     "Export the account again: an older backup does not have the new root key, and is refused.\n",
     ctl_account_new_root_key},
    {"account", "reencrypt", "NAME", "encrypt all data anew, under new data keys",
     account_job_options,
     "For an account whose data keys may be known to somebody. All data that are under data keys "
     "from\n"
     "before are read, verified and written anew under other ones; clients notice nothing. The "
     "gateway\n"
     "does it; this shows how far it is. Ctrl-C pauses it, --resume goes on, --rate bounds the MiB "
     "in a\n"
     "second. Page blobs, blobs under a client's key and those with uncommitted blocks stay as "
     "they are,\n"
     "and are counted. Exit code 5 when something cannot be read; 7 when it was paused.\n",
     ctl_account_reencrypt},
    {"account", "reseal", "NAME", "move all that is there to the newest root key",
     account_job_options,
     "Seals every data key of the account and its scopes under the newest root key, and retires "
     "older\n"
     "ones with nothing left under them, for good; no data is rewritten. The gateway does it; "
     "this\n"
     "shows how far it is. Ctrl-C pauses it, --resume goes on. Blobs under a client's key stay "
     "where\n"
     "they are until they are written anew, and keep their root key. Exit code 5 when a record "
     "cannot\n"
     "be opened, and nothing was retired; 7 when it was paused.\n",
     ctl_account_reseal},
    {"account", "export", "NAME", "back up what opens an account", export_options,
     "FILE, of mode 0600, or standard output for -, gets the account's wrapped root key with\n"
     "its settings, its sealed access keys, and the wrapped root keys of its encryption\n"
     "scopes. No key is in it in the clear: it is worthless without the operator's service key\n"
     "and, unless the account is service-managed, the vault's key. Keep it where the service\n"
     "key is not. Containers and blobs are not in it. Make a new one after each change or\n"
     "rotation of the key, and keep none longer than the account. Exit code 1 when a scope is\n"
     "not in it, for its record is lost: an older backup has it. --json tells of FILE; with\n"
     "--out - what is printed is JSON in any case.\n",
     ctl_account_export},
    {"account", "restore", "NAME", "bring back an account that its object has lost",
     restore_options,
     "Writes back what account export saved, once the vault has opened its root key. Refused\n"
     "when that would lose data: when the containers there are another account's, or when data\n"
     "was written under a root key that the backup does not have. An account that can still be\n"
     "read keeps its settings and its access keys unless the options say otherwise: a backup\n"
     "from before a change of the key would undo that change. Encryption scopes follow, each\n"
     "by itself; exit code 1 when one of them is refused.\n",
     ctl_account_restore},
    {"blob", "shred", "ACCOUNT/CONTAINER/BLOB", "destroy a blob, with evidence of that",
     delete_options,
     "Its record goes at once, with its snapshots, its versions and what was deleted and is kept, "
     "and so\n"
     "each sealed data key of it; a legal hold, a policy or a lease refuses that. Copies within "
     "the\n"
     "account that have the same data key stay, and are counted. Needs --yes.\n",
     ctl_blob_shred},
    {"doctor", "", "", "go over the installation, and say what is wrong and what to do",
     doctor_options,
     "Checks the configuration (with --config), the clock, the gateway, its certificates, the "
     "store,\n"
     "the audit log, the memory, how vaults and identities answered, and each key of accounts and "
     "scopes. "
     "Changes\n"
     "nothing and asks no vault. Exit code 4 when something does not work.\n",
     ctl_doctor},
    {"key", "status", "[NAME]", "state of an account's customer key, or of all", status_options,
     "Encryption scopes are told of when there is something to say of their keys. Exit code 4 when "
     "a key,\n"
     "also of a scope, is revoked, unreachable or degraded.\n",
     ctl_key_status},
    {"key", "check", "NAME", "ask the vault now, and take a new version", plain_options, "",
     ctl_key_check},
    {"scope", "create", "ACCOUNT/SCOPE", "make an encryption scope", scope_create_options,
     "A key of its own for blobs or containers that name the scope. Without --vault and --key its\n"
     "root key is wrapped by the operator's service key. The vault is asked with the account's\n"
     "identity. A scope is never deleted but with its account.\n",
     ctl_scope_create},
    {"scope", "show", "ACCOUNT/SCOPE", "one scope, with its key and its state", plain_options, "",
     ctl_scope_show},
    {"scope", "list", "ACCOUNT", "all scopes of an account, a line each", plain_options, "",
     ctl_scope_list},
    {"scope", "update", "ACCOUNT/SCOPE", "change its key, or whether it can be used",
     scope_update_options,
     "Without --key-version the key's current version is followed. The account's identity as it "
     "is\n"
     "now is taken over.\n",
     ctl_scope_update},
    {"scope", "check", "ACCOUNT/SCOPE", "ask the vault now, and take a new version", plain_options,
     "", ctl_scope_check},
    {"scope", "new-root-key", "ACCOUNT/SCOPE", "seal new data in a scope under a new root key",
     plain_options, "As gatekeyctl account new-root-key, for a scope.\n", ctl_scope_new_root_key},
    {"policy", "report", "", "which accounts and scopes keep the operator's policy", status_options,
     "By the group \"policy\" of the gateway's configuration, and by what the vaults have told; "
     "no\n"
     "vault is asked. Exit code 8 when something is not compliant, or not known to be.\n",
     ctl_policy_report},
    {"audit", "verify", "[FILE...]", "find what is missing or changed in an audit file",
     audit_options,
     "Each line has a number and the hash of the line before; the last one is noted in FILE.head.\n"
     "Of rotated files, give all, the oldest first. Without FILE, lines come from standard input:\n"
     "journalctl -t gatekey-audit -o cat | gatekeyctl audit verify. Who can write both the file "
     "and\n"
     "its head can write another history: keep the head that this prints elsewhere, and give it\n"
     "with --head the next time. Exit code 5 when something is missing or changed.\n",
     ctl_audit_verify},
    {"scrub", "", "", "find what nothing refers to, and verify what is stored", scrub_options,
     "The gateway does it; this shows how far it is. Ctrl-C stops it, --resume goes on. Exit code "
     "5\n"
     "when something is damaged, 6 when objects that nothing refers to stay, 7 when it was "
     "stopped.\n",
     ctl_scrub},
    {"service-key", "create", "", "make the operator's service key", service_key_options,
     "Whoever has this file and the store can read every service-managed account, and loses them\n"
     "all when it is lost: keep a copy where the store is not.\n",
     ctl_service_key_create},
};

const size_t ctl_commands_count = sizeof ctl_commands / sizeof ctl_commands[0];
static_assert(sizeof ctl_commands / sizeof ctl_commands[0] <= CTL_COMMANDS_MAX, "no room");

const struct ctl_option_rule *ctl_option_rule_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strlen(rules[i].name) == len && strncmp(rules[i].name, name, len) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

void ctl_command_words(const struct ctl_command *command, char words[CTL_WORDS_BYTES])
{
    snprintf(words, CTL_WORDS_BYTES, "%s%s%s", command->group, command->verb[0] == '\0' ? "" : " ",
             command->verb);
}

bool ctl_is_group(const char *name)
{
    for (size_t i = 0; i < ctl_commands_count; i++) {
        if (strcmp(ctl_commands[i].group, name) == 0) {
            return true;
        }
    }
    return false;
}
