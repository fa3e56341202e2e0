/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/lifetime.h"

#include "common/error.h"

static bool given(const void *value)
{
    const struct gk_lifetime *lifetime = value;
    return lifetime->ends_wall_ms != 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_lifetime *lifetime = value;
    gk_buf_append_u64(out, (uint64_t)lifetime->ends_wall_ms);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_lifetime *lifetime = value;
    lifetime->ends_wall_ms = (int64_t)gk_read_u64(in);
    return lifetime->ends_wall_ms > 0 && lifetime->ends_wall_ms <= GK_LIFETIME_MAX_WALL_MS
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a record's lifetime is not well-formed");
}

const struct gk_field_kind gk_lifetime_field = {.given = given, .encode = encode, .decode = decode};

bool gk_lifetime_is_over(const struct gk_lifetime *lifetime, int64_t wall_ms)
{
    return lifetime->ends_wall_ms != 0 && lifetime->ends_wall_ms <= wall_ms;
}
