/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/tags.h"

#include <string.h>

#include "common/error.h"
#include "common/text.h"

#define WHITE_SPACE " \t\r\n"

/* --- what may be a tag --------------------------------------------------------------------------*/

bool gk_tag_char_valid(char c)
{
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return letter || (c >= '0' && c <= '9') || (c != '\0' && strchr(" +-./:=_", c) != NULL);
}

static bool is_allowed(struct gk_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!gk_tag_char_valid((char)text.data[i])) {
            return false;
        }
    }
    return true;
}

/* NULL, or the code that refuses it. */
static const char *add_tag(struct gk_metadata *tags, struct gk_span name, struct gk_span value)
{
    struct gk_span present;
    if (name.len == 0) {
        return "EmptyTagName";
    }
    if (tags->count == GK_TAGS_MAX || name.len > GK_TAG_NAME_BYTES_MAX ||
        value.len > GK_TAG_VALUE_BYTES_MAX) {
        return "TagsTooLarge";
    }
    if (!is_allowed(name) || !is_allowed(value)) {
        return "InvalidTag";
    }
    if (gk_tags_find(tags, name, &present)) {
        return "DuplicateTagNames";
    }
    gk_metadata_add(tags, name, value);
    return NULL;
}

bool gk_tags_find(const struct gk_metadata *tags, struct gk_span name, struct gk_span *value)
{
    size_t at = 0;
    struct gk_span each;
    while (gk_metadata_next(tags, &at, &each, value)) {
        if (gk_span_equal(each, name)) {
            return true;
        }
    }
    return false;
}

static void clear(struct gk_metadata *tags)
{
    gk_metadata_cleanup(tags);
    gk_metadata_init(tags);
}

/* --- x-ms-tags ----------------------------------------------------------------------------------*/

static struct gk_span until(struct gk_span *rest, char end)
{
    const uint8_t *found = rest->len == 0 ? NULL : memchr(rest->data, end, rest->len);
    const size_t len = found == NULL ? rest->len : (size_t)(found - rest->data);
    const struct gk_span part = gk_span_of(rest->data, len);
    rest->data += found == NULL ? len : len + 1;
    rest->len -= found == NULL ? len : len + 1;
    return part;
}

/* As in a query, where '+' is a blank. */
static bool decode(struct gk_buf *out, struct gk_span encoded)
{
    bool good = true;
    while (good && encoded.len > 0) {
        const size_t len = encoded.len;
        const struct gk_span part = until(&encoded, '+');
        good = gk_percent_decode(out, part);
        gk_buf_append_str(out, part.len < len ? " " : "");
    }
    return good && gk_buf_status(out) == GK_OK;
}

static const char *add_encoded(struct gk_metadata *tags, struct gk_span pair)
{
    struct gk_buf name;
    struct gk_buf value;
    gk_buf_init(&name, 4 * GK_TAG_NAME_BYTES_MAX);
    gk_buf_init(&value, 4 * GK_TAG_VALUE_BYTES_MAX);
    const struct gk_span encoded = until(&pair, '=');
    const char *refusal = decode(&name, encoded) && decode(&value, pair)
                              ? add_tag(tags, gk_buf_span(&name), gk_buf_span(&value))
                          : gk_buf_status(&name) == GK_OK && gk_buf_status(&value) == GK_OK
                              ? "InvalidTag"
                              : "TagsTooLarge";
    gk_buf_cleanup(&name);
    gk_buf_cleanup(&value);
    return refusal;
}

enum gk_status gk_tags_from_header(const struct gk_request *request, struct gk_metadata *tags,
                                   struct gk_error *error)
{
    const char *header = gk_request_header(request, "x-ms-tags");
    clear(tags);
    if (header == NULL || header[0] == '\0') {
        return GK_OK;
    }
    if ((request->permissions & GK_PERMIT_TAGS) == 0) {
        return gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    const char *refusal = NULL;
    struct gk_span rest = gk_span_str(header);
    while (refusal == NULL && rest.len > 0) {
        refusal = add_encoded(tags, until(&rest, '&'));
    }
    if (refusal == NULL) {
        return gk_buf_status(&tags->bytes);
    }
    return gk_refuse_because(error, 400, refusal, "Header: x-ms-tags");
}

/* --- the body of Set Blob Tags ------------------------------------------------------------------*/

enum { DEPTH_TAGS, DEPTH_SET, DEPTH_TAG, DEPTH_TEXT };

struct parsing {
    struct gk_metadata *tags;
    bool set_seen;
    struct gk_buf *text; /* of the element that is open: one of the two */
    struct gk_buf name;
    struct gk_buf value;
    bool name_seen; /* of the tag that is open */
    bool value_seen;
    const char *refusal;
};

static bool open_text(struct parsing *parsing, const char *element)
{
    const bool is_name = strcmp(element, "Key") == 0;
    bool *seen = is_name ? &parsing->name_seen : &parsing->value_seen;
    if (*seen || (!is_name && strcmp(element, "Value") != 0)) {
        return false;
    }
    *seen = true;
    parsing->text = is_name ? &parsing->name : &parsing->value;
    return true;
}

static bool open_element(void *ctx, const char *element, unsigned depth)
{
    struct parsing *parsing = ctx;
    switch (depth) {
    case DEPTH_TAGS:
        return strcmp(element, "Tags") == 0;
    case DEPTH_SET: {
        const bool first = !parsing->set_seen;
        parsing->set_seen = true;
        return first && strcmp(element, "TagSet") == 0;
    }
    case DEPTH_TAG:
        parsing->name_seen = parsing->value_seen = false;
        gk_buf_reset(&parsing->name);
        gk_buf_reset(&parsing->value);
        return strcmp(element, "Tag") == 0;
    case DEPTH_TEXT:
        return open_text(parsing, element);
    default:
        return false;
    }
}

static bool take_text(void *ctx, struct gk_span text)
{
    struct parsing *parsing = ctx;
    if (parsing->text != NULL) {
        gk_buf_append(parsing->text, text.data, text.len);
        if (gk_buf_status(parsing->text) != GK_OK) {
            parsing->refusal = "TagsTooLarge";
        }
        return parsing->refusal == NULL;
    }
    size_t i = 0;
    while (i < text.len && strchr(WHITE_SPACE, text.data[i]) != NULL) {
        i++;
    }
    return i == text.len;
}

static bool close_element(void *ctx, unsigned depth)
{
    struct parsing *parsing = ctx;
    parsing->text = NULL;
    if (depth == DEPTH_TAG && parsing->name_seen && parsing->value_seen) {
        parsing->refusal =
            add_tag(parsing->tags, gk_buf_span(&parsing->name), gk_buf_span(&parsing->value));
        return parsing->refusal == NULL;
    }
    return depth == DEPTH_TAGS ? parsing->set_seen : depth != DEPTH_TAG;
}

enum gk_status gk_tags_from_xml(struct gk_span body, struct gk_metadata *tags,
                                struct gk_error *error)
{
    struct parsing parsing = {.tags = tags};
    clear(tags);
    gk_buf_init(&parsing.name, 4 * GK_TAG_NAME_BYTES_MAX);
    gk_buf_init(&parsing.value, 4 * GK_TAG_VALUE_BYTES_MAX);
    const struct gk_xml_visitor visitor = {
        .ctx = &parsing, .open = open_element, .text = take_text, .close = close_element};
    const enum gk_status status = gk_xml_read(body, &visitor, error);
    gk_buf_cleanup(&parsing.name);
    gk_buf_cleanup(&parsing.value);
    if (status == GK_OK) {
        return gk_buf_status(&tags->bytes);
    }
    return status == GK_E_INVALID
               ? gk_refuse(error, 400,
                           parsing.refusal == NULL ? "InvalidXmlDocument" : parsing.refusal)
               : status;
}

/* --- writing ------------------------------------------------------------------------------------*/

static void write_text(struct gk_xml_writer *xml, const char *element, struct gk_span text)
{
    char copy[GK_TAG_VALUE_BYTES_MAX + 1];
    const size_t len = text.len < sizeof copy ? text.len : sizeof copy - 1;
    if (len > 0) {
        memcpy(copy, text.data, len);
    }
    copy[len] = '\0';
    gk_xml_text(xml, element, copy);
}

void gk_tag_write(struct gk_xml_writer *xml, struct gk_span name, struct gk_span value)
{
    gk_xml_open(xml, "Tag");
    write_text(xml, "Key", name);
    write_text(xml, "Value", value);
    gk_xml_close(xml);
}

void gk_tags_write(struct gk_xml_writer *xml, const struct gk_metadata *tags)
{
    size_t at = 0;
    struct gk_span name;
    struct gk_span value;
    gk_xml_open(xml, "TagSet");
    while (gk_metadata_next(tags, &at, &name, &value)) {
        gk_tag_write(xml, name, value);
    }
    gk_xml_close(xml);
}
