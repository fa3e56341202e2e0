/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/token_request.h"

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "common/text.h"

#define METADATA_PATH "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="

static void append_encoded(struct gk_buf *out, const char *name, const char *value)
{
    gk_buf_append_str(out, name);
    gk_percent_encode(out, gk_span_str(value), "");
}

/* A managed identity is named by its client id, or by its resource id, or not at all: then it is the
 * system-assigned one. */
static void managed_url(struct gk_buf *out, const struct gk_kv_identity *identity,
                        const char *resource)
{
    gk_buf_append_str(out, identity->endpoint);
    append_encoded(out, METADATA_PATH, resource);
    if (identity->client_id[0] != '\0') {
        append_encoded(out, "&client_id=", identity->client_id);
    } else if (identity->resource_id[0] != '\0') {
        append_encoded(out, "&msi_res_id=", identity->resource_id);
    }
}

void gk_kv_token_url(struct gk_buf *out, const struct gk_kv_identity *identity,
                     const char *resource)
{
    if (identity->source == GK_KV_SOURCE_MANAGED) {
        managed_url(out, identity, resource);
        return;
    }
    gk_buf_append_str(out, identity->authority);
    gk_buf_append_str(out, "/");
    gk_buf_append_str(out, identity->tenant_id);
    gk_buf_append_str(out, "/oauth2/v2.0/token");
}

enum gk_status gk_kv_token_form(struct gk_buf *out, const struct gk_kv_identity *identity,
                                const char *resource, struct gk_error *error)
{
    char *secret = NULL;
    size_t len = 0;
    const enum gk_status status =
        gk_secret_file_read(identity->client_secret_file, &secret, &len, error);
    if (status != GK_OK) {
        return status;
    }
    gk_buf_append_str(out, "grant_type=client_credentials");
    append_encoded(out, "&client_id=", identity->client_id);
    append_encoded(out, "&scope=", resource);
    gk_percent_encode(out, gk_span_str("/.default"), "");
    gk_buf_append_str(out, "&client_secret=");
    gk_percent_encode(out, gk_span_of(secret, len), "");
    gk_secret_free(&secret);
    return gk_buf_status(out) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_LIMIT, "the token request is too long");
}
