/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a record out of a backup may take the place of what is known of an account: pure rules,
 * without vault, clock or host. Any thread.
 */
#ifndef PLUGIN_RESTORE_RULES_H
#define PLUGIN_RESTORE_RULES_H

#include "plugin/account_record.h"

enum gk_restore_verdict {
    GK_RESTORE_ALLOWED = 0,
    GK_RESTORE_OTHER_ACCOUNT,    /* the name is another account's */
    GK_RESTORE_LOSES_DATA,       /* a root key is in use that the backup does not have */
    GK_RESTORE_REVIVES_ROOT_KEY, /* the backup has one that was retired, or replaced, since */
    GK_RESTORE_CHANGES_SETTINGS  /* and no more than that: to be asked for */
};

/*
 * known is the newest record that is known of the account's name, NULL for none. A root key is the
 * same when generation and commitment are; one that is retired has nothing left under it.
 */
enum gk_restore_verdict gk_restore_judge(const struct gk_account_record *known,
                                         const struct gk_account_record *backup);

/*
 * The number that a restored record gets, later than backup and than seen, the latest one that is
 * known of that account (0: none). When the store's own is lost, others may have seen later ones:
 * then it is later by more than an account is ever changed.
 */
uint64_t gk_restore_sequence(uint64_t backup, uint64_t seen, bool lost);

#endif
