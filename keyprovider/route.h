/* SPDX-License-Identifier: Apache-2.0 */
/* What the two references of a call lead to: which vault, as whom, and in which dialect. */
#ifndef KEYPROVIDER_ROUTE_H
#define KEYPROVIDER_ROUTE_H

#include "keyprovider/dialect.h"

struct gk_kv_route {
    const struct gk_kv_dialect *dialect;
    const struct gk_kv_identity *identity; /* of the configuration */
    struct gk_kv_vault vault;
    char application[GK_CLIENT_ID_BYTES_MAX]; /* that the identity vouches for; "": none */
};

/*
 * Refuses, with what to do about it, a vault that may not be asked, an identity that is not
 * configured or is none for that kind of vault, and a key that such a vault cannot have. Any thread,
 * no network.
 */
enum gk_status gk_kv_route_find(const struct gk_kv_config *config,
                                const struct gk_identity_reference *identity,
                                const struct gk_key_reference *key, struct gk_kv_route *out,
                                struct gk_error *error) GK_MUST_USE;

#endif
