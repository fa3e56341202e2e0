/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/rotation.h"

#include <string.h>

#include "common/log.h"
#include "keyvaultd/private_half.h"

struct kv_version kv_rotation_next(const struct kv_request *request, const struct kv_key *key)
{
    const int64_t now_s = kv_server_now_s(request->server);
    struct kv_version next = *kv_key_version(key, NULL);
    next.attributes =
        (struct kv_attributes){.enabled = true,
                               .created_s = now_s,
                               .updated_s = now_s,
                               .exp_s = kv_rotation_policy_exp_s(&key->rotation, now_s)};
    next.tags = json_deep_copy(next.tags);
    return next;
}

/* The key when it is due, and else NULL. Store locked. */
static const struct kv_key *locked_due(const struct kv_request *request)
{
    const struct kv_key *key = kv_store_locked_find(request->server->store, request->name);
    return key != NULL && key->deleted_s == 0 &&
                   kv_rotation_policy_due(&key->rotation, &kv_key_version(key, NULL)->attributes,
                                          kv_server_now_s(request->server))
               ? key
               : NULL;
}

/* Whether and how big; 0: it is not due. The private half is made without the lock. */
static unsigned due_bits(const struct kv_request *request)
{
    kv_store_lock(request->server->store, kv_server_now_s(request->server));
    const struct kv_key *key = locked_due(request);
    const unsigned bits =
        key == NULL ? 0 : (unsigned)EVP_PKEY_get_bits(kv_key_version(key, NULL)->rsa);
    kv_store_unlock(request->server->store);
    return bits;
}

/* False: another request was faster, or it cannot be stored. Store locked. */
static bool locked_add(const struct kv_request *request, const struct kv_version *made)
{
    const struct kv_key *key = locked_due(request);
    struct kv_key *copy = key == NULL ? NULL : kv_key_copy(key);
    if (copy == NULL) {
        return false;
    }
    struct kv_version next = kv_rotation_next(request, copy);
    next.rsa = made->rsa;
    memcpy(next.hsm_id, made->hsm_id, sizeof next.hsm_id);
    const struct kv_version *added = kv_key_add_version(copy, &next);
    json_decref(next.tags);
    if (added == NULL) {
        gk_log(GK_LOG_ERROR, "rotation", "%s is due and can have no version more", copy->name);
        kv_key_free(copy);
        return false;
    }
    gk_log(GK_LOG_INFO, "rotation", "%s is rotated by its policy, to %s", copy->name, added->id);
    return kv_store_locked_put(request->server->store, copy, NULL) == GK_OK;
}

void kv_rotate_if_due(const struct kv_request *request)
{
    struct kv_server *server = request->server;
    const unsigned bits = due_bits(request);
    struct kv_version made;
    if (bits == 0) {
        return;
    }
    if (!kv_private_generate(server, bits, &made)) {
        gk_log(GK_LOG_ERROR, "rotation", "%s is due and no key can be made now", request->name);
        return;
    }
    kv_store_lock(server->store, kv_server_now_s(server));
    const bool added = locked_add(request, &made);
    kv_store_unlock(server->store);
    if (!added) {
        kv_private_discard(server, &made);
    }
    EVP_PKEY_free(made.rsa);
}
