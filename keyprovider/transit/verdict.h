/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer of the transit engine, or of a login, means. Its errors are sentences without codes:
 * the tables have the words by which an explicit refusal is known, and the codes that we give them.
 * Whatever stands in none of them is GK_VAULT_UNAVAILABLE.
 *
 * Sources: API documentation; OpenBao's builtin/logical/transit, sdk/helper/keysutil,
 * sdk/logical/response_util.go and builtin/credential, which have them from Vault's.
 */
#ifndef KEYPROVIDER_TRANSIT_VERDICT_H
#define KEYPROVIDER_TRANSIT_VERDICT_H

#include "keyprovider/verdict.h"

/*
 * explained: the body was {"errors": [...]}, and message is all of them. *code gets our name of
 * the reason. A vault says permission denied to a token that has ended as to one that may not: it
 * counts only of a token that was just had (of_token).
 */
struct gk_kv_judgement gk_transit_judge(enum gk_kv_operation operation, uint16_t http_status,
                                        bool explained, const char *message, const char **code);

/*
 * The same for a login; message is the vault's, *reason gets ours: a vault may repeat a secret id in
 * its own. A login by a token of another issuer fails alike when that token is refused and when the
 * issuer cannot be asked about it, so its role being gone is all that counts.
 */
struct gk_kv_judgement gk_transit_judge_login(enum gk_kv_identity_source source,
                                              uint16_t http_status, bool explained,
                                              const char *message, const char **code,
                                              const char **reason);

#endif
