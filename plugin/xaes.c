/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/xaes.h"

#include <openssl/evp.h>

#include "common/secret.h"
#include "common/text.h"

#define AES_BLOCK_BYTES 16u
#define HALF_NONCE      (GK_XAES_NONCE_BYTES / 2)

_Static_assert(HALF_NONCE == GK_GCM_NONCE_BYTES, "the nonce's second half is the GCM nonce");

static bool cmac_block(EVP_MAC_CTX *ctx, const uint8_t block[AES_BLOCK_BYTES],
                       uint8_t mac[AES_BLOCK_BYTES])
{
    size_t mac_len = 0;
    return EVP_MAC_update(ctx, block, AES_BLOCK_BYTES) == 1 &&
           EVP_MAC_final(ctx, mac, &mac_len, AES_BLOCK_BYTES) == 1 && mac_len == AES_BLOCK_BYTES;
}

/*
 * The message's own key: CMAC over be16(i) | "X" 0x00 | nonce[0, 12) for i = 1 and 2, which is
 * SP 800-108's counter mode with a label of one letter and no length field. The second begins anew
 * under the key that is set: expanding it again would be half the work.
 */
static bool derive_key(const struct gk_crypto *crypto, const uint8_t key[GK_KEY_BYTES],
                       const uint8_t nonce[GK_XAES_NONCE_BYTES], uint8_t derived[GK_KEY_BYTES])
{
    uint8_t block[AES_BLOCK_BYTES] = {0x00, 0x01, 'X', 0x00};
    memcpy(block + 4, nonce, HALF_NONCE);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(crypto->cmac_aes_256);
    bool ok = ctx != NULL && EVP_MAC_init(ctx, key, GK_KEY_BYTES, NULL) == 1 &&
              cmac_block(ctx, block, derived);
    block[1] = 0x02;
    ok = ok && EVP_MAC_init(ctx, NULL, 0, NULL) == 1 &&
         cmac_block(ctx, block, derived + AES_BLOCK_BYTES);
    EVP_MAC_CTX_free(ctx);
    return ok;
}

enum gk_status gk_xaes_seal_with_nonce(const struct gk_crypto *crypto,
                                       const uint8_t key[GK_KEY_BYTES],
                                       const uint8_t nonce[GK_XAES_NONCE_BYTES],
                                       const struct gk_span *aad, size_t aad_count,
                                       struct gk_span plain, uint8_t *sealed)
{
    enum gk_status status = GK_E_RESOURCE;
    uint8_t derived[GK_KEY_BYTES];
    uint8_t *ciphertext = sealed + GK_XAES_NONCE_BYTES;
    if (derive_key(crypto, key, nonce, derived)) {
        const struct gk_gcm_input input = {derived, nonce + HALF_NONCE, aad, aad_count};
        status = gk_gcm_seal(crypto, &input, plain, ciphertext, ciphertext + plain.len);
    }
    gk_wipe(derived, sizeof derived);
    if (status == GK_OK) {
        memcpy(sealed, nonce, GK_XAES_NONCE_BYTES);
    } else {
        gk_wipe(sealed, plain.len + GK_XAES_OVERHEAD_BYTES);
    }
    return status;
}

enum gk_status gk_xaes_seal(const struct gk_crypto *crypto, const uint8_t key[GK_KEY_BYTES],
                            const struct gk_span *aad, size_t aad_count, struct gk_span plain,
                            uint8_t *sealed)
{
    uint8_t nonce[GK_XAES_NONCE_BYTES];
    if (!gk_random(nonce, sizeof nonce)) {
        gk_wipe(sealed, plain.len + GK_XAES_OVERHEAD_BYTES);
        return GK_E_RESOURCE;
    }
    return gk_xaes_seal_with_nonce(crypto, key, nonce, aad, aad_count, plain, sealed);
}

/* The three fields of the sealed form. The caller has checked that sealed is long enough. */
struct sealed_view {
    const uint8_t *nonce;
    struct gk_span ciphertext;
    const uint8_t *tag;
};

static struct sealed_view view_of(struct gk_span sealed)
{
    size_t len = sealed.len - GK_XAES_OVERHEAD_BYTES;
    const uint8_t *ciphertext = sealed.data + GK_XAES_NONCE_BYTES;
    return (struct sealed_view){sealed.data, gk_span_of(ciphertext, len), ciphertext + len};
}

enum gk_status gk_xaes_open(const struct gk_crypto *crypto, const uint8_t key[GK_KEY_BYTES],
                            const struct gk_span *aad, size_t aad_count, struct gk_span sealed,
                            uint8_t *plain)
{
    if (sealed.len < GK_XAES_OVERHEAD_BYTES) {
        return GK_E_INTEGRITY;
    }
    struct sealed_view view = view_of(sealed);
    enum gk_status status = GK_E_RESOURCE;
    uint8_t derived[GK_KEY_BYTES];
    if (derive_key(crypto, key, view.nonce, derived)) {
        const struct gk_gcm_input input = {derived, view.nonce + HALF_NONCE, aad, aad_count};
        status = gk_gcm_open(crypto, &input, view.ciphertext, view.tag, plain);
    } else if (view.ciphertext.len > 0) {
        gk_wipe(plain, view.ciphertext.len);
    }
    gk_wipe(derived, sizeof derived);
    return status;
}

enum gk_status gk_xaes_verify(const struct gk_crypto *crypto, const uint8_t key[GK_KEY_BYTES],
                              const struct gk_span *aad, size_t aad_count, struct gk_span sealed)
{
    if (sealed.len < GK_XAES_OVERHEAD_BYTES) {
        return GK_E_INTEGRITY;
    }
    struct sealed_view view = view_of(sealed);
    enum gk_status status = GK_E_RESOURCE;
    uint8_t derived[GK_KEY_BYTES];
    if (derive_key(crypto, key, view.nonce, derived)) {
        const struct gk_gcm_input input = {derived, view.nonce + HALF_NONCE, aad, aad_count};
        status = gk_gcm_verify(crypto, &input, view.ciphertext, view.tag);
    }
    gk_wipe(derived, sizeof derived);
    return status;
}

/* --- nonce and tag apart ------------------------------------------------------------------------ */

enum gk_status gk_xaes_seal_apart(const struct gk_xaes_key *key, struct gk_span plain,
                                  uint8_t *ciphertext, uint8_t seal[GK_XAES_OVERHEAD_BYTES])
{
    enum gk_status status = GK_E_RESOURCE;
    uint8_t derived[GK_KEY_BYTES];
    if (gk_random(seal, GK_XAES_NONCE_BYTES) && derive_key(key->crypto, key->key, seal, derived)) {
        const struct gk_gcm_input input = {derived, seal + HALF_NONCE, key->aad, key->aad_count};
        status = gk_gcm_seal(key->crypto, &input, plain, ciphertext, seal + GK_XAES_NONCE_BYTES);
    }
    gk_wipe(derived, sizeof derived);
    if (status != GK_OK) {
        gk_wipe(ciphertext, plain.len);
        gk_wipe(seal, GK_XAES_OVERHEAD_BYTES);
    }
    return status;
}

enum gk_status gk_xaes_open_apart(const struct gk_xaes_key *key, struct gk_span ciphertext,
                                  const uint8_t seal[GK_XAES_OVERHEAD_BYTES], uint8_t *plain)
{
    enum gk_status status = GK_E_RESOURCE;
    uint8_t derived[GK_KEY_BYTES];
    if (derive_key(key->crypto, key->key, seal, derived)) {
        const struct gk_gcm_input input = {derived, seal + HALF_NONCE, key->aad, key->aad_count};
        status = gk_gcm_open(key->crypto, &input, ciphertext, seal + GK_XAES_NONCE_BYTES, plain);
    } else {
        gk_wipe(plain, ciphertext.len);
    }
    gk_wipe(derived, sizeof derived);
    return status;
}
