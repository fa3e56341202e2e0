/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/root_key.h"

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/bytes.h"
#include "plugin/kdf.h"
#include "plugin/xaes.h"

#define COMMITMENT_LABEL "gatekey/v1/root-commitment"

_Static_assert(GK_SERVICE_WRAPPED_ROOT_BYTES == GK_KEY_BYTES + GK_XAES_OVERHEAD_BYTES,
               "a wrapped root key is one XAES message");

enum gk_status gk_root_key_random(struct gk_root_key *key, struct gk_error *error)
{
    if (!gk_random(key->bytes, sizeof key->bytes)) {
        gk_wipe(key, sizeof *key);
        return gk_fail(error, GK_E_RESOURCE, "no randomness for a root key");
    }
    return GK_OK;
}

enum gk_status gk_root_key_commitment(const struct gk_crypto *crypto, const struct gk_root_key *key,
                                      const struct gk_root_scope *scope,
                                      uint8_t commitment[GK_ROOT_COMMITMENT_BYTES],
                                      struct gk_error *error)
{
    uint8_t generation[4];
    gk_put_u32(generation, scope->generation);
    const struct gk_span parts[] = {
        gk_span_of(scope->account.bytes, sizeof scope->account.bytes),
        gk_span_of(generation, sizeof generation),
    };
    enum gk_status status = gk_hkdf_expand_sha256(crypto, key->bytes, COMMITMENT_LABEL, parts, 2,
                                                  commitment, GK_ROOT_COMMITMENT_BYTES);
    return status == GK_OK ? GK_OK : gk_fail(error, status, "cannot derive a commitment");
}

enum gk_status gk_root_key_check(const struct gk_crypto *crypto, const struct gk_root_key *key,
                                 const struct gk_root_scope *scope,
                                 const uint8_t commitment[GK_ROOT_COMMITMENT_BYTES],
                                 struct gk_error *error)
{
    uint8_t actual[GK_ROOT_COMMITMENT_BYTES];
    enum gk_status status = gk_root_key_commitment(crypto, key, scope, actual, error);
    if (status != GK_OK) {
        return status;
    }
    if (!gk_secret_equal(gk_span_of(actual, sizeof actual),
                         gk_span_of(commitment, GK_ROOT_COMMITMENT_BYTES))) {
        return gk_fail(error, GK_E_INTEGRITY,
                       "the unwrapped key is not the root key that the account record commits to");
    }
    return GK_OK;
}

/* What binds a wrap to its place: label NUL | account | generation. */
struct wrap_aad {
    uint8_t generation[4];
    struct gk_span parts[3];
};

static void wrap_aad_init(struct wrap_aad *aad, const struct gk_root_scope *scope)
{
    gk_put_u32(aad->generation, scope->generation);
    aad->parts[0] = gk_span_of(GK_ROOT_WRAP_LABEL, sizeof GK_ROOT_WRAP_LABEL);
    aad->parts[1] = gk_span_of(scope->account.bytes, sizeof scope->account.bytes);
    aad->parts[2] = gk_span_of(aad->generation, sizeof aad->generation);
}

enum gk_status gk_root_key_wrap(const struct gk_crypto *crypto,
                                const struct gk_root_wrap_key *wrap_key,
                                const struct gk_root_scope *scope, const struct gk_root_key *key,
                                uint8_t wrapped[GK_SERVICE_WRAPPED_ROOT_BYTES],
                                struct gk_error *error)
{
    struct wrap_aad aad;
    wrap_aad_init(&aad, scope);
    enum gk_status status = gk_xaes_seal(crypto, wrap_key->bytes, aad.parts, 3,
                                         gk_span_of(key->bytes, sizeof key->bytes), wrapped);
    return status == GK_OK ? GK_OK : gk_fail(error, status, "cannot wrap a root key");
}

enum gk_status gk_root_key_unwrap(const struct gk_crypto *crypto,
                                  const struct gk_root_wrap_key *wrap_key,
                                  const struct gk_root_scope *scope, struct gk_span wrapped,
                                  struct gk_root_key *key, struct gk_error *error)
{
    gk_wipe(key, sizeof *key);
    enum gk_status status = GK_E_INTEGRITY;
    if (wrapped.len == GK_SERVICE_WRAPPED_ROOT_BYTES) {
        struct wrap_aad aad;
        wrap_aad_init(&aad, scope);
        status = gk_xaes_open(crypto, wrap_key->bytes, aad.parts, 3, wrapped, key->bytes);
    }
    if (status == GK_E_INTEGRITY) {
        return gk_fail(error, status,
                       "the root key was not wrapped by this service key for this "
                       "account");
    }
    return status == GK_OK ? GK_OK : gk_fail(error, status, "cannot unwrap a root key");
}
