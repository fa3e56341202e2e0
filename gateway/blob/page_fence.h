/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes into page objects that were decided and may still come (put_page.c): who they are of stands in the
 * blob's record (page_eras.h). Here they are made to have come, or never to come: a write into an object is
 * guarded by the object's version, so another write to it ends all that were to come.
 */
#ifndef GATEWAY_BLOB_PAGE_FENCE_H
#define GATEWAY_BLOB_PAGE_FENCE_H

#include "gateway/blob/target.h"

/*
 * Notes in target's record, which is written next, that this process will write into object. Another
 * process' word that has to give way is made good first.
 */
enum gk_status gk_page_fence_announce(const struct gk_request *request,
                                      struct gk_blob_target *target, const struct gk_id *object,
                                      struct gk_error *error) GK_MUST_USE;
/* Nobody knows whether this process' last write has come or will: its word stands from now on as that of
 * another process. */
void gk_page_fence_disown(struct gk_gateway *gateway);
/*
 * None of the writes that target's record tells of comes any more, so that a state can be made of the
 * blob: as long as the record is the same, none was decided since. Needs no key.
 */
enum gk_status gk_page_fence_all(const struct gk_request *request,
                                 const struct gk_blob_target *target,
                                 struct gk_error *error) GK_MUST_USE;

#endif
