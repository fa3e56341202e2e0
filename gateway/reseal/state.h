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

#include "common/text.h"
#include "gatekey/plugin.h"
#include "gateway/store/store.h"

enum gk_reseal_status {
    GK_RESEAL_RUNNING,
    GK_RESEAL_PAUSED,      /* may be resumed, as may the next two */
    GK_RESEAL_INTERRUPTED, /* its gateway ended */
    GK_RESEAL_FAILED,
    GK_RESEAL_DONE
};

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
    uint64_t scopes_left_out; /* whose key cannot be had */
    uint64_t damaged;         /* records that cannot be opened */
    uint64_t retired;         /* root keys */
};

/* A shard of the account's containers. */
struct gk_reseal_cursor {
    char container[GK_UUID_TEXT_BYTES]; /* its id; "" before the first */
    uint32_t shard;
};

struct gk_reseal_state {
    char id[GK_UUID_TEXT_BYTES];
    enum gk_reseal_status status;
    enum gk_reseal_phase phase;
    struct gk_reseal_counts counts;
    uint32_t rate; /* blobs in a second; 0: one after the other */
    char gateway[128];
    char failure[256];
    int64_t started_wall_ms;
    int64_t updated_wall_ms;
    int64_t ended_wall_ms;      /* 0: not yet */
    double progress;            /* of the phase, 0 to 1 */
    struct gk_reseal_cursor at; /* that is gone through, of GK_RESEAL_KEYS */
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

/* An order to pause the reseal with this id, "" for none: row "r/pause". */
enum gk_status gk_reseal_order_write(struct gk_store *store, const char *object, const char *id,
                                     struct gk_error *error) GK_MUST_USE;
enum gk_status gk_reseal_order_read(struct gk_store *store, const char *object, const char *id,
                                    bool *ordered, struct gk_error *error) GK_MUST_USE;

#endif
