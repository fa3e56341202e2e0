/* SPDX-License-Identifier: Apache-2.0 */
/* Block lists as XML: the body of Put Block List, and the answer of Get Block List. */
#ifndef GATEWAY_BLOB_BLOCK_LIST_XML_H
#define GATEWAY_BLOB_BLOCK_LIST_XML_H

#include "gateway/blob/record.h"

/* Where Put Block List looks for a block. */
enum gk_block_source { GK_BLOCK_COMMITTED, GK_BLOCK_UNCOMMITTED, GK_BLOCK_LATEST };

struct gk_block_ref {
    enum gk_block_source list;
    uint16_t name_len;
    uint8_t name[GK_BLOCK_NAME_BYTES_MAX]; /* the block id, decoded from base64 */
};

/* Most of a body that holds GK_BLOCK_LIST_MAX entries, with room for white space between them. */
#define GK_BLOCK_LIST_BODY_BYTES_MAX (GK_BLOCK_LIST_MAX * 160u + 4096u)

/*
 * *refs, in the body's order, is owned by the caller, who frees it; NULL for an empty list. 400
 * InvalidXmlDocument (no XML, or not a block list), BlockListTooLong, InvalidBlockId (an entry is not
 * the base64 of 1 to 64 bytes).
 */
enum gk_status gk_block_list_parse(struct gk_span body, struct gk_block_ref **refs, uint32_t *count,
                                   struct gk_error *error) GK_MUST_USE;

struct gk_block_size {
    uint64_t size;
    uint16_t name_len;
    uint8_t name[GK_BLOCK_NAME_BYTES_MAX];
};

struct gk_block_sizes {
    const struct gk_block_size *items;
    uint32_t count;
};

/* Most of an answer: GK_BLOCK_LIST_MAX committed and 100,000 uncommitted blocks. */
#define GK_BLOCK_LIST_ANSWER_BYTES_MAX ((GK_BLOCK_LIST_MAX + 100000u) * 176u + 4096u)

/* Appends the answer. A list that was not asked for is NULL; one without blocks is an empty element.
 * out has the maximum above. */
enum gk_status gk_block_list_write(const struct gk_block_sizes *committed,
                                   const struct gk_block_sizes *uncommitted, struct gk_buf *out,
                                   struct gk_error *error) GK_MUST_USE;

#endif
