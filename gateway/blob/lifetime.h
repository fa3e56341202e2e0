/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a blob ends by itself (Storage REST reference, "Set Blob Expiry"), as its record has it. Pure. It is of
 * the base alone: snapshots and versions stay. What else becomes of a blob at its end is expiry.h's.
 *   ends 8
 */
#ifndef GATEWAY_BLOB_LIFETIME_H
#define GATEWAY_BLOB_LIFETIME_H

#include "gateway/blob/fields.h"

#define GK_LIFETIME_MAX_WALL_MS INT64_C(253402300799000) /* the end of the year 9999 */

/* All zero: it does not. */
struct gk_lifetime {
    int64_t ends_wall_ms;
};

extern const struct gk_field_kind gk_lifetime_field;

bool gk_lifetime_is_over(const struct gk_lifetime *lifetime, int64_t wall_ms);

#endif
