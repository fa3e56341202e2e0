/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing what a base or a state of a blob had and others of the same blob may still refer to (history.h,
 * garbage.h). Memory is that of what is to be removed, however many states there are.
 */
#ifndef GATEWAY_BLOB_SHARED_H
#define GATEWAY_BLOB_SHARED_H

#include "gateway/blob/removal.h"

/*
 * Of what garbage stands for, which names a blob in the map of the object index, removes what no record of
 * that blob refers to. May be repeated. GK_E_CONFLICT: the blob was written all the time, another time.
 * GK_E_INTEGRITY: a record of it is damaged, and nobody knows what it refers to.
 */
enum gk_status gk_shared_remove(const struct gk_removal *removal, const struct gk_id *container,
                                const char *index, const struct gk_garbage *garbage,
                                struct gk_error *error) GK_MUST_USE;

#endif
