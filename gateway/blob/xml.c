/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/xml.h"

#include <inttypes.h>
#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <libxml/xmlwriter.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>

#include "common/error.h"
#include "common/text.h"

#define TEXT_BYTES_MAX 65536u /* of one element, with what escaping and replacing add */
#define REPLACEMENT    "\xef\xbf\xbd"

static void init_library(void)
{
    LIBXML_TEST_VERSION
}

static void use_library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, init_library);
}

static const xmlChar *text_of(const char *text)
{
    return (const xmlChar *)text;
}

/* --- characters --------------------------------------------------------------------------------- */

/* The length of the character at text when XML 1.0 can carry it (shortest form of UTF-8, no
 * surrogate, no control character, neither U+FFFE nor U+FFFF), else 0. */
static size_t carried(const uint8_t *text)
{
    uint32_t point = text[0];
    const size_t len = point < 0x80       ? 1
                       : point >> 5 == 6  ? 2
                       : point >> 4 == 14 ? 3
                       : point >> 3 == 30 ? 4
                                          : 0;
    point &= len == 1 ? 0x7fu : 0xffu >> (len + 1);
    for (size_t i = 1; i < len; i++) {
        if (text[i] >> 6 != 2) { /* also where the text ends */
            return 0;
        }
        point = point << 6 | (text[i] & 0x3fu);
    }
    static const uint32_t least[] = {UINT32_MAX, 0, 0x80, 0x800, 0x10000};
    return point >= least[len] && xmlIsCharQ(point) ? len : 0;
}

static bool is_carried(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t len = 1;
    while (*at != 0 && len > 0) {
        len = carried(at);
        at += len;
    }
    return len > 0;
}

static void append_carried(struct gk_buf *out, const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    while (*at != 0) {
        const size_t len = carried(at);
        if (len == 0) {
            gk_buf_append_str(out, REPLACEMENT);
        } else {
            gk_buf_append(out, at, len);
        }
        at += len == 0 ? 1 : len;
    }
}

/* --- writing ------------------------------------------------------------------------------------ */

/* Always content: what does not fit sticks in the buffer, and libxml2 has nothing to complain of. */
static int take_output(void *ctx, const char *bytes, int len)
{
    gk_buf_append(ctx, bytes, (size_t)len);
    return len;
}

static void check(struct gk_xml_writer *writer, int result)
{
    writer->failed = writer->failed || result < 0;
}

void gk_xml_writer_init(struct gk_xml_writer *writer, struct gk_buf *out)
{
    use_library();
    *writer = (struct gk_xml_writer){.out = out};
    gk_buf_append_str(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    xmlOutputBufferPtr output = xmlOutputBufferCreateIO(take_output, NULL, out, NULL);
    writer->text = output == NULL ? NULL : xmlNewTextWriter(output);
    writer->failed = writer->text == NULL;
    if (output != NULL && writer->text == NULL) {
        xmlOutputBufferClose(output);
    }
}

void gk_xml_writer_cleanup(struct gk_xml_writer *writer)
{
    if (writer->text != NULL) {
        xmlFreeTextWriter(writer->text);
        writer->text = NULL;
    }
}

enum gk_status gk_xml_writer_finish(struct gk_xml_writer *writer, struct gk_error *error)
{
    if (!writer->failed) {
        check(writer, xmlTextWriterEndDocument(writer->text));
    }
    gk_xml_writer_cleanup(writer);
    if (writer->failed) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory for XML");
    }
    const enum gk_status status = gk_buf_status(writer->out);
    return status == GK_OK ? GK_OK : gk_fail(error, status, "an XML document does not fit");
}

void gk_xml_open(struct gk_xml_writer *writer, const char *element)
{
    if (!writer->failed) {
        check(writer, xmlTextWriterStartElement(writer->text, text_of(element)));
    }
}

void gk_xml_close(struct gk_xml_writer *writer)
{
    if (!writer->failed) {
        check(writer, xmlTextWriterEndElement(writer->text));
    }
}

typedef int write_fn(xmlTextWriterPtr text, const xmlChar *name, const xmlChar *content);

static void write_carried(struct gk_xml_writer *writer, write_fn *write, const char *name,
                          const char *text)
{
    if (writer->failed) {
        return;
    }
    if (is_carried(text)) {
        check(writer, write(writer->text, text_of(name), text_of(text)));
        return;
    }
    struct gk_buf clean;
    gk_buf_init(&clean, TEXT_BYTES_MAX);
    append_carried(&clean, text);
    check(writer, gk_buf_status(&clean) != GK_OK
                      ? -1
                      : write(writer->text, text_of(name), text_of(gk_buf_str(&clean))));
    gk_buf_cleanup_wipe(&clean);
}

void gk_xml_attribute(struct gk_xml_writer *writer, const char *attribute, const char *value)
{
    write_carried(writer, xmlTextWriterWriteAttribute, attribute, value);
}

void gk_xml_text(struct gk_xml_writer *writer, const char *element, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        gk_xml_open(writer, element);
        gk_xml_close(writer);
    } else {
        write_carried(writer, xmlTextWriterWriteElement, element, text);
    }
}

void gk_xml_u64(struct gk_xml_writer *writer, const char *element, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    gk_xml_text(writer, element, text);
}

void gk_xml_name(struct gk_xml_writer *writer, const char *element, const char *name)
{
    if (is_carried(name)) {
        gk_xml_text(writer, element, name);
        return;
    }
    struct gk_buf encoded;
    gk_buf_init(&encoded, TEXT_BYTES_MAX);
    gk_percent_encode(&encoded, gk_span_str(name), "/");
    gk_xml_open(writer, element);
    gk_xml_attribute(writer, "Encoded", "true");
    if (!writer->failed) {
        check(writer, gk_buf_status(&encoded) != GK_OK
                          ? -1
                          : xmlTextWriterWriteString(writer->text, text_of(gk_buf_str(&encoded))));
    }
    gk_xml_close(writer);
    gk_buf_cleanup(&encoded);
}

/* --- reading ------------------------------------------------------------------------------------ */

struct reading {
    const struct gk_xml_visitor *visitor;
    xmlParserCtxtPtr parser;
    unsigned depth; /* elements that are open */
    bool refused;
    bool whole; /* the root was opened and closed */
};

static void refuse(struct reading *reading)
{
    reading->refused = true;
    xmlStopParser(reading->parser);
}

static void on_open(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                    int namespaces_count, const xmlChar **namespaces, int attributes_count,
                    int defaults_count, const xmlChar **attributes)
{
    (void)uri, (void)namespaces_count, (void)namespaces;
    (void)attributes_count, (void)defaults_count, (void)attributes;
    struct reading *reading = ctx;
    if (reading->refused) {
        return;
    }
    if (prefix != NULL || reading->depth == GK_XML_DEPTH_MAX ||
        !reading->visitor->open(reading->visitor->ctx, (const char *)name, reading->depth)) {
        refuse(reading);
        return;
    }
    reading->depth++;
}

static void on_close(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)name, (void)prefix, (void)uri;
    struct reading *reading = ctx;
    if (reading->refused) {
        return;
    }
    reading->depth--;
    reading->whole = reading->depth == 0;
    if (!reading->visitor->close(reading->visitor->ctx, reading->depth)) {
        refuse(reading);
    }
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
    struct reading *reading = ctx;
    if (!reading->refused &&
        !reading->visitor->text(reading->visitor->ctx, gk_span_of(text, (size_t)len))) {
        refuse(reading);
    }
}

/* Comes before anything that a document type declares is looked at. */
static void on_document_type(void *ctx, const xmlChar *name, const xmlChar *external_id,
                             const xmlChar *system_id)
{
    (void)name, (void)external_id, (void)system_id;
    refuse(ctx);
}

/* That there was one, the parser remembers; its text would go to stderr. */
static void on_error(void *ctx, xmlErrorPtr error)
{
    (void)ctx, (void)error;
}

/* UTF-8 alone, so that no other decoder of the library is ever reached: what begins otherwise, or has
 * a NUL in it, could be taken for UTF-16, UCS-4 or EBCDIC. */
static bool looks_like_xml(struct gk_span document)
{
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf};
    const size_t start =
        document.len >= sizeof mark && memcmp(document.data, mark, sizeof mark) == 0 ? sizeof mark
                                                                                     : 0;
    return document.len > start && document.len <= INT_MAX &&
           strchr("< \t\r\n", document.data[start]) != NULL &&
           memchr(document.data, '\0', document.len) == NULL;
}

static enum gk_status parse(struct reading *reading, struct gk_span document,
                            struct gk_error *error)
{
    xmlParserCtxtPtr parser = reading->parser;
    *parser->sax = (xmlSAXHandler){.initialized = XML_SAX2_MAGIC,
                                   .internalSubset = on_document_type,
                                   .startElementNs = on_open,
                                   .endElementNs = on_close,
                                   .characters = on_text,
                                   .cdataBlock = on_text,
                                   .serror = on_error};
    parser->userData = reading;
    /* No tree is made: without its handlers there is nothing that would make one. */
    (void)xmlCtxtReadMemory(parser, (const char *)document.data, (int)document.len, NULL, NULL,
                            XML_PARSE_NONET | XML_PARSE_IGNORE_ENC);
    if (parser->wellFormed && reading->whole && !reading->refused) {
        return GK_OK;
    }
    const bool no_memory =
        parser->errNo == XML_ERR_NO_MEMORY || (parser->wellFormed && !reading->refused);
    return no_memory ? gk_fail(error, GK_E_RESOURCE, "out of memory for XML")
                     : gk_fail(error, GK_E_INVALID, "not the XML document that is wanted");
}

enum gk_status gk_xml_read(struct gk_span document, const struct gk_xml_visitor *visitor,
                           struct gk_error *error)
{
    use_library();
    if (!looks_like_xml(document)) {
        return gk_fail(error, GK_E_INVALID, "not an XML document");
    }
    struct reading reading = {.visitor = visitor, .parser = xmlNewParserCtxt()};
    if (reading.parser == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory for XML");
    }
    const enum gk_status status = parse(&reading, document, error);
    xmlFreeParserCtxt(reading.parser);
    return status;
}
