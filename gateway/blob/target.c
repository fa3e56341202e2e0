/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/target.h"

#include <stdio.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/container_cache.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/index.h"
#include "gateway/blob/lease_headers.h"
#include "gateway/blob/tag_query.h"
#include "gateway/http/key_policy.h"
#include "gateway/metrics.h"

static const struct gk_plugin *plugin_of(const struct gk_request *request)
{
    return request->gateway->host->plugin;
}

/* --- containers ---------------------------------------------------------------------------------*/

struct gk_place gk_container_place(const struct gk_request *request, struct gk_span key)
{
    return gk_index_place(request, &request->account->id, GK_VALUE_CONTAINER, key);
}

enum gk_status gk_container_target_read(struct gk_request *request,
                                        struct gk_container_target *target, struct gk_span key,
                                        struct gk_error *error)
{
    enum gk_status status = gk_value_get(request->gateway->store, request->account->object, key,
                                         &target->stored, error);
    if (status == GK_E_NOT_FOUND) {
        return gk_refuse(error, 404, "ContainerNotFound");
    }
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    if (status == GK_OK) {
        const struct gk_place place = gk_container_place(request, key);
        status = gk_value_open(&place, gk_buf_span(&target->stored), &open, error);
    }
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), &target->container, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

void gk_container_target_init(struct gk_container_target *target)
{
    memset(target, 0, sizeof *target);
    gk_buf_init(&target->key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&target->stored, GK_CONTAINER_RECORD_BYTES_MAX);
}

enum gk_status gk_container_name_check(const struct gk_request *request, struct gk_error *error)
{
    if (!gk_container_name_length_valid(request->container)) {
        return gk_fail_http(error, GK_E_INVALID, 400, "OutOfRangeInput",
                            "The specified resource name length is not within the permissible "
                            "limits.");
    }
    return gk_container_name_valid(request->container)
               ? GK_OK
               : gk_refuse(error, 400, "InvalidResourceName");
}

enum gk_status gk_container_target_load(struct gk_request *request,
                                        struct gk_container_target *target, struct gk_error *error)
{
    gk_container_target_init(target);
    const enum gk_status status = gk_container_name_check(request, error);
    if (status != GK_OK) {
        return gk_container_name_is_of_logs(request->container)
                   ? gk_refuse(error, 404, "ContainerNotFound")
                   : status;
    }
    gk_container_key(&target->key, request->container);
    return gk_container_target_read(request, target, gk_buf_span(&target->key), error);
}

void gk_container_target_cleanup(struct gk_container_target *target)
{
    gk_container_cleanup(&target->container);
    gk_buf_cleanup(&target->key);
    gk_buf_cleanup(&target->stored);
}

/* --- containers by the cache --------------------------------------------------------------------*/

static struct gk_container_cache_key cache_key(const struct gk_request *request)
{
    return (struct gk_container_cache_key){.account = request->account->id,
                                           .container = request->container};
}

static enum gk_status find_container(struct gk_request *request, struct gk_container_ref *ref,
                                     struct gk_error *error)
{
    struct gk_container_cache *cache = request->gateway->containers;
    const struct gk_container_cache_key key = cache_key(request);
    uint64_t ticket = 0;
    const bool hit = gk_container_cache_find(cache, &key, ref, &ticket);
    gk_metrics_count(
        "gatekey_cache_lookups_total",
        hit ? "cache=\"containers\",result=\"hit\"" : "cache=\"containers\",result=\"miss\"", 1);
    if (hit) {
        return GK_OK;
    }
    struct gk_container_target target;
    const enum gk_status status = gk_container_target_load(request, &target, error);
    if (status == GK_OK) {
        *ref = (struct gk_container_ref){.id = target.container.id,
                                         .shards = target.container.shards,
                                         .opening = target.container.life.opening,
                                         .encryption = target.container.encryption};
        gk_container_cache_put(cache, &key, ref, ticket);
    }
    gk_container_target_cleanup(&target);
    return status;
}

/* The shard that target names has another door, or is not there. Who knows why is the container's record. */
static enum gk_status container_gone(struct gk_request *request,
                                     const struct gk_blob_target *target, bool closed,
                                     struct gk_error *error)
{
    const struct gk_container_cache_key key = cache_key(request);
    struct gk_container_ref ref;
    gk_error_clear(error);
    gk_container_cache_drop(request->gateway->containers, &key);
    const enum gk_status status = find_container(request, &ref, error);
    if (status != GK_OK) {
        return status;
    }
    if (!gk_id_equal(&ref.id, &target->container) || ref.opening != target->opening) {
        return gk_fail(error, GK_E_CONFLICT, "another container has the name by now");
    }
    return closed ? gk_refuse(error, 409, "ContainerBeingDeleted")
                  : gk_fail(error, GK_E_INTEGRITY, "%s is missing", target->index);
}

/* --- blobs --------------------------------------------------------------------------------------*/

struct gk_place gk_index_place(const struct gk_request *request, const struct gk_id *container,
                               const char *kind, struct gk_span key)
{
    return (struct gk_place){.plugin = plugin_of(request),
                             .account = request->account->handle,
                             .kind = kind,
                             .container = *container,
                             .key = key};
}

struct gk_place gk_blob_place(const struct gk_request *request, const struct gk_blob_target *target)
{
    return gk_index_place(request, &target->container, GK_VALUE_BLOB, gk_buf_span(&target->key));
}

/* Accepting these and doing without them would be a lie about where and how data is kept. */
static enum gk_status refuse_unserved(const struct gk_request *request, struct gk_error *error)
{
    static const char *const headers[] = {"x-ms-expiry-option", "x-ms-structured-body"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const bool its_own = i == 0 && request->operation == GK_OP_BLOB_SET_BLOB_EXPIRY;
        if (!its_own && gk_request_header(request, headers[i]) != NULL) {
            return gk_refuse_because(error, 400, "UnsupportedHeader", "Header: %s", headers[i]);
        }
    }
    return GK_OK;
}

/* The operations that a state can be named to. */
static bool takes_state(enum gk_operation operation)
{
    static const enum gk_operation operations[] = {GK_OP_BLOB_GET_BLOB,
                                                   GK_OP_BLOB_QUERY_BLOB_CONTENTS,
                                                   GK_OP_BLOB_GET_BLOB_PROPERTIES,
                                                   GK_OP_BLOB_GET_BLOB_METADATA,
                                                   GK_OP_BLOB_GET_BLOCK_LIST,
                                                   GK_OP_BLOB_GET_PAGE_RANGES,
                                                   GK_OP_BLOB_GET_BLOB_TAGS,
                                                   GK_OP_BLOB_SET_BLOB_TAGS,
                                                   GK_OP_BLOB_DELETE_BLOB,
                                                   GK_OP_BLOB_SET_BLOB_TIER,
                                                   GK_OP_BLOB_SET_BLOB_IMMUTABILITY_POLICY,
                                                   GK_OP_BLOB_DELETE_BLOB_IMMUTABILITY_POLICY,
                                                   GK_OP_BLOB_SET_BLOB_LEGAL_HOLD};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (operations[i] == operation) {
            return true;
        }
    }
    return false;
}

static enum gk_status read_state_name(const struct gk_request *request,
                                      struct gk_blob_target *target, struct gk_error *error)
{
    const char *snapshot = gk_request_query(request, "snapshot");
    const char *version = gk_request_query(request, "versionid");
    const char *time = snapshot != NULL ? snapshot : version;
    if (time == NULL) {
        return GK_OK;
    }
    if (!takes_state(request->operation) || (snapshot != NULL && version != NULL)) {
        return gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                 "Neither a snapshot nor a version can be written to.");
    }
    target->kind = snapshot != NULL ? GK_STATE_SNAPSHOT : GK_STATE_VERSION;
    return gk_state_time_parse(time, &target->time)
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                   "It is no time of a snapshot or version: %s",
                                   snapshot != NULL ? "snapshot" : "versionid");
}

/* What one read of a shard brings. */
struct found {
    struct gk_buf *record;
    struct gk_buf *floor;
    struct gk_buf *beside;
    bool exists;
    struct gk_index_door door;
};

static bool take_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct found *found = ctx;
    switch (key.data[0]) {
    case 'x':
        found->door = gk_index_door_of(value);
        break;
    case 'b':
    case 'v':
        found->exists = true;
        gk_buf_append(found->record, value.data, value.len);
        break;
    case 'y':
        gk_buf_append(found->floor, value.data, value.len);
        break;
    default:
        gk_buf_append(found->beside, value.data, value.len);
    }
    return true;
}

/* Which rows of a shard are read: its door always, with a record the floor of the account's data keys. */
enum rows { ROW_DOOR = 1, ROWS_RECORD = 3, ROWS_CONTENT = 4 };

/* The rows that are wanted: of one state, in one read. */
static enum gk_status read_rows(const struct gk_request *request,
                                const struct gk_blob_target *target, enum rows rows,
                                struct found *found, struct gk_error *error)
{
    struct gk_buf beside;
    gk_buf_init(&beside, GK_MAP_KEY_BYTES_MAX);
    gk_blob_data_key(&beside, gk_buf_span(&target->key));
    const struct gk_span keys[] = {gk_span_str(GK_DOOR_KEY), gk_buf_span(&target->key),
                                   gk_span_str(GK_FLOOR_KIND), gk_buf_span(&beside)};
    const enum gk_status status =
        gk_store_map_find(request->gateway->store, GK_POOL_META, target->index, keys, (size_t)rows,
                          take_row, found, error);
    gk_buf_cleanup(&beside);
    return status;
}

/* Who gave the container its name did not come to its end. */
static enum gk_status open_door(struct gk_request *request, const struct gk_blob_target *target,
                                const struct gk_index_door *ours, enum rows rows,
                                struct found *found, struct gk_error *error)
{
    enum gk_status status = gk_index_raise(request->gateway->store, target->index, ours, error);
    if (rows != ROW_DOOR) {
        gk_buf_reset(found->record);
        gk_buf_reset(found->floor);
        gk_buf_reset(found->beside);
    }
    found->exists = false;
    return status == GK_OK ? read_rows(request, target, rows, found, error) : status;
}

/* The rows that are wanted, of a shard that is open. */
static enum gk_status read_shard(struct gk_request *request, const struct gk_blob_target *target,
                                 enum rows rows, struct found *found, struct gk_error *error)
{
    const struct gk_index_door ours = {.opening = target->opening};
    enum gk_status status = read_rows(request, target, rows, found, error);
    if (status == GK_OK && gk_index_door_compare(&found->door, &ours) < 0) {
        status = open_door(request, target, &ours, rows, found, error);
    }
    if (status == GK_E_NOT_FOUND ||
        (status == GK_OK && gk_index_door_compare(&found->door, &ours) != 0)) {
        return container_gone(request, target, found->door.closed, error);
    }
    return status;
}

enum gk_status gk_blob_write_refused(struct gk_request *request,
                                     const struct gk_blob_target *target, enum gk_status status,
                                     struct gk_error *error)
{
    struct found found = {.exists = false};
    const enum gk_status shard = read_shard(request, target, ROW_DOOR, &found, error);
    return shard == GK_OK ? status : shard;
}

static enum gk_status read_blob(struct gk_request *request, struct gk_blob_target *target,
                                enum rows rows, struct gk_error *error)
{
    struct found found = {
        .record = &target->stored, .floor = &target->floor, .beside = &target->beside};
    enum gk_status status = read_shard(request, target, rows, &found, error);
    if (status != GK_OK || !found.exists) {
        return status;
    }
    if (gk_buf_status(&target->stored) != GK_OK) {
        return gk_value_too_long(&target->stored, target->index, error);
    }
    if (gk_buf_status(&target->beside) != GK_OK) {
        return gk_value_too_long(&target->beside, target->index, error);
    }
    return gk_blob_target_open(request, target, error);
}

bool gk_blob_has_ended(const struct gk_request *request, const struct gk_blob_record *record)
{
    if (record->lifetime.ends_wall_ms == 0) {
        return false;
    }
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    return gk_lifetime_is_over(&record->lifetime, now) &&
           gk_immutability_check(&record->immutability, now, NULL) == GK_OK;
}

enum gk_status gk_blob_target_open(const struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error)
{
    const struct gk_place place = gk_blob_place(request, target);
    struct gk_blob_record *record = &target->record;
    struct gk_buf open;
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_cleanup(record);
    enum gk_status status = gk_value_open(&place, gk_buf_span(&target->stored), &open, error);
    if (status == GK_OK) {
        status = gk_blob_record_decode(gk_buf_span(&open), record, error);
    }
    gk_buf_cleanup(&open);
    const enum gk_state_kind kind = gk_is_state_key(place.key) ? target->kind : GK_STATE_BASE;
    target->exists = status == GK_OK && record->state != GK_BLOB_GONE;
    const bool live = target->exists && record->state == GK_BLOB_COMMITTED &&
                      record->history.kind == kind && record->history.deleted_wall_ms == 0;
    target->ended = live && gk_blob_has_ended(request, record);
    target->committed = live && !target->ended;
    if (target->ended) {
        record->lease = (struct gk_lease){0};
    }
    return status;
}

enum gk_status gk_blob_target_locate(struct gk_request *request, struct gk_blob_target *target,
                                     struct gk_error *error)
{
    memset(target, 0, sizeof *target);
    gk_buf_init(&target->key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&target->stored, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&target->floor, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&target->beside, GK_CHUNK_SEALED_BYTES);
    if (!gk_blob_name_valid(request->blob)) {
        return gk_refuse(error, 400, "InvalidResourceName");
    }
    struct gk_container_ref container;
    enum gk_status status = find_container(request, &container, error);
    if (status == GK_OK) {
        status = refuse_unserved(request, error);
    }
    if (status == GK_OK) {
        status = gk_encryption_headers_check(request, error);
    }
    if (status == GK_OK) {
        status = read_state_name(request, target, error);
    }
    if (status != GK_OK) {
        return status;
    }
    target->container = container.id;
    target->opening = container.opening;
    target->for_new = container.encryption;
    target->shard = gk_index_shard(gk_span_str(request->blob), container.shards);
    gk_index_name(&target->container, target->shard, target->index);
    gk_blob_key(&target->key, request->blob);
    return GK_OK;
}

/* What was read. */
static void forget(struct gk_blob_target *target)
{
    gk_blob_record_cleanup(&target->record);
    gk_buf_reset(&target->stored);
    gk_buf_reset(&target->floor);
    gk_buf_reset(&target->beside);
    target->exists = false;
    target->committed = false;
    target->ended = false;
}

/* What comes in the place of all that is there has nothing to do with the key of that. */
static bool replaces(enum gk_operation operation)
{
    static const enum gk_operation operations[] = {
        GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, GK_OP_BLOB_PUT_BLOB_PAGEBLOB, GK_OP_BLOB_PUT_BLOB_APPENDBLOB,
        GK_OP_BLOB_PUT_BLOB_FROM_URL,  GK_OP_BLOB_COPY_BLOB,         GK_OP_BLOB_COPY_BLOB_FROM_URL};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (operations[i] == operation) {
            return true;
        }
    }
    return false;
}

/* Whether the record that was read is the one that the request names. */
static bool is_named(const struct gk_blob_target *target)
{
    return gk_is_state_key(gk_buf_span(&target->key)) || target->kind == GK_STATE_BASE ||
           gk_blob_is_named_version(target);
}

static enum gk_status check_incremental(const struct gk_request *request,
                                        const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_blob_record *record = &target->record;
    return !target->committed || !is_named(target) ||
                   gk_incremental_allows(&record->incremental, &record->history, request->operation)
               ? GK_OK
               : gk_refuse(error, 409, "OperationNotAllowedOnIncrementalCopyBlob");
}

/* The account's key was asked for before anything was read; that of the blob's scope can be now. What needs
 * none does not even look for the scope: a blob whose scope is lost can be deleted. */
static enum gk_status check_scope(const struct gk_request *request, struct gk_blob_target *target,
                                  struct gk_error *error)
{
    return target->exists && !replaces(request->operation) && gk_key_policy_needs_key(request)
               ? gk_blob_use_scope(request, target, error)
               : GK_OK;
}

/* What was read, before anything is done with it. */
static enum gk_status check_found(const struct gk_request *request, struct gk_blob_target *target,
                                  struct gk_error *error)
{
    const enum gk_status status = check_incremental(request, target, error);
    return status == GK_OK ? check_scope(request, target, error) : status;
}

enum gk_status gk_blob_target_read(struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error)
{
    forget(target);
    const enum gk_status status = read_blob(request, target, ROWS_RECORD, error);
    return status == GK_OK ? check_found(request, target, error) : status;
}

void gk_blob_target_name(struct gk_blob_target *target, const struct gk_id *container,
                         uint32_t shard, struct gk_span name)
{
    *target = (struct gk_blob_target){.container = *container, .shard = shard};
    gk_index_name(container, shard, target->index);
    gk_buf_init(&target->key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&target->stored, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&target->floor, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&target->beside, GK_CHUNK_SEALED_BYTES);
    gk_buf_append_str(&target->key, "b/");
    gk_buf_append(&target->key, name.data, name.len);
}

enum gk_status gk_blob_target_fetch(const struct gk_request *request, struct gk_blob_target *target,
                                    bool *closed, struct gk_error *error)
{
    struct found found = {
        .record = &target->stored, .floor = &target->floor, .beside = &target->beside};
    forget(target);
    enum gk_status status = read_rows(request, target, ROWS_RECORD, &found, error);
    target->opening = found.door.opening;
    *closed = found.door.closed;
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    if (status == GK_OK && gk_buf_status(&target->stored) != GK_OK) {
        status = gk_value_too_long(&target->stored, target->index, error);
    }
    return status == GK_OK && found.exists ? gk_blob_target_open(request, target, error) : status;
}

bool gk_blob_is_named_version(const struct gk_blob_target *base)
{
    return base->kind == GK_STATE_VERSION && base->committed &&
           base->record.history.version == base->time;
}

/* From the base to the state that the request names. */
static void turn_to_state(struct gk_blob_target *target)
{
    struct gk_buf key;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_state_key(&key, gk_buf_span(&target->key), target->time);
    gk_buf_cleanup(&target->key);
    target->key = key;
}

static enum gk_status locate_and_read(struct gk_request *request, struct gk_blob_target *target,
                                      enum rows rows, struct gk_error *error)
{
    enum gk_status status = gk_blob_target_locate(request, target, error);
    if (status == GK_OK && target->kind == GK_STATE_VERSION) {
        /* The base first: a version goes from there to the states, and never back. */
        status = read_blob(request, target, rows, error);
        if (status == GK_OK && gk_blob_is_named_version(target)) {
            return check_found(request, target, error);
        }
        if (status != GK_OK) {
            return status;
        }
        forget(target);
    }
    if (status == GK_OK && target->kind != GK_STATE_BASE) {
        turn_to_state(target);
    }
    if (status == GK_OK) {
        status = read_blob(request, target, rows, error);
    }
    return status == GK_OK ? check_found(request, target, error) : status;
}

static enum gk_status load_rows(struct gk_request *request, struct gk_blob_target *target,
                                enum rows rows, struct gk_error *error)
{
    enum gk_status status = locate_and_read(request, target, rows, error);
    if (status == GK_E_CONFLICT) {
        gk_error_clear(error);
        gk_blob_target_cleanup(target);
        status = locate_and_read(request, target, rows, error);
    }
    return status;
}

enum gk_status gk_blob_target_load(struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error)
{
    return load_rows(request, target, ROWS_RECORD, error);
}

enum gk_status gk_blob_target_load_existing(struct gk_request *request,
                                            struct gk_blob_target *target, struct gk_error *error)
{
    const enum gk_status status = load_rows(request, target, ROWS_RECORD, error);
    return status != GK_OK || target->committed ? status : gk_refuse(error, 404, "BlobNotFound");
}

enum gk_status gk_blob_target_load_content(struct gk_request *request,
                                           struct gk_blob_target *target, struct gk_error *error)
{
    const enum gk_status status = load_rows(request, target, ROWS_CONTENT, error);
    return status != GK_OK || target->committed ? status : gk_refuse(error, 404, "BlobNotFound");
}

void gk_blob_target_cleanup(struct gk_blob_target *target)
{
    gk_blob_record_cleanup(&target->record);
    gk_buf_cleanup(&target->key);
    gk_buf_cleanup(&target->stored);
    gk_buf_cleanup(&target->floor);
    gk_buf_cleanup(&target->beside);
    if (target->scope.handle != NULL) {
        target->scope.plugin->account_release(target->scope.handle);
        target->scope.handle = NULL;
    }
}

struct gk_guard gk_blob_guard(const struct gk_blob_target *target)
{
    return (struct gk_guard){.kind =
                                 target->stored.len > 0 ? GK_GUARD_MAP_EQUAL : GK_GUARD_MAP_ABSENT,
                             .key = gk_buf_span(&target->key),
                             .value = gk_buf_span(&target->stored)};
}

enum gk_status gk_blob_check_type(const struct gk_blob_target *target, enum gk_blob_type type,
                                  struct gk_error *error)
{
    return target->committed && target->record.kind.type != type
               ? gk_refuse(error, 409, "InvalidBlobType")
               : GK_OK;
}

/* --- conditions --------------------------------------------------------------------------------*/

/* x-ms-if-tags. A blob that is not there has no tags. */
static enum gk_status check_tags(const struct gk_request *request,
                                 const struct gk_blob_target *target, struct gk_error *error)
{
    const char *condition = gk_request_header(request, "x-ms-if-tags");
    struct gk_tag_query query;
    struct gk_tag_fault fault;
    if (condition == NULL) {
        return GK_OK;
    }
    if ((request->permissions & GK_PERMIT_TAGS) == 0) {
        return gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    enum gk_status status = GK_OK;
    if (!gk_tag_query_parse(condition, GK_TAG_CONDITION, &query, &fault)) {
        status =
            gk_refuse_because(error, 400, "InvalidHeaderValue",
                              "Header: x-ms-if-tags, at character %zu: %s", fault.at, fault.why);
    } else if (!target->committed || !gk_tag_query_matches(&query, "", &target->record.tags)) {
        status = gk_refuse(error, 412, "ConditionNotMet");
    }
    gk_tag_query_cleanup(&query);
    return status;
}

enum gk_status gk_blob_conditions_but_lease(const struct gk_request *request,
                                            const struct gk_blob_target *target,
                                            enum gk_access access, struct gk_error *error)
{
    const struct gk_current current = {.exists = target->committed,
                                       .etag = target->record.etag,
                                       .modified_wall_ms = target->record.modified_wall_ms};
    const enum gk_status status = gk_conditions_check(request, access, &current, error);
    return status == GK_OK ? check_tags(request, target, error) : status;
}

enum gk_status gk_blob_lease_check(const struct gk_request *request,
                                   const struct gk_blob_target *target, enum gk_access access,
                                   struct gk_error *error)
{
    return gk_lease_check(request, &target->record.lease, access, GK_LEASE_OF_BLOB, error);
}

enum gk_status gk_blob_conditions(const struct gk_request *request,
                                  const struct gk_blob_target *target, enum gk_access access,
                                  struct gk_error *error)
{
    enum gk_status status = gk_blob_conditions_but_lease(request, target, access, error);
    if (status == GK_OK) {
        status = gk_blob_lease_check(request, target, access, error);
    }
    if (status == GK_OK && access == GK_ACCESS_WRITE) {
        status = gk_immutability_check(&target->record.immutability,
                                       gk_clock_wall_ms(&request->gateway->clock), error);
    }
    return status == GK_OK && access == GK_ACCESS_WRITE ? gk_blob_pending_check(target, error)
                                                        : status;
}

enum gk_status gk_blob_pending_check(const struct gk_blob_target *target, struct gk_error *error)
{
    return target->committed && target->record.copy.unfinished.status == GK_COPY_PENDING
               ? gk_refuse(error, 409, "PendingCopyOperation")
               : GK_OK;
}

enum gk_status gk_blob_online_check(const struct gk_request *request,
                                    const struct gk_blob_target *target, struct gk_error *error)
{
    return gk_tier_check_online(target->record.tier, &target->record.tier_times,
                                gk_clock_wall_ms(&request->gateway->clock), error);
}

enum gk_status gk_blob_may_replace(const struct gk_request *request,
                                   const struct gk_blob_target *target, struct gk_error *error)
{
    const enum gk_status status = gk_blob_conditions(request, target, GK_ACCESS_WRITE, error);
    return status == GK_OK && target->committed && (request->permissions & GK_PERMIT_WRITE) == 0
               ? gk_refuse(error, 403, "UnauthorizedBlobOverwrite")
               : status;
}
