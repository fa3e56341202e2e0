/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/removal.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/writer.h"

#define STEP 512u /* objects or map entries that go at once */

/* --- data objects -------------------------------------------------------------------------------*/

/* Names of data objects that go together. */
struct some_names {
    char prefix[GK_DATA_NAME_BYTES]; /* of those that are listed */
    size_t count;
    char names[STEP][GK_DATA_NAME_BYTES];
};

static enum gk_status remove_names(struct gk_store *store, struct some_names *some,
                                   struct gk_error *error)
{
    const char *names[STEP];
    for (size_t i = 0; i < some->count; i++) {
        names[i] = some->names[i];
    }
    const size_t count = some->count;
    some->count = 0;
    return count == 0 ? GK_OK : gk_store_remove(store, GK_POOL_DATA, names, count, error);
}

/* Adds a segment's objects, removing what has come together whenever some is full. */
static enum gk_status add_segment(struct gk_store *store, struct some_names *some,
                                  const struct gk_id *container, const struct gk_id *segment,
                                  uint64_t length, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    const uint64_t objects = gk_segment_objects(length);
    for (uint64_t at = 0; at < objects && status == GK_OK; at++) {
        gk_data_name(container, segment, at, some->names[some->count++]);
        if (some->count == STEP) {
            status = remove_names(store, some, error);
        }
    }
    return status;
}

static bool collect_name(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct some_names *some = ctx;
    const size_t prefix = strlen(some->prefix);
    if (key.len < GK_DATA_NAME_BYTES && key.len > prefix &&
        memcmp(key.data, some->prefix, prefix) == 0) {
        memcpy(some->names[some->count], key.data, key.len);
        some->names[some->count][key.len] = '\0';
        some->count++;
    }
    return some->count < STEP;
}

/* Everything in the data pool whose name begins with the container's. */
static enum gk_status remove_data(struct gk_store *store, const struct gk_id *container,
                                  struct gk_error *error)
{
    struct some_names *some = calloc(1, sizeof *some);
    if (some == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_data_prefix(container, some->prefix);
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    enum gk_status status = GK_OK;
    do {
        status = gk_store_list(store, GK_POOL_DATA, &cursor, collect_name, some, error);
        if (status == GK_OK) {
            status = remove_names(store, some, error);
        }
    } while (status == GK_OK && cursor.len > 0);
    gk_buf_cleanup(&cursor);
    free(some);
    return status;
}

enum gk_status gk_removal_container(struct gk_store *store, const struct gk_id *container,
                                    struct gk_error *error)
{
    char index[GK_INDEX_NAME_BYTES];
    const char *names[] = {index};
    gk_index_name(container, index);
    const enum gk_status status = gk_store_remove(store, GK_POOL_META, names, 1, error);
    return status == GK_OK ? remove_data(store, container, error) : status;
}

/* --- map entries --------------------------------------------------------------------------------*/

/* A few entries of a map, copied out of a walk. */
struct some_entries {
    size_t count;
    struct gk_buf keys[STEP];
    struct gk_buf values[STEP];
};

static bool collect_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    struct some_entries *some = ctx;
    gk_buf_init(&some->keys[some->count], GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&some->values[some->count], GK_MAP_VALUE_BYTES_MAX);
    gk_buf_append(&some->keys[some->count], key.data, key.len);
    gk_buf_append(&some->values[some->count], value.data, value.len);
    some->count++;
    return some->count < STEP;
}

static void forget_entries(struct some_entries *some)
{
    for (size_t i = 0; i < some->count; i++) {
        gk_buf_cleanup(&some->keys[i]);
        gk_buf_cleanup(&some->values[i]);
    }
    some->count = 0;
}

static enum gk_status remove_entries(struct gk_store *store, const char *object,
                                     const struct some_entries *some, struct gk_error *error)
{
    struct gk_change changes[STEP];
    for (size_t i = 0; i < some->count; i++) {
        changes[i] =
            (struct gk_change){.kind = GK_CHANGE_MAP_REMOVE, .key = gk_buf_span(&some->keys[i])};
    }
    const struct gk_guard exists = {.kind = GK_GUARD_EXISTS};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = object,
                                   .guards = &exists,
                                   .guards_count = 1,
                                   .changes = changes,
                                   .changes_count = some->count};
    return gk_store_write(store, &op, NULL, error);
}

/* What an entry's value refers to goes before the entry. Of one that is not what was written nobody
 * knows what it refers to. */
typedef enum gk_status before_fn(const struct gk_removal *removal, const struct gk_id *container,
                                 struct gk_span key, struct gk_span value, struct some_names *names,
                                 struct gk_error *error);

static enum gk_status remove_prefix(const struct gk_removal *removal, const struct gk_id *container,
                                    struct gk_span prefix, before_fn *before,
                                    struct some_names *names, struct gk_error *error)
{
    char index[GK_INDEX_NAME_BYTES];
    gk_index_name(container, index);
    struct some_entries *some = calloc(1, sizeof *some);
    if (some == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const struct gk_map_range range = {.prefix = prefix};
    enum gk_status status = GK_OK;
    size_t count = 0;
    do {
        status = gk_store_map_walk(removal->store, GK_POOL_META, index, &range, collect_entry, some,
                                   error);
        count = some->count;
        for (size_t i = 0; i < count && status == GK_OK && before != NULL; i++) {
            status = before(removal, container, gk_buf_span(&some->keys[i]),
                            gk_buf_span(&some->values[i]), names, error);
            if (status == GK_E_INTEGRITY) {
                gk_log(GK_LOG_WARNING, "reaper",
                       "%s: data of a damaged entry stays until its container is deleted: %s",
                       index, error->message);
                gk_error_clear(error);
                status = GK_OK;
            }
        }
        if (status == GK_OK) {
            status = remove_names(removal->store, names, error);
        }
        if (status == GK_OK && count > 0) {
            status = remove_entries(removal->store, index, some, error);
        }
        forget_entries(some);
    } while (status == GK_OK && count == STEP);
    free(some);
    return status;
}

static struct gk_place place_of(const struct gk_removal *removal, const struct gk_id *container,
                                const char *kind, struct gk_span key)
{
    return (struct gk_place){.plugin = removal->plugin,
                             .account = removal->account,
                             .kind = kind,
                             .container = *container,
                             .key = key};
}

static enum gk_status remove_staged_data(const struct gk_removal *removal,
                                         const struct gk_id *container, struct gk_span key,
                                         struct gk_span value, struct some_names *names,
                                         struct gk_error *error)
{
    const struct gk_place place = place_of(removal, container, GK_VALUE_STAGED, key);
    struct gk_staged staged;
    struct gk_buf open;
    gk_buf_init(&open, GK_STAGED_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, error);
    if (status == GK_OK) {
        status = gk_staged_decode(gk_buf_span(&open), &staged, error);
    }
    if (status == GK_OK) {
        status =
            add_segment(removal->store, names, container, &staged.segment, staged.length, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status remove_page_data(const struct gk_removal *removal,
                                       const struct gk_id *container, struct gk_span key,
                                       struct gk_span value, struct some_names *names,
                                       struct gk_error *error)
{
    const struct gk_place place = place_of(removal, container, GK_VALUE_MANIFEST, key);
    struct gk_manifest_entry *entries = NULL;
    uint32_t count = 0;
    struct gk_buf open;
    gk_buf_init(&open, GK_MANIFEST_PAGE_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, error);
    if (status == GK_OK) {
        status = gk_manifest_page_decode(gk_buf_span(&open), &entries, &count, error);
    }
    for (uint32_t i = 0; i < count && status == GK_OK; i++) {
        status = add_segment(removal->store, names, container, &entries[i].segment,
                             entries[i].length, error);
    }
    free(entries);
    gk_buf_cleanup(&open);
    return status;
}

/* --- garbage ------------------------------------------------------------------------------------*/

static enum gk_status remove_item(const struct gk_removal *removal, const struct gk_id *container,
                                  const struct gk_garbage_item *item, struct some_names *names,
                                  struct gk_error *error)
{
    struct gk_buf prefix;
    enum gk_status status = GK_OK;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    switch (item->kind) {
    case GK_GARBAGE_SEGMENT:
        status = add_segment(removal->store, names, container, &item->id, item->number, error);
        break;
    case GK_GARBAGE_STAGED:
    case GK_GARBAGE_STAGED_ENTRIES:
        gk_staged_prefix(&prefix, &item->id, (uint32_t)item->number);
        status = remove_prefix(removal, container, gk_buf_span(&prefix),
                               item->kind == GK_GARBAGE_STAGED ? remove_staged_data : NULL, names,
                               error);
        break;
    case GK_GARBAGE_MANIFEST:
    case GK_GARBAGE_MANIFEST_ENTRIES:
        gk_manifest_prefix(&prefix, &item->id);
        status = remove_prefix(removal, container, gk_buf_span(&prefix),
                               item->kind == GK_GARBAGE_MANIFEST ? remove_page_data : NULL, names,
                               error);
        break;
    case GK_GARBAGE_CONTAINER:
        status = gk_removal_container(removal->store, &item->id, error);
        break;
    }
    gk_buf_cleanup(&prefix);
    return status;
}

enum gk_status gk_removal_items(const struct gk_removal *removal, const struct gk_id *container,
                                const struct gk_garbage *garbage, struct gk_error *error)
{
    struct some_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < garbage->count && status == GK_OK; i++) {
        status = remove_item(removal, container, &garbage->items[i], names, error);
    }
    if (status == GK_OK) {
        status = remove_names(removal->store, names, error);
    }
    free(names);
    return status;
}
