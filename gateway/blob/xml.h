/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML of the Blob service, over libxml2: documents are written into a buffer, and a request's
 * body is read element by element. Neither prints anything, follows a reference out of the document
 * or changes libxml2's global state; several threads may do both at once.
 */
#ifndef GATEWAY_BLOB_XML_H
#define GATEWAY_BLOB_XML_H

#include "common/buf.h"

/* --- writing ------------------------------------------------------------------------------------ */

/* A failure sticks, as in a buffer: one check, in finish. */
struct gk_xml_writer {
    struct _xmlTextWriter *text; /* libxml2's */
    struct gk_buf *out;
    bool failed;
};

/* Writes the declaration. Appends to out, which must outlive the writer; finish or cleanup follows. */
void gk_xml_writer_init(struct gk_xml_writer *writer, struct gk_buf *out);
void gk_xml_writer_cleanup(struct gk_xml_writer *writer); /* again is fine, and all zeros too */
/* Closes what is open and cleans up. GK_E_LIMIT, GK_E_RESOURCE. */
enum gk_status gk_xml_writer_finish(struct gk_xml_writer *writer,
                                    struct gk_error *error) GK_MUST_USE;

void gk_xml_open(struct gk_xml_writer *writer, const char *element);
void gk_xml_close(struct gk_xml_writer *writer);
/* Of the element that was opened last, before anything stands in it. */
void gk_xml_attribute(struct gk_xml_writer *writer, const char *attribute, const char *value);

/* <element>text</element>; what XML cannot carry becomes U+FFFD. NULL is like "". */
void gk_xml_text(struct gk_xml_writer *writer, const char *element, const char *text);
void gk_xml_u64(struct gk_xml_writer *writer, const char *element, uint64_t value);
/* A name that must come back as it is: one that XML cannot carry is percent-encoded, and says so in
 * the attribute Encoded (Storage REST reference, "List Blobs"). */
void gk_xml_name(struct gk_xml_writer *writer, const char *element, const char *name);

/* --- reading ------------------------------------------------------------------------------------ */

/* Names and text live during the call only. Return false to end the reading: it is then refused. */
struct gk_xml_visitor {
    void *ctx;
    bool (*open)(void *ctx, const char *element, unsigned depth); /* depth of the root: 0 */
    bool (*text)(void *ctx, struct gk_span text);                 /* perhaps in several pieces */
    bool (*close)(void *ctx, unsigned depth);
};

/*
 * Reads a whole document. GK_E_INVALID for anything that is no XML, has a document type (and so could
 * define entities), nests deeper than GK_XML_DEPTH_MAX, or that visitor refused.
 */
#define GK_XML_DEPTH_MAX 8u
enum gk_status gk_xml_read(struct gk_span document, const struct gk_xml_visitor *visitor,
                           struct gk_error *error) GK_MUST_USE;

#endif
