/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record in the making: what is stored, what is to be, and the root key between them. What creating an
 * account, changing its key and giving it a new root key have in common. Belongs to one thread; blocks on
 * storage and on the vault, no lock may be held.
 */
#ifndef PLUGIN_RECORD_CHANGE_H
#define PLUGIN_RECORD_CHANGE_H

#include "plugin/account.h"

/* How often a change begins anew because somebody else changed the record under it. */
#define GK_RECORD_CHANGE_ATTEMPTS_MAX 4u

struct gk_record_change {
    struct gk_instance *instance;
    const char *account;                           /* its name */
    const char *actor;                             /* as in struct gk_call */
    const struct gk_encryption_settings *settings; /* that next has, or is to have */
    struct gk_deadline deadline;
    struct gk_stored_account *stored;
    struct gk_account_record *next;
    struct gk_root_key *root_key; /* of the active generation; secret memory */
    struct gk_key_proof proof;
    struct gk_vault_result key;       /* what the vault told of the customer's key */
    char before[GK_KEY_ID_BYTES_MAX]; /* what wrapped the root key; "" for a new account */
};

/* account stays the caller's; cleanup whatever the result; it is fine on zeros. */
enum gk_status gk_record_change_init(struct gk_record_change *change, struct gk_instance *instance,
                                     const char *account,
                                     const struct gk_encryption_settings *settings,
                                     const struct gk_call *call,
                                     struct gk_error *error) GK_MUST_USE;
void gk_record_change_cleanup(struct gk_record_change *change);

bool gk_record_change_is_customer(const struct gk_record_change *change);
/* Of the settings' key, when it is a customer's; what the operator does not permit is not asked for. */
enum gk_status gk_record_change_accept_key(struct gk_record_change *change,
                                           struct gk_error *error) GK_MUST_USE;
/* The present key must still open the root key: who has taken it away has not agreed to this. Nor is
 * an older version asked beyond its time. next becomes the present record, without that. */
enum gk_status gk_record_change_open_present(struct gk_record_change *change,
                                             struct gk_error *error) GK_MUST_USE;
/* Wraps root_key, which is generation's of next, as the settings say; the one wrap call of a change. */
enum gk_status gk_record_change_wrap(struct gk_record_change *change,
                                     const struct gk_root_generation *generation,
                                     const struct gk_root_key *root_key, struct gk_root_wrap *made,
                                     struct gk_error *error) GK_MUST_USE;
/* The audit event. */
void gk_record_change_tell(const struct gk_record_change *change, enum gk_audit_event_id event,
                           enum gk_status status, const char *done, const struct gk_error *why);
/* next says what the vault told of the key that wraps from now on. */
void gk_record_change_keep_told(struct gk_record_change *change, int64_t now_ms);

#endif
