/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each state means and what helps; the same words as in the operator's guide. */
struct state_text {
    const char *state;
    const char *meaning;
    const char *advice;
};

static const struct state_text state_texts[] = {
    {"service-managed", "the operator's service key wraps the root key", ""},
    {"active", "the customer key is in use", ""},
    {"cold",
     "the key is not in memory: nobody has needed it since the gateway started, or for "
     "provider.account_idle_s",
     "gatekeyctl key check asks the vault now"},
    {"revoked", "the vault refuses the key: data cannot be read or written",
     "the key's owner enables or recovers the key, or gives the identity get, wrapKey and "
     "unwrapKey "
     "again; access comes back by itself within the check interval"},
    {"unreachable", "the vault does not answer; the cached key still serves until the grace ends",
     "check the vault and the network between; nothing else is needed once it answers"},
    {"degraded",
     "the vault does not answer, and the key is not in memory, or not any more: requests get 503",
     "check the vault and the network between; access comes back by itself once it answers"},
};

/* Calls for other accounts have found its vault silent, as a request would. */
static const struct state_text cold_in_silence = {
    "cold", "the key is not in memory, and its vault does not answer: requests get 503",
    "check the vault and the network between; gatekeyctl key check asks the vault now"};

static const struct state_text *find_state(const json_t *gatekey)
{
    const char *state = ctl_text_of(gatekey, "state");
    if (ctl_is_cold_in_silence(gatekey)) {
        return &cold_in_silence;
    }
    for (size_t i = 0; i < sizeof state_texts / sizeof state_texts[0]; i++) {
        if (strcmp(state_texts[i].state, state) == 0) {
            return &state_texts[i];
        }
    }
    return NULL;
}

const char *ctl_state_advice(const json_t *gatekey)
{
    const struct state_text *texts = find_state(gatekey);
    return texts == NULL ? "" : texts->advice;
}

/* Walks a path of member names; "" where anything is absent. */
static const char *text_at(const json_t *value, const char *const *path)
{
    for (; *path != NULL && value != NULL; path++) {
        value = json_object_get(value, *path);
    }
    const char *text = json_string_value(value);
    return text == NULL ? "" : text;
}

#define TEXT(value, ...) text_at((value), (const char *const[]){__VA_ARGS__, NULL})

const char *ctl_text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

void ctl_print_plain(const char *text, int width)
{
    int printed = 0;
    for (; *text != '\0'; text++, printed++) {
        const unsigned char c = (unsigned char)*text;
        putchar(c < 0x20 || c == 0x7f ? '?' : c);
    }
    for (; printed < width; printed++) {
        putchar(' ');
    }
}

static void print_line(const char *label, const char *text)
{
    if (text[0] == '\0') {
        return;
    }
    printf("%-16s", label);
    ctl_print_plain(text, 0);
    putchar('\n');
}

/* "2026-11-24T08:12:13.1230000Z" as "2026-11-24 08:12:13 UTC". */
static void print_time(const char *label, const char *iso)
{
    if (strlen(iso) >= 19) {
        printf("%-16s%.10s %.8s UTC\n", label, iso, iso + 11);
    }
}

void ctl_show_json(const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2));
    if (text != NULL) {
        puts(text);
    }
    free(text);
}

bool ctl_is_cold_in_silence(const json_t *gatekey)
{
    return strcmp(ctl_text_of(gatekey, "state"), "cold") == 0 &&
           ctl_text_of(gatekey, "unreachableSince")[0] != '\0';
}

bool ctl_key_is_healthy(const json_t *account)
{
    const json_t *gatekey = json_object_get(json_object_get(account, "properties"), "gatekey");
    const char *state = ctl_text_of(gatekey, "state");
    return strcmp(state, "revoked") != 0 && strcmp(state, "unreachable") != 0 &&
           strcmp(state, "degraded") != 0 && !ctl_is_cold_in_silence(gatekey);
}

void ctl_since_in_short(const json_t *gatekey, char text[CTL_SINCE_BYTES])
{
    const char *revoked = ctl_text_of(gatekey, "revokedSince");
    const char *since = revoked[0] == '\0' ? ctl_text_of(gatekey, "unreachableSince") : revoked;
    text[0] = '\0';
    if (strlen(since) >= 19) {
        snprintf(text, CTL_SINCE_BYTES, " since %.10s %.8s UTC", since, since + 11);
    }
}

static void print_state(const json_t *gatekey)
{
    const char *state = TEXT(gatekey, "state");
    const struct state_text *texts = find_state(gatekey);
    printf("%-16s", "State");
    ctl_print_plain(state, 0);
    printf("%s%s\n", texts == NULL ? "" : " - ", texts == NULL ? "" : texts->meaning);
    print_line("Reason", TEXT(gatekey, "reason"));
    print_line("Reason code", TEXT(gatekey, "reasonCode"));
    print_line("Vault request", TEXT(gatekey, "requestId"));
    print_time("Revoked", TEXT(gatekey, "revokedSince"));
    print_time("Unreachable", TEXT(gatekey, "unreachableSince"));
    print_time("Grace until", TEXT(gatekey, "graceUntil"));
    print_line("What to do", texts == NULL ? "" : texts->advice);
}

/* What each warning of a key means and what helps. */
static const char *const warning_texts[][2] = {
    {"key-expires-soon", "the key version in use ends soon: make a new version, or move its end"},
    {"key-expired",
     "the key version in use has ended: it still unwraps; make a new version, or move "
     "its end"},
    {"key-old", "the key version in use is older than it should be: make a new version"},
};

static void print_warnings(const json_t *warnings)
{
    size_t index = 0;
    json_t *warning = NULL;
    json_array_foreach(warnings, index, warning)
    {
        for (size_t i = 0; i < sizeof warning_texts / sizeof warning_texts[0]; i++) {
            if (strcmp(TEXT(warning, NULL), warning_texts[i][0]) == 0) {
                print_line("Warning", warning_texts[i][1]);
            }
        }
    }
}

static void print_rotation(const json_t *gatekey)
{
    print_warnings(json_object_get(gatekey, "keyWarnings"));
    if (json_is_true(json_object_get(gatekey, "rotationPending"))) {
        print_line("Rotation", "pending: a newer version is known and not taken yet; leave the old "
                               "one enabled");
    }
    if (json_is_true(json_object_get(gatekey, "keyOutsideDates"))) {
        print_line("Dates",
                   "the key is expired or not valid yet: it still unwraps, but rotation is "
                   "stuck; give it new dates or a new version");
    }
    print_line("Previous key", TEXT(gatekey, "previousKeyIdentifier"));
    print_time("  may go after", TEXT(gatekey, "oldVersionMayBeDisabledAfter"));
}

static void print_checks(const json_t *gatekey)
{
    print_time("Last check", TEXT(gatekey, "lastCheck"));
    print_time("Version check", TEXT(gatekey, "lastVersionCheck"));
    print_time("  next", TEXT(gatekey, "nextVersionCheck"));
}

static void print_key(const json_t *encryption, const json_t *gatekey)
{
    const json_t *key = json_object_get(encryption, "keyvaultproperties");
    if (key == NULL) {
        return;
    }
    const char *version = TEXT(key, "keyversion");
    printf("%-16s", "Key");
    ctl_print_plain(TEXT(key, "keyname"), 0);
    fputs(" in ", stdout);
    ctl_print_plain(TEXT(key, "keyvaulturi"), 0);
    putchar('\n');
    print_line("Version rule", version[0] == '\0' ? "automatic: follows the key's current version"
                                                  : "fixed until you set another");
    print_line("In use", TEXT(key, "currentVersionedKeyIdentifier"));
    print_time("  since", TEXT(key, "lastKeyRotationTimestamp"));
    print_time("  expires", TEXT(key, "currentVersionedKeyExpirationTimestamp"));
    print_line("Identity", TEXT(encryption, "identity", "userAssignedIdentity"));
    print_rotation(gatekey);
    print_checks(gatekey);
    const double seconds = json_number_value(json_object_get(gatekey, "checkIntervalSeconds"));
    if (seconds > 0) {
        printf("%-16severy %g s: so long may a revoked key still be used\n", "Checked", seconds);
    }
}

static void print_root_key(const json_t *gatekey)
{
    const json_int_t newest = json_integer_value(json_object_get(gatekey, "generation"));
    const json_int_t oldest = json_integer_value(json_object_get(gatekey, "oldestGeneration"));
    if (oldest > 0 && oldest < newest) {
        printf("%-16sgeneration %" JSON_INTEGER_FORMAT
               "; data from before may be under %" JSON_INTEGER_FORMAT " and later\n",
               "Root key", newest, oldest);
    }
}

static void print_key_and_state(const json_t *account)
{
    const json_t *properties = json_object_get(account, "properties");
    const json_t *gatekey = json_object_get(properties, "gatekey");
    print_state(gatekey);
    print_root_key(gatekey);
    print_key(json_object_get(properties, "encryption"), gatekey);
}

/* Of scopes that there is something to say of. */
static void print_scope_keys(const json_t *account)
{
    size_t index = 0;
    const json_t *scope = NULL;
    json_array_foreach(json_object_get(account, "encryptionScopes"), index, scope)
    {
        char text[512];
        const char *name = TEXT(scope, "name");
        snprintf(text, sizeof text, "%s is %s; see gatekeyctl scope show %s", name,
                 ctl_is_readable(scope) ? TEXT(scope, "properties", "gatekey", "state")
                                        : "unreadable",
                 name);
        print_line("Scope", text);
        print_rotation(json_object_get(json_object_get(scope, "properties"), "gatekey"));
    }
}

void ctl_show_key(const json_t *account)
{
    print_line("Account", TEXT(account, "name"));
    print_key_and_state(account);
    print_scope_keys(account);
}

static void print_tags(json_t *tags)
{
    const char *name = NULL;
    json_t *value = NULL;
    const char *label = "Tags";
    json_object_foreach(tags, name, value)
    {
        printf("%-16s", label);
        ctl_print_plain(name, 0);
        putchar('=');
        ctl_print_plain(json_is_string(value) ? json_string_value(value) : "", 0);
        putchar('\n');
        label = "";
    }
}

/* By the vendor's word for it: Account under the account's own root key, Service not. */
static void print_services(const json_t *services)
{
    static const char *const names[] = {"blob", "file", "queue", "table"};
    printf("%-16s", "Services");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *type = TEXT(services, names[i], "keyType");
        printf("%s%s ", i == 0 ? "" : ", ", names[i]);
        ctl_print_plain(type[0] == '\0' ? "Service" : type, 0);
    }
    putchar('\n');
}

void ctl_show_account(const json_t *account)
{
    print_line("Account", TEXT(account, "name"));
    print_line("Id", TEXT(account, "id"));
    print_line("Location", TEXT(account, "location"));
    print_time("Created", TEXT(account, "properties", "creationTime"));
    print_line("Blob endpoint", TEXT(account, "properties", "primaryEndpoints", "blob"));
    print_tags(json_object_get(account, "tags"));
    print_services(json_object_get(
        json_object_get(json_object_get(account, "properties"), "encryption"), "services"));
    print_key_and_state(account);
    print_scope_keys(account);
}

bool ctl_is_readable(const json_t *account)
{
    return json_object_get(account, "error") == NULL;
}

/* Of scopes, which have none of their own, there is one level. */
static bool all_scopes(const json_t *account, bool (*is)(const json_t *scope))
{
    bool result = true;
    const json_t *scopes = json_object_get(account, "encryptionScopes");
    for (size_t i = 0; i < json_array_size(scopes); i++) {
        result = result && is(json_array_get(scopes, i));
    }
    return result;
}

static bool all(const json_t *accounts, bool (*is)(const json_t *account))
{
    bool result = true;
    for (size_t i = 0; i < json_array_size(accounts); i++) {
        const json_t *account = json_array_get(accounts, i);
        result = result && is(account) && all_scopes(account, is);
    }
    return result;
}

bool ctl_all_healthy(const json_t *accounts)
{
    return all(accounts, ctl_key_is_healthy);
}

bool ctl_all_readable(const json_t *accounts)
{
    return all(accounts, ctl_is_readable);
}

static void print_unreadable(const json_t *account)
{
    ctl_print_plain("unreadable", 17);
    ctl_print_plain(TEXT(account, "error", "message"), 0);
    fputs(" (", stdout);
    ctl_print_plain(TEXT(account, "error", "code"), 0);
    putchar(')');
}

static const char *key_in_short(const json_t *account)
{
    const char *id = TEXT(account, "properties", "encryption", "keyvaultproperties",
                          "currentVersionedKeyIdentifier");
    return id[0] == '\0' ? "-" : id;
}

static void print_warnings_in_short(const json_t *account)
{
    size_t index = 0;
    json_t *warning = NULL;
    const json_t *gatekey = json_object_get(json_object_get(account, "properties"), "gatekey");
    json_array_foreach(json_object_get(gatekey, "keyWarnings"), index, warning)
    {
        fputs(" ! ", stdout);
        ctl_print_plain(TEXT(warning, NULL), 0);
    }
}

/* Of a scope the reason is not known here. */
static void print_since_in_short(const json_t *gatekey)
{
    char since[CTL_SINCE_BYTES];
    ctl_since_in_short(gatekey, since);
    if (since[0] != '\0') {
        fputs(" ! ", stdout);
        ctl_print_plain(ctl_text_of(gatekey, "reasonCode"), 0);
        ctl_print_plain(since, 0);
    }
}

static void print_row(const json_t *account)
{
    ctl_print_plain(TEXT(account, "name"), 25);
    putchar(' ');
    if (ctl_is_readable(account)) {
        ctl_print_plain(TEXT(account, "properties", "gatekey", "state"), 17);
        ctl_print_plain(key_in_short(account), 0);
        print_since_in_short(json_object_get(json_object_get(account, "properties"), "gatekey"));
        print_warnings_in_short(account);
    } else {
        print_unreadable(account);
    }
    putchar('\n');
}

void ctl_show_list(const json_t *accounts)
{
    size_t index = 0;
    size_t scope_index = 0;
    const json_t *account = NULL;
    const json_t *scope = NULL;
    if (json_array_size(accounts) == 0) {
        puts("There are no accounts yet; gatekeyctl account create makes one.");
        return;
    }
    printf("%-26s%-17s%s\n", "ACCOUNT", "STATE", "KEY VERSION IN USE");
    json_array_foreach(accounts, index, account)
    {
        print_row(account);
        json_array_foreach(json_object_get(account, "encryptionScopes"), scope_index, scope)
        {
            print_row(scope);
        }
    }
}

/* --- encryption scopes --------------------------------------------------------------------------*/

void ctl_show_scope(const json_t *scope)
{
    const json_t *properties = json_object_get(scope, "properties");
    const json_t *gatekey = json_object_get(properties, "gatekey");
    print_line("Scope", TEXT(scope, "name"));
    print_line("Use", TEXT(properties, "state"));
    print_time("Created", TEXT(properties, "creationTime"));
    print_line("Key", TEXT(properties, "keyVaultProperties", "keyUri"));
    print_line("Current version",
               TEXT(properties, "keyVaultProperties", "currentVersionedKeyIdentifier"));
    print_time("Last rotation", TEXT(properties, "keyVaultProperties", "lastKeyRotationTimestamp"));
    print_time("Key expires", TEXT(gatekey, "keyExpires"));
    print_rotation(gatekey);
    print_checks(gatekey);
    print_state(gatekey);
}

void ctl_show_scope_line(const json_t *scope)
{
    ctl_print_plain(TEXT(scope, "name"), 32);
    putchar(' ');
    ctl_print_plain(TEXT(scope, "properties", "state"), 9);
    putchar(' ');
    ctl_print_plain(TEXT(scope, "properties", "gatekey", "state"), 16);
    putchar(' ');
    ctl_print_plain(TEXT(scope, "properties", "keyVaultProperties", "keyUri"), 0);
    putchar('\n');
}
