/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/reader.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/manifest.h"
#include "gateway/blob/page_reader.h"
#include "gateway/blob/writer.h"
#include "gateway/metrics.h"

/* A run of chunks of one data object. */
struct run {
    uint64_t first; /* chunk */
    uint64_t count;
    uint64_t chunks;   /* of the whole segment */
    size_t last_plain; /* length of the segment's last chunk */
};

/* A run on its way from the store. */
struct fetch {
    uint8_t *sealed;
    size_t dirty; /* bytes of sealed that may hold plaintext */
    size_t wanted;
    struct gk_store_read *read; /* NULL: nothing is under way */
};

struct gk_reader_stream {
    const struct gk_plugin *plugin;
    struct gk_store *store;
    struct gk_id container;
    struct gk_id lender;          /* where entries that are lent are */
    struct gk_data_key *data_key; /* owned */
    struct gk_page_reader *paged; /* of a page blob, which has none of what follows */
    struct gk_manifest_walk *walk;
    struct gk_segment *segment; /* of entry */
    struct gk_manifest_entry entry;
    uint64_t entry_from; /* where the next byte is within the entry */
    uint64_t left;       /* of the range, not yet opened */
    /* Opened bytes that were not handed out yet: pieces of chunks, which lie apart by their tags. */
    size_t pieces;
    size_t piece; /* the first that is not used up */
    struct gk_span ready[GK_READ_CHUNKS];
    size_t chunks_max; /* of a run: fewer than GK_READ_CHUNKS for a short range */
    size_t room;       /* bytes of a fetch */
    bool beside;       /* the first fetch has the only chunk from the start */
    /* While one run is handed out, the next one is on its way to the other. */
    struct fetch fetches[2];
    unsigned current;
    uint8_t memory[];
};

/* Chunks that hold a range of this length, wherever it begins. */
static size_t chunks_for(uint64_t length)
{
    const uint64_t chunks = (length - 1) / GK_CHUNK_PLAIN_BYTES + 2;
    return chunks < GK_READ_CHUNKS ? (size_t)chunks : GK_READ_CHUNKS;
}

/* A run lies within one entry, and an entry within the blob. One byte more: see read_run. */
static size_t room_for(size_t chunks, uint64_t blob_size)
{
    const uint64_t full = (uint64_t)chunks * GK_CHUNK_SEALED_BYTES;
    const uint64_t most = blob_size + (uint64_t)chunks * GK_TAG_BYTES;
    return (size_t)(most < full ? most : full) + 1;
}

/* The chunk that stands beside the record is where a read would have put it. */
static enum gk_status take_beside(struct gk_reader_stream *stream,
                                  const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_buf *chunk = &target->beside;
    stream->beside = target->record.manifest.beside;
    if (!stream->beside) {
        return GK_OK;
    }
    if (chunk->len != stream->entry.length + GK_TAG_BYTES || chunk->len > stream->room) {
        return gk_fail(error, GK_E_INTEGRITY, "what stands beside a record in %s is not its own",
                       target->index);
    }
    memcpy(stream->fetches[0].sealed, chunk->data, chunk->len);
    return GK_OK;
}

static enum gk_status new_paged(const struct gk_request *request,
                                const struct gk_blob_target *target, struct gk_data_key *data_key,
                                uint64_t from, uint64_t length, struct gk_reader_stream **out,
                                struct gk_error *error)
{
    struct gk_reader_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL) {
        request->gateway->host->plugin->data_key_free(data_key);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    stream->plugin = request->gateway->host->plugin;
    stream->data_key = data_key;
    const enum gk_status status =
        gk_page_reader_new(request, target, data_key, from, length, &stream->paged, error);
    if (status != GK_OK) {
        gk_reader_stream_free(stream);
        return status;
    }
    *out = stream;
    return GK_OK;
}

enum gk_status gk_reader_stream_new(const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    struct gk_data_key *data_key, uint64_t from, uint64_t length,
                                    struct gk_reader_stream **out, struct gk_error *error)
{
    *out = NULL;
    if (target->record.kind.type == GK_BLOB_PAGE) {
        return new_paged(request, target, data_key, from, length, out, error);
    }
    const size_t chunks_max = chunks_for(length);
    const size_t room = room_for(chunks_max, target->record.size);
    const bool one_run = length <= (uint64_t)(chunks_max - 1) * GK_CHUNK_PLAIN_BYTES;
    struct gk_reader_stream *stream = malloc(sizeof *stream + (one_run ? room : 2 * room));
    if (stream == NULL) {
        request->gateway->host->plugin->data_key_free(data_key);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    memset(stream, 0, sizeof *stream);
    stream->chunks_max = chunks_max;
    stream->room = room;
    stream->fetches[0].sealed = stream->memory;
    stream->fetches[1].sealed = one_run ? NULL : stream->memory + room;
    stream->plugin = request->gateway->host->plugin;
    stream->store = request->gateway->store;
    stream->container = target->container;
    stream->lender = target->record.loan.container;
    stream->data_key = data_key;
    stream->left = length;
    enum gk_status status = gk_manifest_walk_new(
        stream->store, stream->plugin, request->account->handle, target, &stream->walk, error);
    if (status == GK_OK) {
        status =
            gk_manifest_walk_seek(stream->walk, from, &stream->entry, &stream->entry_from, error);
    }
    if (status == GK_OK) {
        status = take_beside(stream, target, error);
    }
    if (status == GK_OK) {
        status =
            stream->plugin->segment_load(data_key, &stream->entry.segment, &stream->segment, error);
    }
    if (status != GK_OK) {
        gk_reader_stream_free(stream);
        return status;
    }
    *out = stream;
    return GK_OK;
}

void gk_reader_stream_free(struct gk_reader_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    gk_page_reader_free(stream->paged);
    stream->plugin->segment_free(stream->segment);
    stream->plugin->data_key_free(stream->data_key);
    gk_manifest_walk_free(stream->walk);
    for (size_t i = 0; i < sizeof stream->fetches / sizeof *stream->fetches; i++) {
        struct fetch *fetch = &stream->fetches[i];
        size_t got = 0;
        if (fetch->read != NULL && gk_store_read_end(fetch->read, &got, NULL) != GK_OK) {
            got = 0; /* nobody asks any more */
        }
        gk_wipe(fetch->sealed, fetch->dirty);
    }
    free(stream);
}

static enum gk_status next_entry(struct gk_reader_stream *stream, struct gk_error *error)
{
    stream->plugin->segment_free(stream->segment);
    stream->segment = NULL;
    stream->entry_from = 0;
    const enum gk_status status = gk_manifest_walk_next(stream->walk, &stream->entry, error);
    return status == GK_OK ? stream->plugin->segment_load(stream->data_key, &stream->entry.segment,
                                                          &stream->segment, error)
                           : status;
}

static struct run next_run(const struct gk_reader_stream *stream)
{
    const uint64_t length = stream->entry.length;
    const uint64_t end =
        stream->entry_from + stream->left < length ? stream->entry_from + stream->left : length;
    struct run run = {.first = stream->entry_from / GK_CHUNK_PLAIN_BYTES};
    run.chunks = (length + GK_CHUNK_PLAIN_BYTES - 1) / GK_CHUNK_PLAIN_BYTES;
    run.last_plain = (size_t)(length - (run.chunks - 1) * GK_CHUNK_PLAIN_BYTES);
    const uint64_t wanted = (end + GK_CHUNK_PLAIN_BYTES - 1) / GK_CHUNK_PLAIN_BYTES - run.first;
    const uint64_t in_object = GK_OBJECT_CHUNKS - run.first % GK_OBJECT_CHUNKS;
    run.count = wanted < stream->chunks_max ? wanted : stream->chunks_max;
    run.count = run.count < in_object ? run.count : in_object;
    return run;
}

static size_t plain_of(const struct run *run, uint64_t chunk)
{
    return chunk + 1 == run->chunks ? run->last_plain : GK_CHUNK_PLAIN_BYTES;
}

static void run_name(const struct gk_reader_stream *stream, const struct run *run,
                     char name[GK_DATA_NAME_BYTES])
{
    gk_data_name(stream->entry.lent ? &stream->lender : &stream->container, &stream->entry.segment,
                 run->first / GK_OBJECT_CHUNKS, name);
}

static enum gk_status begin_fetch(struct gk_reader_stream *stream, struct fetch *fetch,
                                  const struct run *run, struct gk_error *error)
{
    const uint64_t end = run->first + run->count;
    fetch->wanted =
        (size_t)(run->count - 1) * GK_CHUNK_SEALED_BYTES + plain_of(run, end - 1) + GK_TAG_BYTES;
    /* Where the object must end, one byte more is asked for: a longer one is not what was written. */
    const size_t asked = fetch->wanted + (end == run->chunks || end % GK_OBJECT_CHUNKS == 0);
    if (asked > stream->room) {
        return gk_fail(error, GK_E_INTEGRITY, "a segment is longer than its blob");
    }
    char name[GK_DATA_NAME_BYTES];
    run_name(stream, run, name);
    return gk_store_read_begin(stream->store, GK_POOL_DATA, name,
                               run->first % GK_OBJECT_CHUNKS * GK_CHUNK_SEALED_BYTES, fetch->sealed,
                               asked, &fetch->read, error);
}

static enum gk_status end_fetch(struct gk_reader_stream *stream, struct fetch *fetch,
                                const struct run *run, struct gk_error *error)
{
    size_t got = 0;
    const enum gk_status status = gk_store_read_end(fetch->read, &got, error);
    fetch->read = NULL;
    fetch->dirty = fetch->wanted > fetch->dirty ? fetch->wanted : fetch->dirty;
    if (status == GK_E_NOT_FOUND || (status == GK_OK && got != fetch->wanted)) {
        char name[GK_DATA_NAME_BYTES];
        run_name(stream, run, name);
        return gk_fail(error, GK_E_INTEGRITY, "data object %s is missing, short or long", name);
    }
    return status;
}

/* What begin_fetch could not begin is told when it is wanted. */
static enum gk_status read_run(struct gk_reader_stream *stream, const struct run *run,
                               struct gk_error *error)
{
    struct fetch *fetch = &stream->fetches[stream->current];
    if (stream->beside) {
        fetch->dirty = (size_t)stream->entry.length;
        return GK_OK;
    }
    enum gk_status status = GK_OK;
    if (fetch->read == NULL) {
        status = begin_fetch(stream, fetch, run, error);
    }
    return status == GK_OK ? end_fetch(stream, fetch, run, error) : status;
}

/* Of the same segment: the next one may be anywhere, and few blobs have many. Into the other fetch's
 * memory, which a short range goes without. */
static void read_ahead(struct gk_reader_stream *stream)
{
    if (stream->fetches[1].sealed == NULL) {
        return;
    }
    stream->current ^= 1;
    if (stream->left > 0 && stream->entry_from < stream->entry.length) {
        const struct run run = next_run(stream);
        struct gk_error ignored = {0};
        if (begin_fetch(stream, &stream->fetches[stream->current], &run, &ignored) != GK_OK) {
            stream->fetches[stream->current].read = NULL;
        }
    }
}

/* Opens the run in place and notes which bytes of it belong to the range. */
static enum gk_status open_run(struct gk_reader_stream *stream, const struct run *run,
                               struct gk_error *error)
{
    const double begun = gk_metrics_now();
    for (uint64_t i = 0; i < run->count; i++) {
        const uint64_t chunk = run->first + i;
        const size_t plain = plain_of(run, chunk);
        uint8_t *at = stream->fetches[stream->current].sealed + i * GK_CHUNK_SEALED_BYTES;
        const enum gk_status status =
            stream->plugin->segment_open(stream->segment, chunk, chunk + 1 == run->chunks,
                                         gk_span_of(at, plain + GK_TAG_BYTES), at, error);
        if (status != GK_OK) {
            return status;
        }
        const size_t skip = (size_t)(stream->entry_from - chunk * GK_CHUNK_PLAIN_BYTES);
        const size_t have = plain - skip;
        const size_t used = have < stream->left ? have : (size_t)stream->left;
        stream->ready[i] = gk_span_of(at + skip, used);
        stream->entry_from += used;
        stream->left -= used;
    }
    gk_metrics_encryption(GK_METRICS_OPEN, begun);
    stream->piece = 0;
    stream->pieces = (size_t)run->count;
    return GK_OK;
}

enum gk_status gk_reader_stream_prime(struct gk_reader_stream *stream, struct gk_error *error)
{
    if (stream->paged != NULL) {
        return gk_page_reader_prime(stream->paged, error);
    }
    if (stream->piece < stream->pieces || stream->left == 0) {
        return GK_OK;
    }
    enum gk_status status = GK_OK;
    while (status == GK_OK && stream->entry_from == stream->entry.length) {
        status = next_entry(stream, error);
    }
    if (status != GK_OK) {
        return status;
    }
    const struct run run = next_run(stream);
    status = read_run(stream, &run, error);
    if (status == GK_OK) {
        status = open_run(stream, &run, error);
    }
    if (status == GK_OK && stream->left > 0) {
        read_ahead(stream);
    }
    return status;
}

enum gk_status gk_reader_stream_next(struct gk_reader_stream *stream, uint8_t *out, size_t max,
                                     size_t *len, struct gk_error *error)
{
    *len = 0;
    if (stream->paged != NULL) {
        return gk_page_reader_next(stream->paged, out, max, len, error);
    }
    const enum gk_status status = gk_reader_stream_prime(stream, error);
    while (status == GK_OK && *len < max && stream->piece < stream->pieces) {
        struct gk_span *piece = &stream->ready[stream->piece];
        const size_t taken = piece->len < max - *len ? piece->len : max - *len;
        memcpy(out + *len, piece->data, taken);
        *len += taken;
        *piece = gk_span_of(piece->data + taken, piece->len - taken);
        stream->piece += piece->len == 0;
    }
    return status;
}
