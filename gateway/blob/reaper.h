/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removes in the background what nothing refers to any more: the garbage that writes queued
 * (garbage.h), containers and accounts that were deleted. Everything to be done stands in the store,
 * so a crash loses nothing: at the start, and every few hours, all accounts are looked through, by one
 * gateway for all (under a lease). What a gateway queued it removes itself, while it runs.
 * Two that remove the same do no harm.
 *
 * Garbage rests for a delay first, so that who reads the old version of a blob can read it to its
 * end; a read that takes longer is broken off.
 */
#ifndef GATEWAY_BLOB_REAPER_H
#define GATEWAY_BLOB_REAPER_H

#include "gateway/gateway.h"

struct gk_reaper;

/* Starts its thread. gateway must outlive it. */
enum gk_status gk_reaper_start(struct gk_gateway *gateway, uint32_t delay_ms,
                               struct gk_reaper **out, struct gk_error *error) GK_MUST_USE;
/* Ends after the step under way. NULL is fine. */
void gk_reaper_stop(struct gk_reaper *reaper);

/* Something was queued in this shard of the index of this container of that account. Any thread. */
void gk_reaper_note(struct gk_reaper *reaper, const char *account, const struct gk_id *container,
                    uint32_t shard);
/* Something was queued in the account's own map. */
void gk_reaper_note_account(struct gk_reaper *reaper, const char *account);
/* An account was deleted: its mark stands in the store (names.h). */
void gk_reaper_note_deleted(struct gk_reaper *reaper);

#endif
