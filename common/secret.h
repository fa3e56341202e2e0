/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for secrets: locked, excluded from core files, wiped when it is freed. Every key byte that
 * outlives one function lives here.
 *
 * Blocks come from a process-wide arena of mmap'd regions (mlock, MADV_DONTDUMP, MADV_WIPEONFORK),
 * in size classes, so that one data key per request costs no system call. Thread-safe.
 */
#ifndef COMMON_SECRET_H
#define COMMON_SECRET_H

#include <stdbool.h>

#include "common/span.h"

#define GK_SECRET_BYTES_MAX 16384u

/*
 * Returns len zeroed bytes (1 <= len <= GK_SECRET_BYTES_MAX), or NULL when memory cannot be had or,
 * in strict mode, cannot be locked. Free with gk_secret_free().
 */
void *gk_secret_alloc(size_t len) GK_MUST_USE;
/* Wipes and frees *secret and sets it to NULL; NULL inside is fine. */
void gk_secret_free_at(void **secret);
#define gk_secret_free(pointer) gk_secret_free_at((void **)(pointer))
/*
 * Strict mode refuses memory that cannot be locked instead of counting it. Off until a host turns
 * it on; set once, before threads start.
 */
void gk_secret_set_strict(bool strict);
/* How many bytes are in use by secrets whose memory could not be locked. */
size_t gk_secret_unlocked_bytes(void);

/* Constant time in the content; lengths are not secret. */
bool gk_secret_equal(struct gk_span a, struct gk_span b) GK_MUST_USE;
/* Wipes memory in a way that the compiler keeps. */
void gk_wipe(void *data, size_t len);

/*
 * Called by a process that holds keys, before it makes threads: no core files with memory in them
 * (coredump filter and RLIMIT_CORE), not dumpable, memory locked as it is touched. Returns false
 * when that takes more than RLIMIT_MEMLOCK, which would have to be unlimited, or CAP_IPC_LOCK; the
 * caller warns, and blocks of secrets are locked one by one, as far as the limit goes.
 */
bool gk_process_harden(void);

#endif
