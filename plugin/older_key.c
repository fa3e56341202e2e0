/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/older_key.h"

#include <stdio.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/bytes.h"

#define OLDER_LABEL "gatekey/v1/older-root-key"

static enum gk_status derive_wrap_key(const struct gk_crypto *crypto,
                                      const struct gk_active_key *active,
                                      struct gk_root_wrap_key *wrap_key, struct gk_error *error)
{
    uint8_t generation[4];
    gk_put_u32(generation, active->scope.generation);
    const struct gk_span parts[] = {
        gk_span_of(active->scope.account.bytes, sizeof active->scope.account.bytes),
        gk_span_of(generation, sizeof generation),
    };
    const enum gk_status status = gk_hkdf_expand_sha256(
        crypto, active->key->bytes, OLDER_LABEL, parts, 2, wrap_key->bytes, sizeof wrap_key->bytes);
    return status == GK_OK ? GK_OK : gk_fail(error, status, "cannot derive a wrapping key");
}

static void key_id_of(uint32_t active, char key_id[GK_KEY_ID_BYTES_MAX])
{
    snprintf(key_id, GK_KEY_ID_BYTES_MAX, GK_WRAP_ROOT_KEY_ID_PREFIX "%u", (unsigned)active);
}

enum gk_status gk_older_key_wrap(const struct gk_crypto *crypto, const struct gk_active_key *active,
                                 const struct gk_root_key *key, int64_t wall_ms,
                                 struct gk_root_generation *older, struct gk_error *error)
{
    const struct gk_root_scope scope = {.account = active->scope.account,
                                        .generation = older->generation};
    struct gk_root_wrap *wrap = &older->wraps[0];
    struct gk_root_wrap_key wrap_key;
    memset(older->wraps, 0, sizeof older->wraps);
    older->state = GK_GENERATION_DECRYPT_ONLY;
    older->wraps_count = 1;
    enum gk_status status = derive_wrap_key(crypto, active, &wrap_key, error);
    if (status == GK_OK) {
        status = gk_root_key_wrap(crypto, &wrap_key, &scope, key, wrap->value, error);
    }
    gk_wipe(&wrap_key, sizeof wrap_key);
    key_id_of(active->scope.generation, wrap->key_id);
    snprintf(wrap->algorithm, sizeof wrap->algorithm, "%s", GK_WRAP_ALGORITHM_SERVICE);
    wrap->value_len = GK_SERVICE_WRAPPED_ROOT_BYTES;
    wrap->created_wall_ms = wall_ms;
    return status;
}

enum gk_status gk_older_key_open(const struct gk_crypto *crypto, const struct gk_active_key *active,
                                 const struct gk_root_generation *older, struct gk_root_key *key,
                                 struct gk_error *error)
{
    const struct gk_root_scope scope = {.account = active->scope.account,
                                        .generation = older->generation};
    const struct gk_root_wrap *wrap = &older->wraps[0];
    struct gk_root_wrap_key wrap_key;
    gk_wipe(key, sizeof *key);
    enum gk_status status = derive_wrap_key(crypto, active, &wrap_key, error);
    if (status == GK_OK) {
        status = gk_root_key_unwrap(crypto, &wrap_key, &scope,
                                    gk_span_of(wrap->value, wrap->value_len), key, error);
    }
    gk_wipe(&wrap_key, sizeof wrap_key);
    if (status == GK_OK) {
        status = gk_root_key_check(crypto, key, &scope, older->commitment, error);
    }
    if (status != GK_OK) {
        gk_wipe(key, sizeof *key);
    }
    return status;
}

bool gk_older_key_is_under(const struct gk_root_generation *older, uint32_t active)
{
    char key_id[GK_KEY_ID_BYTES_MAX];
    key_id_of(active, key_id);
    return older->wraps_count == 1 && strcmp(older->wraps[0].key_id, key_id) == 0;
}
