/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/index.h"

#include <stdlib.h>

#include "common/error.h"

#define STEP         64u /* shards that are under way together */
#define ATTEMPTS_MAX 16u
#define CLOSED       1u
#define OPEN         2u

/* --- doors --------------------------------------------------------------------------------------*/

struct gk_index_door gk_index_door_of(struct gk_span value)
{
    struct gk_reader in = gk_reader_of(value);
    struct gk_index_door door = {.closed = false};
    if (value.len == 0) {
        return door;
    }
    const uint8_t kind = gk_read_u8(&in);
    door.closed = kind == CLOSED;
    door.opening = value.len == 1 && door.closed ? 0 : gk_read_u64(&in);
    return gk_read_done(&in) && (kind == CLOSED || kind == OPEN)
               ? door
               : (struct gk_index_door){.closed = true, .opening = UINT64_MAX};
}

int gk_index_door_compare(const struct gk_index_door *a, const struct gk_index_door *b)
{
    if (a->opening != b->opening) {
        return a->opening < b->opening ? -1 : 1;
    }
    return (int)a->closed - (int)b->closed;
}

/* The value of "x", in bytes; empty when it is to be absent. */
static struct gk_span value_of(const struct gk_index_door *door, uint8_t bytes[GK_INDEX_DOOR_BYTES])
{
    if (door->opening == 0 && !door->closed) {
        return (struct gk_span){0};
    }
    bytes[0] = door->closed ? CLOSED : OPEN;
    for (unsigned i = 0; i < sizeof(uint64_t); i++) {
        bytes[1 + i] = (uint8_t)(door->opening >> (56 - 8 * i));
    }
    return gk_span_of(bytes, door->opening == 0 ? 1 : GK_INDEX_DOOR_BYTES);
}

static struct gk_guard guard_of(struct gk_span value)
{
    return (struct gk_guard){.kind = value.len == 0 ? GK_GUARD_MAP_ABSENT : GK_GUARD_MAP_EQUAL,
                             .key = gk_span_str(GK_DOOR_KEY),
                             .value = value};
}

void gk_index_guards(struct gk_guard guards[GK_INDEX_GUARDS], uint64_t opening,
                     uint8_t door[GK_INDEX_DOOR_BYTES])
{
    const struct gk_index_door open = {.opening = opening};
    guards[0] = (struct gk_guard){.kind = GK_GUARD_EXISTS};
    guards[1] = guard_of(value_of(&open, door));
}

/* What a shard has of what its door depends on. */
struct look {
    uint8_t bytes[GK_INDEX_DOOR_BYTES + 1]; /* one more: of what is not well-formed */
    struct gk_span value;                   /* of the door, in bytes */
    bool protected;
};

static bool take_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct look *look = ctx;
    if (gk_span_equal(key, gk_span_str(GK_PROTECTED_KEY))) {
        look->protected = true;
        return true;
    }
    const size_t len = value.len < sizeof look->bytes ? value.len : sizeof look->bytes;
    memcpy(look->bytes, value.data, len);
    look->value = gk_span_of(look->bytes, len);
    return true;
}

static enum gk_status raise_once(struct gk_store *store, const char *shard,
                                 const struct gk_index_door *to, struct gk_error *error)
{
    const struct gk_span keys[] = {gk_span_str(GK_DOOR_KEY), gk_span_str(GK_PROTECTED_KEY)};
    struct look look = {.protected = false};
    uint8_t bytes[GK_INDEX_DOOR_BYTES];
    enum gk_status status =
        gk_store_map_find(store, GK_POOL_META, shard, keys, 2, take_row, &look, error);
    const struct gk_index_door door = gk_index_door_of(look.value);
    if (status != GK_OK || gk_index_door_compare(&door, to) >= 0) {
        return status;
    }
    if (to->closed && look.protected) {
        return GK_E_EXISTS;
    }
    const struct gk_guard guards[] = {
        {.kind = GK_GUARD_EXISTS},
        guard_of(look.value),
        {.kind = GK_GUARD_MAP_ABSENT, .key = gk_span_str(GK_PROTECTED_KEY)}};
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(GK_DOOR_KEY), .value = value_of(to, bytes)};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = shard,
                                   .guards = guards,
                                   .guards_count = to->closed ? 3 : 2,
                                   .changes = &change,
                                   .changes_count = 1};
    status = gk_store_write(store, &op, NULL, error);
    return status == GK_E_EXISTS ? GK_E_CONFLICT : status; /* another look tells which it was */
}

enum gk_status gk_index_raise(struct gk_store *store, const char *shard,
                              const struct gk_index_door *to, struct gk_error *error)
{
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned attempt = 0; status == GK_E_CONFLICT && attempt < ATTEMPTS_MAX; attempt++) {
        gk_error_clear(error);
        status = raise_once(store, shard, to, error);
    }
    return status;
}

/* --- all shards ---------------------------------------------------------------------------------*/

/* What is written to each shard. */
struct shard_write {
    const struct gk_guard *guards;
    size_t guards_count;
    struct gk_change change;
};

static enum gk_status write_some(struct gk_store *store, const struct gk_id *container,
                                 uint32_t first, uint32_t count, const struct shard_write *write,
                                 struct gk_error *error)
{
    char names[STEP][GK_INDEX_NAME_BYTES];
    struct gk_write_op ops[STEP];
    for (uint32_t i = 0; i < count; i++) {
        gk_index_name(container, first + i, names[i]);
        ops[i] = (struct gk_write_op){.pool = GK_POOL_META,
                                      .object = names[i],
                                      .guards = write->guards,
                                      .guards_count = write->guards_count,
                                      .changes = &write->change,
                                      .changes_count = 1};
    }
    return gk_store_write_many(store, ops, count, error);
}

enum gk_status gk_index_create(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error)
{
    const struct shard_write write = {.change = {.kind = GK_CHANGE_CREATE}};
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < shards && status == GK_OK; at += STEP) {
        const uint32_t left = shards - at;
        status = write_some(store, container, at, left < STEP ? left : STEP, &write, error);
    }
    return status;
}

/* From one door to another. */
struct raising {
    struct gk_index_door from;
    struct gk_index_door to;
};

/* All at once, as they should be; where one is not, the others' errors are not told: each by itself then. */
static enum gk_status raise_some(struct gk_store *store, const struct gk_id *container,
                                 uint32_t first, uint32_t count, const struct raising *raising,
                                 struct gk_error *error)
{
    uint8_t from[GK_INDEX_DOOR_BYTES];
    uint8_t to[GK_INDEX_DOOR_BYTES];
    const struct gk_guard guards[] = {
        {.kind = GK_GUARD_EXISTS},
        guard_of(value_of(&raising->from, from)),
        {.kind = GK_GUARD_MAP_ABSENT, .key = gk_span_str(GK_PROTECTED_KEY)}};
    const struct shard_write write = {.guards = guards,
                                      .guards_count = raising->to.closed ? 3 : 2,
                                      .change = {.kind = GK_CHANGE_MAP_SET,
                                                 .key = gk_span_str(GK_DOOR_KEY),
                                                 .value = value_of(&raising->to, to)}};
    enum gk_status status = write_some(store, container, first, count, &write, error);
    if (status != GK_E_NOT_FOUND && status != GK_E_EXISTS && status != GK_E_CONFLICT) {
        return status;
    }
    status = GK_OK;
    for (uint32_t i = 0; i < count && status == GK_OK; i++) {
        char shard[GK_INDEX_NAME_BYTES];
        gk_index_name(container, first + i, shard);
        status = gk_index_raise(store, shard, &raising->to, error);
        if (status == GK_E_NOT_FOUND) {
            status = GK_OK;
        }
    }
    return status;
}

static enum gk_status raise_all(struct gk_store *store, const struct gk_id *container,
                                uint32_t shards, const struct raising *raising,
                                struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < shards && status == GK_OK; at += STEP) {
        const uint32_t left = shards - at;
        status = raise_some(store, container, at, left < STEP ? left : STEP, raising, error);
    }
    if (status == GK_OK) {
        gk_error_clear(error);
    }
    return status;
}

enum gk_status gk_index_close(struct gk_store *store, const struct gk_id *container,
                              uint32_t shards, uint64_t opening, struct gk_error *error)
{
    const struct raising raising = {.from = {.opening = opening},
                                    .to = {.closed = true, .opening = opening}};
    return raise_all(store, container, shards, &raising, error);
}

enum gk_status gk_index_open(struct gk_store *store, const struct gk_id *container, uint32_t shards,
                             const struct gk_index_openings *openings, struct gk_error *error)
{
    const struct raising raising = {.from = {.closed = true, .opening = openings->before},
                                    .to = {.opening = openings->now}};
    return raise_all(store, container, shards, &raising, error);
}

enum gk_status gk_index_remove(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error)
{
    char names[STEP][GK_INDEX_NAME_BYTES];
    const char *pointers[STEP];
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < shards && status == GK_OK; at += STEP) {
        const uint32_t count = shards - at < STEP ? shards - at : STEP;
        for (uint32_t i = 0; i < count; i++) {
            gk_index_name(container, at + i, names[i]);
            pointers[i] = names[i];
        }
        status = gk_store_remove(store, GK_POOL_META, pointers, count, error);
    }
    return status;
}
