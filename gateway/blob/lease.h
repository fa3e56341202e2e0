/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lease of a blob or a container, as its record has it (Storage REST reference, "Lease Blob" and "Lease
 * Container"), and the state that it is in. That one has run out is a matter of the clock and stands
 * nowhere. Pure.
 *   id 16 | duration 4 | until 8 | broken at 8
 */
#ifndef GATEWAY_BLOB_LEASE_H
#define GATEWAY_BLOB_LEASE_H

#include "gateway/blob/fields.h"

#define GK_LEASE_INFINITE_S UINT32_MAX

/* All zero: there was never one, or it was released. */
struct gk_lease {
    struct gk_id id;
    uint32_t duration_s;       /* as it was asked for; 0: no lease */
    int64_t until_wall_ms;     /* when it runs out; INT64_MAX for an infinite one */
    int64_t broken_at_wall_ms; /* when it ends because it was broken; 0: it was not */
};

extern const struct gk_field_kind gk_lease_field;

enum gk_lease_state {
    GK_LEASE_AVAILABLE,
    GK_LEASE_LEASED,
    GK_LEASE_EXPIRED,
    GK_LEASE_BREAKING,
    GK_LEASE_BROKEN,
    GK_LEASE_STATES
};

enum gk_lease_state gk_lease_state(const struct gk_lease *lease, int64_t wall_ms);
/* Whether who has not its id is kept out. */
bool gk_lease_locks(enum gk_lease_state state);

/* How answers and listings tell it. duration: "infinite" or "fixed" of one that is leased, else NULL. */
struct gk_lease_view {
    const char *status;
    const char *state;
    const char *duration;
};
struct gk_lease_view gk_lease_view_of(const struct gk_lease *lease, int64_t wall_ms);

#endif
