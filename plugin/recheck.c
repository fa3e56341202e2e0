/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recheck.h"

#include <stdio.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/key_id.h"
#include "plugin/reread.h"
#include "plugin/rotation.h"

/* However long a vault asks us to stay away, a restored key is noticed within this. */
#define RETRY_AFTER_MS_MAX 600000u

static void unwrap_next(struct gk_account *account);

void gk_recheck_locked_claim(struct gk_account *account)
{
    const struct gk_instance *instance = account->instance;
    const int64_t interval_ms = instance->settings.check_interval_ms;
    account->checking = true;
    gk_account_retain(account); /* given back by finish() */
    /* One tick early: the ticker looks that seldom, and the interval is a promise. */
    account->next_check_mono_ms =
        gk_instance_now(instance).mono_ms + interval_ms - instance->tick_ms;
}

static void finish(struct gk_account *account, uint32_t retry_after_ms)
{
    const int64_t now_ms = gk_instance_now(account->instance).mono_ms;
    const uint32_t pause_ms =
        retry_after_ms < RETRY_AFTER_MS_MAX ? retry_after_ms : RETRY_AFTER_MS_MAX;
    pthread_mutex_lock(&account->mutex);
    if (account->next_check_mono_ms < now_ms + pause_ms) {
        account->next_check_mono_ms = now_ms + pause_ms;
    }
    account->checking = false;
    account->checks++;
    pthread_cond_broadcast(&account->changed);
    pthread_mutex_unlock(&account->mutex);
    gk_account_release(account);
}

static void report(struct gk_account *account, struct gk_root_key **root_key)
{
    const struct gk_recheck *recheck = &account->recheck;
    if (!gk_account_answer(account, recheck->sequence, &recheck->outcome, root_key)) {
        gk_recheck_run_claimed(account);
        return;
    }
    finish(account,
           recheck->outcome.verdict == GK_VAULT_UNAVAILABLE ? recheck->outcome.retry_after_ms : 0);
}

/* No wrap opened. */
static void conclude(struct gk_account *account)
{
    struct gk_root_key *none = NULL;
    if (account->recheck.outcome.verdict == GK_VAULT_UNAVAILABLE ||
        !gk_worker_submit(&account->instance->refresher, &account->refresh)) {
        report(account, &none);
    }
}

static void keep_outcome(struct gk_recheck *recheck, const struct gk_vault_answer *answer)
{
    /* The current wrap's answer is the one to report. */
    if (recheck->wrap == 0) {
        struct gk_key_outcome *outcome = &recheck->outcome;
        *outcome = (struct gk_key_outcome){.verdict = answer->verdict,
                                           .retry_after_ms = answer->retry_after_ms};
        snprintf(outcome->code, sizeof outcome->code, "%s", answer->code);
        snprintf(outcome->message, sizeof outcome->message, "%s", answer->message);
        snprintf(outcome->request_id, sizeof outcome->request_id, "%s", answer->request_id);
    }
}

/* The vault opened something: it counts only when it is the account's root key. */
static void opened(struct gk_account *account, const struct gk_vault_answer *answer)
{
    struct gk_recheck *recheck = &account->recheck;
    const struct gk_root_scope scope = {.account = account->id,
                                        .generation = recheck->generation.generation};
    struct gk_root_key *root_key = gk_secret_alloc(sizeof *root_key);
    recheck->outcome = (struct gk_key_outcome){.verdict = GK_VAULT_OK};
    enum gk_status status = GK_E_RESOURCE;
    if (root_key != NULL) {
        memcpy(root_key->bytes, answer->value.data, sizeof root_key->bytes);
        status = gk_root_key_check(account->instance->crypto, root_key, &scope,
                                   recheck->generation.commitment, NULL);
    }
    if (status == GK_E_INTEGRITY) {
        recheck->outcome.mismatch = true;
        snprintf(recheck->outcome.request_id, sizeof recheck->outcome.request_id, "%s",
                 answer->request_id);
    } else if (status != GK_OK) {
        recheck->outcome.verdict = GK_VAULT_UNAVAILABLE;
        snprintf(recheck->outcome.message, sizeof recheck->outcome.message,
                 "the gateway has no memory for a key");
    }
    if (status != GK_OK) {
        gk_secret_free(&root_key);
    }
    report(account, &root_key);
}

static void on_unwrap(void *ctx, const struct gk_vault_answer *answer)
{
    struct gk_account *account = ctx;
    struct gk_recheck *recheck = &account->recheck;
    if (answer->verdict == GK_VAULT_OK && answer->value.len == GK_KEY_BYTES) {
        opened(account, answer);
        return;
    }
    struct gk_vault_answer odd = *answer;
    if (answer->verdict == GK_VAULT_OK) {
        odd.verdict = GK_VAULT_UNAVAILABLE;
    }
    keep_outcome(recheck, &odd);
    /* Who disables the version in use means the account, whatever older one could still open. */
    const bool refused = odd.verdict != GK_VAULT_UNAVAILABLE;
    recheck->wrap++;
    if (!refused && recheck->wrap < recheck->generation.wraps_count) {
        unwrap_next(account);
    } else {
        conclude(account);
    }
}

static void unwrap_next(struct gk_account *account)
{
    const struct gk_instance *instance = account->instance;
    const struct gk_recheck *recheck = &account->recheck;
    const struct gk_root_wrap *wrap = &recheck->generation.wraps[recheck->wrap];
    struct gk_key_reference key;
    if (!gk_key_identifier_parse(wrap->key_id, &key)) {
        const struct gk_vault_answer unusable = {.verdict = GK_VAULT_UNAVAILABLE,
                                                 .code = "KeyIdentifierInvalid"};
        on_unwrap(account, &unusable);
        return;
    }
    instance->ops->unwrap(instance->provider, &recheck->identity, &key, wrap->algorithm,
                          gk_span_of(wrap->value, wrap->value_len),
                          instance->settings.vault_deadline_ms, on_unwrap, account);
}

void gk_recheck_run_claimed(struct gk_account *account)
{
    struct gk_recheck *recheck = &account->recheck;
    const int64_t now_ms = gk_instance_now(account->instance).wall_ms;
    pthread_mutex_lock(&account->mutex);
    const bool customer = account->record.settings.source == GK_KEY_SOURCE_CUSTOMER;
    recheck->sequence = account->record.sequence;
    recheck->identity = account->record.settings.identity;
    recheck->generation = *gk_account_record_active(&account->record);
    if (gk_account_record_has_old_wrap(&account->record, now_ms)) {
        recheck->generation.wraps_count = 1; /* it is about to be removed */
    }
    recheck->wrap = 0;
    const bool pointless = !customer || account->forgotten;
    pthread_mutex_unlock(&account->mutex);
    if (pointless) {
        finish(account, 0);
    } else {
        unwrap_next(account);
    }
}

void gk_recheck_soon(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    const bool claimed = !account->checking && !account->forgotten &&
                         account->state.state != GK_ACCOUNT_SERVICE_MANAGED;
    if (claimed) {
        gk_recheck_locked_claim(account);
    }
    pthread_mutex_unlock(&account->mutex);
    if (claimed) {
        gk_recheck_run_claimed(account);
    }
}

/* Before a key counts as refused: another gateway may have rotated it, and what we asked for may be
 * an old version that its owner has disabled in good order. */
void gk_recheck_refused(struct gk_account *account)
{
    struct gk_root_key *none = NULL;
    struct gk_stored_account *stored = gk_stored_account_new();
    enum gk_status status = GK_E_RESOURCE;
    if (stored != NULL) {
        status = gk_account_reread(account, stored, NULL);
    }
    const bool newer = status == GK_OK && gk_account_adopt_stored(account, stored);
    gk_stored_account_free(&stored);
    if (newer) {
        gk_recheck_run_claimed(account);
        return;
    }
    report(account, &none);
}

enum gk_status gk_recheck_now(struct gk_account *account, const struct gk_deadline *deadline,
                              struct gk_error *error)
{
    bool in_time = true;
    bool done = false;
    pthread_mutex_lock(&account->mutex);
    while (account->checking && in_time) { /* it may have asked before something changed */
        in_time = gk_account_locked_wait(account, deadline);
    }
    if (!account->checking) {
        const uint64_t before = account->checks;
        gk_recheck_locked_claim(account);
        pthread_mutex_unlock(&account->mutex);
        gk_recheck_run_claimed(account);
        pthread_mutex_lock(&account->mutex);
        while (account->checks == before && in_time) {
            in_time = gk_account_locked_wait(account, deadline);
        }
        done = account->checks != before;
    }
    pthread_mutex_unlock(&account->mutex);
    return done ? GK_OK
                : gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                               "The key vault has not answered in time.");
}

/* --- the ticker ------------------------------------------------------------------------------- */

#define DUE_GRACE    0x1u
#define DUE_CHECK    0x2u
#define DUE_VERSIONS 0x4u
#define DUE_REREAD   0x8u

static unsigned locked_due(struct gk_account *account, struct gk_moment now)
{
    const enum gk_account_state state = account->state.state;
    if (account->forgotten) {
        return 0;
    }
    unsigned due = gk_reread_locked_claim_due(account, now) ? DUE_REREAD : 0;
    if (state == GK_ACCOUNT_SERVICE_MANAGED) {
        return due;
    }
    due |= state == GK_ACCOUNT_UNREACHABLE ? DUE_GRACE : 0;
    if (state != GK_ACCOUNT_COLD && !account->checking &&
        now.mono_ms >= account->next_check_mono_ms) {
        due |= DUE_CHECK;
        gk_recheck_locked_claim(account);
    }
    return due | (gk_rotation_locked_due(account, now) ? DUE_VERSIONS : 0);
}

/* Puts what is due in one bucket on the list; each gets a reference. */
static struct gk_account *collect(struct gk_instance *instance, unsigned bucket,
                                  struct gk_moment now)
{
    struct gk_account *list = NULL;
    pthread_mutex_lock(&instance->accounts_lock);
    for (struct gk_account *at = instance->accounts[bucket]; at != NULL; at = at->next) {
        pthread_mutex_lock(&at->mutex);
        at->due_work = locked_due(at, now);
        pthread_mutex_unlock(&at->mutex);
        if (at->due_work != 0) {
            gk_account_retain(at);
            at->due = list;
            list = at;
        }
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    return list;
}

static void work_on(struct gk_account *account, struct gk_moment now)
{
    if ((account->due_work & DUE_GRACE) != 0) {
        gk_account_tick(account, now);
    }
    if ((account->due_work & DUE_REREAD) != 0) {
        gk_reread_soon(account);
    }
    if ((account->due_work & DUE_CHECK) != 0) {
        gk_recheck_run_claimed(account);
    }
    if ((account->due_work & DUE_VERSIONS) != 0) {
        gk_account_retain(account); /* given back by the job */
        if (!gk_worker_submit(&account->instance->rotator, &account->rotate)) {
            gk_account_release(account);
        }
    }
}

void gk_recheck_tick(struct gk_instance *instance)
{
    const struct gk_moment now = gk_instance_now(instance);
    for (unsigned bucket = 0; bucket < GK_ACCOUNT_BUCKETS; bucket++) {
        struct gk_account *list = collect(instance, bucket, now);
        while (list != NULL) {
            struct gk_account *account = list;
            list = account->due;
            work_on(account, now);
            gk_account_release(account);
        }
    }
}
