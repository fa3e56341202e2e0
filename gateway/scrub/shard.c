/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/shard.h"

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/names.h"

/* A record whose pages are read is read again at most so often; each time somebody has written it. */
#define ATTEMPTS_MAX 64u
#define PAGED_BYTES  ((size_t)8 << 20)

struct shard_walk {
    struct gk_gateway *gateway;
    const struct gk_gateway_account *account;
    const struct gk_scrub_container *container;
    const struct gk_scrub_visitor *visitor;
    char index[GK_INDEX_NAME_BYTES];
    struct gk_refs refs;
    struct gk_buf last;  /* key of the row that was visited last */
    struct gk_buf paged; /* of records with pages: length 2 | key | length 4 | value ... */
    uint32_t rows;       /* of this step */
    bool blobs;          /* it is records of blobs that are walked, bases or states */
    bool *whole;
    enum gk_status status;
    struct gk_error *error;
};

static void tell_damage(const struct shard_walk *walk, struct gk_span key, const char *what)
{
    const struct gk_span name = gk_is_state_key(key) ? gk_state_key_name(key)
                                : key.len > 2 && key.data[0] == 'b'
                                    ? gk_span_of(key.data + 2, key.len - 2)
                                    : (struct gk_span){0};
    *walk->whole = false;
    walk->visitor->damaged(walk->visitor->ctx, walk->account->name, walk->container->name, name,
                           what);
}

/* --- rows ---------------------------------------------------------------------------------------*/

static enum gk_status open_row(struct shard_walk *walk, struct gk_span key, struct gk_span value)
{
    const struct gk_place place = {.plugin = walk->gateway->host->plugin,
                                   .account = walk->account->handle,
                                   .container = walk->container->id};
    struct gk_error why = {0};
    enum gk_status status = gk_refs_of_row(place, key, value, &walk->refs, &why);
    if (status == GK_E_INTEGRITY) {
        tell_damage(walk, key, why.message);
        return GK_OK;
    }
    if (status != GK_OK) {
        return gk_fail(walk->error, status, "%s", why.message);
    }
    if (walk->blobs && walk->refs.paged) {
        gk_buf_append_u16(&walk->paged, (uint16_t)key.len);
        gk_buf_append(&walk->paged, key.data, key.len);
        gk_buf_append_u32(&walk->paged, (uint32_t)value.len);
        gk_buf_append(&walk->paged, value.data, value.len);
        status = gk_buf_status(&walk->paged);
    }
    return status == GK_OK ? GK_OK : gk_fail(walk->error, status, "records do not fit");
}

static bool visit_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct shard_walk *walk = ctx;
    walk->status = open_row(walk, key, value);
    if (walk->blobs && walk->status == GK_OK && !gk_is_state_key(key)) {
        walk->visitor->blob(walk->visitor->ctx);
    }
    gk_buf_reset(&walk->last);
    gk_buf_append(&walk->last, key.data, key.len);
    walk->rows++;
    /* A record is at most 64 KiB: this leaves room for another. */
    return walk->status == GK_OK && walk->paged.len < PAGED_BYTES / 2;
}

/* Hands on what came together. */
static enum gk_status give_refs(struct shard_walk *walk)
{
    const struct gk_scrub_visitor *visitor = walk->visitor;
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < walk->refs.count && status == GK_OK; i++) {
        status = visitor->segment(visitor->ctx, &walk->refs.items[i]);
    }
    gk_refs_reset(&walk->refs);
    if (status != GK_OK) {
        return gk_fail(walk->error, status, "out of memory");
    }
    return visitor->go_on(visitor->ctx) ? GK_OK
                                        : gk_fail(walk->error, GK_E_UNAVAILABLE, "broken off");
}

/* Some rows of that prefix, from after on; walk->rows tells how many. */
static enum gk_status step(struct shard_walk *walk, struct gk_span prefix, struct gk_span after)
{
    const struct gk_map_range range = {
        .prefix = prefix, .after = after, .limit = GK_MAP_WALK_ENTRIES};
    walk->rows = 0;
    walk->status = GK_OK;
    const enum gk_status status = gk_store_map_walk(walk->gateway->store, GK_POOL_META, walk->index,
                                                    &range, visit_row, walk, walk->error);
    return status == GK_OK ? walk->status : status;
}

static enum gk_status walk_rows(struct shard_walk *walk, struct gk_span prefix)
{
    struct gk_buf after;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    enum gk_status status = GK_OK;
    do {
        status = step(walk, prefix, gk_buf_span(&after));
        gk_buf_reset(&after);
        gk_buf_append(&after, walk->last.data, walk->last.len);
        if (status == GK_OK) {
            status = give_refs(walk);
        }
    } while (status == GK_OK && walk->rows > 0);
    gk_buf_cleanup(&after);
    return status;
}

/* --- records with pages -------------------------------------------------------------------------*/

/* Reads a record again, into value; *same: it is what it was. */
static enum gk_status read_again(struct shard_walk *walk, struct gk_span key, struct gk_buf *value,
                                 bool *same, bool *gone)
{
    struct gk_buf now;
    gk_buf_init(&now, GK_MAP_VALUE_BYTES_MAX);
    enum gk_status status =
        gk_store_map_get(walk->gateway->store, GK_POOL_META, walk->index, key, &now, walk->error);
    *same = status == GK_OK && gk_span_equal(gk_buf_span(&now), gk_buf_span(value));
    *gone = status == GK_E_NOT_FOUND;
    if (*gone) {
        gk_error_clear(walk->error);
        status = GK_OK;
    }
    gk_buf_cleanup(value);
    *value = now;
    return status;
}

/* The pages of the manifest that walk->refs names; their refs are handed on. */
static enum gk_status walk_pages(struct shard_walk *walk)
{
    const struct gk_id manifest = walk->refs.manifest;
    struct gk_buf prefix;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_manifest_prefix(&prefix, &manifest);
    const enum gk_status status = walk_rows(walk, gk_buf_span(&prefix));
    gk_buf_cleanup(&prefix);
    return status;
}

/* A record with its pages, until it is the same before and after. */
static enum gk_status walk_paged(struct shard_walk *walk, struct gk_span key, struct gk_span stored)
{
    bool same = false;
    bool gone = false;
    struct gk_buf value;
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_append(&value, stored.data, stored.len);
    enum gk_status status = gk_buf_status(&value);
    for (unsigned i = 0; status == GK_OK && !same && !gone; i++) {
        if (i == ATTEMPTS_MAX) {
            *walk->whole = false; /* another day */
            break;
        }
        status = open_row(walk, key, gk_buf_span(&value));
        if (status == GK_OK) {
            status = walk->refs.paged ? walk_pages(walk) : give_refs(walk);
        }
        if (status == GK_OK) {
            status = read_again(walk, key, &value, &same, &gone);
        }
    }
    gk_buf_cleanup(&value);
    return status;
}

static enum gk_status walk_all_paged(struct shard_walk *walk)
{
    enum gk_status status = GK_OK;
    struct gk_reader in = gk_reader_of(gk_buf_span(&walk->paged));
    walk->blobs = false;
    while (status == GK_OK && in.rest.len > 0) {
        const struct gk_span key = gk_read_span(&in, gk_read_u16(&in));
        const struct gk_span value = gk_read_span(&in, gk_read_u32(&in));
        status = walk_paged(walk, key, value);
    }
    walk->blobs = true;
    gk_buf_reset(&walk->paged);
    return status;
}

/* kind: what their keys begin with. */
static enum gk_status walk_blobs(struct shard_walk *walk, const char *kind)
{
    struct gk_buf after;
    uint32_t rows = 0;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    enum gk_status status = GK_OK;
    walk->blobs = true;
    do {
        status = step(walk, gk_span_str(kind), gk_buf_span(&after));
        rows = walk->rows;
        gk_buf_reset(&after);
        gk_buf_append(&after, walk->last.data, walk->last.len);
        if (status == GK_OK) {
            status = give_refs(walk);
        }
        if (status == GK_OK) {
            status = walk_all_paged(walk);
        }
    } while (status == GK_OK && rows > 0);
    walk->blobs = false;
    gk_buf_cleanup(&after);
    return status;
}

/* --- the shard ----------------------------------------------------------------------------------*/

/* Whether the account's map still has this container under its name. */
static enum gk_status is_there(struct shard_walk *walk, bool *there)
{
    struct gk_buf key;
    struct gk_buf value;
    struct gk_buf open;
    struct gk_container container;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_container_key(&key, walk->container->name);
    const struct gk_place place = {.plugin = walk->gateway->host->plugin,
                                   .account = walk->account->handle,
                                   .kind = GK_VALUE_CONTAINER,
                                   .container = walk->account->id,
                                   .key = gk_buf_span(&key)};
    enum gk_status status = gk_store_map_get(walk->gateway->store, GK_POOL_META,
                                             walk->account->object, place.key, &value, walk->error);
    if (status == GK_OK) {
        status = gk_value_open(&place, gk_buf_span(&value), &open, walk->error);
    }
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), &container, walk->error);
    }
    *there = status == GK_OK && gk_id_equal(&container.id, &walk->container->id);
    if (status == GK_OK) {
        gk_container_cleanup(&container);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

/* There is no such object: its container was removed meanwhile, or the shard was lost. */
static enum gk_status missing(struct shard_walk *walk)
{
    bool there = false;
    enum gk_status status = GK_OK;
    gk_error_clear(walk->error);
    if (walk->container->name[0] != '\0') {
        status = is_there(walk, &there);
    }
    if (there) {
        tell_damage(walk, (struct gk_span){0}, "a part of its index is missing");
    }
    return status;
}

enum gk_status gk_scrub_walk_shard(struct gk_gateway *gateway,
                                   const struct gk_gateway_account *account,
                                   const struct gk_scrub_container *container, uint32_t shard,
                                   const struct gk_scrub_visitor *visitor, bool *whole,
                                   struct gk_error *error)
{
    struct shard_walk walk = {.gateway = gateway,
                              .account = account,
                              .container = container,
                              .visitor = visitor,
                              .whole = whole,
                              .error = error};
    gk_index_name(&container->id, shard, walk.index);
    gk_refs_init(&walk.refs);
    gk_buf_init(&walk.last, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&walk.paged, PAGED_BYTES);
    enum gk_status status = walk_rows(&walk, gk_span_str("s/"));
    if (status == GK_OK) {
        status = walk_blobs(&walk, "b/");
    }
    if (status == GK_OK) {
        status = walk_blobs(&walk, GK_STATE_KIND);
    }
    if (status == GK_OK) {
        status = walk_rows(&walk, gk_span_str("m/"));
    }
    if (status == GK_OK) {
        status = walk_rows(&walk, gk_span_str("p/"));
    }
    if (status == GK_OK) {
        status = walk_rows(&walk, gk_span_str("g/"));
    }
    gk_refs_cleanup(&walk.refs);
    gk_buf_cleanup(&walk.last);
    gk_buf_cleanup(&walk.paged);
    return status == GK_E_NOT_FOUND ? missing(&walk) : status;
}
