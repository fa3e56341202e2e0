/* SPDX-License-Identifier: Apache-2.0 */
/* One shard of a container's index, as walk.h says. */
#ifndef GATEWAY_SCRUB_SHARD_H
#define GATEWAY_SCRUB_SHARD_H

#include "gateway/scrub/walk.h"

/* *whole becomes false when a row could not be read, or the shard is missing while its container is
 * there; the visitor is told. */
enum gk_status gk_scrub_walk_shard(struct gk_gateway *gateway,
                                   const struct gk_gateway_account *account,
                                   const struct gk_scrub_container *container, uint32_t shard,
                                   const struct gk_scrub_visitor *visitor, bool *whole,
                                   struct gk_error *error) GK_MUST_USE;

#endif
