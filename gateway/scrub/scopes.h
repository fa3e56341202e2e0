/* SPDX-License-Identifier: Apache-2.0 */
/* Whether all encryption scopes of an account can be read: a scope whose record is lost takes the blobs in it
 * with it, and who hears of that in time may still have the record. One thread. */
#ifndef GATEWAY_SCRUB_SCOPES_H
#define GATEWAY_SCRUB_SCOPES_H

#include "gateway/scrub/walk.h"

/* Tells the visitor of those that cannot. GK_E_NOT_FOUND: the account went meanwhile. */
enum gk_status gk_scrub_scopes_of(const struct gk_gateway *gateway,
                                  const struct gk_gateway_account *account,
                                  const struct gk_scrub_visitor *visitor,
                                  struct gk_error *error) GK_MUST_USE;

#endif
