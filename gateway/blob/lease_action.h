/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an action makes of a lease, and what a lease allows: the tables "Outcomes of lease operations" and
 * "Outcomes of use attempts" by lease state (Storage REST reference, "Lease Blob", "Lease Container").
 * Pure: the time is an argument. All codes are those that the reference documents for them.
 */
#ifndef GATEWAY_BLOB_LEASE_ACTION_H
#define GATEWAY_BLOB_LEASE_ACTION_H

#include "gateway/blob/conditions.h"
#include "gateway/blob/lease.h"

#define GK_LEASE_DURATION_MIN_S 15u
#define GK_LEASE_DURATION_MAX_S 60u
#define GK_LEASE_BREAK_MAX_S    60u

enum gk_lease_action {
    GK_LEASE_ACQUIRE,
    GK_LEASE_RENEW,
    GK_LEASE_CHANGE,
    GK_LEASE_RELEASE,
    GK_LEASE_BREAK,
    GK_LEASE_ACTIONS
};

/* What a lease operation asks for; what its action does not need is all zero. */
struct gk_lease_request {
    enum gk_lease_action action;
    struct gk_id id;       /* of the lease as it is: renew, change, release */
    struct gk_id proposed; /* of the lease as it is to be: acquire, change */
    uint32_t duration_s;   /* acquire; GK_LEASE_INFINITE_S or so many */
    bool has_break_period;
    uint32_t break_period_s;
};

/* Changes lease, or leaves it as it was and refuses: 409 LeaseAlreadyPresent and its kin. */
enum gk_status gk_lease_act(struct gk_lease *lease, const struct gk_lease_request *request,
                            int64_t wall_ms, struct gk_error *error) GK_MUST_USE;
/* Seconds until one that was broken has ended, rounded up. */
uint32_t gk_lease_break_time_s(const struct gk_lease *lease, int64_t wall_ms);

/* Which of the two it is of: their codes have different names. */
enum gk_lease_of { GK_LEASE_OF_BLOB, GK_LEASE_OF_CONTAINER };

/*
 * Whether a request that names this lease, or none (NULL), may go on. GK_ACCESS_WRITE: it needs the id
 * while the lease locks (writes to a blob, Delete Container). GK_ACCESS_READ: without an id it always
 * goes on. 412 LeaseIdMissing, LeaseLost, LeaseIdMismatchWith..., LeaseNotPresentWith...Operation.
 */
enum gk_status gk_lease_allows(const struct gk_lease *lease, const struct gk_id *id,
                               enum gk_access access, enum gk_lease_of of, int64_t wall_ms,
                               struct gk_error *error) GK_MUST_USE;
/* What is left of the lease when its blob is written to: one that locks stays, one that has ended can be
 * renewed no more. */
struct gk_lease gk_lease_after_write(const struct gk_lease *lease, int64_t wall_ms);

#endif
