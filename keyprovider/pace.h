/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one vault may be asked: a bucket for each, so that a gateway with many keys in one vault
 * stays under what the vault takes, instead of being throttled. The provider's thread alone.
 *
 * What Key Vault takes in ten seconds, per vault and region ("Azure Key Vault service limits"; the sizes are weighed
 * and summed, gets are 4,000):
 *                 RSA 2048   3072   4096
 *   HSM keys         2,000    500    250
 *   software keys    4,000  1,000    500
 * The pace is that of HSM keys, whatever they are: of what software keys may have, half is left for others. Where
 * several gateways ask the same vaults, each has its part of that.
 */
#ifndef KEYPROVIDER_PACE_H
#define KEYPROVIDER_PACE_H

#include <stddef.h>
#include <stdint.h>

#define GK_KV_PACE_BURST_MS 1000 /* one second's worth of requests may come at once */

struct gk_kv_pace;

struct gk_kv_paces {
    struct gk_kv_pace *first;
    unsigned gateways; /* how many ask the same vaults, this one too; at least 1 */
};

/* How long a vault is taken to be busy with one gateway's request: an unwrap of so many bytes, 0 for anything else. */
uint32_t gk_kv_pace_cost_ms(size_t wrapped_bytes);
/*
 * When the next request to that vault may go: now_ms, or later. The place is taken, unless it is at
 * latest_ms or after it: then nobody will be there to use it. Without memory there is no pace.
 */
int64_t gk_kv_pace_take(struct gk_kv_paces *paces, const char *vault_uri, uint32_t cost_ms,
                        int64_t now_ms, int64_t latest_ms);
void gk_kv_paces_cleanup(struct gk_kv_paces *paces);

#endif
