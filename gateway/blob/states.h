/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a blob in the store (history.h): reading them, and making them out of the base. A state is
 * a target of its own, whose key is that of its record; container and shard are the base's. What is done
 * to states is part of a write of their base (blob_write.h), which writes the base's record anew or takes
 * it away. Belongs to the request's thread.
 */
#ifndef GATEWAY_BLOB_STATES_H
#define GATEWAY_BLOB_STATES_H

#include "gateway/blob/blob_write.h"

/* Some states of a blob, by their times. */
#define GK_STATES_STEP 128u
struct gk_states {
    struct gk_blob_target *items;
    size_t count;
    bool more; /* perhaps, behind the last one */
};

/* Those after a time, GK_STATES_STEP at most. cleanup is always fine afterwards. */
enum gk_status gk_states_read(struct gk_request *request, const struct gk_blob_target *base,
                              uint64_t after, struct gk_states *out,
                              struct gk_error *error) GK_MUST_USE;
void gk_states_cleanup(struct gk_states *states);
/* Where the one of that time would be. The caller cleans it up. */
void gk_state_target_init(const struct gk_blob_target *base, uint64_t time,
                          struct gk_blob_target *out);
/* The one of that time; one that is not there is no error (exists). The caller cleans it up. */
enum gk_status gk_state_read(const struct gk_request *request, const struct gk_blob_target *base,
                             uint64_t time, struct gk_blob_target *out,
                             struct gk_error *error) GK_MUST_USE;

/*
 * The base, as it is, becomes a state as well: as says what of, time is the next one's. stored is the
 * base's value, or one under its key with other metadata. Needs no key.
 */
enum gk_status gk_state_make(struct gk_blob_write *write, struct gk_request *request,
                             const struct gk_blob_target *base, struct gk_span stored,
                             const struct gk_history *as, uint64_t time,
                             struct gk_error *error) GK_MUST_USE;
/* Whether what the base has outlives other content that comes in its place: it was deleted and is kept, or
 * the account keeps what is overwritten, as a version or as a snapshot that is deleted. */
bool gk_state_is_kept(const struct gk_request *request, const struct gk_blob_target *base);
/* It does, as a state. */
enum gk_status gk_state_keep(struct gk_blob_write *write, struct gk_request *request,
                             const struct gk_blob_target *base, struct gk_error *error) GK_MUST_USE;
/* What the base becomes by this write is a version of its own where the account has versions: its history
 * says so. */
void gk_state_begin_version(struct gk_blob_write *write, const struct gk_request *request,
                            struct gk_history *history);
/* Marks a record, a base's or a state's, as deleted by this write and kept for as long as the account
 * has it; false, and nothing done, when it keeps nothing. */
bool gk_state_mark_deleted(struct gk_blob_write *write, const struct gk_request *request,
                           struct gk_history *history);
/* The base after something else was done to its states: as it is, or, when it is gone and none remain,
 * no more. */
enum gk_status gk_state_settle_base(struct gk_blob_write *write, const struct gk_request *request,
                                    const struct gk_blob_target *base, bool remain,
                                    struct gk_error *error) GK_MUST_USE;
/* The base's record goes, as its content has (gk_blob_write_discard); one that says so stays while states
 * remain. */
enum gk_status gk_state_remove_base(struct gk_blob_write *write, const struct gk_request *request,
                                    const struct gk_blob_target *base, bool remain,
                                    struct gk_error *error) GK_MUST_USE;

#endif
