/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Removing what a page blob's space has and neither the blob nor a state of it names any more (page_eras.h):
 * rows of earlier eras, page objects, rows of groups. Memory is that of the rows of one group, 32 GiB of the
 * blob, however many states there are.
 *
 * Nobody has to stand still. What has been read is looked at in this order: the blob's record, its states,
 * the groups that those name, and then the rows. A row that the blob has left behind is named by a state that
 * was made before or by none, so that what nobody names then will never be named again; and rows of the
 * blob's present era are left to the blob.
 */
#ifndef GATEWAY_BLOB_SHARED_PAGES_H
#define GATEWAY_BLOB_SHARED_PAGES_H

#include "gateway/blob/removal.h"

/*
 * blob: the name of the one whose base or states may have the space. May be repeated. GK_E_CONFLICT: the
 * blob came into another era all the time, another time. GK_E_INTEGRITY: something is damaged, and nobody
 * knows what it names.
 */
enum gk_status gk_shared_pages_remove(const struct gk_removal *removal,
                                      const struct gk_id *container, const char *index,
                                      struct gk_span blob, const struct gk_id *space,
                                      struct gk_error *error) GK_MUST_USE;

#endif
