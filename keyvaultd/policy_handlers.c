/* SPDX-License-Identifier: Apache-2.0 */
/* The rotation policy of a key: read, set. */
#include "keyvaultd/handlers.h"
#include "keyvaultd/key_find.h"

static void answer_policy(struct kv_request *request, const struct kv_key *key)
{
    const struct kv_server *server = request->server;
    json_t *view = kv_rotation_policy_view(&key->rotation, server->config->managed_hsm);
    json_t *id = json_sprintf("%s/keys/%s/rotationpolicy", server->origin, key->name);
    if (view == NULL || json_object_set_new(view, "id", id) != 0) {
        json_decref(view);
        view = NULL;
    }
    kv_answer(request, 200, view);
}

void kv_handle_get_policy(struct kv_request *request)
{
    struct kv_store *store = request->server->store;
    kv_store_lock(store, kv_server_now_s(request->server));
    const struct kv_key *key = kv_find_key(request);
    if (key != NULL) {
        answer_policy(request, key);
    }
    kv_store_unlock(store);
}

/* The policy takes the place of the old one, which leaves its time of creation. Store locked. */
static void set_locked(struct kv_request *request, struct kv_rotation_policy *policy)
{
    const struct kv_key *key = kv_find_key(request);
    if (key == NULL) {
        return;
    }
    struct kv_key *copy = kv_key_copy(key);
    if (copy == NULL) {
        kv_answer_empty(request, 500);
        return;
    }
    policy->updated_s = kv_server_now_s(request->server);
    policy->created_s = key->rotation.created_s == 0 ? policy->updated_s : key->rotation.created_s;
    copy->rotation = *policy;
    if (kv_put_key(request, copy)) {
        answer_policy(request, copy);
    }
}

void kv_handle_set_policy(struct kv_request *request)
{
    struct kv_store *store = request->server->store;
    struct kv_rotation_policy policy;
    const char *wrong =
        kv_rotation_policy_read(request->input, request->server->config->managed_hsm, &policy);
    if (wrong != NULL) {
        kv_refuse(request, 400, "BadParameter", "", "The rotation policy is invalid: %s.", wrong);
        return;
    }
    kv_store_lock(store, kv_server_now_s(request->server));
    set_locked(request, &policy);
    kv_store_unlock(store);
}
