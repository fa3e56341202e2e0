/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "common/text.h"

#define API_VERSION       "2023-05-01"
#define TIMEOUT_S_DEFAULT 60u
#define ANSWER_BYTES_MAX  (32u << 20)

void ctl_client_global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct exchange {
    CURL *curl;
    struct curl_slist *headers;
    char *token; /* secret memory */
    char *body;  /* heap */
    struct gk_buf answer;
    char reason[CURL_ERROR_SIZE];
};

static void exchange_cleanup(struct exchange *exchange)
{
    curl_slist_free_all(exchange->headers);
    curl_easy_cleanup(exchange->curl);
    gk_secret_free(&exchange->token);
    free(exchange->body);
    gk_buf_cleanup_wipe(&exchange->answer);
}

static size_t take_answer(char *data, size_t size, size_t count, void *ctx)
{
    struct gk_buf *answer = ctx;
    gk_buf_append(answer, data, size * count);
    return gk_buf_status(answer) == GK_OK ? size * count : 0;
}

static enum ctl_exit check_options(const struct ctl_options *options, uint64_t *timeout_s)
{
    *timeout_s = TIMEOUT_S_DEFAULT;
    if (options->endpoint == NULL || strncmp(options->endpoint, "https://", 8) != 0) {
        return ctl_fail(CTL_USAGE,
                        "give the management endpoint: --endpoint https://127.0.0.1:PORT "
                        "or GATEKEY_ENDPOINT");
    }
    if (options->token_file == NULL) {
        return ctl_fail(CTL_USAGE, "give the token's file: --token-file or GATEKEY_TOKEN_FILE");
    }
    if (options->timeout_s != NULL &&
        (!gk_parse_u64(gk_span_str(options->timeout_s), 3600, timeout_s) || *timeout_s == 0)) {
        return ctl_fail(CTL_USAGE, "--timeout takes 1 to 3600 seconds");
    }
    return CTL_OK;
}

static enum ctl_exit read_token(const char *path, struct exchange *exchange)
{
    struct gk_error error = {0};
    size_t len = 0;
    if (gk_secret_file_read(path, &exchange->token, &len, &error) != GK_OK) {
        return ctl_fail(CTL_USAGE, "token file %s", error.message);
    }
    return CTL_OK;
}

static enum ctl_exit set_url(const struct ctl_options *options, const char *path,
                             struct exchange *exchange)
{
    struct gk_buf url;
    gk_buf_init(&url, 8192);
    size_t len = strlen(options->endpoint);
    while (len > 0 && options->endpoint[len - 1] == '/') {
        len--;
    }
    gk_buf_append(&url, options->endpoint, len);
    gk_buf_append_str(&url, path);
    gk_buf_append_str(&url, strchr(path, '?') == NULL ? "?api-version=" API_VERSION
                                                      : "&api-version=" API_VERSION);
    const bool good = gk_buf_status(&url) == GK_OK &&
                      curl_easy_setopt(exchange->curl, CURLOPT_URL, gk_buf_str(&url)) == CURLE_OK;
    gk_buf_cleanup(&url);
    return good ? CTL_OK : ctl_fail(CTL_USAGE, "the endpoint is too long");
}

static void set_transport(const struct ctl_options *options, uint64_t timeout_s, const char *method,
                          struct exchange *exchange)
{
    CURL *curl = exchange->curl;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* the token is for the gateway alone */
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, exchange->token);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)timeout_s);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange->answer);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (options->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
    }
}

static bool set_body(const char *method, const json_t *body, struct exchange *exchange)
{
    exchange->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (exchange->headers == NULL) {
        return false;
    }
    curl_easy_setopt(exchange->curl, CURLOPT_HTTPHEADER, exchange->headers);
    if (body == NULL && strcmp(method, "POST") != 0) {
        return true;
    }
    exchange->body = body == NULL ? strdup("") : json_dumps(body, JSON_COMPACT);
    if (exchange->body == NULL) {
        return false;
    }
    curl_easy_setopt(exchange->curl, CURLOPT_POSTFIELDS, exchange->body);
    return true;
}

/* The gateway's own words, else the status. */
static enum ctl_exit tell_refusal(long status, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    if (message == NULL) {
        return ctl_fail(CTL_FAILED,
                        "the gateway answered with status %ld and no explanation; is "
                        "the endpoint its management listener?",
                        status);
    }
    if (status == 401) {
        return ctl_fail(CTL_FAILED,
                        "%s Is --token-file the one that the gateway's configuration "
                        "names?",
                        message);
    }
    return ctl_fail(CTL_FAILED, "%s (%s)", message, code == NULL ? "no code" : code);
}

static enum ctl_exit read_answer(struct exchange *exchange, json_t **answer)
{
    long status = 0;
    curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &status);
    json_t *value = NULL;
    if (exchange->answer.len > 0) {
        value = json_loadb((const char *)exchange->answer.data, exchange->answer.len, 0, NULL);
    }
    if (status < 200 || status > 299) {
        const enum ctl_exit code = tell_refusal(status, value);
        json_decref(value);
        return code;
    }
    if (value == NULL && exchange->answer.len > 0) {
        return ctl_fail(CTL_FAILED, "the gateway's answer is not JSON");
    }
    *answer = value;
    return CTL_OK;
}

static enum ctl_exit perform(const struct ctl_options *options, struct exchange *exchange,
                             json_t **answer)
{
    const CURLcode result = curl_easy_perform(exchange->curl);
    if (result == CURLE_OK) {
        return read_answer(exchange, answer);
    }
    const char *reason =
        exchange->reason[0] == '\0' ? curl_easy_strerror(result) : exchange->reason;
    const bool distrusted = result == CURLE_PEER_FAILED_VERIFICATION ||
                            result == CURLE_SSL_CACERT_BADFILE || result == CURLE_SSL_CONNECT_ERROR;
    return ctl_fail(CTL_UNREACHABLE, "%s cannot be reached: %s%s", options->endpoint, reason,
                    distrusted ? "; is --ca-file the authority of its certificate?"
                               : "; is the gateway running, and is this its management endpoint?");
}

enum ctl_exit ctl_request(const struct ctl_options *options, const char *method, const char *path,
                          const json_t *body, json_t **answer)
{
    *answer = NULL;
    uint64_t timeout_s = 0;
    enum ctl_exit code = check_options(options, &timeout_s);
    if (code != CTL_OK) {
        return code;
    }
    struct exchange exchange = {0};
    gk_buf_init(&exchange.answer, ANSWER_BYTES_MAX);
    code = read_token(options->token_file, &exchange);
    if (code == CTL_OK) {
        exchange.curl = curl_easy_init();
        code = exchange.curl == NULL ? ctl_fail(CTL_FAILED, "out of memory")
                                     : set_url(options, path, &exchange);
    }
    if (code == CTL_OK) {
        set_transport(options, timeout_s, method, &exchange);
        code = set_body(method, body, &exchange) ? perform(options, &exchange, answer)
                                                 : ctl_fail(CTL_FAILED, "out of memory");
    }
    exchange_cleanup(&exchange);
    return code;
}

static bool name_is_plain(const char *name)
{
    return strlen(name) <= 24 && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789")] == '\0';
}

enum ctl_exit ctl_check_account_name(const char *name)
{
    return name_is_plain(name) ? CTL_OK
                               : ctl_fail(CTL_USAGE,
                                          "'%s' is not an account's name: 3 to 24 lower-case "
                                          "letters and digits",
                                          name);
}

enum ctl_exit ctl_find_account(const struct ctl_options *options, json_t **account, char *id,
                               size_t id_bytes)
{
    *account = NULL;
    char path[128];
    enum ctl_exit code = ctl_check_account_name(options->name);
    if (code == CTL_OK) {
        snprintf(path, sizeof path, "/gatekey/accounts/%s", options->name);
        code = ctl_request(options, "GET", path, NULL, account);
    }
    if (code != CTL_OK) {
        return code;
    }
    const char *text = json_string_value(json_object_get(*account, "id"));
    if (text == NULL || text[0] != '/' || strlen(text) >= id_bytes) {
        json_decref(*account);
        *account = NULL;
        return ctl_fail(CTL_FAILED, "the gateway's answer names no resource id");
    }
    snprintf(id, id_bytes, "%s", text);
    return CTL_OK;
}
