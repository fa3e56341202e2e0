/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scrub is doing, and what it has found: kept in the store, object "scrub", so that any gateway
 * can show it and go on with it. Its form there, JSON in the map row "state", is also what the management
 * API answers; member "cursor" says where to go on. Not authenticated: what is removed follows from what a
 * run itself reads, never from this.
 */
#ifndef GATEWAY_SCRUB_STATE_H
#define GATEWAY_SCRUB_STATE_H

#include "common/buf.h"
#include "gateway/job/state.h"

#define GK_SCRUB_OBJECT       "scrub"
#define GK_SCRUB_FINDINGS_MAX 100u /* of each list; the counts have no bound, and the log has all */

enum gk_scrub_phase {
    GK_SCRUB_REFERENCES, /* what refers to data is read */
    GK_SCRUB_DATA,       /* the data pool is gone through */
    GK_SCRUB_META,       /* the meta pool is */
    GK_SCRUB_VERIFY,     /* records and chunks are opened */
    GK_SCRUB_END
};

struct gk_scrub_options {
    bool verify;
    bool remove;
    uint64_t older_than_s;
};

struct gk_scrub_counts {
    uint64_t accounts;
    uint64_t containers;
    uint64_t blobs;
    uint64_t segments; /* references; of one range of hashes at a time */
    uint64_t objects;  /* data objects that something refers to */
    uint64_t verified_blobs;
    uint64_t verified_bytes;
    uint64_t
        not_verifiable; /* blobs whose account's key is revoked or out of reach, or that a client has the key of */
    uint64_t damaged;
    uint64_t unreferenced; /* objects, removed ones included */
    uint64_t unreferenced_bytes;
    uint64_t removed;
    uint64_t removed_bytes;
    uint64_t recent;    /* unreferenced and too young to tell */
    uint64_t undecided; /* of containers with damaged rows, or perhaps of damaged accounts */
    uint64_t waiting;   /* unreferenced, and the reaper's */
    uint64_t foreign;   /* objects whose names are none of ours */
    uint64_t relisted;  /* accounts and marks that the registry did not have */
};

struct gk_scrub_state {
    struct gk_job_state job; /* a turn is a read of the store */
    enum gk_scrub_phase phase;
    struct gk_scrub_options options;
    struct gk_scrub_counts counts;
    /* Where to go on. */
    struct gk_scrub_counts before; /* counts at the beginning of this part */
    uint64_t range_first;          /* hashes of segments, as refset.h has them */
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    char container[64];
    uint32_t shard;
    struct gk_buf after; /* key of the blob that was verified last */
    /* Lists of findings, JSON arrays, owned. */
    json_t *damaged;
    json_t *not_verifiable;
    json_t *unreferenced;
};

void gk_scrub_state_init(struct gk_scrub_state *state);
void gk_scrub_state_cleanup(struct gk_scrub_state *state);

/* GK_E_NOT_FOUND: there was no scrub yet. GK_E_INTEGRITY: what stands there is not what was written. */
enum gk_status gk_scrub_state_read(struct gk_store *store, struct gk_scrub_state *state,
                                   struct gk_error *error) GK_MUST_USE;
enum gk_status gk_scrub_state_write(struct gk_store *store, const struct gk_scrub_state *state,
                                    struct gk_error *error) GK_MUST_USE;
/* As the API shows it; NULL when memory is out. Owned by the caller. */
json_t *gk_scrub_state_json(const struct gk_scrub_state *state);

/* A part of a scrub that was broken off begins again: what was counted of it is forgotten, but for what
 * was removed, which cannot be found again, and what is damaged. */
void gk_scrub_begin_part(struct gk_scrub_state *state);
/* The next part begins behind this one. */
void gk_scrub_end_part(struct gk_scrub_state *state);

/* Findings; each is in its list once, and counted once. Text that is not UTF-8 is escaped. */
void gk_scrub_add_damaged(struct gk_scrub_state *state, const char *account, const char *container,
                          struct gk_span blob, const char *what);
void gk_scrub_add_not_verifiable(struct gk_scrub_state *state, const char *account,
                                 const char *reason);
void gk_scrub_add_unreferenced(struct gk_scrub_state *state, const char *object, bool meta,
                               uint64_t size_bytes);

#endif
