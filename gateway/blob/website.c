/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of an account's static website ("Static website hosting in Azure Storage"): the blobs of $web,
 * with the index document of a directory and the error document as the account's settings name them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/names.h"

/* The blob that a path stands for; the caller frees it. */
static char *page_of(const struct gk_website *site, const char *path)
{
    const size_t len = strlen(path);
    const bool directory = len == 0 || path[len - 1] == '/';
    const bool by_default = directory && site->index_document[0] == '\0';
    const size_t size = len + GK_WEBSITE_PATH_BYTES;
    char *page = malloc(size);
    if (page != NULL) {
        snprintf(page, size, "%s%s", by_default ? "" : path,
                 by_default  ? site->default_index
                 : directory ? site->index_document
                             : "");
    }
    return page;
}

/* As Get Blob and Get Blob Properties. Documents may be named with a slash in front. */
static enum gk_status show(struct gk_request *request, const char *page, struct gk_error *error)
{
    request->blob = page + strspn(page, "/");
    if (request->blob[0] == '\0') {
        return gk_refuse(error, 404, "WebContentNotFound");
    }
    return request->operation == GK_OP_BLOB_GET_BLOB
               ? gk_get_blob_handler.finish(request, error)
               : gk_get_blob_properties_handler.finish(request, error);
}

/* Whole, whatever part or version of the page was asked for. */
static enum gk_status show_error_document(struct gk_request *request, const char *page,
                                          struct gk_error *error)
{
    gk_error_clear(error);
    request->not_found = true;
    request->exchange->headers_count = 0;
    request->headers_count = 0;
    return show(request, page, error);
}

static bool is_missing(enum gk_status status, const struct gk_error *error)
{
    return status != GK_OK && error->http_status == 404;
}

static enum gk_status website(struct gk_request *request, struct gk_error *error)
{
    const struct gk_website *site = &request->account->blob_service.website;
    char *page = page_of(site, request->blob);
    if (page == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = show(request, page, error);
    if (is_missing(status, error) && site->error_document[0] != '\0') {
        status = show_error_document(request, site->error_document, error);
    }
    if (is_missing(status, error)) {
        status = gk_refuse(error, 404, "WebContentNotFound");
    }
    request->blob = "";
    free(page);
    return status;
}

const struct gk_handler gk_website_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = website};
