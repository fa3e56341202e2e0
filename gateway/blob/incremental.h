/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Incremental Copy Blob has made, as its record has it (Storage REST reference, "Incremental Copy Blob"):
 * a page blob whose snapshots are copies of snapshots of one other. Its base is what the next copy begins
 * with and nothing else; snapshots keep the field as it was when they were made. Pure.
 *   source 16 | era 4 | snapshot 8
 */
#ifndef GATEWAY_BLOB_INCREMENTAL_H
#define GATEWAY_BLOB_INCREMENTAL_H

#include "gatekey/plugin.h"
#include "gateway/blob/fields.h"
#include "gateway/blob/history.h"

/* All zero: it was not made so. */
struct gk_incremental {
    struct gk_id source; /* lineage of the page blob that it follows; made anew, that is another */
    uint32_t era;        /* that the snapshot which was copied last has ended */
    uint64_t snapshot;   /* the blob's own that was made of it: its time */
};

extern const struct gk_field_kind gk_incremental_field;

bool gk_incremental_given(const struct gk_incremental *incremental);
/* Whether the operation may be done to a record with this field and history: to a snapshot any; to all else
 * those that need no content, and the next copy. */
bool gk_incremental_allows(const struct gk_incremental *incremental,
                           const struct gk_history *history, enum gk_operation operation);

#endif
