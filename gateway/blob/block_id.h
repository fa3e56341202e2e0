/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers of blocks, and the staged blocks of a blob (Storage REST reference, "Put Block"). */
#ifndef GATEWAY_BLOB_BLOCK_ID_H
#define GATEWAY_BLOB_BLOCK_ID_H

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

/* The staged blocks of a blob, in the order of their identifiers. */
struct gk_staged_block {
    struct gk_block_id id;
    struct gk_staged staged;
};
/* *blocks is owned by the caller, who frees it; NULL for none. */
enum gk_status gk_staged_blocks(const struct gk_request *request,
                                const struct gk_blob_target *target,
                                struct gk_staged_block **blocks, uint32_t *count,
                                struct gk_error *error) GK_MUST_USE;

#endif
