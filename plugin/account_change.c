/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account_change.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/account_name.h"
#include "plugin/encryption_settings.h"
#include "plugin/recheck.h"
#include "plugin/reread.h"
#include "plugin/root_wrap.h"
#include "plugin/rotation.h"

/* How often a change begins anew because somebody else changed the record under it. */
#define ATTEMPTS_MAX 4u

/* A record in the making: what is stored, what is to be, and the root key between them. */
struct change {
    struct gk_instance *instance;
    const struct gk_encryption_settings *settings;
    struct gk_deadline deadline;
    struct gk_stored_account *stored;
    struct gk_account_record *next;
    struct gk_root_key *root_key;
    struct gk_key_proof proof;
    struct gk_vault_result key; /* what the vault told of the customer's key */
};

static enum gk_status change_init(struct change *change, struct gk_instance *instance,
                                  const struct gk_encryption_settings *settings,
                                  uint32_t deadline_ms, struct gk_error *error)
{
    *change = (struct change){.instance = instance,
                              .settings = settings,
                              .deadline = gk_vault_deadline_in(deadline_ms),
                              .stored = gk_stored_account_new(),
                              .next = calloc(1, sizeof *change->next),
                              .root_key = gk_secret_alloc(sizeof *change->root_key)};
    return change->stored == NULL || change->next == NULL || change->root_key == NULL
               ? gk_fail(error, GK_E_RESOURCE, "out of memory")
               : GK_OK;
}

static void change_cleanup(struct change *change)
{
    gk_secret_free(&change->root_key);
    gk_stored_account_free(&change->stored);
    free(change->next);
}

static struct gk_vault_caller caller_as(const struct change *change,
                                        const struct gk_identity_reference *identity)
{
    return (struct gk_vault_caller){
        .instance = change->instance, .identity = identity, .deadline = &change->deadline};
}

static bool is_customer(const struct change *change)
{
    return change->settings->source == GK_KEY_SOURCE_CUSTOMER;
}

/* What the operator does not permit is not asked for. */
static enum gk_status accept_key(struct change *change, const char *name, struct gk_error *error)
{
    const struct gk_host *host = &change->instance->host;
    const struct gk_vault_caller caller = caller_as(change, &change->settings->identity);
    enum gk_status status = host->key_permitted(host->ctx, name, change->settings, NULL, error);
    if (status != GK_OK || !is_customer(change)) {
        return status;
    }
    status = gk_key_get_accepted(&caller, &change->settings->key, &change->key, error);
    return status == GK_OK
               ? host->key_permitted(host->ctx, name, change->settings, &change->key.info, error)
               : status;
}

/* Wraps the root key as the settings say; the one wrap call of a change. */
static enum gk_status wrap(struct change *change, const struct gk_root_generation *active,
                           struct gk_root_wrap *made, struct gk_error *error)
{
    const struct gk_root_identity identity = {
        .scope = {.account = change->next->id, .generation = active->generation},
        .commitment = active->commitment,
    };
    const struct gk_vault_caller caller = caller_as(change, &change->settings->identity);
    return is_customer(change) ? gk_root_wrap_by_vault(&caller, &identity, change->root_key,
                                                       change->key.key_id, made, error)
                               : gk_root_wrap_by_service(change->instance, &identity,
                                                         change->root_key, made, error);
}

static void tell(const struct change *change, const char *event, const char *account,
                 enum gk_status status, const struct gk_error *why)
{
    const struct gk_root_generation *active = gk_account_record_active(&change->stored->record);
    gk_audit(change->instance,
             &(const struct gk_audit_event){
                 .event = event,
                 .account = account,
                 .key_id = status == GK_OK ? active->wraps[0].key_id : change->key.key_id,
                 .outcome = gk_audit_outcome(status),
                 .reason = status == GK_OK ? "" : why->code,
                 .detail = status == GK_OK ? "" : why->message,
                 .request_id = change->key.request_id,
             });
}

static void keep_facts(struct gk_account *account, const struct change *change)
{
    pthread_mutex_lock(&account->mutex);
    snprintf(account->facts.newest_key_id, sizeof account->facts.newest_key_id, "%s",
             change->key.key_id);
    account->facts.info = change->key.info;
    account->facts.told_wall_ms = gk_instance_now(change->instance).wall_ms;
    pthread_mutex_unlock(&account->mutex);
}

/* --- create ----------------------------------------------------------------------------------- */

/* GK_OK when there is no account yet. The record is the first thing that an account's object gets: an
 * object without one has lost it, and a new root key would be the end of what is there. */
static enum gk_status expect_none(struct change *change, const char *name, struct gk_error *error)
{
    struct gk_error why = {0};
    const enum gk_status status =
        gk_account_store_read(change->instance, name, change->stored, &why);
    if (status == GK_E_NOT_FOUND && change->stored->version != 0) {
        return gk_fail_http(error, GK_E_CONFLICT, 409, "AccountRecordLost",
                            "account %s has lost its encryption record: restore it from a backup, "
                            "or remove the account's object from the store",
                            name);
    }
    if (status == GK_E_NOT_FOUND) {
        return GK_OK;
    }
    if (status == GK_OK && !gk_id_equal(&change->stored->record.parent, &change->next->parent)) {
        return GK_OK; /* a scope of an account that is gone: nothing of it can be used any more */
    }
    if (status == GK_OK) {
        return gk_fail_http(error, GK_E_EXISTS, 409, "StorageAccountAlreadyExists",
                            "account %s exists already", name);
    }
    if (error != NULL) {
        *error = why;
    }
    return status;
}

static enum gk_status fill_new_record(struct change *change, const char *name,
                                      struct gk_error *error)
{
    struct gk_account_record *next = change->next;
    struct gk_root_generation *active = &next->generations[0];
    const int64_t now_ms = gk_instance_now(change->instance).wall_ms;
    snprintf(next->account, sizeof next->account, "%s", name);
    if (!gk_id_random(&next->id)) {
        return gk_fail(error, GK_E_RESOURCE, "there is no randomness");
    }
    next->created_wall_ms = now_ms;
    next->settings = *change->settings;
    next->last_version_check_wall_ms = now_ms;
    next->key_expires_wall_ms = change->key.info.expires_wall_ms;
    next->generations_count = 1;
    *active = (struct gk_root_generation){.generation = 1,
                                          .state = GK_GENERATION_ACTIVE,
                                          .created_wall_ms = now_ms,
                                          .wraps_count = 1};
    const struct gk_root_scope scope = {.account = next->id, .generation = 1};
    enum gk_status status = gk_root_key_random(change->root_key, error);
    if (status == GK_OK) {
        status = gk_root_key_commitment(change->instance->crypto, change->root_key, &scope,
                                        active->commitment, error);
    }
    return status == GK_OK ? wrap(change, active, &active->wraps[0], error) : status;
}

/* Of a new scope, which is its account's as the account is now. */
static enum gk_status bind_to_account(struct change *change, const char *name,
                                      struct gk_error *error)
{
    return gk_account_name_is_scope(name)
               ? gk_account_store_read_parent(change->instance, name, &change->next->parent, error)
               : GK_OK;
}

static enum gk_status create(struct change *change, const char *name, struct gk_error *error)
{
    enum gk_status status = bind_to_account(change, name, error);
    if (status == GK_OK) {
        status = expect_none(change, name, error);
    }
    change->proof.mono_ms = gk_instance_now(change->instance).mono_ms;
    if (status == GK_OK) {
        status = accept_key(change, name, error);
    }
    if (status == GK_OK) {
        status = fill_new_record(change, name, error);
    }
    if (status == GK_OK) {
        status = gk_account_store_write(change->instance, change->stored, change->next, error);
    }
    return status;
}

/* The account that was just made. Memory may have another of its name, which is gone, and of whose
 * end nobody has told us: what it has is not for this one. NULL: who needs it reads it again. */
static struct gk_account *find_new(const struct change *change, const char *name)
{
    struct gk_account *account = NULL;
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        if (gk_account_open(change->instance, name, &account, NULL) != GK_OK) {
            return NULL;
        }
        if (gk_id_equal(&account->id, &change->stored->record.id)) {
            return account;
        }
        gk_account_forget_this(account);
        gk_account_release(account);
    }
    return NULL;
}

/* The key has just been proved; no request need wait for the vault again. */
static void open_new(struct change *change, const char *name)
{
    struct gk_account *account = find_new(change, name);
    if (account != NULL && is_customer(change)) {
        gk_account_take_key(account, change->stored->record.sequence, &change->proof,
                            &change->root_key);
        keep_facts(account, change);
    }
    gk_account_release(account);
}

enum gk_status gk_account_create(struct gk_instance *instance, const char *name,
                                 const struct gk_encryption_settings *settings,
                                 uint32_t deadline_ms, struct gk_error *error)
{
    if (!gk_account_name_is_valid(name)) {
        return gk_fail_http(
            error, GK_E_INVALID, 400, "AccountNameInvalid",
            "an account's name has 3 to 24 lower-case letters and digits; that of an "
            "encryption scope in it 3 to 63, and single dashes between them");
    }
    enum gk_status status = gk_encryption_settings_check(instance, settings, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_error why = {0};
    struct change change;
    status = change_init(&change, instance, settings, deadline_ms, &why);
    if (status == GK_OK) {
        status = create(&change, name, &why);
        tell(&change, "account.create", name, status, &why);
    }
    if (status == GK_OK) {
        open_new(&change, name);
    } else if (error != NULL) {
        *error = why;
    }
    change_cleanup(&change);
    return status;
}

/* --- set encryption --------------------------------------------------------------------------- */

/* The present key must still open the root key: who has taken it away has not agreed to this. Nor is
 * an older version asked beyond its time. */
static enum gk_status open_present(struct change *change, struct gk_error *error)
{
    struct gk_account_record *present = change->next;
    *present = change->stored->record;
    (void)gk_account_record_drop_old_wrap(present, gk_instance_now(change->instance).wall_ms);
    const struct gk_vault_caller caller = caller_as(change, &present->settings.identity);
    return gk_root_unwrap(&caller, &present->id, gk_account_record_active(present),
                          change->root_key, error);
}

/* change->next is the present record as open_present() left it. */
static enum gk_status fill_changed_record(struct change *change, struct gk_error *error)
{
    struct gk_account_record *next = change->next;
    const int64_t now_ms = gk_instance_now(change->instance).wall_ms;
    struct gk_root_generation *active = gk_account_record_active_to_change(next);
    struct gk_root_wrap made;
    const enum gk_status status = wrap(change, active, &made, error);
    if (status != GK_OK) {
        return status;
    }
    gk_encryption_put_wrap(change->instance, active, &made, next, now_ms);
    next->settings = *change->settings;
    next->settings.queue_account_key = change->stored->record.settings.queue_account_key;
    next->settings.table_account_key = change->stored->record.settings.table_account_key;
    next->last_version_check_wall_ms = now_ms;
    next->key_expires_wall_ms = change->key.info.expires_wall_ms;
    return GK_OK;
}

static enum gk_status set_once(struct change *change, struct gk_account *account, bool *same,
                               struct gk_error *error)
{
    enum gk_status status = gk_account_reread(account, change->stored, error);
    change->proof = gk_account_begin_proof(account);
    *same = status == GK_OK &&
            gk_encryption_settings_equal(&change->stored->record.settings, change->settings);
    if (status != GK_OK || *same) {
        return status;
    }
    status = accept_key(change, account->name, error);
    if (status == GK_OK) {
        status = open_present(change, error);
    }
    if (status == GK_OK) {
        status = fill_changed_record(change, error);
    }
    if (status == GK_OK) {
        status = gk_account_store_write(change->instance, change->stored, change->next, error);
    }
    return status;
}

static enum gk_status set_encryption(struct change *change, struct gk_account *account,
                                     struct gk_error *error)
{
    bool same = false;
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; status == GK_E_CONFLICT && i < ATTEMPTS_MAX; i++) {
        status = set_once(change, account, &same, error);
    }
    if (status == GK_OK && same) {
        (void)gk_account_adopt_stored(account, change->stored);
        return GK_OK;
    }
    tell(change, "account.encryption", account->name, status, error);
    if (status == GK_OK) {
        (void)gk_account_adopt(account, change->stored, &change->proof, &change->root_key);
        keep_facts(account, change);
    }
    return status;
}

enum gk_status gk_account_set_encryption(struct gk_instance *instance, const char *name,
                                         const struct gk_encryption_settings *settings,
                                         uint32_t deadline_ms, struct gk_error *error)
{
    struct gk_error why = {0};
    struct gk_account *account = NULL;
    struct change change = {0};
    enum gk_status status = gk_encryption_settings_check(instance, settings, &why);
    if (status == GK_OK) {
        status = gk_account_open(instance, name, &account, &why);
    }
    if (status == GK_OK) {
        status = change_init(&change, instance, settings, deadline_ms, &why);
    }
    if (status == GK_OK) {
        status = gk_account_begin_change(account, &change.deadline, &why);
    }
    if (status == GK_OK) {
        status = set_encryption(&change, account, &why);
        gk_account_end_change(account);
    }
    if (status != GK_OK && error != NULL) {
        *error = why;
    }
    change_cleanup(&change);
    gk_account_release(account);
    return status;
}

/* --- check now -------------------------------------------------------------------------------- */

static enum gk_account_state state_of(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    const enum gk_account_state state = account->state.state;
    pthread_mutex_unlock(&account->mutex);
    return state;
}

enum gk_status gk_account_check_now(struct gk_instance *instance, const char *name,
                                    uint32_t deadline_ms, struct gk_error *error)
{
    struct gk_account *account = NULL;
    const struct gk_deadline deadline = gk_vault_deadline_in(deadline_ms);
    enum gk_status status = gk_account_open(instance, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_reread_now(account, error);
    if (status != GK_E_NOT_FOUND && state_of(account) != GK_ACCOUNT_SERVICE_MANAGED) {
        /* A store that is silent keeps nobody from asking the vault. */
        status = gk_recheck_now(account, &deadline, error);
        if (status == GK_OK && state_of(account) == GK_ACCOUNT_ACTIVE) {
            status = gk_rotation_check(account, &deadline, error);
        }
    }
    gk_account_release(account);
    return status;
}
