/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/route.h"

#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/names.h"

#define TARGET_BYTES_MAX 16384u
#define SECONDARY        "-secondary"

enum level { SERVICE, CONTAINER, BLOB_LEVEL, ANY, SHARE, DIRECTORY, FILE_LEVEL, PATH };

struct row {
    bool blob_service;
    const char *name;
    const char *method;
    enum level level;
    const char *restype;
    const char *comp;
    const char *selector;
    bool reads;
};

#define ACCESS_READ     true
#define ACCESS_WRITE    false
#define ACCESS_DELETE   false
#define LEVEL_SERVICE   SERVICE
#define LEVEL_CONTAINER CONTAINER
#define LEVEL_BLOB      BLOB_LEVEL
#define LEVEL_ANY       ANY
#define LEVEL_SHARE     SHARE
#define LEVEL_DIRECTORY DIRECTORY
#define LEVEL_FILE      FILE_LEVEL
#define LEVEL_PATH      PATH
#define IS_SERVICE_BLOB true
#define IS_SERVICE_FILE false

static const struct row rows[GK_OPERATIONS_COUNT] = {
#define GK_OPERATION(id, service, name, method, level, restype, comp, selector, access, revoked,   \
                     key, success, uri, query)                                                     \
    {IS_SERVICE_##service, name, method, LEVEL_##level, restype, comp, selector, ACCESS_##access},
#include "gatekey/operations.def"
#undef GK_OPERATION
};

const char *gk_operation_name(enum gk_operation operation)
{
    return operation < GK_OPERATIONS_COUNT ? rows[operation].name : "unknown";
}

bool gk_operation_reads(enum gk_operation operation)
{
    return operation < GK_OPERATIONS_COUNT && rows[operation].reads;
}

/* --- target ------------------------------------------------------------------------------------- */

/* What texts holds from there on: shortest form, no surrogates, nothing beyond U+10FFFF, no control
 * characters. */
static bool is_clean_utf8(const struct gk_buf *texts, size_t from)
{
    const uint8_t *text = texts->data;
    const size_t len = texts->len;
    for (size_t i = from; i < len;) {
        const uint8_t first = text[i];
        if (first < 0x20 || first == 0x7f) {
            return false;
        }
        const size_t more = first < 0x80       ? 0
                            : first >> 5 == 6  ? 1
                            : first >> 4 == 14 ? 2
                            : first >> 3 == 30 ? 3
                                               : 4;
        if (more > 3 || len - i <= more) {
            return false;
        }
        uint32_t point = more == 0 ? first : first & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if (text[i + k] >> 6 != 2) {
                return false;
            }
            point = point << 6 | (text[i + k] & 0x3fu);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

static struct gk_span until(struct gk_span *rest, char end)
{
    const uint8_t *found = rest->len == 0 ? NULL : memchr(rest->data, end, rest->len);
    const size_t len = found == NULL ? rest->len : (size_t)(found - rest->data);
    const struct gk_span part = gk_span_of(rest->data, len);
    const size_t taken = found == NULL ? len : len + 1;
    rest->data += taken;
    rest->len -= taken;
    return part;
}

static bool end_text(struct gk_buf *texts, size_t at)
{
    if (!is_clean_utf8(texts, at)) {
        return false;
    }
    gk_buf_append_u8(texts, 0);
    return gk_buf_status(texts) == GK_OK;
}

/* Appends the decoded text and a NUL, gives its place in texts; false when it is not clean. */
static bool add_text(struct gk_buf *texts, struct gk_span encoded, size_t *at)
{
    *at = texts->len;
    return gk_percent_decode(texts, encoded) && end_text(texts, *at);
}

/* The same for a path, where '\\' is a '/': the vendor's service has no names with '\\', and its SDKs sign for
 * what it makes of them. */
static bool add_path_text(struct gk_buf *texts, struct gk_span encoded, size_t *at)
{
    if (!add_text(texts, encoded, at)) {
        return false;
    }
    for (size_t i = *at; i < texts->len; i++) {
        texts->data[i] = texts->data[i] == '\\' ? '/' : texts->data[i];
    }
    return true;
}

/* The same for a query, where '+' is a blank too: the Go SDK writes it so. */
static bool add_query_text(struct gk_buf *texts, struct gk_span encoded, size_t *at)
{
    *at = texts->len;
    for (;;) {
        const size_t len = encoded.len;
        const struct gk_span part = until(&encoded, '+');
        if (!gk_percent_decode(texts, part)) {
            return false;
        }
        if (part.len == len) {
            return end_text(texts, *at);
        }
        gk_buf_append_u8(texts, ' ');
    }
}

/* The account from a host name like <account>.<domain>[:port]; an empty span when it is not one. */
static struct gk_span account_of_host(const char *host, const char *domain)
{
    const struct gk_span none = gk_span_of(NULL, 0);
    if (host == NULL || domain == NULL) {
        return none;
    }
    struct gk_span rest = gk_span_str(host);
    const struct gk_span name = until(&rest, ':');
    const size_t domain_len = strlen(domain);
    if (name.len <= domain_len + 1) {
        return none;
    }
    const char *tail = host + (name.len - domain_len);
    return tail[-1] == '.' && strncasecmp(tail, domain, domain_len) == 0
               ? gk_span_of(host, name.len - domain_len - 1)
               : none;
}

static bool is_account_name(struct gk_span name)
{
    if (name.len < 3 || name.len >= GK_ACCOUNT_NAME_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!(name.data[i] >= 'a' && name.data[i] <= 'z') &&
            !(name.data[i] >= '0' && name.data[i] <= '9')) {
            return false;
        }
    }
    return true;
}

/* Each parameter's name and value go into texts, their places there into offsets. */
static bool split_query(struct gk_buf *texts, struct gk_span rest, size_t offsets[GK_QUERY_MAX][2],
                        size_t *count)
{
    *count = 0;
    while (rest.len > 0) {
        struct gk_span pair = until(&rest, '&');
        if (pair.len == 0) {
            continue;
        }
        if (*count == GK_QUERY_MAX) {
            return false;
        }
        const struct gk_span name = until(&pair, '=');
        if (!add_query_text(texts, name, &offsets[*count][0]) ||
            !add_query_text(texts, pair, &offsets[*count][1])) {
            return false;
        }
        ++*count;
    }
    return true;
}

static bool has_parameter(const struct gk_route *route, const char *name)
{
    for (size_t i = 0; i < route->query_count; i++) {
        if (strcasecmp(route->query[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

enum gk_status gk_route_parse(struct gk_route *route, const char *path, const char *query,
                              const char *host, const char *domain, struct gk_error *error)
{
    *route = (struct gk_route){0};
    gk_buf_init(&route->texts, TARGET_BYTES_MAX);
    struct gk_span rest = gk_span_str(path);
    if (rest.len == 0 || rest.data[0] != '/' || rest.len + strlen(query) > TARGET_BYTES_MAX) {
        return gk_refuse(error, 400, "InvalidUri");
    }
    (void)until(&rest, '/');
    struct gk_span account = account_of_host(host, domain);
    route->path_style = account.len == 0;
    if (route->path_style) {
        account = until(&rest, '/');
    }
    const size_t suffix = strlen(SECONDARY);
    route->secondary =
        account.len > suffix && memcmp(account.data + account.len - suffix, SECONDARY, suffix) == 0;
    account.len -= route->secondary ? suffix : 0;
    if (!is_account_name(account)) {
        return gk_refuse_because(error, 400, "InvalidUri", "It names no account.");
    }
    memcpy(route->account, account.data, account.len);
    size_t container;
    size_t blob;
    size_t offsets[GK_QUERY_MAX][2];
    size_t query_count;
    const bool alone = rest.len > 0 && memchr(rest.data, '/', rest.len) == NULL;
    const struct gk_span first = until(&rest, '/');
    if (!add_path_text(&route->texts, first, &container) ||
        !add_path_text(&route->texts, rest, &blob)) {
        return gk_refuse(error, 400, "InvalidUri");
    }
    if (!split_query(&route->texts, gk_span_str(query), offsets, &query_count)) {
        return gk_refuse(error, 400, "InvalidQueryParameterValue");
    }
    /* The buffer moves no more: places become pointers. */
    const char *base = (const char *)route->texts.data;
    route->container = base + container;
    route->blob = base + blob;
    route->query_count = query_count;
    for (size_t i = 0; i < query_count; i++) {
        route->query[i] =
            (struct gk_pair){.name = base + offsets[i][0], .value = base + offsets[i][1]};
    }
    if (alone && !has_parameter(route, "restype")) {
        route->blob = route->container;
        route->container = GK_ROOT_CONTAINER;
    }
    return GK_OK;
}

enum gk_status gk_route_parse_part(struct gk_route *route, const char *path, const char *query,
                                   const char *host, const char *domain, const char *account,
                                   struct gk_error *error)
{
    static const char inside[] = "part";
    char named[GK_ACCOUNT_NAME_BYTES_MAX + sizeof inside];
    const size_t len = strlen(account);
    const bool names_it = path[0] == '/' && strncmp(path + 1, account, len) == 0 &&
                          (path[len + 1] == '/' || path[len + 1] == '\0');
    if (names_it || account_of_host(host, domain).len > 0) {
        return gk_route_parse(route, path, query, host, domain, error);
    }
    snprintf(named, sizeof named, "%s.%s", account, inside);
    return gk_route_parse(route, path, query, named, inside, error);
}

bool gk_route_is_below(const char *host, const char *domain)
{
    return account_of_host(host, domain).len > 0;
}

enum gk_status gk_route_parse_website(struct gk_route *route, const char *path, const char *host,
                                      const char *domain, struct gk_error *error)
{
    *route = (struct gk_route){.container = GK_WEB_CONTAINER};
    gk_buf_init(&route->texts, TARGET_BYTES_MAX);
    const struct gk_span account = account_of_host(host, domain);
    size_t blob;
    if (path[0] != '/' || !is_account_name(account) ||
        !add_path_text(&route->texts, gk_span_str(path + 1), &blob)) {
        return gk_refuse(error, 400, "InvalidUri");
    }
    memcpy(route->account, account.data, account.len);
    route->blob = (const char *)route->texts.data + blob;
    return GK_OK;
}

void gk_route_cleanup(struct gk_route *route)
{
    gk_buf_cleanup(&route->texts);
}

void gk_route_apply(const struct gk_route *route, struct gk_request *request)
{
    request->account_name = route->account;
    request->path_style = route->path_style;
    request->secondary = route->secondary;
    request->container = route->container;
    request->blob = route->blob;
    request->query = route->query;
    request->query_count = route->query_count;
}

/* --- operation ---------------------------------------------------------------------------------- */

/* Whether an item of a list that separator divides equals text, without case. */
static bool has_item(const char *list, char separator, struct gk_span text)
{
    struct gk_span rest = gk_span_str(list);
    while (rest.len > 0) {
        const struct gk_span item = until(&rest, separator);
        if (item.len == text.len &&
            strncasecmp((const char *)item.data, (const char *)text.data, text.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether methods, joined by '/', holds this very one: the names of methods have their case. */
static bool has_method(const char *methods, const char *method)
{
    struct gk_span rest = gk_span_str(methods);
    while (rest.len > 0) {
        if (gk_span_equal(until(&rest, '/'), gk_span_str(method))) {
            return true;
        }
    }
    return false;
}

enum match { MATCHES, LACKS, HAS_ANOTHER_VALUE };

/* One condition of a row's selector, e.g. h:x-ms-lease-action=acquire. */
static enum match match_condition(const struct gk_request *request, struct gk_span condition)
{
    const uint8_t kind = condition.data[0];
    condition.data += 2;
    condition.len -= 2;
    const struct gk_span name_span = until(&condition, '=');
    char name[64] = {0};
    if (name_span.len >= sizeof name) {
        return LACKS;
    }
    memcpy(name, name_span.data, name_span.len);
    if (kind == 'm') {
        return gk_request_has_header_prefix(request, name) ? MATCHES : LACKS;
    }
    const char *value =
        kind == 'h' ? gk_request_header(request, name) : gk_request_query(request, name);
    if (value == NULL) {
        return LACKS;
    }
    return condition.len == 0 || has_item(value, kind == 'q' ? ',' : '\0', condition)
               ? MATCHES
               : HAS_ANOTHER_VALUE;
}

/* All conditions of a selector; else the first that does not match. */
static enum match match_selector(const struct gk_request *request, const char *selector)
{
    struct gk_span rest = gk_span_str(selector);
    enum match match = MATCHES;
    while (match == MATCHES && rest.len > 0) {
        match = match_condition(request, until(&rest, ' '));
    }
    return match;
}

static bool query_is(const struct gk_request *request, const char *name, const char *wanted)
{
    const char *value = gk_request_query(request, name);
    return strcasecmp(value == NULL ? "" : value, wanted) == 0;
}

/* A browser asks with the query of the request that it means to send. */
static bool is_preflight(const struct row *row)
{
    return strcmp(row->method, "OPTIONS") == 0;
}

/* In path style the vendor's SDK for JavaScript takes the account's name for a container's, and says so of
 * a batch. */
static bool restype_is(const struct gk_request *request, const struct row *row)
{
    return query_is(request, "restype", row->restype) ||
           (request->path_style && row->level == SERVICE && strcmp(row->comp, "batch") == 0 &&
            query_is(request, "restype", "container"));
}

enum gk_status gk_route_operation(const struct gk_request *request, enum gk_operation *operation,
                                  struct gk_error *error)
{
    const enum level level = request->container[0] == '\0' ? SERVICE
                             : request->blob[0] == '\0'    ? CONTAINER
                                                           : BLOB_LEVEL;
    bool method_known = false;
    bool query_known = false;
    bool value_unknown = false;
    for (unsigned i = 0; i < GK_OPERATIONS_COUNT; i++) {
        const struct row *row = &rows[i];
        if (!row->blob_service || (row->level != level && row->level != ANY) ||
            !has_method(row->method, request->method)) {
            continue;
        }
        method_known = true;
        if (!is_preflight(row) &&
            (!restype_is(request, row) || !query_is(request, "comp", row->comp))) {
            continue;
        }
        query_known = true;
        const enum match match = match_selector(request, row->selector);
        if (match == MATCHES) {
            *operation = (enum gk_operation)i;
            return GK_OK;
        }
        value_unknown = value_unknown || match == HAS_ANOTHER_VALUE;
    }
    if (!method_known) {
        return gk_refuse(error, 405, "UnsupportedHttpVerb");
    }
    if (!query_known) {
        return gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                 "No operation has this comp and restype here.");
    }
    return gk_refuse(error, 400, value_unknown ? "InvalidHeaderValue" : "MissingRequiredHeader");
}
