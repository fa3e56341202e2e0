/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One guarded write of a blob's record with all that goes with it: what else changes in the
 * container's index, and what becomes garbage by it. A write begins when its record's lock is held
 * and its target was (re)loaded under it.
 */
#ifndef GATEWAY_BLOB_BLOB_WRITE_H
#define GATEWAY_BLOB_BLOB_WRITE_H

#include "gateway/blob/changes.h"
#include "gateway/blob/garbage.h"
#include "gateway/blob/index.h"
#include "gateway/blob/writer.h"

struct gk_blob_write {
    struct gk_change_list changes;
    struct gk_garbage garbage;
    struct gk_garbage shared; /* what other records of the same blob may still refer to */
    uint64_t newest;          /* time of a state, as the base's next record says it */
    struct gk_id ended;       /* a state is made of the page blob that has this space; 0: none is */
    int64_t ends_wall_ms; /* when what this write deletes and keeps, or the blob, ends; 0: never */
    uint8_t door[GK_INDEX_DOOR_BYTES]; /* that a guard compares with */
    struct gk_guard guards[GK_INDEX_GUARDS + 4];
    size_t guards_count;
    struct gk_buf bar_key;  /* that a guard looks for (key_floor.h) */
    struct gk_buf mark_key; /* of a guarded staging mark */
    struct gk_buf mark;
};

/* Guards: the shard is there and open, and the blob's record still is what target shows. target must
 * stay as it is until the commit. */
void gk_blob_write_init(struct gk_blob_write *write, const struct gk_blob_target *target);
void gk_blob_write_cleanup(struct gk_blob_write *write);
/* The shard need not be open: for what gives something back, of which a container that is removed has some. */
void gk_blob_write_closed_too(struct gk_blob_write *write);
/* One more guard; its spans must live until the commit. */
void gk_blob_write_guard(struct gk_blob_write *write, struct gk_guard guard);

/* One more: the staging mark (block_id.h) still is this one, or, when it is empty, there still is none. */
void gk_blob_write_guard_staging(struct gk_blob_write *write, const struct gk_blob_target *target,
                                 struct gk_span mark);
/* Other content comes in the base's place: what it had is kept as a state where the account has it so
 * (states.h), else it is garbage, as far as no state of it has it; staged blocks are. Nothing for no
 * record. */
enum gk_status gk_blob_write_discard(struct gk_blob_write *write, struct gk_request *request,
                                     const struct gk_blob_target *target,
                                     struct gk_error *error) GK_MUST_USE;
/* The blocks that are staged are garbage. */
enum gk_status gk_blob_write_discard_staged(struct gk_blob_write *write,
                                            const struct gk_request *request,
                                            const struct gk_blob_target *target,
                                            struct gk_error *error) GK_MUST_USE;
/* What the record of target, a base or a state, refers to is garbage, as far as nothing else does. */
void gk_blob_write_drop(struct gk_blob_write *write, const struct gk_blob_target *target);

/* The new record of a base or a state. metadata NULL or empty: without a sealed part. data_key, of the record, may be NULL then
 * when it is not a new one. */
enum gk_status gk_blob_write_record(struct gk_blob_write *write, const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    const struct gk_blob_record *record,
                                    struct gk_data_key *data_key,
                                    const struct gk_metadata *metadata,
                                    struct gk_error *error) GK_MUST_USE;
/* The new record of a base or a state with the metadata that it has; needs no key. */
enum gk_status gk_blob_write_open_part(struct gk_blob_write *write,
                                       const struct gk_request *request,
                                       const struct gk_blob_target *target,
                                       const struct gk_blob_record *record,
                                       struct gk_error *error) GK_MUST_USE;
/* What every change of a blob's content or properties changes: ETag, time, and a lease that ran out. */
void gk_blob_touch(const struct gk_request *request, struct gk_blob_record *record);
/* What stands beside the blob's record from now on: a sealed chunk, or, when it is empty, nothing. */
void gk_blob_write_beside(struct gk_blob_write *write, const struct gk_blob_target *target,
                          struct gk_span chunk);
/* The record of a base or a state goes, with what stands beside it. */
void gk_blob_write_removal(struct gk_blob_write *write, const struct gk_blob_target *target);

/*
 * Makes it durable and visible, with writer's data when there is one (NULL: none), and tells the
 * reaper of the garbage. As gk_blob_target_read when the container went meanwhile; GK_E_CONFLICT or
 * GK_E_EXISTS when another gateway got in between.
 */
enum gk_status gk_blob_write_commit(struct gk_blob_write *write, struct gk_request *request,
                                    const struct gk_blob_target *target, struct gk_writer *writer,
                                    struct gk_error *error) GK_MUST_USE;

#endif
