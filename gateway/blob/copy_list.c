/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy_list.h"

#include <string.h>

#include "common/error.h"
#include "gateway/blob/fields.h"

#define VERSION       1u
#define ROW_BYTES_MAX (GK_BLOB_NAME_BYTES_MAX + 128u)
#define ID_BYTES      sizeof(struct gk_id)

/* --- a row --------------------------------------------------------------------------------------*/

void gk_copy_row_encode(const struct gk_copy_row *row, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    gk_buf_append_u64(out, (uint64_t)row->written_wall_ms);
    gk_append_text(out, gk_span_str(row->account));
    gk_append_id(out, &row->account_id);
    gk_append_id(out, &row->container);
    gk_buf_append_u32(out, row->shard);
    gk_append_text(out, gk_span_of(row->blob, row->blob_len));
}

enum gk_status gk_copy_row_decode(struct gk_span key, struct gk_span value, struct gk_copy_row *out,
                                  struct gk_error *error)
{
    struct gk_reader in = gk_reader_of(value);
    memset(out, 0, sizeof *out);
    const uint8_t version = gk_read_u8(&in);
    out->written_wall_ms = (int64_t)gk_read_u64(&in);
    const struct gk_span account = gk_read_text(&in);
    gk_read_id(&in, &out->account_id);
    gk_read_id(&in, &out->container);
    out->shard = gk_read_u32(&in);
    const struct gk_span blob = gk_read_text(&in);
    if (version != VERSION || !gk_read_done(&in) || key.len != ID_BYTES || account.len == 0 ||
        account.len >= sizeof out->account || blob.len == 0 || blob.len > sizeof out->blob ||
        out->shard >= GK_INDEX_SHARDS_MAX) {
        return gk_fail(error, GK_E_INTEGRITY, "a row of a pending copy is not well-formed");
    }
    memcpy(out->id.bytes, key.data, ID_BYTES);
    memcpy(out->account, account.data, account.len);
    memcpy(out->blob, blob.data, blob.len);
    out->blob_len = blob.len;
    return GK_OK;
}

static enum gk_status write_one(struct gk_store *store, const struct gk_change *change,
                                struct gk_error *error)
{
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = GK_COPIES_OBJECT, .changes = change, .changes_count = 1};
    return gk_store_write(store, &op, NULL, error);
}

enum gk_status gk_copy_list_add(struct gk_store *store, const struct gk_copy_row *row,
                                struct gk_error *error)
{
    struct gk_buf value;
    gk_buf_init(&value, ROW_BYTES_MAX);
    gk_copy_row_encode(row, &value);
    const struct gk_change change = {.kind = GK_CHANGE_MAP_SET,
                                     .key = gk_span_of(row->id.bytes, ID_BYTES),
                                     .value = gk_buf_span(&value)};
    enum gk_status status = gk_buf_status(&value) == GK_OK
                                ? write_one(store, &change, error)
                                : gk_fail(error, GK_E_RESOURCE, "out of memory");
    gk_buf_cleanup(&value);
    return status;
}

enum gk_status gk_copy_list_remove(struct gk_store *store, const struct gk_id *id,
                                   struct gk_error *error)
{
    const struct gk_change change = {.kind = GK_CHANGE_MAP_REMOVE,
                                     .key = gk_span_of(id->bytes, ID_BYTES)};
    return write_one(store, &change, error);
}

/* --- the list -----------------------------------------------------------------------------------*/

struct reading {
    struct gk_copy_row *rows;
    size_t count;
    size_t visited;
    struct gk_id *last;
};

static bool take_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct reading *reading = ctx;
    reading->visited++;
    if (key.len == ID_BYTES) {
        memcpy(reading->last->bytes, key.data, ID_BYTES);
    }
    if (gk_copy_row_decode(key, value, &reading->rows[reading->count], NULL) == GK_OK) {
        reading->count++;
    }
    return reading->visited < GK_COPY_LIST_STEP;
}

enum gk_status gk_copy_list_read(struct gk_store *store, const struct gk_id *after,
                                 struct gk_copy_row rows[GK_COPY_LIST_STEP], size_t *count,
                                 bool *more, struct gk_id *last, struct gk_error *error)
{
    struct reading reading = {.rows = rows, .last = last};
    struct gk_id behind = {{0}}; /* last may be after */
    if (after != NULL) {
        behind = *after;
    }
    const struct gk_map_range range = {.after =
                                           gk_span_of(behind.bytes, after == NULL ? 0 : ID_BYTES),
                                       .limit = GK_COPY_LIST_STEP};
    enum gk_status status =
        gk_store_map_walk(store, GK_POOL_META, GK_COPIES_OBJECT, &range, take_row, &reading, error);
    if (status == GK_E_NOT_FOUND) { /* there never was a pending copy */
        gk_error_clear(error);
        status = GK_OK;
    }
    *count = reading.count;
    *more = reading.visited == GK_COPY_LIST_STEP;
    return status;
}
