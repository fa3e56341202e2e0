/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that are chained by their hashes: each has a number, one more than that of the line before, and the
 * hash of that line. Who changes, takes away or puts in a line must write all that follow anew, and then the
 * last one has another hash than was noted. Pure.
 *
 *   hash     SHA-256 of a line without its end; of the line before the first one, if there is none: zeros
 *   text     64 lower-case hexadecimal digits
 *   head     what the last line is: {"sequence":<20 characters>,"hash":"<text>"} and a newline, which always has
 *            GK_CHAIN_HEAD_BYTES, so that it is written over in place
 */
#ifndef COMMON_HASH_CHAIN_H
#define COMMON_HASH_CHAIN_H

#include <stdbool.h>

#include "common/buf.h"

#define GK_CHAIN_HASH_BYTES      32u
#define GK_CHAIN_HASH_TEXT_BYTES (2u * GK_CHAIN_HASH_BYTES + 1u)
#define GK_CHAIN_HEAD_BYTES      108u
#define GK_CHAIN_HEAD_SUFFIX     ".head"    /* of the file beside the one with the lines */
#define GK_CHAIN_SEQUENCE        "sequence" /* members of a line that is a JSON object */
#define GK_CHAIN_PREVIOUS        "previous"

/* All zero: before the first line. */
struct gk_chain_head {
    uint64_t sequence;
    uint8_t hash[GK_CHAIN_HASH_BYTES];
};

/* False: the library refused. */
bool gk_chain_hash(struct gk_span line, uint8_t hash[GK_CHAIN_HASH_BYTES]) GK_MUST_USE;
void gk_chain_hash_text(const uint8_t hash[GK_CHAIN_HASH_BYTES],
                        char text[GK_CHAIN_HASH_TEXT_BYTES]);

void gk_chain_head_encode(const struct gk_chain_head *head, char text[GK_CHAIN_HEAD_BYTES + 1]);
bool gk_chain_head_decode(struct gk_span text, struct gk_chain_head *head) GK_MUST_USE;

#endif
