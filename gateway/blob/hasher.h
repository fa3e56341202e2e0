/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MD5 of bodies, beside the threads that receive them. MD5 is the dearest part of storing a large blob and
 * cannot be cut into parts, but several bodies can be hashed side by side for the price of hardly more
 * than one (md5_lanes.h): a thread takes what bodies there are at the moment, up to GK_MD5_LANES of them.
 * docs/decisions/0012-md5-side-by-side.md.
 */
#ifndef GATEWAY_BLOB_HASHER_H
#define GATEWAY_BLOB_HASHER_H

#include "common/span.h"

#define GK_MD5_BYTES 16u

struct gk_hasher;

/* GK_E_RESOURCE. */
enum gk_status gk_hasher_new(struct gk_hasher **out, struct gk_error *error) GK_MUST_USE;
/* No stream may be left. NULL is fine. */
void gk_hasher_free(struct gk_hasher *hasher);

/* One stream of bytes; belongs to one thread at a time. */
struct gk_md5;

/* hasher NULL: all is done by the calling thread. NULL when memory is out. */
struct gk_md5 *gk_md5_new(struct gk_hasher *hasher) GK_MUST_USE;
void gk_md5_free(struct gk_md5 *md5); /* NULL is fine */
/* bytes must stay as they are until gk_md5_wait or the next call with md5. */
void gk_md5_update(struct gk_md5 *md5, struct gk_span bytes);
/* Until the bytes of the last update are needed no more. */
void gk_md5_wait(struct gk_md5 *md5);
void gk_md5_final(struct gk_md5 *md5, uint8_t out[GK_MD5_BYTES]);

#endif
