/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of an RSA decryption once a token has done the private operation: the padding. */
#ifndef KEYVAULTD_RSA_UNPAD_H
#define KEYVAULTD_RSA_UNPAD_H

#include "keyvaultd/rsa.h"

/* Appends the plaintext of a block of the modulus's length to out. False: it is not padded so. Why it
 * is not can be learnt neither from the answer nor from the time it takes. */
bool kv_rsa_unpad(enum kv_rsa_padding padding, struct gk_span block,
                  struct gk_buf *out) GK_MUST_USE;
/* Whether in is a number that the private operation can take: of the modulus's length and below it. */
bool kv_rsa_is_ciphertext(const EVP_PKEY *key, struct gk_span in) GK_MUST_USE;

#endif
