/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/token_answer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "keyvaultd/token.h"

bool kv_audience_good(const char *audience)
{
    const size_t len = strlen(audience);
    for (size_t i = 0; i < len; i++) {
        if (!isgraph((unsigned char)audience[i]) || audience[i] == '"' || audience[i] == '\\') {
            return false;
        }
    }
    return len < KV_TOKEN_TEXT_MAX &&
           (strncmp(audience, "https://", 8) == 0 || strncmp(audience, "api://", 6) == 0);
}

/* The grant's token; NULL when memory is out. */
static json_t *issue(struct kv_request *request, const struct kv_grant *grant, int64_t now_s)
{
    const struct kv_server *server = request->server;
    const struct kv_config_identity *identity = grant->identity->config;
    char issuer[KV_ORIGIN_BYTES + KV_TOKEN_TEXT_MAX];
    char object_id[GK_UUID_TEXT_BYTES];
    struct gk_buf text;
    if (!kv_identity_object_id(grant->identity, grant->tenant_id, object_id)) {
        return NULL;
    }
    snprintf(issuer, sizeof issuer, "%s/%.200s/", server->authority, grant->tenant_id);
    const struct kv_token token = {.issuer = issuer,
                                   .audience = grant->audience,
                                   .tenant_id = grant->tenant_id,
                                   .client_id = identity->client_id,
                                   .object_id = object_id,
                                   .not_before_s = now_s,
                                   .expires_s = now_s + server->config->token_lifetime_s};
    gk_buf_init(&text, KV_TOKEN_BYTES_MAX);
    json_t *value = kv_token_make(&token, kv_server_token_secret(server), &text)
                        ? json_string(gk_buf_str(&text))
                        : NULL;
    gk_buf_cleanup_wipe(&text);
    snprintf(request->call.identity, sizeof request->call.identity, "%s", identity->name);
    return value;
}

void kv_answer_token_texts(struct kv_request *request, const struct kv_grant *grant)
{
    const long long now_s = kv_server_now_s(request->server);
    const long long lifetime_s = request->server->config->token_lifetime_s;
    kv_answer(request, 200,
              json_pack("{s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:s}", "access_token",
                        issue(request, grant, now_s), "client_id",
                        grant->identity->config->client_id, "refresh_token", "", "expires_in",
                        json_sprintf("%lld", lifetime_s), "expires_on",
                        json_sprintf("%lld", now_s + lifetime_s), "not_before",
                        json_sprintf("%lld", now_s), "resource", grant->audience, "token_type",
                        "Bearer"));
}

void kv_answer_token_numbers(struct kv_request *request, const struct kv_grant *grant)
{
    const json_int_t lifetime_s = request->server->config->token_lifetime_s;
    kv_answer(request, 200,
              json_pack("{s:s, s:I, s:I, s:o}", "token_type", "Bearer", "expires_in", lifetime_s,
                        "ext_expires_in", lifetime_s, "access_token",
                        issue(request, grant, kv_server_now_s(request->server))));
}
