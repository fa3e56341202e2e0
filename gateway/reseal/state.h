/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reseal of an account is doing: kept in the account's map, row "r", so that any gateway can show it and
 * go on with it, and so that it goes with the account. Its form there, JSON, is also what the management API
 * answers; members "container" and "shard" say where to go on. Not authenticated: what is retired follows from
 * what a run itself reads, never from this.
 */
#ifndef GATEWAY_RESEAL_STATE_H
#define GATEWAY_RESEAL_STATE_H

#include <jansson.h>

#include "gateway/job/state.h"

enum gk_reseal_phase {
    GK_RESEAL_BAR,   /* nothing comes to stand under older root keys any more */
    GK_RESEAL_KEYS,  /* what stands there is sealed anew */
    GK_RESEAL_PROOF, /* nothing stands there */
    GK_RESEAL_RETIRE,
    GK_RESEAL_END
};

struct gk_reseal_counts {
    uint64_t blobs;    /* records that were looked at, of blobs and of what they were */
    uint64_t resealed; /* of those */
    uint64_t
        left; /* data keys under older root keys that stay: a client has the other key to them */
    uint64_t left_behind; /* others that are: written to all the while, or they cannot be opened */
    uint64_t scopes_left_out; /* whose key cannot be had */
    uint64_t damaged;         /* records that cannot be opened */
    uint64_t retired;         /* root keys */
};

struct gk_reseal_state {
    struct gk_job_state job; /* "stopped" is "paused" here; a turn is a blob */
    enum gk_reseal_phase phase;
    struct gk_reseal_counts counts;
    struct gk_job_cursor at; /* that is gone through, of GK_RESEAL_KEYS */
};

/* GK_E_NOT_FOUND: there was no reseal yet, or no account. GK_E_INTEGRITY: what stands there is not what was
 * written. object is the account's. */
enum gk_status gk_reseal_state_read(struct gk_store *store, const char *object,
                                    struct gk_reseal_state *state,
                                    struct gk_error *error) GK_MUST_USE;
/* GK_E_NOT_FOUND: the account is gone. */
enum gk_status gk_reseal_state_write(struct gk_store *store, const char *object,
                                     const struct gk_reseal_state *state,
                                     struct gk_error *error) GK_MUST_USE;
/* As the API shows it; NULL when memory is out. Owned by the caller. */
json_t *gk_reseal_state_json(const struct gk_reseal_state *state);

#endif
