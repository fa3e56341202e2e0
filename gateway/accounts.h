/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's accounts: name, access keys and the plugin's handle, cached, over the store.
 *
 * An account is the object GK_POOL_META "account/<name>". Its attributes: what the plugin stores
 * (opaque to us) and "gateway.account", a record that the plugin sealed under the service key with
 * the two access keys, creation time, location, tags and the settings of its Blob service. Its map: "c/<container name>" -> container
 * record (gateway/blob/record.h), "k/<container name>..." -> one that was deleted and is kept, "g/<freed><id>" -> what is waiting to be removed.
 *
 * An account whose "gateway.account" is missing is half created: it serves nothing and the next
 * create completes it.
 *
 * Other gateways on the store change accounts too. What is cached is compared with the store when a
 * notice has come (notices.h), and when it is older than the plugin's check interval, by the object's
 * version: regenerated keys, and accounts that were deleted or made anew, are obeyed at the latest then.
 *
 * Threads: all functions from any thread. A struct gk_gateway_account is immutable and counted:
 * accounts_get gives a reference, accounts_put returns it. Regenerated keys make a new one.
 */
#ifndef GATEWAY_ACCOUNTS_H
#define GATEWAY_ACCOUNTS_H

#include "common/buf.h"
#include "common/clock.h"
#include "gateway/blob_service.h"
#include "gateway/plugin_host.h"
#include "gateway/store/store.h"

#define GK_ACCESS_KEY_BYTES      64u
#define GK_ACCESS_KEYS           2u
#define GK_ACCOUNT_SKU_BYTES_MAX 32u

#define GK_DELEGATION_BYTES 32u

struct gk_access_keys {
    uint8_t key[GK_ACCESS_KEYS][GK_ACCESS_KEY_BYTES];
    int64_t created_wall_ms[GK_ACCESS_KEYS];
    uint8_t
        delegation[GK_DELEGATION_BYTES]; /* of which user delegation keys are made; zeros: none */
};

struct gk_gateway_account {
    char name[GK_ACCOUNT_NAME_BYTES_MAX];
    char object[64]; /* "account/<name>" in GK_POOL_META */
    struct gk_id id;
    struct gk_account *handle;         /* the plugin's */
    const struct gk_access_keys *keys; /* in secret memory */
    int64_t created_wall_ms;
    char location[64];
    bool https_only;    /* as its management description has it: plain http is refused */
    bool public_access; /* likewise: containers may be read without a credential */
    char sku[GK_ACCOUNT_SKU_BYTES_MAX]; /* likewise */
    char *arm_json; /* identity, tags, sku as the management API stored them; "{}" when none */
    struct gk_blob_service blob_service;
};

/* For how many days a deleted blob can be undeleted; 0: a delete is final. As it was when the request
 * came: a change is obeyed by all gateways as soon as other changes of the account are. */
static inline uint32_t gk_account_delete_retention_days(const struct gk_gateway_account *account)
{
    const struct gk_retention *retention = &account->blob_service.delete_retention;
    return retention->enabled ? retention->days : 0;
}

/* The same of a deleted container. */
static inline uint32_t gk_account_container_retention_days(const struct gk_gateway_account *account)
{
    const struct gk_retention *retention = &account->blob_service.container_retention;
    return retention->enabled ? retention->days : 0;
}

struct gk_accounts;

enum gk_status gk_accounts_new(struct gk_store *store, struct gk_plugin_host *host,
                               const struct gk_clock *clock, struct gk_accounts **out,
                               struct gk_error *error) GK_MUST_USE;
void gk_accounts_free(struct gk_accounts *accounts);

/* GK_E_NOT_FOUND, GK_E_INTEGRITY, GK_E_UNAVAILABLE. */
enum gk_status gk_accounts_get(struct gk_accounts *accounts, const char *name,
                               struct gk_gateway_account **out, struct gk_error *error) GK_MUST_USE;
/* The same for who goes through all accounts: that keeps none in memory. */
enum gk_status gk_accounts_look(struct gk_accounts *accounts, const char *name,
                                struct gk_gateway_account **out,
                                struct gk_error *error) GK_MUST_USE;
void gk_accounts_put(struct gk_gateway_account *account);

/* Whether the account of that id still has the name, by what is in the store now. */
enum gk_account_presence {
    GK_PRESENCE_GONE,  /* there is no object of that name, or it is another account's */
    GK_PRESENCE_THERE, /* its record says so */
    GK_PRESENCE_UNKNOWN /* an object of which nobody can read whose it is: its record may be lost or damaged */
};
enum gk_status gk_accounts_presence(struct gk_accounts *accounts, const char *name,
                                    const struct gk_id *id, enum gk_account_presence *presence,
                                    struct gk_error *error) GK_MUST_USE;

/* Creates or completes; *created tells which. BLOCKS on the vault, as call says. */
enum gk_status gk_accounts_create(struct gk_accounts *accounts, const char *name,
                                  const struct gk_encryption_settings *settings,
                                  const char *location, const char *arm_json,
                                  const struct gk_call *call, bool *created,
                                  struct gk_error *error) GK_MUST_USE;
enum gk_status gk_accounts_set_arm(struct gk_accounts *accounts, const char *name,
                                   const char *arm_json, struct gk_error *error) GK_MUST_USE;
/* Those parts (GK_SERVICE_*) of the settings become what they are in settings; the others stay. */
enum gk_status gk_accounts_set_blob_service(struct gk_accounts *accounts, const char *name,
                                            const struct gk_blob_service *settings, uint32_t parts,
                                            struct gk_error *error) GK_MUST_USE;
/* index 0 or 1. */
enum gk_status gk_accounts_regenerate_key(struct gk_accounts *accounts, const char *name,
                                          unsigned index, struct gk_error *error) GK_MUST_USE;
/* Another secret for user delegation keys: those that there are end. missing: only if there is none. */
enum gk_status gk_accounts_renew_delegation(struct gk_accounts *accounts, const char *name,
                                            bool missing, struct gk_error *error) GK_MUST_USE;
/* Writes the account's row in the registry (registry.h), for one that is made otherwise: before its
 * object is, and once more after that, for who deleted an account of that name may have taken it. */
enum gk_status gk_accounts_register(struct gk_accounts *accounts, const char *name,
                                    struct gk_error *error) GK_MUST_USE;
/* Forgets what memory holds of it, after it was deleted (gateway/blob/removal.h). */
void gk_accounts_drop(struct gk_accounts *accounts, const char *name);
/* Another gateway may have changed it: the next get compares it with the store. name NULL: all. */
void gk_accounts_expire(struct gk_accounts *accounts, const char *name);

/* In order of their names, those that come behind after ("": all), by the registry (registry.h): a name may come whose
 * account is half created or gone. A visitor may use the store and the accounts. */
typedef bool gk_accounts_visit_fn(void *ctx, const char *name);
enum gk_status gk_accounts_list(struct gk_accounts *accounts, const char *after,
                                gk_accounts_visit_fn *visit, void *ctx,
                                struct gk_error *error) GK_MUST_USE;

#endif
