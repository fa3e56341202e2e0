/* SPDX-License-Identifier: Apache-2.0 */
/* Answers with a token, for whoever has shown to be the identity. */
#ifndef KEYVAULTD_TOKEN_ANSWER_H
#define KEYVAULTD_TOKEN_ANSWER_H

#include "keyvaultd/request.h"

/* Who gets a token, of which tenant, for whom. */
struct kv_grant {
    const struct kv_identity *identity;
    const char *tenant_id;
    const char *audience;
};

/* An absolute URI without blanks; it goes into the token as it is. */
bool kv_audience_good(const char *audience) GK_MUST_USE;
/* Times as texts, as the token endpoint's first version and token services of a host have them. */
void kv_answer_token_texts(struct kv_request *request, const struct kv_grant *grant);
/* As the token endpoint's second version has them. */
void kv_answer_token_numbers(struct kv_request *request, const struct kv_grant *grant);

#endif
