/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gatekey/provider.h"

struct gk_kv_pace {
    struct gk_kv_pace *next;
    char vault_uri[GK_VAULT_URI_BYTES_MAX];
    int64_t free_ms; /* when the bucket will be full again, if nobody asks */
};

static struct gk_kv_pace *find_or_add(struct gk_kv_paces *paces, const char *vault_uri)
{
    struct gk_kv_pace *pace = paces->first;
    while (pace != NULL && strcasecmp(pace->vault_uri, vault_uri) != 0) {
        pace = pace->next;
    }
    if (pace == NULL && (pace = calloc(1, sizeof *pace)) != NULL) {
        snprintf(pace->vault_uri, sizeof pace->vault_uri, "%s", vault_uri);
        pace->next = paces->first;
        paces->first = pace;
    }
    return pace;
}

uint32_t gk_kv_pace_cost_ms(size_t wrapped_bytes)
{
    enum { RSA_2048_BYTES = 256, RSA_3072_BYTES = 384 };
    return wrapped_bytes <= RSA_2048_BYTES ? 5u : wrapped_bytes <= RSA_3072_BYTES ? 20u : 40u;
}

int64_t gk_kv_pace_take(struct gk_kv_paces *paces, const char *vault_uri, uint32_t cost_ms,
                        int64_t now_ms, int64_t latest_ms)
{
    struct gk_kv_pace *pace = find_or_add(paces, vault_uri);
    if (pace == NULL) {
        return now_ms;
    }
    /* What the others ask meanwhile is not seen, and is taken to be as much. */
    const int64_t busy_ms = (int64_t)cost_ms * paces->gateways;
    const int64_t burst_ms = busy_ms > GK_KV_PACE_BURST_MS ? busy_ms : GK_KV_PACE_BURST_MS;
    const int64_t free_ms = pace->free_ms > now_ms ? pace->free_ms : now_ms;
    const int64_t earliest_ms = free_ms + busy_ms - burst_ms;
    const int64_t at_ms = earliest_ms > now_ms ? earliest_ms : now_ms;
    if (at_ms < latest_ms) {
        pace->free_ms = free_ms + busy_ms;
    }
    return at_ms;
}

void gk_kv_paces_cleanup(struct gk_kv_paces *paces)
{
    while (paces->first != NULL) {
        struct gk_kv_pace *pace = paces->first;
        paces->first = pace->next;
        free(pace);
    }
}
