/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to the gateway's management listener: JSON over https with a bearer token or a client's certificate. */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <jansson.h>
#include <stdint.h>

#include "common/buf.h"
#include "ctl/options.h"

#define CTL_REASON_BYTES 256u

/* Once, before anything else. */
void ctl_client_global_init(void);

/*
 * Sends method to path (which begins with '/'; api-version is added) with body, which is not
 * consumed and may be NULL. CTL_OK: *answer is the JSON (NULL for an answer without a body), owned
 * by the caller. Else the reason has been printed, and *answer is NULL.
 */
enum ctl_exit ctl_request(const struct ctl_options *options, const char *method, const char *path,
                          const json_t *body, json_t **answer);

/* CTL_USAGE, with the reason printed, for a name that no account can have: it goes into paths. */
enum ctl_exit ctl_check_account_name(const char *name);

/* The members of a list, of all its pages, from path on: *values is an array, owned by the caller, as above. */
enum ctl_exit ctl_list(const struct ctl_options *options, const char *path, json_t **values);

/* What came of an exchange, as it is. */
struct ctl_reply {
    long status; /* of HTTP; 0: there was none, and reason says why */
    char reason[CTL_REASON_BYTES];
    bool distrusted; /* by the certificate */
    struct gk_buf body;
    int64_t certificate_end_s; /* seconds since the epoch; 0: not told, or there was none */
    int64_t date_s;            /* of the answer; 0: none */
};

/* As ctl_request, but judges nothing: CTL_OK also when nobody answered. reply is to be cleaned up. */
enum ctl_exit ctl_exchange(const struct ctl_options *options, const char *method, const char *path,
                           const json_t *body, struct ctl_reply *reply);
/* A GET of any http or https URL, without token and certificate. */
enum ctl_exit ctl_look_at(const struct ctl_options *options, const char *url,
                          struct ctl_reply *reply);
void ctl_reply_cleanup(struct ctl_reply *reply);

/*
 * Finds the account by its name whatever its subscription and resource group: GET of the gateway's
 * own lookup. id receives the resource id that further requests are made of.
 */
enum ctl_exit ctl_find_account(const struct ctl_options *options, json_t **account, char *id,
                               size_t id_bytes);

#endif
