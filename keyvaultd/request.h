/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request from its first byte to its answer, on one thread. A handler reads it and answers it
 * once, with kv_answer() or kv_refuse(); what does not answer becomes a 500.
 */
#ifndef KEYVAULTD_REQUEST_H
#define KEYVAULTD_REQUEST_H

#include <jansson.h>

#include "keyvaultd/params.h"
#include "keyvaultd/server.h"

#define KV_BODY_BYTES_MAX 65536u
#define KV_SEGMENTS_MAX   8u

struct kv_request;
typedef void kv_handler_fn(struct kv_request *request);

enum kv_area {
    KV_AREA_VAULT,   /* wants a token of this vault, an api-version and a permission */
    KV_AREA_OPEN,    /* the authority: token and discovery */
    KV_AREA_CONTROL, /* wants the control token */
    KV_AREA_IMDS     /* the plain listener, and nothing else there */
};

struct kv_route {
    const char *method;
    const char *path;      /* segments; {key}, {version}, {tenant}, {name} take any */
    const char *operation; /* in the log of calls and for faults */
    kv_handler_fn *fn;     /* NULL: known and not served */
    enum kv_area area;
    uint32_t permission; /* the one needed, of enum kv_permission */
};

struct kv_request {
    struct kv_server *server;
    struct gk_http_exchange *exchange;
    const char *method; /* after X-HTTP-Method */
    struct gk_buf body;
    struct gk_buf path; /* the decoded segments, each with a NUL */
    size_t segments[KV_SEGMENTS_MAX];
    size_t segments_count;
    struct kv_params query;
    const struct kv_route *route;
    const char *name;    /* {key}, {tenant} or {name} */
    const char *version; /* {version}; "" is the current one */
    json_t *input;       /* the body where it is JSON: an object, empty without a body */
    struct kv_identity *identity;

    /* The answer. */
    unsigned status;
    json_t *answer;                      /* NULL: no body */
    bool challenge;                      /* with the 401 that tells where tokens come from */
    char basic_realm[KV_ARC_PATH_BYTES]; /* of the 401 of the agent of Azure Arc, or "" */
    int64_t retry_after_s;
    struct kv_call call; /* filled as things become known */
};

struct kv_request *kv_request_new(struct kv_server *server,
                                  struct gk_http_exchange *exchange) GK_MUST_USE;
void kv_request_free(struct kv_request *request); /* NULL is fine */

static inline const char *kv_request_segment(const struct kv_request *request, size_t index)
{
    return gk_buf_str(&request->path) + request->segments[index];
}

/* Takes body over; a NULL body means that memory is out, and 500. */
void kv_answer(struct kv_request *request, unsigned status, json_t *body);
void kv_answer_empty(struct kv_request *request, unsigned status);
/* The error form of a vault or, without inner, of a Managed HSM. inner may be "". */
void kv_refuse(struct kv_request *request, unsigned status, const char *code, const char *inner,
               const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The store's failures. */
void kv_refuse_status(struct kv_request *request, enum gk_status status,
                      const struct gk_error *error);

/* router.c: finds the route, checks who calls, runs the handler. The first two may answer. */
void kv_router_find(struct kv_request *request, bool imds);
void kv_router_run(struct kv_request *request);

#endif
