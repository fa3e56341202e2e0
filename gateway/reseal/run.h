/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a reseal: one run of it, on its thread. Phases, and why nothing is lost by retiring what they
 * find empty: docs/decisions/0021-resealing.md.
 */
#ifndef GATEWAY_RESEAL_RUN_H
#define GATEWAY_RESEAL_RUN_H

#include "gateway/blob/encryption.h"
#include "gateway/job/account_job.h"
#include "gateway/job/shards.h"
#include "gateway/reseal/state.h"

/* Whose root keys there are: the account's own, and those of its scopes; of them only who has older ones in
 * use. */
struct gk_reseal_owner {
    char scope[GK_SCOPE_NAME_BYTES_MAX]; /* "": the account */
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_account *handle; /* the plugin's */
    uint32_t active;           /* generation */
    uint32_t oldest;
    uint32_t
        met[GK_ACCOUNT_GENERATIONS_MAX]; /* older ones that the proof has found something under */
    size_t met_count;
};

struct gk_reseal_run {
    struct gk_account_job_run common;
    struct gk_reseal_state state;
    struct gk_reseal_owner *owners; /* by scope, ascending */
    size_t owners_count;
    bool unsure; /* something could not be read: nothing may be retired */
};

/* From where the state says to the end, or to where it is paused. */
enum gk_status gk_reseal_run_all(struct gk_reseal_run *run, struct gk_error *error) GK_MUST_USE;

/* Something that cannot be opened: log, count, and nothing is retired. found_again: the proof, which reads all
 * once more, comes upon it too, and counts it. */
void gk_reseal_tell_damaged(struct gk_reseal_run *run, const char *container, const char *what,
                            bool found_again);

/* Fills run->owners; whose key cannot be had is left out, and counted, unless it is the account. */
enum gk_status gk_reseal_owners_load(struct gk_reseal_run *run, struct gk_error *error) GK_MUST_USE;
void gk_reseal_owners_free(struct gk_reseal_run *run);
/* NULL: it has no older root keys in use. */
struct gk_reseal_owner *gk_reseal_owner_of(const struct gk_reseal_run *run,
                                           const struct gk_encryption *encryption);

/* One shard of a container, for a run (ctx): in GK_RESEAL_KEYS all of it is sealed anew, in GK_RESEAL_PROOF what is
 * found noted with the owners. */
gk_job_shard_fn gk_reseal_shard;
/* The blob of that name, a base with all its states. */
enum gk_status gk_reseal_blob(struct gk_reseal_run *run, const struct gk_scrub_container *container,
                              uint32_t shard, struct gk_span name,
                              struct gk_error *error) GK_MUST_USE;

#endif
