/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /metrics tells of each account. An account that nobody uses is not in memory, and is read from the store for it:
 * with many of them that takes longer than a scrape may (half a millisecond each), so that a thread does it.
 *
 * A scrape asks for a reading that begins after it, and waits for it for a while (wait_ms). While readings are
 * quicker than that, each scrape tells of now. One that takes longer is told when it is done, by the scrapes that
 * come then, and is followed by a rest of nine times as long: reading takes a tenth of the time at most, however often
 * one asks. gatekey_accounts_read_timestamp_seconds tells how old it is. While the store is silent
 * the former text stays, with its time: a record that did not come is not one that cannot be read. Without a scrape
 * nothing is read.
 */
#ifndef GATEWAY_MANAGE_ACCOUNT_METRICS_H
#define GATEWAY_MANAGE_ACCOUNT_METRICS_H

#include "common/buf.h"
#include "gateway/gateway.h"

#define GK_ACCOUNT_METRICS_WAIT_MS 1000u /* what scrapers bear easily */

struct gk_account_metrics;

/* Starts its thread. gateway must outlive it. */
enum gk_status gk_account_metrics_start(struct gk_gateway *gateway, uint32_t wait_ms,
                                        struct gk_account_metrics **out,
                                        struct gk_error *error) GK_MUST_USE;
/* Breaks off a reading that is under way. NULL is fine. */
void gk_account_metrics_stop(struct gk_account_metrics *metrics);

/* The series, with their heads; nothing before the first reading came to its end. Any thread. */
void gk_account_metrics_append(struct gk_account_metrics *metrics, struct gk_buf *out);

#endif
