/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Account records in the host's account store. Blocks on storage; no lock may be held.
 *
 * A record that is replaced stays beside the new one, in the same atomic write, while a rotation
 * settles: as long as every wrap that it has stands in the new one too, by the same key version, and
 * the new one has a second wrap. Else whoever has the older key, or the service key, could go on
 * opening the account with what was left behind.
 */
#ifndef PLUGIN_ACCOUNT_STORE_H
#define PLUGIN_ACCOUNT_STORE_H

#include "plugin/instance.h"

/* When the vault was last asked for the key's current version, in decimal milliseconds. Beside the
 * record, so that a daily look that finds nothing new does not write a new record. Not
 * authenticated: who changes it can make us look more often, or one interval later. */
#define GK_ACCOUNT_ATTR_VERSION_CHECK "gatekey.version-check"

/* A record as it was read, with what it takes to replace it. About 20 KB: keep it on the heap. */
struct gk_stored_account {
    struct gk_account_record record;
    uint64_t version;    /* of the account's object */
    struct gk_buf bytes; /* the record as stored */
    bool has_previous;   /* GK_ACCOUNT_ATTR_PREVIOUS is there */
    int64_t last_version_check_wall_ms;
};

/* NULL when memory is out. free sets *stored to NULL; NULL inside is fine. */
struct gk_stored_account *gk_stored_account_new(void) GK_MUST_USE;
void gk_stored_account_free(struct gk_stored_account **stored);

/* GK_E_NOT_FOUND: no such account, or one without a record; stored->version tells which (0: no
 * object). GK_E_INTEGRITY: the record is not authentic, or its settings do not allow its wraps.
 * For an account in memory gk_account_reread() is the one to call. */
enum gk_status gk_account_store_read(const struct gk_instance *instance, const char *account,
                                     struct gk_stored_account *stored,
                                     struct gk_error *error) GK_MUST_USE;
/* The same for whom has a record already: stored->record is the one that known is the MAC of, and stays as it is, unread,
 * when the store has that one still. Reading one takes ten times what its MAC does, and accounts in use are read again
 * with each check of their keys. */
enum gk_status gk_account_store_read_again(const struct gk_instance *instance, const char *account,
                                           const struct gk_account_record_mac *known,
                                           struct gk_stored_account *stored,
                                           struct gk_error *error) GK_MUST_USE;
/* The id of the account that the scope of this name is in, as stored now. As above. */
enum gk_status gk_account_store_read_parent(const struct gk_instance *instance, const char *scope,
                                            struct gk_id *id, struct gk_error *error) GK_MUST_USE;
/* The same of a record that does not come from the store: stored holds it, and no version. */
enum gk_status gk_stored_account_take(const struct gk_instance *instance, const char *account,
                                      struct gk_span bytes, struct gk_stored_account *stored,
                                      struct gk_error *error) GK_MUST_USE;
/*
 * Writes record in place of what stored holds (nothing, for a new account), its sequence set to the
 * next one, and its warnings to those that stand; tells which of them begin and end. Other attributes may have changed meanwhile; GK_E_CONFLICT when the record itself has.
 * On success stored holds what is in the store now.
 */
enum gk_status gk_account_store_write(const struct gk_instance *instance,
                                      struct gk_stored_account *stored,
                                      const struct gk_account_record *record,
                                      struct gk_error *error) GK_MUST_USE;
/* Notes the time of a version check, and removes a record before that has no place there. Failures
 * are of no consequence beyond an earlier next look. */
void gk_account_store_note_check(const struct gk_instance *instance,
                                 struct gk_stored_account *stored, int64_t wall_ms);

#endif
