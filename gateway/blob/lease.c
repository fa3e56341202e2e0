/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/lease.h"

#include "common/error.h"

static bool given(const void *value)
{
    const struct gk_lease *lease = value;
    return lease->duration_s != 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_lease *lease = value;
    gk_append_id(out, &lease->id);
    gk_buf_append_u32(out, lease->duration_s);
    gk_buf_append_u64(out, (uint64_t)lease->until_wall_ms);
    gk_buf_append_u64(out, (uint64_t)lease->broken_at_wall_ms);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_lease *lease = value;
    gk_read_id(in, &lease->id);
    lease->duration_s = gk_read_u32(in);
    lease->until_wall_ms = (int64_t)gk_read_u64(in);
    lease->broken_at_wall_ms = (int64_t)gk_read_u64(in);
    return given(lease) ? GK_OK
                        : gk_fail(error, GK_E_INTEGRITY, "a record's lease is not well-formed");
}

const struct gk_field_kind gk_lease_field = {.given = given, .encode = encode, .decode = decode};

enum gk_lease_state gk_lease_state(const struct gk_lease *lease, int64_t wall_ms)
{
    if (lease->duration_s == 0) {
        return GK_LEASE_AVAILABLE;
    }
    if (lease->broken_at_wall_ms != 0) {
        return wall_ms < lease->broken_at_wall_ms ? GK_LEASE_BREAKING : GK_LEASE_BROKEN;
    }
    return wall_ms < lease->until_wall_ms ? GK_LEASE_LEASED : GK_LEASE_EXPIRED;
}

bool gk_lease_locks(enum gk_lease_state state)
{
    return state == GK_LEASE_LEASED || state == GK_LEASE_BREAKING;
}

struct gk_lease_view gk_lease_view_of(const struct gk_lease *lease, int64_t wall_ms)
{
    static const char *const names[GK_LEASE_STATES] = {"available", "leased", "expired", "breaking",
                                                       "broken"};
    const enum gk_lease_state state = gk_lease_state(lease, wall_ms);
    const bool infinite = lease->duration_s == GK_LEASE_INFINITE_S;
    return (struct gk_lease_view){.status = gk_lease_locks(state) ? "locked" : "unlocked",
                                  .state = names[state],
                                  .duration = state != GK_LEASE_LEASED ? NULL
                                              : infinite               ? "infinite"
                                                                       : "fixed"};
}
