/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One loaded plugin: settings, the provider, keys derived from the service key, the threads, and
 * the accounts in memory. Threads beside the host's:
 *
 *   provider's   completions and the ticker, which finds what is due; never blocks
 *   refreshers   read account records anew after a refusal; block on storage alone, and so are several: all accounts
 *                on a key are refused at once, and none is dark before its record has been read
 *   reader       reads them anew because others may have changed them; the same, and apart so that
 *                no refusal waits behind what is done again and again
 *   rotator      version checks and rotations; blocks on the vault and on storage
 *
 * Locks, in the order in which they may be taken:  accounts_lock, an account's mutex, its key_lock.
 * No lock is held across a call to the host's account store or to the provider.
 */
#ifndef PLUGIN_INSTANCE_H
#define PLUGIN_INSTANCE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "gatekey/plugin.h"
#include "plugin/account_record.h"
#include "plugin/key_state.h"
#include "plugin/record_cipher.h"
#include "plugin/worker.h"

#define GK_ACCOUNT_BUCKETS 1024u
#define GK_REFRESHERS      8u

struct gk_instance_settings {
    uint32_t check_interval_ms;
    int64_t grace_ms;
    int64_t account_idle_ms; /* without a handle, until an account is closed */
    int64_t version_check_interval_ms;
    int64_t previous_wrap_keep_ms;
    int64_t key_expiry_warning_ms;
    int64_t key_age_warning_ms; /* 0: of no age */
    uint32_t vault_deadline_ms;
    bool pinned_key_without_get; /* gk_key_get() */
    bool read_rotation_policy;   /* rotation_policy.h */
    int64_t unwrap_audit_interval_ms;
};

/* What the service key gives us; in secret memory. */
struct gk_service_keys {
    struct gk_account_record_key record;
    struct gk_root_wrap_key wrap;
    struct gk_record_service_key open_parts;
};

struct gk_instance {
    struct gk_host host;
    const struct gk_provider_ops *ops;
    struct gk_provider *provider;
    struct gk_crypto *crypto;
    struct gk_instance_settings settings;
    struct gk_service_keys *keys; /* NULL before start */
    char service_key_id[17];
    uint32_t tick_ms;
    bool started;
    atomic_bool stopping;
    struct gk_worker refreshers[GK_REFRESHERS];
    struct gk_worker reader;
    struct gk_worker rotator;
    pthread_mutex_t accounts_lock; /* of what follows */
    struct gk_account *accounts[GK_ACCOUNT_BUCKETS];
    struct gk_absents *absents;         /* absent_accounts.h */
    uint64_t forgettings;               /* grows with each account that is forgotten */
    struct gk_unwrap_counts *unwraps;   /* has a lock of its own */
    struct gk_key_news *news;           /* likewise; key_news.h */
    struct gk_vault_silences *silences; /* likewise; vault_silences.h */
};

/* The vtable's create, with a provider of the caller's choice. host is copied. */
enum gk_status gk_instance_create_with(const struct gk_provider_ops *ops,
                                       const struct gk_host *host, struct gk_instance **out,
                                       struct gk_error *error) GK_MUST_USE;
/* As struct gk_plugin describes them; config answers GK_E_NOT_FOUND for a setting that there is not. */
enum gk_status gk_instance_config(struct gk_instance *instance, const char *key, const char *value,
                                  struct gk_error *error) GK_MUST_USE;
enum gk_status gk_instance_config_check(struct gk_instance *instance,
                                        struct gk_error *error) GK_MUST_USE;
enum gk_status gk_instance_start(struct gk_instance *instance, struct gk_error *error) GK_MUST_USE;
void gk_instance_stop(struct gk_instance *instance);
void gk_instance_destroy(struct gk_instance *instance);

struct gk_moment gk_instance_now(const struct gk_instance *instance);
/* Where an account of that name stands in accounts. */
unsigned gk_instance_bucket(const char *name);
/* The refresher that an account of that name has. */
struct gk_worker *gk_instance_refresher(struct gk_instance *instance, const char *name);
/* What a client is told to wait when the vault is silent. */
uint32_t gk_instance_retry_after_s(const struct gk_instance *instance);
void gk_instance_log(const struct gk_instance *instance, enum gk_log_level level,
                     const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
