/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That a blob came into being as a copy, as its record has it and as Get Blob tells it until the blob
 * changes (Storage REST reference, "Copy Blob"). Copies are made before they are answered, so that each
 * was a success.
 *   id 16 | bytes 8 | completed 8 | source, a text
 */
#ifndef GATEWAY_BLOB_COPY_H
#define GATEWAY_BLOB_COPY_H

#include "gateway/blob/fields.h"

/* All zero: it is no copy. */
struct gk_copy {
    struct gk_id id;
    uint64_t bytes;
    int64_t completed_wall_ms;
    char *
        source; /* owned: the URL that was copied from, with the state that it names; NULL: no copy */
};

extern const struct gk_field_kind gk_copy_field;

void gk_copy_clear(struct gk_copy *copy);

#endif
