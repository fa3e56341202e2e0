/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA keys and what a vault does with them. Keys are OpenSSL's, counted by reference, immutable, and
 * may be used by any number of threads at once.
 */
#ifndef KEYVAULTD_RSA_H
#define KEYVAULTD_RSA_H

#include <jansson.h>
#include <openssl/evp.h>

#include "common/buf.h"

#define KV_RSA_BYTES_MAX 512u /* a 4096-bit key's ciphertext */

enum kv_rsa_padding { KV_RSA_OAEP_256, KV_RSA_OAEP, KV_RSA_PKCS1 };

/* "RSA-OAEP-256", "RSA-OAEP" or "RSA1_5"; false for any other name. */
bool kv_rsa_padding_parse(const char *name, enum kv_rsa_padding *padding) GK_MUST_USE;
/* 2048, 3072 and 4096 are what a vault makes and takes. */
bool kv_rsa_bits_allowed(int64_t bits) GK_MUST_USE;
/* The longest plaintext, in bytes. */
size_t kv_rsa_plain_bytes_max(const EVP_PKEY *key, enum kv_rsa_padding padding);

/* All of these return a key that the caller frees with EVP_PKEY_free(), or NULL. */
EVP_PKEY *kv_rsa_generate(unsigned bits);
/* From the members n, e, d, p, q, dp, dq, qi of a JSON web key; NULL unless they fit together. */
EVP_PKEY *kv_rsa_from_jwk(const json_t *jwk);
/* The PKCS #8 or traditional form that kv_rsa_to_der() writes. */
EVP_PKEY *kv_rsa_from_der(struct gk_span der);

/* A public key, in the form that kv_rsa_public_to_der() writes. */
EVP_PKEY *kv_rsa_public_from_der(struct gk_span der);

/* Appends the public key to out. */
bool kv_rsa_public_to_der(const EVP_PKEY *key, struct gk_buf *out) GK_MUST_USE;
/* Appends the private key to out; wipe out after use. */
bool kv_rsa_to_der(const EVP_PKEY *key, struct gk_buf *out) GK_MUST_USE;
/* Sets the public members n and e in jwk. */
bool kv_rsa_public_to_jwk(const EVP_PKEY *key, json_t *jwk) GK_MUST_USE;

/* Append to out. False when the input does not fit the key or, for decrypt, is no ciphertext of
 * it: which of both is not told apart. */
bool kv_rsa_encrypt(EVP_PKEY *key, enum kv_rsa_padding padding, struct gk_span in,
                    struct gk_buf *out) GK_MUST_USE;
bool kv_rsa_decrypt(EVP_PKEY *key, enum kv_rsa_padding padding, struct gk_span in,
                    struct gk_buf *out) GK_MUST_USE;

#endif
