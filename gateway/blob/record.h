/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values in the maps of containers and blobs, decoded, and their codecs. Pure; no store, no
 * plugin. Integers are big endian, times milliseconds since the epoch, texts are a length of 2 bytes
 * and their bytes. Each open part begins with a byte that names its version, 1; a container's is 3 when
 * it is written, a blob's 2, and may be less.
 *
 *   container   version | id 16 | etag 8 | created 8 | modified 8 | shards 4, 1 in version 1
 *               | metadata | fields, from version 3
 *   blob        version | state 1 | object 16 | sealed data key 112 | etag 8 | created 8
 *               | modified 8 | size 8 | epoch 4 | tier 1 | has MD5 1 | MD5 16 | content headers
 *               5 texts | fields, from version 2 | manifest
 *   manifest    kind 1:  0 | entries 4 | entry ...         all of it, up to
 *                                                          GK_MANIFEST_INLINE_MAX entries
 *                        1 | id 16 | pages 4 | bytes 8 ... pages 0, 1 ... and the blob's bytes in each; is
 *                                                          not written any more
 *                        2 | segment 16 | length 8         one segment of one chunk, which stands beside
 *                                                          the record and not in a data object
 *                        3 | id 16 | pages 4 | page 4, bytes 8 ... | entries 4 | entry ...
 *                                                          pages by their numbers, and what comes after
 *                                                          them, as in kind 0
 *   page        version | entries 4 | entry ...
 *   entry       segment 16 | length 8 | lent 1 | block name's length 1 | block name
 *   staged      version | segment 16 | length 8
 *   fields      what most have not, fields.h
 *   metadata    count 2 | name, value ...                  (of a blob: the sealed part)
 */
#ifndef GATEWAY_BLOB_RECORD_H
#define GATEWAY_BLOB_RECORD_H

#include "common/buf.h"
#include "gatekey/plugin.h"
#include "gateway/blob/acl.h"
#include "gateway/blob/blob_type.h"
#include "gateway/blob/container_life.h"
#include "gateway/blob/content_md5.h"
#include "gateway/blob/copy.h"
#include "gateway/blob/encryption.h"
#include "gateway/blob/history.h"
#include "gateway/blob/immutability.h"
#include "gateway/blob/incremental.h"
#include "gateway/blob/lease.h"
#include "gateway/blob/lifetime.h"
#include "gateway/blob/loan.h"
#include "gateway/blob/page_eras.h"
#include "gateway/blob/tier.h"

#define GK_BLOCK_NAME_BYTES_MAX  64u
#define GK_BLOCK_LIST_MAX        50000u
#define GK_MANIFEST_INLINE_MAX   64u
#define GK_MANIFEST_PAGE_ENTRIES 1024u
#define GK_MANIFEST_PAGES_MAX    807u /* of GK_MANIFEST_INLINE_MAX entries, as appends make them */
#define GK_MANIFEST_ENTRY_BYTES  (16u + 8u + 1u + 1u + GK_BLOCK_NAME_BYTES_MAX)
#define GK_MANIFEST_PAGE_BYTES_MAX                                                                 \
    (GK_MANIFEST_PAGE_ENTRIES * GK_MANIFEST_ENTRY_BYTES + 256u + GK_RECORD_OVERHEAD_BYTES)
#define GK_METADATA_BYTES_MAX         8192u /* names and values, as documented */
#define GK_METADATA_COUNT_MAX         512u
#define GK_CONTENT_HEADER_BYTES       1024u /* of one, with NUL */
#define GK_BLOB_RECORD_BYTES_MAX      (64u << 10)
#define GK_CONTAINER_RECORD_BYTES_MAX (16u << 10)

/* An ordered set of names and values, in its stored form. Names keep the case they came in. */
struct gk_metadata {
    struct gk_buf bytes; /* name, value, name, value ... as texts */
    uint16_t count;
};

void gk_metadata_init(struct gk_metadata *metadata);
void gk_metadata_cleanup(struct gk_metadata *metadata); /* wipes */
void gk_metadata_add(struct gk_metadata *metadata, struct gk_span name, struct gk_span value);
void gk_metadata_encode(const struct gk_metadata *metadata, struct gk_buf *out);
/* Replaces what metadata holds. */
enum gk_status gk_metadata_decode(struct gk_reader *in, struct gk_metadata *metadata,
                                  struct gk_error *error) GK_MUST_USE;
/* Walks: *at starts at 0; false at the end. */
bool gk_metadata_next(const struct gk_metadata *metadata, size_t *at, struct gk_span *name,
                      struct gk_span *value);

struct gk_container {
    struct gk_id id;
    uint64_t etag;
    int64_t created_wall_ms;
    int64_t modified_wall_ms;
    uint32_t shards; /* of its index, 1 to GK_INDEX_SHARDS_MAX (names.h) */
    struct gk_metadata metadata;
    struct gk_lease lease;
    struct gk_acl acl;
    struct gk_container_life life;
    struct gk_container_encryption encryption; /* of new blobs */
};

enum gk_status gk_container_decode(struct gk_span in, struct gk_container *out,
                                   struct gk_error *error) GK_MUST_USE;
void gk_container_encode(const struct gk_container *container, struct gk_buf *out);
void gk_container_cleanup(struct gk_container *container);

enum gk_content_header {
    GK_CONTENT_TYPE,
    GK_CONTENT_ENCODING,
    GK_CONTENT_LANGUAGE,
    GK_CONTENT_DISPOSITION,
    GK_CACHE_CONTROL,
    GK_CONTENT_HEADERS
};

enum gk_blob_state {
    GK_BLOB_COMMITTED = 1,
    GK_BLOB_UNCOMMITTED = 2, /* blocks were staged, nothing was committed yet */
    GK_BLOB_GONE = 3         /* of a base: there is nothing but its states (history.h) */
};

/* What the blob consists of, in order: what its pages hold, and then entries. beside: one entry, of one
 * chunk, which stands in the index beside the record. A page never changes: other records may name it. */
struct gk_manifest_entry {
    struct gk_id segment;
    uint64_t length;
    bool
        lent; /* its data stands in the container that the record's loan says, and is not freed here */
    uint16_t name_len; /* 0: not from a block */
    uint8_t name[GK_BLOCK_NAME_BYTES_MAX];
};

struct gk_manifest_page {
    uint32_t number; /* its own among all that ever were of this manifest */
    uint64_t bytes;  /* of the blob in it */
};

struct gk_manifest {
    bool paged;
    bool beside;
    struct gk_id id; /* when paged */
    uint32_t pages_count;
    struct gk_manifest_page *pages;    /* owned */
    uint32_t entries_count;            /* up to GK_MANIFEST_INLINE_MAX */
    struct gk_manifest_entry *entries; /* owned */
};

struct gk_blob_record {
    enum gk_blob_state state;
    struct gk_id object;
    uint8_t sealed_data_key[GK_SEALED_DATA_KEY_BYTES];
    struct gk_encryption encryption; /* of the data key */
    int64_t keyed_wall_ms;           /* when the data key was made; 0: before that was noted */
    uint64_t etag;
    int64_t created_wall_ms;
    int64_t modified_wall_ms;
    uint64_t size;
    uint32_t epoch; /* of the blocks staged for the next Put Block List */
    enum gk_tier tier;
    bool has_md5;
    uint8_t md5[16];
    struct gk_content_md5 odd_md5;     /* in its place, when a client has set something else */
    char *headers[GK_CONTENT_HEADERS]; /* owned, NULL when not set */
    struct gk_lease lease;
    struct gk_tier_times tier_times;
    struct gk_immutability immutability;
    struct gk_lifetime lifetime;
    struct gk_metadata tags; /* the blob's index tags, tags.h */
    struct gk_blob_kind kind;
    struct gk_page_eras eras; /* of a page blob */
    struct gk_history history;
    struct gk_copy copy;
    struct gk_incremental incremental;
    struct gk_loan loan;
    struct gk_manifest manifest;
};

enum gk_status gk_blob_record_decode(struct gk_span in, struct gk_blob_record *out,
                                     struct gk_error *error) GK_MUST_USE;
void gk_blob_record_encode(const struct gk_blob_record *record, struct gk_buf *out);
void gk_blob_record_cleanup(struct gk_blob_record *record);
/* What it tells as its content's MD5; empty when it has none. */
struct gk_span gk_blob_md5(const struct gk_blob_record *record);
void gk_blob_md5_clear(struct gk_blob_record *record);

/* *entries is owned by the caller, who frees it. */
enum gk_status gk_manifest_page_decode(struct gk_span in, struct gk_manifest_entry **entries,
                                       uint32_t *count, struct gk_error *error) GK_MUST_USE;
void gk_manifest_page_encode(const struct gk_manifest_entry *entries, uint32_t count,
                             struct gk_buf *out);

struct gk_staged {
    struct gk_id segment;
    uint64_t length;
};
enum gk_status gk_staged_decode(struct gk_span in, struct gk_staged *out,
                                struct gk_error *error) GK_MUST_USE;
void gk_staged_encode(const struct gk_staged *staged, struct gk_buf *out);

/* Never the same twice for one blob: time, and 20 random bits against a clock that stands still. */
uint64_t gk_etag_new(int64_t wall_ms);

#endif
