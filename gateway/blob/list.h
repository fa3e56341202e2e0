/* SPDX-License-Identifier: Apache-2.0 */
/*
 * List Containers and List Blobs (Storage REST reference). Both answer at most GK_LIST_RESULTS_MAX
 * entries at a time and a marker to go on with.
 */
#ifndef GATEWAY_BLOB_LIST_H
#define GATEWAY_BLOB_LIST_H

#include "gateway/http/request.h"

#define GK_LIST_RESULTS_MAX 5000u

extern const struct gk_handler gk_list_containers_handler; /* GK_OP_BLOB_LIST_CONTAINERS */
/* GK_OP_BLOB_LIST_BLOBS_WITH_METADATA and GK_OP_BLOB_LIST_BLOBS. */
extern const struct gk_handler gk_list_blobs_handler;

#endif
