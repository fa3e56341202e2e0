/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrap, unwrap, encrypt, decrypt, with the real vault's habits: outside a key's dates the private
 * half still works and the public half is refused; a disabled key refuses the private half alone.
 */
#include <string.h>

#include "common/text.h"
#include "keyvaultd/handlers.h"
#include "keyvaultd/key_find.h"
#include "keyvaultd/key_view.h"
#include "keyvaultd/private_half.h"

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

/* What the work needs of a version, for use without the lock. */
struct taken_key {
    EVP_PKEY *rsa; /* a reference; NULL: refused */
    char hsm_id[KV_HSM_ID_BYTES];
    json_t *kid;
};

static struct taken_key take_key(struct kv_request *request, const struct operation *operation)
{
    struct kv_server *server = request->server;
    struct taken_key taken = {0};
    kv_store_lock(server->store, kv_server_now_s(server));
    const struct kv_key *key = kv_find_key(request);
    const struct kv_version *version = key == NULL ? NULL : kv_find_version(request, key);
    if (version != NULL && version_allows(request, version, operation)) {
        taken.rsa = version->rsa;
        EVP_PKEY_up_ref(taken.rsa);
        memcpy(taken.hsm_id, version->hsm_id, sizeof taken.hsm_id);
        taken.kid = kv_view_kid(server, key, version);
    }
    kv_store_unlock(server->store);
    return taken;
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
    if (*padding == KV_RSA_OAEP_256 && !request->server->config->oaep_256) {
        kv_refuse(request, 400, "BadParameter", "",
                  "Key and signing algorithm are incompatible: RSA-OAEP-256 is not supported.");
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

static enum kv_private_result work(struct kv_request *request, const struct operation *operation,
                                   const struct taken_key *key, enum kv_rsa_padding padding,
                                   struct gk_span in, struct gk_buf *out)
{
    if (operation->private_half) {
        return kv_private_decrypt(request->server, key->rsa, key->hsm_id, padding, in, out);
    }
    return kv_rsa_encrypt(key->rsa, padding, in, out) ? KV_PRIVATE_DONE : KV_PRIVATE_UNFIT;
}

static void compute(struct kv_request *request, const struct operation *operation,
                    const struct taken_key *key)
{
    enum kv_rsa_padding padding = KV_RSA_OAEP_256;
    struct gk_buf in;
    struct gk_buf out;
    gk_buf_init(&in, KV_RSA_BYTES_MAX);
    gk_buf_init(&out, KV_RSA_BYTES_MAX);
    if (read_value(request, &padding, &in)) {
        switch (work(request, operation, key, padding, gk_buf_span(&in), &out)) {
        case KV_PRIVATE_DONE:
            answer_value(request, key->kid, gk_buf_span(&out));
            break;
        case KV_PRIVATE_UNFIT:
            kv_refuse(request, 400, "BadParameter", "",
                      "The parameter is incorrect: value does not fit this key and algorithm.");
            break;
        case KV_PRIVATE_AWAY:
            kv_refuse(request, 503, "ServiceUnavailable", "",
                      "The module that holds the key does not answer.");
            break;
        }
    }
    gk_buf_cleanup_wipe(&in);
    gk_buf_cleanup_wipe(&out);
}

static void run(struct kv_request *request, const struct operation *operation)
{
    const struct taken_key key = take_key(request, operation);
    if (key.rsa != NULL) {
        compute(request, operation, &key);
    }
    EVP_PKEY_free(key.rsa);
    json_decref(key.kid);
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
