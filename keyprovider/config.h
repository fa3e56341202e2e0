/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's settings: which vaults may be asked, as whom, and how that one gets its tokens. */
#ifndef KEYPROVIDER_CONFIG_H
#define KEYPROVIDER_CONFIG_H

#include <stdbool.h>

#include "gatekey/provider.h"
#include "keyprovider/challenge.h"
#include "keyprovider/origin.h"

#define GK_KV_IDENTITIES_MAX 32u
#define GK_KV_VAULTS_MAX     32u
#define GK_KV_PATH_BYTES_MAX 1024u
#define GK_KV_TEXT_BYTES_MAX 128u
#define GK_KV_URL_BYTES_MAX  256u
#define GK_KV_PINS_BYTES_MAX 216u /* four of 52 characters, with what stands between them */

enum gk_kv_identity_source {
    GK_KV_SOURCE_NONE = 0, /* this place in the table is empty */
    GK_KV_SOURCE_CLIENT_SECRET,
    GK_KV_SOURCE_CLIENT_CERTIFICATE,
    GK_KV_SOURCE_WORKLOAD,    /* an application with a token of another issuer */
    GK_KV_SOURCE_MANAGED,     /* the instance metadata of a virtual machine */
    GK_KV_SOURCE_ARC,         /* the agent of a machine that is connected by Azure Arc */
    GK_KV_SOURCE_APP_SERVICE, /* App Service, Functions and Container Apps */
    GK_KV_SOURCE_APPROLE,     /* a role of OpenBao or HashiCorp Vault with a secret id */
    GK_KV_SOURCE_JWT,         /* a role of theirs with a token of another issuer */
    GK_KV_SOURCE_TLS          /* a certificate that is shown to them in the TLS handshake */
};

/* Whether tokens come from the host that the gateway runs on, and not from an authority. */
static inline bool gk_kv_source_is_host(enum gk_kv_identity_source source)
{
    return source == GK_KV_SOURCE_MANAGED || source == GK_KV_SOURCE_ARC ||
           source == GK_KV_SOURCE_APP_SERVICE;
}
/* Whether tokens come from a login to the very vault that is asked, of kind transit. */
static inline bool gk_kv_source_is_login(enum gk_kv_identity_source source)
{
    return source == GK_KV_SOURCE_APPROLE || source == GK_KV_SOURCE_JWT ||
           source == GK_KV_SOURCE_TLS;
}
#define GK_KV_SOURCE_NAMES                                                                         \
    "client-secret, client-certificate, workload, managed, arc, app-service, approle, jwt or tls"
/* As settings call it: "client-secret". */
const char *gk_kv_source_name(enum gk_kv_identity_source source);

struct gk_kv_identity {
    enum gk_kv_identity_source source;
    bool mentioned;                             /* some setting of it was made */
    char resource_id[GK_RESOURCE_ID_BYTES_MAX]; /* "": the system-assigned identity */
    char client_id[GK_KV_TEXT_BYTES_MAX];
    char tenant_id[GK_KV_TENANT_BYTES_MAX];
    char client_secret_file[GK_KV_PATH_BYTES_MAX];
    char client_certificate_file[GK_KV_PATH_BYTES_MAX]; /* with its private key */
    char federated_token_file[GK_KV_PATH_BYTES_MAX];
    char authority[GK_KV_URL_BYTES_MAX];
    char endpoint[GK_KV_URL_BYTES_MAX];             /* with its path, once it was checked */
    char challenge_directory[GK_KV_PATH_BYTES_MAX]; /* of Azure Arc */
    char identity_header_file[GK_KV_PATH_BYTES_MAX];
    char role[GK_KV_TEXT_BYTES_MAX]; /* of a login: the role's id, or its name */
    char secret_id_file[GK_KV_PATH_BYTES_MAX];
    char auth_mount[GK_KV_TEXT_BYTES_MAX]; /* of a login: where its auth method is mounted */
    char name_space[GK_KV_TEXT_BYTES_MAX]; /* of a login: the auth method's; "": the root's */
};

enum gk_kv_vault_kind {
    GK_KV_VAULT_KEYVAULT = 0, /* Azure Key Vault, Managed HSM */
    GK_KV_VAULT_TRANSIT       /* the transit engine of OpenBao and HashiCorp Vault */
};

#define GK_KV_ALGORITHM_BYTES_MAX 24u /* with NUL, as in an answer */

struct gk_kv_vault {
    char uri[GK_VAULT_URI_BYTES_MAX]; /* "": this place is empty */
    bool mentioned;                   /* some setting of it was made */
    enum gk_kv_vault_kind kind;
    char resource[GK_KV_URL_BYTES_MAX]; /* the audience of its tokens; of kind transit its uri */
    char authority
        [GK_KV_URL_BYTES_MAX];        /* who gives them in the vault's own tenant; keyvault alone */
    char mount[GK_KV_TEXT_BYTES_MAX]; /* transit: where the engine is mounted */
    char name_space[GK_KV_TEXT_BYTES_MAX];          /* transit: the engine's; "": the root's */
    char public_key_pins[GK_KV_PINS_BYTES_MAX];     /* as the transport takes them; "": none */
    char wrap_algorithm[GK_KV_ALGORITHM_BYTES_MAX]; /* keyvault: of new wraps; "": the dialect's */
    struct gk_kv_origin origin;
};

/* Does not change once it was checked; read by any thread after that. */
struct gk_kv_config {
    uint32_t request_timeout_ms;
    uint32_t gateways; /* how many ask these vaults, this one too */
    char service_key_file[GK_KV_PATH_BYTES_MAX];
    char ca_file[GK_KV_PATH_BYTES_MAX]; /* "": the system's */
    char proxy[GK_KV_URL_BYTES_MAX];    /* for all that is not of this host; "": none */
    struct gk_kv_identity identities[GK_KV_IDENTITIES_MAX];
    struct gk_kv_vault vaults[GK_KV_VAULTS_MAX];
};

void gk_kv_config_init(struct gk_kv_config *config);
/* One setting. GK_E_INVALID names it and says what it should be; GK_E_NOT_FOUND: no such setting. */
enum gk_status gk_kv_config_set(struct gk_kv_config *config, const char *key, const char *value,
                                struct gk_error *error) GK_MUST_USE;
/* Whether the settings fit together; fills in defaults. */
enum gk_status gk_kv_config_check(struct gk_kv_config *config, struct gk_error *error) GK_MUST_USE;

/* NULL, and an error that says what to do, when there is no such identity. */
const struct gk_kv_identity *gk_kv_config_identity(const struct gk_kv_config *config,
                                                   const struct gk_identity_reference *reference,
                                                   struct gk_error *error);
/* What is known of a vault, configured or under a known domain; an error when it may not be asked. */
enum gk_status gk_kv_config_vault(const struct gk_kv_config *config, const char *vault_uri,
                                  struct gk_kv_vault *out, struct gk_error *error) GK_MUST_USE;
/* Which public keys the server of that URL may have; "" where none were given for its origin. */
const char *gk_kv_config_pins(const struct gk_kv_config *config, const char *url);

#endif
