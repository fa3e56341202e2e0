/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query Blob Contents (Storage REST reference): the records of a blob, its snapshot or version that an
 * expression asks for, in a container of Avro records. The blob is read as Get Blob reads it, no byte before
 * its chunk is verified, and one record is looked at at a time: memory is that of a record and of a block of
 * the answer, whatever the blob's size (decision 0014).
 */
#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/blob/get_blob.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/query_avro.h"
#include "gateway/blob/query_output.h"
#include "gateway/blob/reader.h"

#define BODY_BYTES_MAX   (GK_QUERY_EXPRESSION_BYTES_MAX + (64u << 10))
#define RESULT_BYTES     (64u << 10) /* a block has so many, and one record more */
#define RESULT_BYTES_MAX (4u << 20)
#define ERROR_BYTES      (64u << 10)
#define SCANNED_BYTES    (4u << 20) /* or it tells how far it has come by then */

struct query {
    char request_id[GK_UUID_TEXT_BYTES];
    struct gk_query_request asked;
    struct gk_query_sql *sql;
    struct gk_reader_stream *stream; /* NULL: the blob is empty */
    uint64_t unread;
    uint64_t size;
    struct gk_query_reader reader;
    struct gk_query_engine *engine;
    struct gk_query_output output;
    struct gk_query_avro avro;
    uint64_t matches;
    bool ended;
    struct gk_buf result;  /* of the block that is made */
    struct gk_buf pending; /* of the answer */
    size_t sent;           /* of pending */
};

static void free_query(void *ctx)
{
    struct query *query = ctx;
    if (query == NULL) {
        return;
    }
    gk_query_engine_free(query->engine);
    gk_query_reader_cleanup(&query->reader);
    gk_reader_stream_free(query->stream);
    gk_query_sql_free(query->sql);
    gk_query_request_cleanup(&query->asked);
    gk_query_avro_cleanup(&query->avro);
    gk_buf_cleanup_wipe(&query->result);
    gk_buf_cleanup_wipe(&query->pending);
    free(query);
}

static enum gk_status read_content(void *ctx, uint8_t *out, size_t max, size_t *len,
                                   struct gk_error *error)
{
    struct query *query = ctx;
    *len = 0;
    if (query->unread == 0) {
        return GK_OK;
    }
    const enum gk_status status = gk_reader_stream_next(query->stream, out, max, len, error);
    query->unread -= *len;
    return status;
}

/* --- the answer's body --------------------------------------------------------------------------*/

static void tell(struct query *query, bool fatal, const char *name, const char *description)
{
    const struct gk_query_avro_error what = {
        .fatal = fatal, .name = name, .description = description, .position = query->reader.began};
    gk_query_avro_error(&query->avro, &what);
    query->ended = query->ended || fatal;
}

static void cannot_convert(struct query *query)
{
    tell(query, false, "InvalidTypeConversion", "Invalid type conversion.");
}

static void put_record(struct query *query)
{
    const size_t before = query->result.len;
    if (!gk_query_output_record(&query->output, &query->result)) {
        query->result.len = before;
        cannot_convert(query);
    }
}

static enum gk_status take_record(struct query *query, struct gk_error *error)
{
    enum gk_query_result result = GK_QUERY_DOES_NOT;
    const enum gk_status status = gk_query_engine_take(query->engine, &result, error);
    if (status != GK_OK) {
        return status;
    }
    if (result == GK_QUERY_CANNOT_CONVERT) {
        cannot_convert(query);
    } else if (result == GK_QUERY_MATCHES && !query->sql->aggregates) {
        query->matches++;
        put_record(query);
    }
    return GK_OK;
}

/* The next record, or the end. */
static enum gk_status step(struct query *query, struct gk_error *error)
{
    bool there = false;
    if (query->matches == query->sql->limit) {
        query->ended = true;
        return GK_OK;
    }
    enum gk_status status = gk_query_reader_next(&query->reader, &there, error);
    if (status == GK_E_INVALID && query->reader.wrong != NULL) {
        gk_error_clear(error);
        tell(query, true, "ParseError", query->reader.wrong);
        return GK_OK;
    }
    if (status != GK_OK) {
        return status;
    }
    if (!there) {
        query->ended = true;
        if (query->sql->aggregates) {
            put_record(query);
        }
        return GK_OK;
    }
    return take_record(query, error);
}

/* Makes the next block of the answer. */
static enum gk_status make_block(struct query *query, struct gk_error *error)
{
    const uint64_t began = query->reader.position;
    enum gk_status status = GK_OK;
    gk_buf_reset(&query->result);
    while (status == GK_OK && !query->ended && query->result.len < RESULT_BYTES &&
           query->avro.records.len < ERROR_BYTES &&
           query->reader.position - began < SCANNED_BYTES) {
        status = step(query, error);
    }
    if (status == GK_OK && gk_buf_status(&query->result) != GK_OK) {
        status = gk_fail(error, GK_E_LIMIT, "a record of the answer is too long");
    }
    if (status != GK_OK) {
        return status;
    }
    if (query->result.len > 0) {
        gk_query_avro_data(&query->avro, gk_buf_span(&query->result));
    }
    gk_query_avro_progress(&query->avro, query->reader.position, query->size);
    if (query->ended) {
        gk_query_avro_end(&query->avro, query->size);
    }
    gk_buf_reset(&query->pending);
    query->sent = 0;
    gk_query_avro_flush(&query->avro, &query->pending);
    return gk_buf_status(&query->pending);
}

static int64_t next_bytes(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    struct query *query = ctx;
    struct gk_error error = {0};
    (void)offset;
    if (query->sent == query->pending.len && query->ended) {
        return 0;
    }
    if (query->sent == query->pending.len && make_block(query, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "request", "%s: a query is broken off: %s", query->request_id,
               error.message);
        return -1;
    }
    const size_t left = query->pending.len - query->sent;
    const size_t len = left < max ? left : max;
    memcpy(out, query->pending.data + query->sent, len);
    query->sent += len;
    return (int64_t)len;
}

/* --- the operation ------------------------------------------------------------------------------*/

static enum gk_status open_content(struct query *query, struct gk_request *request,
                                   const struct gk_blob_target *target,
                                   struct gk_data_key **data_key, struct gk_error *error)
{
    query->size = target->record.size;
    query->unread = target->record.size;
    if (query->size == 0) {
        return GK_OK;
    }
    struct gk_data_key *key = *data_key;
    *data_key = NULL; /* taken over, whatever the result */
    enum gk_status status =
        gk_reader_stream_new(request, target, key, 0, query->size, &query->stream, error);
    return status == GK_OK ? gk_reader_stream_prime(query->stream, error) : status;
}

/* What is wrong with the query, or with the blob's first bytes, is known before the answer begins. */
static enum gk_status begin_query(struct query *query, struct gk_error *error)
{
    enum gk_status status =
        gk_query_reader_init(&query->reader, &query->asked.input, read_content, query, error);
    if (status == GK_E_INVALID && query->reader.wrong != NULL) {
        status = gk_refuse_because(error, 400, "InvalidInput", "The names of the columns: %s",
                                   query->reader.wrong);
    }
    if (status == GK_OK) {
        status = gk_query_engine_new(query->sql, &query->reader, &query->engine, error);
    }
    if (status == GK_OK) {
        query->output = (struct gk_query_output){.format = &query->asked.output,
                                                 .sql = query->sql,
                                                 .reader = &query->reader,
                                                 .engine = query->engine};
        status = gk_query_avro_begin(&query->avro, &query->pending, error);
    }
    if (status == GK_OK) {
        gk_query_output_names(&query->output, &query->result);
        if (query->result.len > 0) {
            gk_query_avro_data(&query->avro, gk_buf_span(&query->result));
            gk_query_avro_flush(&query->avro, &query->pending);
        }
        status = gk_buf_status(&query->pending);
    }
    return status;
}

static enum gk_status answer(struct query *query, struct gk_request *request,
                             struct gk_error *error)
{
    struct gk_blob_target target;
    struct gk_data_key *data_key = NULL;
    enum gk_status status =
        gk_blob_begin_answer(request, &target, gk_blob_target_load_content, &data_key, error);
    if (status == GK_OK) {
        status = gk_blob_online_check(request, &target, error);
    }
    if (status == GK_OK) {
        status = open_content(query, request, &target, &data_key, error);
    }
    if (status == GK_OK) {
        status = begin_query(query, error);
    }
    if (status == GK_OK) {
        gk_respond_version(request, target.record.etag, target.record.modified_wall_ms);
        gk_respond_version_id(request, &target.record.history);
        gk_respond_header(request, "x-ms-blob-type", gk_blob_type_names[target.record.kind.type]);
        gk_respond_header(request, "Content-Type", "avro/binary");
    }
    request->gateway->host->plugin->data_key_free(data_key);
    gk_blob_target_cleanup(&target);
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct query *query = calloc(1, sizeof *query);
    if (query == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    memcpy(query->request_id, request->id, sizeof query->request_id);
    gk_buf_init(&query->result, RESULT_BYTES_MAX);
    gk_buf_init(&query->pending, 2u * RESULT_BYTES_MAX);
    enum gk_status status =
        gk_query_request_parse(gk_buf_span(&request->body), &query->asked, error);
    if (status == GK_OK) {
        status = gk_query_sql_parse(gk_buf_span(&query->asked.expression), &query->sql, error);
    }
    if (status == GK_OK) {
        status = answer(query, request, error);
    }
    if (status != GK_OK) {
        free_query(query);
        return status;
    }
    return gk_respond_stream(request, 200, GK_HTTP_LENGTH_UNKNOWN, next_bytes, query, free_query);
}

const struct gk_handler gk_query_blob_handler = {.body = GK_BODY_BUFFERED,
                                                 .body_max = BODY_BYTES_MAX,
                                                 .permissions = GK_PERMIT_READ,
                                                 .finish = finish};
