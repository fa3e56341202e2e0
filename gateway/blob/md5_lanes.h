/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MD5's compression function (RFC 1321, section 3.4) over several streams side by side: the steps of one
 * stream wait for each other, so a vector of streams takes hardly longer than one of them. What cuts
 * bodies into blocks and pads them is hasher.c. Pure.
 */
#ifndef GATEWAY_BLOB_MD5_LANES_H
#define GATEWAY_BLOB_MD5_LANES_H

#include <stddef.h>
#include <stdint.h>

#define GK_MD5_BLOCK_BYTES 64u
#define GK_MD5_LANES       8u

struct gk_md5_state {
    uint32_t words[4];
};

extern const struct gk_md5_state gk_md5_begin;

/* Takes count blocks from at into state. */
void gk_md5_blocks(struct gk_md5_state *state, const uint8_t *at, size_t count);
/* The same for each of GK_MD5_LANES streams, each of count blocks. A lane that is not needed takes any other's
 * bytes and a state of its own. */
void gk_md5_blocks_in_lanes(struct gk_md5_state *const states[GK_MD5_LANES],
                            const uint8_t *const at[GK_MD5_LANES], size_t count);

#endif
