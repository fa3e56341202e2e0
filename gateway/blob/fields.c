/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/fields.h"

#include <string.h>

#include "common/error.h"

void gk_append_text(struct gk_buf *out, struct gk_span text)
{
    gk_buf_append_u16(out, (uint16_t)text.len);
    gk_buf_append(out, text.data, text.len);
}

struct gk_span gk_read_text(struct gk_reader *in)
{
    return gk_read_span(in, gk_read_u16(in));
}

void gk_append_id(struct gk_buf *out, const struct gk_id *id)
{
    gk_buf_append(out, id->bytes, sizeof id->bytes);
}

void gk_read_id(struct gk_reader *in, struct gk_id *id)
{
    const struct gk_span bytes = gk_read_span(in, sizeof id->bytes);
    if (bytes.len == sizeof id->bytes) {
        memcpy(id->bytes, bytes.data, bytes.len);
    }
}

static const void *value_of(const struct gk_field *field, const void *record)
{
    return (const uint8_t *)record + field->offset;
}

static void encode_field(const struct gk_field *field, const void *record, struct gk_buf *out)
{
    gk_buf_append_u8(out, (uint8_t)field->tag);
    const size_t at = out->len;
    gk_buf_append_u16(out, 0);
    field->kind->encode(value_of(field, record), out);
    if (gk_buf_status(out) != GK_OK) {
        return;
    }
    const size_t len = out->len - at - sizeof(uint16_t);
    if (len > GK_FIELD_BYTES_MAX) {
        out->status = GK_E_LIMIT;
        return;
    }
    out->data[at] = (uint8_t)(len >> 8);
    out->data[at + 1] = (uint8_t)len;
}

void gk_fields_encode(const struct gk_field *fields, size_t count, const void *record,
                      struct gk_buf *out)
{
    uint8_t given = 0;
    for (size_t i = 0; i < count; i++) {
        given += fields[i].kind->given(value_of(&fields[i], record));
    }
    gk_buf_append_u8(out, given);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].kind->given(value_of(&fields[i], record))) {
            encode_field(&fields[i], record, out);
        }
    }
}

static const struct gk_field *field_of(const struct gk_field *fields, size_t count, uint8_t tag)
{
    for (size_t i = 0; i < count; i++) {
        if ((uint8_t)fields[i].tag == tag) {
            return &fields[i];
        }
    }
    return NULL;
}

enum gk_status gk_fields_decode(const struct gk_field *fields, size_t count, struct gk_reader *in,
                                void *record, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    uint8_t before = 0;
    const uint8_t given = gk_read_u8(in);
    for (uint8_t i = 0; status == GK_OK && i < given; i++) {
        const uint8_t tag = gk_read_u8(in);
        struct gk_reader bytes = gk_reader_of(gk_read_text(in));
        const struct gk_field *field = field_of(fields, count, tag);
        if (in->failed || field == NULL || tag <= before) {
            return gk_fail(error, GK_E_INTEGRITY, "a record's field %u is not well-formed", tag);
        }
        before = tag;
        status = field->kind->decode(&bytes, (uint8_t *)record + field->offset, error);
        if (status == GK_OK && !gk_read_done(&bytes)) {
            status = gk_fail(error, GK_E_INTEGRITY, "a record's field %u is not well-formed", tag);
        }
    }
    return status;
}

void gk_fields_cleanup(const struct gk_field *fields, size_t count, void *record)
{
    for (size_t i = 0; i < count; i++) {
        if (fields[i].kind->cleanup != NULL) {
            fields[i].kind->cleanup((uint8_t *)record + fields[i].offset);
        }
    }
}
