/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/key.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

bool kv_key_name_good(const char *name)
{
    const size_t len = strlen(name);
    for (size_t i = 0; i < len; i++) {
        const char c = name[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-')) {
            return false;
        }
    }
    return len >= 1 && len < KV_KEY_NAME_BYTES;
}

struct kv_key *kv_key_new(const char *name)
{
    struct kv_key *key = calloc(1, sizeof *key);
    if (key != NULL) {
        memcpy(key->name, name, strnlen(name, KV_KEY_NAME_BYTES - 1));
    }
    return key;
}

static struct kv_version *append(struct kv_key *key, const struct kv_version *version)
{
    struct kv_version *grown =
        realloc(key->versions, (key->versions_count + 1) * sizeof *key->versions);
    if (grown == NULL) {
        return NULL;
    }
    key->versions = grown;
    struct kv_version *added = &grown[key->versions_count++];
    *added = *version;
    EVP_PKEY_up_ref(added->rsa);
    added->tags = json_incref(added->tags);
    return added;
}

struct kv_key *kv_key_copy(const struct kv_key *key)
{
    struct kv_key *copy = kv_key_new(key->name);
    if (copy == NULL) {
        return NULL;
    }
    copy->deleted_s = key->deleted_s;
    copy->purge_s = key->purge_s;
    copy->rotation = key->rotation;
    for (size_t i = 0; i < key->versions_count; i++) {
        if (append(copy, &key->versions[i]) == NULL) {
            kv_key_free(copy);
            return NULL;
        }
    }
    return copy;
}

void kv_key_free(struct kv_key *key)
{
    if (key == NULL) {
        return;
    }
    for (size_t i = 0; i < key->versions_count; i++) {
        EVP_PKEY_free(key->versions[i].rsa);
        json_decref(key->versions[i].tags);
    }
    free(key->versions);
    free(key);
}

static bool make_version_id(char text[KV_VERSION_BYTES])
{
    uint8_t bytes[(KV_VERSION_BYTES - 1) / 2];
    if (!gk_random(bytes, sizeof bytes)) {
        return false;
    }
    struct gk_buf hex;
    gk_buf_init(&hex, KV_VERSION_BYTES);
    gk_hex_encode(&hex, gk_span_of(bytes, sizeof bytes));
    const bool good = gk_buf_status(&hex) == GK_OK && hex.len == KV_VERSION_BYTES - 1;
    if (good) {
        memcpy(text, gk_buf_str(&hex), KV_VERSION_BYTES);
    }
    gk_buf_cleanup(&hex);
    return good;
}

struct kv_version *kv_key_add_version(struct kv_key *key, const struct kv_version *version)
{
    struct kv_version fresh = *version;
    if (key->versions_count >= KV_VERSIONS_MAX || !make_version_id(fresh.id)) {
        return NULL;
    }
    fresh.tags = json_deep_copy(version->tags);
    struct kv_version *added = fresh.tags == NULL ? NULL : append(key, &fresh);
    json_decref(fresh.tags);
    return added;
}

struct kv_version *kv_key_version(const struct kv_key *key, const char *version)
{
    if (version == NULL || version[0] == '\0') {
        return &key->versions[key->versions_count - 1];
    }
    for (size_t i = 0; i < key->versions_count; i++) {
        if (strcasecmp(key->versions[i].id, version) == 0) {
            return &key->versions[i];
        }
    }
    return NULL;
}
