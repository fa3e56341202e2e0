/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a re-encryption: one run of it, on its thread.
 *
 *   run.c       through all shards, again and again until nothing is found that is too old
 *   blob.c      a blob with all that it was: which of its records share a data key that is too old
 *   pour.c      what those consist of is read, and written under another data key
 *   pages.c     and that of page blobs, which are written in place meanwhile
 *   rewrite.c   one write by which they name that in place of what they had
 */
#ifndef GATEWAY_REENCRYPT_RUN_H
#define GATEWAY_REENCRYPT_RUN_H

#include "gateway/blob/states.h"
#include "gateway/job/account_job.h"
#include "gateway/job/shards.h"
#include "gateway/reencrypt/hold.h"
#include "gateway/reencrypt/moves.h"
#include "gateway/reencrypt/state.h"

struct gk_reencrypt_run {
    struct gk_account_job_run common;
    struct gk_reencrypt_state state;
    struct gk_reencrypt_left left; /* of the shard that is gone through, as are records */
    uint64_t records;
    uint64_t poured; /* bytes that no turn was taken for yet */
};

/* From where the state says to the end, or to where it is paused. */
enum gk_status gk_reencrypt_run_all(struct gk_reencrypt_run *run,
                                    struct gk_error *error) GK_MUST_USE;
/* As many as what was poured has cost. */
void gk_reencrypt_take_turns(struct gk_reencrypt_run *run);
/* The blob of that name, a base with all its states. What stays as it is, is counted. GK_E_INTEGRITY: something of
 * it cannot be read. */
enum gk_status gk_reencrypt_blob(struct gk_reencrypt_run *run,
                                 const struct gk_scrub_container *container, uint32_t shard,
                                 struct gk_span name, struct gk_error *error) GK_MUST_USE;

/*
 * What the rows of a page blob become (blob/page_map.h): the same rows, of the same eras, in another space, which
 * name other objects. All zero but for page blobs.
 */
struct gk_page_image {
    struct gk_id space;
    struct gk_id objects; /* XOR that of before is the id of what is in its place */
    uint32_t
        eras; /* rows of eras before this one were poured, of all records that have come to name one */
    unsigned rounds; /* that were made for that */
    uint64_t pieces; /* that the last of them has poured */
    bool locked;     /* the record's lock is held: no turn is waited for */
    uint32_t shared; /* eras that states in that space have (blob/page_eras.h) */
};

/* The records of a blob that have one object and its data key, and what they get in their place. */
struct gk_regroup {
    struct gk_reencrypt_run *run;
    struct gk_request *request; /* of nobody: the gateway and the account */
    struct gk_blob_target *base;
    struct gk_id object;          /* that they have */
    struct gk_blob_record anew;   /* object, sealed data key, its time and encryption */
    struct gk_data_key *data_key; /* of anew */
    struct gk_hold hold;
    struct gk_moves segments;
    struct gk_moves manifests;
    struct gk_moves pages;
    bool paged; /* they are a page blob and its states: of what follows just this is used */
    struct gk_page_image image;
    struct gk_buf poured; /* the base's value, as its records were poured */
    bool whole;           /* and only that was: nothing that a client has replaced since */
    uint64_t records;     /* that the write under way has changed */
};

/* Whether a base's or a state's record is of the group. */
bool gk_regroup_has(const struct gk_regroup *group, const struct gk_blob_target *target);

typedef enum gk_status gk_regroup_record_fn(void *ctx, struct gk_blob_target *target, bool *enough,
                                            struct gk_error *error);
/* The states of the group's base, whatever their group, from the oldest on, until fn has enough. */
enum gk_status gk_regroup_each_state(struct gk_regroup *group, gk_regroup_record_fn *fn, void *ctx,
                                     struct gk_error *error) GK_MUST_USE;

/* --- blobs of segments --------------------------------------------------------------------------*/

/* Writes what target's record consists of anew, as far as that was not done for another of the group. GK_E_CONFLICT:
 * it was changed, or what was held is lost. */
enum gk_status gk_regroup_pour(struct gk_regroup *group, struct gk_blob_target *target,
                               struct gk_error *error) GK_MUST_USE;
/* What entries name, moved. GK_E_CONFLICT: something of it was not poured. */
enum gk_status gk_regroup_move_entries(const struct gk_regroup *group,
                                       struct gk_manifest_entry *entries, uint32_t count,
                                       struct gk_error *error) GK_MUST_USE;
/* The chunk that stands beside the record of target, anew, appended to chunk; its segment in *entry. */
enum gk_status gk_regroup_pour_beside(struct gk_regroup *group, struct gk_blob_target *target,
                                      struct gk_manifest_entry *entry, struct gk_buf *chunk,
                                      struct gk_error *error) GK_MUST_USE;

/* --- page blobs ---------------------------------------------------------------------------------*/

/* Draws what they become, which the hold has from then on. */
enum gk_status gk_regroup_begin_pages(struct gk_regroup *group, struct gk_error *error) GK_MUST_USE;
/* Pours all that the records of the group name, and then what was written meanwhile, until that is little. As
 * gk_regroup_pour. */
enum gk_status gk_regroup_pour_pages(struct gk_regroup *group, struct gk_error *error) GK_MUST_USE;
/* The rest, under the lock of the base, which was just read: the base stands still, and all of it was poured. */
enum gk_status gk_regroup_follow_pages(struct gk_regroup *group,
                                       struct gk_error *error) GK_MUST_USE;
/* Whether all that target's record names was poured: of a base, and can no longer change but with its record. */
bool gk_regroup_has_pages_of(const struct gk_regroup *group, const struct gk_blob_target *target);

/* --- the write ----------------------------------------------------------------------------------*/

/* All records of the group in one write, or, of very many states, in several. GK_E_CONFLICT: one of them was
 * changed since it was poured; what was poured stays good. */
enum gk_status gk_regroup_write(struct gk_regroup *group, struct gk_error *error) GK_MUST_USE;

#endif
