/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/store_json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/secret.h"
#include "common/text.h"
#include "keyvaultd/rsa.h"

#define FORMAT_VERSION 1
#define DER_BYTES_MAX  8192u

/* --- writing ------------------------------------------------------------------------------------ */

static json_t *json_of_bytes(struct gk_span bytes)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * DER_BYTES_MAX);
    gk_base64_encode(&text, bytes);
    json_t *value = gk_buf_status(&text) == GK_OK ? json_string(gk_buf_str(&text)) : NULL;
    gk_buf_cleanup_wipe(&text);
    return value;
}

/* What the file holds of a key: the public half where the private one is in the token. */
static json_t *json_of_rsa(const struct kv_version *version)
{
    struct gk_buf der;
    gk_buf_init(&der, DER_BYTES_MAX);
    const bool good = version->hsm_id[0] == '\0' ? kv_rsa_to_der(version->rsa, &der)
                                                 : kv_rsa_public_to_der(version->rsa, &der);
    json_t *value = good ? json_of_bytes(gk_buf_span(&der)) : NULL;
    gk_buf_cleanup_wipe(&der);
    return value;
}

/* A member that could not be made makes the whole pack fail: nothing is written half. */
static json_t *json_of_version(const struct kv_version *version)
{
    const struct kv_attributes *attributes = &version->attributes;
    const bool in_hsm = version->hsm_id[0] != '\0';
    return json_pack("{s:s, s:o, s:s*, s:b, s:I, s:b, s:I, s:I, s:I, s:I, s:O}", "id", version->id,
                     in_hsm ? "public" : "private", json_of_rsa(version), "hsmId",
                     in_hsm ? version->hsm_id : NULL, "hsm", version->hsm, "keyOps",
                     (json_int_t)version->key_ops, "enabled", attributes->enabled, "nbf",
                     (json_int_t)attributes->nbf_s, "exp", (json_int_t)attributes->exp_s, "created",
                     (json_int_t)attributes->created_s, "updated",
                     (json_int_t)attributes->updated_s, "tags", version->tags);
}

/* As the API shows it; NULL: none was ever set. */
static json_t *json_of_rotation(const struct kv_key *key, bool in_hsm)
{
    return key->rotation.created_s == 0 ? NULL : kv_rotation_policy_view(&key->rotation, in_hsm);
}

static json_t *json_of_key(const struct kv_key *key, bool in_hsm)
{
    json_t *versions = json_array();
    for (size_t i = 0; versions != NULL && i < key->versions_count; i++) {
        if (json_array_append_new(versions, json_of_version(&key->versions[i])) != 0) {
            json_decref(versions);
            versions = NULL;
        }
    }
    return json_pack("{s:s, s:I, s:I, s:o*, s:o}", "name", key->name, "deleted",
                     (json_int_t)key->deleted_s, "purge", (json_int_t)key->purge_s,
                     "rotationPolicy", json_of_rotation(key, in_hsm), "versions", versions);
}

/* NULL: there are none, or memory is out. */
static json_t *json_of_list(const struct kv_store *store)
{
    json_t *ids = store->to_destroy_count == 0 ? NULL : json_array();
    for (size_t i = 0; ids != NULL && i < store->to_destroy_count; i++) {
        if (json_array_append_new(ids, json_string(store->to_destroy[i])) != 0) {
            json_decref(ids);
            ids = NULL;
        }
    }
    return ids;
}

json_t *kv_store_to_json(const struct kv_store *store)
{
    json_t *ids = json_of_list(store);
    if (ids == NULL && store->to_destroy_count > 0) {
        return NULL;
    }
    json_t *keys = json_array();
    for (size_t i = 0; keys != NULL && i < store->keys_count; i++) {
        if (json_array_append_new(keys, json_of_key(store->keys[i], store->hsm != NULL)) != 0) {
            json_decref(keys);
            keys = NULL;
        }
    }
    return json_pack(
        "{s:i, s:i, s:i, s:o*, s:o, s:o}", "format", FORMAT_VERSION, "port", (int)store->port,
        "imdsPort", (int)store->imds_port, "toDestroy", ids, "tokenSecret",
        json_of_bytes(gk_span_of(store->token_secret, KV_TOKEN_SECRET_BYTES)), "keys", keys);
}

/* --- reading ------------------------------------------------------------------------------------ */

static EVP_PKEY *rsa_of_text(const char *text, bool in_hsm)
{
    struct gk_buf der;
    gk_buf_init(&der, DER_BYTES_MAX);
    EVP_PKEY *rsa = NULL;
    if (gk_base64_decode(&der, gk_span_str(text))) {
        rsa =
            in_hsm ? kv_rsa_public_from_der(gk_buf_span(&der)) : kv_rsa_from_der(gk_buf_span(&der));
    }
    gk_buf_cleanup_wipe(&der);
    return rsa;
}

/* The key in the form that this kind of store has. */
static bool read_key(const json_t *value, bool in_hsm, struct kv_version *version)
{
    const char *text = json_string_value(json_object_get(value, in_hsm ? "public" : "private"));
    const char *hsm_id = json_string_value(json_object_get(value, "hsmId"));
    if (text == NULL || (hsm_id != NULL) != in_hsm ||
        (in_hsm && strlen(hsm_id) != KV_HSM_ID_BYTES - 1)) {
        return false;
    }
    if (in_hsm) {
        memcpy(version->hsm_id, hsm_id, KV_HSM_ID_BYTES);
    }
    version->rsa = rsa_of_text(text, in_hsm);
    return version->rsa != NULL;
}

static bool version_of_json(struct kv_key *key, json_t *value, bool in_hsm)
{
    const char *id = NULL;
    int hsm = 0;
    int enabled = 0;
    json_int_t ops = 0;
    json_int_t times[4] = {0};
    struct kv_version version = {0};
    if (json_unpack(value, "{s:s, s:b, s:I, s:b, s:I, s:I, s:I, s:I, s:o}", "id", &id, "hsm", &hsm,
                    "keyOps", &ops, "enabled", &enabled, "nbf", &times[0], "exp", &times[1],
                    "created", &times[2], "updated", &times[3], "tags", &version.tags) != 0 ||
        strlen(id) != KV_VERSION_BYTES - 1 || ops < 0 || ops > (json_int_t)KV_OP_ALL ||
        !json_is_object(version.tags)) {
        return false;
    }
    if (!read_key(value, in_hsm, &version)) {
        return false;
    }
    version.hsm = hsm != 0;
    version.key_ops = (uint32_t)ops;
    version.attributes = (struct kv_attributes){.enabled = enabled != 0,
                                                .nbf_s = times[0],
                                                .exp_s = times[1],
                                                .created_s = times[2],
                                                .updated_s = times[3]};
    struct kv_version *added = kv_key_add_version(key, &version);
    EVP_PKEY_free(version.rsa);
    if (added != NULL) {
        memcpy(added->id, id, KV_VERSION_BYTES);
    }
    return added != NULL;
}

static bool rotation_of_json(struct kv_key *key, const json_t *value, bool in_hsm)
{
    const json_t *attributes = json_object_get(value, "attributes");
    if (value == NULL) {
        return true;
    }
    if (kv_rotation_policy_read(value, in_hsm, &key->rotation) != NULL) {
        return false;
    }
    key->rotation.created_s = json_integer_value(json_object_get(attributes, "created"));
    key->rotation.updated_s = json_integer_value(json_object_get(attributes, "updated"));
    return key->rotation.created_s > 0 && key->rotation.updated_s > 0;
}

static struct kv_key *key_of_json(const json_t *value, bool in_hsm)
{
    const char *name = json_string_value(json_object_get(value, "name"));
    const json_t *versions = json_object_get(value, "versions");
    struct kv_key *key = name != NULL && kv_key_name_good(name) ? kv_key_new(name) : NULL;
    if (key == NULL) {
        return NULL;
    }
    key->deleted_s = json_integer_value(json_object_get(value, "deleted"));
    key->purge_s = json_integer_value(json_object_get(value, "purge"));
    bool good = json_array_size(versions) > 0 &&
                rotation_of_json(key, json_object_get(value, "rotationPolicy"), in_hsm);
    for (size_t i = 0; good && i < json_array_size(versions); i++) {
        good = version_of_json(key, json_array_get(versions, i), in_hsm);
    }
    if (!good) {
        kv_key_free(key);
        return NULL;
    }
    return key;
}

static bool read_port(const json_t *root, const char *name, uint16_t *port)
{
    const json_t *value = json_object_get(root, name);
    const json_int_t number = json_integer_value(value);
    *port = (uint16_t)number;
    return json_is_integer(value) && number >= 0 && number <= 65535;
}

static bool read_secret(const json_t *root, uint8_t *secret)
{
    const char *text = json_string_value(json_object_get(root, "tokenSecret"));
    struct gk_buf bytes;
    gk_buf_init(&bytes, KV_TOKEN_SECRET_BYTES);
    const bool good = text != NULL && gk_base64_decode(&bytes, gk_span_str(text)) &&
                      bytes.len == KV_TOKEN_SECRET_BYTES;
    if (good) {
        memcpy(secret, bytes.data, KV_TOKEN_SECRET_BYTES);
    }
    gk_buf_cleanup_wipe(&bytes);
    return good;
}

bool kv_store_list_to_destroy(struct kv_store *store, const char *hsm_id)
{
    char(*grown)[KV_HSM_ID_BYTES] =
        realloc(store->to_destroy, (store->to_destroy_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    store->to_destroy = grown;
    memcpy(grown[store->to_destroy_count++], hsm_id, KV_HSM_ID_BYTES);
    return true;
}

/* Left out where there are none. */
static bool read_list(struct kv_store *store, const json_t *ids)
{
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (store->hsm == NULL || id == NULL || strlen(id) != KV_HSM_ID_BYTES - 1 ||
            !kv_store_list_to_destroy(store, id)) {
            return false;
        }
    }
    return true;
}

bool kv_store_from_json(struct kv_store *store, const json_t *root)
{
    const json_t *keys = json_object_get(root, "keys");
    const size_t count = json_array_size(keys);
    if (json_integer_value(json_object_get(root, "format")) != FORMAT_VERSION ||
        !json_is_array(keys) || count > KV_STORE_KEYS_MAX ||
        !read_port(root, "port", &store->port) || !read_port(root, "imdsPort", &store->imds_port) ||
        !read_secret(root, store->token_secret) ||
        !read_list(store, json_object_get(root, "toDestroy"))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct kv_key *key = key_of_json(json_array_get(keys, i), store->hsm != NULL);
        if (key == NULL) {
            return false;
        }
        store->keys[store->keys_count++] = key;
        /* The order is what lookups and lists rely on. */
        if (i > 0 && strcasecmp(store->keys[i - 1]->name, key->name) >= 0) {
            return false;
        }
    }
    return true;
}
