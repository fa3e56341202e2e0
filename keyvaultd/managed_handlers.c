/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token services of a host, for managed identities: instance metadata of a virtual machine, the agent
 * of Azure Arc, App Service. They differ in how a caller shows that it runs on that host.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/secret.h"
#include "keyvaultd/handlers.h"
#include "keyvaultd/token_answer.h"

#define BASIC "Basic "

static void refuse(struct kv_request *request, unsigned status, const char *error, const char *text)
{
    snprintf(request->call.code, sizeof request->call.code, "%s", error);
    kv_answer(request, status, json_pack("{s:s, s:s}", "error", error, "error_description", text));
}

/* The enabled one that the query names; NULL: there is none, or not one. */
static const struct kv_identity *chosen(const struct kv_request *request)
{
    const struct kv_params *query = &request->query;
    const char *principal = kv_params_get(query, "principal_id");
    const char *resource_id = kv_params_get(query, "msi_res_id");
    const struct kv_identity_choice choice = {
        .client_id = kv_params_get(query, "client_id"),
        .object_id = principal != NULL ? principal : kv_params_get(query, "object_id"),
        .resource_id = resource_id != NULL ? resource_id : kv_params_get(query, "mi_res_id"),
    };
    const struct kv_identity *identity = kv_identity_managed(&request->server->identities, &choice);
    return identity != NULL && atomic_load(&identity->enabled) ? identity : NULL;
}

/* The audience that is asked for; NULL: refused. */
static const char *audience_of(struct kv_request *request)
{
    const char *resource = kv_params_get(&request->query, "resource");
    if (kv_params_get(&request->query, "api-version") == NULL || resource == NULL ||
        !kv_audience_good(resource)) {
        refuse(request, 400, "invalid_request", "api-version or resource is missing or invalid");
        return NULL;
    }
    return resource;
}

/* What is not configured is not there. */
static bool is_served(struct kv_request *request, bool configured)
{
    if (!configured) {
        kv_refuse(request, 404, "NotFound", "", "There is nothing at this path.");
    }
    return configured;
}

/* A managed identity is of one tenant. */
static void answer(struct kv_request *request, const struct kv_identity *identity,
                   const char *audience)
{
    kv_answer_token_texts(request, &(struct kv_grant){.identity = identity,
                                                      .tenant_id = identity->config->tenant_id,
                                                      .audience = audience});
}

static bool has_metadata_header(struct kv_request *request)
{
    const char *metadata = gk_http_header(request->exchange, "Metadata");
    if (metadata == NULL || strcasecmp(metadata, "true") != 0) {
        refuse(request, 400, "invalid_request", "Required metadata header not specified");
        return false;
    }
    return true;
}

void kv_handle_imds(struct kv_request *request)
{
    const char *audience = has_metadata_header(request) ? audience_of(request) : NULL;
    const struct kv_identity *identity = chosen(request);
    if (audience == NULL) {
        return;
    }
    if (identity == NULL) {
        refuse(request, 400, "invalid_request", "Identity not found");
        return;
    }
    answer(request, identity, audience);
}

static void challenge_by_file(struct kv_request *request)
{
    if (kv_arc_challenge(request->server->arc, request->basic_realm)) {
        refuse(request, 401, "unauthorized_client", "Missing Basic Authorization header");
    } else {
        refuse(request, 500, "server_error", "The challenge cannot be written");
    }
}

void kv_handle_arc(struct kv_request *request)
{
    const char *audience =
        is_served(request, request->server->arc != NULL) && has_metadata_header(request)
            ? audience_of(request)
            : NULL;
    const char *shown = gk_http_header(request->exchange, "Authorization");
    const struct kv_identity *identity = chosen(request);
    if (audience == NULL) {
        return;
    }
    if (shown == NULL) {
        challenge_by_file(request);
    } else if (strncasecmp(shown, BASIC, sizeof BASIC - 1) != 0 ||
               !kv_arc_take(request->server->arc, shown + sizeof BASIC - 1)) {
        refuse(request, 401, "unauthorized_client", "Invalid Basic Authorization header");
    } else if (identity == NULL) {
        refuse(request, 400, "invalid_request", "Identity not found");
    } else {
        answer(request, identity, audience);
        /* Clients tell by it that it is the identity which they asked for. */
        if (identity->config->resource_id != NULL) {
            json_object_set_new(request->answer, "msi_res_id",
                                json_string(identity->config->resource_id));
        }
    }
}

/* The platform's own form of refusal. */
static void refuse_app_service(struct kv_request *request, int status, const char *text)
{
    snprintf(request->call.code, sizeof request->call.code, "AppService%d", status);
    kv_answer(request, (unsigned)status,
              json_pack("{s:i, s:s}", "statusCode", status, "message", text));
}

void kv_handle_app_service(struct kv_request *request)
{
    const struct kv_server *server = request->server;
    const char *shown = gk_http_header(request->exchange, "X-IDENTITY-HEADER");
    const struct gk_span wanted = gk_span_of(server->identity_header, server->identity_header_len);
    if (!is_served(request, server->identity_header != NULL)) {
        return;
    }
    if (shown == NULL || !gk_secret_equal(gk_span_str(shown), wanted)) {
        refuse_app_service(request, 401, "The identity header is missing or wrong.");
        return;
    }
    const char *audience = audience_of(request);
    const struct kv_identity *identity = chosen(request);
    if (audience != NULL && identity != NULL) {
        answer(request, identity, audience);
    } else if (audience != NULL) {
        refuse_app_service(request, 400,
                           "No Managed Identity found for specified "
                           "ClientId/ResourceId/PrincipalId.");
    }
}
