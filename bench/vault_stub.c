/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of a Vault server as radosgw's SSE-KMS asks for: the transit engine's datakey and decrypt
 * over plain HTTP with keep-alive. Data keys are random, and are sealed with AES-256-GCM under a key
 * that lives as long as the process, bound to the context. It does less than a real Vault would, which
 * is to radosgw's advantage. Prints its port, and serves until SIGTERM.
 *
 *   POST /v1/transit/datakey/plaintext/KEY  {"context": C}
 *     -> {"data": {"plaintext": 32 bytes in base64, "ciphertext": "vault:v1:..."}}
 *   POST /v1/transit/decrypt/KEY            {"context": C, "ciphertext": "vault:v1:..."}
 *     -> {"data": {"plaintext": 32 bytes in base64}}
 */
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define KEY_BYTES    32u
#define NONCE_BYTES  12u
#define TAG_BYTES    16u
#define SEALED_BYTES (NONCE_BYTES + KEY_BYTES + TAG_BYTES)
#define BODY_BYTES   8192u
#define PREFIX       "vault:v1:"

static unsigned char master_key[KEY_BYTES];

struct body {
    char bytes[BODY_BYTES];
    size_t len;
};

/* --- data keys -------------------------------------------------------------------------------- */

/* Seals (or opens) KEY_BYTES; the tag is made (or checked). */
static bool crypt_key(bool seal, const char *context, const unsigned char *nonce,
                      const unsigned char *in, unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int len;
    bool ok = cipher != NULL &&
              EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, master_key, nonce, seal) == 1 &&
              EVP_CipherUpdate(cipher, NULL, &len, (const unsigned char *)context,
                               (int)strlen(context)) == 1 &&
              EVP_CipherUpdate(cipher, out, &len, in, KEY_BYTES) == 1 &&
              (seal || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1) &&
              EVP_CipherFinal_ex(cipher, out + KEY_BYTES, &len) == 1 &&
              (!seal || EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(cipher);
    return ok;
}

static json_t *answer_of(const unsigned char *key, const unsigned char *sealed)
{
    struct gk_buf plaintext;
    struct gk_buf ciphertext;
    gk_buf_init(&plaintext, 256);
    gk_buf_init(&ciphertext, 256);
    gk_base64_encode(&plaintext, gk_span_of(key, KEY_BYTES));
    json_t *data = json_pack("{s:s}", "plaintext", gk_buf_str(&plaintext));
    if (sealed != NULL) {
        gk_buf_append_str(&ciphertext, PREFIX);
        gk_base64_encode(&ciphertext, gk_span_of(sealed, SEALED_BYTES));
        json_object_set_new(data, "ciphertext", json_string(gk_buf_str(&ciphertext)));
    }
    gk_buf_cleanup(&plaintext);
    gk_buf_cleanup(&ciphertext);
    return json_pack("{s:o}", "data", data);
}

static json_t *make_key(const char *context)
{
    unsigned char key[KEY_BYTES];
    unsigned char sealed[SEALED_BYTES];
    if (!gk_random(key, sizeof key) || !gk_random(sealed, NONCE_BYTES) ||
        !crypt_key(true, context, sealed, key, sealed + NONCE_BYTES,
                   sealed + NONCE_BYTES + KEY_BYTES)) {
        return NULL;
    }
    return answer_of(key, sealed);
}

static json_t *open_key(const char *context, const char *ciphertext)
{
    if (strncmp(ciphertext, PREFIX, strlen(PREFIX)) != 0) {
        return NULL;
    }
    struct gk_buf sealed;
    gk_buf_init(&sealed, SEALED_BYTES);
    unsigned char key[KEY_BYTES];
    const bool ok = gk_base64_decode(&sealed, gk_span_str(ciphertext + strlen(PREFIX))) &&
                    sealed.len == SEALED_BYTES &&
                    crypt_key(false, context, sealed.data, sealed.data + NONCE_BYTES, key,
                              sealed.data + NONCE_BYTES + KEY_BYTES);
    gk_buf_cleanup(&sealed);
    return ok ? answer_of(key, NULL) : NULL;
}

/* NULL: a bad request. */
static json_t *serve(const char *path, const struct body *body)
{
    json_t *request = json_loadb(body->bytes, body->len, 0, NULL);
    const char *context = json_string_value(json_object_get(request, "context"));
    const char *ciphertext = json_string_value(json_object_get(request, "ciphertext"));
    json_t *answer = NULL;
    if (context != NULL && strncmp(path, "/v1/transit/datakey/plaintext/", 30) == 0) {
        answer = make_key(context);
    } else if (context != NULL && ciphertext != NULL &&
               strncmp(path, "/v1/transit/decrypt/", 20) == 0) {
        answer = open_key(context, ciphertext);
    }
    json_decref(request);
    return answer;
}

/* --- HTTP ------------------------------------------------------------------------------------- */

static enum MHD_Result send_answer(struct MHD_Connection *connection, json_t *json)
{
    const unsigned status = json == NULL ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_OK;
    char *text = json == NULL ? strdup("{\"errors\":[]}") : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        return MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    const enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **state)
{
    (void)ctx, (void)method, (void)version;
    struct body *body = *state;
    if (body == NULL) {
        *state = calloc(1, sizeof *body);
        return *state == NULL ? MHD_NO : MHD_YES;
    }
    if (*data_len > 0) {
        if (*data_len > sizeof body->bytes - body->len) {
            return MHD_NO;
        }
        memcpy(body->bytes + body->len, data, *data_len);
        body->len += *data_len;
        *data_len = 0;
        return MHD_YES;
    }
    return send_answer(connection, serve(path, body));
}

static void on_end(void *ctx, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode code)
{
    (void)ctx, (void)connection, (void)code;
    free(*state);
    *state = NULL;
}

int main(void)
{
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigaddset(&end, SIGINT);
    sigprocmask(SIG_BLOCK, &end, NULL);
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon =
        gk_random(master_key, sizeof master_key)
            ? MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO, 0, NULL, NULL,
                               on_request, NULL, MHD_OPTION_SOCK_ADDR, &address,
                               MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END)
            : NULL;
    if (daemon == NULL) {
        fputs("vault_stub: it does not start\n", stderr);
        return 1;
    }
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    int number;
    sigwait(&end, &number);
    MHD_stop_daemon(daemon);
    return 0;
}
