/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies that are pending (Storage REST reference, "Copy Blob"): what cannot be shared and is too large for the
 * client to wait for is answered at once, with a blob of no length that says so, and is copied behind that by
 * whichever gateway finds the time (copy_work.h, copier.h).
 *
 *   record, pending     the key, headers and metadata of the copy to be; what has been copied, in its manifest,
 *                       hidden: its size is 0
 *   record, success     the same with its size, in the write that adds the last of it
 *   record, aborted     the same with nothing copied: what was is garbage
 *     or failed
 *
 * All of it is in the record, which every step changes as it found it or not at all: so whoever ends a copy first
 * has ended it, and no two gateways go on with one. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_COPY_PEND_H
#define GATEWAY_BLOB_COPY_PEND_H

#include "gateway/blob/copy_list.h"
#include "gateway/blob/upload.h"

/*
 * Whether the copy of request->source that upload makes, which has its data key, is for later. Nothing is that is
 * under a client's key, which nobody else has, that the client wants a checksum of, or that is on another host; and no
 * copy of a blob onto itself: its source would be gone meanwhile.
 */
bool gk_copy_pends(const struct gk_request *request, const struct gk_upload *upload) GK_MUST_USE;
/* Makes upload's record, which is a copy's, that of a pending one. */
enum gk_status gk_copy_pend(const struct gk_request *request, struct gk_upload *upload,
                            struct gk_error *error) GK_MUST_USE;
/* Where it is found; before its record is written. */
enum gk_status gk_copy_pend_list(const struct gk_request *request, const struct gk_upload *upload,
                                 struct gk_error *error) GK_MUST_USE;

/* Whether target shows a blob with a pending copy. */
bool gk_copy_is_pending(const struct gk_blob_target *target) GK_MUST_USE;
/* A part of write: the copy that target shows ends without success, and the blob has no length. Needs no key. */
enum gk_status gk_copy_end(struct gk_blob_write *write, const struct gk_request *request,
                           struct gk_blob_target *target, enum gk_copy_status ended,
                           const char *description, struct gk_error *error) GK_MUST_USE;

#endif
