/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer of a copy source on another host says of the blob that it is: a blob service's, or any
 * HTTPS server's, which is a block blob then. Strict: a source that does not tell its length, or gives
 * another part than it was asked for, is refused; conditions that a server may not know are looked at here as
 * well.
 */
#ifndef GATEWAY_BLOB_REMOTE_ANSWER_H
#define GATEWAY_BLOB_REMOTE_ANSWER_H

#include "gateway/blob/headers.h"

/* The answer's headers under the names that a request to store the same would have. All zero: none. */
struct gk_remote_answer {
    struct gk_request told; /* with an exchange of its own */
    unsigned status;
};

/* headers live as long as the answer. around: the request that it is read for. */
enum gk_status gk_remote_answer_init(struct gk_remote_answer *answer,
                                     const struct gk_request *around, unsigned status,
                                     const struct gk_pair *headers, size_t count,
                                     struct gk_error *error) GK_MUST_USE;
void gk_remote_answer_cleanup(struct gk_remote_answer *answer);

/*
 * Of the answer to own: record gets size, type, content headers, MD5 and time of change, range what its body
 * is of it. CannotVerifyCopySource with the source's status, or 500; 412 SourceConditionNotMet; 416
 * InvalidRange.
 */
enum gk_status gk_remote_answer_read(const struct gk_remote_answer *answer,
                                     const struct gk_request *own, struct gk_blob_record *record,
                                     struct gk_range *range, struct gk_error *error) GK_MUST_USE;
/* The source's own code of its refusal; "" when it has none, or one that is no word. */
const char *gk_remote_answer_code(const struct gk_remote_answer *answer);

#endif
