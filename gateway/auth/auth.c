/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/auth.h"

#include <strings.h>

#include "common/error.h"
#include "gateway/account_attrs.h"
#include "gateway/auth/anonymous.h"
#include "gateway/auth/bearer.h"
#include "gateway/auth/sas.h"
#include "gateway/auth/shared_key.h"
#include "gateway/auth/signature.h"
#include "gateway/gateway.h"
#include "gateway/terms.h"

#define BEARER "Bearer "

/* authorization NULL: a shared access signature, or nothing at all. */
static enum gk_status check_credential(struct gk_request *request, const char *authorization,
                                       bool has_sas, struct gk_error *error)
{
    if (authorization == NULL) {
        return has_sas ? gk_sas_check(request, error) : gk_anonymous_check(request, error);
    }
    if (strncasecmp(authorization, BEARER, strlen(BEARER)) == 0) {
        return gk_bearer_check(request, authorization + strlen(BEARER), error);
    }
    request->permissions = GK_PERMIT_ALL;
    request->credential_is_account_key = true;
    return gk_shared_key_check(request, authorization, error);
}

/* Of an account that is not there, no more is told than of a wrong credential. One that has lost its record is there:
 * whoever has a good credential must not take it for a wrong one, and nobody can tell a good one. */
static enum gk_status explain_absence(struct gk_request *request, struct gk_error *error)
{
    const struct gk_gateway *gateway = request->gateway;
    const char *name = request->account_name;
    bool remains = false;
    enum gk_status status = GK_OK;
    if (gk_account_name_valid(name)) {
        status = gk_account_has_remains(gateway->store, name, &remains, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (!remains) {
        return gk_refuse(error, 403, "AuthenticationFailed");
    }
    status = gk_accounts_get(gateway->accounts, name, &request->account, error);
    return status == GK_E_NOT_FOUND /* else it was made in between */
               ? gk_fail(error, GK_E_INTEGRITY,
                         "account %s has lost its record; restore it from a backup", name)
               : status;
}

/* The account by its name. */
static enum gk_status find_account(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_accounts_get(request->gateway->accounts, request->account_name,
                                            &request->account, error);
    if (status == GK_E_NOT_FOUND) {
        status = explain_absence(request, error);
    }
    if (status == GK_OK && request->version == 0) {
        const char *of_sas = gk_request_query(request, "sv");
        request->version = gk_service_version(
            of_sas != NULL ? of_sas : request->account->blob_service.default_version);
    }
    return status;
}

/* A browser asks without a credential, before it sends one. */
static enum gk_status admit_preflight(struct gk_request *request, struct gk_error *error)
{
    request->permissions = GK_PERMIT_READ;
    const enum gk_status status = find_account(request, error);
    return status == GK_E_INVALID ? gk_refuse(error, 403, "CorsPreflightFailure") : status;
}

/* Of an account without one, no more is told than of one that is not there. */
static enum gk_status admit_to_website(struct gk_request *request, struct gk_error *error)
{
    request->permissions = GK_PERMIT_READ;
    const enum gk_status status = find_account(request, error);
    if (status == GK_E_INVALID ||
        (status == GK_OK && !request->account->blob_service.website.enabled)) {
        return gk_refuse(error, 404, "WebContentNotFound");
    }
    return status == GK_OK && request->account->https_only && !request->tls
               ? gk_refuse(error, 400, "AccountRequiresHttps")
               : status;
}

enum gk_status gk_authenticate(struct gk_request *request, struct gk_error *error)
{
    if (request->website) {
        return admit_to_website(request, error);
    }
    if (request->operation == GK_OP_BLOB_PREFLIGHT_BLOB_REQUEST) {
        return admit_preflight(request, error);
    }
    const char *authorization = gk_request_header(request, "Authorization");
    const bool has_sas = gk_request_query(request, "sig") != NULL;
    const bool shared_key =
        authorization != NULL && (strncasecmp(authorization, "SharedKey ", 10) == 0 ||
                                  strncasecmp(authorization, "SharedKeyLite ", 14) == 0);
    const bool bearer = authorization != NULL && request->terms->bearer != NULL &&
                        strncasecmp(authorization, BEARER, strlen(BEARER)) == 0;
    if (authorization != NULL && !shared_key && !bearer) {
        return gk_refuse_because(error, 401, "NoAuthenticationInformation",
                                 "This endpoint takes Shared Key and shared access signatures.");
    }
    const enum gk_status status = find_account(request, error);
    if (status == GK_E_INVALID && authorization == NULL && !has_sas) {
        return gk_refuse(error, 401, "NoAuthenticationInformation");
    }
    if (status != GK_OK) {
        return status;
    }
    const enum gk_status checked = check_credential(request, authorization, has_sas, error);
    /* Only who has a credential, or reads what is public, may learn that the account exists. */
    return checked == GK_OK && request->account->https_only && !request->tls
               ? gk_refuse(error, 400, "AccountRequiresHttps")
               : checked;
}
