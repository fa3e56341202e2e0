/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/request.h"

#include <string.h>

#include "common/text.h"

#define API_VERSION_QUERY "?api-version=7.4"

void gk_kv_request_url(struct gk_buf *out, enum gk_kv_operation operation,
                       const struct gk_key_reference *key)
{
    static const char *const tails[] = {"", "/wrapkey", "/unwrapkey", "/rotationpolicy"};
    gk_buf_append_str(out, key->vault_uri);
    gk_buf_append_str(out, "/keys/");
    gk_buf_append_str(out, key->name);
    if (key->version[0] != '\0' && operation != GK_KV_GET_POLICY) {
        gk_buf_append_str(out, "/");
        gk_buf_append_str(out, key->version);
    }
    gk_buf_append_str(out, tails[operation]);
    gk_buf_append_str(out, API_VERSION_QUERY);
}

void gk_kv_request_body(struct gk_buf *out, const char *algorithm, struct gk_span value)
{
    gk_buf_append_str(out, "{\"alg\":\"");
    gk_buf_append_str(out, algorithm);
    gk_buf_append_str(out, "\",\"value\":\"");
    gk_base64url_encode(out, value);
    gk_buf_append_str(out, "\"}");
}

bool gk_kv_algorithm_is_known(const char *algorithm)
{
    static const char *const known[] = {"RSA-OAEP-256", "RSA-OAEP", "RSA1_5"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(algorithm, known[i]) == 0) {
            return true;
        }
    }
    return false;
}
