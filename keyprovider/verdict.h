/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer of a vault or of a token endpoint means. The tables are the rule that only an
 * explicit refusal revokes: whatever stands in none of them is GK_VAULT_UNAVAILABLE.
 */
#ifndef KEYPROVIDER_VERDICT_H
#define KEYPROVIDER_VERDICT_H

#include <stdbool.h>

#include "keyprovider/config.h"

enum gk_kv_operation { GK_KV_GET = 0, GK_KV_WRAP = 1, GK_KV_UNWRAP = 2, GK_KV_GET_POLICY = 3 };

/* How the vault itself names the operation: "get", "wrapKey", "unwrapKey", "getrotationpolicy". */
const char *gk_kv_operation_name(enum gk_kv_operation operation);

struct gk_kv_judgement {
    enum gk_vault_verdict verdict;
    bool retry;    /* asking again, later, may help */
    bool of_token; /* it counts only of a token that was just had: an older one is renewed first */
    char tenant_id
        [GK_KV_TENANT_BYTES_MAX]; /* whose tokens the vault takes, where it said so; or "" */
};

/*
 * code is the vault's own reason ("Forbidden/KeyDisabled"), "" when the body was not in the vault's
 * error format. A 401 is judged as if the token was fresh: the caller sees to that.
 */
struct gk_kv_judgement gk_kv_judge_vault(enum gk_kv_operation operation, uint16_t http_status,
                                         const char *code);

/*
 * The same for a token endpoint. code is the OAuth error, "" for none. A token service of the host (of_host)
 * answers 404 and 410 while it is being updated, and 401 where it was not shown that we belong to
 * this host (a key file that was replaced meanwhile, a header that was): that says nothing of the
 * identity.
 */
struct gk_kv_judgement gk_kv_judge_token(bool of_host, uint16_t http_status, const char *code);

#endif
