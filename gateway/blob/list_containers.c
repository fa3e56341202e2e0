/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List Containers (Storage REST reference). Container records have no sealed part: metadata is
 * listed while the customer's key is revoked, too, as documented.
 *
 * With deleted ones two runs of rows go side by side, those that are there and those that are kept: of one
 * name, the latter come behind. Where a page ends is told by the key of the container that was shown last, with
 * 0x00 and its version behind it when it is a kept one.
 */
#include <stdio.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/conditions.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/list.h"
#include "gateway/blob/list_page.h"
#include "gateway/blob/list_run.h"
#include "gateway/blob/target.h"

#define KEY_KIND       "c/"
#define KEY_KIND_BYTES 2u

enum { INCLUDE_METADATA = 1u, INCLUDE_DELETED = 2u };

struct listing {
    struct gk_list_page page;
    struct gk_list_run named;
    struct gk_list_run kept; /* when they may be shown */
    struct gk_buf position;  /* of the row at hand, as pages end there */
};

static const struct gk_list_include known[] = {
    {"metadata", INCLUDE_METADATA}, {"deleted", INCLUDE_DELETED}, {"system", 0}, {NULL, 0}};

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
    gk_xml_text(xml, "DefaultEncryptionScope", gk_container_scope_name(&container->encryption));
    gk_xml_text(xml, "DenyEncryptionScopeOverride",
                container->encryption.deny_override ? "true" : "false");
    if (container->life.deleted_wall_ms != 0) {
        gk_list_page_deleted(page, container->life.deleted_wall_ms,
                             container->life.kept_until_wall_ms);
    }
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

static void write_container(struct gk_list_page *page, struct gk_span key,
                            const struct gk_container *container)
{
    const bool kept = container->life.deleted_wall_ms != 0;
    const struct gk_span name =
        kept ? gk_kept_container_key_name(key)
             : gk_span_of(key.data + KEY_KIND_BYTES, key.len - KEY_KIND_BYTES);
    char text[GK_CONTAINER_NAME_BYTES_MAX + 1];
    snprintf(text, sizeof text, "%.*s", (int)name.len, (const char *)name.data);
    gk_xml_open(&page->xml, "Container");
    gk_xml_text(&page->xml, "Name", text);
    if (kept) {
        gk_xml_text(&page->xml, "Deleted", "true");
        snprintf(text, sizeof text, "%016llX",
                 (unsigned long long)gk_kept_container_key_version(key));
        gk_xml_text(&page->xml, "Version", text);
    }
    write_properties(page, container);
    if (page->include & INCLUDE_METADATA) {
        gk_list_page_metadata(page, &container->metadata);
    }
    gk_xml_close(&page->xml);
    page->results++;
}

/* One whose time is over waits for the reaper, and is not shown. */
static enum gk_status show(struct gk_list_page *page, const struct gk_list_run *run,
                           struct gk_error *error)
{
    struct gk_container container;
    const enum gk_status status =
        open_container(page->request, run->key, run->value, &container, error);
    if (status != GK_OK) {
        return status;
    }
    if (container.life.deleted_wall_ms == 0 ||
        container.life.kept_until_wall_ms > gk_clock_wall_ms(&page->request->gateway->clock)) {
        write_container(page, run->key, &container);
    }
    gk_container_cleanup(&container);
    return GK_OK;
}

/* --- the runs -----------------------------------------------------------------------------------*/

static void put_position(struct listing *listing, struct gk_span key)
{
    gk_buf_reset(&listing->position);
    gk_buf_append_str(&listing->position, KEY_KIND);
    gk_buf_append(&listing->position, key.data + KEY_KIND_BYTES, key.len - KEY_KIND_BYTES);
}

/* The run whose row comes first; NULL after the last. Its position is the listing's. */
static struct gk_list_run *first_of(struct listing *listing)
{
    struct gk_list_run *named = &listing->named;
    struct gk_list_run *kept = &listing->kept;
    struct gk_list_run *first = named;
    if (named->key.len == 0 && kept->key.len == 0) {
        return NULL;
    }
    if (kept->key.len > 0) {
        put_position(listing, kept->key);
        if (named->key.len == 0 ||
            gk_span_compare(gk_buf_span(&listing->position), named->key) < 0) {
            first = kept;
        }
    }
    if (first == named) {
        put_position(listing, named->key);
    }
    return first;
}

static enum gk_status look(struct listing *listing, struct gk_error *error)
{
    enum gk_status status = gk_list_run_look(&listing->named, error);
    if (status == GK_OK) {
        status = gk_list_run_look(&listing->kept, error);
    }
    return status == GK_E_NOT_FOUND ? gk_refuse(error, 404, "ResourceNotFound") : status;
}

static enum gk_status fill(struct listing *listing, struct gk_error *error)
{
    struct gk_list_run *run;
    enum gk_status status;
    while ((status = look(listing, error)) == GK_OK && (run = first_of(listing)) != NULL &&
           !gk_list_page_full(&listing->page)) {
        status = show(&listing->page, run, error);
        if (status != GK_OK) {
            break;
        }
        run->at_hand = false;
        gk_list_page_pass(&listing->page, gk_buf_span(&listing->position));
    }
    return status;
}

/* Where a page ended, in the keys of the other kind; a kept container's has its version behind 0x00. */
static void begin_after(struct listing *listing)
{
    const struct gk_span after = gk_buf_span(&listing->page.after);
    const uint8_t *end = after.len == 0 ? NULL : memchr(after.data, 0, after.len);
    if (after.len < KEY_KIND_BYTES) {
        return;
    }
    gk_buf_append(&listing->named.after, after.data,
                  end == NULL ? after.len : (size_t)(end - after.data));
    gk_buf_append_str(&listing->kept.after, GK_KEPT_CONTAINER_KIND);
    gk_buf_append(&listing->kept.after, after.data + KEY_KIND_BYTES, after.len - KEY_KIND_BYTES);
}

static enum gk_status begin_run(const struct listing *listing, struct gk_list_run *run,
                                const char *kind, const struct gk_list_maps *maps,
                                struct gk_error *error)
{
    const struct gk_span prefix = gk_buf_span(&listing->page.prefix);
    gk_buf_append_str(&run->prefix, kind);
    gk_buf_append(&run->prefix, prefix.data + KEY_KIND_BYTES, prefix.len - KEY_KIND_BYTES);
    return gk_list_run_begin(run, listing->page.request->gateway->store, *maps,
                             listing->page.results_max, error);
}

static enum gk_status list(struct listing *listing, struct gk_error *error)
{
    const char *const objects[] = {listing->page.request->account->object};
    const struct gk_list_maps maps = {.objects = objects, .count = 1};
    begin_after(listing);
    enum gk_status status = begin_run(listing, &listing->named, KEY_KIND, &maps, error);
    if (status == GK_OK && (listing->page.include & INCLUDE_DELETED) != 0) {
        status = begin_run(listing, &listing->kept, GK_KEPT_CONTAINER_KIND, &maps, error);
    }
    if (status == GK_OK) {
        gk_list_page_begin(&listing->page, NULL, NULL, "Containers");
        status = fill(listing, error);
    }
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct listing listing = {.page = {.request = request}};
    gk_list_run_init(&listing.named);
    gk_list_run_init(&listing.kept);
    gk_buf_init(&listing.position, GK_MAP_KEY_BYTES_MAX);
    enum gk_status status =
        gk_list_page_init(&listing.page, request, KEY_KIND, &request->account->id, known, error);
    if (status == GK_OK) {
        status = list(&listing, error);
    }
    if (status == GK_OK) {
        status = gk_list_page_end(&listing.page, request, error);
    }
    gk_list_page_cleanup(&listing.page);
    gk_list_run_cleanup(&listing.named);
    gk_list_run_cleanup(&listing.kept);
    gk_buf_cleanup(&listing.position);
    return status;
}

const struct gk_handler gk_list_containers_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_LIST, .finish = finish};
