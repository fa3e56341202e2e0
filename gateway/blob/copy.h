/* SPDX-License-Identifier: Apache-2.0 */
/*
 * That a blob is a copy, or is to become one, as its record has it and as Get Blob tells it until the blob
 * changes (Storage REST reference, "Copy Blob", "Get Blob Properties"). Two fields: one that every copy has,
 * and one of those that are no success, or not yet (copy_pend.h).
 *   copy        id 16 | bytes 8 | completed 8 | source, a text
 *   unfinished  status 1 | done 8 | asked 8 | description, a text | origin, when it is pending
 *   origin      account, a text | its id 16 | container, a text | blob, a text | kind 1 | time 8
 *               | object 16 | etag 8
 */
#ifndef GATEWAY_BLOB_COPY_H
#define GATEWAY_BLOB_COPY_H

#include "gatekey/plugin.h"
#include "gateway/blob/history.h"

#define GK_COPY_DESCRIPTION_BYTES 256u /* with NUL */

/* The numbers are part of the format. */
enum gk_copy_status {
    GK_COPY_SUCCESS = 0,
    GK_COPY_PENDING = 1,
    GK_COPY_ABORTED = 2,
    GK_COPY_FAILED = 3
};

/* What a pending copy is made of: this content of that blob, and no other. */
struct gk_copy_origin {
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    struct gk_id account_id;
    char *container; /* owned, as blob is: names, as the client wrote them */
    char *blob;
    enum gk_state_kind kind; /* a base, a snapshot or a version, and of which time */
    uint64_t time;
    struct gk_id object;
    uint64_t etag;
};

/* All zero: the copy is a success. */
struct gk_copy_unfinished {
    enum gk_copy_status status;
    uint64_t
        done_bytes; /* of the source's; what the record has of them is hidden until all are there */
    int64_t asked_wall_ms;
    char description
        [GK_COPY_DESCRIPTION_BYTES]; /* why it failed, or what it waits for; "": nothing */
    struct gk_copy_origin origin;    /* while it is pending */
};

/* All zero: it is no copy. */
struct gk_copy {
    struct gk_id id;
    uint64_t bytes;            /* of the source */
    int64_t completed_wall_ms; /* when it came to its end; 0: it has not */
    char *
        source; /* owned: the URL that was copied from, with the state that it names; NULL: no copy */
    struct gk_copy_unfinished unfinished;
};

extern const struct gk_field_kind gk_copy_field;
extern const struct gk_field_kind gk_copy_unfinished_field; /* of the member of that name */

void gk_copy_clear(struct gk_copy *copy);
/* Nothing is left that a copy would go on with. */
void gk_copy_origin_clear(struct gk_copy_origin *origin);

/* "success", "pending", "aborted", "failed". */
const char *gk_copy_status_text(const struct gk_copy *copy);
/* How many bytes of the source have been copied. */
uint64_t gk_copy_done_bytes(const struct gk_copy *copy);

#endif
