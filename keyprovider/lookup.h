/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a host's name is gone or merely not resolved for now. The transport does not tell, and the
 * system's resolver blocks, so a thread of its own asks it. Everything here is of the provider's
 * thread; so is the completion.
 */
#ifndef KEYPROVIDER_LOOKUP_H
#define KEYPROVIDER_LOOKUP_H

#include "keyprovider/loop.h"

struct gk_kv_lookup;

struct gk_kv_lookups {
    struct gk_kv_loop *loop;
    struct gk_kv_lookup *first;
    size_t count;
};

/*
 * gone: the name service said that there is no such name, and it does know the witness: a resolver
 * that is cut off from the world may say of every name that there is none.
 */
typedef void gk_kv_lookup_done_fn(void *ctx, bool gone);

/* witness: a name that exists, "" when none is known. NULL, and done will not run, when too many are under way or no thread can be made. */
struct gk_kv_lookup *gk_kv_lookup_start(struct gk_kv_lookups *lookups, const char *host,
                                        const char *witness, gk_kv_lookup_done_fn *done, void *ctx);
/* done will not run; the thread is joined when it is through. NULL is fine. */
void gk_kv_lookup_abandon(struct gk_kv_lookup *lookup);
/* After the loop's end: waits for those that are under way. */
void gk_kv_lookups_cleanup(struct gk_kv_lookups *lookups);

#endif
