/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a store answers, for those who must know soon: a store that is away makes each of its calls wait
 * for its own time-out. One look at a time, however many ask; it is good for a second.
 */
#ifndef GATEWAY_STORE_PROBE_H
#define GATEWAY_STORE_PROBE_H

#include "gateway/store/store.h"

struct gk_store_probe;

/* Starts its thread. store must outlive it. */
enum gk_status gk_store_probe_start(struct gk_store *store, struct gk_store_probe **out,
                                    struct gk_error *error) GK_MUST_USE;
/* Waits for the look that is under way. NULL is fine. */
void gk_store_probe_stop(struct gk_store_probe *probe);

/* Both pools answered not more than a second ago, or do so within GK_STORE_PROBE_WAIT_MS. Any thread. */
#define GK_STORE_PROBE_WAIT_MS 1000
bool gk_store_probe_answers(struct gk_store_probe *probe);

#endif
