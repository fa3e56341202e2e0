/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the reaper: what its thread does with one map, and with all of them. */
#ifndef GATEWAY_BLOB_REAP_H
#define GATEWAY_BLOB_REAP_H

#include "gateway/blob/places.h"
#include "gateway/blob/removal.h"

struct gk_reap {
    struct gk_gateway *gateway;
    uint32_t delay_ms;
    gk_removal_stop_fn *stop;
    void *stop_ctx;
};

/* Removes what is due of a map's garbage. *wait_ms: when more of it will be, -1 for never. An account or
 * an index that is gone is no error. */
enum gk_status gk_reap_place(const struct gk_reap *reap, const struct gk_reap_place *place,
                             int64_t *wait_ms, struct gk_error *error) GK_MUST_USE;

/* All maps of all accounts, each given to visit; rows of the registry that have no account any more are
 * removed. GK_E_UNAVAILABLE: stop said so. */
typedef void gk_reap_visit_fn(void *ctx, const struct gk_reap_place *place);
enum gk_status gk_reap_search(const struct gk_reap *reap, gk_reap_visit_fn *visit, void *ctx,
                              struct gk_error *error) GK_MUST_USE;

#endif
