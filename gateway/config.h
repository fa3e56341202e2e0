/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's configuration file: libconfig syntax, read at start and at a reload. gateway/gatekey.conf.example
 * explains every setting.
 *
 * Whatever is unknown, missing, of the wrong type or out of range is refused with the file, the
 * line, the reason and what to do; there are no warnings that one could overlook, and nothing is
 * started on half a configuration. Secrets stand in files of their own that settings name.
 *
 * The group "provider" belongs to the plugin: it is handed over as flat names and values
 * (identities[0].kind becomes "identity.0.kind"), each with its place in the file, so that the
 * plugin's refusal can name the line as well.
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <stdbool.h>

#include "common/buf.h"
#include "gateway/blob/copy_hosts.h"
#include "gateway/plugin_host.h"
#include "gateway/site_policy.h"
#include "gateway/store/store.h"

/* Where a listener binds. host is a numeric IPv4 or IPv6 address without brackets; port 0 lets the
 * system choose. */
struct gk_config_listen {
    bool given;
    bool ipv6;
    char host[48];
    uint16_t port;
};

/* What somebody with a bearer token may do: the vendor's roles for blobs, by their last word. */
enum gk_config_role { GK_ROLE_DELEGATOR, GK_ROLE_READER, GK_ROLE_CONTRIBUTOR, GK_ROLE_OWNER };

struct gk_config_principal {
    struct gk_id object; /* oid of its tokens */
    enum gk_config_role role;
    const char *account; /* NULL: all */
};

/* Whose bearer tokens are taken, and for what. */
#define GK_CONFIG_PRINCIPALS_MAX 256u
struct gk_config_bearer {
    bool given;
    const char *issuer;
    const char *audience;
    const char *jwks_file;
    size_t principals_count;
    struct gk_config_principal principals[GK_CONFIG_PRINCIPALS_MAX];
};

/* Who uses the management API beside the holder of token_file, whom the audit calls GK_CALLER_OPERATOR. */
#define GK_CALLERS_MAX     64u
#define GK_CALLER_OPERATOR "operator"
/* What somebody may do there; each may do what those before it may. */
enum gk_manage_role {
    GK_MANAGE_ANYBODY,      /* who has no token */
    GK_MANAGE_READER,       /* look at everything but secrets */
    GK_MANAGE_KEY_OPERATOR, /* access keys, checks of customers' keys, new root keys, reseals, backups */
    GK_MANAGE_OWNER         /* all */
};
struct gk_config_caller {
    const char *name;
    const char *token_file;  /* NULL: has no token, but a certificate */
    const char *certificate; /* manage/certificate_name.h; NULL: shows none */
    enum gk_manage_role role;
};

/* All strings belong to the configuration; NULL where a setting is absent. */
struct gk_config {
    const char *state_dir; /* of the embedded engine; NULL: the store is on RADOS */
    const char *store_engine;
    struct gk_store_rados_options rados; /* without state_dir */
    const char *plugin;
    const char *plugin_origin; /* where that is written, "file:line" */
    struct gk_audit_options audit;
    const char *clock_offset_file;
    enum gk_log_level log_level;
    struct {
        struct gk_config_listen listen;
        struct gk_config_listen tls_listen;
        const char *tls_certificate;
        const char *tls_key;
        const char *domain;
        const char *web_domain;
        uint32_t connections_max;
        uint32_t removal_delay_s;      /* how long replaced data rests (gateway/blob/reaper.h) */
        uint32_t inline_bytes;         /* of the largest blob that stands beside its record */
        uint32_t index_shards;         /* of a new container; 0: as the engine likes it */
        uint32_t rehydrate_standard_s; /* how long an archived blob takes, by priority */
        uint32_t rehydrate_high_s;
        uint32_t
            copy_wait_bytes;   /* of the largest copy that a client waits for (blob/copy_pend.h) */
        uint32_t copy_threads; /* for those that it does not wait for; 0: they are left to others */
        size_t copy_hosts_count;
        struct gk_copy_host copy_hosts[GK_COPY_HOSTS_MAX];
    } blob;
    struct {
        struct gk_config_listen listen;
        const char *tls_certificate;
        const char *tls_key;
        const char *client_ca; /* NULL: clients are not asked for certificates */
        const char *token_file;
        size_t callers_count;
        struct gk_config_caller callers[GK_CALLERS_MAX];
    } management;
    struct gk_config_bearer bearer;
    struct gk_site_policy policy;
    uint32_t vault_deadline_ms; /* also one of the plugin's settings */
    struct gk_plugin_setting *settings;
    size_t settings_count;
    struct gk_config_private *private_; /* the parsed file and the flattened texts */
};

/* GK_E_INVALID with "file:line: setting: reason; remedy". */
enum gk_status gk_config_load(const char *path, struct gk_config **out,
                              struct gk_error *error) GK_MUST_USE;
/*
 * Puts "file:line: setting: " in front of the message of something that went wrong with what a setting asks for,
 * and answers its status. path is "blob.tls_key", say; one that is not in the file stands at its begin.
 */
enum gk_status gk_config_blame(const struct gk_config *config, const char *path,
                               struct gk_error *error);
/*
 * Whether fresh may take running's place without a restart: all settings are as they are written there, but for those
 * that a reload takes over (config_change.c has the list). GK_E_INVALID names the first other one.
 */
enum gk_status gk_config_check_change(const struct gk_config *running,
                                      const struct gk_config *fresh,
                                      struct gk_error *error) GK_MUST_USE;
/* Appends the names of those settings that fresh has written otherwise, ", " between them, of what a reload takes over.
 * Not their values: a file that is named as before may hold another secret, and that is told nowhere. */
void gk_config_changes(const struct gk_config *running, const struct gk_config *fresh,
                       struct gk_buf *names);
/* NULL is fine. */
void gk_config_free(struct gk_config *config);

#endif
