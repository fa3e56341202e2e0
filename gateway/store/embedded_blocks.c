/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"
#include "gateway/store/embedded.h"

/* Rows of a range, in order; end with sqlite3_reset. */
static sqlite3_stmt *find(struct gk_db *db, int64_t object, uint64_t from, uint64_t to)
{
    sqlite3_stmt *row = gk_db_use(db, GK_DB_BLOCK_FIND);
    sqlite3_bind_int64(row, 1, object);
    sqlite3_bind_int64(row, 2, (sqlite3_int64)from);
    sqlite3_bind_int64(row, 3, (sqlite3_int64)to);
    return row;
}

static enum gk_status check_block(sqlite3_stmt *row, struct gk_span *block, struct gk_error *error)
{
    *block = gk_db_column_span(row, 1);
    return block->len == GK_STORE_BLOCK_BYTES
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a block of an object has %zu bytes", block->len);
}

/* --- writing ----------------------------------------------------------------------------------- */

static enum gk_status load(struct gk_db *db, int64_t object, uint64_t number,
                           uint8_t block[GK_STORE_BLOCK_BYTES], struct gk_error *error)
{
    struct gk_span stored;
    sqlite3_stmt *row = find(db, object, number, number + 1);
    enum gk_status status = gk_db_row(db, row, error);
    if (status == GK_E_NOT_FOUND) {
        memset(block, 0, GK_STORE_BLOCK_BYTES);
        return GK_OK;
    }
    if (status == GK_OK) {
        status = check_block(row, &stored, error);
    }
    if (status == GK_OK) {
        memcpy(block, stored.data, stored.len);
    }
    sqlite3_reset(row);
    return status;
}

static enum gk_status store_block(struct gk_db *db, int64_t object, uint64_t number,
                                  const uint8_t *block, struct gk_error *error)
{
    sqlite3_stmt *statement = gk_db_use(db, GK_DB_BLOCK_SET);
    sqlite3_bind_int64(statement, 1, object);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)number);
    gk_db_bind_span(statement, 3, gk_span_of(block, GK_STORE_BLOCK_BYTES));
    return gk_db_run(db, statement, error);
}

static enum gk_status grow(struct gk_db *db, int64_t object, uint64_t size, struct gk_error *error)
{
    sqlite3_stmt *statement = gk_db_use(db, GK_DB_OBJECT_GROW);
    sqlite3_bind_int64(statement, 1, object);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)size);
    return gk_db_run(db, statement, error);
}

enum gk_status gk_embedded_blocks_write(struct gk_db *db, int64_t object,
                                        const struct gk_change *change, struct gk_error *error)
{
    uint8_t block[GK_STORE_BLOCK_BYTES];
    enum gk_status status = grow(db, object, change->number + change->value.len, error);
    for (size_t done = 0; status == GK_OK && done < change->value.len;) {
        const uint64_t at = change->number + done;
        const size_t skip = (size_t)(at % GK_STORE_BLOCK_BYTES);
        const size_t left = change->value.len - done;
        const size_t part = left < GK_STORE_BLOCK_BYTES - skip ? left : GK_STORE_BLOCK_BYTES - skip;
        if (part < GK_STORE_BLOCK_BYTES) {
            status = load(db, object, at / GK_STORE_BLOCK_BYTES, block, error);
        }
        if (status == GK_OK) {
            memcpy(block + skip, change->value.data + done, part);
            status = store_block(db, object, at / GK_STORE_BLOCK_BYTES, block, error);
        }
        done += part;
    }
    return status;
}

/* --- reading ----------------------------------------------------------------------------------- */

enum gk_status gk_embedded_blocks_read(struct gk_db *db, int64_t object, uint64_t offset,
                                       uint8_t *buffer, size_t len, struct gk_error *error)
{
    const uint64_t end = offset + len;
    memset(buffer, 0, len);
    sqlite3_stmt *row = find(db, object, offset / GK_STORE_BLOCK_BYTES,
                             (end + GK_STORE_BLOCK_BYTES - 1) / GK_STORE_BLOCK_BYTES);
    enum gk_status status;
    while ((status = gk_db_row(db, row, error)) == GK_OK) {
        struct gk_span block;
        status = check_block(row, &block, error);
        if (status != GK_OK) {
            break;
        }
        const uint64_t start = (uint64_t)sqlite3_column_int64(row, 0) * GK_STORE_BLOCK_BYTES;
        const uint64_t from = start > offset ? start : offset;
        const uint64_t to = start + block.len < end ? start + block.len : end;
        memcpy(buffer + (from - offset), block.data + (from - start), (size_t)(to - from));
    }
    sqlite3_reset(row);
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}
