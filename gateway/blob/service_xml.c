/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/service_xml.h"

#include <stddef.h>
#include <string.h>

#include "common/text.h"
#include "gateway/blob/xml.h"
#include "gateway/http/request.h"

#define COUNT(array)      (sizeof(array) / sizeof *(array))
#define VALUE_BYTES_MAX   4096u
#define DEPTH_MAX         4u
#define ANALYTICS_VERSION "1.0"
#define WHITE_SPACE       " \t\r\n"

/* --- what may stand where ------------------------------------------------------------------------*/

enum kind { PARTS, BOOLEAN, ANALYTICS, DAYS, SECONDS, VERSION, NAME, PATH, CORS, CORS_TEXT };

/* An element. One with parts has no text, one without has no elements. */
struct element {
    const char *name;
    enum kind kind;
    size_t offset; /* in the struct of the element around it */
    bool needed;
    const struct element *parts;
    size_t count;
};

#define IN(type, member) .offset = offsetof(struct type, member)
#define WITH(elements)   .parts = (elements), .count = COUNT(elements)

static const struct element retention[] = {
    {"Enabled", BOOLEAN, IN(gk_retention, enabled), .needed = true},
    {"Days", DAYS, IN(gk_retention, days)},
};
static const struct element delete_retention[] = {
    {"Enabled", BOOLEAN, IN(gk_retention, enabled), .needed = true},
    {"Days", DAYS, IN(gk_retention, days)},
    {"AllowPermanentDelete", BOOLEAN, IN(gk_retention, permanent_deletes)},
};
static const struct element logging[] = {
    {"Version", ANALYTICS, .needed = true},
    {"Delete", BOOLEAN, IN(gk_logging, deletes), .needed = true},
    {"Read", BOOLEAN, IN(gk_logging, reads), .needed = true},
    {"Write", BOOLEAN, IN(gk_logging, writes), .needed = true},
    {"RetentionPolicy", PARTS, IN(gk_logging, retention), .needed = true, WITH(retention)},
};
static const struct element metrics[] = {
    {"Version", .kind = ANALYTICS},
    {"Enabled", BOOLEAN, IN(gk_service_metrics, enabled), .needed = true},
    {"IncludeAPIs", BOOLEAN, IN(gk_service_metrics, include_apis)},
    {"RetentionPolicy", PARTS, IN(gk_service_metrics, retention), WITH(retention)},
};
/* The lists in the order of struct gk_cors_rule. */
static const struct element rule[] = {
    {"AllowedOrigins", CORS_TEXT, IN(gk_cors_rule, origins), .needed = true},
    {"AllowedMethods", CORS_TEXT, IN(gk_cors_rule, methods), .needed = true},
    {"AllowedHeaders", CORS_TEXT, IN(gk_cors_rule, allowed_headers)},
    {"ExposedHeaders", CORS_TEXT, IN(gk_cors_rule, exposed_headers)},
    {"MaxAgeInSeconds", SECONDS, IN(gk_cors_rule, max_age_s), .needed = true},
};
static const struct element rules[] = {{"CorsRule", CORS, WITH(rule)}};
static const struct element website[] = {
    {"Enabled", BOOLEAN, IN(gk_website, enabled), .needed = true},
    {"IndexDocument", NAME, IN(gk_website, index_document)},
    {"DefaultIndexDocumentPath", PATH, IN(gk_website, default_index)},
    {"ErrorDocument404Path", PATH, IN(gk_website, error_document)},
};
/* In the order of the bits of enum gk_blob_service_part. */
static const struct element service[] = {
    {"Logging", PARTS, IN(gk_blob_service, logging), WITH(logging)},
    {"HourMetrics", PARTS, IN(gk_blob_service, hour_metrics), WITH(metrics)},
    {"MinuteMetrics", PARTS, IN(gk_blob_service, minute_metrics), WITH(metrics)},
    {"Cors", PARTS, IN(gk_blob_service, cors), WITH(rules)},
    {"DefaultServiceVersion", VERSION, IN(gk_blob_service, default_version)},
    {"DeleteRetentionPolicy", PARTS, IN(gk_blob_service, delete_retention), WITH(delete_retention)},
    {"StaticWebsite", PARTS, IN(gk_blob_service, website), WITH(website)},
};
static const struct element root = {"StorageServiceProperties", PARTS, WITH(service)};

/* --- reading -------------------------------------------------------------------------------------*/

/* An element that is open. */
struct frame {
    const struct element *element;
    uint8_t *value;
    uint32_t seen; /* of its parts, by the bit of each */
};

struct parsing {
    struct gk_blob_service *settings;
    struct frame frames[DEPTH_MAX];
    unsigned depth;
    uint32_t parts;
    struct gk_buf text;      /* of the innermost element, so far */
    const char *wrong_value; /* the element that has one */
};

static bool push(struct parsing *parsing, const struct element *element, uint8_t *value)
{
    if (parsing->depth == DEPTH_MAX) {
        return false;
    }
    parsing->frames[parsing->depth++] = (struct frame){.element = element, .value = value};
    gk_buf_reset(&parsing->text);
    return true;
}

static bool push_rule(struct parsing *parsing, const struct element *element)
{
    struct gk_cors *cors = &parsing->settings->cors;
    if (cors->count == GK_CORS_RULES_MAX) {
        return false;
    }
    return push(parsing, element, (uint8_t *)&cors->rules[cors->count++]);
}

static bool open_element(void *ctx, const char *name, unsigned depth)
{
    struct parsing *parsing = ctx;
    if (depth == 0) {
        return strcmp(name, root.name) == 0 && push(parsing, &root, (uint8_t *)parsing->settings);
    }
    struct frame *around = &parsing->frames[parsing->depth - 1];
    for (size_t i = 0; i < around->element->count; i++) {
        const struct element *element = &around->element->parts[i];
        if (strcmp(name, element->name) != 0) {
            continue;
        }
        if (element->kind == CORS) {
            return push_rule(parsing, element);
        }
        const uint32_t bit = 1u << i;
        const bool twice = (around->seen & bit) != 0;
        around->seen |= bit;
        return !twice && push(parsing, element, around->value + element->offset);
    }
    return false;
}

static bool take_text(void *ctx, struct gk_span text)
{
    struct parsing *parsing = ctx;
    if (parsing->frames[parsing->depth - 1].element->count == 0) {
        gk_buf_append(&parsing->text, text.data, text.len);
        return gk_buf_status(&parsing->text) == GK_OK;
    }
    size_t i = 0;
    while (i < text.len && strchr(WHITE_SPACE, text.data[i]) != NULL) {
        i++;
    }
    return i == text.len;
}

static bool take_boolean(const char *text, void *value)
{
    const bool is_true = strcmp(text, "true") == 0;
    memcpy(value, &is_true, sizeof is_true);
    return is_true || strcmp(text, "false") == 0;
}

static bool take_number(const char *text, uint64_t least, uint64_t most, void *value)
{
    uint64_t number;
    if (!gk_parse_u64(gk_span_str(text), most, &number) || number < least) {
        return false;
    }
    const uint32_t taken = (uint32_t)number;
    memcpy(value, &taken, sizeof taken);
    return true;
}

static bool take_chars(const char *text, char *value, size_t size)
{
    const size_t len = strlen(text);
    if (len >= size) {
        return false;
    }
    memcpy(value, text, len + 1);
    return true;
}

static bool take_cors_text(struct gk_cors *cors, const char *text, void *value)
{
    uint16_t at;
    if (!gk_cors_add_text(cors, gk_span_str(text), &at)) {
        return false;
    }
    memcpy(value, &at, sizeof at);
    return true;
}

static bool take_value(struct parsing *parsing, enum kind kind, const char *text, void *value)
{
    switch (kind) {
    case BOOLEAN:
        return take_boolean(text, value);
    case ANALYTICS: /* there is one version, which need not be kept */
        return strcmp(text, ANALYTICS_VERSION) == 0;
    case DAYS:
        return take_number(text, 1, GK_RETENTION_DAYS_MAX, value);
    case SECONDS:
        return take_number(text, 0, INT32_MAX, value);
    case VERSION:
        return gk_is_default_version(text) && take_chars(text, value, GK_DEFAULT_VERSION_BYTES);
    case NAME:
        return strchr(text, '/') == NULL && take_chars(text, value, GK_WEBSITE_INDEX_BYTES);
    case PATH:
        return take_chars(text, value, GK_WEBSITE_PATH_BYTES);
    case CORS_TEXT:
        return take_cors_text(&parsing->settings->cors, text, value);
    default:
        return true;
    }
}

static bool has_all(const struct frame *frame)
{
    for (size_t i = 0; i < frame->element->count; i++) {
        if (frame->element->parts[i].needed && (frame->seen & 1u << i) == 0) {
            return false;
        }
    }
    return true;
}

/* The text of the element, without the white space around it. */
static const char *trimmed(struct gk_buf *text)
{
    while (text->len > 0 && strchr(WHITE_SPACE, text->data[text->len - 1]) != NULL) {
        text->data[--text->len] = '\0';
    }
    const char *value = gk_buf_str(text);
    return value + strspn(value, WHITE_SPACE);
}

static bool close_element(void *ctx, unsigned depth)
{
    struct parsing *parsing = ctx;
    const struct frame *frame = &parsing->frames[--parsing->depth];
    if (depth == 0) {
        parsing->parts = frame->seen;
    }
    const bool good = has_all(frame) && take_value(parsing, frame->element->kind,
                                                   trimmed(&parsing->text), frame->value);
    gk_buf_reset(&parsing->text);
    if (!good && frame->element->count == 0) {
        parsing->wrong_value = frame->element->name;
    }
    return good;
}

/* --- what belongs together -----------------------------------------------------------------------*/

/* The element with a list that is not allowed, or NULL. */
static const char *check_cors(const struct gk_cors *cors)
{
    for (uint8_t i = 0; i < cors->count; i++) {
        const size_t wrong = gk_cors_wrong_list(cors, &cors->rules[i]);
        if (wrong < GK_CORS_RULE_TEXTS) {
            return rule[wrong].name;
        }
    }
    return NULL;
}

/* Days are needed by a policy that is enabled, and say nothing in one that is not. */
static bool settle_retention(struct gk_retention *policy)
{
    if (!policy->enabled) {
        *policy = (struct gk_retention){0};
    }
    return !policy->enabled || policy->days > 0;
}

static bool settle_website(struct gk_website *site)
{
    if (!site->enabled) {
        *site = (struct gk_website){0};
    }
    return site->index_document[0] == '\0' || site->default_index[0] == '\0';
}

static bool settle(struct gk_blob_service *settings)
{
    return settle_retention(&settings->logging.retention) &&
           settle_retention(&settings->hour_metrics.retention) &&
           settle_retention(&settings->minute_metrics.retention) &&
           settle_retention(&settings->delete_retention) && settle_website(&settings->website);
}

enum gk_status gk_service_xml_parse(struct gk_span body, struct gk_blob_service *settings,
                                    uint32_t *parts, struct gk_error *error)
{
    *settings = (struct gk_blob_service){0};
    struct parsing parsing = {.settings = settings};
    gk_buf_init(&parsing.text, VALUE_BYTES_MAX);
    const struct gk_xml_visitor visitor = {
        .ctx = &parsing, .open = open_element, .text = take_text, .close = close_element};
    const enum gk_status status = gk_xml_read(body, &visitor, error);
    gk_buf_cleanup(&parsing.text);
    if (status != GK_OK && status != GK_E_INVALID) {
        return status;
    }
    const char *wrong = parsing.wrong_value;
    if (status == GK_OK) {
        wrong = check_cors(&settings->cors);
    }
    if (wrong != NULL) {
        return gk_refuse_because(error, 400, "InvalidXmlNodeValue", "Element: %s", wrong);
    }
    *parts = parsing.parts;
    return status == GK_OK && settle(settings) ? GK_OK
                                               : gk_refuse(error, 400, "InvalidXmlDocument");
}

/* --- writing -------------------------------------------------------------------------------------*/

static void write_boolean(struct gk_xml_writer *xml, const char *name, bool value)
{
    gk_xml_text(xml, name, value ? "true" : "false");
}

static void write_retention(struct gk_xml_writer *xml, const char *name,
                            const struct gk_retention *policy)
{
    gk_xml_open(xml, name);
    write_boolean(xml, "Enabled", policy->enabled);
    if (policy->enabled) {
        gk_xml_u64(xml, "Days", policy->days);
    }
    if (policy->permanent_deletes) {
        write_boolean(xml, "AllowPermanentDelete", true);
    }
    gk_xml_close(xml);
}

static void write_metrics(struct gk_xml_writer *xml, const char *name,
                          const struct gk_service_metrics *values)
{
    gk_xml_open(xml, name);
    gk_xml_text(xml, "Version", ANALYTICS_VERSION);
    write_boolean(xml, "Enabled", values->enabled);
    if (values->enabled) {
        write_boolean(xml, "IncludeAPIs", values->include_apis);
    }
    write_retention(xml, "RetentionPolicy", &values->retention);
    gk_xml_close(xml);
}

static void write_logging(struct gk_xml_writer *xml, const struct gk_logging *values)
{
    gk_xml_open(xml, "Logging");
    gk_xml_text(xml, "Version", ANALYTICS_VERSION);
    write_boolean(xml, "Delete", values->deletes);
    write_boolean(xml, "Read", values->reads);
    write_boolean(xml, "Write", values->writes);
    write_retention(xml, "RetentionPolicy", &values->retention);
    gk_xml_close(xml);
}

static void write_cors(struct gk_xml_writer *xml, const struct gk_cors *cors)
{
    gk_xml_open(xml, "Cors");
    for (uint8_t i = 0; i < cors->count; i++) {
        gk_xml_open(xml, "CorsRule");
        gk_xml_text(xml, "AllowedOrigins", cors->text + cors->rules[i].origins);
        gk_xml_text(xml, "AllowedMethods", cors->text + cors->rules[i].methods);
        gk_xml_text(xml, "AllowedHeaders", cors->text + cors->rules[i].allowed_headers);
        gk_xml_text(xml, "ExposedHeaders", cors->text + cors->rules[i].exposed_headers);
        gk_xml_u64(xml, "MaxAgeInSeconds", cors->rules[i].max_age_s);
        gk_xml_close(xml);
    }
    gk_xml_close(xml);
}

static void write_given(struct gk_xml_writer *xml, const char *name, const char *value)
{
    if (value[0] != '\0') {
        gk_xml_text(xml, name, value);
    }
}

enum gk_status gk_service_xml_write(const struct gk_blob_service *settings, struct gk_buf *out,
                                    struct gk_error *error)
{
    struct gk_xml_writer xml;
    gk_xml_writer_init(&xml, out);
    gk_xml_open(&xml, root.name);
    write_logging(&xml, &settings->logging);
    write_metrics(&xml, "HourMetrics", &settings->hour_metrics);
    write_metrics(&xml, "MinuteMetrics", &settings->minute_metrics);
    write_cors(&xml, &settings->cors);
    write_given(&xml, "DefaultServiceVersion", settings->default_version);
    write_retention(&xml, "DeleteRetentionPolicy", &settings->delete_retention);
    gk_xml_open(&xml, "StaticWebsite");
    write_boolean(&xml, "Enabled", settings->website.enabled);
    write_given(&xml, "IndexDocument", settings->website.index_document);
    write_given(&xml, "DefaultIndexDocumentPath", settings->website.default_index);
    write_given(&xml, "ErrorDocument404Path", settings->website.error_document);
    gk_xml_close(&xml);
    gk_xml_close(&xml);
    return gk_xml_writer_finish(&xml, error);
}
