/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one vault may be asked: a bucket for each, so that a gateway with many keys in one vault
 * stays under what the vault takes (a few hundred requests a second at best, and a vault serves
 * others too) instead of being throttled. The provider's thread alone.
 */
#ifndef KEYPROVIDER_PACE_H
#define KEYPROVIDER_PACE_H

#include <stdint.h>

#define GK_KV_PACE_INTERVAL_MS 10   /* one hundred requests a second, over time */
#define GK_KV_PACE_BURST_MS    1000 /* and one second's worth of them at once */

struct gk_kv_pace;

struct gk_kv_paces {
    struct gk_kv_pace *first;
};

/*
 * When the next request to that vault may go: now_ms, or later. The place is taken, unless it is at
 * latest_ms or after it: then nobody will be there to use it. Without memory there is no pace.
 */
int64_t gk_kv_pace_take(struct gk_kv_paces *paces, const char *vault_uri, int64_t now_ms,
                        int64_t latest_ms);
void gk_kv_paces_cleanup(struct gk_kv_paces *paces);

#endif
