/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vaults are silent, to which identity, since when and why, as any call to them has found, whoever's it was. So of
 * an account whose key is not in memory can be said what a request would meet, and no vault is asked for that.
 *
 *   silent   no answer that counts (GK_VAULT_UNAVAILABLE), but for one of ours and one about the bytes of one account;
 *            the time of the first in a row, the words of the last
 *   over     by any other answer, one about bytes too, for the vault has given it; and untold when nobody has met it again for as long as the next check of an account
 *            that has may take, for then nobody asks that vault
 *
 * In memory alone, some 1.3 KB for each vault and identity that is told of at the same time: what is over is forgotten for
 * another. Any thread; a lock of its own, under which nothing is called.
 */
#ifndef PLUGIN_VAULT_SILENCES_H
#define PLUGIN_VAULT_SILENCES_H

#include "plugin/instance.h"

struct gk_vault_silences;

struct gk_vault_silence {
    int64_t since_wall_ms;
    char code[96];
    char message[256];
    char request_id[64];
};

/* NULL when memory is out. free sets *silences to NULL; NULL inside is fine. */
struct gk_vault_silences *gk_vault_silences_new(void) GK_MUST_USE;
void gk_vault_silences_free(struct gk_vault_silences **silences);

/* An answer to a get, a wrap or an unwrap; without memory for it, nothing. */
void gk_vault_silences_note(const struct gk_instance *instance, const char *vault_uri,
                            const struct gk_identity_reference *identity,
                            const struct gk_vault_answer *answer);
/* False, and *out as it was: the vault is not known to be silent to that identity. */
bool gk_vault_silences_find(const struct gk_instance *instance, const char *vault_uri,
                            const struct gk_identity_reference *identity,
                            struct gk_vault_silence *out) GK_MUST_USE;

#endif
