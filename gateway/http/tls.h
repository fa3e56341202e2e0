/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listener's certificate with its private key, checked before anybody is shown it. Immutable and counted: each
 * connection keeps the one that it began with, so that a listener can be given a renewed one at any time
 * (gk_http_server_set_tls), and the former key is wiped when the last connection that has it ends. Any thread.
 */
#ifndef GATEWAY_HTTP_TLS_H
#define GATEWAY_HTTP_TLS_H

#include "gatekey/types.h"

struct gk_tls;

/* Which of the two something is wrong with. */
enum gk_tls_part { GK_TLS_CERTIFICATE, GK_TLS_KEY };

/*
 * Of two PEM files: the server's certificate, followed by those of its issuers in order, and its private key without
 * a password, in a file that is closed to others. GK_E_INVALID, with *part and a message that says what is wrong and
 * what to do, also for a certificate that is not valid at now_s (Unix seconds of the real clock, which is what
 * clients go by) and for a key that is too short for clients. The caller owns a reference.
 */
enum gk_status gk_tls_read(const char *certificate_file, const char *key_file, int64_t now_s,
                           struct gk_tls **out, enum gk_tls_part *part,
                           struct gk_error *error) GK_MUST_USE;
struct gk_tls *gk_tls_retain(struct gk_tls *tls);
/* NULL is fine. */
void gk_tls_release(struct gk_tls *tls);
/* What the TLS library takes, a gnutls_certificate_credentials_t; good while the reference is held. */
void *gk_tls_credentials(struct gk_tls *tls);

#endif
