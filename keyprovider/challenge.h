/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a vault's 401 demands: WWW-Authenticate: Bearer authorization="https://...", resource="...".
 *
 * We never learn from a challenge where to send a credential: that stands in the configuration. A
 * challenge only confirms it, and one that names another domain is not our vault's. What is learned
 * is the vault's tenant, by who must ask an authority for tokens of a tenant that is not their own.
 */
#ifndef KEYPROVIDER_CHALLENGE_H
#define KEYPROVIDER_CHALLENGE_H

#include <stdbool.h>

#include "common/span.h"

#define GK_KV_CHALLENGE_BYTES_MAX 1024u
#define GK_KV_TENANT_BYTES_MAX    128u
/* It becomes a part of a path. */
#define GK_KV_TENANT_SIGNS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-."

struct gk_kv_challenge {
    char authority[256]; /* "authorization" or "authorization_uri" */
    char resource[256];  /* "resource", or "scope" without "/.default" */
};

/* False on anything but a Bearer challenge with both parts in it. */
bool gk_kv_challenge_parse(const char *header, struct gk_kv_challenge *challenge) GK_MUST_USE;

/*
 * Whether the challenge is of the resource and the authority that we use. authority NULL: the
 * identity gets its tokens from the host it runs on, so any https authority will do.
 */
bool gk_kv_challenge_agrees(const struct gk_kv_challenge *challenge, const char *resource,
                            const char *authority) GK_MUST_USE;

/* The tenant that the challenge's authority is of, https://host/{tenant}[/...]: its id or its domain.
 * False when it names none. */
bool gk_kv_challenge_tenant(const struct gk_kv_challenge *challenge,
                            char tenant_id[GK_KV_TENANT_BYTES_MAX]) GK_MUST_USE;

#endif
