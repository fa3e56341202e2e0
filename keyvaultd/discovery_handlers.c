/* SPDX-License-Identifier: Apache-2.0 */
/* What clients look up about an authority before they ask it for a token. */
#include "keyvaultd/handlers.h"

static json_t *below(const struct kv_request *request, const char *tenant_id, const char *path)
{
    return json_sprintf("%s/%s%s", request->server->authority, tenant_id, path);
}

void kv_handle_instance(struct kv_request *request)
{
    const struct kv_server *server = request->server;
    const char *host = server->authority + sizeof "https://" - 1;
    kv_answer(request, 200,
              json_pack("{s:o, s:s, s:[{s:s, s:s, s:[s]}]}", "tenant_discovery_endpoint",
                        below(request, server->config->tenant_id,
                              "/v2.0/.well-known/openid-configuration"),
                        "api-version", "1.1", "metadata", "preferred_network", host,
                        "preferred_cache", host, "aliases", host));
}

void kv_handle_openid(struct kv_request *request)
{
    if (!kv_config_serves_tenant(request->server->config, request->name)) {
        kv_answer(request, 400,
                  json_pack("{s:s, s:s}", "error", "invalid_tenant", "error_description",
                            "AADSTS90002: Tenant not found."));
        return;
    }
    kv_answer(request, 200,
              json_pack("{s:o, s:o, s:o, s:o, s:[s], s:[s], s:[s], s:[s], s:[s]}", "issuer",
                        below(request, request->name, "/v2.0"), "authorization_endpoint",
                        below(request, request->name, "/oauth2/v2.0/authorize"), "token_endpoint",
                        below(request, request->name, "/oauth2/v2.0/token"), "jwks_uri",
                        below(request, request->name, "/discovery/v2.0/keys"),
                        "token_endpoint_auth_methods_supported", "client_secret_post",
                        "response_types_supported", "token", "subject_types_supported", "pairwise",
                        "scopes_supported", "openid", "id_token_signing_alg_values_supported",
                        "HS256"));
}

/* Tokens are authenticated with a secret that does not leave this process: no public keys. */
void kv_handle_signing_keys(struct kv_request *request)
{
    kv_answer(request, 200, json_pack("{s:[]}", "keys"));
}
