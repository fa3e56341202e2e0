/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/account_attrs.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/span.h"
#include "gateway/account_profile.h"
#include "gateway/notices.h"

#define ATTR_NAME_BYTES_MAX 128u

static size_t letters(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789");
}

bool gk_account_name_valid(const char *name)
{
    const size_t len = letters(name);
    return name[len] == '\0' && len >= 3 && len < GK_ACCOUNT_NAME_BYTES_MAX;
}

bool gk_scope_name_valid(const char *name)
{
    const size_t len = strlen(name);
    for (const char *at = name; *at != '\0'; at++) {
        at += letters(at);
        if (*at == '\0') {
            return len >= 3 && len < GK_SCOPE_NAME_BYTES_MAX;
        }
        if (*at != '-' || at == name || letters(at + 1) == 0) {
            return false;
        }
    }
    return false;
}

/* Of "account/scope". */
static bool is_scope(const char *name)
{
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    const size_t len = letters(name);
    if (name[len] != '/' || len >= sizeof account) {
        return false;
    }
    memcpy(account, name, len);
    account[len] = '\0';
    return gk_account_name_valid(account) && gk_scope_name_valid(name + len + 1);
}

enum gk_status gk_account_object(const char *name, char object[GK_ACCOUNT_OBJECT_BYTES_MAX],
                                 struct gk_error *error)
{
    object[0] = '\0';
    const bool scope = is_scope(name);
    if (!scope && !gk_account_name_valid(name)) {
        return gk_fail_http(error, GK_E_INVALID, 400, "AccountNameInvalid",
                            "an account's name has 3 to 24 lower-case letters and digits");
    }
    snprintf(object, GK_ACCOUNT_OBJECT_BYTES_MAX, "%s%s",
             scope ? GK_SCOPE_OBJECT_PREFIX : GK_ACCOUNT_OBJECT_PREFIX, name);
    return GK_OK;
}

struct visit {
    gk_attr_visit_fn *fn;
    void *ctx;
};

/* The store's keys are spans, the plugin's names are C strings. A name that is no C string is not
 * one that the plugin wrote. */
static bool visit_attr(void *ctx, struct gk_span key, struct gk_span value)
{
    const struct visit *visit = ctx;
    char name[ATTR_NAME_BYTES_MAX];
    if (key.len == 0 || key.len >= sizeof name || memchr(key.data, '\0', key.len) != NULL) {
        return true;
    }
    memcpy(name, key.data, key.len);
    name[key.len] = '\0';
    const struct gk_attr attr = {.name = name, .value = value};
    visit->fn(visit->ctx, &attr);
    return true;
}

enum gk_status gk_account_attrs_get(struct gk_store *store, const char *account,
                                    gk_attr_visit_fn *visit, void *visit_ctx, uint64_t *version,
                                    struct gk_error *error)
{
    *version = 0;
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    const enum gk_status status = gk_account_object(account, object, error);
    if (status != GK_OK) {
        return status;
    }
    struct visit each = {.fn = visit, .ctx = visit_ctx};
    return gk_store_attrs(store, GK_POOL_META, object, visit_attr, &each, version, error);
}

enum gk_status gk_account_attrs_version(struct gk_store *store, const char *account,
                                        uint64_t *version, struct gk_error *error)
{
    *version = 0;
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    const enum gk_status status = gk_account_object(account, object, error);
    return status == GK_OK ? gk_store_version(store, GK_POOL_META, object, version, error) : status;
}

enum gk_status gk_account_attrs_set_if(struct gk_store *store, const char *account,
                                       uint64_t expected_version, const struct gk_attr *changes,
                                       size_t changes_count, uint64_t *new_version,
                                       struct gk_error *error)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    const enum gk_status status = gk_account_object(account, object, error);
    if (status != GK_OK) {
        return status;
    }
    if (changes_count > GK_ACCOUNT_ATTRS_CHANGE_MAX) {
        return gk_fail(error, GK_E_LIMIT, "more than %u attributes change at once",
                       GK_ACCOUNT_ATTRS_CHANGE_MAX);
    }
    struct gk_change list[GK_ACCOUNT_ATTRS_CHANGE_MAX];
    for (size_t i = 0; i < changes_count; i++) {
        const bool removal = changes[i].value.data == NULL;
        list[i] = (struct gk_change){
            .kind = removal ? GK_CHANGE_ATTR_REMOVE : GK_CHANGE_ATTR_SET,
            .key = gk_span_str(changes[i].name),
            .value = changes[i].value,
        };
    }
    const struct gk_guard guard = {
        .kind = expected_version == 0 ? GK_GUARD_ABSENT : GK_GUARD_VERSION,
        .number = expected_version,
    };
    const struct gk_write_op op = {
        .pool = GK_POOL_META,
        .object = object,
        .guards = &guard,
        .guards_count = 1,
        .changes = list,
        .changes_count = changes_count,
    };
    const enum gk_status written = gk_store_write(store, &op, new_version, error);
    if (written == GK_OK || written == GK_E_UNAVAILABLE) { /* it may have got through */
        gk_notices_tell(store, account);
    }
    return written;
}

enum gk_status gk_account_attrs_remove_if(struct gk_store *store, const char *account,
                                          uint64_t expected_version, struct gk_error *error)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    const enum gk_status status = gk_account_object(account, object, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_guard guard = {.kind = GK_GUARD_VERSION, .number = expected_version};
    const struct gk_change removal = {.kind = GK_CHANGE_REMOVE};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = object,
                                   .guards = &guard,
                                   .guards_count = 1,
                                   .changes = &removal,
                                   .changes_count = 1};
    return gk_store_write(store, &op, NULL, error);
}

/* --- what is left of one ------------------------------------------------------------------------*/

static void find_profile(void *ctx, const struct gk_attr *attr)
{
    bool *found = ctx;
    *found = *found || strcmp(attr->name, GK_ACCOUNT_PROFILE_ATTR) == 0;
}

static bool find_row(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key, (void)value;
    *(bool *)ctx = true;
    return false;
}

enum gk_status gk_account_has_remains(struct gk_store *store, const char *account, bool *remains,
                                      struct gk_error *error)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    uint64_t version = 0;
    *remains = false;
    enum gk_status status = gk_account_object(account, object, error);
    if (status == GK_OK) {
        status = gk_account_attrs_get(store, account, find_profile, remains, &version, error);
    }
    if (status == GK_OK && !*remains) {
        const struct gk_map_range range = {.prefix = gk_span_str("c/"), .limit = 1};
        status = gk_store_map_walk(store, GK_POOL_META, object, &range, find_row, remains, error);
    }
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

/* --- the lease ----------------------------------------------------------------------------------*/

static bool name_lease(const char *account, char object[GK_ACCOUNT_OBJECT_BYTES_MAX])
{
    const bool valid = gk_account_object(account, object, NULL) == GK_OK;
    snprintf(object, GK_ACCOUNT_OBJECT_BYTES_MAX, GK_ACCOUNT_LEASE_PREFIX "%s",
             valid ? account : "");
    return valid;
}

enum gk_status gk_account_lease_take(struct gk_store *store, const char *account,
                                     uint32_t duration_ms, struct gk_error *error)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    if (!name_lease(account, object)) {
        return gk_fail(error, GK_E_INVALID, "that is no account's name");
    }
    return gk_store_lease_take(store, object, duration_ms, error);
}

void gk_account_lease_release(struct gk_store *store, const char *account)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    if (name_lease(account, object)) {
        gk_store_lease_release(store, object);
    }
}

void gk_account_attrs_gone(struct gk_store *store, const char *account)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    struct gk_error error = {0};
    const char *names[] = {object};
    if (name_lease(account, object) &&
        gk_store_remove(store, GK_POOL_META, names, 1, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "accounts", "%s stays, of no use: %s", object, error.message);
    }
    gk_notices_tell(store, account);
}
