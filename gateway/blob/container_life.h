/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container went through: that it was given a name again (Restore Container, Rename Container), and
 * that it was deleted and is kept for a while (Delete Container). Pure.
 *   opening 8 | deleted 8 | kept until 8
 */
#ifndef GATEWAY_BLOB_CONTAINER_LIFE_H
#define GATEWAY_BLOB_CONTAINER_LIFE_H

#include "gateway/blob/fields.h"

/* All zero: it has the name that it was created with. */
struct gk_container_life {
    uint64_t opening; /* of its index, index.h; each name that it is given has a greater one */
    int64_t deleted_wall_ms; /* 0: it was not; else it can be restored until: */
    int64_t kept_until_wall_ms;
};

extern const struct gk_field_kind gk_container_life_field;

/* A number greater than the container's opening: for its next one, and for the version under which it is
 * kept. Counts 100 nanoseconds since 1970. */
uint64_t gk_container_life_next(const struct gk_container_life *life, int64_t wall_ms);

#endif
