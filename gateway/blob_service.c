/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob_service.h"

#include <string.h>

#include "gateway/auth/signature.h"

#define WHITE_SPACE         " \t\r\n"
#define VERSION_FIRST       20081027 /* documented: the first that can be the default */
#define CORS_ITEMS_MAX      66u      /* documented: 64 names and two prefixes */
#define CORS_ITEM_BYTES_MAX 256u
#define COUNT(array)        (sizeof(array) / sizeof *(array))

void gk_blob_service_take(struct gk_blob_service *to, const struct gk_blob_service *from,
                          uint32_t parts)
{
    if ((parts & GK_SERVICE_LOGGING) != 0) {
        to->logging = from->logging;
    }
    if ((parts & GK_SERVICE_HOUR_METRICS) != 0) {
        to->hour_metrics = from->hour_metrics;
    }
    if ((parts & GK_SERVICE_MINUTE_METRICS) != 0) {
        to->minute_metrics = from->minute_metrics;
    }
    if ((parts & GK_SERVICE_CORS) != 0) {
        to->cors = from->cors;
    }
    if ((parts & GK_SERVICE_DEFAULT_VERSION) != 0) {
        memcpy(to->default_version, from->default_version, sizeof to->default_version);
    }
    if ((parts & GK_SERVICE_DELETE_RETENTION) != 0) {
        to->delete_retention = from->delete_retention;
    }
    if ((parts & GK_SERVICE_WEBSITE) != 0) {
        to->website = from->website;
    }
    if ((parts & GK_SERVICE_VERSIONING) != 0) {
        to->versioning = from->versioning;
    }
    if ((parts & GK_SERVICE_CONTAINER_RETENTION) != 0) {
        to->container_retention = from->container_retention;
    }
}

bool gk_cors_add_text(struct gk_cors *cors, struct gk_span text, uint16_t *at)
{
    const size_t begin = 1u + cors->text_len;
    if (text.len == 0) {
        *at = 0;
        return true;
    }
    if (text.len >= sizeof cors->text - begin) {
        return false;
    }
    memcpy(cors->text + begin, text.data, text.len);
    cors->text[begin + text.len] = '\0';
    cors->text_len = (uint16_t)(cors->text_len + text.len + 1);
    *at = (uint16_t)begin;
    return true;
}

struct gk_span gk_cors_next_item(const char **list)
{
    const char *at = *list + strspn(*list, WHITE_SPACE);
    size_t len = strcspn(at, ",");
    *list = at[len] == ',' ? at + len + 1 : NULL;
    while (len > 0 && strchr(WHITE_SPACE, at[len - 1]) != NULL) {
        len--;
    }
    return gk_span_of(at, len);
}

/* --- what is allowed ----------------------------------------------------------------------------*/

bool gk_is_default_version(const char *text)
{
    return gk_service_version(text) >= VERSION_FIRST;
}

static bool has_control(struct gk_span item)
{
    for (size_t i = 0; i < item.len; i++) {
        if (item.data[i] < 0x20 || item.data[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

static bool check_list(const char *list)
{
    size_t count = 0;
    while (list != NULL) {
        const struct gk_span item = gk_cors_next_item(&list);
        if (item.len == 0 || item.len > CORS_ITEM_BYTES_MAX || ++count > CORS_ITEMS_MAX ||
            has_control(item)) {
            return false;
        }
    }
    return true;
}

static bool is_method(struct gk_span item)
{
    static const char *const methods[] = {"DELETE", "GET",  "HEAD",    "MERGE",
                                          "PATCH",  "POST", "OPTIONS", "PUT"};
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (gk_span_equal(item, gk_span_str(methods[i]))) {
            return true;
        }
    }
    return false;
}

static bool check_methods(const char *list)
{
    bool known = true;
    while (list != NULL && known) {
        known = is_method(gk_cors_next_item(&list));
    }
    return known;
}

/* The only ones that may be empty. */
static bool check_headers(const struct gk_cors *cors, uint16_t list)
{
    return list == 0 || check_list(cors->text + list);
}

size_t gk_cors_wrong_list(const struct gk_cors *cors, const struct gk_cors_rule *rule)
{
    const bool good[GK_CORS_RULE_TEXTS] = {
        check_list(cors->text + rule->origins), check_methods(cors->text + rule->methods),
        check_headers(cors, rule->allowed_headers), check_headers(cors, rule->exposed_headers)};
    size_t at = 0;
    while (at < GK_CORS_RULE_TEXTS && good[at]) {
        at++;
    }
    return at;
}

/* --- the stored form ----------------------------------------------------------------------------*/

static void append_text(struct gk_buf *out, const char *text)
{
    gk_buf_append_u16(out, (uint16_t)strlen(text));
    gk_buf_append_str(out, text);
}

static void append_days(struct gk_buf *out, const struct gk_retention *retention)
{
    gk_buf_append_u32(out, retention->enabled ? retention->days : 0);
}

static void append_metrics(struct gk_buf *out, const struct gk_service_metrics *metrics)
{
    gk_buf_append_u8(out, metrics->enabled);
    gk_buf_append_u8(out, metrics->include_apis);
    append_days(out, &metrics->retention);
}

void gk_blob_service_encode(const struct gk_blob_service *settings, struct gk_buf *out)
{
    gk_buf_append_u8(out, settings->logging.deletes);
    gk_buf_append_u8(out, settings->logging.reads);
    gk_buf_append_u8(out, settings->logging.writes);
    append_days(out, &settings->logging.retention);
    append_metrics(out, &settings->hour_metrics);
    append_metrics(out, &settings->minute_metrics);
    const struct gk_cors *cors = &settings->cors;
    gk_buf_append_u8(out, cors->count);
    for (uint8_t i = 0; i < cors->count; i++) {
        append_text(out, cors->text + cors->rules[i].origins);
        append_text(out, cors->text + cors->rules[i].methods);
        append_text(out, cors->text + cors->rules[i].allowed_headers);
        append_text(out, cors->text + cors->rules[i].exposed_headers);
        gk_buf_append_u32(out, cors->rules[i].max_age_s);
    }
    append_text(out, settings->default_version);
    append_days(out, &settings->delete_retention);
    gk_buf_append_u8(out, settings->delete_retention.permanent_deletes);
    gk_buf_append_u8(out, settings->website.enabled);
    append_text(out, settings->website.index_document);
    append_text(out, settings->website.default_index);
    append_text(out, settings->website.error_document);
    gk_buf_append_u8(out, settings->versioning);
}

static bool read_bool(struct gk_reader *in)
{
    const uint8_t value = gk_read_u8(in);
    in->failed = in->failed || value > 1;
    return value == 1;
}

static void read_days(struct gk_reader *in, struct gk_retention *retention)
{
    retention->days = gk_read_u32(in);
    retention->enabled = retention->days > 0;
    in->failed = in->failed || retention->days > GK_RETENTION_DAYS_MAX;
}

static void read_metrics(struct gk_reader *in, struct gk_service_metrics *metrics)
{
    metrics->enabled = read_bool(in);
    metrics->include_apis = read_bool(in);
    read_days(in, &metrics->retention);
}

static struct gk_span read_text(struct gk_reader *in)
{
    const struct gk_span text = gk_read_span(in, gk_read_u16(in));
    in->failed = in->failed || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL);
    return text;
}

static void read_text_into(struct gk_reader *in, char *out, size_t size)
{
    const struct gk_span text = read_text(in);
    if (in->failed || text.len >= size) {
        in->failed = true;
        return;
    }
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = '\0';
}

static void read_rule(struct gk_reader *in, struct gk_cors *cors, struct gk_cors_rule *rule)
{
    uint16_t *const texts[GK_CORS_RULE_TEXTS] = {&rule->origins, &rule->methods,
                                                 &rule->allowed_headers, &rule->exposed_headers};
    for (size_t i = 0; i < GK_CORS_RULE_TEXTS; i++) {
        const struct gk_span text = read_text(in);
        in->failed = in->failed || !gk_cors_add_text(cors, text, texts[i]);
    }
    rule->max_age_s = gk_read_u32(in);
}

bool gk_blob_service_decode(struct gk_reader *in, struct gk_blob_service *out)
{
    *out = (struct gk_blob_service){0};
    out->logging.deletes = read_bool(in);
    out->logging.reads = read_bool(in);
    out->logging.writes = read_bool(in);
    read_days(in, &out->logging.retention);
    read_metrics(in, &out->hour_metrics);
    read_metrics(in, &out->minute_metrics);
    const uint8_t rules = gk_read_u8(in);
    in->failed = in->failed || rules > GK_CORS_RULES_MAX;
    for (; !in->failed && out->cors.count < rules; out->cors.count++) {
        read_rule(in, &out->cors, &out->cors.rules[out->cors.count]);
    }
    read_text_into(in, out->default_version, sizeof out->default_version);
    read_days(in, &out->delete_retention);
    out->delete_retention.permanent_deletes = read_bool(in);
    out->website.enabled = read_bool(in);
    read_text_into(in, out->website.index_document, sizeof out->website.index_document);
    read_text_into(in, out->website.default_index, sizeof out->website.default_index);
    read_text_into(in, out->website.error_document, sizeof out->website.error_document);
    out->versioning = read_bool(in);
    return !in->failed;
}

void gk_container_retention_encode(const struct gk_blob_service *settings, struct gk_buf *out)
{
    append_days(out, &settings->container_retention);
}

bool gk_container_retention_decode(struct gk_reader *in, struct gk_blob_service *out)
{
    read_days(in, &out->container_retention);
    return !in->failed;
}
