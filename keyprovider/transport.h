/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange: TLS always verified, no redirects, no proxy but the configured one, at most
 * 64 KiB of answer, connections kept for the next one. The provider's thread alone.
 */
#ifndef KEYPROVIDER_TRANSPORT_H
#define KEYPROVIDER_TRANSPORT_H

#include "common/buf.h"
#include "keyprovider/config.h"
#include "keyprovider/loop.h"

#define GK_KV_ANSWER_BYTES_MAX (64u * 1024u)

struct gk_kv_transport {
    struct gk_kv_loop *loop;
    const struct gk_kv_config *config; /* whom to trust, and by which way */
    struct gk_kv_exchange *exchanges;
};

struct gk_kv_http_request {
    const char *url;          /* copied */
    bool of_host;             /* a token service of this host: by no proxy, and http will do */
    const char *scheme;       /* of credentials and challenge; NULL: Bearer; not copied */
    const char *credentials;  /* NULL: none; copied, and the copy wiped */
    const char *header;       /* a further line, NULL: none; copied, and the copy wiped */
    const char *content_type; /* NULL: a GET */
    struct gk_span body;      /* stays the caller's, and must stay, until done or cancelled */
    /* A PEM file (certificate_pair.h) that is shown in the TLS handshake, on a connection of its own;
     * NULL: none; not copied. */
    const char *client_certificate_file;
    uint32_t timeout_ms;
};

enum gk_kv_outcome {
    GK_KV_ANSWERED,
    GK_KV_NAME_UNKNOWN, /* the host's name was not resolved: by an answer or for lack of one */
    GK_KV_FAILED        /* everything else: no answer that could be read whole */
};

/* Valid during done alone; the body is wiped after it. */
struct gk_kv_http_answer {
    enum gk_kv_outcome outcome;
    uint16_t http_status;    /* 0 unless answered */
    uint32_t retry_after_ms; /* 0: not told; at most an hour */
    int64_t date_wall_ms;    /* when, by the clock of whoever answered; 0: not told */
    struct gk_span body;
    const char *challenge;  /* the WWW-Authenticate header of the request's scheme, or "" */
    const char *request_id; /* or "" */
    const char *failure;    /* for people, when it was not answered, else "" */
};

typedef void gk_kv_http_done_fn(void *ctx, const struct gk_kv_http_answer *answer);

struct gk_kv_exchange;

/* NULL, and done will not run, when memory is out. Otherwise done runs once, later. */
struct gk_kv_exchange *gk_kv_exchange_start(struct gk_kv_transport *transport,
                                            const struct gk_kv_http_request *request,
                                            gk_kv_http_done_fn *done, void *ctx);
/* done will not run. NULL is fine. */
void gk_kv_exchange_cancel(struct gk_kv_exchange *exchange);
/* The loop's on_transfer. */
void gk_kv_exchange_ended(CURL *easy, CURLcode result);

#endif
