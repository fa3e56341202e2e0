/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/tenants.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gatekey/provider.h"
#include "keyprovider/challenge.h"

struct gk_kv_tenant {
    struct gk_kv_tenant *next;
    char vault_uri[GK_VAULT_URI_BYTES_MAX];
    char tenant_id[GK_KV_TENANT_BYTES_MAX];
};

static struct gk_kv_tenant *find(const struct gk_kv_tenants *tenants, const char *vault_uri)
{
    struct gk_kv_tenant *tenant = tenants->first;
    while (tenant != NULL && strcasecmp(tenant->vault_uri, vault_uri) != 0) {
        tenant = tenant->next;
    }
    return tenant;
}

const char *gk_kv_tenants_find(const struct gk_kv_tenants *tenants, const char *vault_uri)
{
    const struct gk_kv_tenant *tenant = find(tenants, vault_uri);
    return tenant == NULL ? "" : tenant->tenant_id;
}

void gk_kv_tenants_set(struct gk_kv_tenants *tenants, const char *vault_uri, const char *tenant_id)
{
    struct gk_kv_tenant *tenant = find(tenants, vault_uri);
    if (tenant == NULL && (tenant = calloc(1, sizeof *tenant)) != NULL) {
        snprintf(tenant->vault_uri, sizeof tenant->vault_uri, "%s", vault_uri);
        tenant->next = tenants->first;
        tenants->first = tenant;
    }
    if (tenant != NULL) {
        snprintf(tenant->tenant_id, sizeof tenant->tenant_id, "%s", tenant_id);
    }
}

void gk_kv_tenants_cleanup(struct gk_kv_tenants *tenants)
{
    while (tenants->first != NULL) {
        struct gk_kv_tenant *tenant = tenants->first;
        tenants->first = tenant->next;
        free(tenant);
    }
}
