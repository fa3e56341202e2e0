/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/writer.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/names.h"
#include "gateway/metrics.h"

struct gk_writer {
    const struct gk_plugin *plugin;
    struct gk_store *store;
    bool keep;
    struct gk_store_batch *batch; /* NULL with keep */
    struct gk_data_key *data_key;
    struct gk_id container;
    uint64_t length;
    uint64_t received;
    uint32_t segments; /* begun so far; the last one is written to */
    struct gk_id ids[GK_WRITER_SEGMENTS_MAX];
    struct gk_segment *segment;
    uint64_t index; /* of the next chunk, in its segment */
    size_t held;    /* plaintext that waits for the rest of its chunk */
    struct gk_md5 *md5;
    bool with_crc64;
    uint64_t crc64;
    uint8_t chunk[GK_CHUNK_SEALED_BYTES];
};

static uint64_t chunks_of(uint64_t length)
{
    return (length + GK_CHUNK_PLAIN_BYTES - 1) / GK_CHUNK_PLAIN_BYTES;
}

uint64_t gk_segment_objects(uint64_t length)
{
    return (chunks_of(length) + GK_OBJECT_CHUNKS - 1) / GK_OBJECT_CHUNKS;
}

static uint64_t segment_length(const struct gk_writer *writer, uint32_t segment)
{
    const uint64_t left = writer->length - segment * GK_SEGMENT_BYTES_MAX;
    return left < GK_SEGMENT_BYTES_MAX ? left : GK_SEGMENT_BYTES_MAX;
}

static uint64_t current_length(const struct gk_writer *writer)
{
    return segment_length(writer, writer->segments - 1);
}

static enum gk_status begin_segment(struct gk_writer *writer, struct gk_error *error)
{
    writer->plugin->segment_free(writer->segment);
    writer->segment = NULL;
    writer->index = 0;
    return writer->plugin->segment_new(writer->data_key, &writer->ids[writer->segments++],
                                       &writer->segment, error);
}

enum gk_status gk_writer_new(struct gk_gateway *gateway, struct gk_data_key *data_key,
                             const struct gk_id *container, uint64_t length,
                             struct gk_writer_sums sums, bool keep, struct gk_writer **out,
                             struct gk_error *error)
{
    *out = NULL;
    if (length == 0 || length > (keep ? GK_CHUNK_PLAIN_BYTES : GK_WRITER_BYTES_MAX)) {
        return gk_fail(error, GK_E_INTERNAL, "a body of this length is not for a writer");
    }
    /* Not zeroed as a whole: the chunk's 64 KiB would be touched for a blob of one byte. */
    struct gk_writer *writer = malloc(sizeof *writer);
    if (writer == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    memset(writer, 0, offsetof(struct gk_writer, chunk));
    writer->plugin = gateway->host->plugin;
    writer->store = gateway->store;
    writer->keep = keep;
    writer->data_key = data_key;
    writer->container = *container;
    writer->length = length;
    writer->with_crc64 = sums.crc64;
    enum gk_status status = GK_OK;
    if (sums.md5 && (writer->md5 = gk_md5_new(gateway->hasher)) == NULL) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    if (status == GK_OK) {
        status = begin_segment(writer, error);
    }
    if (status == GK_OK && !keep) {
        status = gk_store_batch_begin(gateway->store, &writer->batch, error);
    }
    if (status != GK_OK) {
        gk_writer_free(writer);
        return status;
    }
    *out = writer;
    return GK_OK;
}

enum gk_status gk_writer_again(struct gk_writer *writer, uint64_t length, struct gk_error *error)
{
    if (writer->keep || writer->received != writer->length || length == 0 ||
        length > GK_WRITER_BYTES_MAX) {
        return gk_fail(error, GK_E_INTERNAL, "a writer cannot begin another body");
    }
    writer->length = length;
    writer->received = 0;
    writer->segments = 0;
    return begin_segment(writer, error);
}

void gk_writer_free(struct gk_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    gk_md5_free(writer->md5);
    gk_store_batch_abort(writer->batch);
    writer->plugin->segment_free(writer->segment);
    gk_wipe(writer->chunk, writer->held);
    free(writer);
}

/* The data object that the next chunk begins. */
static enum gk_status begin_object(struct gk_writer *writer, struct gk_error *error)
{
    const uint64_t before = writer->index * GK_CHUNK_PLAIN_BYTES;
    const uint64_t left = current_length(writer) - before;
    const uint64_t whole = (uint64_t)GK_OBJECT_CHUNKS * GK_CHUNK_PLAIN_BYTES;
    const uint64_t plain = left < whole ? left : whole;
    char name[GK_DATA_NAME_BYTES];
    gk_data_name(&writer->container, &writer->ids[writer->segments - 1],
                 writer->index / GK_OBJECT_CHUNKS, name);
    return gk_store_batch_object(writer->batch, name, plain + chunks_of(plain) * GK_TAG_BYTES,
                                 error);
}

static enum gk_status seal_chunk(struct gk_writer *writer, struct gk_span plain,
                                 struct gk_error *error)
{
    enum gk_status status = GK_OK;
    if (writer->index == GK_SEGMENT_CHUNKS_MAX) {
        status = begin_segment(writer, error);
    }
    if (status == GK_OK && !writer->keep && writer->index % GK_OBJECT_CHUNKS == 0) {
        status = begin_object(writer, error);
    }
    const uint8_t last = writer->index + 1 == chunks_of(current_length(writer));
    if (status == GK_OK) {
        const double begun = gk_metrics_now();
        status = writer->plugin->segment_seal(writer->segment, writer->index, last, plain,
                                              writer->chunk, error);
        gk_metrics_encryption(GK_METRICS_SEAL, begun);
    }
    if (status == GK_OK && !writer->keep) {
        status = gk_store_batch_append(writer->batch,
                                       gk_span_of(writer->chunk, plain.len + GK_TAG_BYTES), error);
    }
    if (status == GK_OK) {
        writer->index++;
    }
    return status;
}

static enum gk_status cut(struct gk_writer *writer, struct gk_span bytes, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    while (bytes.len > 0 && status == GK_OK) {
        const uint64_t before =
            (writer->segments - 1) * GK_SEGMENT_BYTES_MAX + writer->index * GK_CHUNK_PLAIN_BYTES;
        const uint64_t left = writer->length - before;
        const size_t wanted = left < GK_CHUNK_PLAIN_BYTES ? (size_t)left : GK_CHUNK_PLAIN_BYTES;
        if (writer->held == 0 && bytes.len >= wanted) {
            /* A whole chunk lies ready: sealed from where it is. */
            status = seal_chunk(writer, gk_span_of(bytes.data, wanted), error);
            bytes = gk_span_of(bytes.data + wanted, bytes.len - wanted);
            continue;
        }
        const size_t missing = wanted - writer->held;
        const size_t taken = bytes.len < missing ? bytes.len : missing;
        memcpy(writer->chunk + writer->held, bytes.data, taken);
        writer->held += taken;
        bytes = gk_span_of(bytes.data + taken, bytes.len - taken);
        if (writer->held == wanted) {
            status = seal_chunk(writer, gk_span_of(writer->chunk, wanted), error);
            writer->held = status == GK_OK ? 0 : wanted; /* what was not sealed is wiped */
        }
    }
    return status;
}

enum gk_status gk_writer_append(struct gk_writer *writer, struct gk_span bytes,
                                struct gk_error *error)
{
    if (bytes.len > writer->length - writer->received) {
        return gk_fail(error, GK_E_INVALID, "a body is longer than announced");
    }
    writer->received += bytes.len;
    if (writer->md5 != NULL) {
        gk_md5_update(writer->md5, bytes);
    }
    if (writer->with_crc64) {
        writer->crc64 = gk_crc64_update(writer->crc64, bytes);
    }
    const enum gk_status status = cut(writer, bytes, error);
    if (writer->md5 != NULL) {
        gk_md5_wait(writer->md5); /* bytes are the caller's again */
    }
    return status;
}

void gk_writer_sums(struct gk_writer *writer, uint8_t md5[GK_MD5_BYTES], uint64_t *crc64)
{
    if (writer->md5 != NULL) {
        gk_md5_final(writer->md5, md5);
    }
    *crc64 = writer->crc64;
}

uint32_t gk_writer_segments(const struct gk_writer *writer,
                            struct gk_manifest_entry entries[GK_WRITER_SEGMENTS_MAX])
{
    for (uint32_t i = 0; i < writer->segments; i++) {
        entries[i] = (struct gk_manifest_entry){.segment = writer->ids[i],
                                                .length = segment_length(writer, i)};
    }
    return writer->segments;
}

struct gk_span gk_writer_kept(const struct gk_writer *writer)
{
    return writer != NULL && writer->keep && writer->index > 0
               ? gk_span_of(writer->chunk, (size_t)writer->length + GK_TAG_BYTES)
               : (struct gk_span){0};
}

enum gk_status gk_writer_commit(struct gk_writer *writer, const struct gk_write_op *op,
                                struct gk_error *error)
{
    if (writer->received != writer->length) {
        return gk_fail(error, GK_E_INTERNAL, "a body was to be committed before it was whole");
    }
    if (writer->keep) {
        return gk_store_write(writer->store, op, NULL, error);
    }
    struct gk_store_batch *batch = writer->batch;
    writer->batch = NULL;
    return gk_store_batch_commit(batch, op, NULL, error);
}
