/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrap, unwrap, encrypt, decrypt, with the real vault's habits: outside a key's dates the private
 * half still works and the public half is refused; a disabled key refuses the private half alone.
 */
#include "common/text.h"
#include "keyvaultd/handlers.h"
#include "keyvaultd/key_find.h"
#include "keyvaultd/key_view.h"
#include "keyvaultd/rsa.h"

/* Clocks differ by a little; the real vault allows for that in the same way. */
#define DATES_SLACK_S 60

struct operation {
    enum kv_key_op op;
    bool private_half;
};

static bool dates_allow(struct kv_request *request, const struct kv_version *version,
                        const char *name)
{
    const int64_t now_s = kv_server_now_s(request->server);
    const struct kv_attributes *attributes = &version->attributes;
    if (attributes->nbf_s != 0 && now_s + DATES_SLACK_S < attributes->nbf_s) {
        kv_refuse(request, 403, "Forbidden", "KeyNotYetValid",
                  "Operation %s is not allowed on a key that is not yet valid.", name);
        return false;
    }
    if (attributes->exp_s != 0 && now_s >= attributes->exp_s) {
        kv_refuse(request, 403, "Forbidden", "KeyExpired",
                  "Operation %s is not allowed on an expired key.", name);
        return false;
    }
    return true;
}

static bool version_allows(struct kv_request *request, const struct kv_version *version,
                           const struct operation *operation)
{
    const char *name = kv_key_op_name(operation->op);
    if (operation->private_half && !version->attributes.enabled) {
        kv_refuse(request, 403, "Forbidden", "KeyDisabled",
                  "Operation %s is not allowed on a disabled key.", name);
        return false;
    }
    if ((version->key_ops & operation->op) == 0) {
        kv_refuse(request, 403, "Forbidden", "KeyOperationForbidden",
                  "Operation %s is not permitted on this key.", name);
        return false;
    }
    return operation->private_half || dates_allow(request, version, name);
}

/* A reference of the key that the caller frees, and its identifier; NULL: refused. The work itself
 * is done without the lock. */
static EVP_PKEY *take_key(struct kv_request *request, const struct operation *operation,
                          json_t **kid)
{
    struct kv_server *server = request->server;
    EVP_PKEY *rsa = NULL;
    kv_store_lock(server->store, kv_server_now_s(server));
    const struct kv_key *key = kv_find_key(request);
    const struct kv_version *version = key == NULL ? NULL : kv_find_version(request, key);
    if (version != NULL && version_allows(request, version, operation)) {
        rsa = version->rsa;
        EVP_PKEY_up_ref(rsa);
        *kid = kv_view_kid(server, key, version);
    }
    kv_store_unlock(server->store);
    return rsa;
}

static bool read_value(struct kv_request *request, enum kv_rsa_padding *padding,
                       struct gk_buf *value)
{
    const char *alg = json_string_value(json_object_get(request->input, "alg"));
    const char *text = json_string_value(json_object_get(request->input, "value"));
    if (alg == NULL || !kv_rsa_padding_parse(alg, padding)) {
        kv_refuse(request, 400, "BadParameter", "",
                  "alg must be RSA-OAEP-256, RSA-OAEP or RSA1_5.");
        return false;
    }
    if (text == NULL || !gk_base64url_decode(value, gk_span_str(text)) || value->len == 0) {
        kv_refuse(request, 400, "BadParameter", "", "value is no base64url text, or too long.");
        return false;
    }
    return true;
}

static void answer_value(struct kv_request *request, json_t *kid, struct gk_span value)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * KV_RSA_BYTES_MAX);
    gk_base64url_encode(&text, value);
    kv_answer(request, 200,
              gk_buf_status(&text) == GK_OK
                  ? json_pack("{s:O, s:s}", "kid", kid, "value", gk_buf_str(&text))
                  : NULL);
    gk_buf_cleanup_wipe(&text);
}

static void compute(struct kv_request *request, const struct operation *operation, EVP_PKEY *rsa,
                    json_t *kid)
{
    enum kv_rsa_padding padding = KV_RSA_OAEP_256;
    struct gk_buf in;
    struct gk_buf out;
    gk_buf_init(&in, KV_RSA_BYTES_MAX);
    gk_buf_init(&out, KV_RSA_BYTES_MAX);
    if (read_value(request, &padding, &in)) {
        const bool done = operation->private_half
                              ? kv_rsa_decrypt(rsa, padding, gk_buf_span(&in), &out)
                              : kv_rsa_encrypt(rsa, padding, gk_buf_span(&in), &out);
        if (done) {
            answer_value(request, kid, gk_buf_span(&out));
        } else {
            kv_refuse(request, 400, "BadParameter", "",
                      "The parameter is incorrect: value does not fit this key and algorithm.");
        }
    }
    gk_buf_cleanup_wipe(&in);
    gk_buf_cleanup_wipe(&out);
}

static void run(struct kv_request *request, const struct operation *operation)
{
    json_t *kid = NULL;
    EVP_PKEY *rsa = take_key(request, operation, &kid);
    if (rsa != NULL) {
        compute(request, operation, rsa, kid);
    }
    EVP_PKEY_free(rsa);
    json_decref(kid);
}

void kv_handle_wrap(struct kv_request *request)
{
    run(request, &(struct operation){.op = KV_OP_WRAP, .private_half = false});
}

void kv_handle_unwrap(struct kv_request *request)
{
    run(request, &(struct operation){.op = KV_OP_UNWRAP, .private_half = true});
}

void kv_handle_encrypt(struct kv_request *request)
{
    run(request, &(struct operation){.op = KV_OP_ENCRYPT, .private_half = false});
}

void kv_handle_decrypt(struct kv_request *request)
{
    run(request, &(struct operation){.op = KV_OP_DECRYPT, .private_half = true});
}
