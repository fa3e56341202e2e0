/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What forbids to change or delete a blob: a policy until a date, and a legal hold (Storage REST reference,
 * "Set Blob Immutability Policy", "Set Blob Legal Hold"). Pure.
 *   mode 1 | until 8 | legal hold 1
 */
#ifndef GATEWAY_BLOB_IMMUTABILITY_H
#define GATEWAY_BLOB_IMMUTABILITY_H

#include "gateway/blob/fields.h"

/* The numbers are part of the format. */
enum gk_policy_mode {
    GK_POLICY_NONE,
    GK_POLICY_UNLOCKED, /* who may set policies may change it and take it away */
    GK_POLICY_LOCKED,   /* it can be extended, and nothing else */
    GK_POLICY_MODES
};
/* As headers and listings have them; NULL for none. */
extern const char *const gk_policy_mode_names[GK_POLICY_MODES];

/* All zero: nothing does. */
struct gk_immutability {
    enum gk_policy_mode mode;
    int64_t until_wall_ms; /* with a mode */
    bool legal_hold;
};

extern const struct gk_field_kind gk_immutability_field;

/* Whether the blob may be changed or deleted: 409 BlobImmutableDueToPolicy. */
enum gk_status gk_immutability_check(const struct gk_immutability *immutability, int64_t wall_ms,
                                     struct gk_error *error) GK_MUST_USE;
/* The same code where the present policy forbids it. */
enum gk_status gk_immutability_set_policy(struct gk_immutability *immutability,
                                          enum gk_policy_mode mode, int64_t until_wall_ms,
                                          struct gk_error *error) GK_MUST_USE;
enum gk_status gk_immutability_delete_policy(struct gk_immutability *immutability,
                                             struct gk_error *error) GK_MUST_USE;

#endif
