/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/secret.h"
#include "common/secret_file.h"
#include "common/text.h"

#define API_VERSION       "2023-05-01"
#define TIMEOUT_S_DEFAULT 60u
#define ANSWER_BYTES_MAX  (64u << 20) /* the gateway sends no more */
#define URL_BYTES_MAX     8192u

void ctl_client_global_init(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct exchange {
    CURL *curl;
    struct curl_slist *headers;
    char *token;                  /* secret memory; NULL: none is sent */
    const char *certificate_file; /* NULL: none is shown */
    char *key;                    /* of it, PEM in secret memory */
    size_t key_len;
    char *body; /* heap */
};

static void exchange_cleanup(struct exchange *exchange)
{
    curl_slist_free_all(exchange->headers);
    curl_easy_cleanup(exchange->curl);
    gk_secret_free(&exchange->token);
    gk_secret_free(&exchange->key);
    free(exchange->body);
}

void ctl_reply_cleanup(struct ctl_reply *reply)
{
    gk_buf_cleanup_wipe(&reply->body);
}

static size_t take_answer(char *data, size_t size, size_t count, void *ctx)
{
    struct gk_buf *answer = ctx;
    gk_buf_append(answer, data, size * count);
    return gk_buf_status(answer) == GK_OK ? size * count : 0;
}

static enum ctl_exit read_timeout(const struct ctl_options *options, uint64_t *timeout_s)
{
    *timeout_s = TIMEOUT_S_DEFAULT;
    if (options->timeout_s != NULL &&
        (!gk_parse_u64(gk_span_str(options->timeout_s), 3600, timeout_s) || *timeout_s == 0)) {
        return ctl_fail(CTL_USAGE, "--timeout takes 1 to 3600 seconds");
    }
    return CTL_OK;
}

static enum ctl_exit check_options(const struct ctl_options *options)
{
    if (options->endpoint == NULL) {
        return ctl_fail(CTL_USAGE,
                        "give the management endpoint: --endpoint https://127.0.0.1:PORT "
                        "or GATEKEY_ENDPOINT");
    }
    if (strncmp(options->endpoint, "https://", 8) != 0) {
        return ctl_fail(CTL_USAGE,
                        "the management endpoint %s is not HTTPS, and the token goes there: give "
                        "--endpoint https://127.0.0.1:PORT",
                        options->endpoint);
    }
    if (options->token_file == NULL && options->client_cert == NULL) {
        return ctl_fail(CTL_USAGE, "give the token's file: --token-file or GATEKEY_TOKEN_FILE; or "
                                   "a certificate with its key: --client-cert and --client-key");
    }
    if ((options->client_cert == NULL) != (options->client_key == NULL)) {
        return ctl_fail(CTL_USAGE, "--client-cert and --client-key go together; give both");
    }
    return CTL_OK;
}

/* Who asks: by a certificate, or else by a token, which the gateway would take before a certificate. */
static enum ctl_exit read_credentials(const struct ctl_options *options, struct exchange *exchange)
{
    struct gk_error error = {0};
    size_t len = 0;
    if (options->client_cert == NULL &&
        gk_secret_file_read(options->token_file, &exchange->token, &len, &error) != GK_OK) {
        return ctl_fail(CTL_USAGE, "token file %s", error.message);
    }
    exchange->certificate_file = options->client_cert;
    if (options->client_key != NULL && gk_secret_pem_read(options->client_key, &exchange->key,
                                                          &exchange->key_len, &error) != GK_OK) {
        return ctl_fail(CTL_USAGE, "key of the client's certificate %s", error.message);
    }
    return CTL_OK;
}

/* The endpoint with path behind it. */
static enum ctl_exit make_url(const struct ctl_options *options, const char *path,
                              struct gk_buf *url)
{
    size_t len = strlen(options->endpoint);
    while (len > 0 && options->endpoint[len - 1] == '/') {
        len--;
    }
    gk_buf_append(url, options->endpoint, len);
    gk_buf_append_str(url, path);
    if (strstr(path, "api-version=") == NULL) {
        gk_buf_append_str(url, strchr(path, '?') == NULL ? "?api-version=" API_VERSION
                                                         : "&api-version=" API_VERSION);
    }
    return gk_buf_status(url) == GK_OK ? CTL_OK : ctl_fail(CTL_USAGE, "the endpoint is too long");
}

static void set_credentials(const struct exchange *exchange)
{
    CURL *curl = exchange->curl;
    if (exchange->token != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, exchange->token);
    }
    if (exchange->certificate_file != NULL) {
        struct curl_blob key = {
            .data = exchange->key, .len = exchange->key_len, .flags = CURL_BLOB_NOCOPY};
        curl_easy_setopt(curl, CURLOPT_SSLCERT, exchange->certificate_file);
        curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, &key);
    }
}

static void set_transport(const struct ctl_options *options, uint64_t timeout_s,
                          const struct exchange *exchange, struct ctl_reply *reply)
{
    CURL *curl = exchange->curl;
    const bool known = exchange->token != NULL || exchange->certificate_file != NULL;
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, known ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* the token is for the gateway alone */
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    set_credentials(exchange);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)timeout_s);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reply->reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    if (options->ca_file != NULL) {
        curl_easy_setopt(curl, CURLOPT_CAINFO, options->ca_file);
    }
}

static bool set_body(const char *method, const json_t *body, struct exchange *exchange)
{
    curl_easy_setopt(exchange->curl, CURLOPT_CUSTOMREQUEST, method);
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

/* --- one exchange ------------------------------------------------------------------------------- */

/* Of the server's own certificate, the first of the chain; 0: it is not told. */
static int64_t certificate_end(CURL *curl)
{
    static const char label[] = "Expire date:";
    struct curl_certinfo *info = NULL;
    if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) != CURLE_OK || info == NULL ||
        info->num_of_certs == 0) {
        return 0;
    }
    for (const struct curl_slist *line = info->certinfo[0]; line != NULL; line = line->next) {
        if (strncmp(line->data, label, sizeof label - 1) == 0) {
            const time_t end = curl_getdate(line->data + sizeof label - 1, NULL);
            return end == -1 ? 0 : (int64_t)end;
        }
    }
    return 0;
}

static void read_date(CURL *curl, struct ctl_reply *reply)
{
    struct curl_header *date = NULL;
    if (curl_easy_header(curl, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK) {
        const time_t when = curl_getdate(date->value, NULL);
        reply->date_s = when == -1 ? 0 : (int64_t)when;
    }
}

static void perform(const struct exchange *exchange, struct ctl_reply *reply)
{
    const CURLcode result = curl_easy_perform(exchange->curl);
    reply->certificate_end_s = certificate_end(exchange->curl);
    if (result == CURLE_OK) {
        curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &reply->status);
        read_date(exchange->curl, reply);
        return;
    }
    if (reply->reason[0] == '\0') {
        snprintf(reply->reason, sizeof reply->reason, "%s", curl_easy_strerror(result));
    }
    reply->distrusted = result == CURLE_PEER_FAILED_VERIFICATION ||
                        result == CURLE_SSL_CACERT_BADFILE || result == CURLE_SSL_CONNECT_ERROR;
}

/* exchange has its token and certificate, if any. */
static enum ctl_exit exchange_at(const struct ctl_options *options, const char *url,
                                 const char *method, const json_t *body, struct exchange *exchange,
                                 struct ctl_reply *reply)
{
    uint64_t timeout_s = 0;
    const enum ctl_exit code = read_timeout(options, &timeout_s);
    if (code != CTL_OK) {
        return code;
    }
    exchange->curl = curl_easy_init();
    if (exchange->curl == NULL || curl_easy_setopt(exchange->curl, CURLOPT_URL, url) != CURLE_OK ||
        !set_body(method, body, exchange)) {
        return ctl_fail(CTL_FAILED, "out of memory");
    }
    set_transport(options, timeout_s, exchange, reply);
    perform(exchange, reply);
    return CTL_OK;
}

static void reply_init(struct ctl_reply *reply)
{
    *reply = (struct ctl_reply){0};
    gk_buf_init(&reply->body, ANSWER_BYTES_MAX);
}

enum ctl_exit ctl_exchange(const struct ctl_options *options, const char *method, const char *path,
                           const json_t *body, struct ctl_reply *reply)
{
    reply_init(reply);
    enum ctl_exit code = check_options(options);
    if (code != CTL_OK) {
        return code;
    }
    struct exchange exchange = {0};
    struct gk_buf url;
    gk_buf_init(&url, URL_BYTES_MAX);
    code = read_credentials(options, &exchange);
    if (code == CTL_OK) {
        code = make_url(options, path, &url);
    }
    if (code == CTL_OK) {
        code = exchange_at(options, gk_buf_str(&url), method, body, &exchange, reply);
    }
    gk_buf_cleanup(&url);
    exchange_cleanup(&exchange);
    return code;
}

enum ctl_exit ctl_look_at(const struct ctl_options *options, const char *url,
                          struct ctl_reply *reply)
{
    reply_init(reply);
    struct exchange exchange = {0};
    const enum ctl_exit code = exchange_at(options, url, "GET", NULL, &exchange, reply);
    exchange_cleanup(&exchange);
    return code;
}

/* --- answers of the API -------------------------------------------------------------------------- */

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
                        "%s Is --token-file, or --client-cert, one that the gateway's "
                        "configuration names?",
                        message);
    }
    return ctl_fail(CTL_FAILED, "%s (%s)", message, code == NULL ? "no code" : code);
}

static enum ctl_exit read_answer(const struct ctl_reply *reply, json_t **answer)
{
    json_t *value = NULL;
    if (reply->body.len > 0) {
        value = json_loadb((const char *)reply->body.data, reply->body.len, 0, NULL);
    }
    if (reply->status < 200 || reply->status > 299) {
        const enum ctl_exit code = tell_refusal(reply->status, value);
        json_decref(value);
        return code;
    }
    if (value == NULL && reply->body.len > 0) {
        return ctl_fail(CTL_FAILED, "the gateway's answer is not JSON");
    }
    *answer = value;
    return CTL_OK;
}

enum ctl_exit ctl_request(const struct ctl_options *options, const char *method, const char *path,
                          const json_t *body, json_t **answer)
{
    *answer = NULL;
    struct ctl_reply reply;
    enum ctl_exit code = ctl_exchange(options, method, path, body, &reply);
    if (code == CTL_OK && reply.status == 0) {
        code = ctl_fail(
            CTL_UNREACHABLE, "%s cannot be reached: %s%s", options->endpoint, reply.reason,
            reply.distrusted ? "; is --ca-file the authority of its certificate?"
                             : "; is the gateway running, and is this its management endpoint?");
    } else if (code == CTL_OK) {
        code = read_answer(&reply, answer);
    }
    ctl_reply_cleanup(&reply);
    return code;
}

/* The path in the URL of the page that follows, which the endpoint may know by another name; NULL: there is none. */
static char *next_path(const json_t *page)
{
    const char *link = json_string_value(json_object_get(page, "nextLink"));
    const char *authority = link == NULL ? NULL : strstr(link, "://");
    const char *path = authority == NULL ? link : strchr(authority + strlen("://"), '/');
    return path == NULL ? NULL : strdup(path);
}

enum ctl_exit ctl_list(const struct ctl_options *options, const char *path, json_t **values)
{
    enum ctl_exit code = CTL_OK;
    char *next = strdup(path);
    *values = json_array();
    while (code == CTL_OK && next != NULL) {
        json_t *page = NULL;
        code = ctl_request(options, "GET", next, NULL, &page);
        free(next);
        next = next_path(page);
        json_array_extend(*values, json_object_get(page, "value"));
        json_decref(page);
    }
    free(next);
    if (code != CTL_OK) {
        json_decref(*values);
        *values = NULL;
    }
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
