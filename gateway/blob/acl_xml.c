/* SPDX-License-Identifier: Apache-2.0 */
/* The stored access policies of a container in XML, there and back. */
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/acl.h"
#include "gateway/blob/xml.h"
#include "gateway/http/request.h"

#define WHITE_SPACE       " \t\r\n"
#define TEXT_BYTES_MAX    (GK_ACL_ID_BYTES_MAX + 64u)
#define PERMISSIONS_KNOWN "racwdxyltmeopif"

/* --- reading ------------------------------------------------------------------------------------*/

enum element { IDENTIFIERS, IDENTIFIER, ID, POLICY, START, EXPIRY, PERMISSION, ELEMENTS };

static const struct {
    const char *name;
    unsigned depth;
    bool has_text;
} elements[ELEMENTS] = {
    [IDENTIFIERS] = {"SignedIdentifiers", 0, false},
    [IDENTIFIER] = {"SignedIdentifier", 1, false},
    [ID] = {"Id", 2, true},
    [POLICY] = {"AccessPolicy", 2, false},
    [START] = {"Start", 3, true},
    [EXPIRY] = {"Expiry", 3, true},
    [PERMISSION] = {"Permission", 3, true},
};

struct parsing {
    struct gk_acl *acl;
    unsigned seen;               /* bits of the elements that this identifier has had */
    enum element open[ELEMENTS]; /* by depth */
    bool in_text;
    struct gk_buf text; /* of the element that is open, so far */
    const char *code;   /* why it was refused; NULL: for its form */
};

static bool refuse_value(struct parsing *parsing)
{
    parsing->code = "InvalidXmlNodeValue";
    return false;
}

static struct gk_stored_policy *current(const struct parsing *parsing)
{
    return &parsing->acl->policies[parsing->acl->policies_count - 1];
}

static bool begin_policy(struct parsing *parsing)
{
    if (parsing->acl->policies_count == GK_ACL_POLICIES_MAX) {
        return false;
    }
    parsing->seen = 0;
    parsing->acl->policies[parsing->acl->policies_count++] = (struct gk_stored_policy){
        .start_wall_ms = GK_ACL_NO_TIME, .expiry_wall_ms = GK_ACL_NO_TIME};
    return true;
}

static bool open_element(void *ctx, const char *name, unsigned depth)
{
    struct parsing *parsing = ctx;
    unsigned which = 0;
    while (which < ELEMENTS &&
           (elements[which].depth != depth || strcmp(elements[which].name, name) != 0)) {
        which++;
    }
    /* What stands in an access policy stands nowhere else, and nothing stands in a text. */
    if (which == ELEMENTS || (depth == 3 && parsing->open[2] != POLICY)) {
        return false;
    }
    parsing->open[depth] = (enum element)which;
    parsing->in_text = elements[which].has_text;
    gk_buf_reset(&parsing->text);
    if (which == IDENTIFIER) {
        return begin_policy(parsing);
    }
    const bool repeated = depth > 1 && (parsing->seen & 1u << which) != 0;
    parsing->seen |= 1u << which;
    return !repeated;
}

static bool take_text(void *ctx, struct gk_span text)
{
    struct parsing *parsing = ctx;
    if (!parsing->in_text) {
        size_t i = 0;
        while (i < text.len && strchr(WHITE_SPACE, text.data[i]) != NULL) {
            i++;
        }
        return i == text.len;
    }
    gk_buf_append(&parsing->text, text.data, text.len);
    return gk_buf_status(&parsing->text) == GK_OK || refuse_value(parsing);
}

static size_t characters(const char *utf8)
{
    size_t count = 0;
    for (; *utf8 != '\0'; utf8++) {
        count += ((uint8_t)*utf8 & 0xc0u) != 0x80u;
    }
    return count;
}

static bool take_id(struct parsing *parsing, const char *text)
{
    struct gk_stored_policy *policy = current(parsing);
    if (text[0] == '\0' || characters(text) > GK_ACL_ID_CHARACTERS_MAX ||
        strlen(text) > GK_ACL_ID_BYTES_MAX || gk_acl_find(parsing->acl, text) != NULL) {
        return refuse_value(parsing);
    }
    memcpy(policy->id, text, strlen(text) + 1);
    return true;
}

static bool take_time(struct parsing *parsing, const char *text, int64_t *wall_ms)
{
    return text[0] == '\0' || gk_time_iso_parse(text, wall_ms) || refuse_value(parsing);
}

static bool take_permissions(struct parsing *parsing, const char *text)
{
    const size_t len = strlen(text);
    if (len > GK_ACL_PERMISSIONS_BYTES_MAX || strspn(text, PERMISSIONS_KNOWN) != len) {
        return refuse_value(parsing);
    }
    memcpy(current(parsing)->permissions, text, len + 1);
    return true;
}

static bool close_element(void *ctx, unsigned depth)
{
    struct parsing *parsing = ctx;
    const char *text = gk_buf_str(&parsing->text);
    parsing->in_text = false;
    switch (parsing->open[depth]) {
    case IDENTIFIER:
        return (parsing->seen & 1u << ID) != 0;
    case ID:
        return take_id(parsing, text);
    case START:
        return take_time(parsing, text, &current(parsing)->start_wall_ms);
    case EXPIRY:
        return take_time(parsing, text, &current(parsing)->expiry_wall_ms);
    case PERMISSION:
        return take_permissions(parsing, text);
    default:
        return true;
    }
}

enum gk_status gk_acl_xml_read(struct gk_span body, struct gk_acl *acl, struct gk_error *error)
{
    struct parsing parsing = {.acl = acl};
    const struct gk_xml_visitor visitor = {
        .ctx = &parsing, .open = open_element, .text = take_text, .close = close_element};
    gk_buf_init(&parsing.text, TEXT_BYTES_MAX);
    acl->policies_count = 0;
    const enum gk_status status = gk_xml_read(body, &visitor, error);
    gk_buf_cleanup(&parsing.text);
    return status != GK_E_INVALID
               ? status
               : gk_refuse(error, 400, parsing.code == NULL ? "InvalidXmlDocument" : parsing.code);
}

/* --- writing ------------------------------------------------------------------------------------*/

static void write_time(struct gk_xml_writer *xml, const char *element, int64_t wall_ms)
{
    char text[GK_TIME_TEXT_BYTES];
    if (wall_ms != GK_ACL_NO_TIME) {
        gk_time_iso(wall_ms, text);
        gk_xml_text(xml, element, text);
    }
}

static void write_policy(struct gk_xml_writer *xml, const struct gk_stored_policy *policy)
{
    gk_xml_open(xml, "SignedIdentifier");
    gk_xml_text(xml, "Id", policy->id);
    gk_xml_open(xml, "AccessPolicy");
    write_time(xml, "Start", policy->start_wall_ms);
    write_time(xml, "Expiry", policy->expiry_wall_ms);
    if (policy->permissions[0] != '\0') {
        gk_xml_text(xml, "Permission", policy->permissions);
    }
    gk_xml_close(xml);
    gk_xml_close(xml);
}

enum gk_status gk_acl_xml_write(const struct gk_acl *acl, struct gk_buf *out,
                                struct gk_error *error)
{
    struct gk_xml_writer xml;
    gk_xml_writer_init(&xml, out);
    gk_xml_open(&xml, "SignedIdentifiers");
    for (uint32_t i = 0; i < acl->policies_count; i++) {
        write_policy(&xml, &acl->policies[i]);
    }
    gk_xml_close(&xml);
    return gk_xml_writer_finish(&xml, error);
}
