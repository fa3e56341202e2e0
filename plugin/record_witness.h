/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the newest record of an account was that this process has seen. Whoever writes the store can
 * put an older one back, authentic as it is: from before a rotation, or from when the service key
 * opened the account. Each write of a record raises its sequence, so a lower one was put back, and so
 * was another record of the same one, which was written by somebody who had built on one put back.
 *
 * An account in memory has a witness of its own; those of others that were there are kept by name
 * (absent_accounts.h), or forgetting would make room for an older record. What was before the process
 * started, nobody here can witness.
 */
#ifndef PLUGIN_RECORD_WITNESS_H
#define PLUGIN_RECORD_WITNESS_H

#include "plugin/account_store.h"

struct gk_record_witness {
    struct gk_id id;
    uint64_t sequence; /* 0: nothing was seen */
    struct gk_account_record_mac mac;
    struct gk_account_record_mac told; /* of the record that was reported last */
};

/* stored is the newest one from now on. */
void gk_record_witness_see(struct gk_record_witness *witness,
                           const struct gk_stored_account *stored);
/* Whether stored is the record that was seen, a later one, or another account's. seen is a copy from
 * before the store was read: others may have written and seen a later one since. */
bool gk_record_witness_allows(const struct gk_record_witness *seen,
                              const struct gk_stored_account *stored);
/* Keeps what was found; true when it is to be told: a record that is not good, for the first time. */
bool gk_record_witness_note(struct gk_record_witness *witness,
                            const struct gk_stored_account *stored, bool good);
/* The refusal, GK_E_INTEGRITY; with tell also a line in the log and an audit event. No lock held. */
enum gk_status gk_record_put_back(const struct gk_instance *instance, bool tell,
                                  const struct gk_record_witness *seen,
                                  const struct gk_stored_account *stored, struct gk_error *error);

#endif
