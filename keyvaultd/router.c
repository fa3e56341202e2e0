/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "common/secret.h"
#include "common/text.h"
#include "keyvaultd/handlers.h"
#include "keyvaultd/rotation.h"
#include "keyvaultd/token.h"

/* Literal paths stand before those with a placeholder in the same place. */
static const struct kv_route routes[] = {
    {"POST", "keys/{key}/create", "create", kv_handle_create, KV_AREA_VAULT, KV_MAY_CREATE},
    {"PUT", "keys/{key}", "import", kv_handle_import, KV_AREA_VAULT, KV_MAY_IMPORT},
    {"GET", "keys", "list", kv_handle_list, KV_AREA_VAULT, KV_MAY_LIST},
    {"GET", "keys/{key}/versions", "listVersions", kv_handle_list_versions, KV_AREA_VAULT,
     KV_MAY_LIST},
    {"GET", "keys/{key}/rotationpolicy", "getPolicy", kv_handle_get_policy, KV_AREA_VAULT,
     KV_MAY_GET_POLICY},
    {"PUT", "keys/{key}/rotationpolicy", "setPolicy", kv_handle_set_policy, KV_AREA_VAULT,
     KV_MAY_SET_POLICY},
    {"GET", "keys/{key}", "get", kv_handle_get, KV_AREA_VAULT, KV_MAY_GET},
    {"GET", "keys/{key}/{version}", "get", kv_handle_get, KV_AREA_VAULT, KV_MAY_GET},
    {"PATCH", "keys/{key}", "update", kv_handle_update, KV_AREA_VAULT, KV_MAY_UPDATE},
    {"PATCH", "keys/{key}/{version}", "update", kv_handle_update, KV_AREA_VAULT, KV_MAY_UPDATE},
    {"POST", "keys/{key}/rotate", "rotate", kv_handle_rotate, KV_AREA_VAULT, KV_MAY_ROTATE},
    {"POST", "keys/{key}/wrapkey", "wrapKey", kv_handle_wrap, KV_AREA_VAULT, KV_MAY_WRAP},
    {"POST", "keys/{key}/unwrapkey", "unwrapKey", kv_handle_unwrap, KV_AREA_VAULT, KV_MAY_UNWRAP},
    {"POST", "keys/{key}/encrypt", "encrypt", kv_handle_encrypt, KV_AREA_VAULT, KV_MAY_ENCRYPT},
    {"POST", "keys/{key}/decrypt", "decrypt", kv_handle_decrypt, KV_AREA_VAULT, KV_MAY_DECRYPT},
    {"POST", "keys/{key}/{version}/wrapkey", "wrapKey", kv_handle_wrap, KV_AREA_VAULT, KV_MAY_WRAP},
    {"POST", "keys/{key}/{version}/unwrapkey", "unwrapKey", kv_handle_unwrap, KV_AREA_VAULT,
     KV_MAY_UNWRAP},
    {"POST", "keys/{key}/{version}/encrypt", "encrypt", kv_handle_encrypt, KV_AREA_VAULT,
     KV_MAY_ENCRYPT},
    {"POST", "keys/{key}/{version}/decrypt", "decrypt", kv_handle_decrypt, KV_AREA_VAULT,
     KV_MAY_DECRYPT},
    {"POST", "keys/{key}/{version}/sign", "sign", NULL, KV_AREA_VAULT, 0},
    {"POST", "keys/{key}/{version}/verify", "verify", NULL, KV_AREA_VAULT, 0},
    {"POST", "keys/{key}/backup", "backup", NULL, KV_AREA_VAULT, 0},
    {"POST", "keys/restore", "restore", NULL, KV_AREA_VAULT, 0},
    {"DELETE", "keys/{key}", "delete", kv_handle_delete, KV_AREA_VAULT, KV_MAY_DELETE},
    {"GET", "deletedkeys", "listDeleted", kv_handle_list_deleted, KV_AREA_VAULT, KV_MAY_LIST},
    {"GET", "deletedkeys/{key}", "getDeleted", kv_handle_get_deleted, KV_AREA_VAULT, KV_MAY_GET},
    {"POST", "deletedkeys/{key}/recover", "recover", kv_handle_recover, KV_AREA_VAULT,
     KV_MAY_RECOVER},
    {"DELETE", "deletedkeys/{key}", "purge", kv_handle_purge, KV_AREA_VAULT, KV_MAY_PURGE},
    {"POST", "control/faults", "control", kv_handle_fault_add, KV_AREA_CONTROL, 0},
    {"DELETE", "control/faults", "control", kv_handle_faults_clear, KV_AREA_CONTROL, 0},
    {"POST", "control/identities/{name}", "control", kv_handle_identity, KV_AREA_CONTROL, 0},
    {"POST", "control/vault", "control", kv_handle_vault, KV_AREA_CONTROL, 0},
    {"POST", "control/clock", "control", kv_handle_clock, KV_AREA_CONTROL, 0},
    {"GET", "control/calls", "control", kv_handle_calls, KV_AREA_CONTROL, 0},
    {"GET", "common/discovery/instance", "discovery", kv_handle_instance, KV_AREA_OPEN, 0},
    {"POST", "{tenant}/oauth2/v2.0/token", "token", kv_handle_token_v2, KV_AREA_OPEN, 0},
    {"POST", "{tenant}/oauth2/token", "token", kv_handle_token_v1, KV_AREA_OPEN, 0},
    {"GET", "{tenant}/v2.0/.well-known/openid-configuration", "discovery", kv_handle_openid,
     KV_AREA_OPEN, 0},
    {"GET", "{tenant}/discovery/v2.0/keys", "discovery", kv_handle_signing_keys, KV_AREA_OPEN, 0},
    {"GET", "metadata/identity/oauth2/token", "token", kv_handle_imds, KV_AREA_IMDS, 0},
    {"GET", "arc/metadata/identity/oauth2/token", "token", kv_handle_arc, KV_AREA_IMDS, 0},
    {"GET", "msi/token", "token", kv_handle_app_service, KV_AREA_IMDS, 0},
};

/* --- the path ----------------------------------------------------------------------------------- */

/* Decoded segment by segment; empty ones count (a version may be empty), but not one at the end. */
static bool split_path(struct kv_request *request)
{
    const char *at = request->exchange->path;
    while (*at == '/') {
        at++;
        const size_t len = strcspn(at, "/");
        if (len == 0 && at[0] == '\0') {
            return true;
        }
        if (request->segments_count == KV_SEGMENTS_MAX) {
            return false;
        }
        request->segments[request->segments_count++] = request->path.len;
        if (!gk_percent_decode(&request->path, gk_span_of(at, len))) {
            return false;
        }
        gk_buf_append_u8(&request->path, 0);
        at += len;
    }
    return *at == '\0' && gk_buf_status(&request->path) == GK_OK;
}

static bool is_version(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF") == strlen(text) &&
           strlen(text) < KV_VERSION_BYTES;
}

static bool segment_matches(struct kv_request *request, const char *pattern, size_t len,
                            const char *segment)
{
    if (pattern[0] != '{') {
        return strlen(segment) == len && strncasecmp(segment, pattern, len) == 0;
    }
    if (strncmp(pattern, "{version}", len) == 0) {
        request->version = segment;
        return is_version(segment);
    }
    request->name = segment;
    return segment[0] != '\0';
}

static bool path_matches(struct kv_request *request, const char *pattern)
{
    size_t i = 0;
    request->name = "";
    request->version = "";
    while (i < request->segments_count) {
        const size_t len = strcspn(pattern, "/");
        if (!segment_matches(request, pattern, len, kv_request_segment(request, i))) {
            return false;
        }
        i++;
        if (pattern[len] == '\0') {
            return i == request->segments_count;
        }
        pattern += len + 1;
    }
    return false;
}

static void find_route(struct kv_request *request, bool imds)
{
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const struct kv_route *route = &routes[i];
        if ((route->area == KV_AREA_IMDS) == imds && strcmp(route->method, request->method) == 0 &&
            path_matches(request, route->path)) {
            request->route = route;
            return;
        }
    }
}

static void copy_to_call(char *out, size_t size, const char *text)
{
    const size_t len = strnlen(text, size - 1);
    memcpy(out, text, len);
    out[len] = '\0';
}

void kv_router_find(struct kv_request *request, bool imds)
{
    struct gk_http_exchange *exchange = request->exchange;
    const char *tunnel = gk_http_header(exchange, "X-HTTP-Method");
    if (tunnel != NULL && strcmp(exchange->method, "POST") == 0) {
        request->method = tunnel;
    }
    if (exchange->headers_malformed || !split_path(request) ||
        !kv_params_parse(&request->query, gk_span_str(exchange->query), false)) {
        kv_refuse(request, 400, "BadParameter", "", "The request's target is malformed.");
        return;
    }
    find_route(request, imds);
    if (request->route == NULL) {
        kv_refuse(request, 404, "NotFound", "", "There is nothing at this path.");
        return;
    }
    copy_to_call(request->call.operation, sizeof request->call.operation,
                 request->route->operation);
    copy_to_call(request->call.version, sizeof request->call.version, request->version);
    if (request->route->area == KV_AREA_VAULT && kv_key_name_good(request->name)) {
        copy_to_call(request->call.key, sizeof request->call.key, request->name);
    }
}

/* --- who calls ---------------------------------------------------------------------------------- */

static const char *bearer_of(const struct kv_request *request)
{
    const char *header = gk_http_header(request->exchange, "Authorization");
    return header != NULL && strncasecmp(header, "Bearer ", 7) == 0 ? header + 7 : NULL;
}

static struct kv_identity *identity_of(const struct kv_request *request, const char *bearer,
                                       const char **reason)
{
    const struct kv_server *server = request->server;
    struct kv_token_claims claims;
    if (!kv_token_read(bearer, kv_server_token_secret(server), kv_server_now_s(server), &claims)) {
        *reason = "AKV10046: The token is not valid, or not any more.";
        return NULL;
    }
    if (strcmp(claims.audience, server->config->resource) != 0) {
        *reason = "AKV10022: Invalid audience.";
        return NULL;
    }
    if (strcasecmp(claims.tenant_id, server->config->tenant_id) != 0) {
        *reason = "AKV10032: Invalid issuer.";
        return NULL;
    }
    *reason = "AKV10046: The token's identity is not known.";
    struct kv_identity *identity = kv_identity_by_client_id(&server->identities, claims.client_id);
    return identity != NULL && kv_identity_is_in(identity, claims.tenant_id) ? identity : NULL;
}

static bool check_identity(struct kv_request *request)
{
    const char *reason = "AKV10000: Request is missing a Bearer or PoP token.";
    const char *bearer = bearer_of(request);
    request->identity = bearer == NULL ? NULL : identity_of(request, bearer, &reason);
    if (request->identity == NULL) {
        request->challenge = true;
        kv_refuse(request, 401, "Unauthorized", "", "%s", reason);
        if (request->server->config->managed_hsm) { /* which has no words for this */
            kv_answer_empty(request, 401);
        }
        return false;
    }
    copy_to_call(request->call.identity, sizeof request->call.identity,
                 request->identity->config->name);
    return true;
}

/* As the real vault has it, a caller that showed who it is is told that it calls from the wrong place. */
static bool check_network(struct kv_request *request)
{
    switch (atomic_load(&request->server->network)) {
    case KV_NETWORK_FIREWALL:
        kv_refuse(request, 403, "Forbidden", "ForbiddenByFirewall",
                  "Client address is not authorized and caller is not a trusted service. Client "
                  "address: %s",
                  request->exchange->client_address);
        return false;
    case KV_NETWORK_PRIVATE:
        kv_refuse(request, 403, "Forbidden", "ForbiddenByConnection",
                  "Public network access is disabled and request is not from a trusted service nor "
                  "via an approved private link.");
        return false;
    case KV_NETWORK_OPEN:
        break;
    }
    return true;
}

static bool check_permission(struct kv_request *request)
{
    const uint32_t needed = request->route->permission;
    char object_id[GK_UUID_TEXT_BYTES] = "";
    if ((atomic_load(&request->identity->permissions) & needed) == needed) {
        return true;
    }
    if (!kv_identity_object_id(request->identity, request->server->config->tenant_id, object_id)) {
        kv_answer_empty(request, 500);
        return false;
    }
    kv_refuse(request, 403, "Forbidden", "AccessDenied",
              "The user, group or application 'appid=%s;oid=%s' does not have keys %s permission "
              "on this key vault.",
              request->identity->config->client_id, object_id, kv_permission_name(needed));
    return false;
}

/* The stable numbers 7.0 to 7.6 and whatever date: clients are newer than any server. */
static bool check_api_version(struct kv_request *request)
{
    const char *version = kv_params_get(&request->query, "api-version");
    if (version != NULL &&
        ((version[0] == '7' && version[1] == '.' && version[2] >= '0' && version[2] <= '6' &&
          (version[3] == '\0' || strncmp(version + 3, "-preview", 8) == 0)) ||
         (strncmp(version, "20", 2) == 0 && strlen(version) >= 10 && version[4] == '-'))) {
        return true;
    }
    kv_refuse(request, 400, "BadParameter", "",
              "The api-version query parameter is missing or not supported; use 7.0 to 7.6.");
    return false;
}

static bool is_administrator(const struct kv_request *request, const char *bearer)
{
    const char *reason = NULL;
    const struct kv_identity *identity = identity_of(request, bearer, &reason);
    return identity != NULL && identity->config->administer;
}

static bool check_control(struct kv_request *request)
{
    const struct kv_server *server = request->server;
    if (server->control_token == NULL) {
        kv_refuse(request, 404, "NotFound", "", "There is nothing at this path.");
        return false;
    }
    const char *bearer = bearer_of(request);
    if (bearer == NULL ||
        (!gk_secret_equal(gk_span_str(bearer),
                          gk_span_of(server->control_token, server->control_token_len)) &&
         !is_administrator(request, bearer))) {
        kv_refuse(request, 401, "Unauthorized", "", "The control token is missing or wrong.");
        return false;
    }
    return true;
}

static bool check_caller(struct kv_request *request)
{
    switch (request->route->area) {
    case KV_AREA_VAULT:
        return check_identity(request) && check_network(request) && check_api_version(request) &&
               check_permission(request);
    case KV_AREA_CONTROL:
        return check_control(request);
    case KV_AREA_OPEN:
    case KV_AREA_IMDS:
        break;
    }
    return true;
}

static bool read_input(struct kv_request *request)
{
    if (gk_buf_status(&request->body) != GK_OK) {
        kv_refuse(request, 413, "BadParameter", "", "The body is too large.");
        return false;
    }
    if (request->route->area == KV_AREA_OPEN) {
        return true;
    }
    request->input = request->body.len == 0
                         ? json_object()
                         : json_loadb((const char *)request->body.data, request->body.len,
                                      JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(request->input)) {
        kv_refuse(request, 400, "BadParameter", "", "The body is no JSON object.");
        return false;
    }
    return true;
}

void kv_router_run(struct kv_request *request)
{
    if (!check_caller(request) || !read_input(request)) {
        return;
    }
    if (request->route->fn == NULL) {
        kv_refuse(request, 501, "NotImplemented", "", "This operation is not served here.");
        return;
    }
    if (request->route->area == KV_AREA_VAULT && request->name[0] != '\0' &&
        !kv_key_name_good(request->name)) {
        kv_refuse(request, 400, "BadParameter", "",
                  "A key's name is 1 to 127 letters, digits and hyphens.");
        return;
    }
    /* What has a version in its path is about that one. */
    if (request->route->area == KV_AREA_VAULT && request->name[0] != '\0' &&
        request->version[0] == '\0') {
        kv_rotate_if_due(request);
    }
    request->route->fn(request);
}
