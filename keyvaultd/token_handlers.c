/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint for client credentials, in both its versions. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "keyvaultd/handlers.h"
#include "keyvaultd/token.h"
#include "keyvaultd/token_answer.h"

#define DEFAULT_SCOPE "/.default"
#define JWT_BEARER    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

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

/* --- what is asked for -------------------------------------------------------------------------- */

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
            return kv_audience_good(out);
        }
        scope += len;
        scope += strspn(scope, " ");
    }
    return false;
}

/* --- client credentials ------------------------------------------------------------------------- */

static bool shows_secret(struct kv_request *request, const struct kv_identity *identity,
                         const char *secret)
{
    if (secret != NULL && kv_identity_secret_is(identity, gk_span_str(secret))) {
        return true;
    }
    refuse_token(request, 401, "invalid_client", 7000215, "Invalid client secret provided.");
    return false;
}

static bool shows_assertion(struct kv_request *request, const struct kv_identity *identity,
                            const char *type, const char *assertion)
{
    const int64_t now_s = kv_server_now_s(request->server);
    struct gk_error why = {0};
    char text[sizeof why.message + 128];
    char audience[2 * KV_ORIGIN_BYTES];
    snprintf(audience, sizeof audience, "%s%.300s", request->server->authority,
             request->exchange->path);
    if (type == NULL || strcmp(type, JWT_BEARER) != 0) {
        refuse_token(request, 400, "invalid_request", 900144,
                     "The client_assertion_type is missing or not " JWT_BEARER ".");
        return false;
    }
    if (kv_identity_signed(identity, assertion, audience, now_s, &why) ||
        kv_identity_is_asserted(identity, assertion, kv_server_token_secret(request->server), now_s,
                                &why)) {
        return true;
    }
    if (identity->certificate != NULL && identity->jwks == NULL && identity->voucher == NULL) {
        snprintf(text, sizeof text, "The client assertion is not the application's: %s.",
                 why.message);
        refuse_token(request, 401, "invalid_client", 700027, text);
        return false;
    }
    snprintf(text, sizeof text,
             "No matching federated identity record found for the presented assertion: %s.",
             why.message[0] == '\0' ? "there is none" : why.message);
    refuse_token(request, 401, "invalid_client", 700213, text);
    return false;
}

/* The identity that proves itself in the form; NULL: refused. */
static const struct kv_identity *authenticate(struct kv_request *request,
                                              const struct kv_params *form)
{
    const char *grant = kv_params_get(form, "grant_type");
    const char *client_id = kv_params_get(form, "client_id");
    const char *assertion = kv_params_get(form, "client_assertion");
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
    if (identity == NULL || !kv_identity_has_credential(identity) ||
        !kv_identity_is_in(identity, request->name)) {
        refuse_token(request, 400, "unauthorized_client", 700016,
                     "Application was not found in the directory.");
        return NULL;
    }
    if (assertion == NULL
            ? !shows_secret(request, identity, kv_params_get(form, "client_secret"))
            : !shows_assertion(request, identity, kv_params_get(form, "client_assertion_type"),
                               assertion)) {
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
    struct kv_grant grant = {.identity = authenticate(request, form), .tenant_id = request->name};
    if (grant.identity == NULL) {
        return;
    }
    const char *scope = kv_params_get(form, "scope");
    const char *resource = kv_params_get(form, "resource");
    if (v1 && (resource == NULL || !kv_audience_good(resource))) {
        refuse_token(request, 400, "invalid_resource", 500011,
                     "The resource principal was not found.");
    } else if (v1) {
        grant.audience = resource;
        kv_answer_token_texts(request, &grant);
    } else if (scope == NULL || !audience_of_scope(scope, audience)) {
        refuse_token(request, 400, "invalid_scope", 1002012,
                     "The provided value for scope is not valid; it must end in /.default.");
    } else {
        grant.audience = audience;
        kv_answer_token_numbers(request, &grant);
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
