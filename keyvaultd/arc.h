/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The challenges of the agent of Azure Arc: a file with a secret, which whoever asks for a token shows
 * to have read. Each is good once; the newest 32 are open at a time, and files of others are removed.
 * Thread-safe.
 */
#ifndef KEYVAULTD_ARC_H
#define KEYVAULTD_ARC_H

#include <stdbool.h>

#include "gatekey/types.h"

#define KV_ARC_PATH_BYTES 1200u

struct kv_arc;

/* The directory must be there, without a slash at its end, and outlive the result. */
enum gk_status kv_arc_open(const char *directory, struct kv_arc **out,
                           struct gk_error *error) GK_MUST_USE;
/* Removes the files of open challenges. NULL is fine. */
void kv_arc_close(struct kv_arc *arc);

/* Writes a new file and says where; false when that cannot be. */
bool kv_arc_challenge(struct kv_arc *arc, char path[KV_ARC_PATH_BYTES]) GK_MUST_USE;
/* Whether that is the content of an open challenge's file; it is open no more. */
bool kv_arc_take(struct kv_arc *arc, const char *secret) GK_MUST_USE;

#endif
