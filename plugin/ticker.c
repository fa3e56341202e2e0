/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/ticker.h"

#include <string.h>

#include "common/hash.h"
#include "plugin/absent_accounts.h"
#include "plugin/encryption_settings.h"
#include "plugin/recheck.h"
#include "plugin/reread.h"
#include "plugin/rotation.h"

#define DUE_GRACE    0x1u
#define DUE_CHECK    0x2u
#define DUE_VERSIONS 0x4u
#define DUE_REREAD   0x8u

#define ROUND_BUCKETS 1024u

/* Those who ask in this look, by what they ask for. */
struct round {
    struct gk_account *leaders[ROUND_BUCKETS]; /* next_leader links them */
    bool any;
};

/* --- what is due ------------------------------------------------------------------------------- */

static bool locked_is_checked(const struct gk_account *account)
{
    return !account->forgotten && !account->checking &&
           account->state.state != GK_ACCOUNT_SERVICE_MANAGED &&
           account->state.state != GK_ACCOUNT_COLD;
}

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
    if (locked_is_checked(account) && now.mono_ms >= account->next_check_mono_ms) {
        due |= DUE_CHECK;
        gk_recheck_locked_claim(account);
    }
    return due | (gk_rotation_locked_due(account, now) ? DUE_VERSIONS : 0);
}

/* Puts what is due in one bucket on the list, each with a reference: one more, or, of an account that is
 * closed, the registry's. */
static struct gk_account *collect(struct gk_instance *instance, unsigned bucket,
                                  struct gk_moment now)
{
    struct gk_account *list = NULL;
    unsigned closed_count = 0;
    pthread_mutex_lock(&instance->accounts_lock);
    struct gk_account **link = &instance->accounts[bucket];
    while (*link != NULL) {
        struct gk_account *at = *link;
        pthread_mutex_lock(&at->mutex);
        const bool closed = gk_account_locked_close_idle(at, now);
        at->due_work = closed ? 0 : locked_due(at, now);
        pthread_mutex_unlock(&at->mutex);
        if (at->due_work != 0) {
            gk_account_retain(at);
        }
        if (at->due_work != 0 || closed) {
            at->due = list;
            list = at;
        }
        if (closed) {
            closed_count++;
            *link = at->next;
            at->next = NULL;
        } else {
            link = &at->next;
        }
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    if (closed_count > 0) {
        instance->host.count(instance->host.ctx, "gatekey_accounts_closed_total", "", closed_count);
    }
    return list;
}

/* --- who asks for whom ----------------------------------------------------------------------------- */

static unsigned round_bucket(const char *key_id)
{
    return (unsigned)(gk_hash(GK_HASH_START, gk_span_str(key_id)) % ROUND_BUCKETS);
}

static bool same_question(const struct gk_recheck *one, const char *key_id,
                          const struct gk_identity_reference *identity)
{
    return strcmp(one->generation.wraps[0].key_id, key_id) == 0 &&
           gk_identity_reference_equal(&one->identity, identity);
}

/* NULL when nobody asks for that. */
static struct gk_account *find_leader(const struct round *round, const char *key_id,
                                      const struct gk_identity_reference *identity)
{
    struct gk_account *at = round->leaders[round_bucket(key_id)];
    while (at != NULL && !same_question(&at->recheck, key_id, identity)) {
        at = at->next_leader;
    }
    return at;
}

/* A check that was claimed: it joins whoever asks for the same, or leads. */
static void join(struct round *round, struct gk_account *account)
{
    if (!gk_recheck_begin(account)) {
        return;
    }
    const struct gk_recheck *recheck = &account->recheck;
    const char *key_id = recheck->generation.wraps[0].key_id;
    struct gk_account *leader = find_leader(round, key_id, &recheck->identity);
    if (leader != NULL) {
        gk_recheck_follow(leader, account);
        return;
    }
    struct gk_account **head = &round->leaders[round_bucket(key_id)];
    account->next_leader = *head;
    *head = account;
    round->any = true;
}

static bool locked_may_follow(const struct gk_account *account, const struct round *round)
{
    const struct gk_account_record *record = account->record;
    return locked_is_checked(account) &&
           find_leader(round, gk_account_record_active(record)->wraps[0].key_id,
                       &record->settings.identity) != NULL;
}

/* Who is not due yet follows too. */
static void take_along(struct gk_instance *instance, struct round *round, unsigned bucket)
{
    struct gk_account *list = NULL;
    pthread_mutex_lock(&instance->accounts_lock);
    for (struct gk_account *at = instance->accounts[bucket]; at != NULL; at = at->next) {
        pthread_mutex_lock(&at->mutex);
        if (locked_may_follow(at, round)) {
            gk_recheck_locked_claim(at);
            at->due = list;
            list = at;
        }
        pthread_mutex_unlock(&at->mutex);
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    while (list != NULL) {
        struct gk_account *account = list;
        list = account->due;
        join(round, account); /* with its claim's reference */
    }
}

static void ask_all(struct round *round)
{
    for (unsigned bucket = 0; bucket < ROUND_BUCKETS; bucket++) {
        struct gk_account *at = round->leaders[bucket];
        while (at != NULL) {
            struct gk_account *leader = at;
            at = leader->next_leader;
            gk_recheck_ask(leader);
        }
    }
}

/* --- one look ------------------------------------------------------------------------------------ */

static void work_on(struct round *round, struct gk_account *account, struct gk_moment now)
{
    if ((account->due_work & DUE_GRACE) != 0) {
        gk_account_tick(account, now);
    }
    if ((account->due_work & DUE_REREAD) != 0) {
        gk_reread_soon(account);
    }
    if ((account->due_work & DUE_CHECK) != 0) {
        join(round, account);
    }
    if ((account->due_work & DUE_VERSIONS) != 0) {
        gk_account_retain(account); /* given back by the job */
        if (!gk_worker_submit(&account->instance->rotator, &account->rotate)) {
            gk_account_release(account);
        }
    }
}

void gk_ticker_look(struct gk_instance *instance)
{
    const struct gk_moment now = gk_instance_now(instance);
    struct round round = {0};
    for (unsigned bucket = 0; bucket < GK_ACCOUNT_BUCKETS; bucket++) {
        struct gk_account *list = collect(instance, bucket, now);
        while (list != NULL) {
            struct gk_account *account = list;
            list = account->due;
            work_on(&round, account, now);
            gk_account_release(account);
        }
    }
    gk_absents_wake_due(instance, now);
    for (unsigned bucket = 0; round.any && bucket < GK_ACCOUNT_BUCKETS; bucket++) {
        take_along(instance, &round, bucket);
    }
    ask_all(&round);
}
