/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/conditions.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/error.h"

void gk_etag_format(uint64_t etag, char out[GK_ETAG_TEXT_BYTES])
{
    snprintf(out, GK_ETAG_TEXT_BYTES, "\"0x%016" PRIX64 "\"", etag);
}

/* One of the tags in a list; quotes may be missing, as clients of the vendor send it. */
static bool tag_matches(const char *list, const char *etag)
{
    const size_t bare_len = strlen(etag) - 2;
    while (*list != '\0') {
        while (isspace((unsigned char)*list) || *list == ',') {
            list++;
        }
        size_t len = strcspn(list, ",");
        const char *next = list + len;
        while (len > 0 && isspace((unsigned char)list[len - 1])) {
            len--;
        }
        if (len >= 2 && list[0] == '"' && list[len - 1] == '"') {
            list++;
            len -= 2;
        }
        if ((len == 1 && *list == '*') ||
            (len == bare_len && strncmp(list, etag + 1, bare_len) == 0)) {
            return true;
        }
        list = next;
    }
    return false;
}

/* Whether the resource was changed after the header's time; in whole seconds, for that is what
 * Last-Modified told. */
static enum gk_status modified_since(const char *value, const struct gk_current *current,
                                     bool *modified, struct gk_error *error)
{
    int64_t since_ms = 0;
    if (!gk_time_http_parse(value, &since_ms)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue", "Not an HTTP date: %.80s",
                                 value);
    }
    *modified = current->exists && current->modified_wall_ms / 1000 > since_ms / 1000;
    return GK_OK;
}

static enum gk_status not_met(struct gk_error *error)
{
    return gk_refuse(error, 412, "ConditionNotMet");
}

static enum gk_status check_match(const struct gk_request *request,
                                  const struct gk_current *current, const char *etag,
                                  struct gk_error *error)
{
    const char *if_match = gk_request_header(request, "If-Match");
    if (if_match != NULL) {
        return current->exists && tag_matches(if_match, etag) ? GK_OK : not_met(error);
    }
    const char *unmodified = gk_request_header(request, "If-Unmodified-Since");
    if (unmodified == NULL) {
        return GK_OK;
    }
    bool modified = false;
    const enum gk_status status = modified_since(unmodified, current, &modified, error);
    return status == GK_OK && modified ? not_met(error) : status;
}

/* Only what gives a blob its content can ask for "If-None-Match: *", that there be none yet. The service
 * that this follows takes no notice of it elsewhere. */
static bool makes_content(enum gk_operation operation)
{
    static const enum gk_operation operations[] = {
        GK_OP_BLOB_PUT_BLOB_BLOCKBLOB,  GK_OP_BLOB_PUT_BLOB_PAGEBLOB,
        GK_OP_BLOB_PUT_BLOB_APPENDBLOB, GK_OP_BLOB_PUT_BLOCK_LIST,
        GK_OP_BLOB_PUT_BLOB_FROM_URL,   GK_OP_BLOB_COPY_BLOB,
        GK_OP_BLOB_COPY_BLOB_FROM_URL,  GK_OP_BLOB_INCREMENTAL_COPY_BLOB};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (operations[i] == operation) {
            return true;
        }
    }
    return false;
}

static enum gk_status check_none_match(const struct gk_request *request, enum gk_access access,
                                       const struct gk_current *current, const char *etag,
                                       struct gk_error *error)
{
    const char *none_match = gk_request_header(request, "If-None-Match");
    const char *since = gk_request_header(request, "If-Modified-Since");
    const bool any = none_match != NULL && strcmp(none_match, "*") == 0;
    bool unchanged = false;
    if (any && access == GK_ACCESS_READ) {
        return gk_refuse(error, 400, "UnsatisfiableCondition");
    }
    if (any && !makes_content(request->operation)) {
        return GK_OK;
    }
    if (none_match != NULL) {
        unchanged = current->exists && tag_matches(none_match, etag);
    } else if (since != NULL) {
        bool modified = false;
        const enum gk_status status = modified_since(since, current, &modified, error);
        if (status != GK_OK) {
            return status;
        }
        unchanged = current->exists && !modified;
    }
    if (!unchanged) {
        return GK_OK;
    }
    if (access == GK_ACCESS_READ) {
        return gk_refuse(error, 304, "ConditionNotMet");
    }
    return any ? gk_refuse(error, 409, "BlobAlreadyExists") : not_met(error);
}

enum gk_status gk_conditions_check(const struct gk_request *request, enum gk_access access,
                                   const struct gk_current *current, struct gk_error *error)
{
    char etag[GK_ETAG_TEXT_BYTES];
    gk_etag_format(current->etag, etag);
    return gk_conditions_check_text(request, access, current, etag, error);
}

enum gk_status gk_conditions_check_text(const struct gk_request *request, enum gk_access access,
                                        const struct gk_current *current, const char *etag,
                                        struct gk_error *error)
{
    const size_t len = strlen(etag);
    const bool strong = len >= 2 && etag[0] == '"' && etag[len - 1] == '"';
    if (!strong && (gk_request_header(request, "If-Match") != NULL ||
                    gk_request_header(request, "If-None-Match") != NULL)) {
        return not_met(error);
    }
    const enum gk_status status = check_match(request, current, etag, error);
    return status == GK_OK ? check_none_match(request, access, current, etag, error) : status;
}

bool gk_conditions_given(const struct gk_request *request)
{
    static const char *const names[] = {"If-Match",          "If-None-Match",
                                        "If-Modified-Since", "If-Unmodified-Since",
                                        "x-ms-if-tags",      "x-ms-lease-id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (gk_request_header(request, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}
