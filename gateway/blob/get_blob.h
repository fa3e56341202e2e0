/* SPDX-License-Identifier: Apache-2.0 */
/* What all operations that read a blob's content or metadata do first. */
#ifndef GATEWAY_BLOB_GET_BLOB_H
#define GATEWAY_BLOB_GET_BLOB_H

#include "gateway/blob/target.h"

typedef enum gk_status gk_blob_load_fn(struct gk_request *request, struct gk_blob_target *target,
                                       struct gk_error *error);

/* Loads the blob, checks the conditions, and puts its metadata into the answer. target and *data_key are the
 * caller's, whatever the result. */
enum gk_status gk_blob_begin_answer(struct gk_request *request, struct gk_blob_target *target,
                                    gk_blob_load_fn *load, struct gk_data_key **data_key,
                                    struct gk_error *error) GK_MUST_USE;

#endif
