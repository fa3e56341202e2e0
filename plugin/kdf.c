/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/kdf.h"

#include <openssl/evp.h>

#include "common/secret.h"

enum gk_status gk_hmac_sha256(const struct gk_crypto *crypto, struct gk_span key,
                              const struct gk_span *parts, size_t parts_count,
                              uint8_t mac[GK_SHA256_BYTES])
{
    static const uint8_t no_key[1] = {0};
    gk_wipe(mac, GK_SHA256_BYTES);
    if (key.len > GK_HMAC_KEY_BYTES_MAX) {
        return GK_E_LIMIT;
    }
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(crypto->hmac_sha256);
    /* A NULL key would mean "the one set before", so an empty key still points somewhere. */
    bool ok = ctx != NULL && EVP_MAC_init(ctx, key.len > 0 ? key.data : no_key, key.len, NULL) == 1;
    for (size_t i = 0; ok && i < parts_count; i++) {
        ok = parts[i].len == 0 || EVP_MAC_update(ctx, parts[i].data, parts[i].len) == 1;
    }
    size_t mac_len = 0;
    ok =
        ok && EVP_MAC_final(ctx, mac, &mac_len, GK_SHA256_BYTES) == 1 && mac_len == GK_SHA256_BYTES;
    EVP_MAC_CTX_free(ctx);
    if (!ok) {
        gk_wipe(mac, GK_SHA256_BYTES);
        return GK_E_RESOURCE;
    }
    return GK_OK;
}

/* RFC 5869, 2.3: T(n) = HMAC(key, T(n-1) | info | n), n from 1; info given in parts. */
static enum gk_status expand(const struct gk_crypto *crypto, struct gk_span key,
                             const struct gk_span *info, size_t info_count, uint8_t *out,
                             size_t out_len)
{
    struct gk_span parts[GK_HKDF_LABEL_PARTS_MAX + 4];
    uint8_t block[GK_SHA256_BYTES] = {0};
    uint8_t number = 1;
    enum gk_status status = GK_OK;
    for (size_t at = 0; status == GK_OK && at < out_len; at += sizeof block, number++) {
        size_t count = 0;
        parts[count++] = gk_span_of(block, number == 1 ? 0 : sizeof block);
        for (size_t i = 0; i < info_count; i++) {
            parts[count++] = info[i];
        }
        parts[count++] = gk_span_of(&number, 1);
        uint8_t next[GK_SHA256_BYTES];
        status = gk_hmac_sha256(crypto, key, parts, count, next);
        memcpy(block, next, sizeof block);
        gk_wipe(next, sizeof next);
        size_t left = out_len - at;
        memcpy(out + at, block, left < sizeof block ? left : sizeof block);
    }
    gk_wipe(block, sizeof block);
    if (status != GK_OK) {
        gk_wipe(out, out_len);
    }
    return status;
}

static bool out_len_fits(size_t out_len)
{
    return out_len >= 1 && out_len <= GK_HKDF_BYTES_MAX;
}

enum gk_status gk_hkdf_sha256(const struct gk_crypto *crypto, struct gk_span key,
                              struct gk_span salt, struct gk_span info, uint8_t *out,
                              size_t out_len)
{
    if (!out_len_fits(out_len)) {
        return GK_E_LIMIT;
    }
    /* An empty HMAC key is padded with zeros, which is the RFC's default salt. */
    uint8_t extracted[GK_SHA256_BYTES];
    enum gk_status status = gk_hmac_sha256(crypto, salt, &key, 1, extracted);
    if (status == GK_OK) {
        status = expand(crypto, gk_span_of(extracted, sizeof extracted), &info, 1, out, out_len);
    } else {
        gk_wipe(out, out_len);
    }
    gk_wipe(extracted, sizeof extracted);
    return status;
}

enum gk_status gk_hkdf_expand_sha256(const struct gk_crypto *crypto,
                                     const uint8_t key[GK_KEY_BYTES], const char *label,
                                     const struct gk_span *parts, size_t parts_count, uint8_t *out,
                                     size_t out_len)
{
    if (!out_len_fits(out_len) || parts_count > GK_HKDF_LABEL_PARTS_MAX) {
        return GK_E_LIMIT;
    }
    struct gk_span info[GK_HKDF_LABEL_PARTS_MAX + 1];
    info[0] = gk_span_of(label, strlen(label) + 1); /* with its NUL */
    for (size_t i = 0; i < parts_count; i++) {
        info[i + 1] = parts[i];
    }
    return expand(crypto, gk_span_of(key, GK_KEY_BYTES), info, parts_count + 1, out, out_len);
}
