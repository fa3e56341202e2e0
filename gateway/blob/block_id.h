/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers of blocks, and the staged blocks of a blob (Storage REST reference, "Put Block"). */
#ifndef GATEWAY_BLOB_BLOCK_ID_H
#define GATEWAY_BLOB_BLOCK_ID_H

#include "gateway/blob/changes.h"
#include "gateway/blob/target.h"

struct gk_block_id {
    uint16_t len;
    uint8_t bytes[GK_BLOCK_NAME_BYTES_MAX];
};

/* The query parameter blockid, decoded. 400 MissingRequiredQueryParameter, InvalidBlockId. */
enum gk_status gk_block_id_read(const struct gk_request *request, struct gk_block_id *id,
                                struct gk_error *error) GK_MUST_USE;
/* All blocks that are staged for a blob have identifiers of one length: 400 InvalidBlobOrBlock. */
enum gk_status gk_block_id_check_length(const struct gk_request *request,
                                        const struct gk_blob_target *target,
                                        const struct gk_block_id *id,
                                        struct gk_error *error) GK_MUST_USE;

/* Most of a staged block's value, sealed. */
#define GK_STAGED_BYTES_MAX (64u + GK_RECORD_OVERHEAD_BYTES)

/* Opens the value under a staged block's key. */
enum gk_status gk_staged_open(const struct gk_request *request, const struct gk_id *container,
                              struct gk_span key, struct gk_span value, struct gk_staged *staged,
                              struct gk_error *error) GK_MUST_USE;

/*
 * The staging mark: the entry under the staged blocks' prefix itself, another with each block that is
 * staged. Whoever makes something of the staged blocks guards against a change of it, since the blob's
 * record stays as it is when another gateway stages. It is the entry of a block without bytes.
 */
enum gk_status gk_staging_mark_new(const struct gk_request *request,
                                   const struct gk_blob_target *target,
                                   struct gk_change_list *changes,
                                   struct gk_error *error) GK_MUST_USE;
/* Whether any block is staged, and the mark, appended: nothing when there is none. */
enum gk_status gk_staging_mark_read(const struct gk_request *request,
                                    const struct gk_blob_target *target, bool *any,
                                    struct gk_buf *mark, struct gk_error *error) GK_MUST_USE;

/* The staged blocks of a blob, in the order of their identifiers. */
struct gk_staged_block {
    struct gk_block_id id;
    struct gk_staged staged;
};
/* *blocks is owned by the caller, who frees it; NULL for none. The staging mark of the same state is
 * appended to mark, which may be NULL: nothing when there is none. */
enum gk_status gk_staged_blocks(const struct gk_request *request,
                                const struct gk_blob_target *target,
                                struct gk_staged_block **blocks, uint32_t *count,
                                struct gk_buf *mark, struct gk_error *error) GK_MUST_USE;

#endif
