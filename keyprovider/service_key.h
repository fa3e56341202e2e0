/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's service key: a file, and what is derived from it. */
#ifndef KEYPROVIDER_SERVICE_KEY_H
#define KEYPROVIDER_SERVICE_KEY_H

#include "gatekey/provider.h"

struct gk_kv_service_key; /* lives in secret memory */

/*
 * Reads one line "gatekey-service-key-v1 <base64 of 32 bytes>" from a file that nobody but its
 * owner may open. GK_E_INVALID says what is wrong and what to do.
 */
enum gk_status gk_kv_service_key_read(const char *path, struct gk_kv_service_key **out,
                                      struct gk_error *error) GK_MUST_USE;
/* HKDF-SHA256(service key, salt "", info label). out is zeroed on failure. Any thread. */
enum gk_status gk_kv_service_key_derive(const struct gk_kv_service_key *key, const char *label,
                                        uint8_t out[GK_ROOT_KEY_BYTES],
                                        struct gk_error *error) GK_MUST_USE;
/* The public name of the key, 16 hexadecimal digits. */
enum gk_status gk_kv_service_key_id(const struct gk_kv_service_key *key, char id[17],
                                    struct gk_error *error) GK_MUST_USE;
void gk_kv_service_key_free(struct gk_kv_service_key *key);

#endif
