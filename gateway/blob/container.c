/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Create Container, Delete Container, Get Container Properties, Get and Set Container Metadata
 * (Storage REST reference). A container is an entry in its account's map and an index of its own
 * (index.h), which is made first, closed before the entry goes, and removed last by the reaper, so that
 * every write to a blob can be guarded by it. An account that keeps deleted containers for a while keeps the
 * entry in another place, and the index as it is.
 */
#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/changes.h"
#include "gateway/blob/conditions.h"
#include "gateway/blob/container_expiry.h"
#include "gateway/blob/container_move.h"
#include "gateway/blob/container_write.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/garbage.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/index.h"
#include "gateway/blob/key_floor.h"
#include "gateway/blob/lease_headers.h"
#include "gateway/blob/reaper.h"
#include "gateway/blob/scopes.h"
#include "gateway/blob/target.h"

#define ATTEMPTS_MAX 16u
#define DAY_MS       INT64_C(86400000)

/* --- Create Container ---------------------------------------------------------------------------*/

/* Nothing refers to it; one that cannot be removed is empty and in nobody's way. */
static void drop_index(const struct gk_request *request, const struct gk_container *container)
{
    struct gk_error error = {0};
    if (gk_index_remove(request->gateway->store, &container->id, container->shards, &error) !=
        GK_OK) {
        gk_log(GK_LOG_WARNING, "container", "an unused index stays behind: %s", error.message);
    }
}

/* The entry, under the guard that the index bars what it must bar. GK_E_CONFLICT: it does not any more. */
static enum gk_status write_new(const struct gk_request *request,
                                const struct gk_container *container, struct gk_span key,
                                const struct gk_key_floors *floors, struct gk_error *error)
{
    const struct gk_guard absent = {.kind = GK_GUARD_MAP_ABSENT, .key = key};
    const struct gk_guard same = gk_key_floors_guard(floors);
    enum gk_status status = gk_container_write(request, container, absent, &same, error);
    if (status == GK_E_EXISTS || status == GK_E_CONFLICT) {
        gk_error_clear(error);
        status = gk_container_absent(request, key, error);
        return status == GK_OK ? GK_E_CONFLICT : status;
    }
    return status;
}

static enum gk_status add_once(const struct gk_request *request,
                               const struct gk_container *container, struct gk_span key,
                               struct gk_key_floors *floors, struct gk_error *error)
{
    struct gk_store *store = request->gateway->store;
    /* Clients create what is there already as a matter of course: no index is made for that. */
    enum gk_status status = gk_container_absent(request, key, error);
    if (status == GK_OK) {
        status = gk_key_floors_read(store, request->account->object, floors, error);
    }
    if (status != GK_OK) {
        return status;
    }
    status = gk_index_create(store, &container->id, container->shards, error);
    if (status == GK_OK) {
        status = gk_key_floors_apply(store, floors, &container->id, container->shards, error);
    }
    if (status == GK_OK) {
        status = write_new(request, container, key, floors, error);
    }
    if (status != GK_OK) {
        drop_index(request, container);
    }
    return status;
}

static enum gk_status add_container(struct gk_request *request, struct gk_container *container,
                                    struct gk_error *error)
{
    struct gk_buf key;
    struct gk_key_floors floors;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_key_floors_init(&floors);
    gk_container_key(&key, request->container);
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned attempt = 0; status == GK_E_CONFLICT && attempt < ATTEMPTS_MAX; attempt++) {
        gk_error_clear(error);
        status = add_once(request, container, gk_buf_span(&key), &floors, error);
    }
    gk_key_floors_cleanup(&floors);
    gk_buf_cleanup(&key);
    return status;
}

/* Only one that there is; whether its key can be used is asked with each blob. */
static enum gk_status read_encryption(const struct gk_request *request,
                                      struct gk_container_encryption *encryption,
                                      struct gk_error *error)
{
    struct gk_scope scope;
    enum gk_status status = gk_container_encryption_read(request, encryption, error);
    if (status == GK_OK && encryption->scope[0] != '\0') {
        status =
            gk_scope_find(request->gateway, request->account, encryption->scope, &scope, error);
    }
    return status == GK_E_NOT_FOUND
               ? gk_refuse_because(error, 404, "ResourceNotFound",
                                   "The account has no encryption scope of that name.")
               : status;
}

/* A header of ours: how many shards the index has is only settled here. */
static enum gk_status read_shards(const struct gk_request *request, uint32_t *shards,
                                  struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-gatekey-index-shards");
    uint64_t number = request->gateway->index_shards;
    if (value != NULL &&
        (!gk_parse_u64(gk_span_str(value), GK_INDEX_SHARDS_MAX, &number) || number == 0)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "x-gatekey-index-shards is 1 to %u.", GK_INDEX_SHARDS_MAX);
    }
    *shards = (uint32_t)number;
    return GK_OK;
}

/* As add_container, with an id and times of its own. */
static enum gk_status make_container(struct gk_request *request, struct gk_container *container,
                                     struct gk_error *error)
{
    if (!gk_id_random(&container->id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a new container");
    }
    gk_container_touch(request, container);
    container->created_wall_ms = container->modified_wall_ms;
    return add_container(request, container, error);
}

enum gk_status gk_container_ensure(struct gk_request *request, struct gk_error *error)
{
    struct gk_container container = {.shards = request->gateway->index_shards};
    gk_metadata_init(&container.metadata);
    const enum gk_status status = make_container(request, &container, error);
    gk_container_cleanup(&container);
    if (status == GK_E_EXISTS) {
        gk_error_clear(error);
    }
    return status == GK_E_EXISTS ? GK_OK : status;
}

static enum gk_status create_container(struct gk_request *request, struct gk_error *error)
{
    struct gk_container container = {0};
    enum gk_status status = gk_container_name_check(request, error);
    gk_metadata_init(&container.metadata);
    if (status == GK_OK) {
        status = gk_public_access_read(request, &container.acl.level, error);
    }
    if (status == GK_OK) {
        status = read_encryption(request, &container.encryption, error);
    }
    if (status == GK_OK) {
        status = read_shards(request, &container.shards, error);
    }
    if (status == GK_OK) {
        status = gk_metadata_from_headers(request, &container.metadata, error);
    }
    if (status == GK_OK) {
        status = make_container(request, &container, error);
    }
    if (status == GK_E_EXISTS) {
        status = gk_refuse(error, 409, "ContainerAlreadyExists");
    } else if (status == GK_E_NOT_FOUND) { /* the account went meanwhile */
        status = gk_refuse(error, 404, "ResourceNotFound");
    }
    if (status == GK_OK) {
        gk_respond_version(request, container.etag, container.modified_wall_ms);
        status = gk_respond(request, 201);
    }
    gk_container_cleanup(&container);
    return status;
}

const struct gk_handler gk_create_container_handler = {.body = GK_BODY_NONE,
                                                       .permissions =
                                                           GK_PERMIT_CREATE | GK_PERMIT_WRITE,
                                                       .finish = create_container};

/* --- Delete Container ---------------------------------------------------------------------------*/

/* A deletion under way. */
struct deletion {
    struct gk_request *request;
    struct gk_container_target target;
    uint64_t version; /* under which it is kept, where the account keeps it */
};

/* The container is kept as it was, but for its lease. guard: no other has that version. */
static enum gk_status keep(const struct deletion *deletion, uint32_t days,
                           struct gk_change_list *changes, struct gk_buf *kept_key,
                           struct gk_error *error)
{
    struct gk_container kept = deletion->target.container; /* borrows what that owns */
    const int64_t now = gk_clock_wall_ms(&deletion->request->gateway->clock);
    kept.lease = (struct gk_lease){0};
    kept.life.deleted_wall_ms = now;
    kept.life.kept_until_wall_ms = now + days * DAY_MS;
    return gk_container_keep(deletion->request, &kept, deletion->version, kept_key, changes, error);
}

static enum gk_status make_garbage(const struct deletion *deletion, struct gk_change_list *changes,
                                   struct gk_error *error)
{
    const struct gk_request *request = deletion->request;
    const struct gk_container *container = &deletion->target.container;
    const struct gk_place place =
        gk_index_place(request, &request->account->id, GK_VALUE_GARBAGE, (struct gk_span){0});
    struct gk_garbage garbage;
    gk_garbage_init(&garbage);
    gk_garbage_add(&garbage, GK_GARBAGE_CONTAINER, &container->id, container->shards);
    const enum gk_status status = gk_garbage_queue(
        &garbage, &place, gk_clock_wall_ms(&request->gateway->clock), changes, error);
    gk_garbage_cleanup(&garbage);
    return status;
}

static enum gk_status write_removal(const struct deletion *deletion,
                                    const struct gk_change_list *changes,
                                    const struct gk_buf *kept_key, struct gk_error *error)
{
    const struct gk_container_target *target = &deletion->target;
    const struct gk_guard guards[] = {{.kind = GK_GUARD_MAP_EQUAL,
                                       .key = gk_buf_span(&target->key),
                                       .value = gk_buf_span(&target->stored)},
                                      {.kind = GK_GUARD_MAP_ABSENT, .key = gk_buf_span(kept_key)}};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = deletion->request->account->object,
                                   .guards = guards,
                                   .guards_count = kept_key->len > 0 ? 2 : 1,
                                   .changes = changes->items,
                                   .changes_count = changes->count};
    return gk_store_write(deletion->request->gateway->store, &op, NULL, error);
}

/* The entry goes, and the container is kept or becomes garbage, in one write. */
static enum gk_status remove_container(const struct deletion *deletion, struct gk_error *error)
{
    const uint32_t days = gk_account_container_retention_days(deletion->request->account);
    struct gk_change_list changes;
    struct gk_buf key;
    struct gk_buf kept_key;
    gk_changes_init(&changes);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&kept_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&key, deletion->target.key.data, deletion->target.key.len);
    gk_changes_remove(&changes, &key);
    enum gk_status status = days > 0 ? keep(deletion, days, &changes, &kept_key, error)
                                     : make_garbage(deletion, &changes, error);
    if (status == GK_OK) {
        status = gk_changes_status(&changes);
    }
    if (status == GK_OK) {
        status = write_removal(deletion, &changes, &kept_key, error);
    }
    gk_changes_cleanup(&changes);
    gk_buf_cleanup(&kept_key);
    return status;
}

/* Nothing comes into a closed container any more, so that its conditions need no second look: only what
 * its record says of it can still have changed when the guard on that does not hold. A lease that was
 * taken meanwhile came too late. */
static enum gk_status remove_closed(struct deletion *deletion, struct gk_error *error)
{
    struct gk_container_target *target = &deletion->target;
    const struct gk_id id = target->container.id;
    enum gk_status status = remove_container(deletion, error);
    for (unsigned attempt = 1;
         (status == GK_E_CONFLICT || status == GK_E_EXISTS) && attempt < ATTEMPTS_MAX; attempt++) {
        deletion->version += status == GK_E_EXISTS; /* another of its name had it */
        gk_error_clear(error);
        gk_container_target_cleanup(target);
        status = gk_container_target_load(deletion->request, target, error);
        if (status == GK_OK && !gk_id_equal(&id, &target->container.id)) {
            return gk_refuse(error, 404, "ContainerNotFound"); /* somebody else did it */
        }
        if (status == GK_OK) {
            status = remove_container(deletion, error);
        }
    }
    return status;
}

static enum gk_status delete_container(struct gk_request *request, struct gk_error *error)
{
    struct deletion deletion = {.request = request};
    struct gk_container_target *target = &deletion.target;
    enum gk_status status = gk_container_target_load(request, target, error);
    if (status == GK_OK) {
        status = gk_container_conditions(request, &target->container, error);
    }
    if (status == GK_OK) {
        status = gk_lease_check(request, &target->container.lease, GK_ACCESS_WRITE,
                                GK_LEASE_OF_CONTAINER, error);
    }
    if (status == GK_OK) {
        status = gk_container_close(request, &target->container, error);
    }
    if (status == GK_OK) {
        deletion.version = gk_container_life_next(&target->container.life,
                                                  gk_clock_wall_ms(&request->gateway->clock));
        status = remove_closed(&deletion, error);
    }
    gk_container_target_cleanup(target);
    gk_container_forget(request, request->container);
    if (status != GK_OK) {
        return status;
    }
    gk_reaper_note_account(request->gateway->reaper, request->account->name);
    return gk_respond(request, 202);
}

const struct gk_handler gk_delete_container_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_DELETE, .finish = delete_container};

/* --- Get Container Properties, Get Container Metadata -------------------------------------------*/

static enum gk_status get_container(struct gk_request *request, struct gk_error *error)
{
    struct gk_container_target target;
    enum gk_status status = gk_container_target_load(request, &target, error);
    if (status == GK_OK) {
        status = gk_lease_check(request, &target.container.lease, GK_ACCESS_READ,
                                GK_LEASE_OF_CONTAINER, error);
    }
    if (status == GK_OK) {
        gk_respond_version(request, target.container.etag, target.container.modified_wall_ms);
        gk_metadata_to_headers(request, &target.container.metadata);
        gk_respond_lease(request, &target.container.lease);
        gk_respond_public_access(request, target.container.acl.level);
        gk_respond_container_encryption(request, &target.container.encryption);
        gk_respond_header(request, "x-ms-has-immutability-policy", "false");
        gk_respond_header(request, "x-ms-has-legal-hold", "false");
        status = gk_respond(request, 200);
    }
    gk_container_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_get_container_properties_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = get_container};

/* --- Set Container Metadata ---------------------------------------------------------------------*/

/* Under a lease, too: that keeps others from deleting it, no more. */
static enum gk_status change_metadata(const struct gk_request *request,
                                      struct gk_container *container, const void *ctx,
                                      struct gk_error *error)
{
    (void)ctx;
    enum gk_status status = gk_container_conditions(request, container, error);
    if (status == GK_OK) {
        status = gk_lease_check(request, &container->lease, GK_ACCESS_READ, GK_LEASE_OF_CONTAINER,
                                error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_metadata_cleanup(&container->metadata);
    gk_metadata_init(&container->metadata);
    gk_container_touch(request, container);
    return gk_metadata_from_headers(request, &container->metadata, error);
}

static enum gk_status set_container_metadata(struct gk_request *request, struct gk_error *error)
{
    struct gk_container_target target;
    enum gk_status status = gk_container_change(request, &target, change_metadata, NULL, error);
    if (status == GK_OK) {
        gk_respond_version(request, target.container.etag, target.container.modified_wall_ms);
        status = gk_respond(request, 200);
    }
    gk_container_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_set_container_metadata_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = set_container_metadata};
