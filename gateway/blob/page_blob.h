/* SPDX-License-Identifier: Apache-2.0 */
/* Set Blob Properties of a page blob (Storage REST reference, "Set Blob Properties"). */
#ifndef GATEWAY_BLOB_PAGE_BLOB_H
#define GATEWAY_BLOB_PAGE_BLOB_H

#include "gateway/http/request.h"

/* Whether the request is about a page blob's size or sequence number. */
bool gk_page_properties_given(const struct gk_request *request);
/* Answers such a request. 409 InvalidBlobType for other blobs. */
enum gk_status gk_page_properties_set(struct gk_request *request,
                                      struct gk_error *error) GK_MUST_USE;

#endif
