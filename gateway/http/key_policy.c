/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/key_policy.h"

#include "gateway/gateway.h"

static enum gk_status check(const struct gk_request *request, uint32_t flags,
                            struct gk_error *error)
{
    const struct gk_plugin *plugin = request->gateway->host->plugin;
    struct gk_account *account = request->account->handle;
    enum gk_status status = plugin->authorize(account, request->operation, flags, error);
    if (status == GK_E_COLD) {
        status = plugin->account_warm(account, request->gateway->vault_deadline_ms, error);
        if (status == GK_OK) {
            status = plugin->authorize(account, request->operation, flags, error);
        }
    }
    return status;
}

enum gk_status gk_key_policy_check(struct gk_request *request, struct gk_error *error)
{
    const bool has_metadata = gk_request_has_header_prefix(request, "x-ms-meta-");
    return check(request, has_metadata ? GK_REQUEST_HAS_METADATA : 0, error);
}

enum gk_status gk_key_policy_check_new(struct gk_request *request, struct gk_error *error)
{
    return check(request, GK_REQUEST_HAS_METADATA, error);
}
