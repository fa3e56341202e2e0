/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/backup_json.h"

#include <stdio.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/account_profile.h"
#include "gateway/manage/json_body.h"

#define FORMAT  "gatekey-account-backup"
#define VERSION 2 /* 1: without scopes */
#define ABOUT                                                                                      \
    "What it takes to open the account again when its object has lost it: its wrapped root key "   \
    "and "                                                                                         \
    "its sealed access keys. No key is in the clear; worthless without the vault's key and the "   \
    "operator's service key. Its encryption scopes are in it, containers and blobs are not."

/* --- writing -------------------------------------------------------------------------------------*/

static json_t *bytes_json(const struct gk_buf *bytes)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * bytes->len + 4);
    gk_base64_encode(&text, gk_buf_span(bytes));
    json_t *json = gk_buf_status(&text) == GK_OK ? json_string(gk_buf_str(&text)) : NULL;
    gk_buf_cleanup(&text);
    return json;
}

static json_t *key_identifiers(const struct gk_account_record_info *info)
{
    return info->previous_key_id[0] == '\0'
               ? json_pack("[s]", info->current_key_id)
               : json_pack("[s, s]", info->current_key_id, info->previous_key_id);
}

json_t *gk_scope_backup_json(const struct gk_scope_backup *backup)
{
    if (backup->record.len == 0) {
        return json_pack("{s:s, s:b, s:s}", "name", backup->name, "disabled", backup->disabled,
                         "missing", "Its record is lost or damaged: it is not in this backup.");
    }
    return json_pack("{s:s, s:b, s:I, s:I, s:o, s:o}", "name", backup->name, "disabled",
                     backup->disabled, "sequence", (json_int_t)backup->info.sequence, "generation",
                     (json_int_t)backup->info.generation, "keyIdentifiers",
                     key_identifiers(&backup->info), "record", bytes_json(&backup->record));
}

json_t *gk_backup_json(const struct gk_account_backup *backup, int64_t wall_ms, json_t *scopes)
{
    char id[GK_UUID_TEXT_BYTES];
    char when[GK_TIME_TEXT_BYTES];
    gk_id_format(&backup->info.id, id);
    gk_time_iso(wall_ms, when);
    return json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "format",
                     FORMAT, "version", VERSION, "about", ABOUT, "account", backup->account,
                     "accountId", id, "exportedAt", when, "sequence",
                     (json_int_t)backup->info.sequence, "generation",
                     (json_int_t)backup->info.generation, "keyIdentifiers",
                     key_identifiers(&backup->info), "record", bytes_json(&backup->record),
                     "profile", bytes_json(&backup->profile), "scopes", scopes);
}

/* --- reading -------------------------------------------------------------------------------------*/

static enum gk_status refuse(struct gk_error *error, const char *why)
{
    return gk_fail_http(error, GK_E_INVALID, 400, "AccountBackupInvalid",
                        "This is not a backup of an account: %s.", why);
}

static enum gk_status read_bytes(const json_t *json, const char *name, struct gk_buf *out,
                                 struct gk_error *error)
{
    const json_t *value = json_object_get(json, name);
    char why[64];
    snprintf(why, sizeof why, "%s is not base64, or too long", name);
    if (!json_is_string(value) ||
        !gk_base64_decode(out, gk_span_of(json_string_value(value), json_string_length(value))) ||
        gk_buf_status(out) != GK_OK || out->len == 0) {
        return refuse(error, why);
    }
    return GK_OK;
}

static enum gk_status read_head(const json_t *json, struct gk_account_backup *backup,
                                struct gk_error *error)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    const json_t *version = json_object_get(json, "version");
    const char *account = json_string_value(json_object_get(json, "account"));
    if (format == NULL || strcmp(format, FORMAT) != 0) {
        return refuse(error, "its format is not " FORMAT);
    }
    if (!json_is_integer(version) || json_integer_value(version) < 1 ||
        json_integer_value(version) > VERSION) {
        return refuse(error, "its version is neither 1 nor 2, those that this gateway reads");
    }
    if (account == NULL || !gk_account_name_valid(account)) {
        return refuse(error, "it names no account");
    }
    snprintf(backup->account, sizeof backup->account, "%s", account);
    return GK_OK;
}

enum gk_status gk_scope_backup_json_read(const json_t *json, struct gk_scope_backup *backup,
                                         struct gk_error *error)
{
    static const char *const members[] = {"name",           "disabled", "sequence", "generation",
                                          "keyIdentifiers", "record",   NULL};
    const char *name = json_string_value(json_object_get(json, "name"));
    const json_t *disabled = json_object_get(json, "disabled");
    const enum gk_status status = gk_json_only(json, "scope.", members, error);
    if (status != GK_OK) {
        return status;
    }
    if (name == NULL || !gk_scope_name_valid(name) || !json_is_boolean(disabled)) {
        return refuse(error, "a scope of it lacks its name, or whether it is disabled");
    }
    snprintf(backup->name, sizeof backup->name, "%s", name);
    backup->disabled = json_is_true(disabled);
    return read_bytes(json, "record", &backup->record, error);
}

enum gk_status gk_backup_json_read(const json_t *json, struct gk_account_backup *backup,
                                   struct gk_error *error)
{
    static const char *const members[] = {
        "format",     "version",        "about",  "account", "accountId", "exportedAt", "sequence",
        "generation", "keyIdentifiers", "record", "profile", "scopes",    NULL};
    enum gk_status status = read_head(json, backup, error);
    if (status == GK_OK) {
        status = gk_json_only(json, "backup.", members, error);
    }
    if (status == GK_OK && json_array_size(json_object_get(json, "scopes")) != 0) {
        status = refuse(error, "its scopes are restored one by one (restoreScope); leave them out");
    }
    if (status == GK_OK) {
        status = read_bytes(json, "record", &backup->record, error);
    }
    return status == GK_OK ? read_bytes(json, "profile", &backup->profile, error) : status;
}
