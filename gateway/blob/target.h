/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request is about, fetched from the store: its container, and its blob's record. A target
 * belongs to its request's thread. It shows one moment; writes are guarded by the bytes that were
 * read, so a change in between is noticed.
 */
#ifndef GATEWAY_BLOB_TARGET_H
#define GATEWAY_BLOB_TARGET_H

#include "gateway/blob/conditions.h"
#include "gateway/blob/names.h"
#include "gateway/blob/record.h"
#include "gateway/blob/value.h"
#include "gateway/http/request.h"

struct gk_container_target {
    struct gk_container container;
    struct gk_buf key;    /* "c/<name>" in the account's object */
    struct gk_buf stored; /* the record as it stands there */
};

/* Empty; load does that too. */
void gk_container_target_init(struct gk_container_target *target);
/* The container whose entry stands under this key; target, whose key is left alone, is empty before. 404
 * ContainerNotFound. */
enum gk_status gk_container_target_read(struct gk_request *request,
                                        struct gk_container_target *target, struct gk_span key,
                                        struct gk_error *error) GK_MUST_USE;
/* That the container's name can be one's. 400 InvalidResourceName, OutOfRangeInput. */
enum gk_status gk_container_name_check(const struct gk_request *request,
                                       struct gk_error *error) GK_MUST_USE;
/* The one of the request. What gk_container_name_check says, 404 ContainerNotFound. cleanup is always
 * fine afterwards. */
enum gk_status gk_container_target_load(struct gk_request *request,
                                        struct gk_container_target *target,
                                        struct gk_error *error) GK_MUST_USE;
void gk_container_target_cleanup(struct gk_container_target *target);
/* Where the record of the container with this key belongs. */
struct gk_place gk_container_place(const struct gk_request *request, struct gk_span key);

/* The encryption scope of the record that was read last, held for what its data key is opened with. */
struct gk_target_scope {
    const struct gk_plugin *plugin;
    char name[GK_SCOPE_NAME_BYTES_MAX];
    struct gk_account *handle; /* the plugin's; NULL: none was looked for */
};

struct gk_blob_target {
    struct gk_id container;
    uint64_t opening;                       /* of the container's index (index.h) */
    uint32_t shard;                         /* of it, which all of the blob is in */
    struct gk_container_encryption for_new; /* what the container has for new blobs */
    char index[GK_INDEX_NAME_BYTES];
    struct gk_buf key;    /* "b/<name>" */
    struct gk_buf stored; /* the record as it stands there; empty when there is none */
    struct gk_buf
        floor; /* of the shard, for data keys under the account's root key (key_floor.h) */
    struct gk_buf beside; /* the sealed chunk that stands beside it, when it was asked for */
    bool exists;          /* there is a blob, or there are uncommitted blocks of one */
    bool committed;       /* there is a blob that can be read */
    bool ended;           /* there was one, until its lifetime was over (lifetime.h) */
    struct gk_blob_record record;
    struct gk_target_scope scope;
    /* What the request names: the base, or the state of that kind and time (history.h). */
    enum gk_state_kind kind;
    uint64_t time;
};

/*
 * Finds the container, by the cache where that knows it, and where the blob's record would be, without
 * looking at it. 400 InvalidResourceName, 404 ContainerNotFound. Also checks the headers of encryption
 * (encryption_headers.h), and refuses what the gateway would otherwise silently not do: versions and
 * snapshots where the operation takes none (400). cleanup is always fine afterwards.
 */
enum gk_status gk_blob_target_locate(struct gk_request *request, struct gk_blob_target *target,
                                     struct gk_error *error) GK_MUST_USE;
/*
 * Fetches the blob's record, the first time or again; a blob that is not there is no error. 404
 * ContainerNotFound and 409 ContainerBeingDeleted; GK_E_CONFLICT when another container has the name by
 * now: it is found by locating the target again, but what was made for the old one cannot be used. Where
 * the record names an encryption scope, the operation may be refused for that, as it would have been for
 * the account: that is asked here and nowhere else. 409 OperationNotAllowedOnIncrementalCopyBlob, as incremental.h
 * has it, of the record that the request names.
 */
enum gk_status gk_blob_target_read(struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error) GK_MUST_USE;
/* Whether the lifetime of a base with this record is over; that of what may not be deleted is not. */
bool gk_blob_has_ended(const struct gk_request *request, const struct gk_blob_record *record);
/* The base of a blob of that name in a shard, whatever became of the container; cleanup is fine afterwards. */
void gk_blob_target_name(struct gk_blob_target *target, const struct gk_id *container,
                         uint32_t shard, struct gk_span name);
/* Fetches its record, and how its shard is open; one that is not there, as in a shard that is not, is no error.
 * closed: nothing is written there. */
enum gk_status gk_blob_target_fetch(const struct gk_request *request, struct gk_blob_target *target,
                                    bool *closed, struct gk_error *error) GK_MUST_USE;
/* Whether the request names a version, and the base, which was read, is that one. */
bool gk_blob_is_named_version(const struct gk_blob_target *base);
/* Opens stored, which is the value under key: exists, committed and record follow from it. */
enum gk_status gk_blob_target_open(const struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error) GK_MUST_USE;
/* Locates it and reads what the request names, base or state, with a second look when another container
 * has the name. */
enum gk_status gk_blob_target_load(struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error) GK_MUST_USE;
/* As load, and 404 BlobNotFound unless there is a committed blob. */
enum gk_status gk_blob_target_load_existing(struct gk_request *request,
                                            struct gk_blob_target *target,
                                            struct gk_error *error) GK_MUST_USE;
/* The same with what stands beside the record, of the same state and in the same read. */
enum gk_status gk_blob_target_load_content(struct gk_request *request,
                                           struct gk_blob_target *target,
                                           struct gk_error *error) GK_MUST_USE;
void gk_blob_target_cleanup(struct gk_blob_target *target);

/* 409 InvalidBlobType when there is a blob and it is of another type. */
enum gk_status gk_blob_check_type(const struct gk_blob_target *target, enum gk_blob_type type,
                                  struct gk_error *error) GK_MUST_USE;
/* The request's conditional headers against the committed blob, or against its absence; its lease
 * condition, which is that of whoever writes or reads (lease_action.h); and, for who writes, whether the
 * blob may be changed at all (immutability.h), and now. */
enum gk_status gk_blob_conditions(const struct gk_request *request,
                                  const struct gk_blob_target *target, enum gk_access access,
                                  struct gk_error *error) GK_MUST_USE;
/* The conditional headers alone, for who changes the lease itself. */
enum gk_status gk_blob_conditions_but_lease(const struct gk_request *request,
                                            const struct gk_blob_target *target,
                                            enum gk_access access,
                                            struct gk_error *error) GK_MUST_USE;
/* The lease condition alone, for operations that take no conditional headers. */
enum gk_status gk_blob_lease_check(const struct gk_request *request,
                                   const struct gk_blob_target *target, enum gk_access access,
                                   struct gk_error *error) GK_MUST_USE;
/* Whether its content and properties can be had or changed: 409 BlobArchived, BlobBeingRehydrated. */
enum gk_status gk_blob_online_check(const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    struct gk_error *error) GK_MUST_USE;
/* 409 PendingCopyOperation while the blob is to become a copy (copy_pend.h): nothing else changes it until then. A
 * part of gk_blob_conditions, for who writes. */
enum gk_status gk_blob_pending_check(const struct gk_blob_target *target,
                                     struct gk_error *error) GK_MUST_USE;
/* The conditions for a write that makes or replaces the whole blob: a credential that may only create
 * replaces none (403 UnauthorizedBlobOverwrite). */
enum gk_status gk_blob_may_replace(const struct gk_request *request,
                                   const struct gk_blob_target *target,
                                   struct gk_error *error) GK_MUST_USE;

/* Where a value with this key in the container's index belongs. */
struct gk_place gk_index_place(const struct gk_request *request, const struct gk_id *container,
                               const char *kind, struct gk_span key);
struct gk_place gk_blob_place(const struct gk_request *request,
                              const struct gk_blob_target *target);

/* The guard that the record still is, or still is not, what target shows. */
struct gk_guard gk_blob_guard(const struct gk_blob_target *target);
/*
 * Why a guarded write to the target's shard ended in status: as gk_blob_target_read when it was because
 * of the container, else as it is. Costs a read.
 */
enum gk_status gk_blob_write_refused(struct gk_request *request,
                                     const struct gk_blob_target *target, enum gk_status status,
                                     struct gk_error *error) GK_MUST_USE;

#endif
