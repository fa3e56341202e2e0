/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/data_key_seal.h"

#include "common/buf.h"
#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/bytes.h"
#include "plugin/kdf.h"

#define SEAL_LABEL       "gatekey/v1/data-key"
#define CLIENT_LABEL     "gatekey/v1/data-key-client"
#define COMMITMENT_LABEL "gatekey/v1/data-key-commitment"
#define MAGIC_BYTES      4u
#define SALT_BYTES       24u
#define COMMITMENT_BYTES 32u

static const uint8_t magic[MAGIC_BYTES] = {'G', 'K', 'D', 0x01};
static const uint8_t magic_with_client[MAGIC_BYTES] = {'G', 'K', 'D', 0x02};

/* The stored form, field by field; all bytes, so it has no padding. */
struct sealed_form {
    uint8_t magic[MAGIC_BYTES];
    uint8_t generation[4];
    uint8_t salt[SALT_BYTES];
    uint8_t ciphertext[GK_KEY_BYTES];
    uint8_t tag[GK_GCM_TAG_BYTES];
    uint8_t commitment[COMMITMENT_BYTES];
};
_Static_assert(sizeof(struct sealed_form) == GK_SEALED_DATA_KEY_BYTES, "no padding");

/* Key and nonce that seal one data key: used once, since the salt is random. */
struct one_time {
    uint8_t key[GK_KEY_BYTES];
    uint8_t nonce[GK_GCM_NONCE_BYTES];
};
_Static_assert(sizeof(struct one_time) == GK_KEY_BYTES + GK_GCM_NONCE_BYTES, "no padding");

enum gk_status gk_data_key_random(struct gk_data_key_bytes *key, struct gk_error *error)
{
    if (!gk_random(key->bytes, sizeof key->bytes)) {
        gk_wipe(key, sizeof *key);
        return gk_fail(error, GK_E_RESOURCE, "no randomness for a data key");
    }
    return GK_OK;
}

static const uint8_t *magic_of(const struct gk_sealing_keys *keys)
{
    return keys->client.len == 0 ? magic : magic_with_client;
}

/* A client's key may have less than it seems to: extracted together with the root key it can take
 * nothing from that one. */
static enum gk_status derive_with_client(const struct gk_crypto *crypto,
                                         const struct gk_sealing_keys *keys,
                                         const struct sealed_form *form, struct one_time *out)
{
    uint8_t both[GK_KEY_BYTES + GK_CLIENT_KEY_BYTES];
    uint8_t info[sizeof CLIENT_LABEL + sizeof(struct gk_id) + sizeof form->generation];
    const struct gk_id *account = &keys->root_scope.account;
    memcpy(both, keys->root->bytes, GK_KEY_BYTES);
    memcpy(both + GK_KEY_BYTES, keys->client.data, GK_CLIENT_KEY_BYTES);
    memcpy(info, CLIENT_LABEL, sizeof CLIENT_LABEL); /* with its NUL */
    memcpy(info + sizeof CLIENT_LABEL, account->bytes, sizeof account->bytes);
    memcpy(info + sizeof CLIENT_LABEL + sizeof account->bytes, form->generation,
           sizeof form->generation);
    const enum gk_status status = gk_hkdf_sha256(
        crypto, gk_span_of(both, sizeof both), gk_span_of(form->salt, sizeof form->salt),
        gk_span_of(info, sizeof info), (uint8_t *)out, sizeof *out);
    gk_wipe(both, sizeof both);
    return status;
}

static enum gk_status derive_one_time(const struct gk_crypto *crypto,
                                      const struct gk_sealing_keys *keys,
                                      const struct sealed_form *form, struct one_time *out)
{
    if (keys->client.len != 0) {
        return derive_with_client(crypto, keys, form, out);
    }
    const struct gk_id *account = &keys->root_scope.account;
    const struct gk_span parts[] = {
        gk_span_of(account->bytes, sizeof account->bytes),
        gk_span_of(form->generation, sizeof form->generation),
        gk_span_of(form->salt, sizeof form->salt),
    };
    return gk_hkdf_expand_sha256(crypto, keys->root->bytes, SEAL_LABEL, parts, 3, (uint8_t *)out,
                                 sizeof *out);
}

static enum gk_status commitment_of(const struct gk_crypto *crypto,
                                    const struct gk_data_key_bytes *key, const struct gk_id *object,
                                    uint8_t commitment[COMMITMENT_BYTES])
{
    const struct gk_span part = gk_span_of(object->bytes, sizeof object->bytes);
    return gk_hkdf_expand_sha256(crypto, key->bytes, COMMITMENT_LABEL, &part, 1, commitment,
                                 COMMITMENT_BYTES);
}

#define AAD_PARTS 5u
static void aad_init(struct gk_span aad[AAD_PARTS], const struct sealed_form *form,
                     const struct gk_id *account, const struct gk_object_scope *scope)
{
    aad[0] = gk_span_of(form->magic, sizeof form->magic);
    aad[1] = gk_span_of(form->generation, sizeof form->generation);
    aad[2] = gk_span_of(account->bytes, sizeof account->bytes);
    aad[3] = gk_span_of(scope->container.bytes, sizeof scope->container.bytes);
    aad[4] = gk_span_of(scope->object.bytes, sizeof scope->object.bytes);
}

static bool client_key_fits(const struct gk_sealing_keys *keys)
{
    return keys->client.len == 0 || keys->client.len == GK_CLIENT_KEY_BYTES;
}

enum gk_status gk_data_key_seal(const struct gk_crypto *crypto, const struct gk_sealing_keys *keys,
                                const struct gk_object_scope *scope,
                                const struct gk_data_key_bytes *key,
                                uint8_t sealed[GK_SEALED_DATA_KEY_BYTES], struct gk_error *error)
{
    struct sealed_form form = {0};
    struct one_time once = {0};
    memset(sealed, 0, GK_SEALED_DATA_KEY_BYTES);
    if (!client_key_fits(keys)) {
        return gk_fail(error, GK_E_INVALID, "a client's key has 32 bytes");
    }
    memcpy(form.magic, magic_of(keys), sizeof form.magic);
    gk_put_u32(form.generation, keys->root_scope.generation);
    enum gk_status status = gk_random(form.salt, sizeof form.salt) ? GK_OK : GK_E_RESOURCE;
    if (status == GK_OK) {
        status = derive_one_time(crypto, keys, &form, &once);
    }
    if (status == GK_OK) {
        struct gk_span aad[AAD_PARTS];
        aad_init(aad, &form, &keys->root_scope.account, scope);
        const struct gk_gcm_input input = {once.key, once.nonce, aad, AAD_PARTS};
        status = gk_gcm_seal(crypto, &input, gk_span_of(key->bytes, sizeof key->bytes),
                             form.ciphertext, form.tag);
    }
    if (status == GK_OK) {
        status = commitment_of(crypto, key, &scope->object, form.commitment);
    }
    gk_wipe(&once, sizeof once);
    if (status != GK_OK) {
        return gk_fail(error, status, "cannot seal a data key");
    }
    memcpy(sealed, &form, sizeof form);
    return GK_OK;
}

/* Reads generation from what has the form of a sealed data key. */
static bool read_generation(struct gk_span sealed, uint32_t *generation)
{
    *generation = 0;
    struct gk_reader reader = gk_reader_of(sealed);
    const struct gk_span begins = gk_read_span(&reader, MAGIC_BYTES);
    const bool has_magic = gk_span_equal(begins, gk_span_of(magic, MAGIC_BYTES)) ||
                           gk_span_equal(begins, gk_span_of(magic_with_client, MAGIC_BYTES));
    uint32_t value = gk_read_u32(&reader);
    if (sealed.len != GK_SEALED_DATA_KEY_BYTES || !has_magic || value == 0) {
        return false;
    }
    *generation = value;
    return true;
}

enum gk_status gk_data_key_generation(struct gk_span sealed, uint32_t *generation,
                                      struct gk_error *error)
{
    if (!read_generation(sealed, generation)) {
        return gk_fail(error, GK_E_INTEGRITY, "this is not a sealed data key");
    }
    return GK_OK;
}

/* Opens form into key and checks that key is the one that was sealed, and no other that the same
 * bytes might give under another root key. */
static enum gk_status open_form(const struct gk_crypto *crypto, const struct gk_sealing_keys *keys,
                                const struct gk_object_scope *scope, const struct sealed_form *form,
                                struct gk_data_key_bytes *key)
{
    struct one_time once;
    enum gk_status status = derive_one_time(crypto, keys, form, &once);
    if (status == GK_OK) {
        struct gk_span aad[AAD_PARTS];
        aad_init(aad, form, &keys->root_scope.account, scope);
        const struct gk_gcm_input input = {once.key, once.nonce, aad, AAD_PARTS};
        status = gk_gcm_open(crypto, &input, gk_span_of(form->ciphertext, sizeof form->ciphertext),
                             form->tag, key->bytes);
    }
    gk_wipe(&once, sizeof once);
    uint8_t commitment[COMMITMENT_BYTES];
    if (status == GK_OK) {
        status = commitment_of(crypto, key, &scope->object, commitment);
    }
    if (status == GK_OK &&
        !gk_secret_equal(gk_span_of(commitment, sizeof commitment),
                         gk_span_of(form->commitment, sizeof form->commitment))) {
        status = GK_E_INTEGRITY;
    }
    return status;
}

enum gk_status gk_data_key_unseal(const struct gk_crypto *crypto,
                                  const struct gk_sealing_keys *keys,
                                  const struct gk_object_scope *scope, struct gk_span sealed,
                                  struct gk_data_key_bytes *key, struct gk_error *error)
{
    gk_wipe(key, sizeof *key);
    enum gk_status status = GK_E_INTEGRITY;
    uint32_t generation = 0;
    if (client_key_fits(keys) && read_generation(sealed, &generation) &&
        generation == keys->root_scope.generation &&
        memcmp(sealed.data, magic_of(keys), MAGIC_BYTES) == 0) {
        struct sealed_form form;
        memcpy(&form, sealed.data, sizeof form);
        status = open_form(crypto, keys, scope, &form, key);
    }
    if (status != GK_OK) {
        gk_wipe(key, sizeof *key);
    }
    if (status == GK_E_INTEGRITY) {
        return gk_fail(error, status, "the data key was not sealed for this account and object");
    }
    return status == GK_OK ? GK_OK : gk_fail(error, status, "cannot open a data key");
}
