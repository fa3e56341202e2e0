/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block or append blob as a copy of another of its account that shares what that consists of: the data key is
 * resealed for the copy, and the segments are borrowed (loan.h), wherever in the account the copy is. The
 * cost is that of a Put Block List. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_COPY_SHARE_H
#define GATEWAY_BLOB_COPY_SHARE_H

#include "gateway/blob/borrow.h"
#include "gateway/blob/lend.h"
#include "gateway/blob/upload.h"

/* All zero: nothing is shared. cleanup is always fine. */
struct gk_copy_share {
    bool shares;
    struct gk_manifest_entry *entries; /* the copy's */
    uint32_t entries_count;
    struct gk_lender lender;
    uint8_t lender_name[GK_BLOB_NAME_BYTES_MAX];
    struct gk_borrow borrow;
};

/*
 * Looks whether request->source can be shared by the blob that upload makes, and where its data is. It
 * cannot, and share->shares stays false, where it is another account's, under or to be under another key than
 * the account's, of another type or too small to have data objects, or made of data of several blobs.
 */
enum gk_status gk_copy_share_begin(const struct gk_request *request, const struct gk_upload *upload,
                                   struct gk_copy_share *share, struct gk_error *error) GK_MUST_USE;
/* Object id, data key and handle into upload. */
enum gk_status gk_copy_share_key(const struct gk_request *request, struct gk_upload *upload,
                                 struct gk_error *error) GK_MUST_USE;
/* Makes the loan, and has upload's record name it. Holds no lock. */
enum gk_status gk_copy_share_borrow(struct gk_request *request, struct gk_upload *upload,
                                    struct gk_copy_share *share,
                                    struct gk_error *error) GK_MUST_USE;
/* A part of the upload's write: the manifest. */
enum gk_status gk_copy_share_write(const struct gk_request *request, struct gk_upload *upload,
                                   const struct gk_copy_share *share, struct gk_blob_write *write,
                                   struct gk_error *error) GK_MUST_USE;
void gk_copy_share_cleanup(struct gk_copy_share *share);

#endif
