/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management API behind its listener: one request in, one answer out, no sockets here.
 *
 *   /subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Storage/storageAccounts/{name}
 *       PUT GET PATCH DELETE; POST {name}/listKeys, listAccountSas, listServiceSas, regenerateKey, gatekeyCheckKey,
 *       gatekeyNewRootKey (ours)
 *   .../storageAccounts/{name}/blobServices[/default]   GET; PUT: settings of its Blob service
 *   .../storageAccounts/{name}/encryptionScopes[/{scope}]   GET; PUT PATCH; POST {scope}/gatekeyCheckKey, gatekeyNewRootKey (ours)
 *   .../storageAccounts                GET: of a resource group, or of a subscription
 *   /subscriptions/{s}/providers/Microsoft.Storage/checkNameAvailability   POST
 *   /gatekey/accounts[/{name}]         GET (ours): all accounts, or one, wherever they are filed
 *   /gatekey/accounts/{name}/export, .../restore, .../restoreScope   POST (ours): backup of what opens an account, and
 *                                      its encryption scopes
 *   /gatekey/accounts/{name}/shred, .../shredBlob   POST (ours): destroys it, or a blob of it, with evidence
 *   /gatekey/accounts/{name}/reencrypt GET POST (ours): its last re-encryption, or a new one; POST
 *                                      .../reencryptPause, reencryptResume
 *   /gatekey/accounts/{name}/reseal    the same, of its reseal
 *   /gatekey/scrub                     GET POST (ours): the last scrub, or a new one
 *   /gatekey/scrub/{action}            POST (ours): stop, resume, removeDamaged
 *   /gatekey/policy/report             GET (ours): who keeps the operator's policy, by pages
 *   /gatekey/events                    GET (ours): the last audit events of this gateway
 *   /metrics                           Prometheus text
 *   /status[/{file}]                   GET: a page that shows all that in a browser
 *   /healthz, /readyz                  200, or 503 with reasons
 *
 * One gateway has one set of names: subscription and resource group say where an account is filed,
 * nothing more. All but /healthz, /readyz and /status ask for a bearer token or a client's certificate (callers.h): the
 * first two tell whether the process serves and no more, so that a supervisor needs no secret; the page is the same for
 * everybody and asks with the token that is typed into it. /metrics names accounts.
 *
 * Any thread, several at once; a handler may wait for the vault.
 */
#ifndef GATEWAY_MANAGE_MANAGE_H
#define GATEWAY_MANAGE_MANAGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/buf.h"
#include "gateway/gateway.h"
#include "gateway/manage/callers.h"

#define GK_JOB_RATE_MAX            1000000u /* of what runs in the background, in a second */
#define GK_MANAGE_BODY_BYTES_MAX   (256u << 10)
#define GK_MANAGE_ANSWER_BYTES_MAX (64u << 20)

/* What the handlers need. Made by the server; immutable but for stopping. */
struct gk_manage {
    struct gk_gateway *gateway;
    struct gk_store_probe *probe;
    struct gk_account_metrics *account_metrics;
    struct gk_denials *denials;
    const char *blob_base_url; /* "http://127.0.0.1:10000": what primaryEndpoints is made of */
    atomic_bool stopping;      /* readyz says no from then on */
};

struct gk_manage_request {
    const char *id; /* x-ms-request-id of its answer */
    const char *method;
    const char *path;        /* as on the wire, without query */
    const char *host;        /* with its port, as the client calls this listener; "" */
    const char *api_version; /* NULL when absent */
    const char *skip_token;  /* "" when absent: where the page before ended */
    const char *page_size;   /* "" when absent; these are of lists (list_page.h) */
    const char *filter;
    const char *include;
    const struct gk_callers *callers;  /* who may ask */
    const char *authorization;         /* NULL when absent */
    struct gk_span client_certificate; /* DER, found good; empty when none was shown */
    struct gk_span body;
    const char *actor; /* whose token or certificate it has; set by gk_manage_handle() */
};

/* Starts zeroed. body's memory is wiped by gk_manage_answer_cleanup, for it may hold keys. */
struct gk_manage_answer {
    unsigned status;
    const char *content_type;
    uint32_t retry_after_s; /* 0: no header */
    bool challenge;         /* WWW-Authenticate: Bearer */
    bool page;              /* for a browser: with what it may do */
    struct gk_buf body;
};

void gk_manage_handle(struct gk_manage *manage, const struct gk_manage_request *request,
                      struct gk_manage_answer *answer);
void gk_manage_answer_cleanup(struct gk_manage_answer *answer);

/* --- the inside ------------------------------------------------------------------------------- */

enum gk_manage_route {
    GK_ROUTE_NONE,
    GK_ROUTE_ACCOUNT,
    GK_ROUTE_ACCOUNT_ACTION,
    GK_ROUTE_BLOB_SERVICES,
    GK_ROUTE_BLOB_SERVICE,
    GK_ROUTE_SCOPES,
    GK_ROUTE_SCOPE,
    GK_ROUTE_SCOPE_ACTION,
    GK_ROUTE_LIST_GROUP,
    GK_ROUTE_LIST_SUBSCRIPTION,
    GK_ROUTE_CHECK_NAME,
    GK_ROUTE_NOT_SERVED, /* the vendor's, which this gateway has not; action is what */
    GK_ROUTE_OWN_LIST,
    GK_ROUTE_OWN_ACCOUNT,
    GK_ROUTE_OWN_ACTION,
    GK_ROUTE_POLICY_REPORT,
    GK_ROUTE_SCRUB,
    GK_ROUTE_SCRUB_ACTION,
    GK_ROUTE_METRICS,
    GK_ROUTE_STATUS,
    GK_ROUTE_EVENTS,
    GK_ROUTE_HEALTH,
    GK_ROUTE_READY
};

struct gk_manage_path {
    enum gk_manage_route route;
    char subscription[65];
    char resource_group[91];
    char account[64]; /* as written; whether it is a valid name is for the handler */
    char action[48];
    char scope[128]; /* as account */
};

/* Pure. Literal segments are compared without case, as the original does. False for a path whose
 * escapes or lengths are wrong, which is answered like one that does not exist. */
bool gk_manage_path_parse(const char *path, struct gk_manage_path *out) GK_MUST_USE;

/* One function an operation; on success the answer is filled. */
typedef enum gk_status gk_manage_fn(struct gk_manage *manage, const struct gk_manage_path *path,
                                    const struct gk_manage_request *request,
                                    struct gk_manage_answer *answer, struct gk_error *error);

gk_manage_fn gk_manage_account_put;
gk_manage_fn gk_manage_account_get;
gk_manage_fn gk_manage_account_patch;
gk_manage_fn gk_manage_account_delete;
gk_manage_fn gk_manage_account_shred;
gk_manage_fn gk_manage_blob_shred;
gk_manage_fn gk_manage_blob_service_put;
gk_manage_fn gk_manage_blob_service_get;
gk_manage_fn gk_manage_blob_service_list;
gk_manage_fn gk_manage_scope_put;
gk_manage_fn gk_manage_scope_patch;
gk_manage_fn gk_manage_scope_get;
gk_manage_fn gk_manage_scope_list;
gk_manage_fn gk_manage_scope_check_key;
gk_manage_fn gk_manage_scope_new_root_key;
gk_manage_fn gk_manage_account_list;
gk_manage_fn gk_manage_own_account_get;
gk_manage_fn gk_manage_export;
gk_manage_fn gk_manage_account_job_get;
gk_manage_fn gk_manage_account_job_start;
gk_manage_fn gk_manage_account_job_pause;
gk_manage_fn gk_manage_account_job_resume;
gk_manage_fn gk_manage_restore;
gk_manage_fn gk_manage_restore_scope;
gk_manage_fn gk_manage_list_keys;
gk_manage_fn gk_manage_list_account_sas;
gk_manage_fn gk_manage_list_service_sas;
gk_manage_fn gk_manage_regenerate_key;
gk_manage_fn gk_manage_revoke_delegation;
gk_manage_fn gk_manage_check_key;
gk_manage_fn gk_manage_new_root_key;
gk_manage_fn gk_manage_check_name;
gk_manage_fn gk_manage_policy_report;
gk_manage_fn gk_manage_scrub_get;
gk_manage_fn gk_manage_scrub_start;
gk_manage_fn gk_manage_scrub_stop;
gk_manage_fn gk_manage_scrub_resume;
gk_manage_fn gk_manage_remove_damaged;
gk_manage_fn gk_manage_metrics;
gk_manage_fn gk_manage_status_page;
gk_manage_fn gk_manage_events;
gk_manage_fn gk_manage_health;
gk_manage_fn gk_manage_ready;

/* Writes value as the answer's body, and releases it. NULL is out of memory. */
enum gk_status gk_manage_answer_json(struct gk_manage_answer *answer, unsigned status, void *json,
                                     struct gk_error *error) GK_MUST_USE;
/* {"code", "message"} of an error, as refusals have it. status gives *error a code and an HTTP status when
 * it has none. The caller owns it (a json_t); NULL when memory is out. */
void *gk_manage_error_json(struct gk_error *error, enum gk_status status) GK_MUST_USE;

#endif
