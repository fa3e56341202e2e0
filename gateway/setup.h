/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration with what its files hold: certificates, tokens of the management API, the identity provider's keys. All
 * of it is read once and checked together, before a socket, a store or a module knows of it, so that a wrong file is
 * found while nothing has begun, and what was checked is what is used.
 *
 * Those of the certificates and tokens that listeners have taken over are theirs: a reload gives them others
 * (docs/gateway.md), and others than these terms to requests. The first one's terms stay as long as the process, which
 * uses what no reload changes from there. Immutable but for gk_setup_hand_over(). One thread.
 */
#ifndef GATEWAY_SETUP_H
#define GATEWAY_SETUP_H

#include "gateway/http/tls.h"
#include "gateway/manage/callers.h"
#include "gateway/terms.h"

struct gk_setup {
    struct gk_terms *terms;
    const struct gk_config *config; /* of the terms */
    struct gk_tls *blob_tls;        /* NULL without blob.tls_listen */
    struct gk_tls *management_tls;
    struct gk_callers *callers; /* of the management API */
};

/* Takes config over, also when it fails. now_s: Unix seconds of the real clock. GK_E_INVALID, with the place of the
 * setting. */
enum gk_status gk_setup_new(struct gk_config *config, int64_t now_s, struct gk_setup **out,
                            struct gk_error *error) GK_MUST_USE;
/* Certificates and tokens belong to the listeners from now on, each of which has its own reference: they are wiped
 * when these end. */
void gk_setup_hand_over(struct gk_setup *setup);
/* Wipes the secrets. NULL is fine. */
void gk_setup_free(struct gk_setup *setup);

#endif
