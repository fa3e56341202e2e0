/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/key_view.h"

#include "keyvaultd/rsa.h"

/* What the real vault calls its combination of soft delete, purge protection and retention. */
static const char *recovery_level(const struct kv_config *config)
{
    if (config->recoverable_days == 0) {
        return "Purgeable";
    }
    if (config->recoverable_days == 90) {
        return config->purge_protection ? "Recoverable" : "Recoverable+Purgeable";
    }
    return config->purge_protection ? "CustomizedRecoverable" : "CustomizedRecoverable+Purgeable";
}

static json_t *view_attributes(const struct kv_server *server, const struct kv_version *version)
{
    const struct kv_attributes *attributes = &version->attributes;
    json_t *object =
        json_pack("{s:b, s:I, s:I, s:s, s:i, s:b, s:s}", "enabled", attributes->enabled, "created",
                  (json_int_t)attributes->created_s, "updated", (json_int_t)attributes->updated_s,
                  "recoveryLevel", recovery_level(server->config), "recoverableDays",
                  (int)server->config->recoverable_days, "exportable", 0, "hsmPlatform", "0");
    bool good = object != NULL;
    if (good && attributes->nbf_s != 0) {
        good = json_object_set_new(object, "nbf", json_integer(attributes->nbf_s)) == 0;
    }
    if (good && attributes->exp_s != 0) {
        good = json_object_set_new(object, "exp", json_integer(attributes->exp_s)) == 0;
    }
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *kv_view_kid(const struct kv_server *server, const struct kv_key *key,
                    const struct kv_version *version)
{
    return json_sprintf("%s/keys/%s/%s", server->origin, key->name, version->id);
}

static json_t *view_key_ops(const struct kv_version *version)
{
    json_t *list = json_array();
    for (uint32_t bit = 1; list != NULL && bit <= KV_OP_ALL; bit <<= 1) {
        if ((version->key_ops & bit) != 0) {
            json_array_append_new(list, json_string(kv_key_op_name(bit)));
        }
    }
    return list;
}

json_t *kv_view_bundle(const struct kv_server *server, const struct kv_key *key,
                       const struct kv_version *version)
{
    json_t *jwk = json_pack("{s:o, s:s, s:o}", "kid", kv_view_kid(server, key, version), "kty",
                            version->hsm ? "RSA-HSM" : "RSA", "key_ops", view_key_ops(version));
    if (jwk == NULL || !kv_rsa_public_to_jwk(version->rsa, jwk)) {
        json_decref(jwk);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:o}", "key", jwk, "attributes", view_attributes(server, version),
                     "tags", json_deep_copy(version->tags));
}

json_t *kv_view_item(const struct kv_server *server, const struct kv_key *key,
                     const struct kv_version *version, bool with_version)
{
    return json_pack("{s:o, s:o, s:o}", "kid",
                     with_version ? kv_view_kid(server, key, version)
                                  : json_sprintf("%s/keys/%s", server->origin, key->name),
                     "attributes", view_attributes(server, version), "tags",
                     json_deep_copy(version->tags));
}

/* Adds to view (taken over) when the key was deleted and when it goes. */
static json_t *with_dates(const struct kv_server *server, const struct kv_key *key, json_t *view)
{
    json_t *more =
        json_pack("{s:o, s:I, s:I}", "recoveryId",
                  json_sprintf("%s/deletedkeys/%s", server->origin, key->name), "deletedDate",
                  (json_int_t)key->deleted_s, "scheduledPurgeDate", (json_int_t)key->purge_s);
    if (view == NULL || more == NULL || json_object_update(view, more) != 0) {
        json_decref(view);
        view = NULL;
    }
    json_decref(more);
    return view;
}

json_t *kv_view_deleted(const struct kv_server *server, const struct kv_key *key)
{
    return with_dates(server, key, kv_view_bundle(server, key, kv_key_version(key, NULL)));
}

json_t *kv_view_deleted_item(const struct kv_server *server, const struct kv_key *key)
{
    return with_dates(server, key, kv_view_item(server, key, kv_key_version(key, NULL), false));
}
