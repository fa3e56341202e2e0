/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RSA keys in a PKCS#11 token. Their private halves are made there (CKA_SENSITIVE, not
 * CKA_EXTRACTABLE) and do not leave it; what leaves is the public half, which is all that wrapping
 * needs. The token does the bare private operation (CKM_RSA_X_509); what remains, the padding, is
 * rsa_unpad.h's, for the reasons of docs/decisions.
 *
 * Every operation has a session of its own, so any number of threads may call at once. The login is
 * the process's, and lasts from open to close.
 *
 * Source: PKCS #11 Cryptographic Token Interface, version 2.40.
 */
#ifndef KEYVAULTD_HSM_H
#define KEYVAULTD_HSM_H

#include <openssl/evp.h>

#include "common/buf.h"

#define KV_HSM_ID_BYTES 33 /* 32 hexadecimal digits, which are the CKA_ID, and a NUL */

struct kv_hsm;

/* Loads the module, finds the token by its label and logs in. pin is neither changed nor kept. GK_E_INVALID says
 * what is wrong with module, label or PIN. */
enum gk_status kv_hsm_open(const char *module, const char *label, char *pin, struct kv_hsm **out,
                           struct gk_error *error) GK_MUST_USE;
void kv_hsm_close(struct kv_hsm *hsm); /* NULL is fine */

/* Makes a key pair with a fresh id. The public half, which the caller frees; NULL: the token does
 * not, and nothing is left in it. */
EVP_PKEY *kv_hsm_generate(struct kv_hsm *hsm, unsigned bits, char id[KV_HSM_ID_BYTES]);

/*
 * The bare RSA operation of the private half on a number below the modulus, of as many bytes as
 * that. Appends as many to out, which should be over secret memory. False: the token does not do
 * it now, or has no such key; which says nothing about the input.
 */
bool kv_hsm_decrypt(struct kv_hsm *hsm, const char *id, struct gk_span in,
                    struct gk_buf *out) GK_MUST_USE;

/* Destroys the private half; true also when it was not there any more. */
bool kv_hsm_destroy(struct kv_hsm *hsm, const char *id) GK_MUST_USE;

#endif
