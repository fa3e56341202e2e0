/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List Blobs (Storage REST reference), flat and by hierarchy. A listing without metadata needs the
 * service key alone and goes on while the customer's key is revoked; with metadata each blob's data
 * key is opened. With a delimiter the members of a prefix are passed over, not read: the cost is that
 * of the results, times the shards of the container's index.
 */
#include <stdlib.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/list.h"
#include "gateway/blob/list_merge.h"
#include "gateway/blob/list_page.h"
#include "gateway/blob/target.h"

#define KEY_KIND "b/"
#define KEY_LAST 0xffu /* follows all that UTF-8 can go on with */

enum { INCLUDE_UNCOMMITTED = 1u, INCLUDE_SNAPSHOTS = 2u };

/* Whether metadata is shown, the operation tells: that is what the plugin has authorized. */
static const struct gk_list_include known[] = {{"metadata", 0},
                                               {"uncommittedblobs", INCLUDE_UNCOMMITTED},
                                               {"snapshots", INCLUDE_SNAPSHOTS},
                                               {"versions", 0},
                                               {"deleted", 0},
                                               {"deletedwithversions", 0},
                                               {"tags", 0},
                                               {"copy", 0},
                                               {"immutabilitypolicy", 0},
                                               {"legalhold", 0},
                                               {"permissions", 0},
                                               {NULL, 0}};

struct listing {
    struct gk_request *request;
    const char *delimiter; /* NULL for none */
    struct gk_list_page page;
    uint32_t shards;
    struct gk_list_merge merge;
    struct gk_blob_target blob; /* the one at hand */
    struct gk_buf text;         /* a name or a record, for a moment */
};

/* --- what is there ------------------------------------------------------------------------------ */

static enum gk_status open_record(struct listing *listing, struct gk_span key, struct gk_span value,
                                  struct gk_error *error)
{
    struct gk_blob_target *blob = &listing->blob;
    gk_blob_record_cleanup(&blob->record);
    gk_buf_reset(&blob->key);
    gk_buf_append(&blob->key, key.data, key.len);
    gk_buf_reset(&blob->stored);
    gk_buf_append(&blob->stored, value.data, value.len);
    if (gk_buf_status(&blob->key) != GK_OK || gk_buf_status(&blob->stored) != GK_OK) {
        return gk_fail(error, GK_E_INTEGRITY, "a blob's record is too long");
    }
    gk_buf_reset(&listing->text);
    const struct gk_place place = gk_blob_place(listing->request, blob);
    const enum gk_status status = gk_value_open(&place, value, &listing->text, error);
    return status == GK_OK
               ? gk_blob_record_decode(gk_buf_span(&listing->text), &blob->record, error)
               : status;
}

/* The next blob that is to be shown, or to be shown by its prefix; an empty key after the last. */
static enum gk_status next_blob(struct listing *listing, struct gk_span *key,
                                struct gk_error *error)
{
    const bool uncommitted = (listing->page.include & INCLUDE_UNCOMMITTED) != 0;
    struct gk_span value;
    enum gk_status status;
    while ((status = gk_list_merge_next(&listing->merge, key, &value, error)) == GK_OK &&
           key->len > 0) {
        status = open_record(listing, *key, value, error);
        if (status != GK_OK || uncommitted || listing->blob.record.state == GK_BLOB_COMMITTED) {
            break;
        }
        gk_list_page_pass(&listing->page, *key);
    }
    return status == GK_E_NOT_FOUND ? gk_refuse(error, 404, "ContainerNotFound") : status;
}

/* --- what is shown ------------------------------------------------------------------------------ */

static void write_content(struct gk_xml_writer *xml, const struct gk_blob_record *record)
{
    const char *type = record->headers[GK_CONTENT_TYPE];
    struct gk_buf md5;
    gk_buf_init(&md5, 64);
    if (record->has_md5) {
        gk_base64_encode(&md5, gk_span_of(record->md5, sizeof record->md5));
    }
    gk_xml_u64(xml, "Content-Length", record->size);
    gk_xml_text(xml, "Content-Type", type == NULL ? "application/octet-stream" : type);
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

static void write_properties(struct gk_xml_writer *xml, const struct gk_blob_record *record)
{
    char time[GK_TIME_TEXT_BYTES];
    gk_xml_open(xml, "Properties");
    gk_time_http(record->created_wall_ms, time);
    gk_xml_text(xml, "Creation-Time", time);
    gk_time_http(record->modified_wall_ms, time);
    gk_xml_text(xml, "Last-Modified", time);
    write_etag(xml, record->etag);
    write_content(xml, record);
    gk_xml_text(xml, "BlobType", "BlockBlob");
    gk_xml_text(xml, "AccessTier", gk_tier_names[record->tier]);
    if (record->tier == GK_TIER_INFERRED) {
        gk_xml_text(xml, "AccessTierInferred", "true");
    }
    gk_xml_text(xml, "LeaseStatus", "unlocked");
    gk_xml_text(xml, "LeaseState", "available");
    gk_xml_text(xml, "ServerEncrypted", "true");
    gk_xml_close(xml);
}

static enum gk_status write_metadata(struct listing *listing, struct gk_error *error)
{
    struct gk_data_key *data_key = NULL;
    struct gk_metadata metadata;
    gk_metadata_init(&metadata);
    enum gk_status status =
        gk_blob_open_data_key(listing->request, &listing->blob, &data_key, error);
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

static enum gk_status show_blob(struct listing *listing, struct gk_span key, struct gk_span name,
                                struct gk_error *error)
{
    struct gk_xml_writer *xml = &listing->page.xml;
    enum gk_status status = GK_OK;
    gk_xml_open(xml, "Blob");
    write_name(listing, name);
    write_properties(xml, &listing->blob.record);
    if (listing->request->operation == GK_OP_BLOB_LIST_BLOBS_WITH_METADATA) {
        status = write_metadata(listing, error);
    }
    gk_xml_text(xml, "OrMetadata", NULL);
    gk_xml_close(xml);
    gk_list_page_pass(&listing->page, key);
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
    gk_list_page_pass(&listing->page, gk_buf_span(&listing->text));
    gk_list_merge_skip(&listing->merge, gk_buf_span(&listing->text));
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
    struct gk_span key;
    enum gk_status status;
    while ((status = next_blob(listing, &key, error)) == GK_OK && key.len > 0 &&
           !gk_list_page_full(&listing->page)) {
        const struct gk_span name =
            gk_span_of(key.data + strlen(KEY_KIND), key.len - strlen(KEY_KIND));
        const size_t prefix_len = prefix_length(listing, name);
        if (prefix_len > 0) {
            show_prefix(listing, gk_span_of(name.data, prefix_len));
        } else if ((status = show_blob(listing, key, name, error)) != GK_OK) {
            break;
        }
        listing->page.results++;
    }
    return status;
}

/* --- the handler -------------------------------------------------------------------------------- */

/* Documented to be refused, not ignored. */
static enum gk_status check_hierarchy(const struct listing *listing, struct gk_error *error)
{
    return listing->delimiter != NULL && (listing->page.include & INCLUDE_SNAPSHOTS) != 0
               ? gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                   "Snapshots are not listed by hierarchy.")
               : GK_OK;
}

static enum gk_status list_merged(struct listing *listing, struct gk_list_maps shards,
                                  struct gk_error *error)
{
    struct gk_request *request = listing->request;
    const bool skips = listing->delimiter != NULL && listing->delimiter[0] != '\0';
    enum gk_status status = gk_list_merge_init(
        &listing->merge, request->gateway->store, shards, gk_buf_span(&listing->page.prefix),
        gk_buf_span(&listing->page.after), skips ? 0 : listing->page.results_max, error);
    if (status == GK_OK) {
        gk_list_page_begin(&listing->page, request->container, listing->delimiter, "Blobs");
        status = fill(listing, error);
    }
    gk_list_merge_cleanup(&listing->merge);
    return status == GK_OK ? gk_list_page_end(&listing->page, request, error) : status;
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
    const enum gk_status status = gk_container_target_load(listing->request, &container, error);
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
    enum gk_status status = find_container(&listing, error);
    if (status == GK_OK) {
        status = gk_list_page_init(&listing.page, request, KEY_KIND, &listing.blob.container, known,
                                   error);
    }
    if (status == GK_OK) {
        status = check_hierarchy(&listing, error);
    }
    if (status == GK_OK) {
        status = list(&listing, error);
    }
    gk_list_page_cleanup(&listing.page);
    gk_blob_target_cleanup(&listing.blob);
    gk_buf_cleanup(&listing.text);
    return status;
}

const struct gk_handler gk_list_blobs_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_LIST, .finish = finish};
