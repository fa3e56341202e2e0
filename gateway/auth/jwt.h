/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Tokens (RFC 7519) that an identity provider signed with RS256, and its public keys as a JSON
 * Web Key Set (RFC 7517). No other algorithm is taken, whatever a token says,
 * but PS256 of a certificate's key. Pure; any thread.
 */
#ifndef GATEWAY_AUTH_JWT_H
#define GATEWAY_AUTH_JWT_H

#include "common/span.h"

#define GK_JWT_BYTES_MAX  16384u
#define GK_JWKS_BYTES_MAX 262144u
#define GK_JWKS_KEYS_MAX  32u

struct gk_jwks;

/* RSA keys of 2048 to 8192 bits for signatures, with a kid; others in it are passed over. GK_E_INVALID:
 * no key set, or one without such a key. */
enum gk_status gk_jwks_parse(struct gk_span json, struct gk_jwks **out,
                             struct gk_error *error) GK_MUST_USE;
/* The same, of a file; the message names it. */
enum gk_status gk_jwks_read(const char *path, struct gk_jwks **out,
                            struct gk_error *error) GK_MUST_USE;
/*
 * The key of the first certificate in a PEM text, for tokens that an application signs itself: they
 * name it by x5t#S256 or x5t, and are signed with PS256 or RS256. Who issued it, and until when it
 * is good, is not looked at: it was registered as it is.
 */
enum gk_status gk_jwks_of_certificate(const char *pem, struct gk_jwks **out,
                                      struct gk_error *error) GK_MUST_USE;
void gk_jwks_free(struct gk_jwks *jwks); /* NULL is fine */

struct gk_jwt_wanted {
    const char *issuer;
    const char *audience; /* a slash at the end makes no difference */
    const char *subject;  /* NULL: any, and the token says by oid and tid of whom it speaks */
    int64_t now_s;
};

/* Zero where a subject was wanted. */
struct gk_jwt_claims {
    struct gk_id object; /* whom it speaks of */
    struct gk_id tenant;
};

/* GK_E_DENIED: it is no such token, of another issuer or audience, not valid at this time, or not signed by
 * one of the keys; the message says which, and has nothing of the token. */
enum gk_status gk_jwt_verify(const struct gk_jwks *jwks, const char *token,
                             const struct gk_jwt_wanted *wanted, struct gk_jwt_claims *claims,
                             struct gk_error *error) GK_MUST_USE;

#endif
