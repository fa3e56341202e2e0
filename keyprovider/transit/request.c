/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/transit/request.h"

#include <string.h>

#include "common/text.h"

#define DIGITS            "0123456789"
#define NAME_SIGNS        DIGITS "abcdefghijklmnopqrstuvwxyz-"
#define CIPHERTEXT_PREFIX "vault:v"
#define SEALED_BYTES      60u /* nonce 12, root key 32, tag 16 */
#define SEALED_TEXT_LEN   80u /* that in base64 */

bool gk_transit_key_name_is_good(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && len < GK_KEY_NAME_BYTES_MAX && strspn(name, NAME_SIGNS) == len;
}

bool gk_transit_key_version_is_good(const char *version)
{
    uint64_t number = 0;
    return gk_parse_u64(gk_span_str(version), INT32_MAX, &number) && version[0] != '0';
}

void gk_transit_request_url(struct gk_buf *out, const struct gk_kv_question *question)
{
    static const char *const actions[] = {"/keys/", "/encrypt/", "/decrypt/"};
    gk_buf_append_str(out, question->vault->uri);
    gk_buf_append_str(out, "/v1/");
    gk_buf_append_str(out, question->vault->mount);
    gk_buf_append_str(out, actions[question->operation]);
    gk_buf_append_str(out, question->key->name);
}

void gk_transit_append_json(struct gk_buf *out, struct gk_span text)
{
    gk_buf_append_str(out, "\"");
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            gk_buf_append_str(out, "\\");
        }
        gk_buf_append(out, &text.data[i], 1);
    }
    gk_buf_append_str(out, "\"");
}

static void encrypt_body(struct gk_buf *out, const char *version, struct gk_span plain)
{
    gk_buf_append_str(out, "{\"plaintext\":\"");
    gk_base64_encode(out, plain);
    gk_buf_append_str(out, "\"");
    if (version[0] != '\0') {
        gk_buf_append_str(out, ",\"key_version\":");
        gk_buf_append_str(out, version);
    }
    gk_buf_append_str(out, "}");
}

bool gk_transit_request_body(struct gk_buf *out, const struct gk_kv_question *question,
                             struct gk_span value)
{
    char version[GK_KEY_VERSION_BYTES_MAX];
    if (question->operation == GK_KV_WRAP) {
        encrypt_body(out, question->key->version, value);
        return true;
    }
    if (!gk_transit_ciphertext_version(value, version) ||
        strcmp(version, question->key->version) != 0) {
        return false;
    }
    gk_buf_append_str(out, "{\"ciphertext\":");
    gk_transit_append_json(out, value);
    gk_buf_append_str(out, "}");
    return true;
}

void gk_transit_request_namespace(struct gk_buf *out, const char *name)
{
    if (name[0] != '\0') {
        gk_buf_append_str(out, "X-Vault-Namespace: ");
        gk_buf_append_str(out, name);
    }
}

bool gk_transit_ciphertext_version(struct gk_span ciphertext,
                                   char version[GK_KEY_VERSION_BYTES_MAX])
{
    const size_t prefix_len = sizeof CIPHERTEXT_PREFIX - 1;
    uint8_t bytes[SEALED_BYTES + 1];
    struct gk_buf sealed;
    version[0] = '\0';
    if (ciphertext.len <= prefix_len ||
        memcmp(ciphertext.data, CIPHERTEXT_PREFIX, prefix_len) != 0) {
        return false;
    }
    const uint8_t *number = ciphertext.data + prefix_len;
    const size_t rest_len = ciphertext.len - prefix_len;
    const uint8_t *colon = memchr(number, ':', rest_len);
    const size_t number_len = colon == NULL ? 0 : (size_t)(colon - number);
    if (number_len == 0 || number_len >= GK_KEY_VERSION_BYTES_MAX ||
        rest_len != number_len + 1 + SEALED_TEXT_LEN) {
        return false;
    }
    memcpy(version, number, number_len);
    version[number_len] = '\0';
    gk_buf_init_over(&sealed, bytes, sizeof bytes);
    return gk_transit_key_version_is_good(version) &&
           gk_base64_decode(&sealed, gk_span_of(colon + 1, SEALED_TEXT_LEN)) &&
           sealed.len == SEALED_BYTES;
}
