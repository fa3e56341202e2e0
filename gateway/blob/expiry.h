/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of what was deleted and kept for a while (history.h), and of a blob that ends by itself (lifetime.h).
 * Who deletes a base or a state of a blob, and keeps it, or sets when the blob ends, queues an entry for
 * that time (GK_GARBAGE_EXPIRED); the reaper then removes what of the blob has come to its end. An entry says
 * nothing of what that is: it may have been undeleted meanwhile, and deleted again for a later time, or
 * written anew.
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
 * Removes what of that blob has come to its end. *stays: so must the entry, for the container was deleted,
 * and may be restored, or a policy forbids to remove the blob. GK_E_CONFLICT, GK_E_UNAVAILABLE: another time.
 */
enum gk_status gk_expiry_remove(const struct gk_expiry_place *place, struct gk_span blob,
                                bool *stays, struct gk_error *error) GK_MUST_USE;

#endif
