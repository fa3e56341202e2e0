/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditional headers (Storage REST reference, "Specifying conditional headers for Blob service
 * operations"; RFC 9110 section 13 for their precedence). Pure.
 */
#ifndef GATEWAY_BLOB_CONDITIONS_H
#define GATEWAY_BLOB_CONDITIONS_H

#include "gateway/http/request.h"

enum gk_access { GK_ACCESS_READ, GK_ACCESS_WRITE };

/* What the conditions are about. */
struct gk_current {
    bool exists;
    uint64_t etag;
    int64_t modified_wall_ms;
};

/*
 * GK_OK: go on. Else 304 (reads alone), 412 ConditionNotMet, 409 BlobAlreadyExists (If-None-Match: *
 * on a write), or 400 InvalidHeaderValue for a date that is none.
 */
enum gk_status gk_conditions_check(const struct gk_request *request, enum gk_access access,
                                   const struct gk_current *current,
                                   struct gk_error *error) GK_MUST_USE;

/* The same of what is not ours: its ETag as its headers have it, or "" for none; no condition on it is met
 * by a weak one, or by none. */
enum gk_status gk_conditions_check_text(const struct gk_request *request, enum gk_access access,
                                        const struct gk_current *current, const char *etag,
                                        struct gk_error *error) GK_MUST_USE;

/* Whether there is any, or a lease id, which is one too. */
bool gk_conditions_given(const struct gk_request *request);

#define GK_ETAG_TEXT_BYTES 24u
/* As headers carry it, in quotes. */
void gk_etag_format(uint64_t etag, char out[GK_ETAG_TEXT_BYTES]);

#endif
