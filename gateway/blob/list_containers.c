/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List Containers (Storage REST reference). Container records have no sealed part: metadata is
 * listed while the customer's key is revoked, too, as documented.
 */
#include <stdio.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/conditions.h"
#include "gateway/blob/list.h"
#include "gateway/blob/list_merge.h"
#include "gateway/blob/list_page.h"
#include "gateway/blob/target.h"

#define KEY_KIND "c/"

enum { INCLUDE_METADATA = 1u };

static const struct gk_list_include known[] = {
    {"metadata", INCLUDE_METADATA}, {"deleted", 0}, {"system", 0}, {NULL, 0}};

static void write_properties(struct gk_list_page *page, const struct gk_container *container)
{
    struct gk_xml_writer *xml = &page->xml;
    char text[GK_TIME_TEXT_BYTES];
    gk_xml_open(xml, "Properties");
    gk_time_http(container->modified_wall_ms, text);
    gk_xml_text(xml, "Last-Modified", text);
    gk_etag_format(container->etag, text);
    gk_xml_text(xml, "Etag", text);
    gk_list_page_lease(page, &container->lease);
    if (container->acl.level != GK_PUBLIC_NONE) {
        gk_xml_text(xml, "PublicAccess", gk_public_access_names[container->acl.level]);
    }
    gk_xml_text(xml, "HasImmutabilityPolicy", "false");
    gk_xml_text(xml, "HasLegalHold", "false");
    gk_xml_close(xml);
}

static enum gk_status open_container(const struct gk_request *request, struct gk_span key,
                                     struct gk_span value, struct gk_container *container,
                                     struct gk_error *error)
{
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    const struct gk_place place = gk_container_place(request, key);
    enum gk_status status = gk_value_open(&place, value, &open, error);
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), container, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status show(struct gk_list_page *page, struct gk_span key, struct gk_span value,
                           struct gk_error *error)
{
    struct gk_container container;
    const enum gk_status status = open_container(page->request, key, value, &container, error);
    if (status != GK_OK) {
        return status;
    }
    char name[GK_CONTAINER_NAME_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)(key.len - strlen(KEY_KIND)),
             (const char *)key.data + strlen(KEY_KIND));
    gk_xml_open(&page->xml, "Container");
    gk_xml_text(&page->xml, "Name", name);
    write_properties(page, &container);
    if (page->include & INCLUDE_METADATA) {
        gk_list_page_metadata(page, &container.metadata);
    }
    gk_xml_close(&page->xml);
    gk_container_cleanup(&container);
    page->results++;
    return GK_OK;
}

static enum gk_status fill(struct gk_list_page *page, struct gk_error *error)
{
    const struct gk_request *request = page->request;
    const char *const objects[] = {request->account->object};
    const struct gk_list_maps maps = {.objects = objects, .count = 1};
    struct gk_list_merge merge;
    struct gk_span key;
    struct gk_span value;
    enum gk_status status =
        gk_list_merge_init(&merge, request->gateway->store, maps, gk_buf_span(&page->prefix),
                           gk_buf_span(&page->after), page->results_max, error);
    while (status == GK_OK && (status = gk_list_merge_next(&merge, &key, &value, error)) == GK_OK &&
           key.len > 0 && !gk_list_page_full(page)) {
        status = show(page, key, value, error);
        if (status != GK_OK) {
            break;
        }
        gk_list_page_pass(page, key);
    }
    gk_list_merge_cleanup(&merge);
    return status == GK_E_NOT_FOUND ? gk_refuse(error, 404, "ResourceNotFound") : status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct gk_list_page page;
    enum gk_status status =
        gk_list_page_init(&page, request, KEY_KIND, &request->account->id, known, error);
    if (status == GK_OK) {
        gk_list_page_begin(&page, NULL, NULL, "Containers");
        status = fill(&page, error);
        if (status == GK_OK) {
            status = gk_list_page_end(&page, request, error);
        }
    }
    gk_list_page_cleanup(&page);
    return status;
}

const struct gk_handler gk_list_containers_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_LIST, .finish = finish};
