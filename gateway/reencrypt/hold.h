/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has been written of a blob that no record names yet stands in the blob's shard as
 *
 *   l/<hold>      a loan (blob/loan.h) of the blob's own that has lent nothing, open
 *   g/<due> ...   garbage: that loan, and then what was written, due some time after the last of it
 *
 * Whatever becomes of who writes it: when it is due, and no record of the blob names it, it is removed. The reaper
 * closes the loan first, while the blob's base is as it was when its records were looked through; and the write
 * that makes records name what is held is guarded by the loan that is open. So nothing is named that is removed, and
 * nothing is removed that is named (docs/decisions/0026-re-encryption.md).
 *
 * Needs no key. Belongs to the run's thread. GK_E_CONFLICT: what was held came to be due, and is lost.
 */
#ifndef GATEWAY_REENCRYPT_HOLD_H
#define GATEWAY_REENCRYPT_HOLD_H

#include "gateway/blob/blob_write.h"

struct gk_hold {
    const struct gk_request *request;
    const struct gk_blob_target *base; /* which shard, and which blob */
    struct gk_id id;
    bool made; /* the loan is in the store */
    struct gk_buf row_key;
    struct gk_buf row_value;   /* as it is stored */
    struct gk_garbage written; /* the loan, and all that was written */
    size_t queued;             /* of its items, how many entries have */
    struct gk_buf entry_keys;  /* of those: length 2 | key ... */
    int64_t due_wall_ms;       /* of the oldest one */
};

/* Begins one that the first commit makes: what comes to hold nothing costs nothing. request and base must outlive it.
 * cleanup is always fine afterwards, and leaves what is held to its time. */
enum gk_status gk_hold_begin(struct gk_hold *hold, const struct gk_request *request,
                             const struct gk_blob_target *base, struct gk_error *error) GK_MUST_USE;
void gk_hold_cleanup(struct gk_hold *hold);

/* Something that the next commit makes durable, or that is about to be written after it. */
void gk_hold_add(struct gk_hold *hold, enum gk_garbage_kind kind, const struct gk_id *id,
                 uint64_t number);
/* What was added is held from here on, with writer's data when there is one (NULL: none) and with changes, to which
 * those of the hold are added, of the shard's map (NULL: none). */
enum gk_status gk_hold_commit(struct gk_hold *hold, struct gk_writer *writer,
                              struct gk_change_list *changes, struct gk_error *error) GK_MUST_USE;
/* To be called while a commit takes its time, so that nothing comes to be due. */
enum gk_status gk_hold_keep(struct gk_hold *hold, struct gk_error *error) GK_MUST_USE;
/* A part of each write by which records come to name what is held; hold must stay until its commit. */
void gk_hold_guard(const struct gk_hold *hold, struct gk_blob_write *write);
/* And of the last one: it is not held any more. whole: records name all of it from then on; else what they do not is
 * removed in its time. */
void gk_hold_settle(const struct gk_hold *hold, struct gk_blob_write *write, bool whole);

#endif
