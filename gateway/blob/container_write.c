/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/container_write.h"

#include "common/error.h"

#define ATTEMPTS_MAX 16u

enum gk_status gk_container_seal(const struct gk_request *request,
                                 const struct gk_container *container, struct gk_span key,
                                 struct gk_buf *value, struct gk_error *error)
{
    const struct gk_place place = gk_container_place(request, key);
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_container_encode(container, &open);
    enum gk_status status = gk_buf_status(&open);
    if (status == GK_OK) {
        status = gk_value_seal(&place, NULL, gk_buf_span(&open), (struct gk_span){0}, value, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

/* map[key] := value in the account's object, under one guard on that key, and perhaps another. */
static enum gk_status write_entry(const struct gk_request *request, struct gk_guard guard,
                                  const struct gk_guard *also, struct gk_span value,
                                  struct gk_error *error)
{
    const struct gk_change change = {.kind = GK_CHANGE_MAP_SET, .key = guard.key, .value = value};
    const struct gk_guard guards[] = {
        {.kind = GK_GUARD_EXISTS}, guard, also == NULL ? guard : *also};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = request->account->object,
                                   .guards = guards,
                                   .guards_count = also == NULL ? 2 : 3,
                                   .changes = &change,
                                   .changes_count = 1};
    return gk_store_write(request->gateway->store, &op, NULL, error);
}

enum gk_status gk_container_write(const struct gk_request *request,
                                  const struct gk_container *container, struct gk_guard guard,
                                  const struct gk_guard *also, struct gk_error *error)
{
    struct gk_buf value;
    gk_buf_init(&value, GK_CONTAINER_RECORD_BYTES_MAX);
    enum gk_status status = gk_container_seal(request, container, guard.key, &value, error);
    if (status == GK_OK) {
        status = write_entry(request, guard, also, gk_buf_span(&value), error);
    }
    gk_buf_cleanup(&value);
    return status;
}

enum gk_status gk_container_absent(const struct gk_request *request, struct gk_span key,
                                   struct gk_error *error)
{
    struct gk_buf stored;
    gk_buf_init(&stored, GK_CONTAINER_RECORD_BYTES_MAX);
    const enum gk_status status =
        gk_value_get(request->gateway->store, request->account->object, key, &stored, error);
    gk_buf_cleanup(&stored);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status == GK_OK ? GK_E_EXISTS : status;
}

static enum gk_status change_once(struct gk_request *request, struct gk_container_target *target,
                                  gk_container_change_fn *change, const void *ctx,
                                  struct gk_error *error)
{
    enum gk_status status = gk_container_target_load(request, target, error);
    if (status == GK_OK) {
        status = change(request, &target->container, ctx, error);
    }
    if (status == GK_OK) {
        const struct gk_guard guard = {.kind = GK_GUARD_MAP_EQUAL,
                                       .key = gk_buf_span(&target->key),
                                       .value = gk_buf_span(&target->stored)};
        status = gk_container_write(request, &target->container, guard, NULL, error);
    }
    return status;
}

enum gk_status gk_container_change(struct gk_request *request, struct gk_container_target *target,
                                   gk_container_change_fn *change, const void *ctx,
                                   struct gk_error *error)
{
    enum gk_status status = change_once(request, target, change, ctx, error);
    for (unsigned attempt = 1; status == GK_E_CONFLICT && attempt < ATTEMPTS_MAX; attempt++) {
        gk_error_clear(error);
        gk_container_target_cleanup(target);
        status = change_once(request, target, change, ctx, error);
    }
    return status;
}

void gk_container_touch(const struct gk_request *request, struct gk_container *container)
{
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    container->etag = gk_etag_new(now);
    container->modified_wall_ms = now;
}

enum gk_status gk_container_conditions(const struct gk_request *request,
                                       const struct gk_container *container, struct gk_error *error)
{
    const struct gk_current current = {
        .exists = true, .etag = container->etag, .modified_wall_ms = container->modified_wall_ms};
    return gk_conditions_check(request, GK_ACCESS_WRITE, &current, error);
}
