/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms of bytes, identifiers and times. Decoders are strict: one text for one value, no white
 * space, no missing or surplus padding, no stray bits.
 */
#ifndef COMMON_TEXT_H
#define COMMON_TEXT_H

#include <stdbool.h>

#include "common/buf.h"

/* RFC 4648 section 4, padded. Appends to out. */
void gk_base64_encode(struct gk_buf *out, struct gk_span in);
/* Appends the decoded bytes; false (out unchanged) on anything but canonical base64. */
bool gk_base64_decode(struct gk_buf *out, struct gk_span text) GK_MUST_USE;
/* RFC 4648 section 5, unpadded, as JOSE and Key Vault use it. */
void gk_base64url_encode(struct gk_buf *out, struct gk_span in);
bool gk_base64url_decode(struct gk_buf *out, struct gk_span text) GK_MUST_USE;
/* Lower case. */
void gk_hex_encode(struct gk_buf *out, struct gk_span in);
/* Exactly out_len bytes from 2 * out_len digits of either case. */
bool gk_hex_decode(struct gk_span text, uint8_t *out, size_t out_len) GK_MUST_USE;

/* RFC 3986 percent-encoding of everything but unreserved characters; keep lists further ones kept.
 */
void gk_percent_encode(struct gk_buf *out, struct gk_span in, const char *keep);
/* False on a broken escape or an encoded NUL; '+' stays '+'. */
bool gk_percent_decode(struct gk_buf *out, struct gk_span text) GK_MUST_USE;

#define GK_UUID_TEXT_BYTES 37
/* A random (version 4) identifier from the kernel; false when there is no entropy. */
bool gk_id_random(struct gk_id *id) GK_MUST_USE;
/* Lower case with dashes, NUL-terminated. */
void gk_id_format(const struct gk_id *id, char text[GK_UUID_TEXT_BYTES]);
bool gk_id_parse(const char *text, struct gk_id *id) GK_MUST_USE;
bool gk_id_equal(const struct gk_id *a, const struct gk_id *b);
/* len bytes of kernel randomness; false when there are none. */
bool gk_random(void *out, size_t len) GK_MUST_USE;

#define GK_TIME_TEXT_BYTES 40
/* "Mon, 23 Nov 2026 12:00:00 GMT" (RFC 9110 IMF-fixdate). */
void gk_time_http(int64_t wall_ms, char text[GK_TIME_TEXT_BYTES]);
bool gk_time_http_parse(const char *text, int64_t *wall_ms) GK_MUST_USE;
/* "2026-11-23T12:00:00.1230000Z", seven digits as the storage service writes them. */
void gk_time_iso(int64_t wall_ms, char text[GK_TIME_TEXT_BYTES]);
/* "2026-11-23T12:00:00Z", as signatures have it. */
void gk_time_iso_second(int64_t wall_ms, char text[GK_TIME_TEXT_BYTES]);
/* ISO 8601 as SAS tokens carry it: a date, or date and time with optional seconds and fraction, Z
 * or a numeric offset. */
bool gk_time_iso_parse(const char *text, int64_t *wall_ms) GK_MUST_USE;

/* Whether text ends within max bytes and holds no control character, which could pass for something
 * else in a log line or on a terminal. */
bool gk_text_is_plain(const char *text, size_t max) GK_MUST_USE;

/* Decimal digits only, no sign, no leading blank, at most max. */
bool gk_parse_u64(struct gk_span text, uint64_t max, uint64_t *value) GK_MUST_USE;

#endif
