/* SPDX-License-Identifier: Apache-2.0 */
/* An RSA public key of its two numbers, as a JSON Web Key and a PKCS#11 token have them (RFC 8017, 3.1). */
#ifndef COMMON_RSA_PUBLIC_H
#define COMMON_RSA_PUBLIC_H

#include <openssl/evp.h>

/* NULL when one is missing (NULL), memory is out, or they are no key. The caller owns it; any thread. */
EVP_PKEY *gk_rsa_public(const BIGNUM *modulus, const BIGNUM *exponent);

#endif
