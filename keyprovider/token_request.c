/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/token_request.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "common/text.h"
#include "keyprovider/client_assertion.h"
#include "keyprovider/json_view.h"
#include "keyprovider/transit/login.h"

#define METADATA_HEADER  "Metadata: true"
#define IDENTITY_HEADER  "X-IDENTITY-HEADER: "
#define NAMESPACE_HEADER "X-Vault-Namespace: "
#define EXCHANGE         "api://AzureADTokenExchange"
#define SECRET           "&client_secret="
#define ASSERTION                                                                                  \
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"      \
    "&client_assertion="
#define CLAIMS_BYTES_MAX 4096u

static void append_encoded(struct gk_buf *out, const char *name, const char *value)
{
    gk_buf_append_str(out, name);
    gk_percent_encode(out, gk_span_str(value), "");
}

/* How each token service of a host is asked. */
static const struct {
    const char *api_version;
    const char *resource_id; /* what it calls the identity's resource id */
} host_services[] = {
    [GK_KV_SOURCE_MANAGED] = {"2018-02-01", "&msi_res_id="},
    [GK_KV_SOURCE_ARC] = {"2020-06-01", "&msi_res_id="},
    [GK_KV_SOURCE_APP_SERVICE] = {"2019-08-01", "&mi_res_id="},
};

/* A managed identity is named by its client id, or by its resource id, or not at all: then it is the
 * system-assigned one. */
static void host_url(struct gk_buf *out, const struct gk_kv_identity *identity,
                     const char *resource)
{
    gk_buf_append_str(out, identity->endpoint);
    gk_buf_append_str(out, "?api-version=");
    gk_buf_append_str(out, host_services[identity->source].api_version);
    append_encoded(out, "&resource=", resource);
    if (identity->client_id[0] != '\0') {
        append_encoded(out, "&client_id=", identity->client_id);
    } else if (identity->resource_id[0] != '\0') {
        append_encoded(out, host_services[identity->source].resource_id, identity->resource_id);
    }
}

static void authority_url(struct gk_buf *out, const char *authority, const char *tenant_id)
{
    gk_buf_append_str(out, authority);
    gk_buf_append_str(out, "/");
    gk_buf_append_str(out, tenant_id);
    gk_buf_append_str(out, "/oauth2/v2.0/token");
}

void gk_kv_token_url(struct gk_buf *out, const struct gk_kv_grant *grant)
{
    const struct gk_kv_identity *identity = grant->identity;
    if (gk_kv_grant_is_vouched(grant)) {
        authority_url(out, grant->application.authority, grant->application.tenant_id);
    } else if (gk_kv_source_is_host(identity->source)) {
        host_url(out, identity, grant->resource);
    } else if (gk_kv_source_is_login(identity->source)) {
        gk_transit_login_url(out, identity, grant->resource);
    } else {
        authority_url(out, identity->authority, identity->tenant_id);
    }
}

/* National clouds have names of their own for the same thing. */
const char *gk_kv_exchange_resource(const struct gk_kv_application *application)
{
    const char *authority = application->authority;
    return strcmp(authority, "https://login.microsoftonline.us") == 0 ? EXCHANGE "USGov"
           : strcmp(authority, "https://login.chinacloudapi.cn") == 0 ? EXCHANGE "China"
                                                                      : EXCHANGE;
}

static enum gk_status keep_header(const char *name, const char *value, size_t value_len, char **out,
                                  struct gk_error *error)
{
    const size_t bytes = strlen(name) + value_len + 1;
    *out = gk_secret_alloc(bytes);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory that can be locked");
    }
    snprintf(*out, bytes, "%s%s", name, value);
    return GK_OK;
}

enum gk_status gk_kv_token_header(const struct gk_kv_grant *grant, char **out,
                                  struct gk_error *error)
{
    const struct gk_kv_identity *identity = grant->identity;
    char *secret = NULL;
    size_t len = 0;
    *out = NULL;
    if (identity->name_space[0] != '\0') {
        return keep_header(NAMESPACE_HEADER, identity->name_space, strlen(identity->name_space),
                           out, error);
    }
    if (!gk_kv_grant_is_of_host(grant)) {
        return GK_OK;
    }
    if (identity->source != GK_KV_SOURCE_APP_SERVICE) {
        return keep_header(METADATA_HEADER, "", 0, out, error);
    }
    enum gk_status status =
        gk_secret_file_read(identity->identity_header_file, &secret, &len, error);
    if (status == GK_OK) {
        status = keep_header(IDENTITY_HEADER, secret, len, out, error);
    }
    gk_secret_free(&secret);
    return status;
}

/* Whether a JSON Web Token says that it is good now; whether it is, the authority judges. */
static enum gk_status check_expiry(struct gk_span token, int64_t now_s, struct gk_error *error)
{
    const char *text = (const char *)token.data;
    const char *first = memchr(text, '.', token.len);
    const char *second =
        first == NULL ? NULL : memchr(first + 1, '.', token.len - (size_t)(first + 1 - text));
    struct gk_buf claims;
    struct gk_kv_json root;
    uint64_t expires_s = 0;
    gk_buf_init(&claims, CLAIMS_BYTES_MAX);
    const bool read =
        second != NULL &&
        gk_base64url_decode(&claims, gk_span_of(first + 1, (size_t)(second - first) - 1)) &&
        gk_kv_json_parse(gk_buf_span(&claims), &root) &&
        gk_kv_json_u64(gk_kv_json_get(root, "exp"), INT64_MAX, &expires_s);
    gk_buf_cleanup_wipe(&claims);
    if (!read) {
        return gk_fail(error, GK_E_INVALID, "the federated token is no JSON Web Token");
    }
    return (int64_t)expires_s > now_s
               ? GK_OK
               : gk_fail(error, GK_E_INVALID,
                         "the federated token has expired; see to it that its file is renewed");
}

static enum gk_status append_signed(struct gk_buf *out, const struct gk_kv_identity *identity,
                                    int64_t now_s, struct gk_error *error)
{
    struct gk_buf audience;
    gk_buf_init(&audience, GK_KV_TOKEN_URL_BYTES_MAX);
    authority_url(&audience, identity->authority, identity->tenant_id);
    gk_buf_append_str(out, ASSERTION);
    const enum gk_status status =
        gk_kv_client_assertion(out, identity->client_certificate_file, identity->client_id,
                               gk_buf_str(&audience), now_s, error);
    gk_buf_cleanup(&audience);
    return status;
}

/* What shows that we are the application. */
static enum gk_status append_proof(struct gk_buf *out, const struct gk_kv_grant *grant,
                                   const char *vouching, int64_t now_s, struct gk_error *error)
{
    const struct gk_kv_identity *identity = grant->identity;
    const bool workload = identity->source == GK_KV_SOURCE_WORKLOAD;
    char *proof = NULL;
    size_t len = 0;
    if (gk_kv_grant_is_vouched(grant)) {
        append_encoded(out, ASSERTION, vouching);
        return GK_OK;
    }
    if (identity->source == GK_KV_SOURCE_CLIENT_CERTIFICATE) {
        return append_signed(out, identity, now_s, error);
    }
    enum gk_status status = gk_secret_file_read(workload ? identity->federated_token_file
                                                         : identity->client_secret_file,
                                                &proof, &len, error);
    if (status == GK_OK && workload) {
        status = check_expiry(gk_span_of(proof, len), now_s, error);
    }
    if (status == GK_OK) {
        gk_buf_append_str(out, workload ? ASSERTION : SECRET);
        gk_percent_encode(out, gk_span_of(proof, len), "");
    }
    gk_secret_free(&proof);
    return status;
}

static enum gk_status authority_form(struct gk_buf *out, const struct gk_kv_grant *grant,
                                     const char *vouching, int64_t now_s, struct gk_error *error)
{
    gk_buf_append_str(out, "grant_type=client_credentials");
    append_encoded(out, "&client_id=",
                   gk_kv_grant_is_vouched(grant) ? grant->application.client_id
                                                 : grant->identity->client_id);
    append_encoded(out, "&scope=", grant->resource);
    gk_percent_encode(out, gk_span_str("/.default"), "");
    const enum gk_status status = append_proof(out, grant, vouching, now_s, error);
    if (status != GK_OK) {
        return status;
    }
    return gk_buf_status(out) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_LIMIT, "the token request is too long");
}

const char *gk_kv_token_content_type(const struct gk_kv_grant *grant)
{
    return gk_kv_grant_is_of_host(grant)                    ? NULL
           : gk_kv_source_is_login(grant->identity->source) ? "application/json"
                                                            : "application/x-www-form-urlencoded";
}

const char *gk_kv_token_certificate_file(const struct gk_kv_grant *grant)
{
    return grant->identity->source == GK_KV_SOURCE_TLS ? grant->identity->client_certificate_file
                                                       : NULL;
}

enum gk_status gk_kv_token_form(struct gk_buf *out, const struct gk_kv_grant *grant,
                                const char *vouching, int64_t now_s, struct gk_error *error)
{
    return gk_kv_source_is_login(grant->identity->source)
               ? gk_transit_login_body(out, grant->identity, now_s, error)
               : authority_form(out, grant, vouching, now_s, error);
}
