/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob's type, and what belongs to that type alone, as its record has it (Storage REST reference,
 * "Understanding block blobs, append blobs, and page blobs"). Block blobs have none of it.
 *   append blob   1 | blocks 4 | sealed 1
 *   page blob     2 | sequence number 8 | space 16 | groups 32
 * A page blob that was encrypted anew has another space since, and its first one as a field of its own:
 *   lineage       space 16
 */
#ifndef GATEWAY_BLOB_BLOB_TYPE_H
#define GATEWAY_BLOB_BLOB_TYPE_H

#include "gateway/blob/fields.h"
#include "gateway/blob/page_map.h"

/* The numbers are part of the format. */
enum gk_blob_type { GK_BLOB_BLOCK, GK_BLOB_APPEND, GK_BLOB_PAGE, GK_BLOB_TYPES };

/* As x-ms-blob-type has them. */
extern const char *const gk_blob_type_names[GK_BLOB_TYPES];

/* All zero: a block blob. */
struct gk_blob_kind {
    enum gk_blob_type type;
    uint32_t blocks_count; /* of an append blob: how many were appended */
    bool sealed;           /* of an append blob: nothing is appended to it any more */
    uint64_t sequence;     /* of a page blob: its sequence number */
    struct gk_id space; /* of a page blob: what its rows in the index are named by (page_map.h) */
    uint8_t groups[GK_PAGE_GROUPS_MAX / 8]; /* of a page blob: which rows there are of groups */
    struct gk_id lineage; /* of a page blob: its first space, if that is another */
};

extern const struct gk_field_kind gk_blob_kind_field;
extern const struct gk_field_kind gk_page_lineage_field; /* of lineage */

/* What a page blob and its states have in common for as long as they live, and nobody else has: by it are their
 * eras comparable (page_eras.h). */
const struct gk_id *gk_page_lineage(const struct gk_blob_kind *kind);

#endif
