/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/container_move.h"

#include "gateway/blob/container_cache.h"
#include "gateway/blob/container_write.h"
#include "gateway/blob/index.h"
#include "gateway/blob/protection.h"

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
                                 struct gk_error *error)
{
    const bool moves = !gk_span_equal(move->from, move->to);
    const struct gk_guard guards[] = {
        {.kind = GK_GUARD_MAP_EQUAL, .key = move->from, .value = move->stored},
        {.kind = GK_GUARD_MAP_ABSENT, .key = move->to}};
    const struct gk_change changes[] = {
        {.kind = GK_CHANGE_MAP_SET, .key = move->to, .value = value},
        {.kind = GK_CHANGE_MAP_REMOVE, .key = move->from}};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = request->account->object,
                                   .guards = guards,
                                   .guards_count = moves ? 2 : 1,
                                   .changes = changes,
                                   .changes_count = moves ? 2 : 1};
    return gk_store_write(request->gateway->store, &op, NULL, error);
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
    if (status == GK_OK) {
        status = move_entry(request, move, gk_buf_span(&value), error);
    }
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
