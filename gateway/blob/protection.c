/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/protection.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/text.h"

#define BLOB_KIND "b/"

/* --- marks --------------------------------------------------------------------------------------*/

enum gk_status gk_protection_mark(struct gk_change_list *changes,
                                  const struct gk_blob_record *record, struct gk_error *error)
{
    struct gk_id value;
    if (!gk_immutability_field.given(&record->immutability)) {
        return GK_OK;
    }
    if (!gk_id_random(&value)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a mark");
    }
    struct gk_buf key;
    struct gk_buf bytes;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&bytes, sizeof value);
    gk_buf_append_str(&key, GK_PROTECTED_KEY);
    gk_append_id(&bytes, &value);
    gk_changes_set(changes, &key, &bytes);
    return GK_OK;
}

/* Of one shard. */
struct mark {
    char shard[GK_INDEX_NAME_BYTES];
    struct gk_buf value; /* empty when there is none */
};

static bool take_mark(void *ctx, struct gk_span key, struct gk_span value)
{
    struct mark *mark = ctx;
    (void)key;
    gk_buf_append(&mark->value, value.data, value.len);
    return false;
}

static enum gk_status read_marks(const struct gk_request *request,
                                 const struct gk_container *container, struct mark *marks,
                                 struct gk_error *error)
{
    struct gk_map_walk *walks = calloc(container->shards, sizeof *walks);
    if (walks == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (uint32_t i = 0; i < container->shards; i++) {
        gk_index_name(&container->id, i, marks[i].shard);
        gk_buf_init(&marks[i].value, sizeof(struct gk_id));
        walks[i] =
            (struct gk_map_walk){.object = marks[i].shard,
                                 .range = {.prefix = gk_span_str(GK_PROTECTED_KEY), .limit = 1},
                                 .visit = take_mark,
                                 .ctx = &marks[i]};
    }
    enum gk_status status = gk_store_map_walk_many(request->gateway->store, GK_POOL_META, walks,
                                                   container->shards, error);
    if (status == GK_E_NOT_FOUND) { /* removed already, by another Delete Container */
        gk_error_clear(error);
        status = GK_OK;
    }
    free(walks);
    return status;
}

/* --- the blobs of a marked shard ----------------------------------------------------------------*/

struct search {
    const struct gk_request *request;
    const struct gk_container *container;
    enum gk_status status;
    struct gk_error *error;
};

static enum gk_status check_record(const struct search *search, const struct gk_blob_record *record)
{
    const int64_t now = gk_clock_wall_ms(&search->request->gateway->clock);
    if (gk_immutability_check(&record->immutability, now, NULL) == GK_OK) {
        return GK_OK;
    }
    return gk_refuse(search->error, 409,
                     record->immutability.legal_hold ? "ContainerHasLegalHold"
                                                     : "ContainerImmutabilityPolicyLocked");
}

static bool check_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct search *search = ctx;
    struct gk_blob_record record = {.state = GK_BLOB_COMMITTED};
    struct gk_buf open;
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    const struct gk_place place =
        gk_index_place(search->request, &search->container->id, GK_VALUE_BLOB, key);
    search->status = gk_value_open(&place, value, &open, search->error);
    if (search->status == GK_OK) {
        search->status = gk_blob_record_decode(gk_buf_span(&open), &record, search->error);
    }
    if (search->status == GK_OK) {
        search->status = check_record(search, &record);
    }
    gk_blob_record_cleanup(&record);
    gk_buf_cleanup(&open);
    return search->status == GK_OK;
}

static enum gk_status remove_mark(const struct gk_request *request, const struct mark *mark,
                                  struct gk_error *error)
{
    const struct gk_guard guard = {.kind = GK_GUARD_MAP_EQUAL,
                                   .key = gk_span_str(GK_PROTECTED_KEY),
                                   .value = gk_buf_span(&mark->value)};
    const struct gk_change change = {.kind = GK_CHANGE_MAP_REMOVE,
                                     .key = gk_span_str(GK_PROTECTED_KEY)};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = mark->shard,
                                   .guards = &guard,
                                   .guards_count = 1,
                                   .changes = &change,
                                   .changes_count = 1};
    return gk_store_write(request->gateway->store, &op, NULL, error);
}

static enum gk_status clear_shard(const struct gk_request *request,
                                  const struct gk_container *container, const struct mark *mark,
                                  struct gk_error *error)
{
    static const char *const kinds[] = {BLOB_KIND, GK_STATE_KIND};
    struct search search = {.request = request, .container = container, .error = error};
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && status == GK_OK; i++) {
        const struct gk_map_range records = {.prefix = gk_span_str(kinds[i])};
        status = gk_store_map_walk(request->gateway->store, GK_POOL_META, mark->shard, &records,
                                   check_row, &search, error);
        if (status == GK_OK) {
            status = search.status;
        }
    }
    return status == GK_OK ? remove_mark(request, mark, error) : status;
}

enum gk_status gk_protection_check(const struct gk_request *request,
                                   const struct gk_container *container, struct gk_error *error)
{
    struct mark *marks = calloc(container->shards, sizeof *marks);
    if (marks == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = read_marks(request, container, marks, error);
    for (uint32_t i = 0; i < container->shards && status == GK_OK; i++) {
        if (marks[i].value.len > 0) {
            status = clear_shard(request, container, &marks[i], error);
        }
    }
    for (uint32_t i = 0; i < container->shards; i++) {
        gk_buf_cleanup(&marks[i].value);
    }
    free(marks);
    return status;
}
