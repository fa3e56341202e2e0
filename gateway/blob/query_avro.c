/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_avro.h"

#include <string.h>

#include "common/error.h"
#include "common/text.h"

#define BLOCK_BYTES_MAX (8u << 20)
#define NAMESPACE       "com.microsoft.azure.storage.queryBlobContents."

/* The kinds' places in the schema. */
enum kind { RESULT_DATA, ERROR, PROGRESS, END };

static const char schema[] =
    "[{\"type\":\"record\",\"name\":\"" NAMESPACE "resultData\",\"fields\":["
    "{\"name\":\"data\",\"type\":\"bytes\"}]},"
    "{\"type\":\"record\",\"name\":\"" NAMESPACE "error\",\"fields\":["
    "{\"name\":\"fatal\",\"type\":\"boolean\"},{\"name\":\"name\",\"type\":\"string\"},"
    "{\"name\":\"description\",\"type\":\"string\"},{\"name\":\"position\",\"type\":\"long\"}]},"
    "{\"type\":\"record\",\"name\":\"" NAMESPACE "progress\",\"fields\":["
    "{\"name\":\"bytesScanned\",\"type\":\"long\"},{\"name\":\"totalBytes\",\"type\":\"long\"}]},"
    "{\"type\":\"record\",\"name\":\"" NAMESPACE "end\",\"fields\":["
    "{\"name\":\"totalBytes\",\"type\":\"long\"}]}]";

/* A number that is not negative: doubled, then seven bits a byte, the least first. */
static void append_long(struct gk_buf *out, uint64_t value)
{
    value *= 2;
    while (value > 0x7f) {
        gk_buf_append_u8(out, (uint8_t)(value | 0x80));
        value >>= 7;
    }
    gk_buf_append_u8(out, (uint8_t)value);
}

static void append_bytes(struct gk_buf *out, struct gk_span bytes)
{
    append_long(out, bytes.len);
    gk_buf_append(out, bytes.data, bytes.len);
}

static void append_text(struct gk_buf *out, const char *text)
{
    append_bytes(out, gk_span_str(text));
}

enum gk_status gk_query_avro_begin(struct gk_query_avro *avro, struct gk_buf *out,
                                   struct gk_error *error)
{
    *avro = (struct gk_query_avro){.count = 0};
    gk_buf_init(&avro->records, BLOCK_BYTES_MAX);
    if (!gk_random(avro->sync, sizeof avro->sync)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    gk_buf_append(out, "Obj\1", 4);
    append_long(out, 2);
    append_text(out, "avro.schema");
    append_text(out, schema);
    append_text(out, "avro.codec");
    append_text(out, "null");
    append_long(out, 0);
    gk_buf_append(out, avro->sync, sizeof avro->sync);
    return GK_OK;
}

void gk_query_avro_cleanup(struct gk_query_avro *avro)
{
    gk_buf_cleanup_wipe(&avro->records);
}

static void begin_record(struct gk_query_avro *avro, enum kind kind)
{
    append_long(&avro->records, kind);
    avro->count++;
}

void gk_query_avro_data(struct gk_query_avro *avro, struct gk_span data)
{
    begin_record(avro, RESULT_DATA);
    append_bytes(&avro->records, data);
}

void gk_query_avro_error(struct gk_query_avro *avro, const struct gk_query_avro_error *what)
{
    begin_record(avro, ERROR);
    gk_buf_append_u8(&avro->records, what->fatal);
    append_text(&avro->records, what->name);
    append_text(&avro->records, what->description);
    append_long(&avro->records, what->position);
}

void gk_query_avro_progress(struct gk_query_avro *avro, uint64_t scanned, uint64_t total)
{
    begin_record(avro, PROGRESS);
    append_long(&avro->records, scanned);
    append_long(&avro->records, total);
}

void gk_query_avro_end(struct gk_query_avro *avro, uint64_t total)
{
    begin_record(avro, END);
    append_long(&avro->records, total);
}

void gk_query_avro_flush(struct gk_query_avro *avro, struct gk_buf *out)
{
    append_long(out, avro->count);
    append_bytes(out, gk_buf_span(&avro->records));
    gk_buf_append(out, avro->sync, sizeof avro->sync);
    if (gk_buf_status(&avro->records) != GK_OK) {
        out->status = GK_E_LIMIT;
    }
    gk_buf_reset(&avro->records);
    avro->count = 0;
}
