/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Find Blobs by Tags, of an account or of a container (Storage REST reference). There is no index of
 * tags: the records are read, container by container, and a page ends after RECORDS_MAX of them
 * at the latest, with a marker and as many results as there were, perhaps none. That is documented to
 * happen, and clients go on. The service key alone is needed.
 *
 * A page begins after a key: "b/<name>" of a container, "c/<container>" 0x00 "b/<name>" of an account.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/list_merge.h"
#include "gateway/blob/list_page.h"
#include "gateway/blob/tag_query.h"
#include "gateway/blob/tags.h"
#include "gateway/blob/target.h"

#define RECORDS_MAX       50000u /* of a page */
#define CONTAINER_RECORDS 100u   /* what a container costs, in records */
#define CONTAINER_KIND    "c/"
#define BLOB_KIND         "b/"
#define BLOB_LAST         "b/\xff" /* follows all keys of blobs */
#define KIND_BYTES        2u

static const struct gk_list_include no_includes[] = {{NULL, 0}};

struct search {
    struct gk_request *request;
    struct gk_tag_query query;
    struct gk_list_page page;
    uint32_t records; /* that were read for this page */
    bool of_account;
    struct gk_container container; /* the one at hand */
    char name[GK_CONTAINER_NAME_BYTES_MAX + 1];
    struct gk_buf after;    /* the key in it that was passed last, "" at its begin */
    struct gk_buf position; /* the same as a page's end has it */
    struct gk_buf text;
};

/* --- one container ------------------------------------------------------------------------------*/

/* Everything up to this key of the container at hand was looked at. */
static void pass(struct search *search, struct gk_span key)
{
    gk_buf_reset(&search->position);
    if (search->of_account) {
        gk_buf_append_str(&search->position, CONTAINER_KIND);
        gk_buf_append_str(&search->position, search->name);
        gk_buf_append_u8(&search->position, 0);
    }
    gk_buf_append(&search->position, key.data, key.len);
    gk_list_page_pass(&search->page, gk_buf_span(&search->position));
}

/* Asked with more to look at. */
static bool is_full(struct search *search)
{
    search->page.more = search->page.more || search->records >= RECORDS_MAX;
    return search->page.more || gk_list_page_full(&search->page);
}

static enum gk_status open_record(struct search *search, struct gk_span key, struct gk_span value,
                                  struct gk_blob_record *record, struct gk_error *error)
{
    const struct gk_place place =
        gk_index_place(search->request, &search->container.id, GK_VALUE_BLOB, key);
    gk_buf_reset(&search->text);
    const enum gk_status status = gk_value_open(&place, value, &search->text, error);
    return status == GK_OK ? gk_blob_record_decode(gk_buf_span(&search->text), record, error)
                           : status;
}

/* With those of its tags that the expression speaks of. */
static void show(struct search *search, struct gk_span key, const struct gk_metadata *tags)
{
    struct gk_xml_writer *xml = &search->page.xml;
    struct gk_span name;
    struct gk_span value;
    size_t at = 0;
    gk_buf_reset(&search->text);
    gk_buf_append(&search->text, key.data + KIND_BYTES, key.len - KIND_BYTES);
    gk_xml_open(xml, "Blob");
    gk_xml_name(xml, "Name", gk_buf_str(&search->text));
    gk_xml_text(xml, "ContainerName", search->name);
    gk_xml_open(xml, "Tags");
    gk_xml_open(xml, "TagSet");
    while (gk_metadata_next(tags, &at, &name, &value)) {
        if (gk_tag_query_names(&search->query, name)) {
            gk_tag_write(xml, name, value);
        }
    }
    gk_xml_close(xml);
    gk_xml_close(xml);
    gk_xml_close(xml);
    search->page.results++;
}

static enum gk_status look_at(struct search *search, struct gk_span key, struct gk_span value,
                              struct gk_error *error)
{
    struct gk_blob_record record = {0};
    const enum gk_status status = open_record(search, key, value, &record, error);
    if (status == GK_OK && record.state == GK_BLOB_COMMITTED &&
        record.history.deleted_wall_ms == 0 && record.tags.count > 0 &&
        !gk_blob_has_ended(search->request, &record) &&
        gk_tag_query_matches(&search->query, search->name, &record.tags)) {
        show(search, key, &record.tags);
    }
    if (status == GK_OK) {
        gk_blob_record_cleanup(&record);
        search->records++;
        pass(search, key);
    }
    return status;
}

static enum gk_status walk(struct search *search, struct gk_list_maps shards,
                           struct gk_error *error)
{
    struct gk_list_merge merge;
    struct gk_span key;
    struct gk_span value;
    enum gk_status status =
        gk_list_merge_init(&merge, search->request->gateway->store, shards, gk_span_str(BLOB_KIND),
                           gk_buf_span(&search->after), RECORDS_MAX, error);
    while (status == GK_OK && (status = gk_list_merge_next(&merge, &key, &value, error)) == GK_OK &&
           key.len > 0 && !is_full(search)) {
        status = look_at(search, key, value, error);
    }
    gk_list_merge_cleanup(&merge);
    return status;
}

static enum gk_status search_container(struct search *search, struct gk_error *error)
{
    const uint32_t shards = search->container.shards;
    char(*names)[GK_INDEX_NAME_BYTES] = calloc(shards, sizeof *names);
    const char **objects = calloc(shards, sizeof *objects);
    enum gk_status status =
        names == NULL || objects == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    for (uint32_t i = 0; i < shards && status == GK_OK; i++) {
        gk_index_name(&search->container.id, i, names[i]);
        objects[i] = names[i];
    }
    if (status == GK_OK) {
        const struct gk_list_maps maps = {.objects = objects, .count = shards};
        status = walk(search, maps, error);
    }
    free(objects);
    free(names);
    return status;
}

/* --- Find Blobs by Tags in Container ------------------------------------------------------------*/

static enum gk_status find_in_container(struct search *search, struct gk_error *error)
{
    struct gk_container_target target;
    enum gk_status status = gk_container_target_load(search->request, &target, error);
    if (status == GK_OK) {
        search->container.id = target.container.id;
        search->container.shards = target.container.shards;
        snprintf(search->name, sizeof search->name, "%s", search->request->container);
        status = gk_list_page_init(&search->page, search->request, BLOB_KIND, &target.container.id,
                                   no_includes, error);
    }
    gk_container_target_cleanup(&target);
    if (status == GK_OK) {
        gk_buf_append(&search->after, search->page.after.data, search->page.after.len);
        gk_list_page_begin_search(&search->page, gk_request_query(search->request, "where"));
        status = search_container(search, error);
    }
    return status == GK_E_NOT_FOUND ? gk_refuse(error, 404, "ContainerNotFound") : status;
}

/* --- Find Blobs by Tags -------------------------------------------------------------------------*/

struct row {
    struct gk_buf key;
    struct gk_buf value;
};

static bool take_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct row *row = ctx;
    gk_buf_append(&row->key, key.data, key.len);
    gk_buf_append(&row->value, value.data, value.len);
    return false;
}

/* The first container whose key is not less than from; its name is "" after the last. */
static enum gk_status next_container(struct search *search, struct gk_span from,
                                     struct gk_error *error)
{
    const struct gk_request *request = search->request;
    struct row row;
    gk_buf_init(&row.key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&row.value, GK_CONTAINER_RECORD_BYTES_MAX);
    const struct gk_map_range range = {
        .prefix = gk_span_str(CONTAINER_KIND), .after = from, .after_inclusive = true, .limit = 1};
    enum gk_status status =
        gk_store_map_walk(request->gateway->store, GK_POOL_META, request->account->object, &range,
                          take_row, &row, error);
    search->name[0] = '\0';
    if (status == GK_OK && row.key.len > 0) {
        const struct gk_place place = gk_container_place(request, gk_buf_span(&row.key));
        gk_buf_reset(&search->text);
        status = gk_value_open(&place, gk_buf_span(&row.value), &search->text, error);
        if (status == GK_OK) {
            gk_container_cleanup(&search->container);
            status = gk_container_decode(gk_buf_span(&search->text), &search->container, error);
        }
        snprintf(search->name, sizeof search->name, "%s", gk_buf_str(&row.key) + KIND_BYTES);
    }
    gk_buf_cleanup(&row.key);
    gk_buf_cleanup(&row.value);
    return status;
}

/* Where a page begins: the key of a container, and what was passed in it. */
static void split_after(struct search *search, struct gk_buf *from)
{
    const struct gk_span after = gk_buf_span(&search->page.after);
    const uint8_t *end = after.len == 0 ? NULL : memchr(after.data, 0, after.len);
    const size_t len = end == NULL ? after.len : (size_t)(end - after.data);
    gk_buf_append(from, after.data, len);
    if (end != NULL) {
        gk_buf_append(&search->after, end + 1, after.len - len - 1);
    }
}

/* One that was deleted meanwhile has nothing to be found. */
static enum gk_status search_next(struct search *search, struct gk_buf *from,
                                  struct gk_error *error)
{
    const bool same =
        from->len > KIND_BYTES && strcmp(gk_buf_str(from) + KIND_BYTES, search->name) == 0;
    if (!same) {
        gk_buf_reset(&search->after);
    }
    enum gk_status status = search_container(search, error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        status = GK_OK;
    }
    if (!search->page.more) {
        search->records += CONTAINER_RECORDS;
        pass(search, gk_span_str(BLOB_LAST));
    }
    gk_buf_reset(from);
    gk_buf_append_str(from, CONTAINER_KIND);
    gk_buf_append_str(from, search->name);
    gk_buf_append_u8(from, 0); /* the least key that is greater */
    return status;
}

static enum gk_status find_in_account(struct search *search, struct gk_error *error)
{
    struct gk_buf from;
    gk_buf_init(&from, GK_MAP_KEY_BYTES_MAX);
    enum gk_status status = gk_list_page_init(&search->page, search->request, CONTAINER_KIND,
                                              &search->request->account->id, no_includes, error);
    if (status == GK_OK) {
        split_after(search, &from);
        gk_list_page_begin_search(&search->page, gk_request_query(search->request, "where"));
        status = next_container(search, gk_buf_span(&from), error);
    }
    while (status == GK_OK && search->name[0] != '\0' && !is_full(search)) {
        status = search_next(search, &from, error);
        if (status == GK_OK && !search->page.more) {
            status = next_container(search, gk_buf_span(&from), error);
        }
    }
    gk_buf_cleanup(&from);
    return status == GK_E_NOT_FOUND ? gk_refuse(error, 404, "ResourceNotFound") : status;
}

/* --- the handler --------------------------------------------------------------------------------*/

/* The message is the service's own, which says where and why. */
static enum gk_status parse_where(const char *where, struct gk_tag_query *query,
                                  struct gk_error *error)
{
    static const char code[] = "InvalidQueryParameterValue";
    struct gk_tag_fault fault;
    if (gk_tag_query_parse(where, GK_TAG_SEARCH, query, &fault)) {
        return GK_OK;
    }
    return fault.at == 0
               ? gk_fail_http(error, GK_E_INVALID, 400, code, "Error parsing query: %s", fault.why)
               : gk_fail_http(error, GK_E_INVALID, 400, code,
                              "Error parsing query at or near character position %zu: %s", fault.at,
                              fault.why);
}

static enum gk_status find_blobs(struct gk_request *request, struct gk_error *error)
{
    const char *where = gk_request_query(request, "where");
    struct search search = {.request = request,
                            .of_account = request->operation == GK_OP_BLOB_FIND_BLOBS_BY_TAGS};
    if (where == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredQueryParameter", "where");
    }
    enum gk_status status = parse_where(where, &search.query, error);
    if (status != GK_OK) {
        gk_tag_query_cleanup(&search.query);
        return status;
    }
    gk_buf_init(&search.after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&search.position, GK_LIST_AFTER_BYTES_MAX);
    gk_buf_init(&search.text, GK_BLOB_RECORD_BYTES_MAX);
    status =
        search.of_account ? find_in_account(&search, error) : find_in_container(&search, error);
    if (status == GK_OK) {
        status = gk_list_page_end(&search.page, request, error);
    }
    gk_tag_query_cleanup(&search.query);
    gk_list_page_cleanup(&search.page);
    gk_container_cleanup(&search.container);
    gk_buf_cleanup(&search.after);
    gk_buf_cleanup(&search.position);
    gk_buf_cleanup(&search.text);
    return status;
}

const struct gk_handler gk_find_blobs_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_FILTER, .finish = find_blobs};
