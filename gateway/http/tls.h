/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listener's certificate with its private key, checked before anybody is shown it, and the authorities whose clients
 * it knows, where it asks for their certificates. Immutable and counted: each
 * connection keeps the one that it began with, so that a listener can be given a renewed one at any time
 * (gk_http_server_set_tls), and the former key is wiped when the last connection that has it ends. Any thread.
 */
#ifndef GATEWAY_HTTP_TLS_H
#define GATEWAY_HTTP_TLS_H

#include "gatekey/types.h"

struct gk_tls;

/* PEM files. */
struct gk_tls_files {
    const char *certificate; /* the server's, followed by those of its issuers in order */
    const char *key; /* its private key without a password, in a file that is closed to others */
    const char
        *client_ca; /* authorities of clients' certificates; NULL: clients are not asked for one */
};

/* Which of them something is wrong with. */
enum gk_tls_part { GK_TLS_CERTIFICATE, GK_TLS_KEY, GK_TLS_CLIENT_CA };

/*
 * GK_E_INVALID, with *part and a message that says what is wrong and what to do, also for a certificate that is not
 * valid at now_s (Unix seconds of the real clock, which is what clients go by) and for a key that is too short for
 * clients. The caller owns a reference.
 *
 * With client_ca a client may show a certificate, and need not. One that is shown is judged in the handshake, which
 * fails unless it leads to one of these authorities, is within its time and is good for a TLS client.
 */
enum gk_status gk_tls_read(const struct gk_tls_files *files, int64_t now_s, struct gk_tls **out,
                           enum gk_tls_part *part, struct gk_error *error) GK_MUST_USE;
/* When the first ends of the certificates that the listener shows, and of its clients' authorities; Unix seconds, 0 where
 * there are none. */
int64_t gk_tls_certificate_ends_s(const struct gk_tls *tls);
int64_t gk_tls_client_ca_ends_s(const struct gk_tls *tls);
struct gk_tls *gk_tls_retain(struct gk_tls *tls);
/* NULL is fine. */
void gk_tls_release(struct gk_tls *tls);
/* Gives a connection's session (a gnutls_session_t) what its handshake needs; the reference is held as long as it. */
void gk_tls_begin(struct gk_tls *tls, void *session);
/* The certificate (DER) that the other side of a session with client_ca has shown and that was found good; empty: it has
 * shown none. Good as long as the session. */
struct gk_span gk_tls_client_certificate(void *session);

#endif
