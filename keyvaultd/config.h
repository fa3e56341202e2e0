/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyvaultd's configuration: a libconfig file, checked as a whole before anything starts. Whatever is unknown, missing,
 * of the wrong kind or out of range is refused with the file, the line, the reason and what to do; what the files hold
 * that it names is the server's to read (server.h), and told of in the same way (kv_config_blame).
 */
#ifndef KEYVAULTD_CONFIG_H
#define KEYVAULTD_CONFIG_H

#include <libconfig.h>
#include <stdbool.h>

#include "gatekey/types.h"
#include "keyvaultd/permissions.h"

#define KV_IDENTITIES_MAX 64u
#define KV_TENANTS_MAX    16u

struct kv_config_listen {
    const char *address; /* numeric */
    uint16_t port;       /* 0: a free one, kept in the state directory from then on */
    const char *certificate_file;
    const char *key_file;
};

/*
 * Whose tokens an application may show in place of a secret: a federated identity credential. Another
 * issuer's, or those of this process for one of its managed identities. All NULL: nobody's.
 */
struct kv_config_federated {
    const char *issuer;
    const char *subject;
    const char *jwks_file;
    const char *identity; /* its name */
    const char *audience;
};

struct kv_config_identity {
    const char *name;
    const char *client_id;               /* always there */
    const char *client_secret_file;      /* NULL: no client credentials */
    const char *client_certificate_file; /* NULL: none is registered */
    struct kv_config_federated federated;
    const char *resource_id; /* NULL: not a user-assigned managed identity */
    bool system_assigned;
    const char *tenant_id; /* its home */
    /* Tenants where this application, a multi-tenant one, has a service principal as well. */
    const char *installed_in[KV_TENANTS_MAX];
    size_t installed_in_count;
    bool administer;      /* every permission and the control API */
    uint32_t permissions; /* bits of enum kv_permission */
};

/* The PKCS#11 token of a Managed HSM's keys. */
struct kv_config_hsm {
    const char *module; /* the library's path */
    const char *token_label;
    const char *pin_file;
};

/* Texts live as long as the configuration. */
struct kv_config {
    config_t file;
    const char *path; /* the caller's */
    struct kv_config_listen listen;
    bool imds_given;
    struct kv_config_listen imds;        /* plain HTTP: no files */
    const char *arc_challenge_directory; /* NULL: not as the agent of Azure Arc */
    const char *app_service_header_file; /* NULL: not as App Service */
    const char *state_dir;
    bool managed_hsm; /* else a vault */
    bool oaep_256;    /* false: as with an HSM that has OAEP with SHA-1 alone */
    struct kv_config_hsm hsm;
    const char *host;                    /* in URIs */
    const char *tenant_id;               /* the vault's */
    const char *tenants[KV_TENANTS_MAX]; /* the others that tokens are given for */
    size_t tenants_count;
    const char *authority;         /* who gives the vault's tokens; NULL: this process */
    const char *token_secret_file; /* shared with that authority; NULL: a secret of our own */
    const char *resource;          /* audience of the vault's tokens */
    uint32_t token_lifetime_s;
    bool purge_protection;
    uint32_t recoverable_days; /* 0: no soft delete */
    struct kv_config_identity identities[KV_IDENTITIES_MAX];
    size_t identities_count;
    bool control_enabled;
    const char *control_token_file;
};

/* GK_E_INVALID with "file:line: setting: reason; remedy". On failure nothing is to be cleaned up. path has to live as
 * long as the configuration. */
enum gk_status kv_config_read(const char *path, struct kv_config *config,
                              struct gk_error *error) GK_MUST_USE;
/*
 * Puts "file:line: setting: " in front of the message of something that went wrong with what a setting asks for, and
 * answers its status. path is as libconfig has it, "identities.[0].client_secret_file", say.
 */
enum gk_status kv_config_blame(const struct kv_config *config, const char *path,
                               struct gk_error *error);
void kv_config_cleanup(struct kv_config *config);

/* Whether tokens are given for that tenant: it is the vault's, or one of the others. Without case. */
bool kv_config_serves_tenant(const struct kv_config *config, const char *tenant_id);

#endif
