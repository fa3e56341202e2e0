/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/container_move.h"

#include "common/error.h"
#include "gateway/blob/container_cache.h"
#include "gateway/blob/container_write.h"
#include "gateway/blob/index.h"
#include "gateway/blob/key_floor.h"
#include "gateway/blob/protection.h"

#define ATTEMPTS_MAX 16u

enum gk_status gk_container_close(const struct gk_request *request,
                                  const struct gk_container *container, struct gk_error *error)
{
    const enum gk_status status = gk_protection_check(request, container, error);
    return status == GK_OK ? gk_index_close(request->gateway->store, &container->id,
                                            container->shards, container->life.opening, error)
                           : status;
}

static enum gk_status move_entry(const struct gk_request *request,
                                 const struct gk_container_move *move, struct gk_span value,
                                 const struct gk_key_floors *floors, struct gk_error *error)
{
    const bool moves = !gk_span_equal(move->from, move->to);
    uint8_t mark[GK_FLOORS_MARK_BYTES];
    struct gk_change marked;
    if (!gk_key_floors_mark(mark, &marked)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    const struct gk_guard guards[] = {
        {.kind = GK_GUARD_MAP_EQUAL, .key = move->from, .value = move->stored},
        gk_key_floors_guard(floors),
        {.kind = GK_GUARD_MAP_ABSENT, .key = move->to}};
    const struct gk_change changes[] = {
        {.kind = GK_CHANGE_MAP_SET, .key = move->to, .value = value},
        marked,
        {.kind = GK_CHANGE_MAP_REMOVE, .key = move->from}};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = request->account->object,
                                   .guards = guards,
                                   .guards_count = moves ? 3 : 2,
                                   .changes = changes,
                                   .changes_count = moves ? 3 : 2};
    return gk_store_write(request->gateway->store, &op, NULL, error);
}

static bool same_floors(const struct gk_key_floors *a, const struct gk_key_floors *b)
{
    return gk_span_equal(gk_buf_span(&a->mark), gk_buf_span(&b->mark));
}

/* With what the account has barred, which its shards are given before. When that is another meanwhile, again. */
static enum gk_status move_under_floors(const struct gk_request *request,
                                        const struct gk_container_move *move, struct gk_span value,
                                        struct gk_key_floors floors[2], struct gk_error *error)
{
    struct gk_store *store = request->gateway->store;
    enum gk_status status = gk_key_floors_read(store, request->account->object, &floors[0], error);
    for (unsigned attempt = 0; status == GK_OK; attempt++) {
        status = gk_key_floors_apply(store, &floors[0], &move->container->id,
                                     move->container->shards, error);
        if (status == GK_OK) {
            status = move_entry(request, move, value, &floors[0], error);
        }
        if ((status != GK_E_EXISTS && status != GK_E_CONFLICT) || attempt == ATTEMPTS_MAX) {
            return status;
        }
        const enum gk_status refused = status;
        status = gk_key_floors_read(store, request->account->object, &floors[1], error);
        if (status == GK_OK && same_floors(&floors[0], &floors[1])) {
            return refused;
        }
        const struct gk_key_floors before = floors[0];
        floors[0] = floors[1];
        floors[1] = before;
    }
    return status;
}

enum gk_status gk_container_move(const struct gk_request *request,
                                 const struct gk_container_move *move, struct gk_error *error)
{
    struct gk_container *container = move->container;
    struct gk_index_openings openings = {.before = container->life.opening};
    openings.now =
        gk_container_life_next(&container->life, gk_clock_wall_ms(&request->gateway->clock));
    container->life = (struct gk_container_life){.opening = openings.now};
    struct gk_buf value;
    gk_buf_init(&value, GK_CONTAINER_RECORD_BYTES_MAX);
    enum gk_status status = gk_container_seal(request, container, move->to, &value, error);
    struct gk_key_floors floors[2];
    gk_key_floors_init(&floors[0]);
    gk_key_floors_init(&floors[1]);
    if (status == GK_OK) {
        status = move_under_floors(request, move, gk_buf_span(&value), floors, error);
    }
    gk_key_floors_cleanup(&floors[0]);
    gk_key_floors_cleanup(&floors[1]);
    gk_buf_cleanup(&value);
    return status == GK_OK ? gk_index_open(request->gateway->store, &container->id,
                                           container->shards, &openings, error)
                           : status;
}

void gk_container_forget(const struct gk_request *request, const char *name)
{
    const struct gk_container_cache_key key = {.account = request->account->id, .container = name};
    gk_container_cache_drop(request->gateway->containers, &key);
}
