/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/text.h"

#define ATTEMPTS_MAX 32u

struct gk_stored_account *gk_stored_account_new(void)
{
    struct gk_stored_account *stored = calloc(1, sizeof *stored);
    if (stored != NULL) {
        gk_buf_init(&stored->bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    }
    return stored;
}

void gk_stored_account_free(struct gk_stored_account **stored)
{
    if (*stored != NULL) {
        gk_buf_cleanup(&(*stored)->bytes);
        free(*stored);
        *stored = NULL;
    }
}

struct reading {
    struct gk_buf *bytes;
    bool found;
    uint64_t last_check_ms;
};

static void visit(void *ctx, const struct gk_attr *attr)
{
    struct reading *reading = ctx;
    if (strcmp(attr->name, GK_ACCOUNT_ATTR) == 0) {
        reading->found = true;
        gk_buf_append(reading->bytes, attr->value.data, attr->value.len);
    } else if (strcmp(attr->name, GK_ACCOUNT_ATTR_VERSION_CHECK) == 0 &&
               !gk_parse_u64(attr->value, INT64_MAX, &reading->last_check_ms)) {
        reading->last_check_ms = 0;
    }
}

static enum gk_status read_bytes(const struct gk_instance *instance, const char *account,
                                 struct gk_buf *bytes, uint64_t *version, int64_t *last_check_ms,
                                 struct gk_error *error)
{
    struct reading reading = {.bytes = bytes};
    *version = 0;
    gk_buf_reset(bytes);
    const enum gk_status status = instance->host.account_attrs_get(instance->host.ctx, account,
                                                                   visit, &reading, version, error);
    *last_check_ms = (int64_t)reading.last_check_ms;
    if (status != GK_OK) {
        *version = 0;
        return status;
    }
    if (!reading.found) {
        return gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                            "account %.24s has no encryption record", account);
    }
    return gk_buf_status(bytes) == GK_OK
               ? GK_OK
               : gk_fail(error, gk_buf_status(bytes) == GK_E_LIMIT ? GK_E_INTEGRITY : GK_E_RESOURCE,
                         "the record of account %.24s cannot be read", account);
}

/* We make no second root key yet; a record that lives on several is a later version's. */
static bool has_one_live_generation(const struct gk_account_record *record)
{
    unsigned live = 0;
    for (uint32_t i = 0; i < record->generations_count; i++) {
        live += record->generations[i].state != GK_GENERATION_RETIRED ? 1 : 0;
    }
    return live == 1;
}

enum gk_status gk_account_store_read(const struct gk_instance *instance, const char *account,
                                     struct gk_stored_account *stored, struct gk_error *error)
{
    memset(&stored->record, 0, sizeof stored->record);
    int64_t noted_ms = 0;
    enum gk_status status =
        read_bytes(instance, account, &stored->bytes, &stored->version, &noted_ms, error);
    if (status == GK_OK) {
        status = gk_account_record_parse(instance->crypto, &instance->keys->record, account,
                                         gk_buf_span(&stored->bytes), &stored->record, error);
    }
    if (status == GK_OK && !has_one_live_generation(&stored->record)) {
        memset(&stored->record, 0, sizeof stored->record);
        return gk_fail(
            error, GK_E_UNSUPPORTED,
            "account %.24s has several root keys in use, which this build does not serve", account);
    }
    const int64_t recorded_ms = stored->record.last_version_check_wall_ms;
    stored->last_version_check_wall_ms = noted_ms > recorded_ms ? noted_ms : recorded_ms;
    return status;
}

/* After a conflict: whether only attributes of others have changed. */
static enum gk_status reread_version(const struct gk_instance *instance, const char *account,
                                     struct gk_stored_account *stored, struct gk_error *error)
{
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    uint64_t version = 0;
    int64_t last_check_ms = 0;
    enum gk_status status = read_bytes(instance, account, &bytes, &version, &last_check_ms, error);
    const bool was_empty = stored->bytes.len == 0;
    if (status == GK_E_NOT_FOUND && version != 0 && was_empty) {
        status = GK_OK; /* still an object without a record */
    } else if (status == GK_OK &&
               !gk_span_equal(gk_buf_span(&bytes), gk_buf_span(&stored->bytes))) {
        status = was_empty ? gk_fail(error, GK_E_EXISTS, "account %.24s exists already", account)
                           : gk_fail(error, GK_E_CONFLICT,
                                     "account %.24s was changed by somebody else", account);
    }
    if (status == GK_OK) {
        stored->version = version;
    }
    gk_buf_cleanup(&bytes);
    return status;
}

static enum gk_status write_guarded(const struct gk_instance *instance, const char *account,
                                    struct gk_stored_account *stored, const struct gk_attr *changes,
                                    size_t changes_count, struct gk_error *error)
{
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        uint64_t version = 0;
        enum gk_status status = instance->host.account_attrs_set_if(
            instance->host.ctx, account, stored->version, changes, changes_count, &version, error);
        if (status == GK_OK) {
            stored->version = version;
            return GK_OK;
        }
        const bool moved =
            status == GK_E_CONFLICT || (status == GK_E_EXISTS && stored->version == 0);
        if (!moved) {
            return status;
        }
        status = reread_version(instance, account, stored, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                        "account %.24s is being changed by others; try again", account);
}

enum gk_status gk_account_store_write(const struct gk_instance *instance,
                                      struct gk_stored_account *stored,
                                      const struct gk_account_record *record,
                                      struct gk_error *error)
{
    struct gk_account_record *next = malloc(sizeof *next);
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    if (next == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    *next = *record;
    next->sequence = stored->record.sequence + 1;
    enum gk_status status =
        gk_account_record_serialise(instance->crypto, &instance->keys->record, next, &bytes, error);
    if (status == GK_OK) {
        const struct gk_attr changes[] = {
            {.name = GK_ACCOUNT_ATTR, .value = gk_buf_span(&bytes)},
            {.name = GK_ACCOUNT_ATTR_PREVIOUS, .value = gk_buf_span(&stored->bytes)},
        };
        status = write_guarded(instance, next->account, stored, changes,
                               stored->bytes.len > 0 ? 2 : 1, error);
    }
    if (status == GK_OK) {
        struct gk_buf old = stored->bytes;
        stored->bytes = bytes;
        bytes = old;
        stored->record = *next;
        if (next->last_version_check_wall_ms > stored->last_version_check_wall_ms) {
            stored->last_version_check_wall_ms = next->last_version_check_wall_ms;
        }
    }
    gk_buf_cleanup(&bytes);
    free(next);
    return status;
}

void gk_account_store_note_check(const struct gk_instance *instance,
                                 struct gk_stored_account *stored, int64_t wall_ms)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)wall_ms);
    const struct gk_attr change = {.name = GK_ACCOUNT_ATTR_VERSION_CHECK,
                                   .value = gk_span_str(text)};
    struct gk_error why = {0};
    const enum gk_status status =
        write_guarded(instance, stored->record.account, stored, &change, 1, &why);
    if (status != GK_OK) {
        gk_instance_log(instance, GK_LOG_WARNING,
                        "account %s: the time of its version check is not kept: %s",
                        stored->record.account, why.message);
    }
    stored->last_version_check_wall_ms = wall_ms;
}
