/* SPDX-License-Identifier: Apache-2.0 */
/* Delete, and what can be done with a deleted key. All versions go and come back together. */
#include "keyvaultd/handlers.h"
#include "keyvaultd/key_find.h"
#include "keyvaultd/key_view.h"

#define DAY_S INT64_C(86400)

/* Without soft delete the key is gone at once; its last view is the answer. */
static void remove_now(struct kv_request *request, const struct kv_key *key)
{
    struct gk_error error;
    json_t *view = kv_view_bundle(request->server, key, kv_key_version(key, NULL));
    const enum gk_status status =
        kv_store_locked_remove(request->server->store, request->name, &error);
    if (status != GK_OK) {
        json_decref(view);
        kv_refuse_status(request, status, &error);
        return;
    }
    kv_answer(request, 200, view);
}

/* Puts a copy with another state of deletion. NULL: refused. */
static const struct kv_key *put_state(struct kv_request *request, const struct kv_key *key,
                                      int64_t deleted_s, int64_t purge_s)
{
    struct kv_key *copy = kv_key_copy(key);
    if (copy == NULL) {
        kv_answer_empty(request, 500);
        return NULL;
    }
    copy->deleted_s = deleted_s;
    copy->purge_s = purge_s;
    return kv_put_key(request, copy) ? copy : NULL;
}

static void delete_locked(struct kv_request *request, int64_t now_s)
{
    const struct kv_key *key = kv_find_key(request);
    if (key == NULL) {
        return;
    }
    const uint32_t days = request->server->config->recoverable_days;
    if (days == 0) {
        remove_now(request, key);
        return;
    }
    const struct kv_key *deleted = put_state(request, key, now_s, now_s + days * DAY_S);
    if (deleted != NULL) {
        kv_answer(request, 200, kv_view_deleted(request->server, deleted));
    }
}

void kv_handle_delete(struct kv_request *request)
{
    const int64_t now_s = kv_server_now_s(request->server);
    kv_store_lock(request->server->store, now_s);
    delete_locked(request, now_s);
    kv_store_unlock(request->server->store);
}

void kv_handle_get_deleted(struct kv_request *request)
{
    kv_store_lock(request->server->store, kv_server_now_s(request->server));
    const struct kv_key *key = kv_find_deleted(request);
    if (key != NULL) {
        kv_answer(request, 200, kv_view_deleted(request->server, key));
    }
    kv_store_unlock(request->server->store);
}

void kv_handle_recover(struct kv_request *request)
{
    kv_store_lock(request->server->store, kv_server_now_s(request->server));
    const struct kv_key *key = kv_find_deleted(request);
    const struct kv_key *back = key == NULL ? NULL : put_state(request, key, 0, 0);
    if (back != NULL) {
        kv_answer(request, 200, kv_view_bundle(request->server, back, kv_key_version(back, NULL)));
    }
    kv_store_unlock(request->server->store);
}

static void purge_locked(struct kv_request *request)
{
    if (kv_find_deleted(request) == NULL) {
        return;
    }
    if (request->server->config->purge_protection) {
        kv_refuse(request, 403, "Forbidden", "ForbiddenByPolicy",
                  "Operation \"purge\" is not allowed because purge protection is enabled for this "
                  "vault. The key is purged when its retention period has passed.");
        return;
    }
    struct gk_error error;
    const enum gk_status status =
        kv_store_locked_remove(request->server->store, request->name, &error);
    if (status != GK_OK) {
        kv_refuse_status(request, status, &error);
        return;
    }
    kv_answer_empty(request, 204);
}

void kv_handle_purge(struct kv_request *request)
{
    kv_store_lock(request->server->store, kv_server_now_s(request->server));
    purge_locked(request);
    kv_store_unlock(request->server->store);
}
