/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List Blobs (Storage REST reference), flat and by hierarchy. A listing without metadata needs the
 * service key alone and goes on while the customer's key is revoked; with metadata each blob's data
 * key is opened. With a delimiter the members of a prefix are passed over, not read: the cost is that
 * of the results, times the shards of the container's index.
 *
 * With snapshots two runs of rows go side by side, bases and states: a blob's states, the oldest first,
 * stand before their base. Where a page ends is told by the key of the base that was shown last, or, in the
 * middle of a blob, by that of its base with 0x00 and the state's time behind it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/lease_headers.h"
#include "gateway/blob/list.h"
#include "gateway/blob/list_page.h"
#include "gateway/blob/list_run.h"
#include "gateway/blob/states.h"
#include "gateway/blob/tags.h"
#include "gateway/blob/target.h"

#define KEY_KIND       "b/"
#define KEY_KIND_BYTES 2u
#define KEY_LAST       0xffu /* follows all that UTF-8 can go on with */

enum {
    INCLUDE_UNCOMMITTED = 1u,
    INCLUDE_SNAPSHOTS = 2u,
    INCLUDE_TAGS = 4u,
    INCLUDE_POLICY = 8u,
    INCLUDE_LEGAL_HOLD = 16u,
    INCLUDE_DELETED = 32u,
    INCLUDE_VERSIONS = 64u,
    INCLUDE_COPY = 128u,
    INCLUDE_VERSIONS_ONLY = 256u
};

/* Whether metadata is shown, the operation tells: that is what the plugin has authorized. */
static const struct gk_list_include known[] = {{"metadata", 0},
                                               {"uncommittedblobs", INCLUDE_UNCOMMITTED},
                                               {"snapshots", INCLUDE_SNAPSHOTS},
                                               {"versions", INCLUDE_VERSIONS},
                                               {"deleted", INCLUDE_DELETED},
                                               {"deletedwithversions", INCLUDE_VERSIONS_ONLY},
                                               {"tags", INCLUDE_TAGS},
                                               {"copy", INCLUDE_COPY},
                                               {"immutabilitypolicy", INCLUDE_POLICY},
                                               {"legalhold", INCLUDE_LEGAL_HOLD},
                                               {"permissions", 0},
                                               {NULL, 0}};

struct listing {
    struct gk_request *request;
    const char *delimiter; /* NULL for none */
    struct gk_list_page page;
    uint32_t shards;
    struct gk_list_run bases;
    struct gk_list_run states;  /* when states may be shown */
    struct gk_blob_target blob; /* the one at hand, base or state */
    bool versions_only;         /* it is the latest version of a blob that has nothing else */
    struct gk_buf position;     /* of it, as pages end there */
    struct gk_buf text;         /* a name or a record, for a moment */
};

/* --- what is there ------------------------------------------------------------------------------ */

/* Past all names up to this one. */
static void skip(struct gk_list_run *run, struct gk_span name)
{
    struct gk_buf key;
    if (!run->open) {
        return;
    }
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&key, run->prefix.data, KEY_KIND_BYTES);
    gk_buf_append(&key, name.data, name.len);
    /* A row that is at hand may stand behind them. */
    if (!(run->at_hand && gk_span_compare(run->key, gk_buf_span(&key)) > 0)) {
        gk_list_merge_skip(&run->merge, gk_buf_span(&key));
        run->at_hand = false;
    }
    gk_buf_cleanup(&key);
}

static struct gk_span name_of(struct gk_span key)
{
    return gk_is_state_key(key) ? gk_state_key_name(key)
                                : gk_span_of(key.data + KEY_KIND_BYTES, key.len - KEY_KIND_BYTES);
}

/* The run whose row comes first. */
static struct gk_list_run *first_of(struct listing *listing)
{
    struct gk_list_run *bases = &listing->bases;
    struct gk_list_run *states = &listing->states;
    const bool state =
        states->key.len > 0 &&
        (bases->key.len == 0 || gk_span_compare(name_of(states->key), name_of(bases->key)) <= 0);
    return state ? states : bases;
}

/* Position and record of the run's row. */
static enum gk_status open_row(struct listing *listing, const struct gk_list_run *run,
                               struct gk_error *error)
{
    struct gk_blob_target *blob = &listing->blob;
    gk_buf_reset(&blob->key);
    gk_buf_append(&blob->key, run->key.data, run->key.len);
    gk_buf_reset(&blob->stored);
    gk_buf_append(&blob->stored, run->value.data, run->value.len);
    gk_buf_reset(&listing->position);
    gk_buf_append_str(&listing->position, KEY_KIND);
    gk_buf_append(&listing->position, run->key.data + KEY_KIND_BYTES,
                  run->key.len - KEY_KIND_BYTES);
    if (gk_buf_status(&blob->key) != GK_OK || gk_buf_status(&blob->stored) != GK_OK) {
        return gk_fail(error, GK_E_INTEGRITY, "a blob's record is too long");
    }
    return gk_blob_target_open(listing->request, blob, error);
}

static bool is_shown(const struct listing *listing)
{
    if (listing->versions_only) {
        return true;
    }
    const struct gk_blob_record *record = &listing->blob.record;
    const unsigned include = listing->page.include;
    if (record->history.kind == GK_STATE_LENT ||
        (record->history.deleted_wall_ms != 0 && (include & INCLUDE_DELETED) == 0)) {
        return false;
    }
    if (listing->blob.ended) {
        return false;
    }
    if (record->history.kind == GK_STATE_SNAPSHOT) {
        return (include & INCLUDE_SNAPSHOTS) != 0;
    }
    if (record->history.kind == GK_STATE_VERSION) {
        return (include & INCLUDE_VERSIONS) != 0;
    }
    return record->state == GK_BLOB_COMMITTED ||
           (record->state == GK_BLOB_UNCOMMITTED && (include & INCLUDE_UNCOMMITTED) != 0);
}

/* The latest of some states that is a version, into latest. */
static void take_version(struct gk_states *states, struct gk_blob_target *latest)
{
    for (size_t i = 0; i < states->count; i++) {
        if (states->items[i].record.history.kind == GK_STATE_VERSION) {
            gk_blob_target_cleanup(latest);
            *latest = states->items[i];
            states->items[i] = (struct gk_blob_target){.exists = false};
        }
    }
}

/* There is no blob any more: what is shown of it, if it has versions, is the latest of them. */
static enum gk_status look_for_version(struct listing *listing, struct gk_error *error)
{
    struct gk_blob_target *base = &listing->blob;
    struct gk_blob_target latest = {.exists = false};
    uint64_t after = 0;
    bool more = true;
    enum gk_status status = GK_OK;
    base->shard = gk_index_shard(name_of(gk_buf_span(&base->key)), listing->shards);
    gk_index_name(&base->container, base->shard, base->index);
    while (status == GK_OK && more) {
        struct gk_states states;
        status = gk_states_read(listing->request, base, after, &states, error);
        more = states.more;
        after = states.count > 0 ? states.items[states.count - 1].time : after;
        take_version(&states, &latest);
        gk_states_cleanup(&states);
    }
    listing->versions_only = latest.stored.len > 0;
    if (listing->versions_only) {
        gk_blob_target_cleanup(base);
        *base = latest;
    }
    return status;
}

/* The next blob or state that is to be shown, or to be shown by its prefix; *name is empty after the
 * last. */
static enum gk_status next_blob(struct listing *listing, struct gk_span *name,
                                struct gk_error *error)
{
    *name = (struct gk_span){0};
    for (;;) {
        enum gk_status status = gk_list_run_look(&listing->bases, error);
        if (status == GK_OK) {
            status = gk_list_run_look(&listing->states, error);
        }
        if (status == GK_E_NOT_FOUND) {
            return gk_refuse(error, 404, "ContainerNotFound");
        }
        struct gk_list_run *run = first_of(listing);
        *name = (struct gk_span){0};
        if (status != GK_OK || run->key.len == 0) {
            return status;
        }
        status = open_row(listing, run, error);
        run->at_hand = false;
        listing->versions_only = false;
        if (status == GK_OK && listing->blob.record.state == GK_BLOB_GONE &&
            (listing->page.include & INCLUDE_VERSIONS_ONLY) != 0) {
            status = look_for_version(listing, error);
        }
        *name = name_of(gk_buf_span(&listing->blob.key));
        if (status != GK_OK || is_shown(listing)) {
            return status;
        }
        gk_list_page_pass(&listing->page, gk_buf_span(&listing->position));
    }
}

/* --- what is shown ------------------------------------------------------------------------------ */

static void write_content(struct gk_xml_writer *xml, const struct gk_blob_record *record)
{
    struct gk_buf md5;
    gk_buf_init(&md5, 2 * GK_CONTENT_MD5_BYTES_MAX);
    gk_base64_encode(&md5, gk_blob_md5(record));
    gk_xml_u64(xml, "Content-Length", record->size);
    gk_xml_text(xml, "Content-Type", record->headers[GK_CONTENT_TYPE]);
    gk_xml_text(xml, "Content-Encoding", record->headers[GK_CONTENT_ENCODING]);
    gk_xml_text(xml, "Content-Language", record->headers[GK_CONTENT_LANGUAGE]);
    gk_xml_text(xml, "Content-MD5", gk_buf_str(&md5));
    gk_xml_text(xml, "Cache-Control", record->headers[GK_CACHE_CONTROL]);
    gk_xml_text(xml, "Content-Disposition", record->headers[GK_CONTENT_DISPOSITION]);
    gk_buf_cleanup(&md5);
}

/* In a listing of blobs, unlike everywhere else, an entity tag stands without its quotes. */
static void write_etag(struct gk_xml_writer *xml, uint64_t etag)
{
    char text[GK_ETAG_TEXT_BYTES];
    gk_etag_format(etag, text);
    text[strlen(text) - 1] = '\0';
    gk_xml_text(xml, "Etag", text + 1);
}

static void write_tier(struct gk_list_page *page, const struct gk_blob_record *record)
{
    struct gk_xml_writer *xml = &page->xml;
    const struct gk_tier_view view = gk_tier_view_of(
        record->tier, &record->tier_times, gk_clock_wall_ms(&page->request->gateway->clock));
    gk_xml_text(xml, "AccessTier", view.name);
    if (view.inferred) {
        gk_xml_text(xml, "AccessTierInferred", "true");
    }
    if (view.changed_wall_ms != 0) {
        char time[GK_TIME_TEXT_BYTES];
        gk_time_http(view.changed_wall_ms, time);
        gk_xml_text(xml, "AccessTierChangeTime", time);
    }
    if (view.archive_status != NULL) {
        gk_xml_text(xml, "ArchiveStatus", view.archive_status);
        gk_xml_text(xml, "RehydratePriority", view.priority);
    }
}

/* Append blobs and page blobs have no tier. */
static void write_type(struct gk_list_page *page, const struct gk_blob_record *record)
{
    gk_xml_text(&page->xml, "BlobType", gk_blob_type_names[record->kind.type]);
    if (record->kind.sealed) {
        gk_xml_text(&page->xml, "Sealed", "true");
    }
    if (record->kind.type == GK_BLOB_PAGE) {
        gk_xml_u64(&page->xml, "x-ms-blob-sequence-number", record->kind.sequence);
    }
    if (record->kind.type == GK_BLOB_BLOCK) {
        write_tier(page, record);
    }
}

static void write_immutability(struct gk_list_page *page,
                               const struct gk_immutability *immutability)
{
    if ((page->include & INCLUDE_POLICY) != 0 && immutability->mode != GK_POLICY_NONE) {
        char until[GK_TIME_TEXT_BYTES];
        gk_time_http(immutability->until_wall_ms, until);
        gk_xml_text(&page->xml, "ImmutabilityPolicyUntilDate", until);
        gk_xml_text(&page->xml, "ImmutabilityPolicyMode", gk_policy_mode_names[immutability->mode]);
    }
    if ((page->include & INCLUDE_LEGAL_HOLD) != 0 && immutability->legal_hold) {
        gk_xml_text(&page->xml, "LegalHold", "true");
    }
}

static void write_copy(struct gk_list_page *page, const struct gk_copy *copy)
{
    char text[GK_UUID_TEXT_BYTES + GK_TIME_TEXT_BYTES];
    if ((page->include & INCLUDE_COPY) == 0 || copy->source == NULL) {
        return;
    }
    gk_id_format(&copy->id, text);
    gk_xml_text(&page->xml, "CopyId", text);
    gk_xml_text(&page->xml, "CopyStatus", gk_copy_status_text(copy));
    gk_xml_text(&page->xml, "CopySource", copy->source);
    snprintf(text, sizeof text, "%llu/%llu", (unsigned long long)gk_copy_done_bytes(copy),
             (unsigned long long)copy->bytes);
    gk_xml_text(&page->xml, "CopyProgress", text);
    if (copy->completed_wall_ms != 0) {
        gk_time_http(copy->completed_wall_ms, text);
        gk_xml_text(&page->xml, "CopyCompletionTime", text);
    }
    if (copy->unfinished.description[0] != '\0') {
        gk_xml_text(&page->xml, "CopyStatusDescription", copy->unfinished.description);
    }
}

/* That a blob is one, whatever the listing includes; which snapshot came last, with what else is of copies. */
static void write_incremental(struct gk_list_page *page, const struct gk_incremental *incremental)
{
    char snapshot[GK_STATE_TIME_TEXT_BYTES];
    if (!gk_incremental_given(incremental)) {
        return;
    }
    gk_xml_text(&page->xml, "IncrementalCopy", "true");
    if ((page->include & INCLUDE_COPY) != 0) {
        gk_state_time_format(incremental->snapshot, snapshot);
        gk_xml_text(&page->xml, "DestinationSnapshot", snapshot);
    }
}

static void write_encryption(struct gk_xml_writer *xml, const struct gk_encryption *encryption)
{
    struct gk_buf hash;
    gk_buf_init(&hash, 2 * GK_CLIENT_KEY_HASH_BYTES);
    if (encryption->kind == GK_ENCRYPTION_CLIENT_KEY) {
        gk_base64_encode(&hash, gk_span_of(encryption->client_key_hash, GK_CLIENT_KEY_HASH_BYTES));
        gk_xml_text(xml, "CustomerProvidedKeySha256", gk_buf_str(&hash));
    } else if (encryption->kind == GK_ENCRYPTION_SCOPE) {
        gk_xml_text(xml, "EncryptionScope", encryption->scope);
    }
    gk_buf_cleanup(&hash);
}

static void write_properties(struct gk_list_page *page, const struct gk_blob_record *record)
{
    struct gk_xml_writer *xml = &page->xml;
    char time[GK_TIME_TEXT_BYTES];
    gk_xml_open(xml, "Properties");
    gk_time_http(record->created_wall_ms, time);
    gk_xml_text(xml, "Creation-Time", time);
    gk_time_http(record->modified_wall_ms, time);
    gk_xml_text(xml, "Last-Modified", time);
    write_etag(xml, record->etag);
    write_content(xml, record);
    write_type(page, record);
    gk_list_page_lease(page, &record->lease);
    write_copy(page, &record->copy);
    write_incremental(page, &record->incremental);
    write_immutability(page, &record->immutability);
    gk_xml_text(xml, "ServerEncrypted", "true");
    write_encryption(xml, &record->encryption);
    if (record->lifetime.ends_wall_ms != 0) {
        gk_time_http(record->lifetime.ends_wall_ms, time);
        gk_xml_text(xml, "Expiry-Time", time);
    }
    if (record->tags.count > 0) {
        gk_xml_u64(xml, "TagCount", record->tags.count);
    }
    if (record->history.deleted_wall_ms != 0) {
        gk_list_page_deleted(page, record->history.deleted_wall_ms,
                             record->history.kept_until_wall_ms);
    }
    gk_xml_close(xml);
}

/* Whether the blob's metadata are under a key that is not at hand: a client's, or that of a scope which is
 * dark or disabled. The others are listed all the same. */
static enum gk_status is_dark(struct listing *listing, bool *dark, struct gk_error *error)
{
    const enum gk_status status = gk_blob_use_scope(listing->request, &listing->blob, error);
    const bool refused =
        status != GK_OK && (error->http_status == 403 || error->http_status == 503);
    *dark = refused || listing->blob.record.encryption.kind == GK_ENCRYPTION_CLIENT_KEY;
    if (refused) {
        gk_error_clear(error);
    }
    return refused ? GK_OK : status;
}

static enum gk_status write_metadata(struct listing *listing, struct gk_error *error)
{
    struct gk_data_key *data_key = NULL;
    bool dark = false;
    enum gk_status status = is_dark(listing, &dark, error);
    if (status == GK_OK && dark) { /* as documented of a client's key */
        gk_xml_open(&listing->page.xml, "Metadata");
        gk_xml_attribute(&listing->page.xml, "Encrypted", "true");
        gk_xml_close(&listing->page.xml);
        return GK_OK;
    }
    struct gk_metadata metadata;
    gk_metadata_init(&metadata);
    if (status == GK_OK) {
        status = gk_blob_open_data_key(listing->request, &listing->blob, &data_key, error);
    }
    if (status == GK_OK) {
        status = gk_blob_metadata(listing->request, &listing->blob, data_key, &metadata, error);
    }
    if (status == GK_OK) {
        gk_list_page_metadata(&listing->page, &metadata);
    }
    gk_metadata_cleanup(&metadata);
    listing->request->gateway->host->plugin->data_key_free(data_key);
    return status;
}

static void write_name(struct listing *listing, struct gk_span name)
{
    gk_buf_reset(&listing->text);
    gk_buf_append(&listing->text, name.data, name.len);
    gk_xml_name(&listing->page.xml, "Name", gk_buf_str(&listing->text));
}

/* Which state of the blob it is. */
static void write_state(struct listing *listing)
{
    struct gk_xml_writer *xml = &listing->page.xml;
    const struct gk_blob_target *blob = &listing->blob;
    char time[GK_STATE_TIME_TEXT_BYTES];
    if (listing->versions_only) {
        gk_xml_text(xml, "Deleted", "true");
        gk_xml_text(xml, "HasVersionsOnly", "true");
        return;
    }
    if (blob->record.history.kind == GK_STATE_SNAPSHOT) {
        gk_state_time_format(gk_state_key_time(gk_buf_span(&blob->key)), time);
        gk_xml_text(xml, "Snapshot", time);
    }
    if (blob->record.history.version != 0) {
        gk_state_time_format(blob->record.history.version, time);
        gk_xml_text(xml, "VersionId", time);
        if (blob->record.history.kind == GK_STATE_BASE) {
            gk_xml_text(xml, "IsCurrentVersion", "true");
        }
    }
    if (blob->record.history.deleted_wall_ms != 0) {
        gk_xml_text(xml, "Deleted", "true");
    }
}

static enum gk_status show_blob(struct listing *listing, struct gk_span name,
                                struct gk_error *error)
{
    struct gk_xml_writer *xml = &listing->page.xml;
    enum gk_status status = GK_OK;
    gk_xml_open(xml, "Blob");
    write_name(listing, name);
    write_state(listing);
    write_properties(&listing->page, &listing->blob.record);
    if (listing->request->operation == GK_OP_BLOB_LIST_BLOBS_WITH_METADATA) {
        status = write_metadata(listing, error);
    }
    if ((listing->page.include & INCLUDE_TAGS) != 0 && listing->blob.record.tags.count > 0) {
        gk_xml_open(xml, "Tags");
        gk_tags_write(xml, &listing->blob.record.tags);
        gk_xml_close(xml);
    }
    gk_xml_text(xml, "OrMetadata", NULL);
    gk_xml_close(xml);
    gk_list_page_pass(&listing->page, gk_buf_span(&listing->position));
    return status;
}

static void show_prefix(struct listing *listing, struct gk_span prefix)
{
    gk_xml_open(&listing->page.xml, "BlobPrefix");
    write_name(listing, prefix);
    gk_xml_close(&listing->page.xml);
    gk_buf_reset(&listing->text);
    gk_buf_append_str(&listing->text, KEY_KIND);
    gk_buf_append(&listing->text, prefix.data, prefix.len);
    gk_buf_append_u8(&listing->text, KEY_LAST);
    const struct gk_span end = gk_buf_span(&listing->text);
    gk_list_page_pass(&listing->page, end);
    skip(&listing->bases, name_of(end));
    skip(&listing->states, name_of(end));
}

/* The part of name up to the first delimiter after the prefix that was asked for, with it; 0 when
 * there is none. */
static size_t prefix_length(const struct listing *listing, struct gk_span name)
{
    const size_t from = listing->page.prefix.len - strlen(KEY_KIND);
    if (listing->delimiter == NULL || listing->delimiter[0] == '\0') {
        return 0;
    }
    const size_t len = strlen(listing->delimiter);
    const uint8_t *found = memmem(name.data + from, name.len - from, listing->delimiter, len);
    return found == NULL ? 0 : (size_t)(found - name.data) + len;
}

static enum gk_status fill(struct listing *listing, struct gk_error *error)
{
    struct gk_span name;
    enum gk_status status;
    while ((status = next_blob(listing, &name, error)) == GK_OK && name.len > 0 &&
           !gk_list_page_full(&listing->page)) {
        const size_t prefix_len = prefix_length(listing, name);
        if (prefix_len > 0) {
            show_prefix(listing, gk_span_of(name.data, prefix_len));
        } else if ((status = show_blob(listing, name, error)) != GK_OK) {
            break;
        }
        listing->page.results++;
    }
    return status;
}

/* --- the handler -------------------------------------------------------------------------------- */

static enum gk_status check_permissions(const struct listing *listing, struct gk_error *error)
{
    return (listing->page.include & INCLUDE_TAGS) != 0 &&
                   (listing->request->permissions & GK_PERMIT_TAGS) == 0
               ? gk_refuse(error, 403, "AuthorizationPermissionMismatch")
               : GK_OK;
}

/* Where the runs begin: behind the base where a page ended, or behind a state of it. Names have no byte
 * below 0x20 and none of 0xff, so that what is written here stands between them. */
static void begin_after(struct listing *listing)
{
    const struct gk_span after = gk_buf_span(&listing->page.after);
    struct gk_buf *bases = &listing->bases.after;
    struct gk_buf *states = &listing->states.after;
    if (after.len <= KEY_KIND_BYTES) {
        return;
    }
    gk_buf_append_str(states, GK_STATE_KIND);
    gk_buf_append(states, after.data + KEY_KIND_BYTES, after.len - KEY_KIND_BYTES);
    const uint8_t *time = memchr(after.data, 0, after.len);
    if (time == NULL) {
        gk_buf_append(bases, after.data, after.len);
        gk_buf_append_u8(states, 1); /* its states were shown before it */
    } else {                         /* its base comes yet */
        const size_t last = (size_t)(time - after.data) - 1;
        gk_buf_append(bases, after.data, last);
        gk_buf_append_u8(bases, (uint8_t)(after.data[last] - 1));
        gk_buf_append_u8(bases, KEY_LAST);
    }
}

static enum gk_status begin_run(struct listing *listing, struct gk_list_run *run, const char *kind,
                                struct gk_list_maps shards, struct gk_error *error)
{
    const struct gk_span prefix = gk_buf_span(&listing->page.prefix);
    const bool skips = listing->delimiter != NULL && listing->delimiter[0] != '\0';
    gk_buf_append_str(&run->prefix, kind);
    gk_buf_append(&run->prefix, prefix.data + KEY_KIND_BYTES, prefix.len - KEY_KIND_BYTES);
    return gk_list_run_begin(run, listing->request->gateway->store, shards,
                             skips ? 0 : listing->page.results_max, error);
}

static enum gk_status list_merged(struct listing *listing, struct gk_list_maps shards,
                                  struct gk_error *error)
{
    begin_after(listing);
    enum gk_status status = begin_run(listing, &listing->bases, KEY_KIND, shards, error);
    if (status == GK_OK && (listing->page.include & (INCLUDE_SNAPSHOTS | INCLUDE_VERSIONS)) != 0) {
        status = begin_run(listing, &listing->states, GK_STATE_KIND, shards, error);
    }
    if (status == GK_OK) {
        gk_list_page_begin(&listing->page, listing->request->container, listing->delimiter,
                           "Blobs");
        status = fill(listing, error);
    }
    return status == GK_OK ? gk_list_page_end(&listing->page, listing->request, error) : status;
}

static enum gk_status list(struct listing *listing, struct gk_error *error)
{
    const uint32_t shards = listing->shards;
    char(*names)[GK_INDEX_NAME_BYTES] = calloc(shards, sizeof *names);
    const char **objects = calloc(shards, sizeof *objects);
    enum gk_status status =
        names == NULL || objects == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    for (uint32_t i = 0; i < shards && status == GK_OK; i++) {
        gk_index_name(&listing->blob.container, i, names[i]);
        objects[i] = names[i];
    }
    if (status == GK_OK) {
        const struct gk_list_maps maps = {.objects = objects, .count = shards};
        status = list_merged(listing, maps, error);
    }
    free(objects);
    free(names);
    return status;
}

static enum gk_status find_container(struct listing *listing, struct gk_error *error)
{
    struct gk_container_target container;
    enum gk_status status = gk_container_target_load(listing->request, &container, error);
    if (status == GK_OK) {
        status = gk_lease_check(listing->request, &container.container.lease, GK_ACCESS_READ,
                                GK_LEASE_OF_CONTAINER, error);
    }
    listing->blob.container = container.container.id;
    listing->shards = container.container.shards;
    gk_container_target_cleanup(&container);
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct listing listing = {.request = request,
                              .delimiter = gk_request_query(request, "delimiter")};
    gk_buf_init(&listing.blob.key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&listing.blob.stored, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&listing.text, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&listing.position, GK_MAP_KEY_BYTES_MAX);
    gk_list_run_init(&listing.bases);
    gk_list_run_init(&listing.states);
    enum gk_status status = find_container(&listing, error);
    if (status == GK_OK) {
        status = gk_list_page_init(&listing.page, request, KEY_KIND, &listing.blob.container, known,
                                   error);
    }
    if (status == GK_OK) {
        status = check_permissions(&listing, error);
    }
    if (status == GK_OK) {
        status = list(&listing, error);
    }
    gk_list_page_cleanup(&listing.page);
    gk_blob_target_cleanup(&listing.blob);
    gk_buf_cleanup(&listing.text);
    gk_buf_cleanup(&listing.position);
    gk_list_run_cleanup(&listing.bases);
    gk_list_run_cleanup(&listing.states);
    return status;
}

const struct gk_handler gk_list_blobs_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_LIST, .finish = finish};
