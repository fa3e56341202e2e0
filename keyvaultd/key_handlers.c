/* SPDX-License-Identifier: Apache-2.0 */
/* Create, import, get, update, rotate. */
#include <string.h>

#include "keyvaultd/handlers.h"
#include "keyvaultd/key_find.h"
#include "keyvaultd/key_input.h"
#include "keyvaultd/key_view.h"
#include "keyvaultd/private_half.h"
#include "keyvaultd/rotation.h"

/* A copy of the request's key, or a new one; NULL: refused, since the name is a deleted key's. */
static struct kv_key *key_to_extend(struct kv_request *request)
{
    const struct kv_key *key = kv_store_locked_find(request->server->store, request->name);
    if (key != NULL && key->deleted_s != 0) {
        kv_refuse(request, 409, "Conflict", "ObjectIsDeletedButRecoverable",
                  "Key %s is currently in a deleted but recoverable state, and its name cannot be "
                  "reused; in this state, the key can only be recovered or purged.",
                  request->name);
        return NULL;
    }
    struct kv_key *copy = key == NULL ? kv_key_new(request->name) : kv_key_copy(key);
    if (copy == NULL) {
        kv_answer_empty(request, 500);
    }
    return copy;
}

/* Stores key (taken over) with one version more and answers with it. Store locked. */
static bool put_version(struct kv_request *request, struct kv_key *key, struct kv_version *version)
{
    if (kv_key_add_version(key, version) == NULL) {
        kv_key_free(key);
        kv_refuse(request, 403, "Forbidden", "LimitExceeded", "No version can be added.");
        return false;
    }
    request->version = "";
    if (!kv_put_key(request, key)) {
        return false;
    }
    const struct kv_version *added = kv_find_version(request, key);
    kv_answer(request, 200, kv_view_bundle(request->server, key, added));
    return true;
}

/* A private half that was made for a version which is not stored goes again. */
static void store_version(struct kv_request *request, struct kv_version *version)
{
    struct kv_server *server = request->server;
    json_t *no_tags = version->tags == NULL ? json_object() : NULL;
    if (no_tags != NULL) {
        version->tags = no_tags;
    }
    kv_store_lock(server->store, kv_server_now_s(server));
    struct kv_key *key = key_to_extend(request);
    const bool stored = key != NULL && put_version(request, key, version);
    kv_store_unlock(server->store);
    if (!stored) {
        kv_private_discard(server, version);
    }
    json_decref(no_tags);
}

/* What the body does not say otherwise. */
static struct kv_version new_version(const struct kv_server *server)
{
    const int64_t now_s = kv_server_now_s(server);
    return (struct kv_version){
        .key_ops = KV_OP_ALL,
        .attributes = {.enabled = true, .created_s = now_s, .updated_s = now_s}};
}

void kv_handle_create(struct kv_request *request)
{
    struct kv_version version = new_version(request->server);
    const char *kty = json_string_value(json_object_get(request->input, "kty"));
    const json_t *size = json_object_get(request->input, "key_size");
    const int64_t bits =
        size == NULL || json_is_null(size) ? 2048 : (int64_t)json_integer_value(size);
    const bool software = !request->server->config->managed_hsm;
    if (kty == NULL || ((!software || strcmp(kty, "RSA") != 0) && strcmp(kty, "RSA-HSM") != 0)) {
        kv_refuse(request, 400, "BadParameter", "", "kty must be %sRSA-HSM here.",
                  software ? "RSA or " : "");
        return;
    }
    if (!kv_rsa_bits_allowed(bits)) {
        kv_refuse(request, 400, "BadParameter", "", "key_size must be 2048, 3072 or 4096.");
        return;
    }
    if (!kv_input_read(request, request->input, &version)) {
        return;
    }
    version.hsm = strcmp(kty, "RSA-HSM") == 0;
    if (!kv_private_generate(request->server, (unsigned)bits, &version)) {
        kv_answer_empty(request, 500);
        return;
    }
    store_version(request, &version);
    EVP_PKEY_free(version.rsa);
}

void kv_handle_import(struct kv_request *request)
{
    struct kv_version version = new_version(request->server);
    const json_t *jwk = json_object_get(request->input, "key");
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    if (request->server->config->managed_hsm) {
        kv_refuse(request, 501, "NotImplemented", "",
                  "Keys of a Managed HSM are made in it here, not brought to it.");
        return;
    }
    if (kty == NULL || (strcmp(kty, "RSA") != 0 && strcmp(kty, "RSA-HSM") != 0)) {
        kv_refuse(request, 400, "BadParameter", "", "key.kty must be RSA or RSA-HSM here.");
        return;
    }
    if (!kv_input_read(request, jwk, &version)) {
        return;
    }
    version.hsm =
        json_is_true(json_object_get(request->input, "Hsm")) || strcmp(kty, "RSA-HSM") == 0;
    version.rsa = kv_rsa_from_jwk(jwk);
    if (version.rsa == NULL) {
        kv_refuse(request, 400, "BadParameter", "",
                  "key must be a whole RSA private key of 2048, 3072 or 4096 bits.");
        return;
    }
    store_version(request, &version);
    EVP_PKEY_free(version.rsa);
}

void kv_handle_get(struct kv_request *request)
{
    struct kv_server *server = request->server;
    kv_store_lock(server->store, kv_server_now_s(server));
    const struct kv_key *key = kv_find_key(request);
    const struct kv_version *version = key == NULL ? NULL : kv_find_version(request, key);
    if (version != NULL) {
        kv_answer(request, 200, kv_view_bundle(server, key, version));
    }
    kv_store_unlock(server->store);
}

/* The tags that the body brought take the place of the version's. */
static bool change_version(struct kv_request *request, struct kv_version *version)
{
    struct kv_version changed = *version;
    if (!kv_input_read(request, request->input, &changed)) {
        return false;
    }
    if (changed.tags != version->tags) {
        changed.tags = json_deep_copy(changed.tags);
        if (changed.tags == NULL) {
            kv_answer_empty(request, 500);
            return false;
        }
        json_decref(version->tags);
    }
    *version = changed;
    version->attributes.updated_s = kv_server_now_s(request->server);
    return true;
}

static void update_locked(struct kv_request *request)
{
    const struct kv_key *key = kv_find_key(request);
    if (key == NULL || kv_find_version(request, key) == NULL) {
        return;
    }
    struct kv_key *copy = kv_key_copy(key);
    struct kv_version *version = copy == NULL ? NULL : kv_find_version(request, copy);
    if (version == NULL) {
        kv_answer_empty(request, 500);
        kv_key_free(copy);
        return;
    }
    if (!change_version(request, version)) {
        kv_key_free(copy);
        return;
    }
    if (kv_put_key(request, copy)) {
        kv_answer(request, 200, kv_view_bundle(request->server, copy, version));
    }
}

void kv_handle_update(struct kv_request *request)
{
    kv_store_lock(request->server->store, kv_server_now_s(request->server));
    update_locked(request);
    kv_store_unlock(request->server->store);
}

/* What the key is to have as its next version, but for the key itself, and how big that is to be;
 * 0: refused. The tags are the caller's. */
static unsigned read_next(struct kv_request *request, struct kv_version *out)
{
    unsigned bits = 0;
    kv_store_lock(request->server->store, kv_server_now_s(request->server));
    const struct kv_key *key = kv_find_key(request);
    if (key != NULL) {
        *out = kv_rotation_next(request, key);
        bits = (unsigned)EVP_PKEY_get_bits(out->rsa);
    }
    kv_store_unlock(request->server->store);
    return bits;
}

void kv_handle_rotate(struct kv_request *request)
{
    struct kv_version next;
    const unsigned bits = read_next(request, &next);
    if (bits == 0) {
        return;
    }
    json_t *tags = next.tags;
    if (kv_private_generate(request->server, bits, &next)) {
        store_version(request, &next);
    } else {
        kv_answer_empty(request, 500);
    }
    EVP_PKEY_free(next.rsa);
    json_decref(tags);
}
