/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get Blob, Get Blob Properties and Get Blob Metadata (Storage REST reference). No byte of the
 * content leaves before its chunk is verified; what is wrong with the first chunks is still an error
 * to the client, later the connection breaks off.
 */
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/get_blob.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/hasher.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/reader.h"

#define RANGE_MD5_BYTES_MAX (UINT64_C(4) << 20) /* documented */
/* A body up to this size is opened before the answer begins: what is wrong with it is an error to the
 * client, and what is right goes out in one packet. */
#define WHOLE_BYTES_MAX (64u << 10)

/* --- what all three tell ------------------------------------------------------------------------*/

enum gk_status gk_blob_begin_answer(struct gk_request *request, struct gk_blob_target *target,
                                    gk_blob_load_fn *load, struct gk_data_key **data_key,
                                    struct gk_error *error)
{
    enum gk_status status = load(request, target, error);
    if (status == GK_OK) {
        status = gk_blob_conditions(request, target, GK_ACCESS_READ, error);
    }
    if (status == GK_OK) {
        status = gk_blob_open_data_key(request, target, data_key, error);
    }
    struct gk_metadata metadata;
    gk_metadata_init(&metadata);
    if (status == GK_OK) {
        status = gk_blob_metadata(request, target, *data_key, &metadata, error);
    }
    if (status == GK_OK) {
        gk_metadata_to_headers(request, &metadata);
        gk_respond_encryption(request, &target->record.encryption);
    }
    gk_metadata_cleanup(&metadata);
    return status;
}

static void end_answer(struct gk_request *request, struct gk_blob_target *target,
                       struct gk_data_key *data_key)
{
    request->gateway->host->plugin->data_key_free(data_key);
    gk_blob_target_cleanup(target);
}

/* Append blobs and page blobs have none. */
static void respond_tier(struct gk_request *request, const struct gk_blob_record *record)
{
    if (record->kind.type != GK_BLOB_BLOCK) {
        return;
    }
    const struct gk_tier_view view = gk_tier_view_of(record->tier, &record->tier_times,
                                                     gk_clock_wall_ms(&request->gateway->clock));
    gk_respond_header(request, "x-ms-access-tier", view.name);
    gk_respond_header(request, "x-ms-access-tier-inferred", view.inferred ? "true" : "false");
    if (view.changed_wall_ms != 0) {
        char time[GK_TIME_TEXT_BYTES];
        gk_time_http(view.changed_wall_ms, time);
        gk_respond_header(request, "x-ms-access-tier-change-time", time);
    }
    if (view.archive_status != NULL) {
        gk_respond_header(request, "x-ms-archive-status", view.archive_status);
        gk_respond_header(request, "x-ms-rehydrate-priority", view.priority);
    }
}

/* --- Get Blob -----------------------------------------------------------------------------------*/

struct download {
    struct gk_reader_stream *stream;
    char request_id[GK_UUID_TEXT_BYTES];
};

static int64_t download_next(void *ctx, uint64_t offset, uint8_t *out, size_t max)
{
    (void)offset;
    struct download *download = ctx;
    struct gk_error error = {0};
    size_t len = 0;
    if (gk_reader_stream_next(download->stream, out, max, &len, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "request", "%s: a download is broken off: %s: %s",
               download->request_id, gk_status_name(error.status), error.message);
        return -1;
    }
    return (int64_t)len;
}

static void download_free(void *ctx)
{
    struct download *download = ctx;
    gk_reader_stream_free(download->stream);
    free(download);
}

static enum gk_status check_range_md5(const struct gk_request *request,
                                      const struct gk_range *range, bool *wanted,
                                      struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-range-get-content-md5");
    *wanted = value != NULL && strcasecmp(value, "true") == 0;
    return *wanted && (!range->partial || range->length > RANGE_MD5_BYTES_MAX)
               ? gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "x-ms-range-get-content-md5 needs a range of 4 MiB at most.")
               : GK_OK;
}

/* A range's MD5 stands before the range itself: it is read once for it, and then again. */
static enum gk_status respond_range_md5(struct gk_request *request,
                                        const struct gk_blob_target *target,
                                        const struct gk_range *range, struct gk_error *error)
{
    struct gk_data_key *data_key = NULL;
    struct gk_reader_stream *stream = NULL;
    struct gk_md5 *md5 = gk_md5_new(NULL);
    uint8_t *bytes = malloc(GK_CHUNK_PLAIN_BYTES);
    enum gk_status status = md5 == NULL || bytes == NULL
                                ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                : gk_blob_open_data_key(request, target, &data_key, error);
    if (status == GK_OK) {
        status = gk_reader_stream_new(request, target, data_key, range->from, range->length,
                                      &stream, error);
    }
    size_t len = 1;
    while (status == GK_OK && len > 0) {
        status = gk_reader_stream_next(stream, bytes, GK_CHUNK_PLAIN_BYTES, &len, error);
        gk_md5_update(md5, gk_span_of(bytes, len));
    }
    if (status == GK_OK) {
        uint8_t sum[GK_MD5_BYTES];
        gk_md5_final(md5, sum);
        gk_respond_md5(request, "Content-MD5", gk_span_of(sum, sizeof sum));
    }
    gk_reader_stream_free(stream);
    gk_wipe(bytes, bytes == NULL ? 0 : GK_CHUNK_PLAIN_BYTES);
    free(bytes);
    gk_md5_free(md5);
    return status;
}

static void respond_content_headers(struct gk_request *request, const struct gk_blob_record *record,
                                    const struct gk_range *range)
{
    gk_respond_blob_headers(request, record);
    respond_tier(request, record);
    if (range->partial) {
        gk_respond_headerf(request, "Content-Range", "bytes %llu-%llu/%llu",
                           (unsigned long long)range->from,
                           (unsigned long long)(range->from + range->length - 1),
                           (unsigned long long)record->size);
    }
    const struct gk_span md5 = gk_blob_md5(record);
    if (md5.len > 0) {
        gk_respond_md5(request, "x-ms-blob-content-md5", md5);
    }
    if (md5.len > 0 && !range->partial) {
        gk_respond_md5(request, "Content-MD5", md5);
    }
}

static enum gk_status respond_whole(struct gk_request *request, const struct gk_blob_record *record,
                                    const struct gk_range *range, struct gk_reader_stream *stream,
                                    struct gk_error *error)
{
    const size_t length = (size_t)range->length;
    uint8_t *bytes = malloc(length);
    enum gk_status status = bytes == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    for (size_t at = 0, len = 0; status == GK_OK && at < length; at += len) {
        status = gk_reader_stream_next(stream, bytes + at, length - at, &len, error);
    }
    if (status != GK_OK) {
        gk_wipe(bytes, bytes == NULL ? 0 : length);
        free(bytes);
        return status;
    }
    respond_content_headers(request, record, range);
    return gk_respond_bytes(request, range->partial ? 206 : 200, bytes, length);
}

/* stream is taken over. */
static enum gk_status respond_stream(struct gk_request *request,
                                     const struct gk_blob_record *record,
                                     const struct gk_range *range, struct gk_reader_stream *stream,
                                     struct gk_error *error)
{
    struct download *download = calloc(1, sizeof *download);
    const enum gk_status status = download == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                   : gk_reader_stream_prime(stream, error);
    if (status != GK_OK) {
        free(download);
        gk_reader_stream_free(stream);
        return status;
    }
    download->stream = stream;
    memcpy(download->request_id, request->id, sizeof download->request_id);
    respond_content_headers(request, record, range);
    return gk_respond_stream(request, range->partial ? 206 : 200, range->length, download_next,
                             download, download_free);
}

/* *data_key is taken over. */
static enum gk_status respond_content(struct gk_request *request,
                                      const struct gk_blob_target *target,
                                      const struct gk_range *range, struct gk_data_key **data_key,
                                      struct gk_error *error)
{
    struct gk_reader_stream *stream = NULL;
    enum gk_status status = gk_reader_stream_new(request, target, *data_key, range->from,
                                                 range->length, &stream, error);
    *data_key = NULL;
    if (status != GK_OK) {
        return status;
    }
    if (range->length > WHOLE_BYTES_MAX) {
        return respond_stream(request, &target->record, range, stream, error);
    }
    status = respond_whole(request, &target->record, range, stream, error);
    gk_reader_stream_free(stream);
    return status;
}

static enum gk_status respond_range(struct gk_request *request, const struct gk_blob_target *target,
                                    struct gk_data_key **data_key, struct gk_error *error)
{
    struct gk_range range;
    bool range_md5 = false;
    enum gk_status status = gk_range_read(request, target->record.size, &range, error);
    if (status == GK_E_INVALID && error->http_status == 416) {
        gk_respond_headerf(request, "Content-Range", "bytes */%llu",
                           (unsigned long long)target->record.size);
    }
    if (status == GK_OK) {
        status = check_range_md5(request, &range, &range_md5, error);
    }
    if (status == GK_OK && range_md5) {
        status = respond_range_md5(request, target, &range, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (range.length == 0) {
        respond_content_headers(request, &target->record, &range);
        return gk_respond(request, 200);
    }
    return respond_content(request, target, &range, data_key, error);
}

static enum gk_status get_blob(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    struct gk_data_key *data_key = NULL;
    enum gk_status status =
        gk_blob_begin_answer(request, &target, gk_blob_target_load_content, &data_key, error);
    if (status == GK_OK) {
        status = gk_blob_online_check(request, &target, error);
    }
    if (status == GK_OK) {
        status = respond_range(request, &target, &data_key, error);
    }
    end_answer(request, &target, data_key);
    return status;
}

const struct gk_handler gk_get_blob_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = get_blob};

/* --- Get Blob Properties ------------------------------------------------------------------------*/

static enum gk_status get_properties(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    struct gk_data_key *data_key = NULL;
    enum gk_status status =
        gk_blob_begin_answer(request, &target, gk_blob_target_load_existing, &data_key, error);
    if (status == GK_OK) {
        gk_respond_blob_headers(request, &target.record);
        respond_tier(request, &target.record);
        const struct gk_span md5 = gk_blob_md5(&target.record);
        if (md5.len > 0) {
            gk_respond_md5(request, "Content-MD5", md5);
        }
        status = gk_respond_head(request, 200, target.record.size);
    }
    end_answer(request, &target, data_key);
    return status;
}

const struct gk_handler gk_get_blob_properties_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = get_properties};

/* --- Get Blob Metadata --------------------------------------------------------------------------*/

static enum gk_status get_metadata(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    struct gk_data_key *data_key = NULL;
    enum gk_status status =
        gk_blob_begin_answer(request, &target, gk_blob_target_load_existing, &data_key, error);
    if (status == GK_OK) {
        gk_respond_version(request, target.record.etag, target.record.modified_wall_ms);
        status = gk_respond(request, 200);
    }
    end_answer(request, &target, data_key);
    return status;
}

const struct gk_handler gk_get_blob_metadata_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = get_metadata};
