/* SPDX-License-Identifier: Apache-2.0 */
/* How long to stay away from who did not answer. */
#ifndef KEYPROVIDER_PAUSE_H
#define KEYPROVIDER_PAUSE_H

#include <stdint.h>

/* first_ms, doubled so many times, to max_ms at most; and somewhere in its upper half by chance, so that gateways do
 * not come in step. Any thread. */
uint32_t gk_kv_pause_ms(uint32_t first_ms, uint32_t max_ms, unsigned doublings);

#endif
