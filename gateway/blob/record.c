/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/record.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "gateway/blob/fields.h"
#include "gateway/blob/names.h"

#define VERSION          1u
#define VERSION_SHARDS   2u /* of a container: with its shards */
#define VERSION_FIELDS   3u /* of a container: with fields */
#define VERSION_BLOB     2u /* of a blob: with fields */
#define MANIFEST_INLINE  0u
#define MANIFEST_PAGED   1u
#define MANIFEST_BESIDE  2u
#define MANIFEST_TAILED  3u
#define ETAG_RANDOM_BITS 20u

static enum gk_status not_well_formed(struct gk_error *error, const char *what)
{
    return gk_fail(error, GK_E_INTEGRITY, "the record of a %s is not well-formed", what);
}

uint64_t gk_etag_new(int64_t wall_ms)
{
    uint32_t random = 0;
    if (!gk_random(&random, sizeof random)) {
        random = (uint32_t)wall_ms;
    }
    return (uint64_t)wall_ms << ETAG_RANDOM_BITS | (random & ((1u << ETAG_RANDOM_BITS) - 1));
}

/* --- metadata -----------------------------------------------------------------------------------*/

void gk_metadata_init(struct gk_metadata *metadata)
{
    gk_buf_init(&metadata->bytes, GK_METADATA_BYTES_MAX + 4u * GK_METADATA_COUNT_MAX);
    metadata->count = 0;
}

void gk_metadata_cleanup(struct gk_metadata *metadata)
{
    gk_buf_cleanup_wipe(&metadata->bytes);
    metadata->count = 0;
}

void gk_metadata_add(struct gk_metadata *metadata, struct gk_span name, struct gk_span value)
{
    gk_append_text(&metadata->bytes, name);
    gk_append_text(&metadata->bytes, value);
    metadata->count++;
}

void gk_metadata_encode(const struct gk_metadata *metadata, struct gk_buf *out)
{
    gk_buf_append_u16(out, metadata->count);
    gk_buf_append(out, metadata->bytes.data, metadata->bytes.len);
}

enum gk_status gk_metadata_decode(struct gk_reader *in, struct gk_metadata *metadata,
                                  struct gk_error *error)
{
    gk_metadata_cleanup(metadata);
    gk_metadata_init(metadata);
    const uint16_t count = gk_read_u16(in);
    for (uint16_t i = 0; i < count && !in->failed; i++) {
        const struct gk_span name = gk_read_text(in);
        const struct gk_span value = gk_read_text(in);
        gk_metadata_add(metadata, name, value);
    }
    if (in->failed || gk_buf_status(&metadata->bytes) != GK_OK) {
        gk_metadata_cleanup(metadata);
        return not_well_formed(error, "blob's or container's metadata");
    }
    return GK_OK;
}

bool gk_metadata_next(const struct gk_metadata *metadata, size_t *at, struct gk_span *name,
                      struct gk_span *value)
{
    if (*at >= metadata->bytes.len) {
        return false;
    }
    struct gk_reader in =
        gk_reader_of(gk_span_of(metadata->bytes.data + *at, metadata->bytes.len - *at));
    *name = gk_read_text(&in);
    *value = gk_read_text(&in);
    *at = metadata->bytes.len - in.rest.len;
    return !in.failed;
}

/* --- fields that most records do not have -------------------------------------------------------*/

static bool tags_given(const void *value)
{
    const struct gk_metadata *tags = value;
    return tags->count > 0;
}

static void tags_encode(const void *value, struct gk_buf *out)
{
    gk_metadata_encode(value, out);
}

static enum gk_status tags_decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    return gk_metadata_decode(in, value, error);
}

static void tags_cleanup(void *value)
{
    gk_metadata_cleanup(value);
}

static const struct gk_field_kind tags_field = {
    .given = tags_given, .encode = tags_encode, .decode = tags_decode, .cleanup = tags_cleanup};

static bool keyed_given(const void *value)
{
    return *(const int64_t *)value != 0;
}

static void keyed_encode(const void *value, struct gk_buf *out)
{
    gk_buf_append_u64(out, (uint64_t) * (const int64_t *)value);
}

static enum gk_status keyed_decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    int64_t *keyed_wall_ms = value;
    *keyed_wall_ms = (int64_t)gk_read_u64(in);
    return *keyed_wall_ms > 0 ? GK_OK : not_well_formed(error, "blob");
}

static const struct gk_field_kind keyed_field = {
    .given = keyed_given, .encode = keyed_encode, .decode = keyed_decode};

static const struct gk_field blob_fields[] = {
    {GK_FIELD_LEASE, offsetof(struct gk_blob_record, lease), &gk_lease_field},
    {GK_FIELD_TIER_TIMES, offsetof(struct gk_blob_record, tier_times), &gk_tier_times_field},
    {GK_FIELD_IMMUTABILITY, offsetof(struct gk_blob_record, immutability), &gk_immutability_field},
    {GK_FIELD_LIFETIME, offsetof(struct gk_blob_record, lifetime), &gk_lifetime_field},
    {GK_FIELD_BLOB_KIND, offsetof(struct gk_blob_record, kind), &gk_blob_kind_field},
    {GK_FIELD_COPY, offsetof(struct gk_blob_record, copy), &gk_copy_field},
    {GK_FIELD_ENCRYPTION, offsetof(struct gk_blob_record, encryption), &gk_encryption_field},
    {GK_FIELD_PAGE_ERAS, offsetof(struct gk_blob_record, eras), &gk_page_eras_field},
    {GK_FIELD_INCREMENTAL, offsetof(struct gk_blob_record, incremental), &gk_incremental_field},
    {GK_FIELD_LOAN, offsetof(struct gk_blob_record, loan), &gk_loan_field},
    {GK_FIELD_COPY_UNFINISHED, offsetof(struct gk_blob_record, copy.unfinished),
     &gk_copy_unfinished_field},
    {GK_FIELD_TAGS, offsetof(struct gk_blob_record, tags), &tags_field},
    {GK_FIELD_CONTENT_MD5, offsetof(struct gk_blob_record, odd_md5), &gk_content_md5_field},
    {GK_FIELD_HISTORY, offsetof(struct gk_blob_record, history), &gk_history_field},
    {GK_FIELD_KEYED, offsetof(struct gk_blob_record, keyed_wall_ms), &keyed_field},
    {GK_FIELD_PAGE_LINEAGE, offsetof(struct gk_blob_record, kind.lineage), &gk_page_lineage_field},
};
#define BLOB_FIELDS (sizeof blob_fields / sizeof *blob_fields)

static const struct gk_field container_fields[] = {
    {GK_FIELD_LEASE, offsetof(struct gk_container, lease), &gk_lease_field},
    {GK_FIELD_ACL, offsetof(struct gk_container, acl), &gk_acl_field},
    {GK_FIELD_CONTAINER_LIFE, offsetof(struct gk_container, life), &gk_container_life_field},
    {GK_FIELD_CONTAINER_ENCRYPTION, offsetof(struct gk_container, encryption),
     &gk_container_encryption_field},
};
#define CONTAINER_FIELDS (sizeof container_fields / sizeof *container_fields)

/* --- containers ---------------------------------------------------------------------------------*/

enum gk_status gk_container_decode(struct gk_span in, struct gk_container *out,
                                   struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    const uint8_t version = gk_read_u8(&reader);
    gk_read_id(&reader, &out->id);
    out->etag = gk_read_u64(&reader);
    out->created_wall_ms = (int64_t)gk_read_u64(&reader);
    out->modified_wall_ms = (int64_t)gk_read_u64(&reader);
    out->shards = version == VERSION ? 1 : gk_read_u32(&reader);
    enum gk_status status = gk_metadata_decode(&reader, &out->metadata, error);
    if (status == GK_OK && version == VERSION_FIELDS) {
        status = gk_fields_decode(container_fields, CONTAINER_FIELDS, &reader, out, error);
    }
    const bool known = version >= VERSION && version <= VERSION_FIELDS;
    const bool sharded = out->shards > 0 && out->shards <= GK_INDEX_SHARDS_MAX;
    if (status == GK_OK && !(known && sharded && gk_read_done(&reader))) {
        status = not_well_formed(error, "container");
    }
    if (status != GK_OK) {
        gk_container_cleanup(out);
    }
    return status;
}

void gk_container_encode(const struct gk_container *container, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION_FIELDS);
    gk_append_id(out, &container->id);
    gk_buf_append_u64(out, container->etag);
    gk_buf_append_u64(out, (uint64_t)container->created_wall_ms);
    gk_buf_append_u64(out, (uint64_t)container->modified_wall_ms);
    gk_buf_append_u32(out, container->shards);
    gk_metadata_encode(&container->metadata, out);
    gk_fields_encode(container_fields, CONTAINER_FIELDS, container, out);
}

void gk_container_cleanup(struct gk_container *container)
{
    gk_metadata_cleanup(&container->metadata);
    gk_fields_cleanup(container_fields, CONTAINER_FIELDS, container);
}

/* --- manifests ----------------------------------------------------------------------------------*/

static void append_entries(struct gk_buf *out, const struct gk_manifest_entry *entries,
                           uint32_t count)
{
    gk_buf_append_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        gk_append_id(out, &entries[i].segment);
        gk_buf_append_u64(out, entries[i].length);
        gk_buf_append_u8(out, entries[i].lent);
        gk_buf_append_u8(out, (uint8_t)entries[i].name_len);
        gk_buf_append(out, entries[i].name, entries[i].name_len);
    }
}

static enum gk_status read_entries(struct gk_reader *in, uint32_t max,
                                   struct gk_manifest_entry **entries, uint32_t *count,
                                   struct gk_error *error)
{
    *entries = NULL;
    *count = gk_read_u32(in);
    if (in->failed || *count > max) {
        *count = 0;
        return not_well_formed(error, "blob's manifest");
    }
    if (*count == 0) {
        return GK_OK;
    }
    *entries = calloc(*count, sizeof **entries);
    if (*entries == NULL) {
        *count = 0;
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (uint32_t i = 0; i < *count; i++) {
        struct gk_manifest_entry *entry = &(*entries)[i];
        gk_read_id(in, &entry->segment);
        entry->length = gk_read_u64(in);
        const uint8_t lent = gk_read_u8(in);
        const struct gk_span name = gk_read_span(in, gk_read_u8(in));
        if (in->failed || lent > 1 || name.len > sizeof entry->name) {
            free(*entries);
            *entries = NULL;
            *count = 0;
            return not_well_formed(error, "blob's manifest");
        }
        entry->lent = lent != 0;
        entry->name_len = (uint16_t)name.len;
        if (name.len > 0) {
            memcpy(entry->name, name.data, name.len);
        }
    }
    return GK_OK;
}

enum gk_status gk_manifest_page_decode(struct gk_span in, struct gk_manifest_entry **entries,
                                       uint32_t *count, struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    const uint8_t version = gk_read_u8(&reader);
    const enum gk_status status =
        read_entries(&reader, GK_MANIFEST_PAGE_ENTRIES, entries, count, error);
    if (status == GK_OK && (version != VERSION || !gk_read_done(&reader))) {
        free(*entries);
        *entries = NULL;
        *count = 0;
        return not_well_formed(error, "blob's manifest");
    }
    return status;
}

void gk_manifest_page_encode(const struct gk_manifest_entry *entries, uint32_t count,
                             struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    append_entries(out, entries, count);
}

static void append_manifest(struct gk_buf *out, const struct gk_manifest *manifest)
{
    if (manifest->beside) {
        gk_buf_append_u8(out, MANIFEST_BESIDE);
        gk_append_id(out, &manifest->entries[0].segment);
        gk_buf_append_u64(out, manifest->entries[0].length);
        return;
    }
    gk_buf_append_u8(out, manifest->paged ? MANIFEST_TAILED : MANIFEST_INLINE);
    if (manifest->paged) {
        gk_append_id(out, &manifest->id);
        gk_buf_append_u32(out, manifest->pages_count);
        for (uint32_t i = 0; i < manifest->pages_count; i++) {
            gk_buf_append_u32(out, manifest->pages[i].number);
            gk_buf_append_u64(out, manifest->pages[i].bytes);
        }
    }
    append_entries(out, manifest->entries, manifest->entries_count);
}

static enum gk_status read_beside(struct gk_reader *in, struct gk_manifest *manifest,
                                  struct gk_error *error)
{
    struct gk_manifest_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    manifest->beside = true;
    manifest->entries = entry;
    manifest->entries_count = 1;
    gk_read_id(in, &entry->segment);
    entry->length = gk_read_u64(in);
    return in->failed || entry->length == 0 || entry->length > GK_CHUNK_PLAIN_BYTES
               ? not_well_formed(error, "blob's manifest")
               : GK_OK;
}

static enum gk_status read_pages(struct gk_reader *in, bool numbered, struct gk_manifest *manifest,
                                 struct gk_error *error)
{
    manifest->paged = true;
    gk_read_id(in, &manifest->id);
    const uint32_t count = gk_read_u32(in);
    if (in->failed || count == 0 || count > GK_MANIFEST_PAGES_MAX) {
        return not_well_formed(error, "blob's manifest");
    }
    manifest->pages = calloc(count, sizeof *manifest->pages);
    if (manifest->pages == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    manifest->pages_count = count;
    for (uint32_t i = 0; i < count; i++) {
        manifest->pages[i].number = numbered ? gk_read_u32(in) : i;
        manifest->pages[i].bytes = gk_read_u64(in);
    }
    return GK_OK;
}

static enum gk_status read_manifest(struct gk_reader *in, struct gk_manifest *manifest,
                                    struct gk_error *error)
{
    const uint8_t kind = gk_read_u8(in);
    if (kind == MANIFEST_BESIDE) {
        return read_beside(in, manifest, error);
    }
    if (kind == MANIFEST_INLINE) {
        return read_entries(in, GK_MANIFEST_INLINE_MAX, &manifest->entries,
                            &manifest->entries_count, error);
    }
    if (kind != MANIFEST_PAGED && kind != MANIFEST_TAILED) {
        return not_well_formed(error, "blob's manifest");
    }
    const enum gk_status status = read_pages(in, kind == MANIFEST_TAILED, manifest, error);
    return status == GK_OK && kind == MANIFEST_TAILED
               ? read_entries(in, GK_MANIFEST_INLINE_MAX, &manifest->entries,
                              &manifest->entries_count, error)
               : status;
}

/* --- blobs --------------------------------------------------------------------------------------*/

void gk_blob_record_encode(const struct gk_blob_record *record, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION_BLOB);
    gk_buf_append_u8(out, (uint8_t)record->state);
    gk_append_id(out, &record->object);
    gk_buf_append(out, record->sealed_data_key, sizeof record->sealed_data_key);
    gk_buf_append_u64(out, record->etag);
    gk_buf_append_u64(out, (uint64_t)record->created_wall_ms);
    gk_buf_append_u64(out, (uint64_t)record->modified_wall_ms);
    gk_buf_append_u64(out, record->size);
    gk_buf_append_u32(out, record->epoch);
    gk_buf_append_u8(out, (uint8_t)record->tier);
    gk_buf_append_u8(out, record->has_md5);
    gk_buf_append(out, record->md5, sizeof record->md5);
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        gk_append_text(out, gk_span_str(record->headers[i] == NULL ? "" : record->headers[i]));
    }
    gk_fields_encode(blob_fields, BLOB_FIELDS, record, out);
    append_manifest(out, &record->manifest);
}

static enum gk_status read_headers(struct gk_reader *in, struct gk_blob_record *out,
                                   struct gk_error *error)
{
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        const struct gk_span text = gk_read_text(in);
        if (text.len == 0) {
            continue;
        }
        out->headers[i] = strndup((const char *)text.data, text.len);
        if (out->headers[i] == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
    }
    return GK_OK;
}

static bool lends_by_a_loan(const struct gk_blob_record *record)
{
    for (uint32_t i = 0; i < record->manifest.entries_count; i++) {
        if (record->manifest.entries[i].lent && !gk_loan_field.given(&record->loan)) {
            return false;
        }
    }
    return true;
}

static enum gk_status read_blob(struct gk_reader *in, struct gk_blob_record *out,
                                struct gk_error *error)
{
    const uint8_t version = gk_read_u8(in);
    const uint8_t state = gk_read_u8(in);
    gk_read_id(in, &out->object);
    const struct gk_span key = gk_read_span(in, sizeof out->sealed_data_key);
    if (in->failed || (version != VERSION && version != VERSION_BLOB) ||
        state < GK_BLOB_COMMITTED || state > GK_BLOB_GONE) {
        return not_well_formed(error, "blob");
    }
    out->state = (enum gk_blob_state)state;
    memcpy(out->sealed_data_key, key.data, key.len);
    out->etag = gk_read_u64(in);
    out->created_wall_ms = (int64_t)gk_read_u64(in);
    out->modified_wall_ms = (int64_t)gk_read_u64(in);
    out->size = gk_read_u64(in);
    out->epoch = gk_read_u32(in);
    const uint8_t tier = gk_read_u8(in);
    out->has_md5 = gk_read_u8(in) != 0;
    const struct gk_span md5 = gk_read_span(in, sizeof out->md5);
    if (in->failed || tier >= GK_TIERS) {
        return not_well_formed(error, "blob");
    }
    out->tier = (enum gk_tier)tier;
    memcpy(out->md5, md5.data, md5.len);
    enum gk_status status = read_headers(in, out, error);
    if (status == GK_OK && version == VERSION_BLOB) {
        status = gk_fields_decode(blob_fields, BLOB_FIELDS, in, out, error);
    }
    if (status == GK_OK) {
        status = read_manifest(in, &out->manifest, error);
    }
    if (status == GK_OK && !(gk_read_done(in) && lends_by_a_loan(out))) {
        status = not_well_formed(error, "blob");
    }
    return status;
}

struct gk_span gk_blob_md5(const struct gk_blob_record *record)
{
    return record->has_md5 ? gk_span_of(record->md5, sizeof record->md5)
                           : gk_span_of(record->odd_md5.bytes, record->odd_md5.len);
}

void gk_blob_md5_clear(struct gk_blob_record *record)
{
    record->has_md5 = false;
    record->odd_md5.len = 0;
}

enum gk_status gk_blob_record_decode(struct gk_span in, struct gk_blob_record *out,
                                     struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    const enum gk_status status = read_blob(&reader, out, error);
    if (status != GK_OK) {
        gk_blob_record_cleanup(out);
    }
    return status;
}

void gk_blob_record_cleanup(struct gk_blob_record *record)
{
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        free(record->headers[i]);
    }
    free(record->manifest.pages);
    free(record->manifest.entries);
    gk_fields_cleanup(blob_fields, BLOB_FIELDS, record);
    memset(record, 0, sizeof *record);
}

/* --- staged blocks ------------------------------------------------------------------------------*/

void gk_staged_encode(const struct gk_staged *staged, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    gk_append_id(out, &staged->segment);
    gk_buf_append_u64(out, staged->length);
}

enum gk_status gk_staged_decode(struct gk_span in, struct gk_staged *out, struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    const uint8_t version = gk_read_u8(&reader);
    gk_read_id(&reader, &out->segment);
    out->length = gk_read_u64(&reader);
    return version == VERSION && gk_read_done(&reader) ? GK_OK
                                                       : not_well_formed(error, "staged block");
}
