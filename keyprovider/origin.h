/* SPDX-License-Identifier: Apache-2.0 */
/* Where a request goes: scheme, host and port. Pure functions, no network. */
#ifndef KEYPROVIDER_ORIGIN_H
#define KEYPROVIDER_ORIGIN_H

#include <stdbool.h>

#include "common/span.h"
#include "gatekey/provider.h"

struct gk_kv_origin {
    bool https; /* else plain http */
    uint16_t port;
    char host[GK_VAULT_URI_BYTES_MAX]; /* lower case, no brackets, not empty */
};

/*
 * scheme://host[:port] and whatever begins with '/', '?' or '#' after it, which is left in *rest.
 * A name with anything but letters, digits, '-' and '.' is refused, and so is user information:
 * what we compare must be what the transport connects to. *rest may be NULL: then nothing may follow.
 */
bool gk_kv_origin_parse(struct gk_span text, struct gk_kv_origin *origin,
                        struct gk_span *rest) GK_MUST_USE;
bool gk_kv_origin_equal(const struct gk_kv_origin *a, const struct gk_kv_origin *b);

/* Loopback or link-local, as a number or as "localhost": where plain http stays on this machine. */
bool gk_kv_origin_is_local(const struct gk_kv_origin *origin);

/* "https://vault.azure.net" for a host under that domain (and likewise its siblings), else NULL. */
const char *gk_kv_origin_known_resource(const struct gk_kv_origin *origin);
/* "https://login.microsoftonline.com", the authority that belongs to such a host, else NULL. */
const char *gk_kv_origin_known_authority(const struct gk_kv_origin *origin);

/*
 * Whether a key identifier that a vault answered, https://host/keys/name/version, is of the key that
 * was asked for; version gets the version that it names. Without case, as vaults compare.
 */
bool gk_kv_key_id_matches(const char *key_id, const struct gk_key_reference *asked,
                          char version[GK_KEY_VERSION_BYTES_MAX]) GK_MUST_USE;

bool gk_kv_key_name_is_good(const char *name);
/* 32 hexadecimal digits. */
bool gk_kv_key_version_is_good(const char *version);

#endif
