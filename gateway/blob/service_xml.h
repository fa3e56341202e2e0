/* SPDX-License-Identifier: Apache-2.0 */
/* The XML of Set and Get Blob Service Properties (Storage REST reference). Pure. */
#ifndef GATEWAY_BLOB_SERVICE_XML_H
#define GATEWAY_BLOB_SERVICE_XML_H

#include "gateway/blob_service.h"

/*
 * Reads the body of Set Blob Service Properties. *parts (GK_SERVICE_*) are those that it has; of the
 * others settings says nothing. 400 InvalidXmlDocument: no XML, an element that is not known, comes
 * twice or is missing; 400 InvalidXmlNodeValue: one with a value that is not allowed.
 */
enum gk_status gk_service_xml_parse(struct gk_span body, struct gk_blob_service *settings,
                                    uint32_t *parts, struct gk_error *error) GK_MUST_USE;

/* Appends the answer of Get Blob Service Properties to out. */
enum gk_status gk_service_xml_write(const struct gk_blob_service *settings, struct gk_buf *out,
                                    struct gk_error *error) GK_MUST_USE;

#endif
