/* SPDX-License-Identifier: Apache-2.0 */
#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/secret.h"

#define FIRST_CAPACITY_BYTES 256u

void gk_buf_init(struct gk_buf *buf, size_t max_bytes)
{
    *buf = (struct gk_buf){.max = max_bytes, .status = GK_OK};
}

void gk_buf_init_over(struct gk_buf *buf, void *memory, size_t size_bytes)
{
    *buf =
        (struct gk_buf){.data = memory, .cap = size_bytes, .max = size_bytes - 1, .status = GK_OK};
    buf->data[0] = '\0';
}

void gk_buf_cleanup(struct gk_buf *buf)
{
    free(buf->data);
    gk_buf_init(buf, buf->max);
}

void gk_buf_cleanup_wipe(struct gk_buf *buf)
{
    if (buf->data != NULL) {
        gk_wipe(buf->data, buf->cap);
    }
    gk_buf_cleanup(buf);
}

void gk_buf_reset(struct gk_buf *buf)
{
    buf->len = 0;
    buf->status = GK_OK;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

/* Grows by doubling, so that appends are linear together. The old memory is wiped, because a buffer
 * may hold what gk_buf_cleanup_wipe() is promised to wipe. */
static bool reserve(struct gk_buf *buf, size_t len)
{
    if (buf->status != GK_OK) {
        return false;
    }
    if (len > buf->max - buf->len) {
        buf->status = GK_E_LIMIT;
        return false;
    }
    const size_t needed = buf->len + len + 1;
    if (needed <= buf->cap) {
        return true;
    }
    size_t cap = buf->cap == 0 ? FIRST_CAPACITY_BYTES : buf->cap;
    while (cap < needed) {
        cap *= 2;
    }
    uint8_t *data = malloc(cap);
    if (data == NULL) {
        buf->status = GK_E_RESOURCE;
        return false;
    }
    if (buf->data != NULL) {
        memcpy(data, buf->data, buf->len);
        gk_wipe(buf->data, buf->cap);
        free(buf->data);
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

uint8_t *gk_buf_extend(struct gk_buf *buf, size_t len)
{
    if (!reserve(buf, len)) {
        return NULL;
    }
    uint8_t *room = buf->data + buf->len;
    buf->len += len;
    buf->data[buf->len] = '\0';
    return room;
}

void gk_buf_append(struct gk_buf *buf, const void *data, size_t len)
{
    uint8_t *room = gk_buf_extend(buf, len);
    if (room != NULL && len > 0) {
        memcpy(room, data, len);
    }
}

void gk_buf_append_str(struct gk_buf *buf, const char *text)
{
    gk_buf_append(buf, text, strlen(text));
}

void gk_buf_append_u8(struct gk_buf *buf, uint8_t value)
{
    gk_buf_append(buf, &value, sizeof value);
}

static void append_big_endian(struct gk_buf *buf, uint64_t value, size_t len)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    }
    gk_buf_append(buf, bytes, len);
}

void gk_buf_append_u16(struct gk_buf *buf, uint16_t value)
{
    append_big_endian(buf, value, sizeof value);
}

void gk_buf_append_u32(struct gk_buf *buf, uint32_t value)
{
    append_big_endian(buf, value, sizeof value);
}

void gk_buf_append_u64(struct gk_buf *buf, uint64_t value)
{
    append_big_endian(buf, value, sizeof value);
}

void gk_buf_printf(struct gk_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    const int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (len >= 0) {
        uint8_t *room = gk_buf_extend(buf, (size_t)len);
        if (room != NULL) {
            /* The NUL that vsnprintf writes is the one that reserve() made room for. */
            vsnprintf((char *)room, (size_t)len + 1, format, again);
        }
    } else {
        buf->status = GK_E_INVALID;
    }
    va_end(again);
}

enum gk_status gk_buf_status(const struct gk_buf *buf)
{
    return buf->status;
}

const char *gk_buf_str(const struct gk_buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}

struct gk_span gk_read_span(struct gk_reader *reader, size_t len)
{
    if (reader->failed || len > reader->rest.len) {
        reader->failed = true;
        return gk_span_of(NULL, 0);
    }
    const struct gk_span span = gk_span_of(reader->rest.data, len);
    reader->rest.len -= len;
    if (len > 0) {
        reader->rest.data += len;
    }
    return span;
}

static uint64_t read_big_endian(struct gk_reader *reader, size_t len)
{
    const struct gk_span span = gk_read_span(reader, len);
    uint64_t value = 0;
    for (size_t i = 0; i < span.len; i++) {
        value = value << 8 | span.data[i];
    }
    return value;
}

uint8_t gk_read_u8(struct gk_reader *reader)
{
    return (uint8_t)read_big_endian(reader, 1);
}

uint16_t gk_read_u16(struct gk_reader *reader)
{
    return (uint16_t)read_big_endian(reader, 2);
}

uint32_t gk_read_u32(struct gk_reader *reader)
{
    return (uint32_t)read_big_endian(reader, 4);
}

uint64_t gk_read_u64(struct gk_reader *reader)
{
    return read_big_endian(reader, 8);
}

bool gk_read_done(const struct gk_reader *reader)
{
    return !reader->failed && reader->rest.len == 0;
}
