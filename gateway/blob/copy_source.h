/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an operation "from URL" or a copy takes its bytes from. x-ms-copy-source names a blob of an account
 * of this gateway, which is read as a Get Blob in the client's name, without a connection: with what the
 * URL carries (a shared access signature, or nothing where the public may read), with
 * x-ms-copy-source-authorization, or, within one account, with the account key that signed the request.
 * A key of the source's account that is revoked refuses it as it would refuse the Get Blob.
 * (Storage REST reference: "Copy Blob", "Copy Blob From URL", "Put Blob From URL", "Put Block From URL",
 * "Append Block From URL", "Put Page From URL".)
 *
 * Or it names something on another host, which is got over HTTPS (remote_source.h) with what the client sends
 * for it, when the configuration lists that host (copy_hosts.h). Any other is refused without a connection: a
 * server that fetches what a client names can be made to fetch what only the server can reach.
 *
 * A source belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_COPY_SOURCE_H
#define GATEWAY_BLOB_COPY_SOURCE_H

#include "gateway/blob/headers.h"
#include "gateway/blob/target.h"

struct gk_copy_source;

/*
 * Opens what x-ms-copy-source names, checks the x-ms-source-if- conditions and takes the part that
 * x-ms-source-range names, or all of it. Sets request->source, and request->content_length to the part's
 * length: from here on the source is the request's body. 400 MissingRequiredHeader, InvalidHeaderValue, 416
 * InvalidRange, CannotVerifyCopySource with the source's own status or 500, 409 PendingCopyOperation for a
 * source that is itself still being copied, 412 SourceConditionNotMet, the plugin's refusals.
 * gk_copy_source_close is always fine afterwards.
 */
enum gk_status gk_copy_source_open(struct gk_request *request, struct gk_error *error) GK_MUST_USE;
void gk_copy_source_close(struct gk_request *request);

/* On another host: then its record tells what its answer says, and it has neither account nor target. */
bool gk_copy_source_is_remote(const struct gk_copy_source *source);
const struct gk_blob_record *gk_copy_source_record(const struct gk_copy_source *source);
/* The Get Blob that it is, and what that reads. */
const struct gk_request *gk_copy_source_request(const struct gk_copy_source *source);
const struct gk_blob_target *gk_copy_source_target(const struct gk_copy_source *source);
/* A whole blob is made of a whole blob: 400 UnsupportedHeader for x-ms-source-range. */
enum gk_status gk_copy_source_whole(const struct gk_request *request,
                                    struct gk_error *error) GK_MUST_USE;
/* The source's content headers, as far as record has none. */
enum gk_status gk_copy_source_inherit(const struct gk_copy_source *source,
                                      struct gk_blob_record *record,
                                      struct gk_error *error) GK_MUST_USE;
/* The source's metadata, into metadata, which is initialised. */
enum gk_status gk_copy_source_metadata(const struct gk_copy_source *source,
                                       struct gk_metadata *metadata,
                                       struct gk_error *error) GK_MUST_USE;
/* x-ms-copy-source-tag-option: with COPY, tags become the source's. 400 InvalidHeaderValue, 403 when one of
 * the credentials does not allow tags. */
enum gk_status gk_copy_source_tags(const struct gk_request *request, struct gk_metadata *tags,
                                   struct gk_error *error) GK_MUST_USE;
/* What a copy of request->source tells of it from now on, into copy, in the place of what that has. Its source is
 * x-ms-copy-source without the query, which may hold a signature, but for the state that it names. */
enum gk_status gk_copy_source_describe(const struct gk_request *request, struct gk_copy *copy,
                                       struct gk_error *error) GK_MUST_USE;

typedef enum gk_status gk_copy_take_fn(struct gk_request *request, struct gk_span bytes,
                                       struct gk_error *error);
/* What is written in place may have changed while it was read: 412 SourceConditionNotMet. */
enum gk_status gk_copy_source_check_unchanged(struct gk_request *request,
                                              struct gk_error *error) GK_MUST_USE;
/* Hands the part's bytes to take, piece by piece, each verified. */
enum gk_status gk_copy_source_pour(struct gk_request *request, gk_copy_take_fn *take,
                                   struct gk_error *error) GK_MUST_USE;

#endif
