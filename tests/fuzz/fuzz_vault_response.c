/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever a vault, a transit engine, an authority or who stands between them answers: body and
 * challenge. What is taken must keep what the readers promise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyprovider/challenge.h"
#include "keyprovider/response.h"
#include "keyprovider/transit/request.h"
#include "keyprovider/transit/response.h"

#define VALUE_BYTES 64u

static const struct gk_key_reference asked = {
    .vault_uri = "https://v.vault.azure.net", .name = "k", .version = ""};

static void require(bool good)
{
    if (!good) {
        abort();
    }
}

static void read_as_vault(struct gk_span body)
{
    static const char prefix[] = "https://v.vault.azure.net/keys/k/";
    struct gk_vault_answer answer;
    uint8_t bytes[VALUE_BYTES];
    struct gk_buf value;
    memset(&answer, 0, sizeof answer);
    gk_buf_init_over(&value, bytes, sizeof bytes);
    if (gk_kv_response_value(body, &asked, &answer, &value)) {
        require(value.len < VALUE_BYTES);
        require(strncmp(answer.key_id, prefix, sizeof prefix - 1) == 0);
    }
    memset(&answer, 0, sizeof answer);
    if (gk_kv_response_key(body, &asked, &answer)) {
        require(strlen(answer.key_id) == sizeof prefix - 1 + GK_KEY_VERSION_BYTES_MAX - 1);
        require(!answer.info.purge_protected || answer.info.soft_delete);
    }
    if (gk_kv_response_error(body, &answer)) {
        require(answer.code[0] != '\0');
    }
}

static void read_as_transit(struct gk_span body)
{
    static const char prefix[] = "https://v.vault.azure.net/keys/k/";
    struct gk_kv_token_response token;
    struct gk_vault_answer answer;
    struct gk_kv_question question = {.operation = GK_KV_WRAP, .key = &asked};
    char version[GK_KEY_VERSION_BYTES_MAX];
    uint8_t bytes[2 * VALUE_BYTES];
    struct gk_buf value;
    memset(&answer, 0, sizeof answer);
    gk_buf_init_over(&value, bytes, sizeof bytes);
    if (gk_transit_response_value(body, &question, &answer, &value)) {
        require(gk_transit_ciphertext_version(gk_buf_span(&value), version));
        require(strcmp(answer.key_id + sizeof prefix - 1, version) == 0);
    }
    question.operation = GK_KV_UNWRAP;
    memset(&answer, 0, sizeof answer);
    gk_buf_init_over(&value, bytes, sizeof bytes);
    if (gk_transit_response_value(body, &question, &answer, &value)) {
        require(value.len < sizeof bytes);
    }
    memset(&answer, 0, sizeof answer);
    if (gk_transit_response_key(body, &question, &answer)) {
        require(strncmp(answer.key_id, prefix, sizeof prefix - 1) == 0);
    }
    if (gk_transit_response_error(body, answer.message, sizeof answer.message)) {
        require(strlen(answer.message) < sizeof answer.message);
    }
    if (gk_transit_response_token(body, &token)) {
        require(token.access_token.len > 0 && token.expires_in_s > 0);
    }
}

static void read_as_authority(struct gk_span body)
{
    struct gk_kv_token_response token;
    char code[32];
    char message[32];
    if (gk_kv_response_token(body, &token)) {
        require(token.access_token.data > body.data &&
                token.access_token.data + token.access_token.len < body.data + body.len);
    }
    if (gk_kv_response_oauth_error(body, code, sizeof code, message, sizeof message)) {
        require(code[0] != '\0');
    }
}

static void read_as_challenge(struct gk_span text)
{
    char header[GK_KV_CHALLENGE_BYTES_MAX];
    struct gk_kv_challenge challenge;
    const size_t len = text.len < sizeof header ? text.len : sizeof header - 1;
    memcpy(header, text.data, len);
    header[len] = '\0';
    if (gk_kv_challenge_parse(header, &challenge)) {
        (void)gk_kv_challenge_agrees(&challenge, "https://vault.azure.net", NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        const struct gk_span text = gk_span_of(data, size);
        read_as_vault(text);
        read_as_transit(text);
        read_as_authority(text);
        read_as_challenge(text);
    }
    return 0;
}
