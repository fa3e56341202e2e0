/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists by pages, as the vendor's API has them: the answer's nextLink is the whole URL of the page that follows, and
 * absent on the last. A page may have fewer members than it was asked for, or none, and still be followed by another.
 * Pure.
 */
#ifndef GATEWAY_MANAGE_LIST_PAGE_H
#define GATEWAY_MANAGE_LIST_PAGE_H

#include <jansson.h>

#include "gateway/manage/manage.h"

/* Checks $skiptoken, which is a name, and reads $maxpagesize: most without one. 400 InvalidQueryParameterValue. */
enum gk_status gk_list_page_size(const struct gk_manage_request *request, uint32_t most,
                                 uint32_t *size, struct gk_error *error) GK_MUST_USE;
/* Writes nextLink into list: the same request, for what comes behind the name after. */
void gk_list_page_next(json_t *list, const struct gk_manage_request *request, const char *after);

#endif
