/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account in memory: its record, the state of its key, and the root key while that may be used.
 * Shared by all handles on it, by the registry and by work under way; counted.
 *
 * The gate is what requests look at (through pass.h): one word that holds who may pass and how often the root key
 * has been dropped. A handle keeps the word it was made under and works while it stands. Dropping
 * changes the word first and wipes the root key then, so no chunk begins after that.
 */
#ifndef PLUGIN_ACCOUNT_H
#define PLUGIN_ACCOUNT_H

#include "plugin/account_store.h"
#include "plugin/audit.h"
#include "plugin/record_witness.h"
#include "plugin/vault_call.h"

/* One check of the key. Whoever has claimed account->checking owns it. */
struct gk_recheck {
    uint64_t sequence; /* of the record whose wrap it is about */
    struct gk_identity_reference identity;
    struct gk_root_generation generation; /* its first wrap is asked for */
    struct gk_key_outcome outcome;        /* what to report */
    bool without_standby;                 /* its batch has not brought it back */
};

/* When the vault was asked for what is to be adopted; begun before that. */
struct gk_key_proof {
    int64_t mono_ms;
    uint64_t checks; /* of the account's that had ended by then */
};

struct gk_standby;

struct gk_account {
    struct gk_instance *instance; /* this and the next three never change */
    char name[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_id id;
    struct gk_id parent;                 /* of a scope: its account's id */
    struct gk_record_open_key *open_key; /* secret memory; never changes */

    atomic_uint references;
    atomic_uint_fast64_t gate;

    pthread_mutex_t mutex;            /* of what follows, to key_lock */
    pthread_cond_t changed;           /* a check ended, a change ended, the account was forgotten */
    struct gk_account_record *record; /* kept; replaced as a whole, never changed */
    struct gk_record_witness witness; /* of record */
    struct gk_key_state state;
    bool forgotten;
    bool checking;   /* an unwrap is under way, for all who wait */
    bool changing;   /* settings or wraps are being changed, by one at a time */
    uint64_t checks; /* how many checks have ended */
    int64_t next_check_mono_ms;
    int64_t next_reread_mono_ms;
    bool unread;               /* the stored record could not be read last time */
    bool version_check_failed; /* as the log has it */
    int64_t last_version_check_wall_ms;
    int64_t version_check_not_before_mono_ms; /* after one that failed */
    int64_t last_used_mono_ms; /* by who has a handle, as the ticker saw, or got a key */

    pthread_rwlock_t key_lock;    /* of the two below; readers are the data path */
    struct gk_root_key *root_key; /* secret memory; NULL unless the state is open */
    uint32_t generation; /* its; not the record's active one until the vault has opened that */

    struct gk_standby *standby; /* standby.h, as is the copy; under the mutex */
    uint8_t standby_copy[GK_SERVICE_WRAPPED_ROOT_BYTES];

    struct gk_recheck recheck;
    struct gk_account *followers; /* of the check under way; whoever has claimed it owns both */
    struct gk_account
        *next_follower; /* in its leader's list, or another of accounts that are claimed */
    struct gk_account *next_leader; /* the ticker's alone */
    struct gk_job refresh;          /* a refusal waits for a second look at the stored record */
    struct gk_job rotate;
    struct gk_job reread;    /* the stored record may have been changed by others */
    struct gk_account *next; /* in its bucket, under accounts_lock */
    struct gk_account *due;  /* the ticker's list; the provider's thread alone, as is due_work */
    unsigned due_work;
};

/* --- the vtable's part, see plugin.h --- */
enum gk_status gk_account_open(struct gk_instance *instance, const char *account,
                               struct gk_account **out, struct gk_error *error) GK_MUST_USE;
void gk_account_release(struct gk_account *account);
void gk_account_forget(struct gk_instance *instance, const char *account);
enum gk_status gk_account_authorize(struct gk_account *account, enum gk_operation operation,
                                    uint32_t flags, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_warm(struct gk_account *account, uint32_t deadline_ms,
                               struct gk_error *error) GK_MUST_USE;

/* --- for the rest of plugin/ --- */
void gk_account_retain(struct gk_account *account);
/* Of a list that next_follower links: the first, which there is, off it; and one more onto it. */
struct gk_account *gk_account_take_first(struct gk_account **list);
void gk_account_put_first(struct gk_account **list, struct gk_account *account);
/* One with that record that nobody else knows of; GK_E_INTEGRITY: its key does not open. */
enum gk_status gk_account_new(struct gk_instance *instance, const struct gk_stored_account *stored,
                              struct gk_account **out, struct gk_error *error) GK_MUST_USE;
/* As account_forget, for this account and no other that has its name by now. */
void gk_account_forget_this(struct gk_account *account);
/* The one of that name in memory, with a reference of the caller's; NULL when there is none. */
struct gk_account *gk_accounts_find(struct gk_instance *instance, const char *name);
/* Calls visit for all in memory, accounts_lock held. */
typedef void gk_accounts_visit_fn(struct gk_account *account);
void gk_accounts_each(struct gk_instance *instance, gk_accounts_visit_fn *visit);
/*
 * Whether nobody has used the account for so long that it is to be taken out of the registry; what is kept of it
 * is noted then (absent_accounts.h). An account whose key is refused, or whose vault is silent, stays: why and since
 * when is known here alone, and a root key that the grace keeps is not thrown away; so does one whose version check is
 * due, until that is done. accounts_lock and the mutex are held.
 */
bool gk_account_locked_close_idle(struct gk_account *account, struct gk_moment now);
/* Drops the registry's references; only handles keep accounts from then on. */
void gk_accounts_clear(struct gk_instance *instance);

/* The key of a service-managed account; none, NULL, for a customer's. GK_E_INTEGRITY: it does not
 * open. */
enum gk_status gk_account_record_key(const struct gk_instance *instance,
                                     const struct gk_account_record *record,
                                     struct gk_root_key **root_key,
                                     struct gk_error *error) GK_MUST_USE;
/* First state of a new account, whose record is set. Consumes *root_key. */
void gk_account_locked_begin(struct gk_account *account, struct gk_root_key **root_key);
/* Whether the root key in memory is the one that the record has as active. The mutex is held. */
bool gk_account_locked_has_active_key(const struct gk_account *account);
/* Nobody gets through any more. The mutex is held. */
void gk_account_locked_shut(struct gk_account *account);

/* GK_OK while the gate stands open; *gate is the word to keep. Else what clients get. */
enum gk_status gk_account_enter(struct gk_account *account, uint64_t *gate,
                                struct gk_error *error) GK_MUST_USE;
/* GK_OK while the gate still stands as it did. One atomic load on the way that is usual. */
enum gk_status gk_account_still(struct gk_account *account, uint64_t gate,
                                struct gk_error *error) GK_MUST_USE;
/* GK_E_NOT_FOUND for an account that was forgotten. */
enum gk_status gk_account_not_forgotten(struct gk_account *account,
                                        struct gk_error *error) GK_MUST_USE;

/* A copy of the state as one who waits for it needs it; the mutex is held. */
enum gk_status gk_account_locked_error(struct gk_account *account,
                                       struct gk_error *error) GK_MUST_USE;
/*
 * Reads the stored record of an account in memory, to build on it or to take it over.
 * GK_E_NOT_FOUND: it is gone, or another account has its name; this one is forgotten then.
 * GK_E_INTEGRITY: it is not authentic, or an older one that was put back. Blocks on storage; no lock
 * may be held.
 */
enum gk_status gk_account_reread(struct gk_account *account, struct gk_stored_account *stored,
                                 struct gk_error *error) GK_MUST_USE;

struct gk_key_proof gk_account_begin_proof(struct gk_account *account);
/*
 * Takes over a record when it is newer than ours. *root_key, secret memory, is consumed and may be
 * NULL: with it the account opens, for the vault has opened it since the proof began, unless a check
 * has ended since then: that one knows better. Without it the key in memory stays as it is until the
 * next check, which is due at once; a service-managed account's, too, that has got a customer's key. proof is for a customer's key alone. Returns false for a record
 * that is not newer: nothing changes then, unless it is the account's own, found in the store before
 * its writer got here, whose key counts all the same.
 */
bool gk_account_adopt(struct gk_account *account, const struct gk_stored_account *stored,
                      const struct gk_key_proof *proof, struct gk_root_key **root_key);
/* The same for a record that was found in the store, written by somebody else perhaps. */
bool gk_account_adopt_stored(struct gk_account *account, const struct gk_stored_account *stored);
/* Opens the account with a customer's key when it has the record of that sequence; as above. */
void gk_account_take_key(struct gk_account *account, uint64_t sequence,
                         const struct gk_key_proof *proof, struct gk_root_key **root_key);
/*
 * What the vault said to unwrapping the record of that sequence. root_key is as above, given with
 * GK_VAULT_OK, or none when the vault has opened another account's with the same key version. False when
 * the account has another record by now, or would have to be given a key that is not there: the answer is of
 * no use, and the question has to be asked again.
 */
bool gk_account_answer(struct gk_account *account, uint64_t sequence,
                       const struct gk_key_outcome *outcome, struct gk_root_key **root_key);
/* Time went on. */
void gk_account_tick(struct gk_account *account, struct gk_moment now);

/* Waits on account->changed, mutex held, until woken or the deadline; false when it has passed. */
bool gk_account_locked_wait(struct gk_account *account, const struct gk_deadline *deadline);
/* One change at a time: GK_E_UNAVAILABLE when another does not end before the deadline. */
enum gk_status gk_account_begin_change(struct gk_account *account,
                                       const struct gk_deadline *deadline,
                                       struct gk_error *error) GK_MUST_USE;
void gk_account_end_change(struct gk_account *account);

#endif
