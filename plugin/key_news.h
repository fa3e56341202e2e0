/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vaults have told of keys' newest versions. A look for a newer version is about a key, not about an account: one
 * that was made for any of the accounts on that key, with that identity, counts for all whose own last look was before
 * it. They note its time as that of their own, and so come to be due together with it: a key costs one get in an
 * interval, however many accounts stand on it, and each version is found within an interval all the same.
 *
 * In memory alone, some 1.6 KB for each key: who has lost it asks. Any thread.
 */
#ifndef PLUGIN_KEY_NEWS_H
#define PLUGIN_KEY_NEWS_H

#include "plugin/vault_call.h"

struct gk_key_news;

/* NULL when memory is out. free sets *news to NULL; NULL inside is fine. */
struct gk_key_news *gk_key_news_new(void) GK_MUST_USE;
void gk_key_news_free(struct gk_key_news **news);

/* Keeps an answer of GK_VAULT_OK to a get that was sent at that time; without memory, nothing. */
void gk_key_news_note(struct gk_key_news *news, const struct gk_encryption_settings *settings,
                      const struct gk_vault_result *result, int64_t asked_wall_ms);
/* What was asked after after_wall_ms, and until now_wall_ms: result as of the get, and when. False: ask. */
bool gk_key_news_find(struct gk_key_news *news, const struct gk_encryption_settings *settings,
                      int64_t after_wall_ms, int64_t now_wall_ms, struct gk_vault_result *result,
                      int64_t *asked_wall_ms);

#endif
