/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/private_half.h"

#include "common/log.h"
#include "common/secret.h"
#include "keyvaultd/rsa_unpad.h"

#define BLOCK_BYTES (KV_RSA_BYTES_MAX + 1u) /* a buffer's content ends in a NUL */

bool kv_private_generate(const struct kv_server *server, unsigned bits, struct kv_version *version)
{
    version->hsm_id[0] = '\0';
    version->rsa = server->hsm == NULL ? kv_rsa_generate(bits)
                                       : kv_hsm_generate(server->hsm, bits, version->hsm_id);
    return version->rsa != NULL;
}

void kv_private_discard(const struct kv_server *server, const struct kv_version *version)
{
    if (version->hsm_id[0] != '\0' && !kv_hsm_destroy(server->hsm, version->hsm_id)) {
        gk_log(GK_LOG_ERROR, "hsm", "the key %s is left in the token without use", version->hsm_id);
    }
}

static enum kv_private_result decrypt_in_hsm(const struct kv_server *server, const char *hsm_id,
                                             enum kv_rsa_padding padding, struct gk_span in,
                                             struct gk_buf *out)
{
    struct gk_buf block;
    uint8_t *room = gk_secret_alloc(BLOCK_BYTES);
    if (room == NULL) {
        return KV_PRIVATE_AWAY;
    }
    gk_buf_init_over(&block, room, BLOCK_BYTES);
    const enum kv_private_result result =
        !kv_hsm_decrypt(server->hsm, hsm_id, in, &block)   ? KV_PRIVATE_AWAY
        : !kv_rsa_unpad(padding, gk_buf_span(&block), out) ? KV_PRIVATE_UNFIT
                                                           : KV_PRIVATE_DONE;
    gk_secret_free(&room);
    return result;
}

enum kv_private_result kv_private_decrypt(const struct kv_server *server, EVP_PKEY *rsa,
                                          const char *hsm_id, enum kv_rsa_padding padding,
                                          struct gk_span in, struct gk_buf *out)
{
    if (hsm_id[0] == '\0') {
        return kv_rsa_decrypt(rsa, padding, in, out) ? KV_PRIVATE_DONE : KV_PRIVATE_UNFIT;
    }
    return kv_rsa_is_ciphertext(rsa, in) ? decrypt_in_hsm(server, hsm_id, padding, in, out)
                                         : KV_PRIVATE_UNFIT;
}
