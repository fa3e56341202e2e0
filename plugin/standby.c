/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/standby.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/key_id.h"
#include "plugin/unwrap_counts.h"

/* Until a batch is made anew of accounts whose standby key the vault did not wrap; where it refused that, as a key does
 * that has ended, until a newer version is looked for. */
#define RETRY_MS INT64_C(300000)

#define FAILURES_MAX    2u
#define STATUS_TOO_MANY 429u

struct gk_standby {
    atomic_uint references; /* its accounts', and of calls under way */
    struct gk_instance *instance;
    char account[GK_ACCOUNT_PATH_BYTES_MAX]; /* the first, in whose name the vault wraps */
    struct gk_identity_reference identity;
    struct gk_root_wrap wrap; /* of the standby key; value_len is 0 until the vault has made it */
    atomic_bool
        under_way; /* the vault is being asked for it, so that the standby key is in memory */
    int64_t retry_mono_ms; /* when it may be given up; 0: not at all */
    unsigned failures;     /* to open it, in a row */
    struct gk_account *waiting;
    gk_standby_opened_fn *opened; /* of those who wait, as is left */
    gk_standby_left_fn *left;
    struct gk_standby *next; /* in a list of those to ask for */
};

static struct gk_standby *retain(struct gk_standby *standby)
{
    atomic_fetch_add(&standby->references, 1);
    return standby;
}

static void release(struct gk_standby *standby)
{
    if (atomic_fetch_sub(&standby->references, 1) == 1) {
        free(standby);
    }
}

void gk_standby_locked_drop(struct gk_account *account)
{
    if (account->standby != NULL) {
        release(account->standby);
        account->standby = NULL;
        gk_wipe(account->standby_copy, sizeof account->standby_copy);
    }
}

void gk_standby_locked_refused(struct gk_account *account)
{
    if (account->standby != NULL && atomic_load(&account->standby->under_way)) {
        gk_standby_locked_drop(account);
    }
}

/* --- making a batch ------------------------------------------------------------------------------ */

static bool has_failed(const struct gk_standby *standby)
{
    return standby->retry_mono_ms != 0 &&
           gk_instance_now(standby->instance).mono_ms >= standby->retry_mono_ms;
}

bool gk_standby_lacks(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    const bool lacks = (account->standby == NULL || has_failed(account->standby)) &&
                       gk_key_state_is_open(&account->state) &&
                       gk_account_locked_has_active_key(account);
    pthread_mutex_unlock(&account->mutex);
    return lacks;
}

static bool locked_seal_copy(struct gk_account *account, const struct gk_root_wrap_key *key)
{
    const struct gk_root_scope scope = {.account = account->id, .generation = account->generation};
    pthread_rwlock_rdlock(&account->key_lock);
    const bool sealed = account->root_key != NULL &&
                        gk_root_key_wrap(account->instance->crypto, key, &scope, account->root_key,
                                         account->standby_copy, NULL) == GK_OK;
    pthread_rwlock_unlock(&account->key_lock);
    return sealed;
}

/* Unless the account has another record since it was asked about: that may be under another key. */
static void join(struct gk_standby *standby, struct gk_account *account,
                 const struct gk_root_wrap_key *key)
{
    pthread_mutex_lock(&account->mutex);
    gk_standby_locked_drop(account);
    if (account->record->sequence == account->recheck.sequence && !account->forgotten &&
        gk_account_locked_has_active_key(account) && locked_seal_copy(account, key)) {
        account->standby = retain(standby);
    }
    pthread_mutex_unlock(&account->mutex);
}

static bool is_wrap(const struct gk_standby *standby, const struct gk_vault_answer *answer)
{
    return strcasecmp(answer->key_id, standby->wrap.key_id) == 0 &&
           answer->value.len <= sizeof standby->wrap.value &&
           gk_vault_wrap_is_shaped(answer->algorithm, answer->value);
}

static void tell_wrap(const struct gk_standby *standby, const struct gk_vault_answer *answer,
                      enum gk_vault_verdict verdict)
{
    gk_audit(standby->instance,
             &(const struct gk_audit_event){
                 .event = GK_AUDIT_KEY_WRAP,
                 .account = standby->account,
                 .key_id = standby->wrap.key_id,
                 .outcome = gk_audit_verdict_outcome(verdict),
                 .reason = answer->code,
                 .detail = "a standby key, to bring this account and others back with one unwrap",
                 .request_id = answer->request_id,
             });
}

static void keep_wrap(struct gk_standby *standby, const struct gk_vault_answer *answer)
{
    snprintf(standby->wrap.algorithm, sizeof standby->wrap.algorithm, "%s", answer->algorithm);
    memcpy(standby->wrap.value, answer->value.data, answer->value.len);
    standby->wrap.value_len = answer->value.len;
}

/* Until when its accounts are left without a batch. */
static int64_t retry_mono_ms(const struct gk_standby *standby, enum gk_vault_verdict verdict)
{
    const struct gk_instance *instance = standby->instance;
    return gk_instance_now(instance).mono_ms + (verdict == GK_VAULT_UNAVAILABLE
                                                    ? RETRY_MS
                                                    : instance->settings.version_check_interval_ms);
}

/* An odd answer is none. */
static void on_wrapped(void *ctx, const struct gk_vault_answer *answer)
{
    struct gk_standby *standby = ctx;
    const bool odd = answer->verdict == GK_VAULT_OK && !is_wrap(standby, answer);
    const enum gk_vault_verdict verdict = odd ? GK_VAULT_UNAVAILABLE : answer->verdict;
    tell_wrap(standby, answer, verdict);
    if (verdict == GK_VAULT_OK) {
        keep_wrap(standby, answer);
    } else {
        standby->retry_mono_ms = retry_mono_ms(standby, verdict);
    }
    atomic_store(&standby->under_way, false);
    release(standby);
}

static struct gk_standby *new_standby(const struct gk_account *first)
{
    struct gk_standby *standby = calloc(1, sizeof *standby);
    if (standby != NULL) {
        atomic_init(&standby->references, 1);
        atomic_init(&standby->under_way, true);
        standby->instance = first->instance;
        memcpy(standby->account, first->name, sizeof standby->account);
        standby->identity = first->recheck.identity;
        memcpy(standby->wrap.key_id, first->recheck.generation.wraps[0].key_id,
               sizeof standby->wrap.key_id);
    }
    return standby;
}

static bool are_enough(const struct gk_account *accounts)
{
    unsigned count = 0;
    for (const struct gk_account *at = accounts; at != NULL && count < GK_STANDBY_MIN;
         at = at->next_follower) {
        count++;
    }
    return count == GK_STANDBY_MIN;
}

static void fill(struct gk_standby *standby, struct gk_account *accounts,
                 const struct gk_key_reference *version, const struct gk_root_wrap_key *key)
{
    const struct gk_instance *instance = standby->instance;
    for (struct gk_account *at = accounts; at != NULL; at = at->next_follower) {
        join(standby, at, key);
    }
    instance->ops->wrap(instance->provider, &standby->identity, version, key->bytes,
                        instance->settings.vault_deadline_ms, on_wrapped, retain(standby));
}

/* Without memory or randomness there is no batch this time. */
void gk_standby_make(struct gk_account *accounts)
{
    struct gk_key_reference version;
    if (!are_enough(accounts) ||
        !gk_key_identifier_parse(accounts->recheck.generation.wraps[0].key_id, &version)) {
        return;
    }
    struct gk_standby *standby = new_standby(accounts);
    struct gk_root_wrap_key *key = gk_secret_alloc(sizeof *key);
    if (standby != NULL && key != NULL && gk_random(key->bytes, sizeof key->bytes)) {
        fill(standby, accounts, &version, key);
    }
    gk_secret_free(&key);
    if (standby != NULL) {
        release(standby);
    }
}

/* --- opening it ---------------------------------------------------------------------------------- */

bool gk_standby_has(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    const bool has = account->standby != NULL && account->standby->wrap.value_len > 0 &&
                     account->record->sequence == account->recheck.sequence && !account->forgotten;
    pthread_mutex_unlock(&account->mutex);
    return has;
}

static bool copy_out(const struct gk_standby *standby, struct gk_account *account,
                     uint8_t copy[GK_SERVICE_WRAPPED_ROOT_BYTES])
{
    pthread_mutex_lock(&account->mutex);
    const bool there = account->standby == standby;
    if (there) {
        memcpy(copy, account->standby_copy, GK_SERVICE_WRAPPED_ROOT_BYTES);
    }
    pthread_mutex_unlock(&account->mutex);
    return there;
}

/* NULL when its copy is gone, or is not its root key's. */
static struct gk_root_key *open_copy(const struct gk_standby *standby, struct gk_account *account,
                                     const struct gk_root_wrap_key *key)
{
    uint8_t copy[GK_SERVICE_WRAPPED_ROOT_BYTES];
    const struct gk_crypto *crypto = standby->instance->crypto;
    const struct gk_root_generation *generation = &account->recheck.generation;
    const struct gk_root_scope scope = {.account = account->id,
                                        .generation = generation->generation};
    struct gk_root_key *root_key = gk_secret_alloc(sizeof *root_key);
    if (root_key == NULL || !copy_out(standby, account, copy) ||
        gk_root_key_unwrap(crypto, key, &scope, gk_span_of(copy, sizeof copy), root_key, NULL) !=
            GK_OK ||
        gk_root_key_check(crypto, root_key, &scope, generation->commitment, NULL) != GK_OK) {
        gk_secret_free(&root_key);
    }
    return root_key;
}

static void drop_copy(const struct gk_standby *standby, struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    if (account->standby == standby) {
        gk_standby_locked_drop(account);
    }
    pthread_mutex_unlock(&account->mutex);
}

static bool is_opened(const struct gk_vault_answer *answer)
{
    return answer->verdict == GK_VAULT_OK && answer->value.len == GK_KEY_BYTES;
}

/* Whether what the vault has wrapped is of no use: it says so, or has failed to open it time and again. */
static bool gives_up(struct gk_standby *standby, const struct gk_vault_answer *answer)
{
    const bool heard =
        !answer->ours && answer->http_status != 0 && answer->http_status != STATUS_TOO_MANY;
    if (is_opened(answer)) {
        standby->failures = 0;
        return false;
    }
    standby->failures += heard ? 1 : 0;
    return gk_vault_answer_is_about_bytes(answer) || standby->failures >= FAILURES_MAX;
}

/* key: NULL when it was not opened. A copy that is not its account's root key under it is dropped. */
static void bring_back(struct gk_standby *standby, const struct gk_root_wrap_key *key,
                       bool given_up)
{
    struct gk_account *waiting = standby->waiting;
    struct gk_account *left = NULL;
    standby->waiting = NULL;
    while (waiting != NULL) {
        struct gk_account *account = gk_account_take_first(&waiting);
        struct gk_root_key *root_key = key == NULL ? NULL : open_copy(standby, account, key);
        if (root_key != NULL) {
            standby->opened(account, &root_key);
            continue;
        }
        if (given_up || key != NULL) {
            drop_copy(standby, account);
        }
        gk_account_put_first(&left, account);
    }
    if (left != NULL) {
        standby->left(left);
    }
}

static void on_unwrapped(void *ctx, const struct gk_vault_answer *answer)
{
    struct gk_standby *standby = ctx;
    struct gk_root_wrap_key *key = NULL;
    gk_unwrap_counts_note(standby->instance, standby->waiting->name, standby->wrap.key_id,
                          answer->verdict, answer->request_id);
    if (is_opened(answer) && (key = gk_secret_alloc(sizeof *key)) != NULL) {
        memcpy(key->bytes, answer->value.data, sizeof key->bytes);
    }
    bring_back(standby, key, gives_up(standby, answer));
    gk_secret_free(&key);
    release(standby);
}

/* on_unwrapped gives back the reference. */
static void ask(struct gk_standby *standby)
{
    const struct gk_instance *instance = standby->instance;
    const struct gk_root_wrap *wrap = &standby->wrap;
    struct gk_key_reference version;
    if (!gk_key_identifier_parse(wrap->key_id, &version)) {
        bring_back(standby, NULL, true);
        release(standby);
        return;
    }
    instance->ops->unwrap(instance->provider, &standby->identity, &version, wrap->algorithm,
                          gk_span_of(wrap->value, wrap->value_len),
                          instance->settings.vault_deadline_ms, on_unwrapped, standby);
}

/* Has account wait for its standby key; true for the first who does. */
static bool wait_for(struct gk_standby *standby, struct gk_account *account,
                     gk_standby_opened_fn *opened, gk_standby_left_fn *left)
{
    const bool first = standby->waiting == NULL;
    gk_account_put_first(&standby->waiting, account);
    standby->opened = opened;
    standby->left = left;
    return first;
}

/* The account's, with a reference; NULL when it has left it just now. */
static struct gk_standby *standby_of(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    struct gk_standby *standby = account->standby == NULL ? NULL : retain(account->standby);
    pthread_mutex_unlock(&account->mutex);
    return standby;
}

void gk_standby_open(struct gk_account *accounts, gk_standby_opened_fn *opened,
                     gk_standby_left_fn *left)
{
    struct gk_standby *to_ask = NULL;
    struct gk_account *in_none = NULL;
    while (accounts != NULL) {
        struct gk_account *account = gk_account_take_first(&accounts);
        struct gk_standby *standby = standby_of(account);
        if (standby == NULL) {
            gk_account_put_first(&in_none, account);
        } else if (wait_for(standby, account, opened, left)) {
            standby->next = to_ask; /* with the reference */
            to_ask = standby;
        } else {
            release(standby);
        }
    }
    while (to_ask != NULL) {
        struct gk_standby *standby = to_ask;
        to_ask = standby->next;
        ask(standby);
    }
    if (in_none != NULL) {
        left(in_none);
    }
}
