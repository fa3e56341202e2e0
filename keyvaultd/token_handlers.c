/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint for client credentials, in both its versions, and instance metadata. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "keyvaultd/handlers.h"
#include "keyvaultd/token.h"

#define DEFAULT_SCOPE "/.default"

/* --- refusals ----------------------------------------------------------------------------------- */

/* The authority's error form: clients branch on the number. */
static void refuse_token(struct kv_request *request, unsigned status, const char *error,
                         unsigned number, const char *text)
{
    struct gk_id ids[2];
    char trace[GK_UUID_TEXT_BYTES] = "";
    char correlation[GK_UUID_TEXT_BYTES] = "";
    char time[GK_TIME_TEXT_BYTES];
    if (gk_id_random(&ids[0]) && gk_id_random(&ids[1])) {
        gk_id_format(&ids[0], trace);
        gk_id_format(&ids[1], correlation);
    }
    gk_time_iso(kv_server_now_ms(request->server), time);
    snprintf(request->call.code, sizeof request->call.code, "AADSTS%u", number);
    kv_answer(request, status,
              json_pack("{s:s, s:o, s:[i], s:s, s:s, s:s, s:o}", "error", error,
                        "error_description",
                        json_sprintf("AADSTS%u: %s Trace ID: %s Correlation ID: %s Timestamp: %s",
                                     number, text, trace, correlation, time),
                        "error_codes", (int)number, "timestamp", time, "trace_id", trace,
                        "correlation_id", correlation, "error_uri",
                        json_sprintf("%s/error?code=%u", request->server->authority, number)));
}

static void refuse_imds(struct kv_request *request, const char *error, const char *text)
{
    snprintf(request->call.code, sizeof request->call.code, "%s", error);
    kv_answer(request, 400, json_pack("{s:s, s:s}", "error", error, "error_description", text));
}

/* --- issuing ------------------------------------------------------------------------------------ */

/* An absolute URI without blanks; it goes into the token as it is. */
static bool audience_good(const char *audience)
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

/* The one scope that ends in "/.default" names the audience; others ("openid") are left alone. */
static bool audience_of_scope(const char *scope, char out[KV_TOKEN_TEXT_MAX])
{
    while (*scope != '\0') {
        const size_t len = strcspn(scope, " ");
        const size_t tail = sizeof DEFAULT_SCOPE - 1;
        if (len > tail && len - tail < KV_TOKEN_TEXT_MAX &&
            strncmp(scope + len - tail, DEFAULT_SCOPE, tail) == 0) {
            memcpy(out, scope, len - tail);
            out[len - tail] = '\0';
            return audience_good(out);
        }
        scope += len;
        scope += strspn(scope, " ");
    }
    return false;
}

/* Who gets a token, of which tenant, for whom. */
struct grant {
    const struct kv_identity *identity;
    const char *tenant_id;
    const char *audience;
};

/* The grant's token; NULL when memory is out. */
static json_t *issue(struct kv_request *request, const struct grant *grant, int64_t now_s)
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

/* Times as texts, as the first version and instance metadata have them. */
static void answer_texts(struct kv_request *request, const struct grant *grant)
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

static void answer_numbers(struct kv_request *request, const struct grant *grant)
{
    const json_int_t lifetime_s = request->server->config->token_lifetime_s;
    kv_answer(request, 200,
              json_pack("{s:s, s:I, s:I, s:o}", "token_type", "Bearer", "expires_in", lifetime_s,
                        "ext_expires_in", lifetime_s, "access_token",
                        issue(request, grant, kv_server_now_s(request->server))));
}

/* --- client credentials ------------------------------------------------------------------------- */

/* The identity that proves itself in the form; NULL: refused. */
static const struct kv_identity *authenticate(struct kv_request *request,
                                              const struct kv_params *form)
{
    const char *grant = kv_params_get(form, "grant_type");
    const char *client_id = kv_params_get(form, "client_id");
    const char *secret = kv_params_get(form, "client_secret");
    if (!kv_config_serves_tenant(request->server->config, request->name)) {
        refuse_token(request, 400, "invalid_request", 90002, "Tenant not found.");
        return NULL;
    }
    if (grant == NULL || strcmp(grant, "client_credentials") != 0) {
        refuse_token(request, 400, "unsupported_grant_type", 70003,
                     "The app requested an unsupported grant type.");
        return NULL;
    }
    const struct kv_identity *identity =
        client_id == NULL ? NULL
                          : kv_identity_by_client_id(&request->server->identities, client_id);
    if (identity == NULL || identity->secret == NULL ||
        !kv_identity_is_in(identity, request->name)) {
        refuse_token(request, 400, "unauthorized_client", 700016,
                     "Application was not found in the directory.");
        return NULL;
    }
    if (secret == NULL || !kv_identity_secret_is(identity, gk_span_str(secret))) {
        refuse_token(request, 401, "invalid_client", 7000215, "Invalid client secret provided.");
        return NULL;
    }
    if (!atomic_load(&identity->enabled)) {
        refuse_token(request, 400, "unauthorized_client", 7000112, "Application is disabled.");
        return NULL;
    }
    return identity;
}

static void answer_form(struct kv_request *request, const struct kv_params *form, bool v1)
{
    char audience[KV_TOKEN_TEXT_MAX];
    struct grant grant = {.identity = authenticate(request, form), .tenant_id = request->name};
    if (grant.identity == NULL) {
        return;
    }
    const char *scope = kv_params_get(form, "scope");
    const char *resource = kv_params_get(form, "resource");
    if (v1 && (resource == NULL || !audience_good(resource))) {
        refuse_token(request, 400, "invalid_resource", 500011,
                     "The resource principal was not found.");
    } else if (v1) {
        grant.audience = resource;
        answer_texts(request, &grant);
    } else if (scope == NULL || !audience_of_scope(scope, audience)) {
        refuse_token(request, 400, "invalid_scope", 1002012,
                     "The provided value for scope is not valid; it must end in /.default.");
    } else {
        grant.audience = audience;
        answer_numbers(request, &grant);
    }
}

static void handle_token(struct kv_request *request, bool v1)
{
    struct kv_params form;
    if (kv_params_parse(&form, gk_buf_span(&request->body), true)) {
        answer_form(request, &form, v1);
    } else {
        refuse_token(request, 400, "invalid_request", 900144, "The request body is malformed.");
    }
    kv_params_cleanup(&form);
}

void kv_handle_token_v1(struct kv_request *request)
{
    handle_token(request, true);
}

void kv_handle_token_v2(struct kv_request *request)
{
    handle_token(request, false);
}

/* --- instance metadata -------------------------------------------------------------------------- */

void kv_handle_imds(struct kv_request *request)
{
    const struct kv_params *query = &request->query;
    const char *metadata = gk_http_header(request->exchange, "Metadata");
    const char *resource = kv_params_get(query, "resource");
    const char *msi = kv_params_get(query, "msi_res_id");
    const struct kv_identity_choice choice = {
        .client_id = kv_params_get(query, "client_id"),
        .object_id = kv_params_get(query, "object_id"),
        .resource_id = msi != NULL ? msi : kv_params_get(query, "mi_res_id"),
    };
    if (metadata == NULL || strcasecmp(metadata, "true") != 0) {
        refuse_imds(request, "invalid_request", "Required metadata header not specified");
        return;
    }
    if (kv_params_get(query, "api-version") == NULL || resource == NULL ||
        !audience_good(resource)) {
        refuse_imds(request, "invalid_request", "api-version or resource is missing or invalid");
        return;
    }
    const struct kv_identity *identity = kv_identity_managed(&request->server->identities, &choice);
    if (identity == NULL || !atomic_load(&identity->enabled)) {
        refuse_imds(request, "invalid_request", "Identity not found");
        return;
    }
    answer_texts(request, &(struct grant){.identity = identity,
                                          .tenant_id = identity->config->tenant_id,
                                          .audience = resource});
}
