/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/lease_action.h"

#include "common/error.h"
#include "common/text.h"

static int64_t after_s(int64_t wall_ms, uint32_t seconds)
{
    return wall_ms + (int64_t)seconds * 1000;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The clock of a lease starts, from the beginning or anew. */
static void start(struct gk_lease *lease, int64_t wall_ms)
{
    lease->until_wall_ms =
        lease->duration_s == GK_LEASE_INFINITE_S ? INT64_MAX : after_s(wall_ms, lease->duration_s);
}

/* --- the five actions ---------------------------------------------------------------------------*/

static enum gk_status acquire(struct gk_lease *lease, const struct gk_lease_request *request,
                              int64_t wall_ms, struct gk_error *error)
{
    const enum gk_lease_state state = gk_lease_state(lease, wall_ms);
    const bool same = gk_id_equal(&lease->id, &request->proposed);
    if (state == GK_LEASE_BREAKING && same) {
        return gk_refuse(error, 409, "LeaseIsBreakingAndCannotBeAcquired");
    }
    if (gk_lease_locks(state) && !same) {
        return gk_refuse(error, 409, "LeaseAlreadyPresent");
    }
    *lease = (struct gk_lease){.id = request->proposed, .duration_s = request->duration_s};
    start(lease, wall_ms);
    return GK_OK;
}

static enum gk_status renew(struct gk_lease *lease, const struct gk_lease_request *request,
                            int64_t wall_ms, struct gk_error *error)
{
    const enum gk_lease_state state = gk_lease_state(lease, wall_ms);
    if (state == GK_LEASE_AVAILABLE || !gk_id_equal(&lease->id, &request->id)) {
        return gk_refuse(error, 409, "LeaseIdMismatchWithLeaseOperation");
    }
    if (state == GK_LEASE_BREAKING || state == GK_LEASE_BROKEN) {
        return gk_refuse(error, 409, "LeaseIsBrokenAndCannotBeRenewed");
    }
    start(lease, wall_ms);
    return GK_OK;
}

/* A client that asks again, since it missed the answer, finds it done. */
static enum gk_status change(struct gk_lease *lease, const struct gk_lease_request *request,
                             int64_t wall_ms, struct gk_error *error)
{
    const enum gk_lease_state state = gk_lease_state(lease, wall_ms);
    if (!gk_lease_locks(state)) {
        return gk_refuse(error, 409, "LeaseNotPresentWithLeaseOperation");
    }
    if (!gk_id_equal(&lease->id, &request->id) && !gk_id_equal(&lease->id, &request->proposed)) {
        return gk_refuse(error, 409, "LeaseIdMismatchWithLeaseOperation");
    }
    if (state == GK_LEASE_BREAKING) {
        return gk_refuse(error, 409, "LeaseIsBreakingAndCannotBeChanged");
    }
    lease->id = request->proposed;
    return GK_OK;
}

static enum gk_status release(struct gk_lease *lease, const struct gk_lease_request *request,
                              int64_t wall_ms, struct gk_error *error)
{
    if (gk_lease_state(lease, wall_ms) == GK_LEASE_AVAILABLE ||
        !gk_id_equal(&lease->id, &request->id)) {
        return gk_refuse(error, 409, "LeaseIdMismatchWithLeaseOperation");
    }
    *lease = (struct gk_lease){.duration_s = 0};
    return GK_OK;
}

/* Without a period an infinite lease ends at once, another when it would have ended. A period never
 * makes it later. */
static enum gk_status end(struct gk_lease *lease, const struct gk_lease_request *request,
                          int64_t wall_ms, struct gk_error *error)
{
    const bool infinite = lease->duration_s == GK_LEASE_INFINITE_S;
    const int64_t period_end = after_s(wall_ms, request->break_period_s);
    switch (gk_lease_state(lease, wall_ms)) {
    case GK_LEASE_LEASED:
        lease->broken_at_wall_ms = request->has_break_period
                                       ? earlier(lease->until_wall_ms, period_end)
                                   : infinite ? wall_ms
                                              : lease->until_wall_ms;
        return GK_OK;
    case GK_LEASE_EXPIRED:
        lease->broken_at_wall_ms = wall_ms;
        return GK_OK;
    case GK_LEASE_BREAKING:
        if (request->has_break_period) {
            lease->broken_at_wall_ms = earlier(lease->broken_at_wall_ms, period_end);
        }
        return GK_OK;
    case GK_LEASE_BROKEN:
        return GK_OK;
    default:
        return gk_refuse(error, 409, "LeaseNotPresentWithLeaseOperation");
    }
}

enum gk_status gk_lease_act(struct gk_lease *lease, const struct gk_lease_request *request,
                            int64_t wall_ms, struct gk_error *error)
{
    static enum gk_status (*const actions[GK_LEASE_ACTIONS])(
        struct gk_lease *, const struct gk_lease_request *, int64_t,
        struct gk_error *) = {[GK_LEASE_ACQUIRE] = acquire,
                              [GK_LEASE_RENEW] = renew,
                              [GK_LEASE_CHANGE] = change,
                              [GK_LEASE_RELEASE] = release,
                              [GK_LEASE_BREAK] = end};
    return actions[request->action](lease, request, wall_ms, error);
}

uint32_t gk_lease_break_time_s(const struct gk_lease *lease, int64_t wall_ms)
{
    return lease->broken_at_wall_ms <= wall_ms
               ? 0
               : (uint32_t)((lease->broken_at_wall_ms - wall_ms + 500) / 1000);
}

/* --- what it allows -----------------------------------------------------------------------------*/

enum gk_status gk_lease_allows(const struct gk_lease *lease, const struct gk_id *id,
                               enum gk_access access, enum gk_lease_of of, int64_t wall_ms,
                               struct gk_error *error)
{
    static const char *const not_present[] = {
        [GK_LEASE_OF_BLOB] = "LeaseNotPresentWithBlobOperation",
        [GK_LEASE_OF_CONTAINER] = "LeaseNotPresentWithContainerOperation"};
    static const char *const mismatch[] = {[GK_LEASE_OF_BLOB] = "LeaseIdMismatchWithBlobOperation",
                                           [GK_LEASE_OF_CONTAINER] =
                                               "LeaseIdMismatchWithContainerOperation"};
    const enum gk_lease_state state = gk_lease_state(lease, wall_ms);
    if (id == NULL) {
        return access == GK_ACCESS_WRITE && gk_lease_locks(state)
                   ? gk_refuse(error, 412, "LeaseIdMissing")
                   : GK_OK;
    }
    if (state == GK_LEASE_AVAILABLE) {
        return gk_refuse(error, 412, not_present[of]);
    }
    if (!gk_lease_locks(state)) {
        return gk_refuse(error, 412, "LeaseLost");
    }
    return gk_id_equal(&lease->id, id) ? GK_OK : gk_refuse(error, 412, mismatch[of]);
}

struct gk_lease gk_lease_after_write(const struct gk_lease *lease, int64_t wall_ms)
{
    return gk_lease_locks(gk_lease_state(lease, wall_ms)) ? *lease
                                                          : (struct gk_lease){.duration_s = 0};
}
