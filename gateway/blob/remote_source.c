/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/remote_source.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "common/address.h"
#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gateway.h"

#define LINE_BYTES_MAX (16u << 10) /* of a header that is sent */
#define PIECE_BYTES    (128L << 10)
#define HEAD_ROOM      (GK_REMOTE_HEAD_BYTES + GK_HTTP_HEADERS_MAX) /* with their NULs */
#define WAIT_MS        1000
#define MS_PER_S       1000L

struct gk_remote_source {
    struct gk_gateway *gateway;
    const struct gk_copy_host *host;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *sent;
    char *head; /* owned: name NUL value NUL ..., as far as head_len */
    size_t head_len;
    size_t head_seen; /* bytes of all lines that came, of interim answers as well */
    struct gk_pair headers[GK_HTTP_HEADERS_MAX];
    size_t headers_count;
    bool address_refused;
    bool waits; /* the first of the body is there, and nobody takes it yet */
    bool ended;
    CURLcode result;
    struct gk_request *request; /* whose take it is */
    gk_copy_take_fn *take;
    enum gk_status taken;
    struct gk_error *error;
};

enum gk_status gk_remote_source_start(struct gk_error *error)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "libcurl does not start");
}

void gk_remote_source_end(void)
{
    curl_global_cleanup();
}

/* --- what comes in ------------------------------------------------------------------------------*/

static bool is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static const char *keep_text(struct gk_remote_source *source, const char *text, size_t len)
{
    char *kept = source->head + source->head_len;
    memcpy(kept, text, len);
    kept[len] = '\0';
    source->head_len += len + 1;
    return kept;
}

/* "Name: value"; a line without a colon is the empty one at the end. */
static void keep_header(struct gk_remote_source *source, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    if (colon == NULL) {
        return;
    }
    const char *value = colon + 1;
    const char *end = line + len;
    while (value < end && strchr(" \t", *value) != NULL) {
        value++;
    }
    while (value < end && strchr(" \t\r\n", end[-1]) != NULL) {
        end--;
    }
    if (is_printable(line, (size_t)(end - line))) {
        struct gk_pair *header = &source->headers[source->headers_count++];
        header->name = keep_text(source, line, (size_t)(colon - line));
        header->value = keep_text(source, value, (size_t)(end - value));
    }
}

/* Line by line. A head that is longer than allowed, or folded, is none. */
static size_t on_header(char *data, size_t size, size_t count, void *ctx)
{
    struct gk_remote_source *source = ctx;
    const size_t len = size * count;
    source->head_seen += len;
    if (source->head_seen > GK_REMOTE_HEAD_BYTES || strchr(" \t", data[0]) != NULL ||
        source->headers_count == GK_HTTP_HEADERS_MAX) {
        return 0;
    }
    if (len >= 5 &&
        memcmp(data, "HTTP/", 5) == 0) { /* what stood before was of an interim answer */
        source->headers_count = 0;
        source->head_len = 0;
        return len;
    }
    keep_header(source, data, len);
    return len;
}

/* Content in the clear: it is wiped from the library's buffer once it is taken. */
static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
    struct gk_remote_source *source = ctx;
    const size_t len = size * count;
    if (source->take == NULL) {
        source->waits = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    source->taken = source->take(source->request, gk_span_of(data, len), source->error);
    gk_wipe(data, len);
    return source->taken == GK_OK ? len : 0;
}

/* --- where it goes ------------------------------------------------------------------------------*/

/* Asked for each address before it is connected to, after all names were resolved. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct gk_remote_source *source = ctx;
    const enum gk_reach reach = gk_address_reach(&address->addr);
    if (purpose != CURLSOCKTYPE_IPCXN || reach == GK_REACH_NEVER ||
        (reach == GK_REACH_PRIVATE && !source->host->allow_private)) {
        source->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* One after the other until one fails; the first failure is kept. */
#define SET(option, value)                                                                         \
    (code = code == CURLE_OK ? curl_easy_setopt(easy, (option), (value)) : code)

/* Nothing of this is left to defaults. */
static bool set_boundaries(struct gk_remote_source *source)
{
    CURL *easy = source->easy;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_PROTOCOLS_STR, "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, (void *)source);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (source->host->ca_file != NULL) {
        SET(CURLOPT_CAINFO, source->host->ca_file);
        SET(CURLOPT_CAPATH, NULL);
    }
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)source->host->timeout_s * MS_PER_S);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)GK_REMOTE_BYTES_PER_S);
    SET(CURLOPT_LOW_SPEED_TIME, (long)source->host->timeout_s);
    return code == CURLE_OK;
}

static bool set_request(struct gk_remote_source *source, const char *url)
{
    CURL *easy = source->easy;
    CURLcode code = CURLE_OK;
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_USERAGENT, "gatekey");
    SET(CURLOPT_HTTPHEADER, source->sent);
    SET(CURLOPT_BUFFERSIZE, PIECE_BYTES);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, (void *)source);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)source);
    return code == CURLE_OK;
}

/* --- what goes out ------------------------------------------------------------------------------*/

static bool add_header(struct gk_remote_source *source, const char *name, const char *value)
{
    struct gk_buf line;
    gk_buf_init(&line, LINE_BYTES_MAX);
    gk_buf_printf(&line, "%s: %s", name, value);
    struct curl_slist *longer = gk_buf_status(&line) == GK_OK && is_printable(value, strlen(value))
                                    ? curl_slist_append(source->sent, gk_buf_str(&line))
                                    : NULL;
    gk_buf_cleanup_wipe(&line); /* a token, a key */
    source->sent = longer == NULL ? source->sent : longer;
    return longer != NULL;
}

static bool add_headers(struct gk_remote_source *source, const struct gk_request *own)
{
    for (size_t i = 0; i < own->headers_count; i++) {
        const struct gk_pair *header = &own->headers[i];
        const bool range = strcasecmp(header->name, "x-ms-range") == 0; /* a name of the vendor's */
        if (!add_header(source, range ? "Range" : header->name, header->value)) {
            return false;
        }
    }
    return true;
}

/* --- the exchange -------------------------------------------------------------------------------*/

static enum gk_status failed(const struct gk_remote_source *source, struct gk_error *error)
{
    if (source->result == CURLE_COULDNT_CONNECT && source->address_refused) {
        gk_log(GK_LOG_WARNING, "request", "a copy source of %s is at an address it must not have",
               source->host->name);
        return gk_refuse_because(error, 403, "CannotVerifyCopySource",
                                 "Its host is at an address that copies are not made from.");
    }
    return gk_refuse_because(error, 500, "CannotVerifyCopySource", "%s.",
                             curl_easy_strerror(source->result));
}

static void take_result(struct gk_remote_source *source)
{
    int left = 0;
    const CURLMsg *message = curl_multi_info_read(source->multi, &left);
    source->ended = true;
    source->result = message == NULL ? CURLE_FAILED_INIT : message->data.result;
}

/* Until it has ended, or its body waits to be taken. */
static void drive(struct gk_remote_source *source)
{
    int running = 1;
    while (!source->ended && !source->waits) {
        const bool goes_on = curl_multi_perform(source->multi, &running) == CURLM_OK && running > 0;
        if (goes_on && source->waits) {
            return;
        }
        if (!goes_on || curl_multi_poll(source->multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK) {
            take_result(source);
        }
    }
}

/* Counts it, if there is room. */
static bool take_place(struct gk_gateway *gateway)
{
    if (atomic_fetch_add(&gateway->remote_sources, 1) < GK_REMOTE_SOURCES_MAX) {
        return true;
    }
    atomic_fetch_sub(&gateway->remote_sources, 1);
    return false;
}

static struct gk_remote_source *new_source(struct gk_gateway *gateway,
                                           const struct gk_copy_host *host)
{
    struct gk_remote_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        atomic_fetch_sub(&gateway->remote_sources, 1);
        return NULL;
    }
    source->gateway = gateway;
    source->host = host;
    source->head = malloc(HEAD_ROOM);
    source->multi = curl_multi_init();
    source->easy = curl_easy_init();
    if (source->head == NULL || source->multi == NULL || source->easy == NULL) {
        gk_remote_source_close(source);
        return NULL;
    }
    return source;
}

enum gk_status gk_remote_source_open(const struct gk_request *own, const struct gk_copy_host *host,
                                     const char *url, struct gk_remote_source **out,
                                     struct gk_error *error)
{
    *out = NULL;
    if (!take_place(own->gateway)) {
        return gk_refuse_because(error, 503, "ServerBusy", "Too many copies from other hosts.");
    }
    struct gk_remote_source *source = new_source(own->gateway, host);
    if (source == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    *out = source;
    if (!add_headers(source, own) || !set_boundaries(source) || !set_request(source, url) ||
        curl_multi_add_handle(source->multi, source->easy) != CURLM_OK) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "The source cannot be asked with these headers.");
    }
    drive(source);
    return source->ended && source->result != CURLE_OK ? failed(source, error) : GK_OK;
}

void gk_remote_source_close(struct gk_remote_source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->easy != NULL && source->multi != NULL) {
        (void)curl_multi_remove_handle(source->multi, source->easy);
    }
    curl_easy_cleanup(source->easy);
    (void)curl_multi_cleanup(source->multi);
    for (struct curl_slist *header = source->sent; header != NULL; header = header->next) {
        gk_wipe(header->data, strlen(header->data));
    }
    curl_slist_free_all(source->sent);
    free(source->head);
    atomic_fetch_sub(&source->gateway->remote_sources, 1);
    free(source);
}

/* --- the answer ---------------------------------------------------------------------------------*/

unsigned gk_remote_source_status(const struct gk_remote_source *source)
{
    long status = 0;
    return curl_easy_getinfo(source->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK
               ? (unsigned)status
               : 0;
}

const struct gk_pair *gk_remote_source_headers(const struct gk_remote_source *source, size_t *count)
{
    *count = source->headers_count;
    return source->headers;
}

enum gk_status gk_remote_source_pour(struct gk_remote_source *source, struct gk_request *request,
                                     gk_copy_take_fn *take, struct gk_error *error)
{
    source->request = request;
    source->take = take;
    source->error = error;
    if (!source->ended) {
        source->waits = false;
        source->result = curl_easy_pause(source->easy, CURLPAUSE_CONT);
        source->ended = source->result != CURLE_OK;
    }
    drive(source);
    return source->taken != GK_OK       ? source->taken
           : source->result != CURLE_OK ? failed(source, error)
                                        : GK_OK;
}
