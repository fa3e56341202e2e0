/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the encryption plugin and is its host: log, clocks, metrics, audit and the account store.
 * Nothing in the gateway links plugin or provider code.
 */
#ifndef GATEWAY_PLUGIN_HOST_H
#define GATEWAY_PLUGIN_HOST_H

#include "common/clock.h"
#include "gatekey/plugin.h"
#include "gateway/audit_log.h"
#include "gateway/store/store.h"

struct gk_terms_slot; /* terms.h */

/* Members may be used directly: host->plugin->authorize(...). */
struct gk_plugin_host {
    const struct gk_plugin *plugin;
    struct gk_instance *instance;
    struct gk_plugin_host_private *private_; /* dlopen handle, struct gk_host, store, audit log */
};

struct gk_plugin_setting {
    const char *key;
    const char *value;
    const char *origin; /* where it stands, "file:line", to begin a refusal with; NULL: unknown */
};

/*
 * dlopen()s path, checks the ABI version before calling anything in it, creates, configures and
 * starts an instance. A refusal says which version the module has and which one is needed. store,
 * clock must outlive the host. audit says where events go; NULL: the log alone.
 */
enum gk_status gk_plugin_host_open(const char *path, const struct gk_plugin_setting *settings,
                                   size_t settings_count, struct gk_store *store,
                                   const struct gk_clock *clock,
                                   const struct gk_audit_options *audit,
                                   struct gk_plugin_host **out, struct gk_error *error) GK_MUST_USE;
/* Stops and unloads; all handles must be back. NULL is fine. */
void gk_plugin_host_close(struct gk_plugin_host *host);

/* Where what the operator demands of keys stands, from now on; before requests run. Not owned. Nothing, without it. */
void gk_plugin_host_set_terms(struct gk_plugin_host *host, struct gk_terms_slot *terms);

/* Writes an event of the gateway's own beside the plugin's. Any thread. */
void gk_plugin_host_audit(struct gk_plugin_host *host, const struct gk_audit_event *event);
/* The same of what failed: the event's outcome, reason and detail are what status and why say. */
void gk_plugin_host_audit_failure(struct gk_plugin_host *host, const struct gk_audit_event *event,
                                  enum gk_status status, const struct gk_error *why);
/* The last events, for people; it lives as long as the host. */
struct gk_recent_events *gk_plugin_host_recent(struct gk_plugin_host *host);

/*
 * Loads the module, offers it every setting and asks whether they fit together, without starting it:
 * asks no vault, touches no store. Before a start, and for --check-config. A refusal begins with the
 * place of the setting that it names; with origin, where path is written, when it is the module's own.
 */
enum gk_status gk_plugin_host_check(const char *path, const char *origin,
                                    const struct gk_plugin_setting *settings, size_t settings_count,
                                    const struct gk_clock *clock,
                                    struct gk_error *error) GK_MUST_USE;

#endif
