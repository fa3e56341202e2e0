/* SPDX-License-Identifier: Apache-2.0 */
/* Data keys as handles. The root key is used under its read lock and never copied. */
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "plugin/handles.h"
#include "plugin/older_key.h"
#include "plugin/reread.h"

static enum gk_status new_handle(struct gk_account *account, struct gk_data_key **out,
                                 struct gk_error *error)
{
    struct gk_data_key *data_key = calloc(1, sizeof *data_key);
    struct gk_data_key_bytes *bytes = gk_secret_alloc(sizeof *bytes);
    if (data_key == NULL || bytes == NULL) {
        free(data_key);
        gk_secret_free(&bytes);
        (void)gk_fail(error, GK_E_RESOURCE, "no memory for a data key");
        return GK_E_RESOURCE;
    }
    data_key->bytes = bytes;
    const enum gk_status status = gk_pass_take(account, &data_key->pass, error);
    if (status != GK_OK) {
        gk_data_key_free(data_key);
        return status;
    }
    *out = data_key;
    return GK_OK;
}

void gk_data_key_free(struct gk_data_key *data_key)
{
    if (data_key != NULL) {
        gk_secret_free(&data_key->bytes);
        gk_pass_release(&data_key->pass);
        free(data_key);
    }
}

/* Takes the read lock over the root key; on GK_OK the caller gives it back. GK_E_COLD: it was
 * dropped since the gate was looked at. */
static enum gk_status lock_root_key(struct gk_account *account, struct gk_root_scope *scope,
                                    struct gk_error *error)
{
    pthread_rwlock_rdlock(&account->key_lock);
    if (account->root_key == NULL) {
        pthread_rwlock_unlock(&account->key_lock);
        (void)gk_fail_http(error, GK_E_COLD, 503, "ServerBusy",
                           "the account's key is not in memory");
        return GK_E_COLD;
    }
    *scope = (struct gk_root_scope){.account = account->id, .generation = account->generation};
    return GK_OK;
}

static enum gk_status seal(struct gk_account *account, const struct gk_object_scope *scope,
                           struct gk_span client_key, const struct gk_data_key_bytes *bytes,
                           uint8_t sealed[GK_SEALED_DATA_KEY_BYTES], struct gk_error *error)
{
    struct gk_sealing_keys keys = {.client = client_key};
    enum gk_status status = lock_root_key(account, &keys.root_scope, error);
    if (status == GK_OK) {
        keys.root = account->root_key;
        status = gk_data_key_seal(account->instance->crypto, &keys, scope, bytes, sealed, error);
        pthread_rwlock_unlock(&account->key_lock);
    }
    return status;
}

/* --- opening by generation ---------------------------------------------------------------------- */

/* What the record says of the generation, and which one is active. GK_E_NOT_FOUND: it has none of that
 * number. */
static enum gk_status find_generation(struct gk_account *account, uint32_t wanted,
                                      struct gk_root_generation *generation, uint32_t *active)
{
    pthread_mutex_lock(&account->mutex);
    const struct gk_root_generation *found = gk_account_record_generation(account->record, wanted);
    if (found != NULL) {
        *generation = *found;
    }
    *active = gk_account_record_active(account->record)->generation;
    pthread_mutex_unlock(&account->mutex);
    return found != NULL ? GK_OK : GK_E_NOT_FOUND;
}

static enum gk_status refuse_retired(uint32_t generation, struct gk_error *error)
{
    return gk_fail(error, GK_E_CONFLICT, "the data key is of root key %u, which is retired",
                   (unsigned)generation);
}

/* With an older root key, which is opened for this and wiped after. keys are locked, and those of the active
 * generation. */
static enum gk_status unseal_with_older(const struct gk_account *account,
                                        const struct gk_root_generation *older,
                                        const struct gk_sealing_keys *keys,
                                        const struct gk_object_scope *scope, struct gk_span sealed,
                                        struct gk_data_key_bytes *bytes, struct gk_error *error)
{
    const struct gk_crypto *crypto = account->instance->crypto;
    const struct gk_active_key active = {.key = keys->root, .scope = keys->root_scope};
    struct gk_root_key *root_key = gk_secret_alloc(sizeof *root_key);
    if (root_key == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory for a key");
    }
    enum gk_status status = gk_older_key_open(crypto, &active, older, root_key, error);
    if (status == GK_OK) {
        struct gk_sealing_keys with = *keys;
        with.root = root_key;
        with.root_scope.generation = older->generation;
        status = gk_data_key_unseal(crypto, &with, scope, sealed, bytes, error);
    }
    gk_secret_free(&root_key);
    return status;
}

/* GK_E_NOT_FOUND: with what is in memory it cannot be told. */
static enum gk_status unseal_once(struct gk_account *account, const struct gk_object_scope *scope,
                                  struct gk_span client_key, struct gk_span sealed,
                                  uint32_t generation, struct gk_data_key_bytes *bytes,
                                  struct gk_error *error)
{
    struct gk_sealing_keys keys = {.client = client_key};
    struct gk_root_generation older = {0};
    uint32_t active = 0;
    enum gk_status status = lock_root_key(account, &keys.root_scope, error);
    if (status != GK_OK) {
        return status;
    }
    keys.root = account->root_key;
    if (generation == keys.root_scope.generation) {
        status = gk_data_key_unseal(account->instance->crypto, &keys, scope, sealed, bytes, error);
        pthread_rwlock_unlock(&account->key_lock);
        return status;
    }
    pthread_rwlock_unlock(&account->key_lock); /* the mutex comes before it */
    status = find_generation(account, generation, &older, &active);
    if (status == GK_OK && older.state == GK_GENERATION_RETIRED) {
        return refuse_retired(generation, error);
    }
    if (status == GK_OK) {
        status = lock_root_key(account, &keys.root_scope, error);
    }
    if (status != GK_OK) {
        return status;
    }
    keys.root = account->root_key;
    status = keys.root_scope.generation == active && older.state == GK_GENERATION_DECRYPT_ONLY
                 ? unseal_with_older(account, &older, &keys, scope, sealed, bytes, error)
                 : GK_E_NOT_FOUND;
    pthread_rwlock_unlock(&account->key_lock);
    return status;
}

static enum gk_status unseal(struct gk_account *account, const struct gk_object_scope *scope,
                             struct gk_span client_key, struct gk_span sealed,
                             struct gk_data_key_bytes *bytes, struct gk_error *error)
{
    uint32_t generation = 0;
    enum gk_status status = gk_data_key_generation(sealed, &generation, error);
    if (status == GK_OK) {
        status = unseal_once(account, scope, client_key, sealed, generation, bytes, error);
    }
    if (status != GK_E_NOT_FOUND) {
        return status;
    }
    /* Another gateway may have given the account a new root key, and written under it, before we heard
     * of it. */
    status = gk_reread_for_key(account, error);
    if (status != GK_OK) {
        return status;
    }
    status = unseal_once(account, scope, client_key, sealed, generation, bytes, error);
    return status == GK_E_NOT_FOUND
               ? gk_fail(error, GK_E_INTEGRITY, "the data key is of an unknown root key")
               : status;
}

/* --- handles --------------------------------------------------------------------------------------- */

static enum gk_status create_under(struct gk_account *account, const struct gk_object_scope *scope,
                                   struct gk_span client_key,
                                   uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                   struct gk_data_key **out, struct gk_error *error)
{
    struct gk_data_key *data_key = NULL;
    *out = NULL;
    memset(sealed, 0, GK_SEALED_DATA_KEY_BYTES);
    enum gk_status status = new_handle(account, &data_key, error);
    if (status == GK_OK) {
        status = gk_data_key_random(data_key->bytes, error);
    }
    if (status == GK_OK) {
        status = seal(account, scope, client_key, data_key->bytes, sealed, error);
    }
    if (status != GK_OK) {
        gk_data_key_free(data_key);
        return status;
    }
    *out = data_key;
    return GK_OK;
}

static enum gk_status open_under(struct gk_account *account, const struct gk_object_scope *scope,
                                 struct gk_span client_key, struct gk_span sealed,
                                 struct gk_data_key **out, struct gk_error *error)
{
    struct gk_data_key *data_key = NULL;
    *out = NULL;
    enum gk_status status = new_handle(account, &data_key, error);
    if (status == GK_OK) {
        status = unseal(account, scope, client_key, sealed, data_key->bytes, error);
    }
    if (status != GK_OK) {
        gk_data_key_free(data_key);
        return status;
    }
    *out = data_key;
    return GK_OK;
}

enum gk_status gk_data_key_create(struct gk_account *account, const struct gk_object_scope *scope,
                                  uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                  struct gk_data_key **out, struct gk_error *error)
{
    return create_under(account, scope, (struct gk_span){0}, sealed, out, error);
}

enum gk_status gk_data_key_open(struct gk_account *account, const struct gk_object_scope *scope,
                                struct gk_span sealed, struct gk_data_key **out,
                                struct gk_error *error)
{
    return open_under(account, scope, (struct gk_span){0}, sealed, out, error);
}

static enum gk_status no_client_key(struct gk_error *error)
{
    return gk_fail(error, GK_E_INVALID, "a client's key has 32 bytes");
}

enum gk_status gk_data_key_create_with(struct gk_account *account,
                                       const struct gk_object_scope *scope,
                                       struct gk_span client_key,
                                       uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                       struct gk_data_key **out, struct gk_error *error)
{
    *out = NULL;
    return client_key.len == GK_CLIENT_KEY_BYTES
               ? create_under(account, scope, client_key, sealed, out, error)
               : no_client_key(error);
}

enum gk_status gk_data_key_open_with(struct gk_account *account,
                                     const struct gk_object_scope *scope, struct gk_span client_key,
                                     struct gk_span sealed, struct gk_data_key **out,
                                     struct gk_error *error)
{
    *out = NULL;
    return client_key.len == GK_CLIENT_KEY_BYTES
               ? open_under(account, scope, client_key, sealed, out, error)
               : no_client_key(error);
}

enum gk_status gk_data_key_reseal(struct gk_account *account, const struct gk_object_scope *from,
                                  struct gk_span sealed, const struct gk_object_scope *to,
                                  uint8_t resealed[GK_SEALED_DATA_KEY_BYTES],
                                  struct gk_error *error)
{
    struct gk_data_key *data_key = NULL;
    memset(resealed, 0, GK_SEALED_DATA_KEY_BYTES);
    enum gk_status status = gk_data_key_open(account, from, sealed, &data_key, error);
    if (status == GK_OK) {
        status = seal(account, to, (struct gk_span){0}, data_key->bytes, resealed, error);
    }
    gk_data_key_free(data_key);
    return status;
}

enum gk_status gk_data_key_renew(struct gk_data_key *data_key, const struct gk_object_scope *scope,
                                 struct gk_span client_key, uint32_t at_least,
                                 uint8_t sealed[GK_SEALED_DATA_KEY_BYTES], struct gk_error *error)
{
    struct gk_account *account = data_key->pass.account;
    uint32_t generation = 0;
    memset(sealed, 0, GK_SEALED_DATA_KEY_BYTES);
    for (unsigned attempt = 0; generation < at_least; attempt++) {
        enum gk_status status = gk_pass_still(&data_key->pass, error);
        if (status == GK_OK && attempt > 0) {
            status = attempt == 1 ? gk_reread_for_key(account, error)
                                  : gk_fail(error, GK_E_INTEGRITY,
                                            "data keys have to be under root key %u, which the "
                                            "account does not have",
                                            (unsigned)at_least);
        }
        if (status == GK_OK) {
            status = seal(account, scope, client_key, data_key->bytes, sealed, error);
        }
        if (status == GK_OK) {
            status = gk_data_key_generation(gk_span_of(sealed, GK_SEALED_DATA_KEY_BYTES),
                                            &generation, error);
        }
        if (status != GK_OK) {
            memset(sealed, 0, GK_SEALED_DATA_KEY_BYTES);
            return status;
        }
    }
    return GK_OK;
}
