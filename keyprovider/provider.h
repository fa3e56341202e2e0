/* SPDX-License-Identifier: Apache-2.0 */
/* What one provider consists of. */
#ifndef KEYPROVIDER_PROVIDER_H
#define KEYPROVIDER_PROVIDER_H

#include "keyprovider/breaker.h"
#include "keyprovider/config.h"
#include "keyprovider/lookup.h"
#include "keyprovider/loop.h"
#include "keyprovider/pace.h"
#include "keyprovider/service_key.h"
#include "keyprovider/tenants.h"
#include "keyprovider/token.h"
#include "keyprovider/transport.h"

struct gk_provider {
    struct gk_provider_host host;
    struct gk_kv_config config; /* does not change after start */
    struct gk_kv_service_key *service_key;
    char service_key_id[17];
    struct gk_kv_loop loop;

    /* The provider's thread alone. */
    struct gk_kv_transport transport;
    struct gk_kv_tokens tokens;
    struct gk_kv_lookups lookups;
    struct gk_kv_paces paces;
    struct gk_kv_breakers breakers;
    struct gk_kv_tenants tenants;
    struct gk_kv_call *calls; /* those under way */
    bool ending;              /* no call is started any more */
};

#endif
