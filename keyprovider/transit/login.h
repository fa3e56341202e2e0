/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins of OpenBao and HashiCorp Vault, by which an identity gets its tokens:
 *
 *   POST /v1/auth/<auth_mount>/login
 *     approle  {"role_id", "secret_id"}
 *     jwt      {"role", "jwt"}   the auth methods jwt and kubernetes
 *     tls      {"name"} or {}    the auth method cert, by the certificate of the connection
 */
#ifndef KEYPROVIDER_TRANSIT_LOGIN_H
#define KEYPROVIDER_TRANSIT_LOGIN_H

#include "common/buf.h"
#include "keyprovider/config.h"

/* vault_uri: whose tokens they are. */
void gk_transit_login_url(struct gk_buf *out, const struct gk_kv_identity *identity,
                          const char *vault_uri);
/*
 * Reads the secret id or the token from its file each time; out is over secret memory. A certificate
 * that is not valid now is not shown: the vault would refuse the identity for good, when it is only that
 * nobody renews the file.
 */
enum gk_status gk_transit_login_body(struct gk_buf *out, const struct gk_kv_identity *identity,
                                     int64_t now_s, struct gk_error *error) GK_MUST_USE;

#endif
