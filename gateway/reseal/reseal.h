/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reseal: every data key of an account, and of its encryption scopes, that is under an older root key is sealed
 * under the active one, and older root keys with nothing left under them are retired. In the background, while
 * clients read and write and in whatever gateway; one at a time on a store (a lease says where). Any gateway shows
 * it, pauses it, and goes on with one that was paused or whose gateway ended. Its state stands in the account's
 * map (state.h).
 *
 * Any thread. Errors carry what the management API answers.
 */
#ifndef GATEWAY_RESEAL_RESEAL_H
#define GATEWAY_RESEAL_RESEAL_H

#include "gateway/gateway.h"
#include "gateway/reseal/state.h"

struct gk_reseal;

/* gateway must outlive it. */
enum gk_status gk_reseal_new(struct gk_gateway *gateway, struct gk_reseal **out,
                             struct gk_error *error) GK_MUST_USE;
/* Ends what runs here, which may be resumed. NULL is fine. */
void gk_reseal_free(struct gk_reseal *reseal);

/* rate: blobs in a second, 0 for one after the other. GK_E_CONFLICT (409): one is running, of this account or of
 * another. */
enum gk_status gk_reseal_start(struct gk_reseal *reseal, const char *account, uint32_t rate,
                               struct gk_error *error) GK_MUST_USE;
/* Goes on with the account's last one, at its rate. GK_E_CONFLICT (409): one is running, or the last one came to
 * its end. GK_E_NOT_FOUND (404): there was none. */
enum gk_status gk_reseal_resume(struct gk_reseal *reseal, const char *account,
                                struct gk_error *error) GK_MUST_USE;
/* Orders the one that runs, wherever it does, to pause; it does so within a second. Nothing to pause is
 * fine. */
enum gk_status gk_reseal_pause(struct gk_reseal *reseal, const char *account,
                               struct gk_error *error) GK_MUST_USE;
/* The account's last one, or the one that runs, as the API shows it; the caller owns *out. GK_E_NOT_FOUND
 * (404). */
enum gk_status gk_reseal_show(struct gk_reseal *reseal, const char *account, json_t **out,
                              struct gk_error *error) GK_MUST_USE;

#endif
