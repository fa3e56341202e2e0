/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/scopes.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/scopes.h"

/* As the store has it, whatever the plugin remembers. */
static enum gk_status read_key(const struct gk_gateway *gateway, const char *account,
                               const char *name, struct gk_error *error)
{
    const struct gk_plugin_host *host = gateway->host;
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_account_record_info info;
    size_t len = 0;
    uint8_t *record = malloc(GK_ACCOUNT_RECORD_BYTES_MAX);
    gk_scope_path(account, name, path);
    const enum gk_status status =
        record == NULL
            ? gk_fail(error, GK_E_RESOURCE, "out of memory")
            : host->plugin->account_record_export(host->instance, path, "", record,
                                                  GK_ACCOUNT_RECORD_BYTES_MAX, &len, &info, error);
    free(record);
    return status;
}

static enum gk_status look_at(const struct gk_gateway *gateway,
                              const struct gk_gateway_account *account, const char *name,
                              const struct gk_scrub_visitor *visitor, struct gk_error *error)
{
    struct gk_error why = {0};
    struct gk_scope scope;
    char what[256];
    enum gk_status status = gk_scope_find(gateway, account, name, &scope, &why);
    if (status == GK_E_NOT_FOUND) { /* with its account */
        return GK_OK;
    }
    if (status == GK_OK) {
        status = read_key(gateway, account->name, name, &why);
    }
    if (status != GK_E_INTEGRITY && status != GK_E_NOT_FOUND) {
        return status == GK_OK ? GK_OK : gk_fail(error, status, "%s", why.message);
    }
    snprintf(what, sizeof what, "encryption scope %.63s: %.150s", name, why.message);
    visitor->damaged(visitor->ctx, account->name, "", (struct gk_span){0}, what);
    return GK_OK;
}

enum gk_status gk_scrub_scopes_of(const struct gk_gateway *gateway,
                                  const struct gk_gateway_account *account,
                                  const struct gk_scrub_visitor *visitor, struct gk_error *error)
{
    struct gk_buf names;
    gk_buf_init(&names, GK_SCOPES_STORED_BYTES_MAX);
    enum gk_status status = gk_scopes_list(gateway, account->name, &names, error);
    for (size_t at = 0; status == GK_OK && at < names.len;) {
        const char *name = (const char *)names.data + at;
        at += strlen(name) + 1;
        status = look_at(gateway, account, name, visitor, error);
    }
    gk_buf_cleanup(&names);
    return status;
}
