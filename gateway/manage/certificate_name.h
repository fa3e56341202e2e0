/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which clients' certificates are a caller's, as management.callers says it:
 *
 *   uri:spiffe://cluster.example/gatekey   a URI among the certificate's alternative names, letter by letter
 *   dns:prometheus.example                 a host name among them, without case; no wildcards
 *   subject:CN=alice,O=Example             its subject, as RFC 4514 writes it
 *   sha256:9f86d081...                     the SHA-256 of the whole certificate (DER), 64 hexadecimal digits
 *
 * Whether a certificate is good is not asked here: the handshake has done that (gateway/http/tls.h). Any thread.
 */
#ifndef GATEWAY_MANAGE_CERTIFICATE_NAME_H
#define GATEWAY_MANAGE_CERTIFICATE_NAME_H

#include <gnutls/x509.h>
#include <stdbool.h>

#include "gatekey/types.h"

enum gk_certificate_field {
    GK_CERTIFICATE_NONE, /* fits none */
    GK_CERTIFICATE_URI,
    GK_CERTIFICATE_DNS,
    GK_CERTIFICATE_SUBJECT,
    GK_CERTIFICATE_SHA256
};

struct gk_certificate_name {
    enum gk_certificate_field field;
    char *text; /* heap; what stands behind the colon, in the one way that certificates are told */
};

/* False, and a name that fits none, for a text that is none of these, and when memory is out. */
bool gk_certificate_name_init(struct gk_certificate_name *name, const char *text) GK_MUST_USE;
void gk_certificate_name_cleanup(struct gk_certificate_name *name);
bool gk_certificate_name_equal(const struct gk_certificate_name *a,
                               const struct gk_certificate_name *b);
bool gk_certificate_name_fits(const struct gk_certificate_name *name,
                              gnutls_x509_crt_t certificate);

#define GK_SHA256_HEX_BYTES 65u
/* The SHA-256 of the certificate as it is written above; "" when that fails. */
void gk_certificate_sha256(gnutls_x509_crt_t certificate, char out[GK_SHA256_HEX_BYTES]);

#endif
