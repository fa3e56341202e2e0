/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what the transit engine and logins answer. Pure functions over hostile text: false means
 * that it is not what was asked for, and then it is nobody's refusal either.
 */
#ifndef KEYPROVIDER_TRANSIT_RESPONSE_H
#define KEYPROVIDER_TRANSIT_RESPONSE_H

#include "keyprovider/dialect.h"
#include "keyprovider/response.h"

/*
 * A key: {"data": {"name", "type", "latest_version", ...}} becomes answer->key_id, of the version
 * that was asked for or of the latest, and answer->info. enabled: that version wraps and unwraps;
 * soft_delete and purge_protected: deletion_allowed is false, for a deletion is final here.
 */
bool gk_transit_response_key(struct gk_span body, const struct gk_kv_question *question,
                             struct gk_vault_answer *answer) GK_MUST_USE;

/* {"data": {"ciphertext"}} or {"data": {"plaintext"}}: answer->key_id, and the bytes into value. */
bool gk_transit_response_value(struct gk_span body, const struct gk_kv_question *question,
                               struct gk_vault_answer *answer, struct gk_buf *value) GK_MUST_USE;

/* {"auth": {"client_token", "lease_duration"}} of a login. */
bool gk_transit_response_token(struct gk_span body, struct gk_kv_token_response *token) GK_MUST_USE;

/* {"errors": ["...", ...]}: all of them as a line for people, "" when there is none. */
bool gk_transit_response_error(struct gk_span body, char *message,
                               size_t message_bytes) GK_MUST_USE;

#endif
