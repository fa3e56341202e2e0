/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of what was deleted and kept for a while (history.h). Who deletes a base or a state of a blob, and
 * keeps it, queues an entry for the time when that ends (GK_GARBAGE_EXPIRED); the reaper then removes what
 * of the blob is not kept any more. An entry says nothing of what that is: it may have been undeleted
 * meanwhile, and deleted again for a later time.
 */
#ifndef GATEWAY_BLOB_EXPIRY_H
#define GATEWAY_BLOB_EXPIRY_H

#include "gateway/blob/target.h"

/* Where the blob is. */
struct gk_expiry_place {
    struct gk_gateway *gateway;
    struct gk_gateway_account *account;
    struct gk_id container;
    uint32_t shard;
};

/*
 * Removes what of that blob is deleted and not kept any more. *closed: nothing was done, for the container
 * was deleted; it may be restored, and the entry stays. GK_E_CONFLICT, GK_E_UNAVAILABLE: another time.
 */
enum gk_status gk_expiry_remove(const struct gk_expiry_place *place, struct gk_span blob,
                                bool *closed, struct gk_error *error) GK_MUST_USE;

#endif
