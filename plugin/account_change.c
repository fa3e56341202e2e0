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
#include "plugin/record_change.h"
#include "plugin/reread.h"
#include "plugin/rotation.h"

/* --- create ----------------------------------------------------------------------------------- */

/* GK_OK when there is no account yet. The record is the first thing that an account's object gets: an
 * object without one has lost it, and a new root key would be the end of what is there. */
static enum gk_status expect_none(struct gk_record_change *change, const char *name,
                                  struct gk_error *error)
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

static enum gk_status fill_new_record(struct gk_record_change *change, const char *name,
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
    gk_record_change_keep_told(change, now_ms);
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
    return status == GK_OK
               ? gk_record_change_wrap(change, active, change->root_key, &active->wraps[0], error)
               : status;
}

/* Of a new scope, which is its account's as the account is now. */
static enum gk_status bind_to_account(struct gk_record_change *change, const char *name,
                                      struct gk_error *error)
{
    return gk_account_name_is_scope(name)
               ? gk_account_store_read_parent(change->instance, name, &change->next->parent, error)
               : GK_OK;
}

static enum gk_status create(struct gk_record_change *change, const char *name,
                             struct gk_error *error)
{
    enum gk_status status = bind_to_account(change, name, error);
    if (status == GK_OK) {
        status = expect_none(change, name, error);
    }
    change->proof.mono_ms = gk_instance_now(change->instance).mono_ms;
    if (status == GK_OK) {
        status = gk_record_change_accept_key(change, error);
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
static struct gk_account *find_new(const struct gk_record_change *change, const char *name)
{
    struct gk_account *account = NULL;
    for (unsigned i = 0; i < GK_RECORD_CHANGE_ATTEMPTS_MAX; i++) {
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
static void open_new(struct gk_record_change *change, const char *name)
{
    struct gk_account *account = find_new(change, name);
    if (account != NULL && gk_record_change_is_customer(change)) {
        gk_account_take_key(account, change->stored->record.sequence, &change->proof,
                            &change->root_key);
    }
    gk_account_release(account);
}

enum gk_status gk_account_create(struct gk_instance *instance, const char *name,
                                 const struct gk_encryption_settings *settings,
                                 const struct gk_call *call, struct gk_error *error)
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
    struct gk_record_change change;
    status = gk_record_change_init(&change, instance, name, settings, call, &why);
    if (status == GK_OK) {
        status = create(&change, name, &why);
        gk_record_change_tell(&change, GK_AUDIT_ACCOUNT_CREATE, status, "", &why);
    }
    if (status == GK_OK) {
        open_new(&change, name);
    } else if (error != NULL) {
        *error = why;
    }
    gk_record_change_cleanup(&change);
    return status;
}

/* --- set encryption --------------------------------------------------------------------------- */

/* change->next is the present record as gk_record_change_open_present() left it. */
static enum gk_status fill_changed_record(struct gk_record_change *change, struct gk_error *error)
{
    struct gk_account_record *next = change->next;
    const int64_t now_ms = gk_instance_now(change->instance).wall_ms;
    struct gk_root_generation *active = gk_account_record_active_to_change(next);
    struct gk_root_wrap made;
    const enum gk_status status =
        gk_record_change_wrap(change, active, change->root_key, &made, error);
    if (status != GK_OK) {
        return status;
    }
    gk_encryption_put_wrap(change->instance, active, &made, next, now_ms);
    next->settings = *change->settings;
    next->settings.queue_account_key = change->stored->record.settings.queue_account_key;
    next->settings.table_account_key = change->stored->record.settings.table_account_key;
    gk_record_change_keep_told(change, now_ms);
    return GK_OK;
}

static enum gk_status set_once(struct gk_record_change *change, struct gk_account *account,
                               bool *same, struct gk_error *error)
{
    enum gk_status status = gk_account_reread(account, change->stored, error);
    change->proof = gk_account_begin_proof(account);
    *same = status == GK_OK &&
            gk_encryption_settings_equal(&change->stored->record.settings, change->settings);
    if (status != GK_OK || *same) {
        return status;
    }
    status = gk_record_change_accept_key(change, error);
    if (status == GK_OK) {
        status = gk_record_change_open_present(change, error);
    }
    if (status == GK_OK) {
        status = fill_changed_record(change, error);
    }
    if (status == GK_OK) {
        status = gk_account_store_write(change->instance, change->stored, change->next, error);
    }
    return status;
}

static enum gk_status set_encryption(struct gk_record_change *change, struct gk_account *account,
                                     struct gk_error *error)
{
    bool same = false;
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; status == GK_E_CONFLICT && i < GK_RECORD_CHANGE_ATTEMPTS_MAX; i++) {
        status = set_once(change, account, &same, error);
    }
    if (status == GK_OK && same) {
        (void)gk_account_adopt_stored(account, change->stored);
        return GK_OK;
    }
    char done[GK_KEY_ID_BYTES_MAX + 16];
    snprintf(done, sizeof done, "instead of %s", change->before);
    gk_record_change_tell(change, GK_AUDIT_ACCOUNT_ENCRYPTION, status, done, error);
    if (status == GK_OK) {
        (void)gk_account_adopt(account, change->stored, &change->proof, &change->root_key);
    }
    return status;
}

enum gk_status gk_account_set_encryption(struct gk_instance *instance, const char *name,
                                         const struct gk_encryption_settings *settings,
                                         const struct gk_call *call, struct gk_error *error)
{
    struct gk_error why = {0};
    struct gk_account *account = NULL;
    struct gk_record_change change = {0};
    enum gk_status status = gk_encryption_settings_check(instance, settings, &why);
    if (status == GK_OK) {
        status = gk_account_open(instance, name, &account, &why);
    }
    if (status == GK_OK) {
        status = gk_record_change_init(&change, instance, name, settings, call, &why);
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
    gk_record_change_cleanup(&change);
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
                                    const struct gk_call *call, struct gk_error *error)
{
    struct gk_account *account = NULL;
    const struct gk_deadline deadline = gk_vault_deadline_in(call->deadline_ms);
    enum gk_status status = gk_account_open(instance, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_reread_now(account, error);
    if (status != GK_E_NOT_FOUND && state_of(account) != GK_ACCOUNT_SERVICE_MANAGED) {
        /* A store that is silent keeps nobody from asking the vault. */
        status = gk_recheck_now(account, &deadline, error);
        if (status == GK_OK && state_of(account) == GK_ACCOUNT_ACTIVE) {
            status = gk_rotation_check(account, &deadline, gk_audit_actor(call->actor), error);
        }
    }
    gk_account_release(account);
    return status;
}
