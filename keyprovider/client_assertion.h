/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an application with a certificate shows who it is: a JSON Web Token that it signs itself
 * ("Microsoft identity platform application authentication certificate credentials"; RFC 7523).
 *
 *   {"alg":"PS256","typ":"JWT","x5t#S256":"..."}          which certificate: SHA-256 of its DER
 *   {"aud":"<token URL>","iss":"<client id>","sub":"<client id>","jti":"<new for each>",
 *    "iat":now - 3 minutes,"nbf":the same,"exp":now + 5 minutes}
 *
 * It begins before now for an authority whose clock is behind ours.
 */
#ifndef KEYPROVIDER_CLIENT_ASSERTION_H
#define KEYPROVIDER_CLIENT_ASSERTION_H

#include "common/buf.h"

#define GK_KV_CLOCK_SLACK_S 180 /* by which a clock may differ from ours */

/*
 * Appends one; out is over secret memory. The PEM file holds the RSA private key, without a password,
 * and the certificate, and is read each time, so that a renewed one is taken without a restart.
 * GK_E_INVALID: it is open to others, holds no such pair, or the certificate is not valid now.
 * What becomes of the key in memory is in certificate_pair.h.
 */
enum gk_status gk_kv_client_assertion(struct gk_buf *out, const char *certificate_file,
                                      const char *client_id, const char *audience, int64_t now_s,
                                      struct gk_error *error) GK_MUST_USE;

#endif
