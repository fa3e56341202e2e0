/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Tokens (RFC 7519) that an identity provider signed with RS256, and its public keys as a JSON
 * Web Key Set (RFC 7517). No other algorithm is taken, whatever a token says. Pure; any thread.
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
