/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a hard maximum. The first failure (maximum reached, out of memory)
 * sticks: later appends do nothing and gk_buf_status() tells, so builders need one check at the
 * end. The content is always followed by a NUL that len does not count.
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include "common/span.h"

struct gk_buf {
    uint8_t *data; /* owned; NULL until the first append */
    size_t len;
    size_t cap;
    size_t max;
    enum gk_status status;
};

void gk_buf_init(struct gk_buf *buf, size_t max_bytes);
/*
 * Over memory of the caller's (size_bytes, one of them for the NUL), which stays the caller's and is
 * never grown: for secrets that must not leave secret memory. Such a buffer is not cleaned up.
 */
void gk_buf_init_over(struct gk_buf *buf, void *memory, size_t size_bytes);
/* Frees the memory; the struct can be initialised again. gk_buf_cleanup_wipe() wipes it first. */
void gk_buf_cleanup(struct gk_buf *buf);
void gk_buf_cleanup_wipe(struct gk_buf *buf);
/* Forgets the content and a sticky failure, keeps the memory. */
void gk_buf_reset(struct gk_buf *buf);

void gk_buf_append(struct gk_buf *buf, const void *data, size_t len);
void gk_buf_append_str(struct gk_buf *buf, const char *text);
void gk_buf_append_u8(struct gk_buf *buf, uint8_t value);
/* Integers are big endian in everything we store. */
void gk_buf_append_u16(struct gk_buf *buf, uint16_t value);
void gk_buf_append_u32(struct gk_buf *buf, uint32_t value);
void gk_buf_append_u64(struct gk_buf *buf, uint64_t value);
void gk_buf_printf(struct gk_buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for len more bytes at the end, counted in len at once; NULL on failure. */
uint8_t *gk_buf_extend(struct gk_buf *buf, size_t len);

enum gk_status gk_buf_status(const struct gk_buf *buf) GK_MUST_USE;
static inline struct gk_span gk_buf_span(const struct gk_buf *buf)
{
    return gk_span_of(buf->data, buf->len);
}
/* The content as a C string, "" while nothing was appended. */
const char *gk_buf_str(const struct gk_buf *buf);

/*
 * A cursor that reads a span field by field. Reading past the end sets failed and yields zeros, so
 * a parser needs one check at the end.
 */
struct gk_reader {
    struct gk_span rest;
    bool failed;
};

static inline struct gk_reader gk_reader_of(struct gk_span span)
{
    return (struct gk_reader){.rest = span, .failed = false};
}
uint8_t gk_read_u8(struct gk_reader *reader);
uint16_t gk_read_u16(struct gk_reader *reader);
uint32_t gk_read_u32(struct gk_reader *reader);
uint64_t gk_read_u64(struct gk_reader *reader);
/* A view of the next len bytes, an empty span on failure. */
struct gk_span gk_read_span(struct gk_reader *reader, size_t len);
/* True when nothing failed and nothing is left over. */
bool gk_read_done(const struct gk_reader *reader);

#endif
