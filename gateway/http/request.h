/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request of a storage client on its way through the gateway, and its answer.
 *
 *   server.c   libmicrohttpd, one thread per connection: a handler may block
 *   route.c    path and query -> account, container, blob, operation (from operations.def)
 *   auth/      who asks, and may they
 *   handler    one function per operation, named and ordered like the documentation
 *
 * The order for every request: parse, route, authenticate (403 AuthenticationFailed), authorize the
 * caller (403 Authorization...), authorize the operation with the plugin (403 KeyVault..., 503),
 * then the handler (404, 409, 412, ...). Errors after that point are the handler's.
 *
 * A request belongs to its connection's thread. Strings live as long as the request.
 */
#ifndef GATEWAY_HTTP_REQUEST_H
#define GATEWAY_HTTP_REQUEST_H

#include "common/buf.h"
#include "common/text.h"
#include "gatekey/plugin.h"
#include "gateway/accounts.h"
#include "gateway/http/server.h"

struct gk_gateway;     /* gateway.h: store, plugin host, accounts, clock, configuration */
struct gk_terms;       /* terms.h */
struct gk_copy_source; /* blob/copy_source.h */

/* What the credential allows: letters of a SAS, or everything for an account key. */
enum gk_permission {
    GK_PERMIT_READ = 1u << 0,
    GK_PERMIT_ADD = 1u << 1,
    GK_PERMIT_CREATE = 1u << 2,
    GK_PERMIT_WRITE = 1u << 3,
    GK_PERMIT_DELETE = 1u << 4,
    GK_PERMIT_LIST = 1u << 5,
    GK_PERMIT_TAGS = 1u << 6,
    GK_PERMIT_FILTER = 1u << 7,
    GK_PERMIT_PERMANENT_DELETE = 1u << 8,
    GK_PERMIT_DELETE_VERSION = 1u << 9,
    GK_PERMIT_IMMUTABILITY = 1u << 12,
    GK_PERMIT_DELEGATE = 1u << 13, /* to get a user delegation key */
    GK_PERMIT_OWNER = 1u << 30,    /* what no signature can give */
    GK_PERMIT_ALL = 0xffffffffu
};

struct gk_request {
    struct gk_gateway *gateway;
    const struct gk_terms *terms; /* those of when it began; NULL in a request of nobody */
    char id[GK_UUID_TEXT_BYTES];  /* x-ms-request-id */
    const char *method;
    const char *raw_path;  /* as on the wire, percent-encoded, without query */
    const char *raw_query; /* "" when none; never logged */
    bool tls;
    char client_address[64];

    const char *account_name; /* from path or host */
    bool path_style;          /* the account stands in the path, not in the host name */
    bool secondary;           /* of the account's secondary endpoint, which only reads */
    bool website;             /* of the account's website, which anybody may read */
    bool not_found;        /* a good answer tells, with 404, that what was asked for is not there */
    const char *container; /* decoded; "" when the path ends before it */
    const char *blob;      /* decoded; "" likewise */
    enum gk_operation operation;
    int64_t
        version; /* x-ms-version as yyyymmdd; when not sent, the SAS's or the account's default, or 0 */

    const struct gk_pair *headers;
    size_t headers_count;
    const struct gk_pair *query;
    size_t query_count;
    uint64_t content_length; /* 0 when there is no body */
    bool has_content_length;

    struct gk_gateway_account *account; /* once authenticated */
    uint32_t permissions;               /* GK_PERMIT_* of the credential */
    bool credential_is_account_key;
    bool credential_is_bearer; /* then the next two tell whose token it was */
    struct gk_id principal;
    struct gk_id tenant;
    int64_t received_wall_ms;
    /* Response headers that a SAS overrides (rscc, rscd, rsce, rscl, rsct); NULL when not. */
    const char *override_cache_control;
    const char *override_content_disposition;
    const char *override_content_encoding;
    const char *override_content_language;
    const char *override_content_type;

    struct gk_buf body; /* of operations with a buffered body (XML), complete when finish runs */
    struct gk_copy_source *source; /* where the body comes from instead; NULL: from the client */
    void *state;                   /* a streaming handler's own, freed by its cleanup */
    struct gk_http_exchange *exchange;
};

/* Header lookup without case; NULL when absent, as in a request of nobody, which has no exchange. Query names are compared without case too. */
const char *gk_request_header(const struct gk_request *request, const char *name);
const char *gk_request_query(const struct gk_request *request, const char *name);
/* Whether any header starts with prefix (without case). */
bool gk_request_has_header_prefix(const struct gk_request *request, const char *prefix);

/* --- answers ---------------------------------------------------------------------------------- */

/* Headers first, then one of the answers below; see server.h. */
void gk_respond_header(struct gk_request *request, const char *name, const char *value);
void gk_respond_headerf(struct gk_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Status without a body. Returns GK_OK for `return gk_respond(...)`. */
enum gk_status gk_respond(struct gk_request *request, unsigned status);
/* To HEAD: the length that a GET's body would have. */
enum gk_status gk_respond_head(struct gk_request *request, unsigned status, uint64_t length);
/* Status and a body that is taken over from buf (left empty). */
enum gk_status gk_respond_buf(struct gk_request *request, unsigned status, const char *content_type,
                              struct gk_buf *buf);
/* Status and a body of length bytes from fn, or GK_HTTP_LENGTH_UNKNOWN; free_ctx runs when it is done or
 * broken off. */
enum gk_status gk_respond_stream(struct gk_request *request, unsigned status, uint64_t length,
                                 gk_body_fn *fn, void *ctx, void (*free_ctx)(void *ctx));
/* Status and a body that is taken over, allocated with malloc, and wiped when it was sent. */
enum gk_status gk_respond_bytes(struct gk_request *request, unsigned status, uint8_t *bytes,
                                size_t len);
/*
 * A documented error: fills error with status, code and message; the server writes the XML body,
 * x-ms-error-code and request id. Use: return gk_refuse(error, 409, "ContainerAlreadyExists");
 * The message is the documented text of the code from http/error_codes.def.
 */
enum gk_status gk_refuse(struct gk_error *error, uint16_t http_status, const char *code);
/* The same with a text of its own behind it, e.g. naming the header that is wrong. */
enum gk_status gk_refuse_because(struct gk_error *error, uint16_t http_status, const char *code,
                                 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The documented text of a code. */
const char *gk_error_text(const char *code);

/* --- handlers --------------------------------------------------------------------------------- */

enum gk_body_kind {
    GK_BODY_NONE,     /* a body is refused unless empty */
    GK_BODY_BUFFERED, /* read whole into request->body, up to body_max */
    GK_BODY_STREAM    /* begin, then chunk for each piece, then finish */
};

/*
 * begin    before any body byte: checks, opens what chunk needs; NULL for none
 * chunk    a piece of the body, never empty
 * finish   the whole operation for NONE and BUFFERED; the end of it for STREAM: answers
 * cleanup  always runs last, also when the client went away; frees request->state
 * An error from any of them becomes the answer (after draining what is left of a small body).
 * finish is not called when fewer bytes came than were announced.
 */
struct gk_handler {
    enum gk_body_kind body;
    uint64_t body_max;
    uint32_t permissions; /* any one of these is enough */
    enum gk_status (*begin)(struct gk_request *request, struct gk_error *error);
    enum gk_status (*chunk)(struct gk_request *request, struct gk_span bytes,
                            struct gk_error *error);
    enum gk_status (*finish)(struct gk_request *request, struct gk_error *error);
    void (*cleanup)(struct gk_request *request);
};

/* The blob front end's handlers (blob/handlers.c); NULL for an operation that is not served yet
 * (501 NotImplemented). */
const struct gk_handler *gk_blob_handler(enum gk_operation operation);
/* Of a website's pages (blob/website.c). */
extern const struct gk_handler gk_website_handler;

#endif
