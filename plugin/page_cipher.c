/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/page_cipher.h"

#include "common/error.h"
#include "common/secret.h"
#include "plugin/bytes.h"
#include "plugin/kdf.h"
#include "plugin/xaes.h"

#define PAGES_LABEL "gatekey/v1/pages"

_Static_assert(GK_PAGE_SEAL_BYTES == GK_XAES_OVERHEAD_BYTES, "a nonce and a tag");
_Static_assert(GK_PAGE_BLOCK_BYTES == 1u << GK_PAGE_BLOCK_SIZE_LOG2, "the block's size");

/* Additional data of a block, byte by byte. */
struct block_aad {
    uint8_t object[16];
    uint8_t index[8];
    uint8_t size_log2;
};
_Static_assert(sizeof(struct block_aad) == 25, "no padding");

struct gk_page_cipher {
    const struct gk_crypto *crypto;
    uint8_t key[GK_KEY_BYTES];
    struct block_aad aad; /* index is set per block */
};

enum gk_status gk_page_cipher_new(const struct gk_crypto *crypto,
                                  const struct gk_data_key_bytes *data_key,
                                  const struct gk_id *object, struct gk_page_cipher **out,
                                  struct gk_error *error)
{
    *out = NULL;
    struct gk_page_cipher *cipher = gk_secret_alloc(sizeof *cipher);
    if (cipher == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no locked memory for the key of a page object");
    }
    cipher->crypto = crypto;
    memcpy(cipher->aad.object, object->bytes, sizeof object->bytes);
    cipher->aad.size_log2 = GK_PAGE_BLOCK_SIZE_LOG2;
    const struct gk_span part = gk_span_of(object->bytes, sizeof object->bytes);
    const enum gk_status status = gk_hkdf_expand_sha256(crypto, data_key->bytes, PAGES_LABEL, &part,
                                                        1, cipher->key, sizeof cipher->key);
    if (status != GK_OK) {
        gk_page_cipher_free(&cipher);
        return gk_fail(error, status, "cannot derive the key of a page object");
    }
    *out = cipher;
    return GK_OK;
}

void gk_page_cipher_free(struct gk_page_cipher **cipher)
{
    if (*cipher != NULL) {
        gk_secret_free(cipher);
    }
}

enum gk_status gk_page_cipher_seal(struct gk_page_cipher *cipher, uint64_t index,
                                   const uint8_t *plain, uint8_t *ciphertext,
                                   uint8_t seal[GK_PAGE_SEAL_BYTES], struct gk_error *error)
{
    gk_put_u64(cipher->aad.index, index);
    const struct gk_span aad = gk_span_of(&cipher->aad, sizeof cipher->aad);
    const struct gk_xaes_key key = {cipher->crypto, cipher->key, &aad, 1};
    const enum gk_status status =
        gk_xaes_seal_apart(&key, gk_span_of(plain, GK_PAGE_BLOCK_BYTES), ciphertext, seal);
    return status == GK_OK ? GK_OK : gk_fail(error, status, "cannot seal a block");
}

enum gk_status gk_page_cipher_open(struct gk_page_cipher *cipher, uint64_t index,
                                   const uint8_t *ciphertext,
                                   const uint8_t seal[GK_PAGE_SEAL_BYTES], uint8_t *plain,
                                   struct gk_error *error)
{
    gk_put_u64(cipher->aad.index, index);
    const struct gk_span aad = gk_span_of(&cipher->aad, sizeof cipher->aad);
    const struct gk_xaes_key key = {cipher->crypto, cipher->key, &aad, 1};
    const enum gk_status status =
        gk_xaes_open_apart(&key, gk_span_of(ciphertext, GK_PAGE_BLOCK_BYTES), seal, plain);
    return status == GK_OK ? GK_OK
                           : gk_fail(error, status,
                                     status == GK_E_INTEGRITY
                                         ? "block %llu of a page object is not what was written"
                                         : "cannot open block %llu of a page object",
                                     (unsigned long long)index);
}
