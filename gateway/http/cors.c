/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/cors.h"

#include <strings.h>

#define HEADER_BYTES_MAX 16384u

/* --- rules --------------------------------------------------------------------------------------*/

/* An origin as it stands, "*" for all, or one "*" for what stands in front of a domain. */
static bool is_origin(struct gk_span item, const char *origin)
{
    const uint8_t *star = memchr(item.data, '*', item.len);
    if (star == NULL) {
        return gk_span_equal(item, gk_span_str(origin));
    }
    const size_t before = (size_t)(star - item.data);
    const size_t after = item.len - before - 1;
    const size_t len = strlen(origin);
    return len > before + after && memcmp(origin, item.data, before) == 0 &&
           memcmp(origin + len - after, star + 1, after) == 0;
}

static bool allows_all_origins(const struct gk_cors *cors, const struct gk_cors_rule *rule)
{
    for (const char *list = cors->text + rule->origins; list != NULL;) {
        if (gk_span_equal(gk_cors_next_item(&list), gk_span_str("*"))) {
            return true;
        }
    }
    return false;
}

static bool allows_origin(const struct gk_cors *cors, const struct gk_cors_rule *rule,
                          const char *origin)
{
    if (origin == NULL) {
        return allows_all_origins(cors, rule);
    }
    for (const char *list = cors->text + rule->origins; list != NULL;) {
        if (is_origin(gk_cors_next_item(&list), origin)) {
            return true;
        }
    }
    return false;
}

static bool allows_method(const struct gk_cors *cors, const struct gk_cors_rule *rule,
                          const char *method)
{
    for (const char *list = cors->text + rule->methods; list != NULL;) {
        if (gk_span_equal(gk_cors_next_item(&list), gk_span_str(method))) {
            return true;
        }
    }
    return false;
}

/* Whether a header is an item of the list, or begins like one that ends with "*". */
static bool has_header(const char *list, struct gk_span header)
{
    while (list != NULL) {
        const struct gk_span item = gk_cors_next_item(&list);
        const bool prefix = item.len > 0 && item.data[item.len - 1] == '*';
        const size_t len = prefix ? item.len - 1 : item.len;
        if ((prefix ? header.len >= len : header.len == len) &&
            strncasecmp((const char *)header.data, (const char *)item.data, len) == 0) {
            return true;
        }
    }
    return false;
}

static bool allows_headers(const struct gk_cors *cors, const struct gk_cors_rule *rule,
                           const char *headers)
{
    while (headers != NULL) {
        const struct gk_span header = gk_cors_next_item(&headers);
        if (header.len > 0 && !has_header(cors->text + rule->allowed_headers, header)) {
            return false;
        }
    }
    return true;
}

const struct gk_cors_rule *gk_cors_match(const struct gk_cors *cors, const char *origin,
                                         const char *method, const char *headers)
{
    for (uint8_t i = 0; i < cors->count; i++) {
        const struct gk_cors_rule *rule = &cors->rules[i];
        if (allows_origin(cors, rule, origin) && allows_method(cors, rule, method) &&
            allows_headers(cors, rule, headers)) {
            return rule;
        }
    }
    return NULL;
}

/* --- answers ------------------------------------------------------------------------------------*/

static void append_item(struct gk_buf *out, struct gk_span item)
{
    gk_buf_append_str(out, out->len > 0 ? "," : "");
    gk_buf_append(out, item.data, item.len);
}

/* What an item that ends with "*" stands for: browsers want names. */
static void append_answer_headers(const struct gk_request *request, struct gk_span prefix,
                                  struct gk_buf *out)
{
    struct gk_pair header;
    for (size_t i = 0; gk_http_answer_header_at(request->exchange, i, &header); i++) {
        if (strncasecmp(header.name, (const char *)prefix.data, prefix.len) == 0) {
            append_item(out, gk_span_str(header.name));
        }
    }
}

static void respond_exposed(struct gk_request *request, const char *list)
{
    struct gk_buf names;
    gk_buf_init(&names, HEADER_BYTES_MAX);
    while (list != NULL) {
        struct gk_span item = gk_cors_next_item(&list);
        if (item.len > 0 && item.data[item.len - 1] == '*') {
            item.len--;
            append_answer_headers(request, item, &names);
        } else if (item.len > 0) {
            append_item(&names, item);
        }
    }
    if (names.len > 0 && gk_buf_status(&names) == GK_OK) {
        gk_respond_header(request, "Access-Control-Expose-Headers", gk_buf_str(&names));
    }
    gk_buf_cleanup(&names);
}

void gk_cors_answer(struct gk_request *request)
{
    if (request->account == NULL || request->account->blob_service.cors.count == 0 ||
        request->operation == GK_OP_BLOB_PREFLIGHT_BLOB_REQUEST) {
        return;
    }
    const struct gk_cors *cors = &request->account->blob_service.cors;
    const char *origin = gk_request_header(request, "Origin");
    /* Answers to other methods are not cached, and need no Vary. */
    const bool cached = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    const struct gk_cors_rule *rule =
        origin != NULL || cached ? gk_cors_match(cors, origin, request->method, NULL) : NULL;
    const bool all = rule != NULL && allows_all_origins(cors, rule);
    if (cached && !all) {
        gk_respond_header(request, "Vary", "Origin");
    }
    if (rule == NULL) {
        return;
    }
    gk_respond_header(request, "Access-Control-Allow-Origin", all ? "*" : origin);
    if (!all) {
        gk_respond_header(request, "Access-Control-Allow-Credentials", "true");
    }
    respond_exposed(request, cors->text + rule->exposed_headers);
}
