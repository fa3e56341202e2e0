/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vaults' answers to unwraps, counted for the audit. A key in use is asked for once in each check interval,
 * and an event for each answer would bury all others: so there is one, key.unwrap, for each account, key version
 * and outcome, with how many there were since when, each time unwrap_audit_interval_s is over and at the end.
 *
 * Any thread; a lock of its own, under which nothing is called. At most GK_UNWRAP_COUNTS_MAX are held: one more,
 * and all are told at once.
 */
#ifndef PLUGIN_UNWRAP_COUNTS_H
#define PLUGIN_UNWRAP_COUNTS_H

#include "plugin/instance.h"

#define GK_UNWRAP_COUNTS_MAX 4096u

struct gk_unwrap_counts;

/* NULL: out of memory. The first interval begins at now_mono_ms. */
struct gk_unwrap_counts *gk_unwrap_counts_new(int64_t now_mono_ms);
/* NULL is fine. What has not been told is lost. */
void gk_unwrap_counts_free(struct gk_unwrap_counts *counts);

/* An answer to an unwrap by key_id, a full versioned identifier. */
void gk_unwrap_counts_note(const struct gk_instance *instance, const char *account,
                           const char *key_id, enum gk_vault_verdict verdict,
                           const char *request_id);
/* Tells all when the interval is over. */
void gk_unwrap_counts_tell_due(const struct gk_instance *instance);
void gk_unwrap_counts_tell(const struct gk_instance *instance);

#endif
