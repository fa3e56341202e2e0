/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/segment_cipher.h"

#include <openssl/evp.h>

#include "common/error.h"
#include "common/secret.h"
#include "plugin/bytes.h"
#include "plugin/kdf.h"

#define SEGMENT_LABEL "gatekey/v1/segment"

/* What HKDF-Expand gives for a segment. */
struct segment_secret {
    uint8_t key[GK_KEY_BYTES];
    uint8_t base_nonce[GK_GCM_NONCE_BYTES];
};
_Static_assert(sizeof(struct segment_secret) == GK_KEY_BYTES + GK_GCM_NONCE_BYTES, "no padding");

/* Additional data of a chunk, byte by byte. */
struct chunk_aad {
    uint8_t segment[16];
    uint8_t index[8];
    uint8_t size_log2;
    uint8_t last;
};
_Static_assert(sizeof(struct chunk_aad) == 26, "no padding");

struct gk_segment_cipher {
    const struct gk_crypto *crypto;
    struct segment_secret secret;
    struct chunk_aad aad; /* segment and size_log2 stay, the rest is set per chunk */
    /* Keyed once, given a nonce per chunk: scheduling the key costs more than a small chunk. */
    EVP_CIPHER_CTX *sealer; /* NULL until the first seal */
    EVP_CIPHER_CTX *opener; /* NULL until the first open */
};

enum gk_status gk_segment_cipher_new(const struct gk_crypto *crypto,
                                     const struct gk_data_key_bytes *data_key,
                                     const struct gk_id *segment, struct gk_segment_cipher **out,
                                     struct gk_error *error)
{
    *out = NULL;
    struct gk_segment_cipher *cipher = gk_secret_alloc(sizeof *cipher);
    if (cipher == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no locked memory for a segment key");
    }
    cipher->crypto = crypto;
    memcpy(cipher->aad.segment, segment->bytes, sizeof segment->bytes);
    cipher->aad.size_log2 = GK_CHUNK_SIZE_LOG2;
    const struct gk_span part = gk_span_of(segment->bytes, sizeof segment->bytes);
    enum gk_status status =
        gk_hkdf_expand_sha256(crypto, data_key->bytes, SEGMENT_LABEL, &part, 1,
                              (uint8_t *)&cipher->secret, sizeof cipher->secret);
    if (status != GK_OK) {
        gk_segment_cipher_free(&cipher);
        return gk_fail(error, status, "cannot derive a segment key");
    }
    *out = cipher;
    return GK_OK;
}

void gk_segment_cipher_free(struct gk_segment_cipher **cipher)
{
    if (*cipher == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free((*cipher)->sealer); /* wipes the key schedule */
    EVP_CIPHER_CTX_free((*cipher)->opener);
    gk_secret_free(cipher);
}

/* The context of one direction, keyed on first use. NULL when memory is out. */
static EVP_CIPHER_CTX *keyed(struct gk_segment_cipher *cipher, EVP_CIPHER_CTX **slot, int encrypt)
{
    if (*slot != NULL) {
        return *slot;
    }
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL || EVP_CipherInit_ex2(ctx, cipher->crypto->aes_256_gcm, cipher->secret.key,
                                          NULL, encrypt, NULL) != 1) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    *slot = ctx;
    return ctx;
}

static void nonce_of(const struct gk_segment_cipher *cipher, uint64_t index, uint8_t last,
                     uint8_t nonce[GK_GCM_NONCE_BYTES])
{
    uint8_t counter[8];
    gk_put_u64(counter, (uint64_t)last << 63 | index);
    memcpy(nonce, cipher->secret.base_nonce, GK_GCM_NONCE_BYTES);
    for (size_t i = 0; i < sizeof counter; i++) {
        nonce[GK_GCM_NONCE_BYTES - sizeof counter + i] ^= counter[i];
    }
}

/* Starts a chunk: its nonce and its additional data. */
static bool begin_chunk(struct gk_segment_cipher *cipher, EVP_CIPHER_CTX *ctx, uint64_t index,
                        uint8_t last)
{
    uint8_t nonce[GK_GCM_NONCE_BYTES];
    nonce_of(cipher, index, last, nonce);
    gk_put_u64(cipher->aad.index, index);
    cipher->aad.last = last;
    int ignored = 0;
    return EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &ignored, (const uint8_t *)&cipher->aad,
                            (int)sizeof cipher->aad) == 1;
}

static bool body(EVP_CIPHER_CTX *ctx, struct gk_span in, uint8_t *out)
{
    int written = 0;
    return in.len == 0 || EVP_CipherUpdate(ctx, out, &written, in.data, (int)in.len) == 1;
}

static bool finish(EVP_CIPHER_CTX *ctx)
{
    uint8_t nothing[GK_TAG_BYTES];
    int written = 0;
    return EVP_CipherFinal_ex(ctx, nothing, &written) == 1;
}

static bool place_is_valid(uint64_t index, uint8_t last)
{
    return index < GK_SEGMENT_CHUNKS_MAX && last <= 1;
}

static bool plain_len_is_valid(size_t len, uint8_t last)
{
    return len == GK_CHUNK_PLAIN_BYTES || (last == 1 && len < GK_CHUNK_PLAIN_BYTES);
}

enum gk_status gk_segment_cipher_seal(struct gk_segment_cipher *cipher, uint64_t index,
                                      uint8_t last, struct gk_span plain, uint8_t *sealed,
                                      struct gk_error *error)
{
    if (!place_is_valid(index, last) || !plain_len_is_valid(plain.len, last)) {
        return gk_fail(error, GK_E_INVALID, "chunk index or length out of range");
    }
    uint8_t *tag = sealed + plain.len;
    EVP_CIPHER_CTX *ctx = keyed(cipher, &cipher->sealer, 1);
    if (ctx == NULL || !begin_chunk(cipher, ctx, index, last) || !body(ctx, plain, sealed) ||
        !finish(ctx) || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GK_TAG_BYTES, tag) != 1) {
        gk_wipe(sealed, plain.len + GK_TAG_BYTES);
        return gk_fail(error, GK_E_RESOURCE, "cannot seal a chunk");
    }
    return GK_OK;
}

/* Opens what has the length of a chunk. */
static enum gk_status open_chunk(struct gk_segment_cipher *cipher, uint64_t index, uint8_t last,
                                 struct gk_span sealed, uint8_t *plain)
{
    const struct gk_span ciphertext = gk_span_of(sealed.data, sealed.len - GK_TAG_BYTES);
    uint8_t tag[GK_TAG_BYTES]; /* a copy: libcrypto takes it through a pointer that is not const */
    memcpy(tag, sealed.data + ciphertext.len, sizeof tag);
    EVP_CIPHER_CTX *ctx = keyed(cipher, &cipher->opener, 0);
    if (ctx == NULL || !begin_chunk(cipher, ctx, index, last) || !body(ctx, ciphertext, plain) ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GK_TAG_BYTES, tag) != 1) {
        return GK_E_RESOURCE;
    }
    return finish(ctx) ? GK_OK : GK_E_INTEGRITY;
}

enum gk_status gk_segment_cipher_open(struct gk_segment_cipher *cipher, uint64_t index,
                                      uint8_t last, struct gk_span sealed, uint8_t *plain,
                                      struct gk_error *error)
{
    enum gk_status status = GK_E_INTEGRITY;
    if (!place_is_valid(index, last)) {
        status = GK_E_INVALID;
    } else if (sealed.len >= GK_TAG_BYTES && plain_len_is_valid(sealed.len - GK_TAG_BYTES, last)) {
        status = open_chunk(cipher, index, last, sealed, plain);
    }
    if (status == GK_OK) {
        return GK_OK;
    }
    if (sealed.len > GK_TAG_BYTES) {
        gk_wipe(plain, sealed.len - GK_TAG_BYTES);
    }
    return gk_fail(error, status,
                   status == GK_E_INTEGRITY ? "chunk %llu of a segment is not what was written"
                                            : "cannot open chunk %llu of a segment",
                   (unsigned long long)index);
}
