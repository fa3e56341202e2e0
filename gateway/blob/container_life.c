/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/container_life.h"

#include "common/error.h"

#define TIMES_IN_MS 10000u

static bool given(const void *value)
{
    const struct gk_container_life *life = value;
    return life->opening != 0 || life->deleted_wall_ms != 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_container_life *life = value;
    gk_buf_append_u64(out, life->opening);
    gk_buf_append_u64(out, (uint64_t)life->deleted_wall_ms);
    gk_buf_append_u64(out, (uint64_t)life->kept_until_wall_ms);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_container_life *life = value;
    life->opening = gk_read_u64(in);
    life->deleted_wall_ms = (int64_t)gk_read_u64(in);
    life->kept_until_wall_ms = (int64_t)gk_read_u64(in);
    return given(life) ? GK_OK
                       : gk_fail(error, GK_E_INTEGRITY, "a container's life is not well-formed");
}

const struct gk_field_kind gk_container_life_field = {
    .given = given, .encode = encode, .decode = decode};

uint64_t gk_container_life_next(const struct gk_container_life *life, int64_t wall_ms)
{
    const uint64_t now = (uint64_t)wall_ms * TIMES_IN_MS;
    return now > life->opening ? now : life->opening + 1;
}
