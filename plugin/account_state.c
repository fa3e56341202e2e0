/* SPDX-License-Identifier: Apache-2.0 */
/* The state of an account's key, and the gate that requests look at. */
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "gatekey/policy.h"
#include "plugin/account.h"
#include "plugin/root_wrap.h"
#include "plugin/standby.h"

/* --- the gate --------------------------------------------------------------------------------- */

#define GATE_OPEN      0u
#define GATE_SHUT      1u /* why, the state tells */
#define GATE_FORGOTTEN 2u
#define GATE_MASK      0xffu
#define GATE_EPOCH     0x100u

/* Sets who may pass; shutting an open gate begins a new epoch. Mutex held. */
static void locked_set_gate(struct gk_account *account)
{
    const uint64_t before = atomic_load_explicit(&account->gate, memory_order_relaxed);
    uint64_t pass = gk_key_state_is_open(&account->state) ? GATE_OPEN : GATE_SHUT;
    pass = account->forgotten ? GATE_FORGOTTEN : pass;
    uint64_t epoch = before & ~(uint64_t)GATE_MASK;
    if ((before & GATE_MASK) == GATE_OPEN && pass != GATE_OPEN) {
        epoch += GATE_EPOCH;
    }
    atomic_store(&account->gate, epoch | pass);
}

/* Puts *root_key, or nothing, in the place of the root key, and wipes the one before. Mutex held. */
static void locked_put_key(struct gk_account *account, struct gk_root_key **root_key)
{
    struct gk_root_key *fresh = NULL;
    if (root_key != NULL) {
        fresh = *root_key;
        *root_key = NULL;
    }
    pthread_rwlock_wrlock(&account->key_lock);
    struct gk_root_key *old = account->root_key;
    account->root_key = fresh;
    const struct gk_root_generation *active = gk_account_record_active(account->record);
    account->generation = active == NULL ? 0 : active->generation;
    pthread_rwlock_unlock(&account->key_lock);
    gk_secret_free(&old);
}

bool gk_account_locked_has_active_key(const struct gk_account *account)
{
    const struct gk_root_generation *active = gk_account_record_active(account->record);
    return account->root_key != NULL && account->generation == active->generation;
}

void gk_account_locked_begin(struct gk_account *account, struct gk_root_key **root_key)
{
    atomic_init(&account->gate, GATE_SHUT);
    gk_key_state_init(&account->state, account->record->settings.source);
    locked_put_key(account, root_key);
    locked_set_gate(account);
}

void gk_account_locked_shut(struct gk_account *account)
{
    account->forgotten = true;
    gk_standby_locked_drop(account);
    locked_set_gate(account);
    locked_put_key(account, NULL);
}

static enum gk_status refuse_forgotten(struct gk_error *error)
{
    return gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                        "the account is no longer there");
}

enum gk_status gk_account_locked_error(struct gk_account *account, struct gk_error *error)
{
    return account->forgotten
               ? refuse_forgotten(error)
               : gk_key_state_error(&account->state, gk_instance_retry_after_s(account->instance),
                                    error);
}

static enum gk_status shut_error(struct gk_account *account, struct gk_error *error)
{
    pthread_mutex_lock(&account->mutex);
    const enum gk_status status = gk_account_locked_error(account, error);
    pthread_mutex_unlock(&account->mutex);
    return status;
}

enum gk_status gk_account_enter(struct gk_account *account, uint64_t *gate, struct gk_error *error)
{
    for (;;) {
        *gate = atomic_load_explicit(&account->gate, memory_order_acquire);
        if ((*gate & GATE_MASK) == GATE_OPEN) {
            return GK_OK;
        }
        const enum gk_status status = shut_error(account, error);
        if (status != GK_OK) {
            return status;
        }
        /* It opened just now, and may have shut again: only the word of an open gate is kept. */
    }
}

enum gk_status gk_account_still(struct gk_account *account, uint64_t gate, struct gk_error *error)
{
    if (atomic_load_explicit(&account->gate, memory_order_acquire) == gate &&
        (gate & GATE_MASK) == GATE_OPEN) {
        return GK_OK;
    }
    const enum gk_status status = shut_error(account, error);
    if (status != GK_OK && status != GK_E_COLD) {
        return status;
    }
    const enum gk_status late =
        gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                     "The account's key was withdrawn and given back meanwhile; try again.");
    if (error != NULL) {
        error->retry_after_s = 1;
    }
    return late;
}

enum gk_status gk_account_not_forgotten(struct gk_account *account, struct gk_error *error)
{
    const uint64_t gate = atomic_load_explicit(&account->gate, memory_order_acquire);
    return (gate & GATE_MASK) == GATE_FORGOTTEN ? refuse_forgotten(error) : GK_OK;
}

enum gk_status gk_account_authorize(struct gk_account *account, enum gk_operation operation,
                                    uint32_t flags, struct gk_error *error)
{
    uint64_t gate = 0;
    return gk_policy_needs_key(operation, flags) ? gk_account_enter(account, &gate, error)
                                                 : gk_account_not_forgotten(account, error);
}

/* --- keys that need no vault ---------------------------------------------------------------------- */

enum gk_status gk_account_record_key(const struct gk_instance *instance,
                                     const struct gk_account_record *record,
                                     struct gk_root_key **root_key, struct gk_error *error)
{
    *root_key = NULL;
    if (record->settings.source != GK_KEY_SOURCE_SERVICE) {
        return GK_OK;
    }
    *root_key = gk_secret_alloc(sizeof **root_key);
    if (*root_key == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory for a key");
    }
    const enum gk_status status = gk_root_unwrap_by_service(
        instance, &record->id, gk_account_record_active(record), *root_key, error);
    if (status != GK_OK) {
        gk_secret_free(root_key);
    }
    return status;
}

/* --- changes of state ------------------------------------------------------------------------- */

/* What an audit event needs after the mutex is given back. */
struct transition {
    struct gk_key_state before;
    struct gk_key_state after;
    char key_id[GK_KEY_ID_BYTES_MAX];
};

static void locked_begin(const struct gk_account *account, struct transition *transition)
{
    transition->before = account->state;
}

static void locked_end(const struct gk_account *account, struct transition *transition)
{
    const struct gk_root_generation *active = gk_account_record_active(account->record);
    transition->after = account->state;
    memcpy(transition->key_id, active->wraps[0].key_id, sizeof transition->key_id);
}

static void tell(const struct gk_account *account, const struct transition *transition)
{
    gk_audit_state(account->instance, account->name, transition->key_id, &transition->before,
                   &transition->after);
}

/* Gate first: nobody who passes it later finds the key gone. Opening goes the other way round. */
static void locked_act(struct gk_account *account, enum gk_key_action action,
                       struct gk_root_key **root_key)
{
    if (action == GK_KEY_DROP) {
        locked_set_gate(account);
        locked_put_key(account, NULL);
        gk_standby_locked_refused(account);
    } else if (action == GK_KEY_TAKE && !account->forgotten) {
        locked_put_key(account, root_key);
        locked_set_gate(account);
        account->last_used_mono_ms = gk_instance_now(account->instance).mono_ms;
    }
}

/* *kept, which becomes NULL, is stored's record. */
static void locked_take_record(struct gk_account *account, const struct gk_stored_account *stored,
                               struct gk_account_record **kept)
{
    gk_standby_locked_drop(account);
    free(account->record);
    account->record = *kept;
    *kept = NULL;
    gk_record_witness_see(&account->witness, stored);
    if (stored->last_version_check_wall_ms > account->last_version_check_wall_ms) {
        account->last_version_check_wall_ms = stored->last_version_check_wall_ms;
    }
}

/* The account's key is in hand: it is service-managed, or the vault has opened it since proof. */
static void locked_open(struct gk_account *account, const struct gk_key_proof *proof,
                        struct gk_root_key **root_key)
{
    const struct gk_instance *instance = account->instance;
    const struct gk_moment now = gk_instance_now(instance);
    const struct gk_key_outcome opened = {.verdict = GK_VAULT_OK};
    if (account->record->settings.source == GK_KEY_SOURCE_SERVICE) {
        gk_key_state_init(&account->state, GK_KEY_SOURCE_SERVICE);
    } else if (account->state.state == GK_ACCOUNT_SERVICE_MANAGED) {
        gk_key_state_init(&account->state, GK_KEY_SOURCE_CUSTOMER);
    } else if (account->checks != proof->checks) {
        /* It may have been refused since, and only what is newer than a refusal lifts it. */
        account->next_check_mono_ms = now.mono_ms;
        return;
    }
    if (account->record->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        (void)gk_key_state_answer(&account->state, &opened, now, 0);
        account->next_check_mono_ms =
            proof->mono_ms + instance->settings.check_interval_ms - instance->tick_ms;
    }
    locked_act(account, GK_KEY_TAKE, root_key);
}

struct gk_key_proof gk_account_begin_proof(struct gk_account *account)
{
    struct gk_key_proof proof = {.mono_ms = gk_instance_now(account->instance).mono_ms};
    pthread_mutex_lock(&account->mutex);
    proof.checks = account->checks;
    pthread_mutex_unlock(&account->mutex);
    return proof;
}

static void locked_adopt(struct gk_account *account, const struct gk_stored_account *stored,
                         struct gk_account_record **kept, const struct gk_key_proof *proof,
                         struct gk_root_key **root_key)
{
    locked_take_record(account, stored, kept);
    if (*root_key != NULL) {
        locked_open(account, proof, root_key);
    } else {
        /* Somebody else wrote it, and has proved its key. Whether it may be used still, the next
         * answer tells; until then what was found out about the one before stands, and requests under
         * way do not notice. So does a root key that is not the active one any more: the answer brings that.
         * Under one that was retired nothing can come to stand meanwhile, whatever is sealed with it. */
        gk_key_state_take_customer(&account->state);
        account->next_check_mono_ms = gk_instance_now(account->instance).mono_ms;
    }
}

static bool locked_is_newer(const struct gk_account *account,
                            const struct gk_stored_account *stored)
{
    return stored->record.sequence > account->record->sequence &&
           gk_id_equal(&stored->record.id, &account->id) && !account->forgotten;
}

bool gk_account_adopt(struct gk_account *account, const struct gk_stored_account *stored,
                      const struct gk_key_proof *proof, struct gk_root_key **root_key)
{
    struct transition transition;
    /* Without memory for it, it is as though it had not been read: it will be, an interval later. */
    struct gk_account_record *kept = gk_account_record_keep(&stored->record);
    pthread_mutex_lock(&account->mutex);
    const bool newer = kept != NULL && locked_is_newer(account, stored);
    const bool own = stored->record.sequence == account->record->sequence && !account->forgotten;
    locked_begin(account, &transition);
    if (newer) {
        locked_adopt(account, stored, &kept, proof, root_key);
    } else if (own && *root_key != NULL) {
        locked_open(account, proof, root_key);
    }
    locked_end(account, &transition);
    pthread_cond_broadcast(&account->changed);
    pthread_mutex_unlock(&account->mutex);
    tell(account, &transition);
    free(kept);
    gk_secret_free(root_key);
    return newer;
}

void gk_account_take_key(struct gk_account *account, uint64_t sequence,
                         const struct gk_key_proof *proof, struct gk_root_key **root_key)
{
    struct transition transition;
    pthread_mutex_lock(&account->mutex);
    locked_begin(account, &transition);
    if (sequence == account->record->sequence && !account->forgotten) {
        locked_open(account, proof, root_key);
    }
    locked_end(account, &transition);
    pthread_cond_broadcast(&account->changed);
    pthread_mutex_unlock(&account->mutex);
    tell(account, &transition);
    gk_secret_free(root_key);
}

bool gk_account_adopt_stored(struct gk_account *account, const struct gk_stored_account *stored)
{
    struct gk_root_key *root_key = NULL;
    struct gk_error why = {0};
    pthread_mutex_lock(&account->mutex);
    const bool newer = locked_is_newer(account, stored);
    pthread_mutex_unlock(&account->mutex);
    if (!newer) {
        return false;
    }
    if (gk_account_record_key(account->instance, &stored->record, &root_key, &why) != GK_OK) {
        gk_instance_log(account->instance, GK_LOG_ERROR,
                        "account %s: its new record is refused: %s", account->name, why.message);
        return false;
    }
    const struct gk_key_proof none = {0}; /* the service key opened it, or nothing did */
    return gk_account_adopt(account, stored, &none, &root_key);
}

bool gk_account_answer(struct gk_account *account, uint64_t sequence,
                       const struct gk_key_outcome *outcome, struct gk_root_key **root_key)
{
    const struct gk_instance *instance = account->instance;
    const struct gk_moment now = gk_instance_now(instance);
    struct transition transition;
    pthread_mutex_lock(&account->mutex);
    locked_begin(account, &transition);
    const bool keyless = outcome->verdict == GK_VAULT_OK && !outcome->mismatch && *root_key == NULL;
    const bool active = gk_account_locked_has_active_key(account);
    const bool current = (sequence == account->record->sequence &&
                          (!keyless || (gk_key_state_is_open(&account->state) && active))) ||
                         account->forgotten;
    if (current && !account->forgotten) {
        enum gk_key_action action =
            gk_key_state_answer(&account->state, outcome, now, instance->settings.grace_ms);
        if (action == GK_KEY_KEEP && *root_key != NULL && !active) {
            action =
                GK_KEY_TAKE; /* the account goes on with an older one, and this is its successor */
        }
        locked_act(account, action, root_key);
    }
    locked_end(account, &transition);
    pthread_mutex_unlock(&account->mutex);
    tell(account, &transition);
    gk_secret_free(root_key);
    return current;
}

void gk_account_tick(struct gk_account *account, struct gk_moment now)
{
    struct transition transition;
    pthread_mutex_lock(&account->mutex);
    locked_begin(account, &transition);
    locked_act(account,
               gk_key_state_tick(&account->state, now, account->instance->settings.grace_ms), NULL);
    locked_end(account, &transition);
    pthread_mutex_unlock(&account->mutex);
    tell(account, &transition);
}
