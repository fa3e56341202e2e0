/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scrub: finds what nothing refers to, and on request opens every record and every chunk. One runs at a
 * time on a store, in one of its gateways (a lease says in which); any gateway shows it, stops it, and goes
 * on with one that was stopped or whose gateway ended. Its state stands in the store (state.h).
 *
 * Any thread. Errors carry what the management API answers.
 */
#ifndef GATEWAY_SCRUB_SCRUB_H
#define GATEWAY_SCRUB_SCRUB_H

#include "gateway/gateway.h"
#include "gateway/scrub/state.h"

struct gk_scrub;

/* gateway must outlive it. */
enum gk_status gk_scrub_new(struct gk_gateway *gateway, struct gk_scrub **out,
                            struct gk_error *error) GK_MUST_USE;
/* Stops what runs here, which may be resumed. NULL is fine. */
void gk_scrub_free(struct gk_scrub *scrub);

/* rate: reads of the store in a second, 0 for one after the other. GK_E_CONFLICT (409): one is running. */
enum gk_status gk_scrub_start(struct gk_scrub *scrub, const struct gk_scrub_options *options,
                              uint32_t rate, struct gk_error *error) GK_MUST_USE;
/* Goes on with the last one, with its options. GK_E_CONFLICT (409): one is running, or the last one came
 * to its end. GK_E_NOT_FOUND (404): there was none. */
enum gk_status gk_scrub_resume(struct gk_scrub *scrub, struct gk_error *error) GK_MUST_USE;
/* Orders the one that runs, wherever it does, to stop; it does so within a second. Nothing to stop is
 * fine. */
enum gk_status gk_scrub_order_stop(struct gk_scrub *scrub, struct gk_error *error) GK_MUST_USE;
/* The last one, or the one that runs, as the API shows it; the caller owns *out. GK_E_NOT_FOUND (404). */
enum gk_status gk_scrub_show(struct gk_scrub *scrub, json_t **out,
                             struct gk_error *error) GK_MUST_USE;

/*
 * Removes a blob's record that cannot be opened, which no client can overwrite or delete; of a blob whose
 * record can be opened, those of its states (history.h) that cannot. What it referred
 * to is found by the next scrub. GK_E_CONFLICT (409): it can be opened, or it is another one by now.
 * GK_E_NOT_FOUND (404).
 */
enum gk_status gk_scrub_remove_damaged(struct gk_gateway *gateway, const char *account,
                                       const char *container, const char *blob,
                                       struct gk_error *error) GK_MUST_USE;

#endif
