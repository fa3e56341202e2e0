/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/key_floor.h"

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/encryption_headers.h"

#define STEP             64u /* rows in one write */
#define GENERATION_BYTES 4u
#define ATTEMPTS_MAX     16u
#define KEY_BYTES        (sizeof GK_FLOOR_KIND + GK_SCOPE_NAME_BYTES_MAX + 1u + GENERATION_BYTES)
#define ROWS_BYTES_MAX   ((size_t)4 << 20)

static const uint8_t barred[] = {0x01};

static void encode(uint32_t generation, uint8_t bytes[GENERATION_BYTES])
{
    for (unsigned i = 0; i < GENERATION_BYTES; i++) {
        bytes[i] = (uint8_t)(generation >> (24 - 8 * i));
    }
}

/* "y/"<scope> */
static void floor_key(struct gk_buf *key, const char *scope)
{
    gk_buf_append_str(key, GK_FLOOR_KIND);
    gk_buf_append_str(key, scope);
}

/* "y/"<scope>"/"<generation> */
static void bar_key(struct gk_buf *key, const char *scope, uint32_t generation)
{
    uint8_t bytes[GENERATION_BYTES];
    encode(generation, bytes);
    floor_key(key, scope);
    gk_buf_append_str(key, "/");
    gk_buf_append(key, bytes, sizeof bytes);
}

/* --- barring ------------------------------------------------------------------------------------*/

/* Whose rows are written; still is NULL for an index, whose name nobody else gets. */
struct place {
    struct gk_store *store;
    const char *object;
    gk_key_floor_still_fn *still;
    void *still_ctx;
};

/* The version is read before the question: who comes in between makes the guard fail. */
static enum gk_status guard_of(const struct place *place, struct gk_guard *guard,
                               struct gk_error *error)
{
    *guard = (struct gk_guard){.kind = GK_GUARD_EXISTS};
    if (place->still == NULL) {
        return GK_OK;
    }
    guard->kind = GK_GUARD_VERSION;
    const enum gk_status status =
        gk_store_version(place->store, GK_POOL_META, place->object, &guard->number, error);
    return status == GK_OK ? place->still(place->still_ctx, error) : status;
}

static enum gk_status write_once(const struct place *place, const struct gk_change *changes,
                                 size_t count, struct gk_error *error)
{
    struct gk_guard guard;
    const enum gk_status status = guard_of(place, &guard, error);
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = place->object,
                                   .guards = &guard,
                                   .guards_count = 1,
                                   .changes = changes,
                                   .changes_count = count};
    return status == GK_OK ? gk_store_write(place->store, &op, NULL, error) : status;
}

static enum gk_status write_rows(const struct place *place, const struct gk_change *changes,
                                 size_t count, struct gk_error *error)
{
    enum gk_status status = count == 0 ? GK_OK : GK_E_CONFLICT;
    for (unsigned i = 0; i < ATTEMPTS_MAX && status == GK_E_CONFLICT; i++) {
        gk_error_clear(error);
        status = write_once(place, changes, count, error);
    }
    return status;
}

/* Some generations of a bar, from first on. */
static enum gk_status bar_some(const struct place *place, const struct gk_key_bar *bar,
                               uint32_t first, struct gk_error *error)
{
    uint8_t keys[STEP][KEY_BYTES];
    struct gk_change changes[STEP];
    size_t count = 0;
    for (; count < STEP && first + count < bar->active; count++) {
        struct gk_buf key;
        gk_buf_init_over(&key, (char *)keys[count], KEY_BYTES);
        bar_key(&key, bar->scope, first + (uint32_t)count);
        changes[count] = (struct gk_change){.kind = GK_CHANGE_MAP_SET,
                                            .key = gk_span_of(keys[count], key.len),
                                            .value = gk_span_of(barred, sizeof barred)};
    }
    return write_rows(place, changes, count, error);
}

static enum gk_status bar_all(const struct place *place, const struct gk_key_bar *bar,
                              struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (uint32_t at = bar->oldest; status == GK_OK && at < bar->active; at += STEP) {
        status = bar_some(place, bar, at, error);
    }
    return status;
}

static bool take_value(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key;
    gk_buf_append(ctx, value.data, value.len);
    return true;
}

static uint32_t floor_of(const struct gk_buf *value)
{
    struct gk_reader in = gk_reader_of(gk_buf_span(value));
    return value->len == 0 ? 0 : gk_read_u32(&in);
}

static enum gk_status raise_once(const struct place *place, struct gk_span key, uint32_t active,
                                 struct gk_error *error)
{
    uint8_t floor[GENERATION_BYTES];
    struct gk_buf before;
    encode(active, floor);
    gk_buf_init(&before, GK_MAP_VALUE_BYTES_MAX);
    struct gk_guard there;
    enum gk_status status = guard_of(place, &there, error);
    if (status == GK_OK) {
        status = gk_store_map_find(place->store, GK_POOL_META, place->object, &key, 1, take_value,
                                   &before, error);
    }
    if (status == GK_OK && floor_of(&before) < active) {
        const struct gk_guard guards[] = {
            there,
            {.kind = before.len == 0 ? GK_GUARD_MAP_ABSENT : GK_GUARD_MAP_EQUAL,
             .key = key,
             .value = gk_buf_span(&before)}};
        const struct gk_change change = {
            .kind = GK_CHANGE_MAP_SET, .key = key, .value = gk_span_of(floor, sizeof floor)};
        const struct gk_write_op op = {.pool = GK_POOL_META,
                                       .object = place->object,
                                       .guards = guards,
                                       .guards_count = sizeof guards / sizeof *guards,
                                       .changes = &change,
                                       .changes_count = 1};
        status = gk_store_write(place->store, &op, NULL, error);
    }
    gk_buf_cleanup(&before);
    return status;
}

/* A run that was overtaken by another one, with a later root key, does not lower what that has set. */
static enum gk_status raise_floor(const struct place *place, const struct gk_key_bar *bar,
                                  struct gk_error *error)
{
    struct gk_buf key;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    floor_key(&key, bar->scope);
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; i < ATTEMPTS_MAX && (status == GK_E_CONFLICT || status == GK_E_EXISTS);
         i++) {
        gk_error_clear(error);
        status = raise_once(place, gk_buf_span(&key), bar->active, error);
    }
    gk_buf_cleanup(&key);
    return status;
}

static enum gk_status write_mark(const struct place *place, struct gk_error *error)
{
    uint8_t mark[GK_FLOORS_MARK_BYTES];
    struct gk_change change = {0};
    if (!gk_key_floors_mark(mark, &change)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    return write_rows(place, &change, 1, error);
}

bool gk_key_floors_mark(uint8_t mark[GK_FLOORS_MARK_BYTES], struct gk_change *change)
{
    struct gk_id random;
    if (!gk_id_random(&random)) {
        return false;
    }
    memcpy(mark, random.bytes, GK_FLOORS_MARK_BYTES);
    *change = (struct gk_change){.kind = GK_CHANGE_MAP_SET,
                                 .key = gk_span_str(GK_FLOORS_KEY),
                                 .value = gk_span_of(mark, GK_FLOORS_MARK_BYTES)};
    return true;
}

/* The mark is the last to change. */
enum gk_status gk_key_bar_account(struct gk_store *store, const char *account_object,
                                  const struct gk_key_bar *bar, gk_key_floor_still_fn *still,
                                  void *still_ctx, struct gk_error *error)
{
    const struct place place = {
        .store = store, .object = account_object, .still = still, .still_ctx = still_ctx};
    enum gk_status status = bar_all(&place, bar, error);
    if (status == GK_OK) {
        status = raise_floor(&place, bar, error);
    }
    return status == GK_OK ? write_mark(&place, error) : status;
}

enum gk_status gk_key_bar_shard(struct gk_store *store, const struct gk_id *container,
                                uint32_t shard, const struct gk_key_bar *bar,
                                struct gk_error *error)
{
    char name[GK_INDEX_NAME_BYTES];
    gk_index_name(container, shard, name);
    const struct place place = {.store = store, .object = name};
    enum gk_status status = raise_floor(&place, bar, error);
    if (status == GK_OK) {
        status = bar_all(&place, bar, error);
    }
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* --- what an account has barred -----------------------------------------------------------------*/

void gk_key_floors_init(struct gk_key_floors *floors)
{
    gk_buf_init(&floors->rows, ROWS_BYTES_MAX);
    gk_buf_init(&floors->mark, GK_FLOORS_MARK_BYTES);
}

void gk_key_floors_cleanup(struct gk_key_floors *floors)
{
    gk_buf_cleanup(&floors->rows);
    gk_buf_cleanup(&floors->mark);
}

static bool take_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct gk_key_floors *floors = ctx;
    if (gk_span_equal(key, gk_span_str(GK_FLOORS_KEY))) {
        gk_buf_append(&floors->mark, value.data, value.len);
    } else {
        gk_buf_append_u16(&floors->rows, (uint16_t)key.len);
        gk_buf_append(&floors->rows, key.data, key.len);
        gk_buf_append_u16(&floors->rows, (uint16_t)value.len);
        gk_buf_append(&floors->rows, value.data, value.len);
    }
    return true;
}

/* The mark stands first: rows that are read after it are of it or of a later one, which the guard finds. */
enum gk_status gk_key_floors_read(struct gk_store *store, const char *account_object,
                                  struct gk_key_floors *floors, struct gk_error *error)
{
    const struct gk_map_range range = {.prefix = gk_span_str(GK_FLOORS_KEY)};
    gk_buf_reset(&floors->rows);
    gk_buf_reset(&floors->mark);
    const enum gk_status status =
        gk_store_map_walk(store, GK_POOL_META, account_object, &range, take_row, floors, error);
    return status == GK_OK &&
                   (gk_buf_status(&floors->rows) != GK_OK || gk_buf_status(&floors->mark) != GK_OK)
               ? gk_fail(error, GK_E_INTEGRITY, "what an account has barred is not well-formed")
               : status;
}

struct gk_guard gk_key_floors_guard(const struct gk_key_floors *floors)
{
    const struct gk_span mark = gk_buf_span(&floors->mark);
    return (struct gk_guard){.kind = mark.len == 0 ? GK_GUARD_MAP_ABSENT : GK_GUARD_MAP_EQUAL,
                             .key = gk_span_str(GK_FLOORS_KEY),
                             .value = mark};
}

static enum gk_status apply_to_shard(struct gk_store *store, const struct gk_key_floors *floors,
                                     const char *shard, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    struct gk_change changes[STEP];
    const struct place place = {.store = store, .object = shard};
    struct gk_reader in = gk_reader_of(gk_buf_span(&floors->rows));
    while (status == GK_OK && in.rest.len > 0) {
        size_t count = 0;
        for (; count < STEP && in.rest.len > 0; count++) {
            const struct gk_span key = gk_read_span(&in, gk_read_u16(&in));
            changes[count] = (struct gk_change){.kind = GK_CHANGE_MAP_SET,
                                                .key = key,
                                                .value = gk_read_span(&in, gk_read_u16(&in))};
        }
        status = write_rows(&place, changes, count, error);
    }
    return status;
}

enum gk_status gk_key_floors_apply(struct gk_store *store, const struct gk_key_floors *floors,
                                   const struct gk_id *container, uint32_t shards,
                                   struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (uint32_t shard = 0; status == GK_OK && shard < shards; shard++) {
        char name[GK_INDEX_NAME_BYTES];
        gk_index_name(container, shard, name);
        status = apply_to_shard(store, floors, name, error);
        if (status == GK_E_NOT_FOUND) {
            gk_error_clear(error);
            status = GK_OK;
        }
    }
    return status;
}

/* --- records ------------------------------------------------------------------------------------*/

/* Of the data keys under that scope's root key, 0 for none. The account's own was read with the record. */
static enum gk_status read_floor(const struct gk_request *request,
                                 const struct gk_blob_target *target, const char *scope,
                                 uint32_t *floor, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_append(&value, target->floor.data, target->floor.len);
    if (scope[0] != '\0') {
        floor_key(&key, scope);
        gk_buf_reset(&value);
        const struct gk_span one = gk_buf_span(&key);
        status = gk_store_map_find(request->gateway->store, GK_POOL_META, target->index, &one, 1,
                                   take_value, &value, error);
    }
    *floor = floor_of(&value);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    return status;
}

static enum gk_status renew(const struct gk_request *request, const struct gk_blob_target *target,
                            struct gk_data_key *data_key, uint32_t floor,
                            struct gk_blob_record *record, struct gk_error *error)
{
    const struct gk_object_scope scope = {.container = target->container, .object = record->object};
    struct gk_client_key *key = NULL;
    struct gk_span client = {0};
    enum gk_status status = GK_OK;
    if (record->encryption.kind == GK_ENCRYPTION_CLIENT_KEY) {
        status = gk_client_key_read(request, &key, error);
    }
    if (status == GK_OK && key != NULL) {
        client = gk_span_of(key->bytes, sizeof key->bytes);
    }
    if (status == GK_OK) {
        status = request->gateway->host->plugin->data_key_renew(data_key, &scope, client, floor,
                                                                record->sealed_data_key, error);
    }
    gk_secret_free(&key);
    return status;
}

static enum gk_status generation_of(const struct gk_request *request,
                                    const struct gk_blob_record *record, uint32_t *generation,
                                    struct gk_error *error)
{
    return request->gateway->host->plugin->data_key_generation(
        gk_span_of(record->sealed_data_key, sizeof record->sealed_data_key), generation, error);
}

enum gk_status gk_key_floor_keep(struct gk_blob_write *write, const struct gk_request *request,
                                 const struct gk_blob_target *target, struct gk_data_key *data_key,
                                 struct gk_blob_record *record, struct gk_error *error)
{
    const char *scope = record->encryption.scope;
    uint32_t generation = 0;
    uint32_t floor = 0;
    const bool stood_there =
        target->exists && memcmp(record->sealed_data_key, target->record.sealed_data_key,
                                 sizeof record->sealed_data_key) == 0;
    if (stood_there) {
        return GK_OK;
    }
    enum gk_status status = read_floor(request, target, scope, &floor, error);
    if (status == GK_OK) {
        status = generation_of(request, record, &generation, error);
    }
    if (status == GK_OK && generation < floor) {
        status = renew(request, target, data_key, floor, record, error);
        if (status == GK_OK) {
            status = generation_of(request, record, &generation, error);
        }
    }
    /* Of another record that brings it, under this generation or one before, which is barred earlier. */
    if (status == GK_OK && write->bar_key.len == 0) {
        bar_key(&write->bar_key, scope, generation);
        gk_blob_write_guard(write, (struct gk_guard){.kind = GK_GUARD_MAP_ABSENT,
                                                     .key = gk_buf_span(&write->bar_key)});
    }
    return status;
}
