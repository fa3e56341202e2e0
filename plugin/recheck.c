/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/recheck.h"

#include <stdio.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/key_id.h"
#include "plugin/standby.h"
#include "plugin/unwrap_counts.h"
#include "plugin/vault_silences.h"

/* The next check comes early, for the interval is a promise: by a tick, since the ticker looks that seldom, and by a
 * chance of up to this part. Those that a stall or a start made due together so drift apart, and where a vault's pace
 * has no place for all of them, it is not the same ones each time who are left out. */
#define EARLY_PART 4

static void unwrap(struct gk_account *account);

static int64_t chance_ms(int64_t most_ms)
{
    uint32_t chance = 0;
    return gk_random(&chance, sizeof chance) ? (int64_t)chance % most_ms : 0;
}

void gk_recheck_locked_claim(struct gk_account *account)
{
    const struct gk_instance *instance = account->instance;
    const int64_t interval_ms = instance->settings.check_interval_ms;
    account->checking = true;
    gk_account_retain(account); /* given back by finish() */
    account->next_check_mono_ms = gk_instance_now(instance).mono_ms + interval_ms -
                                  instance->tick_ms - chance_ms(interval_ms / EARLY_PART);
}

/* What the vault asks for puts off who waits for its answer; of a key that is in use, the interval holds. */
static void locked_put_off(struct gk_account *account, uint32_t retry_after_ms)
{
    const uint32_t pause_ms =
        retry_after_ms < GK_RECHECK_PUT_OFF_MS_MAX ? retry_after_ms : GK_RECHECK_PUT_OFF_MS_MAX;
    const int64_t until_ms = gk_instance_now(account->instance).mono_ms + pause_ms;
    if (!gk_key_state_is_open(&account->state) && account->next_check_mono_ms < until_ms) {
        account->next_check_mono_ms = until_ms;
    }
}

static void finish(struct gk_account *account, uint32_t retry_after_ms)
{
    pthread_mutex_lock(&account->mutex);
    locked_put_off(account, retry_after_ms);
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

/* Nothing was opened. */
static void conclude(struct gk_account *account)
{
    struct gk_root_key *none = NULL;
    if (account->recheck.outcome.verdict == GK_VAULT_UNAVAILABLE ||
        !gk_worker_submit(gk_instance_refresher(account->instance, account->name),
                          &account->refresh)) {
        report(account, &none);
    }
}

/* The end of this process makes no key unreachable: what is open stays so for as long as there is somebody to use it. */
static bool ends_with_process(struct gk_account *account, const struct gk_vault_answer *answer)
{
    pthread_mutex_lock(&account->mutex);
    const bool open = gk_key_state_is_open(&account->state);
    pthread_mutex_unlock(&account->mutex);
    return open && answer->ours && atomic_load(&account->instance->stopping);
}

static void refused_or_silent(struct gk_account *account, const struct gk_vault_answer *answer)
{
    if (ends_with_process(account, answer)) {
        finish(account, 0);
        return;
    }
    struct gk_key_outcome *outcome = &account->recheck.outcome;
    *outcome = (struct gk_key_outcome){.verdict = answer->verdict,
                                       .retry_after_ms = answer->retry_after_ms};
    snprintf(outcome->code, sizeof outcome->code, "%s", answer->code);
    snprintf(outcome->message, sizeof outcome->message, "%s", answer->message);
    snprintf(outcome->request_id, sizeof outcome->request_id, "%s", answer->request_id);
    conclude(account);
}

/* Whether the account is still what it was when its check began. */
static bool is_as_begun(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    const bool same = account->record->sequence == account->recheck.sequence && !account->forgotten;
    pthread_mutex_unlock(&account->mutex);
    return same;
}

/* The batch is no way for them: each asks for itself, once one of them has found that the vault still opens. What it
 * refuses by now, or does not answer, it so costs one call. Who has left the wrap meanwhile, or is destroyed, begins anew:
 * no vault is asked to open that. */
static void ask_without_standby(struct gk_account *accounts)
{
    struct gk_account *same = NULL;
    while (accounts != NULL) {
        struct gk_account *account = gk_account_take_first(&accounts);
        if (is_as_begun(account)) {
            account->recheck.without_standby = true;
            gk_account_put_first(&same, account);
        } else {
            gk_recheck_run_claimed(account);
        }
    }
    if (same != NULL) {
        struct gk_account *leader = gk_account_take_first(&same);
        leader->followers = same;
        unwrap(leader);
    }
}

static bool may_be_brought_back(struct gk_account *account)
{
    return !account->recheck.without_standby && gk_standby_has(account);
}

/* The vault opened the one's root key, so it would open the others', who go on with the keys that they have in memory.
 * Those who have none are given theirs from standby, or ask for it; who asks for itself comes last, for the vault's pace
 * gives places in the order in which it is asked. */
static void share_opened(struct gk_account *followers)
{
    struct gk_account *in_batches = NULL;
    struct gk_account *alone = NULL;
    struct gk_account *lacking = NULL;
    while (followers != NULL) {
        struct gk_account *follower = gk_account_take_first(&followers);
        struct gk_recheck *recheck = &follower->recheck;
        struct gk_root_key *none = NULL;
        recheck->outcome = (struct gk_key_outcome){.verdict = GK_VAULT_OK};
        if (!gk_account_answer(follower, recheck->sequence, &recheck->outcome, &none)) {
            gk_account_put_first(may_be_brought_back(follower) ? &in_batches : &alone, follower);
        } else if (gk_standby_lacks(follower)) {
            gk_account_put_first(&lacking, follower);
        } else {
            finish(follower, 0);
        }
    }
    gk_standby_open(in_batches, report, ask_without_standby);
    gk_standby_make(lacking);
    while (lacking != NULL) {
        finish(gk_account_take_first(&lacking), 0);
    }
    while (alone != NULL) {
        gk_recheck_run_claimed(gk_account_take_first(&alone));
    }
}

/* What the vault said about the key version concerns all who are wrapped by it. What came of the one's own bytes
 * concerns nobody else: then each asks for itself. */
static void share(struct gk_account *account, const struct gk_vault_answer *answer, bool fits)
{
    struct gk_account *followers = account->followers;
    account->followers = NULL;
    if (fits) {
        share_opened(followers);
        return;
    }
    while (followers != NULL) {
        struct gk_account *follower = gk_account_take_first(&followers);
        if (gk_vault_answer_is_about_bytes(answer)) {
            unwrap(follower);
        } else {
            refused_or_silent(follower, answer);
        }
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
    share(account, answer, status == GK_OK);
    report(account, &root_key);
}

/* Of the vault that was asked, which the wrap names. */
static void note_silence(const struct gk_account *account, const struct gk_vault_answer *answer)
{
    const struct gk_recheck *recheck = &account->recheck;
    struct gk_key_reference key;
    if (gk_key_identifier_parse(recheck->generation.wraps[0].key_id, &key)) {
        gk_vault_silences_note(account->instance, key.vault_uri, &recheck->identity, answer);
    }
}

static void on_unwrap(void *ctx, const struct gk_vault_answer *answer)
{
    struct gk_account *account = ctx;
    note_silence(account, answer);
    gk_unwrap_counts_note(account->instance, account->name,
                          account->recheck.generation.wraps[0].key_id, answer->verdict,
                          answer->request_id);
    if (answer->verdict == GK_VAULT_OK && answer->value.len == GK_KEY_BYTES) {
        opened(account, answer);
        return;
    }
    struct gk_vault_answer odd = *answer;
    if (answer->verdict == GK_VAULT_OK) {
        odd.verdict = GK_VAULT_UNAVAILABLE;
    }
    share(account, answer, false);
    refused_or_silent(account, &odd);
}

static void unwrap(struct gk_account *account)
{
    const struct gk_instance *instance = account->instance;
    const struct gk_recheck *recheck = &account->recheck;
    const struct gk_root_wrap *wrap = &recheck->generation.wraps[0];
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

bool gk_recheck_begin(struct gk_account *account)
{
    struct gk_recheck *recheck = &account->recheck;
    pthread_mutex_lock(&account->mutex);
    const bool customer = account->record->settings.source == GK_KEY_SOURCE_CUSTOMER;
    recheck->sequence = account->record->sequence;
    recheck->identity = account->record->settings.identity;
    recheck->generation = *gk_account_record_active(account->record);
    recheck->without_standby = false;
    const bool pointless = !customer || account->forgotten;
    pthread_mutex_unlock(&account->mutex);
    if (pointless) {
        finish(account, 0);
    }
    return !pointless;
}

/* The follower's next check is the leader's: were each to draw a time of its own, of many who go together the first would
 * always be as early as can be. */
void gk_recheck_follow(struct gk_account *leader, struct gk_account *follower)
{
    pthread_mutex_lock(&leader->mutex);
    const int64_t next_check_mono_ms = leader->next_check_mono_ms;
    pthread_mutex_unlock(&leader->mutex);
    pthread_mutex_lock(&follower->mutex);
    follower->next_check_mono_ms = next_check_mono_ms;
    pthread_mutex_unlock(&follower->mutex);
    follower->next_follower = leader->followers;
    leader->followers = follower;
}

void gk_recheck_ask(struct gk_account *account)
{
    unwrap(account);
}

void gk_recheck_run_claimed(struct gk_account *account)
{
    if (gk_recheck_begin(account)) {
        gk_recheck_ask(account);
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
