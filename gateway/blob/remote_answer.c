/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/remote_answer.h"

#include <ctype.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/conditions.h"

#define CODE_BYTES_MAX 64u

/* How a request to store the same calls it (gk_content_headers_read). */
static const struct {
    const char *from;
    const char *to;
} content_names[] = {
    {"Content-Type", "x-ms-blob-content-type"},
    {"Content-Encoding", "x-ms-blob-content-encoding"},
    {"Content-Language", "x-ms-blob-content-language"},
    {"Content-Disposition", "x-ms-blob-content-disposition"},
    {"Cache-Control", "x-ms-blob-cache-control"},
    {"Content-MD5", "x-ms-blob-content-md5"},
};

static const char *name_of(const char *name, bool whole)
{
    for (size_t i = 0; i < sizeof content_names / sizeof *content_names; i++) {
        const bool md5 = strcmp(content_names[i].from, "Content-MD5") == 0;
        if (strcasecmp(name, content_names[i].from) == 0 && (whole || !md5)) {
            return content_names[i].to; /* the MD5 of a part is not the blob's */
        }
    }
    return name;
}

enum gk_status gk_remote_answer_init(struct gk_remote_answer *answer,
                                     const struct gk_request *around, unsigned status,
                                     const struct gk_pair *headers, size_t count,
                                     struct gk_error *error)
{
    struct gk_pair renamed[GK_HTTP_HEADERS_MAX];
    for (size_t i = 0; i < count; i++) {
        renamed[i] = (struct gk_pair){.name = name_of(headers[i].name, status == 200),
                                      .value = headers[i].value};
    }
    struct gk_request *told = &answer->told;
    answer->status = status;
    told->exchange = gk_http_part_new(around->exchange, "GET", "/", renamed, count);
    if (told->exchange == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    told->headers = told->exchange->headers;
    told->headers_count = told->exchange->headers_count;
    return GK_OK;
}

void gk_remote_answer_cleanup(struct gk_remote_answer *answer)
{
    gk_http_part_free(answer->told.exchange);
    *answer = (struct gk_remote_answer){.status = 0};
}

const char *gk_remote_answer_code(const struct gk_remote_answer *answer)
{
    const char *code = gk_request_header(&answer->told, "x-ms-error-code");
    size_t len = 0;
    while (code != NULL && isalnum((unsigned char)code[len])) {
        len++;
    }
    return code != NULL && len <= CODE_BYTES_MAX && code[len] == '\0' ? code : "";
}

/* --- refusals -----------------------------------------------------------------------------------*/

static enum gk_status unusable(struct gk_error *error, const char *why)
{
    return gk_refuse_because(error, 500, "CannotVerifyCopySource", "%s", why);
}

/* A refusal of the source's is one of the copy; that of a redirect, which would come again, too. */
static enum gk_status check_status(const struct gk_remote_answer *answer, bool part,
                                   struct gk_error *error)
{
    const unsigned status = answer->status;
    switch (status) {
    case 200:
        return !part ? GK_OK : unusable(error, "The source does not serve parts.");
    case 206:
        return part ? GK_OK : unusable(error, "The source serves a part that was not asked for.");
    case 304:
    case 412:
        return gk_refuse(error, 412, "SourceConditionNotMet");
    case 401:
        return gk_refuse_because(error, 403, "CannotVerifyCopySource",
                                 "The source wants a credential.");
    case 416:
        return gk_refuse(error, 416, "InvalidRange");
    default:
        break;
    }
    if (status >= 300 && status < 400) {
        return gk_refuse_because(error, 403, "CannotVerifyCopySource",
                                 "The source redirects, which is not followed.");
    }
    return gk_refuse_because(error, status >= 400 && status < 500 ? (uint16_t)status : 500,
                             "CannotVerifyCopySource", "The source answered %u %s.", status,
                             gk_remote_answer_code(answer));
}

/* --- how much -----------------------------------------------------------------------------------*/

/* "bytes first-last/size", of which all is told. */
static bool parse_content_range(const char *value, struct gk_range *range, uint64_t *size)
{
    static const char unit[] = "bytes ";
    if (value == NULL || strncasecmp(value, unit, sizeof unit - 1) != 0) {
        return false;
    }
    const char *first = value + sizeof unit - 1;
    const char *dash = strchr(first, '-');
    const char *slash = dash == NULL ? NULL : strchr(dash, '/');
    uint64_t last = 0;
    if (slash == NULL ||
        !gk_parse_u64(gk_span_of(first, (size_t)(dash - first)), INT64_MAX, &range->from) ||
        !gk_parse_u64(gk_span_of(dash + 1, (size_t)(slash - dash - 1)), INT64_MAX, &last) ||
        !gk_parse_u64(gk_span_str(slash + 1), INT64_MAX, size) || last < range->from ||
        last >= *size) {
        return false;
    }
    range->partial = true;
    range->length = last - range->from + 1;
    return true;
}

/* The body's length is told before it comes, and of a part that it is the one that was asked for. */
static enum gk_status read_range(const struct gk_remote_answer *answer,
                                 const struct gk_request *own, uint64_t *size,
                                 struct gk_range *range, struct gk_error *error)
{
    const struct gk_request *told = &answer->told;
    uint64_t length = 0;
    bool given = false;
    if (gk_request_header(told, "Transfer-Encoding") != NULL ||
        gk_header_u64(told, "Content-Length", &length, &given, NULL) != GK_OK || !given) {
        return unusable(error, "The source does not tell its length.");
    }
    *size = length;
    *range = (struct gk_range){.length = length};
    if (answer->status == 200) {
        return GK_OK;
    }
    struct gk_range asked;
    if (!parse_content_range(gk_request_header(told, "Content-Range"), range, size) ||
        range->length != length || gk_range_read(own, *size, &asked, NULL) != GK_OK ||
        asked.from != range->from || asked.length != range->length) {
        return unusable(error, "The source serves another part than it was asked for.");
    }
    return GK_OK;
}

/* --- what it is ---------------------------------------------------------------------------------*/

static enum gk_status read_kind(const struct gk_remote_answer *answer, struct gk_blob_kind *kind,
                                struct gk_error *error)
{
    const struct gk_request *told = &answer->told;
    const char *type = gk_request_header(told, "x-ms-blob-type");
    const char *sealed = gk_request_header(told, "x-ms-blob-sealed");
    uint64_t blocks = 0;
    bool given = false;
    *kind = (struct gk_blob_kind){.type = GK_BLOB_BLOCK};
    for (unsigned i = 0; type != NULL && i < GK_BLOB_TYPES; i++) {
        if (strcmp(type, gk_blob_type_names[i]) == 0) {
            kind->type = (enum gk_blob_type)i;
        }
    }
    if (kind->type != GK_BLOB_APPEND) {
        return GK_OK;
    }
    if (gk_header_u64(told, "x-ms-blob-committed-block-count", &blocks, &given, NULL) != GK_OK ||
        !given || blocks > GK_BLOCK_LIST_MAX) {
        return unusable(error, "The source does not tell of how many blocks it is.");
    }
    kind->blocks_count = (uint32_t)blocks;
    kind->sealed = sealed != NULL && strcasecmp(sealed, "true") == 0;
    return GK_OK;
}

static enum gk_status check_conditions(const struct gk_remote_answer *answer,
                                       const struct gk_request *own, struct gk_error *error)
{
    const char *etag = gk_request_header(&answer->told, "ETag");
    const char *modified = gk_request_header(&answer->told, "Last-Modified");
    struct gk_current current = {.exists = true};
    if (modified == NULL || !gk_time_http_parse(modified, &current.modified_wall_ms)) {
        current.modified_wall_ms = INT64_MAX; /* who knows: not before any time */
    }
    enum gk_status status =
        gk_conditions_check_text(own, GK_ACCESS_READ, &current, etag == NULL ? "" : etag, error);
    if (status == GK_OK && gk_request_header(own, "x-ms-if-tags") != NULL &&
        gk_request_header(&answer->told, "x-ms-blob-type") == NULL) { /* nobody looked at them */
        status = gk_refuse(error, 412, "ConditionNotMet");
    }
    const bool not_met =
        status != GK_OK && (error->http_status == 304 || error->http_status == 412);
    return not_met ? gk_refuse(error, 412, "SourceConditionNotMet") : status;
}

enum gk_status gk_remote_answer_read(const struct gk_remote_answer *answer,
                                     const struct gk_request *own, struct gk_blob_record *record,
                                     struct gk_range *range, struct gk_error *error)
{
    enum gk_status status =
        check_status(answer, gk_request_header(own, "x-ms-range") != NULL, error);
    if (status == GK_OK) {
        status = check_conditions(answer, own, error);
    }
    if (status == GK_OK) {
        status = read_range(answer, own, &record->size, range, error);
    }
    if (status == GK_OK) {
        status = read_kind(answer, &record->kind, error);
    }
    return status == GK_OK ? gk_content_headers_read(&answer->told, false, record, error) : status;
}
