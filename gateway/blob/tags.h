/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob's index tags (Storage REST reference, "Set Blob Tags"): at most ten names with their values,
 * each name once. They stand in the record's open part, in the form of metadata and in the order that
 * they came in. Pure.
 */
#ifndef GATEWAY_BLOB_TAGS_H
#define GATEWAY_BLOB_TAGS_H

#include "gateway/blob/record.h"
#include "gateway/blob/xml.h"
#include "gateway/http/request.h"

#define GK_TAGS_MAX            10u
#define GK_TAG_NAME_BYTES_MAX  128u
#define GK_TAG_VALUE_BYTES_MAX 256u

/* Of names and values: a letter, a digit, a blank or one of + - . / : = _ */
bool gk_tag_char_valid(char c);

/*
 * Both replace what tags holds. 400 EmptyTagName, DuplicateTagNames, TagsTooLarge (too many, or one that is
 * too long), InvalidTag (other characters).
 */

/* x-ms-tags, name=value&name=value, percent-encoded; none without the header. 403
 * AuthorizationPermissionMismatch when the credential does not allow tags. */
enum gk_status gk_tags_from_header(const struct gk_request *request, struct gk_metadata *tags,
                                   struct gk_error *error) GK_MUST_USE;
/* The body of Set Blob Tags. 400 InvalidXmlDocument. */
enum gk_status gk_tags_from_xml(struct gk_span body, struct gk_metadata *tags,
                                struct gk_error *error) GK_MUST_USE;

/* <TagSet>, as Get Blob Tags and listings have it. */
void gk_tags_write(struct gk_xml_writer *xml, const struct gk_metadata *tags);
/* One that is in it. */
void gk_tag_write(struct gk_xml_writer *xml, struct gk_span name, struct gk_span value);
/* False when there is no tag of that name. */
bool gk_tags_find(const struct gk_metadata *tags, struct gk_span name, struct gk_span *value);

#endif
