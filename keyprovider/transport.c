/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/transport.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/secret.h"
#include "common/text.h"
#include "keyprovider/certificate_pair.h"

#define MS_PER_S           1000
#define RETRY_AFTER_MAX_MS (3600 * MS_PER_S)
#define CONNECT_PART       2 /* connecting may take one half of the time */
#define NAMES_KEPT_S       1L /* a vault whose name is gone is not gone before it is asked for anew */
#define REQUEST_ID_BYTES   64u
#define SCHEME_DEFAULT     "Bearer"

struct gk_kv_exchange {
    struct gk_kv_exchange *next;
    struct gk_kv_exchange **link; /* what points to this one */
    struct gk_kv_transport *transport;
    const char *scheme;
    const char *client_certificate_file; /* NULL: none */
    CURL *easy;
    struct curl_slist *headers;
    struct gk_span sent; /* what goes out, of which sent_len bytes have gone */
    size_t sent_len;
    struct gk_buf body;
    uint32_t retry_after_ms;
    int64_t date_wall_ms;
    char challenge[GK_KV_CHALLENGE_BYTES_MAX];
    char request_id[REQUEST_ID_BYTES];
    gk_kv_http_done_fn *done;
    void *ctx;
};

/* --- what comes in ------------------------------------------------------------------------------ */

/* An answer to an unwrap is a key: it is wiped from the transport's buffer once we have it. */
static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct gk_kv_exchange *exchange = ctx;
    const size_t len = size * count;
    gk_buf_append(&exchange->body, data, len);
    gk_wipe(data, len);
    return gk_buf_status(&exchange->body) == GK_OK ? len : 0;
}

/* The value of a header line when it is the one of that name. */
static bool header_is(struct gk_span line, const char *name, struct gk_span *value)
{
    const size_t len = strlen(name);
    if (line.len <= len || line.data[len] != ':' ||
        strncasecmp((const char *)line.data, name, len) != 0) {
        return false;
    }
    *value = gk_span_of(line.data + len + 1, line.len - len - 1);
    while (value->len > 0 && strchr(" \t", value->data[0]) != NULL) {
        *value = gk_span_of(value->data + 1, value->len - 1);
    }
    while (value->len > 0 && strchr(" \t\r\n", value->data[value->len - 1]) != NULL) {
        value->len--;
    }
    return true;
}

/* Whole and printable, or not at all. */
static void copy_header(char *out, size_t out_bytes, struct gk_span value)
{
    if (value.len >= out_bytes) {
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] >= 0x7f) {
            return;
        }
    }
    memcpy(out, value.data, value.len);
    out[value.len] = '\0';
}

/* 0: it is none. */
static int64_t date_ms(struct gk_span value)
{
    int64_t at_ms = 0;
    char text[GK_TIME_TEXT_BYTES] = "";
    copy_header(text, sizeof text, value);
    return gk_time_http_parse(text, &at_ms) ? at_ms : 0;
}

/* Seconds, or a date, which is taken by the host's clock. */
static uint32_t retry_after_ms(const struct gk_kv_exchange *exchange, struct gk_span value)
{
    uint64_t seconds = 0;
    if (gk_parse_u64(value, UINT32_MAX, &seconds)) {
        return seconds < RETRY_AFTER_MAX_MS / MS_PER_S ? (uint32_t)seconds * MS_PER_S
                                                       : RETRY_AFTER_MAX_MS;
    }
    const struct gk_provider_host *host = exchange->transport->loop->host;
    const int64_t left_ms = date_ms(value) - host->clock_wall_ms(host->ctx);
    return left_ms <= 0 ? 0 : left_ms < RETRY_AFTER_MAX_MS ? (uint32_t)left_ms : RETRY_AFTER_MAX_MS;
}

static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct gk_kv_exchange *exchange = ctx;
    const struct gk_span line = gk_span_of(data, size * count);
    struct gk_span value;
    if (line.len >= 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        /* What stood before was of an interim answer. */
        exchange->challenge[0] = '\0';
        exchange->request_id[0] = '\0';
        exchange->retry_after_ms = 0;
        exchange->date_wall_ms = 0;
    } else if (header_is(line, "WWW-Authenticate", &value)) {
        const size_t scheme_len = strlen(exchange->scheme);
        if (exchange->challenge[0] == '\0' && value.len > scheme_len &&
            value.data[scheme_len] == ' ' &&
            strncasecmp((const char *)value.data, exchange->scheme, scheme_len) == 0) {
            copy_header(exchange->challenge, sizeof exchange->challenge, value);
        }
    } else if (header_is(line, "x-ms-request-id", &value)) {
        copy_header(exchange->request_id, sizeof exchange->request_id, value);
    } else if (header_is(line, "Retry-After", &value)) {
        exchange->retry_after_ms = retry_after_ms(exchange, value);
    } else if (header_is(line, "Date", &value)) {
        exchange->date_wall_ms = date_ms(value);
    }
    return line.len;
}

/* --- what goes out ------------------------------------------------------------------------------ */

/* What is sent may hold a key or a client secret. The transport is given it piece by piece, and its
 * copy is wiped as soon as it was written (on_sent), because it would only be freed later. */
static size_t on_send(char *out, size_t size, size_t count, void *ctx)
{
    struct gk_kv_exchange *exchange = ctx;
    const size_t left = exchange->sent.len - exchange->sent_len;
    const size_t len = size * count < left ? size * count : left;
    if (len > 0) {
        memcpy(out, exchange->sent.data + exchange->sent_len, len);
        exchange->sent_len += len;
    }
    return len;
}

/* A kept connection may turn out to be closed: then all is sent again on a new one. */
static int on_send_again(void *ctx, curl_off_t offset, int origin)
{
    struct gk_kv_exchange *exchange = ctx;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > exchange->sent.len) {
        return CURL_SEEKFUNC_FAIL;
    }
    exchange->sent_len = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* The transport shows what it has written; it does not need those bytes any more. */
static int on_sent(CURL *easy, curl_infotype type, char *data, size_t len, void *ctx)
{
    (void)easy, (void)ctx;
    if (type == CURLINFO_DATA_OUT || type == CURLINFO_HEADER_OUT) {
        gk_wipe(data, len);
    }
    return 0;
}

static bool show_certificate(const struct gk_kv_exchange *exchange, SSL_CTX *ssl_context)
{
    const struct gk_provider_host *host = exchange->transport->loop->host;
    struct gk_kv_certificate_pair pair;
    if (gk_kv_certificate_pair_read(exchange->client_certificate_file,
                                    host->clock_wall_ms(host->ctx) / MS_PER_S, &pair,
                                    NULL) != GK_OK) {
        return false;
    }
    const bool good = SSL_CTX_use_certificate(ssl_context, pair.certificate) == 1 &&
                      SSL_CTX_use_PrivateKey(ssl_context, pair.key) == 1;
    gk_kv_certificate_pair_cleanup(&pair);
    return good;
}

static CURLcode on_ssl_context(CURL *easy, void *ssl_context, void *ctx)
{
    const struct gk_kv_exchange *exchange = ctx;
    (void)easy;
    SSL_CTX_set_options(ssl_context, SSL_OP_CLEANSE_PLAINTEXT);
    return exchange->client_certificate_file == NULL || show_certificate(exchange, ssl_context)
               ? CURLE_OK
               : CURLE_SSL_CERTPROBLEM;
}

static bool add_header(struct gk_kv_exchange *exchange, const char *line)
{
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);
    if (longer == NULL) {
        return false;
    }
    exchange->headers = longer;
    return true;
}

static bool add_credentials(struct gk_kv_exchange *exchange, const char *credentials)
{
    const size_t bytes = sizeof "Authorization:  " + strlen(exchange->scheme) + strlen(credentials);
    char *line = gk_secret_alloc(bytes);
    if (line == NULL) {
        return false;
    }
    snprintf(line, bytes, "Authorization: %s %s", exchange->scheme, credentials);
    const bool good = add_header(exchange, line);
    gk_secret_free(&line);
    return good;
}

static bool set_headers(struct gk_kv_exchange *exchange, const struct gk_kv_http_request *request)
{
    char line[128];
    bool good = add_header(exchange, "Accept: application/json") && add_header(exchange, "Expect:");
    if (good && request->content_type != NULL) {
        snprintf(line, sizeof line, "Content-Type: %s", request->content_type);
        good = add_header(exchange, line);
    }
    if (good && request->header != NULL) {
        good = add_header(exchange, request->header);
    }
    if (good && request->credentials != NULL) {
        good = add_credentials(exchange, request->credentials);
    }
    return good &&
           curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers) == CURLE_OK;
}

/* One after the other until one fails; the first failure is kept. */
#define SET(option, value)                                                                         \
    (code = code == CURLE_OK ? curl_easy_setopt(easy, (option), (value)) : code)

/* Where the request may go, and whom it trusts: nothing of this is left to defaults. */
static bool set_boundaries(CURL *easy, const struct gk_kv_transport *transport,
                           const struct gk_kv_http_request *request)
{
    CURLcode code = CURLE_OK;
    const struct gk_kv_config *config = transport->config;
    const bool plain_http = request->of_host && strncmp(request->url, "http:", 5) == 0;
    const char *pins = gk_kv_config_pins(config, request->url);
    SET(CURLOPT_PROTOCOLS_STR, plain_http ? "http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    /* Set to something, however empty, or the environment's would be used. */
    SET(CURLOPT_PROXY, request->of_host ? "" : config->proxy);
    SET(CURLOPT_NOPROXY, "");
    SET(CURLOPT_HTTPPROXYTUNNEL, 1L);
    SET(CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* a proxy sees nothing of ours */
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_ssl_context);
    if (config->ca_file[0] != '\0') {
        SET(CURLOPT_CAINFO, config->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (pins[0] != '\0') {
        SET(CURLOPT_PINNEDPUBLICKEY, pins);
    }
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    return code == CURLE_OK;
}

static bool set_request(struct gk_kv_exchange *exchange, const struct gk_kv_http_request *request)
{
    CURL *easy = exchange->easy;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_USERAGENT, "gatekey");
    SET(CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)request->timeout_ms / CONNECT_PART + 1);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_DNS_CACHE_TIMEOUT, NAMES_KEPT_S);
    SET(CURLOPT_PRIVATE, (void *)exchange);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)exchange);
    SET(CURLOPT_DEBUGFUNCTION, on_sent);
    SET(CURLOPT_VERBOSE, 1L);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)exchange);
    SET(CURLOPT_SSL_CTX_DATA, (void *)exchange);
    if (request->client_certificate_file != NULL) {
        /* Who was shown it is known by the connection, and nobody else may use that. */
        SET(CURLOPT_FRESH_CONNECT, 1L);
        SET(CURLOPT_FORBID_REUSE, 1L);
        SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    }
    if (request->content_type != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE, (long)request->body.len);
        SET(CURLOPT_READFUNCTION, on_send);
        SET(CURLOPT_READDATA, (void *)exchange);
        SET(CURLOPT_SEEKFUNCTION, on_send_again);
        SET(CURLOPT_SEEKDATA, (void *)exchange);
    }
    return code == CURLE_OK;
}

/* --- life --------------------------------------------------------------------------------------- */

static void free_exchange(struct gk_kv_exchange *exchange)
{
    if (exchange->easy != NULL) {
        (void)curl_multi_remove_handle(exchange->transport->loop->multi, exchange->easy);
        curl_easy_cleanup(exchange->easy);
    }
    for (struct curl_slist *header = exchange->headers; header != NULL; header = header->next) {
        gk_wipe(header->data, strlen(header->data));
    }
    curl_slist_free_all(exchange->headers);
    gk_buf_cleanup_wipe(&exchange->body);
    free(exchange);
}

static void link_exchange(struct gk_kv_exchange *exchange)
{
    struct gk_kv_transport *transport = exchange->transport;
    exchange->next = transport->exchanges;
    exchange->link = &transport->exchanges;
    if (exchange->next != NULL) {
        exchange->next->link = &exchange->next;
    }
    transport->exchanges = exchange;
}

static void unlink_exchange(struct gk_kv_exchange *exchange)
{
    *exchange->link = exchange->next;
    if (exchange->next != NULL) {
        exchange->next->link = exchange->link;
    }
}

struct gk_kv_exchange *gk_kv_exchange_start(struct gk_kv_transport *transport,
                                            const struct gk_kv_http_request *request,
                                            gk_kv_http_done_fn *done, void *ctx)
{
    struct gk_kv_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->transport = transport;
    exchange->scheme = request->scheme == NULL ? SCHEME_DEFAULT : request->scheme;
    exchange->client_certificate_file = request->client_certificate_file;
    exchange->done = done;
    exchange->ctx = ctx;
    exchange->sent = request->body;
    gk_buf_init(&exchange->body, GK_KV_ANSWER_BYTES_MAX);
    exchange->easy = curl_easy_init();
    if (exchange->easy == NULL || !set_boundaries(exchange->easy, transport, request) ||
        !set_request(exchange, request) || !set_headers(exchange, request) ||
        curl_multi_add_handle(transport->loop->multi, exchange->easy) != CURLM_OK) {
        free_exchange(exchange);
        return NULL;
    }
    link_exchange(exchange);
    return exchange;
}

void gk_kv_exchange_cancel(struct gk_kv_exchange *exchange)
{
    if (exchange != NULL) {
        unlink_exchange(exchange);
        free_exchange(exchange);
    }
}

void gk_kv_exchange_ended(CURL *easy, CURLcode result)
{
    char *private_pointer = NULL;
    long http_status = 0;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private_pointer) != CURLE_OK ||
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_status) != CURLE_OK ||
        private_pointer == NULL) {
        return;
    }
    struct gk_kv_exchange *exchange = (struct gk_kv_exchange *)(void *)private_pointer;
    const bool answered = result == CURLE_OK && http_status > 0 && http_status <= UINT16_MAX;
    const struct gk_kv_http_answer answer = {
        .outcome = answered                               ? GK_KV_ANSWERED
                   : result == CURLE_COULDNT_RESOLVE_HOST ? GK_KV_NAME_UNKNOWN
                                                          : GK_KV_FAILED,
        .http_status = answered ? (uint16_t)http_status : 0,
        .retry_after_ms = answered ? exchange->retry_after_ms : 0,
        .date_wall_ms = answered ? exchange->date_wall_ms : 0,
        .body = answered ? gk_buf_span(&exchange->body) : gk_span_of(NULL, 0),
        .challenge = answered ? exchange->challenge : "",
        .request_id = answered ? exchange->request_id : "",
        .failure = answered                      ? ""
                   : result == CURLE_WRITE_ERROR ? "the answer is longer than 64 KiB"
                                                 : curl_easy_strerror(result),
    };
    unlink_exchange(exchange);
    exchange->done(exchange->ctx, &answer);
    free_exchange(exchange);
}
