/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of requests for tokens. */
#ifndef KEYPROVIDER_TOKEN_REQUEST_H
#define KEYPROVIDER_TOKEN_REQUEST_H

#include "common/buf.h"
#include "keyprovider/config.h"

#define GK_KV_TOKEN_FORM_BYTES_MAX 16384u /* with NUL; a client secret may grow threefold in it */
#define GK_KV_TOKEN_URL_BYTES_MAX  4096u

/* Where the identity's tokens come from. */
void gk_kv_token_url(struct gk_buf *out, const struct gk_kv_identity *identity,
                     const char *resource);
/*
 * The header line by which a token service of the host tells its own from requests that came by way
 * of others, in secret memory (gk_secret_free); NULL for an authority. App Service's is a secret that
 * the platform renews: its file is read each time.
 */
enum gk_status gk_kv_token_header(const struct gk_kv_identity *identity, char **out,
                                  struct gk_error *error) GK_MUST_USE;
/* What kind of body the request has; NULL: it is a GET without one. */
const char *gk_kv_token_content_type(const struct gk_kv_identity *identity);
/*
 * The form that is posted to an authority, or the body of a login (transit/login.h); out is over secret memory. Reads the client secret, the
 * certificate and its key (client_assertion.h), or the token of another issuer (workload identity
 * federation), each time, so that a new one is taken without a restart. Such a token that has expired is not sent: the authority would refuse the identity for
 * good, when it is only that nobody renews the file.
 */
enum gk_status gk_kv_token_form(struct gk_buf *out, const struct gk_kv_identity *identity,
                                const char *resource, int64_t now_s,
                                struct gk_error *error) GK_MUST_USE;

#endif
