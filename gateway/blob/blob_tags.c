/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get Blob Tags and Set Blob Tags (Storage REST reference). Tags are no part of the blob's version: its
 * ETag and its time stay. They need the service key alone.
 */
#include "common/error.h"
#include "gateway/blob/blob_change.h"
#include "gateway/blob/body.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/tags.h"

#define BODY_BYTES_MAX 65536u /* ten tags, however they are escaped */

/* --- Get Blob Tags ------------------------------------------------------------------------------*/

static enum gk_status write_tags(const struct gk_metadata *tags, struct gk_buf *out,
                                 struct gk_error *error)
{
    struct gk_xml_writer xml;
    gk_xml_writer_init(&xml, out);
    gk_xml_open(&xml, "Tags");
    gk_tags_write(&xml, tags);
    gk_xml_close(&xml);
    return gk_xml_writer_finish(&xml, error);
}

static enum gk_status get_tags(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    struct gk_buf answer;
    gk_buf_init(&answer, BODY_BYTES_MAX);
    enum gk_status status = gk_blob_target_load_existing(request, &target, error);
    if (status == GK_OK) {
        status = gk_blob_conditions(request, &target, GK_ACCESS_READ, error);
    }
    if (status == GK_OK) {
        status = write_tags(&target.record.tags, &answer, error);
    }
    if (status == GK_OK) {
        status = gk_respond_buf(request, 200, "application/xml", &answer);
    }
    gk_buf_cleanup(&answer);
    gk_blob_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_get_blob_tags_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_TAGS, .finish = get_tags};

/* --- Set Blob Tags ------------------------------------------------------------------------------*/

static enum gk_status change_tags(struct gk_request *request, struct gk_blob_target *target,
                                  struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    (void)ctx;
    enum gk_status status = gk_blob_conditions_but_lease(request, target, GK_ACCESS_WRITE, error);
    if (status == GK_OK) { /* what may not be changed is the blob, not what it is found by */
        status = gk_blob_lease_check(request, target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK) {
        status = gk_tags_from_xml(gk_buf_span(&request->body), &target->record.tags, error);
    }
    return status == GK_OK ? gk_blob_write_open_part(write, request, target, &target->record, error)
                           : status;
}

static enum gk_status check_body(struct gk_request *request, struct gk_error *error)
{
    struct gk_body_sums sums;
    const enum gk_status status = gk_body_sums_read(request, false, &sums, error);
    return status == GK_OK ? gk_body_sums_check_bytes(&sums, gk_buf_span(&request->body), error)
                           : status;
}

static enum gk_status set_tags(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target = {.exists = false};
    enum gk_status status = check_body(request, error);
    if (status == GK_OK) {
        status = gk_blob_change(request, &target, change_tags, NULL, error);
    }
    gk_blob_target_cleanup(&target);
    return status == GK_OK ? gk_respond(request, 204) : status;
}

const struct gk_handler gk_set_blob_tags_handler = {.body = GK_BODY_BUFFERED,
                                                    .body_max = BODY_BYTES_MAX,
                                                    .permissions = GK_PERMIT_TAGS,
                                                    .finish = set_tags};
