/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "plugin/account_name.h"
#include "plugin/key_warnings.h"
#include "plugin/older_key.h"
#include "plugin/root_wrap.h"

#define ATTEMPTS_MAX 32u
/* The end of the year 9999: a noted time beyond is nobody's, and would overflow what is added. */
#define NOTED_MS_MAX 253402300799999

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
    bool has_previous;
    uint64_t last_check_ms;
};

static void visit(void *ctx, const struct gk_attr *attr)
{
    struct reading *reading = ctx;
    if (strcmp(attr->name, GK_ACCOUNT_ATTR) == 0) {
        reading->found = true;
        gk_buf_append(reading->bytes, attr->value.data, attr->value.len);
    } else if (strcmp(attr->name, GK_ACCOUNT_ATTR_PREVIOUS) == 0) {
        reading->has_previous = true;
    } else if (strcmp(attr->name, GK_ACCOUNT_ATTR_VERSION_CHECK) == 0 &&
               !gk_parse_u64(attr->value, NOTED_MS_MAX, &reading->last_check_ms)) {
        reading->last_check_ms = 0;
    }
}

static enum gk_status read_bytes(const struct gk_instance *instance, const char *account,
                                 struct reading *reading, uint64_t *version, struct gk_error *error)
{
    *version = 0;
    gk_buf_reset(reading->bytes);
    const enum gk_status status = instance->host.account_attrs_get(instance->host.ctx, account,
                                                                   visit, reading, version, error);
    if (status != GK_OK) {
        *version = 0;
        return status;
    }
    if (!reading->found) {
        return gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                            "account %.88s has no encryption record", account);
    }
    const enum gk_status whole = gk_buf_status(reading->bytes);
    return whole == GK_OK ? GK_OK
                          : gk_fail(error, whole == GK_E_LIMIT ? GK_E_INTEGRITY : GK_E_RESOURCE,
                                    "the record of account %.88s cannot be read", account);
}

/* The older root keys that are in use must open with the active one, and no other way: a wrap of before
 * would open them with a key that was left since. */
static bool is_opened_by_active(const struct gk_account_record *record)
{
    const uint32_t active = gk_account_record_active(record)->generation;
    for (uint32_t i = 0; i < record->generations_count; i++) {
        const struct gk_root_generation *generation = &record->generations[i];
        if (generation->state == GK_GENERATION_DECRYPT_ONLY &&
            !gk_older_key_is_under(generation, active)) {
            return false;
        }
    }
    return true;
}

/* What the settings say and who wrapped must agree: otherwise a key that the customer took away could
 * still be opened with ours. */
static bool source_made_wraps(const struct gk_account_record *record)
{
    const struct gk_root_generation *active = gk_account_record_active(record);
    const bool customer = record->settings.source == GK_KEY_SOURCE_CUSTOMER;
    for (uint32_t i = 0; i < active->wraps_count; i++) {
        if (gk_root_wrap_is_by_service(&active->wraps[i]) == customer) {
            return false;
        }
    }
    return true;
}

static enum gk_status check_record(const struct gk_account_record *record, struct gk_error *error)
{
    if (!is_opened_by_active(record)) {
        return gk_fail(error, GK_E_UNSUPPORTED,
                       "account %.88s has older root keys that its present one does not open",
                       record->account);
    }
    return source_made_wraps(record)
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY,
                         "the record of account %.88s has a wrap that its settings do not allow",
                         record->account);
}

static enum gk_status parse(const struct gk_instance *instance, const char *account,
                            struct gk_stored_account *stored, struct gk_error *error)
{
    enum gk_status status =
        gk_account_record_parse(instance->crypto, &instance->keys->record, account,
                                gk_buf_span(&stored->bytes), &stored->record, error);
    if (status == GK_OK) {
        status = check_record(&stored->record, error);
    }
    if (status != GK_OK) {
        memset(&stored->record, 0, sizeof stored->record);
    }
    return status;
}

enum gk_status gk_stored_account_take(const struct gk_instance *instance, const char *account,
                                      struct gk_span bytes, struct gk_stored_account *stored,
                                      struct gk_error *error)
{
    memset(&stored->record, 0, sizeof stored->record);
    stored->version = 0;
    stored->has_previous = false;
    stored->last_version_check_wall_ms = 0;
    gk_buf_reset(&stored->bytes);
    gk_buf_append(&stored->bytes, bytes.data, bytes.len);
    const enum gk_status whole = gk_buf_status(&stored->bytes);
    if (whole != GK_OK) {
        return gk_fail(error, whole == GK_E_LIMIT ? GK_E_INTEGRITY : GK_E_RESOURCE,
                       "the record of account %.88s cannot be read", account);
    }
    return parse(instance, account, stored, error);
}

static bool is_known(const struct gk_instance *instance, const char *account,
                     const struct gk_stored_account *stored,
                     const struct gk_account_record_mac *known)
{
    return known != NULL && gk_account_record_is(instance->crypto, &instance->keys->record, account,
                                                 gk_buf_span(&stored->bytes), known);
}

/* known: of the record that stored holds, or NULL. */
static enum gk_status read_stored(const struct gk_instance *instance, const char *account,
                                  const struct gk_account_record_mac *known,
                                  struct gk_stored_account *stored, struct gk_error *error)
{
    struct reading reading = {.bytes = &stored->bytes};
    enum gk_status status = read_bytes(instance, account, &reading, &stored->version, error);
    if (status != GK_OK) {
        memset(&stored->record, 0, sizeof stored->record);
    } else if (!is_known(instance, account, stored, known)) {
        status = parse(instance, account, stored, error);
    }
    const int64_t noted_ms = (int64_t)reading.last_check_ms;
    const int64_t recorded_ms = stored->record.last_version_check_wall_ms;
    stored->last_version_check_wall_ms = noted_ms > recorded_ms ? noted_ms : recorded_ms;
    stored->has_previous = reading.has_previous;
    return status;
}

enum gk_status gk_account_store_read(const struct gk_instance *instance, const char *account,
                                     struct gk_stored_account *stored, struct gk_error *error)
{
    return read_stored(instance, account, NULL, stored, error);
}

enum gk_status gk_account_store_read_again(const struct gk_instance *instance, const char *account,
                                           const struct gk_account_record_mac *known,
                                           struct gk_stored_account *stored, struct gk_error *error)
{
    return read_stored(instance, account, known, stored, error);
}

enum gk_status gk_account_store_read_parent(const struct gk_instance *instance, const char *scope,
                                            struct gk_id *id, struct gk_error *error)
{
    char name[GK_ACCOUNT_NAME_BYTES_MAX];
    struct gk_stored_account *parent = gk_stored_account_new();
    gk_account_name_parent(scope, name);
    const enum gk_status status = parent == NULL
                                      ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                      : gk_account_store_read(instance, name, parent, error);
    if (status == GK_OK) {
        *id = parent->record.id;
    }
    gk_stored_account_free(&parent);
    return status;
}

/* After a conflict: whether only attributes of others have changed. */
static enum gk_status reread_version(const struct gk_instance *instance, const char *account,
                                     struct gk_stored_account *stored, struct gk_error *error)
{
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    struct reading reading = {.bytes = &bytes};
    uint64_t version = 0;
    enum gk_status status = read_bytes(instance, account, &reading, &version, error);
    const bool was_empty = stored->bytes.len == 0;
    if (status == GK_E_NOT_FOUND && version != 0 && was_empty) {
        status = GK_OK; /* still an object without a record */
    } else if (status == GK_OK &&
               !gk_span_equal(gk_buf_span(&bytes), gk_buf_span(&stored->bytes))) {
        status = was_empty ? gk_fail(error, GK_E_EXISTS, "account %.88s exists already", account)
                           : gk_fail(error, GK_E_CONFLICT,
                                     "account %.88s was changed by somebody else", account);
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
                        "account %.88s is being changed by others; try again", account);
}

static bool has_wrap_by(const struct gk_root_generation *generation, const char *key_id)
{
    for (uint32_t i = 0; i < generation->wraps_count; i++) {
        if (strcasecmp(generation->wraps[i].key_id, key_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the record before may stay beside the next one; see the head of the header. */
static bool may_stay(const struct gk_account_record *before, const struct gk_account_record *next)
{
    bool all = gk_account_record_active(next)->wraps_count > 1;
    for (uint32_t i = 0; all && i < before->generations_count; i++) {
        const struct gk_root_generation *old = &before->generations[i];
        const struct gk_root_generation *now = gk_account_record_generation(next, old->generation);
        for (uint32_t j = 0; all && j < old->wraps_count; j++) {
            all = now != NULL && has_wrap_by(now, old->wraps[j].key_id);
        }
    }
    return all;
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
    next->key_warnings =
        gk_key_warnings_of(next, &instance->settings, gk_instance_now(instance).wall_ms);
    enum gk_status status =
        gk_account_record_serialise(instance->crypto, &instance->keys->record, next, &bytes, error);
    bool stays = false;
    if (status == GK_OK) {
        stays = stored->bytes.len > 0 && may_stay(&stored->record, next);
        const struct gk_span none = {0};
        const struct gk_attr changes[] = {
            {.name = GK_ACCOUNT_ATTR, .value = gk_buf_span(&bytes)},
            {.name = GK_ACCOUNT_ATTR_PREVIOUS, .value = stays ? gk_buf_span(&stored->bytes) : none},
        };
        status = write_guarded(instance, next->account, stored, changes,
                               stays || stored->has_previous ? 2 : 1, error);
    }
    if (status == GK_OK) {
        stored->has_previous = stays;
        struct gk_buf old = stored->bytes;
        stored->bytes = bytes;
        bytes = old;
        gk_key_warnings_tell(instance, next, stored->record.key_warnings);
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
    const struct gk_attr changes[] = {
        {.name = GK_ACCOUNT_ATTR_VERSION_CHECK, .value = gk_span_str(text)},
        {.name = GK_ACCOUNT_ATTR_PREVIOUS, .value = {0}},
    };
    const bool settled = gk_account_record_active(&stored->record)->wraps_count == 1;
    struct gk_error why = {0};
    const enum gk_status status = write_guarded(instance, stored->record.account, stored, changes,
                                                settled && stored->has_previous ? 2 : 1, &why);
    if (status == GK_OK) {
        stored->has_previous = stored->has_previous && !settled;
    } else {
        gk_instance_log(instance, GK_LOG_WARNING,
                        "account %s: the time of its version check is not kept: %s",
                        stored->record.account, why.message);
    }
    stored->last_version_check_wall_ms = wall_ms;
}
