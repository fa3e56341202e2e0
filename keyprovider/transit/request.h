/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of requests to the transit engine of OpenBao and HashiCorp Vault (API documentation,
 * "Transit secrets engine"). Pure functions.
 *
 *   GET  /v1/<mount>/keys/<name>
 *   POST /v1/<mount>/encrypt/<name>  {"plaintext": base64, "key_version": n}
 *   POST /v1/<mount>/decrypt/<name>  {"ciphertext": "vault:v<n>:<base64>"}
 */
#ifndef KEYPROVIDER_TRANSIT_REQUEST_H
#define KEYPROVIDER_TRANSIT_REQUEST_H

#include "keyprovider/dialect.h"

#define GK_TRANSIT_ALGORITHM "transit"

/* Lower-case letters, digits and hyphens: names differ by case there, and for us they do not. */
bool gk_transit_key_name_is_good(const char *name);
/* A decimal number from 1 to 2^31 - 1, without a leading zero. */
bool gk_transit_key_version_is_good(const char *version);

void gk_transit_request_url(struct gk_buf *out, const struct gk_kv_question *question);
/* False when value is no ciphertext of the version that is asked for. */
bool gk_transit_request_body(struct gk_buf *out, const struct gk_kv_question *question,
                             struct gk_span value) GK_MUST_USE;
/* "X-Vault-Namespace: name"; "" for the root's. */
void gk_transit_request_namespace(struct gk_buf *out, const char *name);

/* Appends text as a JSON string with its quotes. text is printable. */
void gk_transit_append_json(struct gk_buf *out, struct gk_span text);

/* The version in "vault:v<version>:<base64 of a sealed root key>"; false on any other text. */
bool gk_transit_ciphertext_version(struct gk_span ciphertext,
                                   char version[GK_KEY_VERSION_BYTES_MAX]) GK_MUST_USE;

#endif
