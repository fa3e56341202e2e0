/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/key_policy.h"

#include "gatekey/policy.h"
#include "gateway/gateway.h"

static uint32_t flags_of(const struct gk_request *request)
{
    return gk_request_has_header_prefix(request, "x-ms-meta-") ? GK_REQUEST_HAS_METADATA : 0;
}

static enum gk_status check(const struct gk_request *request, struct gk_account *account,
                            uint32_t flags, struct gk_error *error)
{
    const struct gk_plugin *plugin = request->gateway->host->plugin;
    enum gk_status status = plugin->authorize(account, request->operation, flags, error);
    if (status == GK_E_COLD) {
        status = plugin->account_warm(account, request->gateway->vault_deadline_ms, error);
        if (status == GK_OK) {
            status = plugin->authorize(account, request->operation, flags, error);
        }
    }
    return status;
}

enum gk_status gk_key_policy_check(const struct gk_request *request, struct gk_error *error)
{
    return check(request, request->account->handle, flags_of(request), error);
}

enum gk_status gk_key_policy_check_new(const struct gk_request *request, struct gk_error *error)
{
    return check(request, request->account->handle, GK_REQUEST_HAS_METADATA, error);
}

bool gk_key_policy_needs_key(const struct gk_request *request)
{
    return gk_policy_needs_key(request->operation, flags_of(request));
}

enum gk_status gk_key_policy_check_scope(const struct gk_request *request,
                                         const struct gk_policy_scope *scope,
                                         struct gk_error *error)
{
    const uint32_t flags = scope->of_new ? GK_REQUEST_HAS_METADATA : flags_of(request);
    if (scope->disabled && gk_policy_needs_key(request->operation, flags)) {
        return gk_refuse_because(error, 403, "AuthorizationFailure",
                                 "The encryption scope is disabled.");
    }
    return check(request, scope->handle, flags, error);
}
