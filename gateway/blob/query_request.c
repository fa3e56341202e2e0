/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_request.h"

#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/xml.h"
#include "gateway/http/request.h"

#define TEXT_BYTES_MAX GK_QUERY_EXPRESSION_BYTES_MAX

/* Which elements there are, by what they stand in. */
enum element {
    ROOT,
    QUERY_TYPE,
    EXPRESSION,
    INPUT,
    OUTPUT,
    FORMAT,
    TYPE,
    DELIMITED,
    JSON,
    COLUMN,
    QUOTE,
    RECORD,
    ESCAPE,
    HEADERS,
    ELEMENTS
};

static const struct {
    const char *name;
    unsigned depth;
    bool has_text;
} elements[ELEMENTS] = {[ROOT] = {"QueryRequest", 0, false},
                        [QUERY_TYPE] = {"QueryType", 1, true},
                        [EXPRESSION] = {"Expression", 1, true},
                        [INPUT] = {"InputSerialization", 1, false},
                        [OUTPUT] = {"OutputSerialization", 1, false},
                        [FORMAT] = {"Format", 2, false},
                        [TYPE] = {"Type", 3, true},
                        [DELIMITED] = {"DelimitedTextConfiguration", 3, false},
                        [JSON] = {"JsonTextConfiguration", 3, false},
                        [COLUMN] = {"ColumnSeparator", 4, true},
                        [QUOTE] = {"FieldQuote", 4, true},
                        [RECORD] = {"RecordSeparator", 4, true},
                        [ESCAPE] = {"EscapeChar", 4, true},
                        [HEADERS] = {"HasHeaders", 4, true}};

struct parsing {
    struct gk_query_request *request;
    struct gk_query_format *format; /* whose elements are read */
    enum element open[5];           /* by depth */
    bool in_text;
    struct gk_buf text; /* of the element that is open, so far */
    bool has_type;
    bool has_output;
    const char *code; /* why it was refused; NULL: for its form */
};

static bool refuse(struct parsing *parsing, const char *code)
{
    parsing->code = code;
    return false;
}

static bool open_element(void *ctx, const char *name, unsigned depth)
{
    struct parsing *parsing = ctx;
    unsigned which = 0;
    if (depth == 3 && (strcmp(name, "ArrowConfiguration") == 0 ||
                       strcmp(name, "ParquetTextConfiguration") == 0)) {
        return refuse(parsing, "UnsupportedXmlNode");
    }
    while (which < ELEMENTS &&
           (elements[which].depth != depth || strcmp(elements[which].name, name) != 0)) {
        which++;
    }
    if (which == ELEMENTS || parsing->in_text ||
        (depth == 2 && parsing->open[1] != INPUT && parsing->open[1] != OUTPUT) ||
        (depth == 4 && parsing->open[3] != DELIMITED &&
         !(parsing->open[3] == JSON && which == RECORD))) {
        return false;
    }
    parsing->open[depth] = (enum element)which;
    parsing->in_text = elements[which].has_text;
    gk_buf_reset(&parsing->text);
    if (which == INPUT) {
        parsing->format = &parsing->request->input;
    } else if (which == OUTPUT) {
        parsing->format = &parsing->request->output;
        parsing->has_output = true;
    }
    return true;
}

/* White space counts: it may be what stands between records. */
static bool add_text(void *ctx, struct gk_span text)
{
    struct parsing *parsing = ctx;
    if (parsing->in_text) {
        gk_buf_append(&parsing->text, text.data, text.len);
    }
    return gk_buf_status(&parsing->text) == GK_OK;
}

static bool take_type(struct parsing *parsing, const char *text)
{
    if (strcasecmp(text, "arrow") == 0 || strcasecmp(text, "parquet") == 0) {
        return refuse(parsing, "UnsupportedXmlNode");
    }
    const bool json = strcasecmp(text, "json") == 0;
    parsing->format->kind = json ? GK_QUERY_JSON : GK_QUERY_DELIMITED;
    return json || strcasecmp(text, "delimited") == 0 || refuse(parsing, "InvalidXmlNodeValue");
}

static bool take_separator(struct parsing *parsing, char out[GK_QUERY_SEPARATOR_BYTES])
{
    const size_t len = parsing->text.len;
    if (len >= GK_QUERY_SEPARATOR_BYTES) {
        return refuse(parsing, "InvalidXmlNodeValue");
    }
    if (len > 0) { /* else it stays as it is documented to be */
        snprintf(out, GK_QUERY_SEPARATOR_BYTES, "%s", gk_buf_str(&parsing->text));
    }
    return true;
}

static bool take_character(struct parsing *parsing, char *out)
{
    if (parsing->text.len > 1) {
        return refuse(parsing, "InvalidXmlNodeValue");
    }
    *out = gk_buf_str(&parsing->text)[0];
    return true;
}

static bool take_text(struct parsing *parsing, enum element which)
{
    const char *text = gk_buf_str(&parsing->text);
    switch (which) {
    case QUERY_TYPE:
        parsing->has_type = true;
        return strcasecmp(text, "SQL") == 0 || refuse(parsing, "InvalidXmlNodeValue");
    case EXPRESSION:
        gk_buf_reset(&parsing->request->expression);
        gk_buf_append_str(&parsing->request->expression, text);
        return true;
    case TYPE:
        return take_type(parsing, text);
    case COLUMN:
        return take_separator(parsing, parsing->format->column);
    case RECORD:
        return take_separator(parsing, parsing->format->record);
    case QUOTE:
        return take_character(parsing, &parsing->format->quote);
    case ESCAPE:
        return take_character(parsing, &parsing->format->escape);
    case HEADERS:
        parsing->format->headers = strcasecmp(text, "true") == 0;
        return parsing->format->headers || strcasecmp(text, "false") == 0 ||
               refuse(parsing, "InvalidXmlNodeValue");
    default:
        return true;
    }
}

static bool close_element(void *ctx, unsigned depth)
{
    struct parsing *parsing = ctx;
    const enum element which = parsing->open[depth];
    parsing->in_text = false;
    return !elements[which].has_text || take_text(parsing, which);
}

enum gk_status gk_query_request_parse(struct gk_span body, struct gk_query_request *out,
                                      struct gk_error *error)
{
    static const struct gk_query_format plain = {
        .kind = GK_QUERY_DELIMITED, .record = "\n", .column = ",", .quote = '"'};
    *out = (struct gk_query_request){.input = plain, .output = plain};
    gk_buf_init(&out->expression, GK_QUERY_EXPRESSION_BYTES_MAX);
    struct parsing parsing = {.request = out};
    gk_buf_init(&parsing.text, TEXT_BYTES_MAX);
    const struct gk_xml_visitor visitor = {
        .ctx = &parsing, .open = open_element, .text = add_text, .close = close_element};
    enum gk_status status = gk_xml_read(body, &visitor, error);
    gk_buf_cleanup(&parsing.text);
    if (status == GK_E_INVALID) {
        return gk_refuse(error, 400, parsing.code == NULL ? "InvalidXmlDocument" : parsing.code);
    }
    if (status == GK_OK && (!parsing.has_type || out->expression.len == 0)) {
        status = gk_refuse(error, 400, "InvalidXmlDocument");
    }
    if (status == GK_OK && !parsing.has_output) {
        out->output = out->input;
    }
    return status;
}

void gk_query_request_cleanup(struct gk_query_request *request)
{
    gk_buf_cleanup(&request->expression);
}
