/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one kind of vault is asked, and what its answers mean: all of a call that is not the same for
 * every kind. Whose turn it is, the token, deadlines and trying again are in call.c, for all of them.
 * Pure functions over hostile text; no network, any thread.
 */
#ifndef KEYPROVIDER_DIALECT_H
#define KEYPROVIDER_DIALECT_H

#include "keyprovider/config.h"
#include "keyprovider/transport.h"
#include "keyprovider/verdict.h"

/* What is asked of which vault, as whom. Owns nothing. */
struct gk_kv_question {
    enum gk_kv_operation operation;
    const struct gk_key_reference *key;
    const struct gk_key_info *version; /* of a look at the rotation policy: whose dates it is for */
    const struct gk_kv_vault *vault;
    const struct gk_kv_identity *identity;
    bool vouched; /* an application of the vault's tenant asks, for which the identity vouches */
};

struct gk_kv_dialect {
    /* What a wrap is made with, as the record keeps it, unless the vault's configuration says otherwise. */
    const char *wrap_algorithm;
    /* Whether it is documented that the name of a vault ends with it; else it is silent. */
    bool name_ends_with_vault;
    /* Whether it takes the fewer unwraps the larger a key is, by its published limits (pace.h). */
    bool weighs_keys;

    /* Refuses a name or a version that no key of such a vault has. */
    enum gk_status (*check_key)(const struct gk_key_reference *key, struct gk_error *error);
    /* Whether a key of such a vault unwraps with it. It goes into the request as it is. */
    bool (*algorithm_is_known)(const char *algorithm);

    /* out has room for GK_KV_CALL_URL_BYTES_MAX. */
    void (*url)(struct gk_buf *out, const struct gk_kv_question *question);
    /* A further line of the request's head, or ""; NULL: there is never one. */
    void (*header)(struct gk_buf *out, const struct gk_kv_question *question);
    /* Of a wrap or an unwrap; out is over GK_KV_REQUEST_BYTES_MAX of secret memory. False: no such
     * vault has made that value. */
    bool (*body)(struct gk_buf *out, const struct gk_kv_question *question, const char *algorithm,
                 struct gk_span value);

    /* The ways to read a 200; false: it is not what was asked for. As in response.h. */
    bool (*read_key)(struct gk_span body, const struct gk_kv_question *question,
                     struct gk_vault_answer *answer);
    bool (*read_value)(struct gk_span body, const struct gk_kv_question *question,
                       struct gk_vault_answer *answer, struct gk_buf *value);
    /* Of the rotation policy, answer->info.rotation_due_wall_ms; NULL: read_key has it. */
    bool (*read_policy)(struct gk_span body, const struct gk_kv_question *question,
                        struct gk_vault_answer *answer);
    /* What any other status means; answer gets code and message. */
    struct gk_kv_judgement (*judge)(const struct gk_kv_question *question,
                                    const struct gk_kv_http_answer *http,
                                    struct gk_vault_answer *answer);
};

#define GK_KV_CALL_URL_BYTES_MAX (GK_KEY_ID_BYTES_MAX + 64u)
#define GK_KV_HEADER_BYTES_MAX   256u
#define GK_KV_REQUEST_BYTES_MAX  1024u /* a body, with NUL: 512 wrapped bytes and their frame */

/* Azure Key Vault and Managed HSM. */
const struct gk_kv_dialect *gk_kv_dialect_keyvault(void);
/* The transit engine of OpenBao and HashiCorp Vault: transit/. */
const struct gk_kv_dialect *gk_kv_dialect_transit(void);

#endif
