/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a re-encryption of an account is doing: kept in the account's map, row "n", so that any gateway can show it
 * and go on with it, and so that it goes with the account. Its form there, JSON, is also what the management API
 * answers; members "container" and "shard" say where to go on. Not authenticated: which data keys are too old
 * follows from the records and from when the job was ordered.
 */
#ifndef GATEWAY_REENCRYPT_STATE_H
#define GATEWAY_REENCRYPT_STATE_H

#include "gateway/job/state.h"

enum gk_reencrypt_phase {
    GK_REENCRYPT_DATA, /* all of the account is gone through, and written anew */
    GK_REENCRYPT_PROOF, /* again, until nothing is found that was to be: what came from old data meanwhile; or so
                           often that somebody must be copying old data all the time: found says so */
    GK_REENCRYPT_END
};

/* Records, of blobs and of what they were, whose data stay under the data keys that they have. */
struct gk_reencrypt_left {
    uint64_t client_keys; /* a client has the other key to the data key */
    uint64_t uncommitted; /* blocks are staged that are under the data key, too */
    uint64_t pending;     /* a copy is under way */
    uint64_t scopes;      /* the encryption scope's key cannot be had */
    uint64_t changing;    /* written again and again by clients */
    uint64_t damaged;     /* cannot be read */
};

struct gk_reencrypt_counts {
    uint64_t records; /* that were looked at, this time through */
    uint64_t reencrypted;
    uint64_t bytes;                /* of data that were written anew */
    struct gk_reencrypt_left left; /* of the shards that were gone through, this time */
};

struct gk_reencrypt_state {
    struct gk_job_state job; /* "stopped" is "paused" here; a turn is a MiB */
    enum gk_reencrypt_phase phase;
    struct gk_reencrypt_counts counts;
    uint64_t passes;         /* times that it was gone through, before this one */
    uint64_t found;          /* of counts.reencrypted, this time through */
    struct gk_job_cursor at; /* that is gone through */
};

void gk_reencrypt_left_add(struct gk_reencrypt_left *left, const struct gk_reencrypt_left *more);
uint64_t gk_reencrypt_left_sum(const struct gk_reencrypt_left *left);

/* GK_E_NOT_FOUND: there was none yet, or no account. GK_E_INTEGRITY: what stands there is not what was written.
 * object is the account's. */
enum gk_status gk_reencrypt_state_read(struct gk_store *store, const char *object,
                                       struct gk_reencrypt_state *state,
                                       struct gk_error *error) GK_MUST_USE;
/* GK_E_NOT_FOUND: the account is gone. */
enum gk_status gk_reencrypt_state_write(struct gk_store *store, const char *object,
                                        const struct gk_reencrypt_state *state,
                                        struct gk_error *error) GK_MUST_USE;
/* As the API shows it; NULL when memory is out. Owned by the caller. */
json_t *gk_reencrypt_state_json(const struct gk_reencrypt_state *state);

#endif
