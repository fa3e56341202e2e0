/* SPDX-License-Identifier: Apache-2.0 */
/* A private key and the certificate of it, as a client shows them. */
#ifndef KEYPROVIDER_CERTIFICATE_PAIR_H
#define KEYPROVIDER_CERTIFICATE_PAIR_H

#include <openssl/x509.h>

#include "gatekey/types.h"

struct gk_kv_certificate_pair {
    EVP_PKEY *key;
    X509 *certificate;
};

/*
 * Out of one PEM file that is closed to others; the first of each counts. GK_E_INVALID: there is no key
 * without a password, no certificate of it, or one that is not valid at now_s.
 *
 * The file's text is in secret memory. The key that OpenSSL makes of it is in OpenSSL's own memory, which
 * it wipes but does not lock, until the pair is cleaned up.
 */
enum gk_status gk_kv_certificate_pair_read(const char *path, int64_t now_s,
                                           struct gk_kv_certificate_pair *out,
                                           struct gk_error *error) GK_MUST_USE;
/* Fine on one that is all zero. */
void gk_kv_certificate_pair_cleanup(struct gk_kv_certificate_pair *pair);

#endif
