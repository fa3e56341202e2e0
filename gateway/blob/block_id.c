/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/block_id.h"

#include <stdlib.h>

#include "common/error.h"

enum gk_status gk_block_id_read(const struct gk_request *request, struct gk_block_id *id,
                                struct gk_error *error)
{
    const char *text = gk_request_query(request, "blockid");
    if (text == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredQueryParameter", "It is blockid.");
    }
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_BLOCK_NAME_BYTES_MAX);
    const bool valid = gk_base64_decode(&bytes, gk_span_str(text)) &&
                       gk_buf_status(&bytes) == GK_OK && bytes.len > 0;
    if (valid) {
        id->len = (uint16_t)bytes.len;
        memcpy(id->bytes, bytes.data, bytes.len);
    }
    gk_buf_cleanup(&bytes);
    return valid ? GK_OK : gk_refuse(error, 400, "InvalidBlockId");
}

static struct gk_map_range staged_range(const struct gk_blob_target *target, struct gk_buf *prefix)
{
    gk_buf_init(prefix, GK_MAP_KEY_BYTES_MAX);
    gk_staged_prefix(prefix, &target->record.object, target->record.epoch);
    return (struct gk_map_range){.prefix = gk_buf_span(prefix)};
}

static bool note_length(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    *(size_t *)ctx = key.len;
    return false;
}

enum gk_status gk_block_id_check_length(const struct gk_request *request,
                                        const struct gk_blob_target *target,
                                        const struct gk_block_id *id, struct gk_error *error)
{
    struct gk_buf prefix;
    size_t first_key_len = 0;
    struct gk_map_range range = staged_range(target, &prefix);
    range.after = range.prefix; /* the staging mark has no identifier */
    range.limit = 1;
    const enum gk_status status =
        gk_store_map_walk(request->gateway->store, GK_POOL_META, target->index, &range, note_length,
                          &first_key_len, error);
    const bool differs = first_key_len != 0 && first_key_len != prefix.len + id->len;
    gk_buf_cleanup(&prefix);
    return status == GK_OK && differs
               ? gk_refuse_because(error, 400, "InvalidBlobOrBlock",
                                   "The block ids of a blob must have one length.")
               : status;
}

enum gk_status gk_staged_open(const struct gk_request *request, const struct gk_id *container,
                              struct gk_span key, struct gk_span value, struct gk_staged *staged,
                              struct gk_error *error)
{
    const struct gk_place place = gk_index_place(request, container, GK_VALUE_STAGED, key);
    struct gk_buf open;
    gk_buf_init(&open, GK_STAGED_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, error);
    if (status == GK_OK) {
        status = gk_staged_decode(gk_buf_span(&open), staged, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

/* --- the staging mark ---------------------------------------------------------------------------*/

enum gk_status gk_staging_mark_new(const struct gk_request *request,
                                   const struct gk_blob_target *target,
                                   struct gk_change_list *changes, struct gk_error *error)
{
    struct gk_staged none = {.length = 0};
    if (!gk_id_random(&none.segment)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_STAGED_BYTES_MAX);
    gk_buf_init(&value, GK_STAGED_BYTES_MAX);
    gk_staged_prefix(&key, &target->record.object, target->record.epoch);
    gk_staged_encode(&none, &open);
    const struct gk_place place =
        gk_index_place(request, &target->container, GK_VALUE_STAGED, gk_buf_span(&key));
    const enum gk_status status =
        gk_value_seal(&place, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        gk_changes_set(changes, &key, &value);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&value);
    return status;
}

struct first_row {
    size_t prefix_len;
    bool *any;
    struct gk_buf *mark;
};

static bool take_first(void *ctx, struct gk_span key, struct gk_span value)
{
    const struct first_row *first = ctx;
    *first->any = true;
    if (key.len == first->prefix_len) {
        gk_buf_append(first->mark, value.data, value.len);
    }
    return false;
}

enum gk_status gk_staging_mark_read(const struct gk_request *request,
                                    const struct gk_blob_target *target, bool *any,
                                    struct gk_buf *mark, struct gk_error *error)
{
    struct gk_buf prefix;
    struct gk_map_range range = staged_range(target, &prefix);
    range.limit = 1; /* the mark stands before the blocks */
    *any = false;
    struct first_row first = {.prefix_len = prefix.len, .any = any, .mark = mark};
    const enum gk_status status = gk_store_map_walk(
        request->gateway->store, GK_POOL_META, target->index, &range, take_first, &first, error);
    gk_buf_cleanup(&prefix);
    return status == GK_OK && gk_buf_status(mark) != GK_OK
               ? gk_value_too_long(mark, target->index, error)
               : status;
}

/* --- all of them --------------------------------------------------------------------------------*/

/* Copies of keys and values, opened when the walk is over: it holds a reader of the store. */
struct copied {
    struct gk_buf bytes; /* key length 2 | key | value length 4 | value ... */
    uint32_t count;
    size_t prefix_len;
    struct gk_buf *mark; /* NULL: not wanted */
};

static bool copy_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    struct copied *copied = ctx;
    if (key.len == copied->prefix_len) {
        if (copied->mark != NULL) {
            gk_buf_append(copied->mark, value.data, value.len);
        }
        return true;
    }
    gk_buf_append_u16(&copied->bytes, (uint16_t)key.len);
    gk_buf_append(&copied->bytes, key.data, key.len);
    gk_buf_append_u32(&copied->bytes, (uint32_t)value.len);
    gk_buf_append(&copied->bytes, value.data, value.len);
    copied->count++;
    return gk_buf_status(&copied->bytes) == GK_OK;
}

static enum gk_status open_entry(const struct gk_request *request,
                                 const struct gk_blob_target *target, size_t prefix_len,
                                 struct gk_reader *in, struct gk_staged_block *block,
                                 struct gk_error *error)
{
    const struct gk_span key = gk_read_span(in, gk_read_u16(in));
    const struct gk_span value = gk_read_span(in, gk_read_u32(in));
    const size_t id_len = key.len - prefix_len;
    if (key.len <= prefix_len || id_len > sizeof block->id.bytes) {
        return gk_fail(error, GK_E_INTEGRITY, "a staged block's key is not well-formed");
    }
    block->id.len = (uint16_t)id_len;
    memcpy(block->id.bytes, key.data + prefix_len, id_len);
    return gk_staged_open(request, &target->container, key, value, &block->staged, error);
}

static enum gk_status open_entries(const struct gk_request *request,
                                   const struct gk_blob_target *target, size_t prefix_len,
                                   const struct copied *copied, struct gk_staged_block **blocks,
                                   struct gk_error *error)
{
    if (gk_buf_status(&copied->bytes) != GK_OK) {
        return gk_fail(error, GK_E_RESOURCE, "a blob has too many staged blocks");
    }
    if (copied->count == 0) {
        return GK_OK;
    }
    struct gk_staged_block *all = calloc(copied->count, sizeof *all);
    if (all == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct gk_reader in = gk_reader_of(gk_buf_span(&copied->bytes));
    enum gk_status status = GK_OK;
    for (uint32_t i = 0; i < copied->count && status == GK_OK; i++) {
        status = open_entry(request, target, prefix_len, &in, &all[i], error);
    }
    if (status != GK_OK) {
        free(all);
        return status;
    }
    *blocks = all;
    return GK_OK;
}

#define STAGED_BLOCKS_MAX 100000u /* documented */
#define STAGED_COPY_BYTES (GK_STAGED_BYTES_MAX + 128u)

enum gk_status gk_staged_blocks(const struct gk_request *request,
                                const struct gk_blob_target *target,
                                struct gk_staged_block **blocks, uint32_t *count,
                                struct gk_buf *mark, struct gk_error *error)
{
    struct gk_buf prefix;
    *blocks = NULL;
    const struct gk_map_range range = staged_range(target, &prefix);
    struct copied copied = {.prefix_len = prefix.len, .mark = mark};
    gk_buf_init(&copied.bytes, (size_t)STAGED_BLOCKS_MAX * STAGED_COPY_BYTES);
    enum gk_status status = gk_store_map_walk(request->gateway->store, GK_POOL_META, target->index,
                                              &range, copy_entry, &copied, error);
    if (status == GK_OK && mark != NULL && gk_buf_status(mark) != GK_OK) {
        status = gk_value_too_long(mark, target->index, error);
    }
    if (status == GK_OK) {
        status = open_entries(request, target, prefix.len, &copied, blocks, error);
    }
    *count = *blocks == NULL ? 0 : copied.count;
    gk_buf_cleanup(&copied.bytes);
    gk_buf_cleanup(&prefix);
    return status;
}
