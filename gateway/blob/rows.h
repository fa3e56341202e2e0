/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a container's index, for who removes what they refer to: some at a time, copied out of the
 * walk, so that what is done with one may use the store, and write to it.
 */
#ifndef GATEWAY_BLOB_ROWS_H
#define GATEWAY_BLOB_ROWS_H

#include "gateway/blob/removal.h"

struct gk_rows {
    const struct gk_removal *removal;
    struct gk_place place; /* without kind and key */
    const char *index;
    struct gk_error *error;
};
/* All of it must outlive rows. */
void gk_rows_init(struct gk_rows *rows, const struct gk_removal *removal,
                  const struct gk_id *container, const char *index, struct gk_error *error);

typedef enum gk_status gk_row_fn(void *ctx, struct gk_span key, struct gk_span value);

/* fn for each row that begins with prefix, in the order of keys, until it fails. GK_E_UNAVAILABLE: the
 * removal is to stop. */
enum gk_status gk_rows_walk(const struct gk_rows *rows, struct gk_span prefix, gk_row_fn *fn,
                            void *ctx) GK_MUST_USE;
/* Those alone whose keys are at least from and less than before. */
enum gk_status gk_rows_walk_part(const struct gk_rows *rows, struct gk_span prefix,
                                 struct gk_span from, struct gk_span before, gk_row_fn *fn,
                                 void *ctx) GK_MUST_USE;

#endif
