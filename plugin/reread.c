/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/reread.h"

#include "common/error.h"
#include "plugin/recheck.h"

/* --- when ------------------------------------------------------------------------------------- */

void gk_reread_locked_put_off(struct gk_account *account)
{
    const struct gk_instance *instance = account->instance;
    /* One tick early, as a check. */
    account->next_reread_mono_ms = gk_instance_now(instance).mono_ms +
                                   instance->settings.check_interval_ms - instance->tick_ms;
}

bool gk_reread_locked_claim_due(struct gk_account *account, struct gk_moment now)
{
    const bool due = now.mono_ms >= account->next_reread_mono_ms;
    if (due) {
        gk_reread_locked_put_off(account);
    }
    return due;
}

void gk_reread_soon(struct gk_account *account)
{
    gk_account_retain(account); /* given back by the job */
    if (!gk_worker_submit(&account->instance->reader, &account->reread)) {
        gk_account_release(account); /* it is about to be read already */
    }
}

void gk_reread_changed(struct gk_instance *instance, const char *name)
{
    if (name == NULL) {
        gk_accounts_each(instance, gk_reread_soon);
        return;
    }
    struct gk_account *account = gk_accounts_find(instance, name);
    if (account != NULL) {
        gk_reread_soon(account);
        gk_account_release(account);
    }
}

/* --- what is found ---------------------------------------------------------------------------- */

/* Takes over what somebody has written: another gateway, or this one, on its way to take it itself. */
static bool obey(struct gk_account *account, const struct gk_stored_account *stored)
{
    pthread_mutex_lock(&account->mutex);
    const bool same = stored->record.sequence == account->record->sequence;
    if (same && stored->last_version_check_wall_ms > account->last_version_check_wall_ms) {
        /* Another gateway has asked, and found nothing new. */
        account->last_version_check_wall_ms = stored->last_version_check_wall_ms;
    }
    pthread_mutex_unlock(&account->mutex);
    return !same && gk_account_adopt_stored(account, stored);
}

/* One line when it begins and one when it ends, not one every interval. */
static void note_answer(struct gk_account *account, enum gk_status status, const char *why)
{
    const bool unread = status != GK_OK && status != GK_E_NOT_FOUND;
    pthread_mutex_lock(&account->mutex);
    const bool changed = account->unread != unread;
    account->unread = unread;
    pthread_mutex_unlock(&account->mutex);
    if (changed && unread) {
        gk_instance_log(account->instance, GK_LOG_WARNING,
                        "account %s: what others have changed of it cannot be read: %s",
                        account->name, why);
    } else if (changed) {
        gk_instance_log(account->instance, GK_LOG_INFO, "account %s: its record is read again",
                        account->name);
    }
}

static enum gk_status read_again(struct gk_account *account, bool *adopted, struct gk_error *error)
{
    *adopted = false;
    struct gk_error why = {0};
    struct gk_stored_account *stored = gk_stored_account_new();
    const enum gk_status status = stored == NULL ? gk_fail(&why, GK_E_RESOURCE, "out of memory")
                                                 : gk_account_reread(account, stored, &why);
    if (status == GK_OK) {
        *adopted = obey(account, stored);
    } else if (error != NULL) {
        *error = why;
    }
    note_answer(account, status, why.message);
    gk_stored_account_free(&stored);
    return status;
}

enum gk_status gk_reread_now(struct gk_account *account, struct gk_error *error)
{
    bool adopted = false;
    return read_again(account, &adopted, error);
}

/* A check that began with the record before goes on until it has an answer to this one. */
static bool await_active_key(struct gk_account *account)
{
    const struct gk_deadline deadline =
        gk_vault_deadline_in(account->instance->settings.vault_deadline_ms);
    bool in_time = true;
    pthread_mutex_lock(&account->mutex);
    while (!gk_account_locked_has_active_key(account) && account->checking && in_time) {
        in_time = gk_account_locked_wait(account, &deadline);
    }
    const bool there = gk_account_locked_has_active_key(account);
    pthread_mutex_unlock(&account->mutex);
    return there;
}

static bool has_active_key(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    const bool there = gk_account_locked_has_active_key(account);
    pthread_mutex_unlock(&account->mutex);
    return there;
}

enum gk_status gk_reread_for_key(struct gk_account *account, struct gk_error *error)
{
    enum gk_status status = gk_reread_now(account, error);
    if (status != GK_OK || has_active_key(account)) {
        return status;
    }
    gk_recheck_soon(account);
    if (await_active_key(account)) {
        return GK_OK;
    }
    pthread_mutex_lock(&account->mutex);
    status = gk_account_locked_error(account, error);
    pthread_mutex_unlock(&account->mutex);
    return status != GK_OK ? status
                           : gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                                          "The account has a new root key, and the key vault gives "
                                          "no answer yet. Try again.");
}

void gk_reread_run(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    const bool in_use = account->state.state != GK_ACCOUNT_COLD;
    pthread_mutex_unlock(&account->mutex);
    bool adopted = false;
    /* What is left in the queue at the end would wait for a store that is silent, one by one. */
    if (!atomic_load(&account->instance->stopping) &&
        read_again(account, &adopted, NULL) == GK_OK && adopted && in_use) {
        gk_recheck_soon(account);
    }
    gk_account_release(account);
}
