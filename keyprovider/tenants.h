/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tenant each vault is of, as it last said itself: an application of another tenant asks that
 * tenant's authority for its tokens. Forgotten with the process, and whenever that tenant refuses the
 * application, for vaults move. The provider's thread alone.
 */
#ifndef KEYPROVIDER_TENANTS_H
#define KEYPROVIDER_TENANTS_H

struct gk_kv_tenant;

struct gk_kv_tenants {
    struct gk_kv_tenant *first;
};

/* "" when it is not known. Good until the next call here. */
const char *gk_kv_tenants_find(const struct gk_kv_tenants *tenants, const char *vault_uri);
/* "" forgets it. Without memory it is not remembered. */
void gk_kv_tenants_set(struct gk_kv_tenants *tenants, const char *vault_uri, const char *tenant_id);
void gk_kv_tenants_cleanup(struct gk_kv_tenants *tenants);

#endif
