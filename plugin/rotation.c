/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/rotation.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/encryption_settings.h"
#include "plugin/key_news.h"
#include "plugin/key_warnings.h"
#include "plugin/root_wrap.h"
#include "plugin/rotation_policy.h"

/* After a check that failed otherwise than by silence: soon enough for a day's work. One whose get or wrap was refused
 * waits for longer each time (key_news.h). */
#define FAILED_RETRY_MS 300000
#define STATUS_TOO_MANY 429u
#define STATUS_SERVER   500u
/* What a check takes beside its calls to the vault, which have a deadline: reading and writing the
 * record. Who dies in the middle holds others up for so much longer; who is slower than that may see
 * another wrap as well, and one of the two records get through. */
#define LEASE_SLACK_MS 5000u
#define LEASE_POLL_MS  100u

/* actor, here and below: who wants it now; NULL: its time has come. */
struct rotation {
    struct gk_account *account;
    struct gk_instance *instance;
    struct gk_vault_caller caller;
    struct gk_stored_account *stored;
    struct gk_account_record *next; /* what is to be written */
    struct gk_root_key *root_key;
    struct gk_key_proof proof;
    struct gk_vault_result newest;
    int64_t asked_wall_ms; /* when the vault was asked for newest, for this account or another */
    bool refused_again;    /* the get or wrap, as the one before, whoever made that */
};

/* --- when ------------------------------------------------------------------------------------- */

/* While the vault refuses or is silent there is nothing to gain by asking it. */
static bool locked_may_ask(const struct gk_account *account)
{
    return account->state.state == GK_ACCOUNT_ACTIVE || account->state.state == GK_ACCOUNT_COLD;
}

/* A last check in the future was made by a clock that has been put right since. */
static bool interval_is_over(const struct gk_instance *instance, int64_t last_ms, int64_t wall_ms)
{
    return wall_ms - last_ms >= instance->settings.version_check_interval_ms || last_ms > wall_ms;
}

bool gk_rotation_locked_due(const struct gk_account *account, struct gk_moment now)
{
    if (account->changing || account->forgotten ||
        now.mono_ms < account->version_check_not_before_mono_ms) {
        return false;
    }
    if (gk_account_record_has_old_wrap(account->record, now.wall_ms)) {
        return true;
    }
    return locked_may_ask(account) &&
           interval_is_over(account->instance, account->last_version_check_wall_ms, now.wall_ms) &&
           now.mono_ms >=
               gk_key_news_put_off_until(account->instance->news, &account->record->settings);
}

static int64_t later_of(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

int64_t gk_rotation_locked_next_due_wall_ms(const struct gk_account *account, struct gk_moment now)
{
    const struct gk_account_record *record = account->record;
    const int64_t pause_ms = account->version_check_not_before_mono_ms - now.mono_ms;
    int64_t due_wall_ms = INT64_MAX;
    if (record->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        const int64_t put_off_ms =
            gk_key_news_put_off_until(account->instance->news, &record->settings);
        due_wall_ms = account->last_version_check_wall_ms +
                      account->instance->settings.version_check_interval_ms;
        if (put_off_ms > now.mono_ms) {
            due_wall_ms = later_of(due_wall_ms, now.wall_ms + put_off_ms - now.mono_ms);
        }
    }
    if (gk_account_record_active(record)->wraps_count > 1 &&
        record->previous_wrap_until_wall_ms < due_wall_ms) {
        due_wall_ms = record->previous_wrap_until_wall_ms;
    }
    return later_of(due_wall_ms, now.wall_ms + pause_ms);
}

/* --- one check -------------------------------------------------------------------------------- */

/* Drops the wrap before once its time is over, and with it the record before. */
static enum gk_status settle(struct rotation *rotation, int64_t wall_ms, struct gk_error *error)
{
    *rotation->next = rotation->stored->record;
    if (!gk_account_record_drop_old_wrap(rotation->next, wall_ms)) {
        return GK_OK;
    }
    const enum gk_status status =
        gk_account_store_write(rotation->instance, rotation->stored, rotation->next, error);
    if (status == GK_OK) {
        *rotation->next = rotation->stored->record;
        (void)gk_account_adopt_stored(rotation->account, rotation->stored);
    }
    return status;
}

/* An interval that is over is still over an interval after another account's look. */
static bool is_told(struct rotation *rotation, int64_t wall_ms)
{
    const int64_t last_wall_ms = rotation->stored->last_version_check_wall_ms;
    const int64_t interval_ms = rotation->instance->settings.version_check_interval_ms;
    return gk_key_news_find(rotation->instance->news, &rotation->next->settings,
                            later_of(last_wall_ms, wall_ms - interval_ms), wall_ms,
                            &rotation->newest, &rotation->asked_wall_ms);
}

/* Whether the vault has no answer for anybody, rather than an odd one for this key, or none that was asked for. */
static bool is_silent(const struct gk_vault_result *result)
{
    return !result->ours && (result->http_status == 0 || result->http_status == STATUS_TOO_MANY ||
                             result->http_status >= STATUS_SERVER);
}

static enum gk_status note_silent(struct rotation *rotation, struct gk_error *error)
{
    const struct gk_instance *instance = rotation->instance;
    if (is_silent(&rotation->newest)) {
        /* A tick sooner than this account (end): it is somebody else's turn to find out. */
        gk_key_news_note_silent(instance->news, &rotation->next->settings,
                                gk_instance_now(instance).mono_ms +
                                    instance->settings.check_interval_ms - instance->tick_ms);
    }
    return gk_vault_silent_error(instance, &rotation->newest, error);
}

static void note_refused(struct rotation *rotation, enum gk_key_news_call call)
{
    const struct gk_instance *instance = rotation->instance;
    rotation->refused_again = gk_key_news_note_refused(
        instance->news, &rotation->next->settings, call, gk_instance_now(instance).mono_ms,
        instance->settings.version_check_interval_ms);
}

/* Who is asked for it asks the vault itself. */
static enum gk_status ask(struct rotation *rotation, int64_t wall_ms, struct gk_error *error)
{
    if (rotation->caller.actor == NULL && is_told(rotation, wall_ms)) {
        return GK_OK;
    }
    rotation->asked_wall_ms = wall_ms;
    gk_key_get(&rotation->caller, &rotation->next->settings.key, &rotation->newest);
    if (rotation->newest.verdict == GK_VAULT_UNAVAILABLE) {
        return note_silent(rotation, error);
    }
    if (rotation->newest.verdict != GK_VAULT_OK) {
        note_refused(rotation, GK_KEY_NEWS_GET);
        return gk_key_get_refusal(&rotation->newest, error);
    }
    gk_rotation_policy_look(&rotation->caller, &rotation->next->settings,
                            &rotation->stored->record.key_told, &rotation->newest);
    gk_key_news_note(rotation->instance->news, &rotation->next->settings, &rotation->newest,
                     wall_ms);
    return GK_OK;
}

static void tell(const struct rotation *rotation, const char *outcome, const char *detail)
{
    char labels[64];
    snprintf(labels, sizeof labels, "result=\"%s\"", outcome);
    rotation->instance->host.count(rotation->instance->host.ctx, "gatekey_rotations_total", labels,
                                   1);
    gk_audit(rotation->instance, &(const struct gk_audit_event){
                                     .event = GK_AUDIT_KEY_ROTATE,
                                     .account = rotation->account->name,
                                     .key_id = rotation->newest.key_id,
                                     .outcome = outcome,
                                     .reason = rotation->newest.code,
                                     .detail = detail,
                                     .request_id = rotation->newest.request_id,
                                     .actor = rotation->caller.actor,
                                 });
}

/* What refuses to wrap, or to open what it has wrapped, does so to all accounts. */
static enum gk_status wrap_by_newest(struct rotation *rotation,
                                     const struct gk_root_identity *identity,
                                     struct gk_root_wrap *wrap, struct gk_error *error)
{
    const enum gk_status status = gk_root_wrap_by_vault(
        &rotation->caller, identity, rotation->root_key, rotation->newest.key_id, wrap, error);
    if (status == GK_OK) {
        gk_key_news_note_wrapped(rotation->instance->news, &rotation->next->settings);
    } else if (status == GK_E_INVALID) {
        note_refused(rotation, GK_KEY_NEWS_WRAP);
    }
    return status;
}

static enum gk_status wrap_anew(struct rotation *rotation, struct gk_error *error)
{
    struct gk_root_generation *active = gk_account_record_active_to_change(rotation->next);
    const struct gk_root_identity identity = {
        .scope = {.account = rotation->next->id, .generation = active->generation},
        .commitment = active->commitment,
    };
    struct gk_root_wrap wrap;
    rotation->proof = gk_account_begin_proof(rotation->account);
    enum gk_status status =
        gk_root_unwrap(&rotation->caller, &rotation->next->id, active, rotation->root_key, error);
    if (status == GK_OK) {
        status = wrap_by_newest(rotation, &identity, &wrap, error);
    }
    if (status != GK_OK) {
        return status;
    }
    const int64_t now_ms = gk_instance_now(rotation->instance).wall_ms;
    gk_encryption_put_wrap(rotation->instance, active, &wrap, rotation->next, now_ms);
    rotation->next->key_expires_wall_ms = rotation->newest.info.expires_wall_ms;
    rotation->next->key_created_wall_ms = rotation->newest.info.created_wall_ms;
    rotation->next->key_rotation_due_wall_ms = rotation->newest.info.rotation_due_wall_ms;
    rotation->next->key_told =
        gk_key_told_now(rotation->newest.key_id, &rotation->newest.info, rotation->asked_wall_ms);
    rotation->next->last_version_check_wall_ms = rotation->asked_wall_ms;
    return GK_OK;
}

static bool is_newer_version(const struct rotation *rotation)
{
    const struct gk_root_generation *active = gk_account_record_active(rotation->next);
    return strcasecmp(rotation->newest.key_id, active->wraps[0].key_id) != 0;
}

/* The check has ended without a new wrap. What the vault told goes into the record where it is not
 * what that has, and so does what there is to warn of; that it was asked is noted beside it. */
static enum gk_status keep_told(struct rotation *rotation, int64_t wall_ms, struct gk_error *error)
{
    const int64_t asked_ms = rotation->asked_wall_ms;
    const struct gk_key_told told =
        gk_key_told_now(rotation->newest.key_id, &rotation->newest.info, asked_ms);
    const struct gk_account_record *stored = &rotation->stored->record;
    if (gk_key_told_same(&told, &stored->key_told) &&
        gk_key_warnings_of(stored, &rotation->instance->settings, wall_ms) ==
            stored->key_warnings) {
        gk_account_store_note_check(rotation->instance, rotation->stored, asked_ms);
        return GK_OK;
    }
    rotation->next->key_told = told;
    rotation->next->last_version_check_wall_ms = asked_ms;
    if (!is_newer_version(rotation)) {
        rotation->next->key_expires_wall_ms = told.info.expires_wall_ms;
        rotation->next->key_created_wall_ms = told.info.created_wall_ms;
        rotation->next->key_rotation_due_wall_ms = told.info.rotation_due_wall_ms;
    }
    const enum gk_status status =
        gk_account_store_write(rotation->instance, rotation->stored, rotation->next, error);
    if (status == GK_OK) {
        (void)gk_account_adopt_stored(rotation->account, rotation->stored);
    }
    return status;
}

/* The newer version could not be wrapped by, and is tried again: until then it is pending, for all to see.
 * Where that cannot be written, it is told another time. */
static void keep_pending(struct rotation *rotation)
{
    const struct gk_key_told told =
        gk_key_told_now(rotation->newest.key_id, &rotation->newest.info, rotation->asked_wall_ms);
    if (gk_key_told_same(&told, &rotation->stored->record.key_told)) {
        return;
    }
    *rotation->next = rotation->stored->record;
    rotation->next->key_told = told;
    if (gk_account_store_write(rotation->instance, rotation->stored, rotation->next, NULL) ==
        GK_OK) {
        (void)gk_account_adopt_stored(rotation->account, rotation->stored);
    }
}

static enum gk_status accept_newest(const struct rotation *rotation, int64_t wall_ms,
                                    struct gk_error *error)
{
    const struct gk_host *host = &rotation->instance->host;
    const enum gk_status status = gk_key_accept(&rotation->newest, wall_ms, error);
    return status == GK_OK
               ? host->key_permitted(host->ctx, rotation->caller.actor, rotation->account->name,
                                     &rotation->next->settings, &rotation->newest.info, error)
               : status;
}

static enum gk_status rotate(struct rotation *rotation, int64_t wall_ms, struct gk_error *error)
{
    struct gk_error why = {0};
    if (accept_newest(rotation, wall_ms, &why) != GK_OK) {
        tell(rotation, "refused", why.message);
        return keep_told(rotation, wall_ms, error);
    }
    enum gk_status status = wrap_anew(rotation, &why);
    if (status != GK_OK) {
        keep_pending(rotation);
    } else {
        status = gk_account_store_write(rotation->instance, rotation->stored, rotation->next, &why);
    }
    if (status == GK_OK) {
        (void)gk_account_adopt(rotation->account, rotation->stored, &rotation->proof,
                               &rotation->root_key);
    }
    tell(rotation, gk_audit_outcome(status),
         status == GK_OK ? "the root key is wrapped anew" : why.message);
    if (status != GK_OK && error != NULL) {
        *error = why;
    }
    return status;
}

/* Whoever wrapped by the newest version, here or on another gateway: it does wrap, and what it refused before is over. */
static enum gk_status keep_current(struct rotation *rotation, int64_t wall_ms,
                                   struct gk_error *error)
{
    gk_key_news_note_wrapped(rotation->instance->news, &rotation->next->settings);
    return keep_told(rotation, wall_ms, error);
}

static enum gk_status look_for_newer(struct rotation *rotation, int64_t wall_ms,
                                     struct gk_error *error)
{
    enum gk_status status = ask(rotation, wall_ms, error);
    if (status == GK_OK) {
        status = is_newer_version(rotation) ? rotate(rotation, wall_ms, error)
                                            : keep_current(rotation, wall_ms, error);
    }
    if (status == GK_OK) {
        gk_key_warnings_log(rotation->instance, &rotation->stored->record);
    }
    return status;
}

static enum gk_status check(struct rotation *rotation, bool ask_vault, struct gk_error *error)
{
    const int64_t wall_ms = gk_instance_now(rotation->instance).wall_ms;
    const enum gk_status status = settle(rotation, wall_ms, error);
    return status == GK_OK && ask_vault ? look_for_newer(rotation, wall_ms, error) : status;
}

/* --- around it -------------------------------------------------------------------------------- */

static enum gk_status begin(struct rotation *rotation, struct gk_error *error)
{
    rotation->stored = gk_stored_account_new();
    rotation->next = malloc(sizeof *rotation->next);
    rotation->root_key = gk_secret_alloc(sizeof *rotation->root_key);
    if (rotation->stored == NULL || rotation->next == NULL || rotation->root_key == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    /* Another gateway may have rotated already; then its record is all we need. */
    struct gk_account *account = rotation->account;
    const enum gk_status status = gk_account_reread(account, rotation->stored, error);
    if (status == GK_OK) {
        (void)gk_account_adopt_stored(account, rotation->stored);
    }
    return status;
}

/* Until it is tried again, for all that this account knows: as soon as the vault's pace has a place for it, where that
 * alone was in the way. */
static int64_t pause_ms_after(const struct rotation *rotation, enum gk_status status)
{
    const struct gk_vault_result *newest = &rotation->newest;
    const int64_t interval_ms = rotation->instance->settings.check_interval_ms;
    if (status != GK_E_UNAVAILABLE && status != GK_E_CONFLICT) {
        return FAILED_RETRY_MS;
    }
    return newest->ours && newest->retry_after_ms > 0 && newest->retry_after_ms < interval_ms
               ? newest->retry_after_ms
               : interval_ms;
}

static void end(struct rotation *rotation, enum gk_status status)
{
    struct gk_account *account = rotation->account;
    const struct gk_moment now = gk_instance_now(rotation->instance);
    pthread_mutex_lock(&account->mutex);
    if (status != GK_OK) {
        account->version_check_not_before_mono_ms = now.mono_ms + pause_ms_after(rotation, status);
        /* What the log has of an account that was closed since, it has. */
        account->version_check_failed |= rotation->refused_again;
    } else if (rotation->stored->last_version_check_wall_ms > account->last_version_check_wall_ms ||
               account->last_version_check_wall_ms > now.wall_ms) {
        account->last_version_check_wall_ms = rotation->stored->last_version_check_wall_ms;
    }
    pthread_mutex_unlock(&account->mutex);
    gk_secret_free(&rotation->root_key);
    gk_stored_account_free(&rotation->stored);
    free(rotation->next);
}

/* Whether the vault is to be asked by one who does what is due: another gateway may have asked, by
 * what has been read now. */
static bool is_still_due(const struct rotation *rotation)
{
    struct gk_account *account = rotation->account;
    const int64_t wall_ms = gk_instance_now(rotation->instance).wall_ms;
    pthread_mutex_lock(&account->mutex);
    const bool may_ask = locked_may_ask(account);
    pthread_mutex_unlock(&account->mutex);
    return may_ask && interval_is_over(rotation->instance,
                                       rotation->stored->last_version_check_wall_ms, wall_ms);
}

static enum gk_status run_alone(struct gk_account *account, const char *actor,
                                const struct gk_deadline *deadline, struct gk_error *error)
{
    struct rotation *rotation = calloc(1, sizeof *rotation);
    if (rotation == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    rotation->account = account;
    rotation->instance = account->instance;
    enum gk_status status = begin(rotation, error);
    if (status == GK_OK && rotation->stored->record.settings.source == GK_KEY_SOURCE_CUSTOMER) {
        rotation->caller = (struct gk_vault_caller){
            .instance = account->instance,
            .account = account->name,
            .actor = actor,
            .identity = &rotation->stored->record.settings.identity,
            .deadline = deadline,
        };
        status = check(rotation, actor != NULL || is_still_due(rotation), error);
    }
    end(rotation, status);
    free(rotation);
    return status;
}

/* --- the lease -------------------------------------------------------------------------------- */

static enum gk_status take_lease(struct gk_account *account, const struct gk_deadline *deadline,
                                 struct gk_error *error)
{
    const struct gk_host *host = &account->instance->host;
    const uint32_t left_ms = gk_vault_deadline_left_ms(deadline);
    return host->account_lease_take(
        host->ctx, account->name,
        left_ms < UINT32_MAX - LEASE_SLACK_MS ? left_ms + LEASE_SLACK_MS : UINT32_MAX, error);
}

/* Who is asked waits: a holder ends soon, or its time does. */
static enum gk_status await_lease(struct gk_account *account, const struct gk_deadline *deadline,
                                  struct gk_error *error)
{
    for (;;) {
        const enum gk_status status = take_lease(account, deadline, error);
        if (status != GK_E_CONFLICT) {
            return status;
        }
        if (gk_vault_deadline_left_ms(deadline) == 0 || atomic_load(&account->instance->stopping)) {
            return gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                                "another gateway is checking the account's key; try again");
        }
        const struct gk_deadline pause = gk_vault_deadline_in(LEASE_POLL_MS);
        pthread_mutex_lock(&account->mutex);
        (void)gk_account_locked_wait(account, &pause);
        pthread_mutex_unlock(&account->mutex);
    }
}

static void come_again(struct gk_account *account)
{
    const struct gk_instance *instance = account->instance;
    const int64_t now_ms = gk_instance_now(instance).mono_ms;
    pthread_mutex_lock(&account->mutex);
    account->version_check_not_before_mono_ms = now_ms + instance->settings.check_interval_ms;
    pthread_mutex_unlock(&account->mutex);
}

static enum gk_status run_leased(struct gk_account *account, const char *actor,
                                 const struct gk_deadline *deadline, struct gk_error *error)
{
    const struct gk_host *host = &account->instance->host;
    enum gk_status status = actor == NULL ? take_lease(account, deadline, error)
                                          : await_lease(account, deadline, error);
    if (actor == NULL && status != GK_OK) {
        come_again(account);
    }
    if (status == GK_OK) {
        status = run_alone(account, actor, deadline, error);
        host->account_lease_release(host->ctx, account->name);
    }
    return status;
}

static enum gk_status run(struct gk_account *account, const char *actor,
                          const struct gk_deadline *deadline, struct gk_error *error)
{
    enum gk_status status = gk_account_begin_change(account, deadline, error);
    if (status == GK_OK) {
        status = run_leased(account, actor, deadline, error);
        gk_account_end_change(account);
    }
    return status;
}

enum gk_status gk_rotation_check(struct gk_account *account, const struct gk_deadline *deadline,
                                 const char *actor, struct gk_error *error)
{
    return run(account, actor, deadline, error);
}

/* One line when it begins and one when it ends, not one each time. */
static void note_outcome(struct gk_account *account, bool failed, const char *why)
{
    pthread_mutex_lock(&account->mutex);
    const bool changed = account->version_check_failed != failed;
    account->version_check_failed = failed;
    pthread_mutex_unlock(&account->mutex);
    if (changed && failed) {
        gk_instance_log(account->instance, GK_LOG_WARNING, "account %s: version check: %s",
                        account->name, why);
    } else if (changed) {
        gk_instance_log(account->instance, GK_LOG_INFO, "account %s: version check: made again",
                        account->name);
    }
}

void gk_rotation_run_due(struct gk_account *account)
{
    struct gk_instance *instance = account->instance;
    pthread_mutex_lock(&account->mutex);
    const bool due = gk_rotation_locked_due(account, gk_instance_now(instance));
    pthread_mutex_unlock(&account->mutex);
    if (due && !atomic_load(&instance->stopping)) {
        struct gk_error why = {0};
        const struct gk_deadline deadline =
            gk_vault_deadline_in(instance->settings.vault_deadline_ms);
        const enum gk_status status = run(account, NULL, &deadline, &why);
        if (status != GK_E_CONFLICT) { /* else another gateway does it */
            note_outcome(account, status != GK_OK, why.message);
        }
    }
    gk_account_release(account);
}
