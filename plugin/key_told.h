/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vault told last of the key that an account's settings name: of its current version, or of
 * the one that they pin. Kept in the account's record, so that it is known while the vault is away and
 * after a restart. A change of it is a change of the record; that it was told again is not. Pure.
 */
#ifndef PLUGIN_KEY_TOLD_H
#define PLUGIN_KEY_TOLD_H

#include <stdbool.h>

#include "gatekey/provider.h"

/* All zeros: nothing is known. */
struct gk_key_told {
    char key_id[GK_KEY_ID_BYTES_MAX]; /* the full identifier of that version */
    struct gk_key_info info;
    int64_t told_wall_ms; /* the first time that it was told like this */
};

static inline bool gk_key_told_is_known(const struct gk_key_told *told)
{
    return told->key_id[0] != '\0';
}
/* Where the vault did not tell, or told what cannot be shown, nothing is known. */
struct gk_key_told gk_key_told_now(const char *key_id, const struct gk_key_info *info,
                                   int64_t wall_ms);
/* Whenever it was told. */
bool gk_key_told_same(const struct gk_key_told *a, const struct gk_key_told *b);
/* What is wrong with it, or NULL. */
const char *gk_key_told_fault(const struct gk_key_told *told);

#endif
