/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all operations have in common that take a body, or a description of one, into a blob: it is
 * sealed under the blob's data key as it comes, into data that nothing refers to yet; then, under the
 * record's lock, one guarded write makes it visible.
 *
 *   begin     gk_upload_new, the operation's own checks, gk_upload_expect
 *   chunk     gk_upload_chunk
 *   finish    gk_upload_commit, gk_upload_respond
 *   cleanup   gk_upload_free
 *
 * An upload belongs to its request's thread. It is the first member of the operation's own state, which
 * request->state points to.
 */
#ifndef GATEWAY_BLOB_UPLOAD_H
#define GATEWAY_BLOB_UPLOAD_H

#include "gateway/blob/blob_write.h"
#include "gateway/blob/body.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/locks.h"

typedef enum gk_status gk_upload_write_fn(struct gk_request *request, struct gk_blob_write *write,
                                          struct gk_error *error);

struct gk_upload {
    struct gk_blob_target target;
    struct gk_blob_record record; /* of a new blob; unused where the blob stays what it is */
    struct gk_metadata metadata;  /* of a new blob */
    struct gk_data_key *data_key; /* NULL: there is none yet, or none is needed */
    struct gk_body_sums sums;
    struct gk_writer *writer; /* NULL for no bytes */
    gk_upload_write_fn *more; /* what else the write of a new blob has; NULL: nothing */
    unsigned success;         /* the status of the answer; 0: 201 */
};

/* Makes request->state: bytes of zeros that begin with an upload, whose target and metadata may be
 * filled. gk_upload_free is always fine afterwards. */
enum gk_status gk_upload_new(struct gk_request *request, size_t bytes,
                             struct gk_error *error) GK_MUST_USE;
/* A handler's cleanup, where its state owns nothing else; none to free is fine. Closes the request's
 * source as well. */
void gk_upload_free(struct gk_request *request);

/* Makes the writer for a body of the announced length, if it has any, under the upload's data key; up to
 * GK_CHUNK_PLAIN_BYTES may be kept, as gk_writer_new says. Its sums were read. */
enum gk_status gk_upload_expect(struct gk_request *request, bool keep,
                                struct gk_error *error) GK_MUST_USE;
/* A handler's chunk. */
enum gk_status gk_upload_chunk(struct gk_request *request, struct gk_span bytes,
                               struct gk_error *error) GK_MUST_USE;

/* Reads the target again and makes what has come part of the blob. */
typedef enum gk_status gk_upload_commit_fn(struct gk_request *request, struct gk_error *error);
/* Compares the sums, and calls commit under the record's lock, for reading or for writing. */
enum gk_status gk_upload_commit(struct gk_request *request, enum gk_access access,
                                gk_upload_commit_fn *commit, struct gk_error *error) GK_MUST_USE;
/* The same for sums that were compared already. */
enum gk_status gk_upload_locked(struct gk_request *request, enum gk_access access,
                                gk_upload_commit_fn *commit, struct gk_error *error) GK_MUST_USE;

/* What the headers say of every new blob: content headers (fallback: as gk_content_headers_read has it),
 * immutability, metadata and tags. Into record and metadata. */
enum gk_status gk_upload_read_headers(struct gk_request *request, bool fallback,
                                      struct gk_error *error) GK_MUST_USE;

/* A new blob has a content type, if the client names none; one that is taken away later is none. */
enum gk_status gk_upload_default_type(struct gk_blob_record *record,
                                      struct gk_error *error) GK_MUST_USE;

/* A committed blob out of nothing, or over what target shows: state, ETag, times and lease. */
void gk_upload_fill(const struct gk_request *request, struct gk_upload *upload);

/* Writes the new blob, which is upload's record, in the place of all that target shows. Holds the record's
 * lock. */
enum gk_status gk_upload_replace(struct gk_request *request, struct gk_upload *upload,
                                 struct gk_error *error) GK_MUST_USE;

/* A handler's finish for a blob that begins without content: record has what is its own. */
enum gk_status gk_upload_finish_empty(struct gk_request *request,
                                      struct gk_error *error) GK_MUST_USE;

/* 201, or what upload has instead, with the sums. version: with the ETag and time of this record; NULL: without. */
enum gk_status gk_upload_respond(struct gk_request *request, const struct gk_blob_record *version);

#endif
