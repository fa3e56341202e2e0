/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A blob's data key, under whichever key it is sealed (encryption.h): the account's, that and one that the
 * request brings, or that of an encryption scope. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_DATA_KEYS_H
#define GATEWAY_BLOB_DATA_KEYS_H

#include "gateway/blob/target.h"

/* Of a record that was opened otherwise (gk_blob_target_open): looks for its scope, if it has one, so that its
 * data key can be opened. As gk_scope_use. */
enum gk_status gk_blob_use_scope(const struct gk_request *request, struct gk_blob_target *target,
                                 struct gk_error *error) GK_MUST_USE;
/* The blob's data key; where that is under a client's key, the request brings it: 409 as
 * gk_encryption_match. */
enum gk_status gk_blob_open_data_key(const struct gk_request *request,
                                     const struct gk_blob_target *target, struct gk_data_key **out,
                                     struct gk_error *error) GK_MUST_USE;
/* The blob's metadata, into metadata, which is initialised; empty when it has none. */
enum gk_status gk_blob_metadata(const struct gk_request *request,
                                const struct gk_blob_target *target, struct gk_data_key *data_key,
                                struct gk_metadata *metadata, struct gk_error *error) GK_MUST_USE;
/* A new incarnation: object id, data key and its encryption, which is what the request asks for, or else
 * target's container has, into record, and the handle. 403, 404 as gk_encryption_of_new and gk_scope_use. */
enum gk_status gk_blob_new_data_key(const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    struct gk_blob_record *record, struct gk_data_key **out,
                                    struct gk_error *error) GK_MUST_USE;
/* The same for what target, whose scope was looked for, has already: under the same key as the data key that it has,
 * which is the account's or a scope's. */
enum gk_status gk_blob_another_data_key(const struct gk_request *request,
                                        const struct gk_blob_target *target,
                                        struct gk_blob_record *record, struct gk_data_key **out,
                                        struct gk_error *error) GK_MUST_USE;

#endif
