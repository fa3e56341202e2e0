/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/transit/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "keyprovider/transit/request.h"

#define TIME_MAX_S     253402300799 /* the end of the year 9999 */
#define LIFETIME_MAX_S (10LL * 366 * 86400)
#define PERIOD_MAX_S   (100LL * 366 * 86400)
#define MS_PER_S       1000

/* A token that never ends, as of a login that gives the root policy, is renewed all the same. */
#define LIFETIME_OF_ENDLESS_S 3600u

static struct gk_kv_json read_data(struct gk_span body, struct gk_vault_answer *answer)
{
    struct gk_kv_json root;
    if (!gk_kv_json_parse(body, &root)) {
        return root;
    }
    gk_kv_json_show(gk_kv_json_get(root, "request_id"), answer->request_id,
                    sizeof answer->request_id);
    return gk_kv_json_get(root, "data");
}

/* In the form that the caller's own vault URI has, as records keep it. */
static void set_key_id(const struct gk_kv_question *question, const char *version,
                       struct gk_vault_answer *answer)
{
    snprintf(answer->key_id, sizeof answer->key_id, "%s/keys/%s/%s", question->key->vault_uri,
             question->key->name, version);
}

/* --- a key -------------------------------------------------------------------------------------- */

struct versions {
    uint64_t latest;
    uint64_t first_to_decrypt;
    uint64_t first_to_encrypt; /* 0: the latest alone, or any that is asked for */
};

static bool read_versions(struct gk_kv_json data, struct versions *versions)
{
    return gk_kv_json_u64(gk_kv_json_get(data, "latest_version"), INT32_MAX, &versions->latest) &&
           gk_kv_json_u64(gk_kv_json_get(data, "min_decryption_version"), INT32_MAX,
                          &versions->first_to_decrypt) &&
           gk_kv_json_u64(gk_kv_json_get(data, "min_encryption_version"), INT32_MAX,
                          &versions->first_to_encrypt) &&
           versions->latest > 0;
}

static bool read_flag(struct gk_kv_json data, const char *name, bool *out)
{
    const struct gk_kv_json flag = gk_kv_json_get(data, name);
    *out = flag.kind == GK_KV_JSON_TRUE;
    return flag.kind == GK_KV_JSON_TRUE || flag.kind == GK_KV_JSON_FALSE;
}

/* The engine tells with the key how long its newest version stays that: seconds, 0 for as long as nobody rotates it. */
static void read_rotation(struct gk_kv_json data, struct gk_key_info *info)
{
    uint64_t period_s = 0;
    info->rotation_told = 1;
    if (info->created_wall_ms != 0 &&
        gk_kv_json_u64(gk_kv_json_get(data, "auto_rotate_period"), PERIOD_MAX_S, &period_s) &&
        period_s > 0) {
        info->rotation_due_wall_ms = info->created_wall_ms + (int64_t)period_s * MS_PER_S;
    }
}

bool gk_transit_response_key(struct gk_span body, const struct gk_kv_question *question,
                             struct gk_vault_answer *answer)
{
    const struct gk_kv_json data = read_data(body, answer);
    const char *asked = question->key->version;
    struct gk_key_info *info = &answer->info;
    struct versions versions;
    char version[GK_KEY_VERSION_BYTES_MAX];
    bool derived = false;
    bool deletion_allowed = false;
    bool soft_deleted = false;
    bool encrypts = false;
    bool decrypts = false;
    uint64_t created_s = 0;
    if (!gk_kv_json_string_is(gk_kv_json_get(data, "name"), question->key->name) ||
        !read_versions(data, &versions) || !read_flag(data, "derived", &derived) ||
        !read_flag(data, "deletion_allowed", &deletion_allowed) ||
        !read_flag(data, "supports_encryption", &encrypts) ||
        !read_flag(data, "supports_decryption", &decrypts)) {
        return false;
    }
    (void)read_flag(data, "soft_deleted", &soft_deleted); /* OpenBao's alone */
    gk_kv_json_show(gk_kv_json_get(data, "type"), info->key_type, sizeof info->key_type);
    snprintf(version, sizeof version, "%llu", (unsigned long long)versions.latest);
    const uint64_t number = asked[0] == '\0' ? versions.latest : strtoull(asked, NULL, 10);
    info->enabled = !soft_deleted && number <= versions.latest &&
                    number >= versions.first_to_decrypt && number >= versions.first_to_encrypt;
    /* A derived key wants a context with each operation. */
    info->may_wrap = encrypts && !derived;
    info->may_unwrap = decrypts && !derived;
    info->soft_delete = !deletion_allowed;
    info->purge_protected = !deletion_allowed;
    snprintf(info->recovery_level, sizeof info->recovery_level, "deletion_allowed=%s",
             deletion_allowed ? "true" : "false");
    set_key_id(question, asked[0] == '\0' ? version : asked, answer);
    /* Versions below the first to decrypt are not listed. */
    const struct gk_kv_json listed =
        gk_kv_json_get(gk_kv_json_get(data, "keys"), asked[0] == '\0' ? version : asked);
    if (gk_kv_json_u64(listed, TIME_MAX_S, &created_s)) {
        info->created_wall_ms = (int64_t)created_s * MS_PER_S;
    }
    read_rotation(data, info);
    return true;
}

/* --- the result of a wrap or an unwrap ---------------------------------------------------------- */

static bool read_ciphertext(struct gk_kv_json data, const struct gk_kv_question *question,
                            struct gk_vault_answer *answer, struct gk_buf *value)
{
    char version[GK_KEY_VERSION_BYTES_MAX];
    const struct gk_kv_json text = gk_kv_json_get(data, "ciphertext");
    if (text.kind != GK_KV_JSON_STRING || !gk_transit_ciphertext_version(text.text, version) ||
        (question->key->version[0] != '\0' && strcmp(version, question->key->version) != 0)) {
        return false;
    }
    set_key_id(question, version, answer);
    gk_buf_append(value, text.text.data, text.text.len);
    return gk_buf_status(value) == GK_OK;
}

bool gk_transit_response_value(struct gk_span body, const struct gk_kv_question *question,
                               struct gk_vault_answer *answer, struct gk_buf *value)
{
    const struct gk_kv_json data = read_data(body, answer);
    if (question->operation == GK_KV_WRAP) {
        return read_ciphertext(data, question, answer, value);
    }
    const struct gk_kv_json text = gk_kv_json_get(data, "plaintext");
    set_key_id(question, question->key->version, answer);
    return text.kind == GK_KV_JSON_STRING && gk_base64_decode(value, text.text);
}

/* --- logins and errors -------------------------------------------------------------------------- */

bool gk_transit_response_token(struct gk_span body, struct gk_kv_token_response *token)
{
    struct gk_kv_json root;
    *token = (struct gk_kv_token_response){0};
    if (!gk_kv_json_parse(body, &root)) {
        return false;
    }
    const struct gk_kv_json auth = gk_kv_json_get(root, "auth");
    const struct gk_kv_json text = gk_kv_json_get(auth, "client_token");
    if (!gk_kv_json_u64(gk_kv_json_get(auth, "lease_duration"), LIFETIME_MAX_S,
                        &token->expires_in_s) ||
        !gk_kv_response_token_is_good(text)) {
        return false;
    }
    token->access_token = text.text;
    if (token->expires_in_s == 0) {
        token->expires_in_s = LIFETIME_OF_ENDLESS_S;
    }
    return true;
}

bool gk_transit_response_error(struct gk_span body, char *message, size_t message_bytes)
{
    struct gk_kv_json root;
    struct gk_kv_json item;
    size_t len = 0;
    message[0] = '\0';
    if (!gk_kv_json_parse(body, &root)) {
        return false;
    }
    const struct gk_kv_json errors = gk_kv_json_get(root, "errors");
    struct gk_span rest = errors.text;
    if (errors.kind != GK_KV_JSON_ARRAY) {
        return false;
    }
    while (gk_kv_json_next(&rest, &item) && len + 2 < message_bytes) {
        if (len > 0) {
            message[len++] = ' ';
        }
        gk_kv_json_show(item, message + len, message_bytes - len);
        len += strlen(message + len);
    }
    return true;
}
