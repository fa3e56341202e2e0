/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/account_backup.h"

#include <stdio.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/account_profile.h"
#include "gateway/blob/names.h"
#include "gateway/blob/record.h"
#include "gateway/blob/removal.h"
#include "gateway/blob/value.h"
#include "gateway/shredded.h"

#define PREFIX_BYTES 2u
#define ATTEMPTS_MAX 16u

void gk_account_backup_init(struct gk_account_backup *backup)
{
    *backup = (struct gk_account_backup){0};
    gk_buf_init(&backup->record, GK_ACCOUNT_RECORD_BYTES_MAX);
    gk_buf_init(&backup->profile, GK_ACCOUNT_PROFILE_BYTES_MAX);
}

void gk_account_backup_cleanup(struct gk_account_backup *backup)
{
    gk_buf_cleanup(&backup->record);
    gk_buf_cleanup(&backup->profile);
}

/* --- the profile ---------------------------------------------------------------------------------*/

struct reading {
    struct gk_buf *profile;
    bool found;
};

static void collect_profile(void *ctx, const struct gk_attr *attr)
{
    struct reading *reading = ctx;
    if (strcmp(attr->name, GK_ACCOUNT_PROFILE_ATTR) == 0) {
        reading->found = true;
        gk_buf_append(reading->profile, attr->value.data, attr->value.len);
    }
}

/* The stored profile; GK_E_NOT_FOUND without one, GK_E_INTEGRITY for one that is longer than any. */
static enum gk_status read_profile(const struct gk_gateway *gateway, const char *name,
                                   struct gk_buf *profile, struct gk_error *error)
{
    struct reading reading = {.profile = profile};
    uint64_t version = 0;
    gk_buf_reset(profile);
    enum gk_status status =
        gk_account_attrs_get(gateway->store, name, collect_profile, &reading, &version, error);
    if (status == GK_OK && !reading.found) {
        status = gk_fail(error, GK_E_NOT_FOUND, "account %s has no profile", name);
    }
    if (status == GK_OK && gk_buf_status(profile) != GK_OK) {
        status = gk_fail(error, GK_E_INTEGRITY, "the profile of account %s is too long", name);
    }
    return status;
}

static enum gk_status check_profile(const struct gk_gateway *gateway, struct gk_account *handle,
                                    const char *name, struct gk_span profile,
                                    struct gk_error *error)
{
    struct gk_account_profile opened = {0};
    const enum gk_status status =
        gk_account_profile_open(gateway->host->plugin, handle, name, profile, &opened, error);
    gk_account_profile_cleanup(&opened);
    return status;
}

/* --- taking --------------------------------------------------------------------------------------*/

enum gk_status gk_account_record_take(const struct gk_gateway *gateway, const char *path,
                                      const char *actor, struct gk_buf *record,
                                      struct gk_account_record_info *info, struct gk_error *error)
{
    const struct gk_plugin_host *host = gateway->host;
    gk_buf_reset(record);
    uint8_t *room = gk_buf_extend(record, GK_ACCOUNT_RECORD_BYTES_MAX);
    if (room == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    size_t len = 0;
    const enum gk_status status = host->plugin->account_record_export(
        host->instance, path, actor, room, GK_ACCOUNT_RECORD_BYTES_MAX, &len, info, error);
    record->len = len;
    return status;
}

enum gk_status gk_account_backup_take(struct gk_gateway *gateway, const char *name,
                                      const char *actor, struct gk_account_backup *backup,
                                      struct gk_error *error)
{
    struct gk_gateway_account *account = NULL;
    enum gk_status status = gk_accounts_get(gateway->accounts, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    snprintf(backup->account, sizeof backup->account, "%s", account->name);
    status = read_profile(gateway, name, &backup->profile, error);
    if (status == GK_OK) {
        status =
            check_profile(gateway, account->handle, name, gk_buf_span(&backup->profile), error);
    }
    if (status == GK_OK) {
        status =
            gk_account_record_take(gateway, name, actor, &backup->record, &backup->info, error);
    }
    if (status == GK_OK && !gk_id_equal(&backup->info.id, &account->id)) {
        status = gk_fail(error, GK_E_CONFLICT, "account %s was made anew meanwhile", name);
    }
    gk_accounts_put(account);
    return status;
}

/* --- restoring -----------------------------------------------------------------------------------*/

struct restoring {
    struct gk_gateway *gateway;
    const struct gk_account_backup *backup;
    const struct gk_account_backup_wish *wish;
    struct gk_account *candidate;
    const struct gk_id *id;
    bool profile_restored;
    bool made;             /* there is no object of the account before the write */
    enum gk_status status; /* of the walk over the containers */
    struct gk_error *error;
};

static struct gk_span name_of(struct gk_span key)
{
    const size_t len = key.len - PREFIX_BYTES;
    return gk_span_of(key.data + PREFIX_BYTES,
                      len < GK_CONTAINER_NAME_BYTES_MAX ? len : GK_CONTAINER_NAME_BYTES_MAX);
}

/* A container's record is bound to its account's id: one that does not open is another account's. */
static bool check_container(void *ctx, struct gk_span key, struct gk_span value)
{
    struct restoring *restoring = ctx;
    const struct gk_place place = {.plugin = restoring->gateway->host->plugin,
                                   .account = restoring->candidate,
                                   .kind = GK_VALUE_CONTAINER,
                                   .container = *restoring->id,
                                   .key = key};
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    restoring->status = gk_value_open(&place, value, &open, restoring->error);
    gk_buf_cleanup(&open);
    if (restoring->status == GK_E_INTEGRITY) {
        const struct gk_span name = name_of(key);
        restoring->status = gk_fail_http(
            restoring->error, GK_E_INVALID, 409, "AccountBackupOfAnotherAccount",
            "The container %.*s does not open under the backup's account: it is another account's, "
            "or its record is damaged. Its data would be lost.",
            (int)name.len, (const char *)name.data);
    }
    return restoring->status == GK_OK;
}

static enum gk_status check_containers(struct restoring *restoring, struct gk_error *error)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    enum gk_status status = gk_account_object(restoring->backup->account, object, error);
    if (status != GK_OK) {
        return status;
    }
    restoring->status = GK_OK;
    restoring->error = error;
    static const char *const prefixes[] = {"c/", GK_KEPT_CONTAINER_KIND};
    for (size_t i = 0; i < 2 && status == GK_OK; i++) {
        const struct gk_map_range range = {.prefix = gk_span_str(prefixes[i])};
        status = gk_store_map_walk(restoring->gateway->store, GK_POOL_META, object, &range,
                                   check_container, restoring, error);
        if (status == GK_OK) {
            status = restoring->status;
        } else if (status == GK_E_NOT_FOUND) { /* the object is gone, and its containers with it */
            restoring->made = true;
            return GK_OK;
        }
    }
    return status;
}

/* The present profile stays when it can be read: its access keys may be newer than the backup's. */
static enum gk_status choose_profile(struct restoring *restoring, struct gk_attr *beside,
                                     struct gk_error *error)
{
    const struct gk_gateway *gateway = restoring->gateway;
    const struct gk_account_backup *backup = restoring->backup;
    struct gk_buf present;
    gk_buf_init(&present, GK_ACCOUNT_PROFILE_BYTES_MAX);
    struct gk_error why = {0};
    enum gk_status status = read_profile(gateway, backup->account, &present, &why);
    if (status == GK_OK) {
        status = check_profile(gateway, restoring->candidate, backup->account,
                               gk_buf_span(&present), &why);
    }
    gk_buf_cleanup(&present);
    const bool unreadable = status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY;
    if (status != GK_OK && !unreadable) {
        if (error != NULL) {
            *error = why;
        }
        return status;
    }
    restoring->profile_restored = unreadable || restoring->wish->replace_profile;
    if (restoring->profile_restored) {
        *beside = (struct gk_attr){.name = GK_ACCOUNT_PROFILE_ATTR,
                                   .value = gk_buf_span(&backup->profile)};
    }
    return GK_OK;
}

static enum gk_status check(void *ctx, struct gk_account *candidate, const struct gk_id *id,
                            struct gk_attr *beside, struct gk_error *error)
{
    struct restoring *restoring = ctx;
    const struct gk_account_backup *backup = restoring->backup;
    restoring->candidate = candidate;
    restoring->id = id;
    restoring->made = false;
    enum gk_status status =
        gk_shredded_refuse(restoring->gateway, backup->account, id, false, error);
    if (status != GK_OK) {
        return status;
    }
    status = check_profile(restoring->gateway, candidate, backup->account,
                           gk_buf_span(&backup->profile), error);
    if (status == GK_E_INTEGRITY) {
        return gk_fail_http(error, GK_E_INVALID, 400, "AccountBackupInvalid",
                            "The backup's profile is not this account's, or it was changed since.");
    }
    if (status == GK_OK) {
        status = check_containers(restoring, error);
    }
    if (status == GK_OK) {
        status = choose_profile(restoring, beside, error);
    }
    /* The next is the write, of an object that may not be there. */
    return status == GK_OK
               ? gk_accounts_register(restoring->gateway->accounts, backup->account, error)
               : status;
}

/* --- taking back ---------------------------------------------------------------------------------*/

static enum gk_status take_back_once(const struct gk_gateway *gateway, const char *path,
                                     const struct gk_id *id, bool *removed, struct gk_error *error)
{
    uint64_t version = 0;
    struct gk_account_record_info info;
    struct gk_buf record;
    gk_buf_init(&record, GK_ACCOUNT_RECORD_BYTES_MAX);
    enum gk_status status = gk_account_attrs_version(gateway->store, path, &version, error);
    if (status == GK_OK) {
        status = gk_account_record_take(gateway, path, "", &record, &info, error);
    }
    gk_buf_cleanup(&record);
    if (status == GK_OK && gk_id_equal(&info.id, id)) {
        status = gk_account_attrs_remove_if(gateway->store, path, version, error);
        *removed = status == GK_OK;
    }
    return status;
}

enum gk_status gk_account_record_take_back(const struct gk_gateway *gateway, const char *path,
                                           const struct gk_id *id, bool *removed,
                                           struct gk_error *error)
{
    enum gk_status status = GK_E_CONFLICT;
    *removed = false;
    for (unsigned i = 0; i < ATTEMPTS_MAX && status == GK_E_CONFLICT; i++) {
        status = take_back_once(gateway, path, id, removed, error);
    }
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

static void take_back(struct gk_gateway *gateway, const char *name, const struct gk_id *id)
{
    struct gk_error error = {0};
    bool removed = false;
    if (gk_account_record_take_back(gateway, name, id, &removed, &error) != GK_OK) {
        gk_log(GK_LOG_ERROR, "accounts",
               "account %s was shredded while it was restored, and cannot be taken back: shred it "
               "again: %s",
               name, error.message);
    }
    if (removed) {
        gk_removal_forget(gateway, name);
    }
}

/* The vault was waited for since check(): the account may have come back by another restore, and have been shredded. */
static enum gk_status check_again(const struct restoring *restoring, const struct gk_id *id,
                                  const char *actor, struct gk_error *error)
{
    struct gk_gateway *gateway = restoring->gateway;
    const char *name = restoring->backup->account;
    struct gk_error why = {0};
    const enum gk_status status = gk_shredded_refuse(gateway, name, id, restoring->made, &why);
    if (status == GK_OK) {
        return GK_OK;
    }
    if (status == GK_E_INVALID) {
        take_back(gateway, name, id);
    } else {
        gk_log(GK_LOG_ERROR, "accounts",
               "account %s is restored, and whether it was shredded meanwhile is not known yet: %s",
               name, why.message);
    }
    const struct gk_audit_event told = {.event = GK_AUDIT_ACCOUNT_RESTORE,
                                        .account = name,
                                        .key_id = "",
                                        .request_id = "",
                                        .actor = actor};
    gk_plugin_host_audit_failure(gateway->host, &told, status, &why);
    if (error != NULL) {
        *error = why;
    }
    return status;
}

enum gk_status gk_account_backup_restore(struct gk_gateway *gateway,
                                         struct gk_account_backup *backup,
                                         const struct gk_account_backup_wish *wish,
                                         const struct gk_call *call, bool *profile_restored,
                                         struct gk_error *error)
{
    struct restoring restoring = {.gateway = gateway, .backup = backup, .wish = wish};
    const struct gk_account_restore asked = {.record = gk_buf_span(&backup->record),
                                             .replace_settings = wish->replace_settings,
                                             .check = check,
                                             .check_ctx = &restoring};
    const struct gk_plugin_host *host = gateway->host;
    struct gk_account_record_info info;
    enum gk_status status = host->plugin->account_record_restore(host->instance, backup->account,
                                                                 &asked, call, &info, error);
    gk_accounts_drop(gateway->accounts, backup->account);
    if (status == GK_OK) {
        status = check_again(&restoring, &info.id, call->actor, error);
    }
    *profile_restored = status == GK_OK && restoring.profile_restored;
    if (status == GK_OK) {
        backup->info = info;
        status = gk_accounts_register(gateway->accounts, backup->account, error);
    }
    return status;
}
