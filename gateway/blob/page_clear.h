/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that are no longer written. Needs no key of the customer's: rows change, and no page object. */
#ifndef GATEWAY_BLOB_PAGE_CLEAR_H
#define GATEWAY_BLOB_PAGE_CLEAR_H

#include "gateway/blob/page_rows.h"

/*
 * Clears bytes [from, to), whole pages, of the blob that target shows, in as many writes of the record as
 * that takes, one at least, each with a new ETag. Holds the record's lock; target->record is the last
 * state afterwards. GK_E_CONFLICT: another gateway got in between; what was cleared stays so.
 */
enum gk_status gk_pages_clear(struct gk_request *request, struct gk_blob_target *target,
                              uint64_t from, uint64_t to, struct gk_error *error) GK_MUST_USE;

#endif
