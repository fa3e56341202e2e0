/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/pause.h"

#include "common/text.h"

uint32_t gk_kv_pause_ms(uint32_t first_ms, uint32_t max_ms, unsigned doublings)
{
    uint32_t full_ms = first_ms;
    for (unsigned i = 0; i < doublings && full_ms < max_ms; i++) {
        full_ms *= 2;
    }
    full_ms = full_ms < max_ms ? full_ms : max_ms;
    uint32_t chance = 0;
    if (!gk_random(&chance, sizeof chance)) {
        return full_ms;
    }
    return full_ms / 2 + chance % (full_ms / 2 + 1);
}
