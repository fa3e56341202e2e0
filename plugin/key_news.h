/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vaults have told of keys' newest versions. A look for a newer version is about a key, not about an account: one
 * that was made for any of the accounts on that key, with that identity, counts for all whose own last look was before
 * it. They note its time as that of their own, and so come to be due together with it: a key costs one get in an
 * interval, however many accounts stand on it, and each version is found within an interval all the same.
 *
 * So it is with what is no answer: while a vault is silent to an identity, or refuses to tell it of a key, one look for
 * all of them has found that out, and whose look is due is put off:
 *
 *   silent   a check interval, all keys of that vault, for that identity; the one that waited comes after the others
 *   refused  this key: REFUSED_FIRST, twice as long each time to a version-check interval; a get, and a wrap by the
 *            newer version that it told of, each for itself
 *
 * An answer ends the silence, and what is done the refusals of it. A rotation policy that cannot be read puts off itself
 * alone: POLICY_FIRST, twice as long each time to POLICY_LONGEST. In memory alone, some 1.6 KB for each key: who has lost
 * it asks. Any thread.
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
enum gk_key_news_call { GK_KEY_NEWS_GET = 0, GK_KEY_NEWS_WRAP = 1, GK_KEY_NEWS_CALLS = 2 };

/* That was refused; true when the one before was, too. longest_ms: of a pause. */
bool gk_key_news_note_refused(struct gk_key_news *news,
                              const struct gk_encryption_settings *settings,
                              enum gk_key_news_call call, int64_t now_mono_ms, int64_t longest_ms);
/* The key has wrapped by its newest version, for whomever. */
void gk_key_news_note_wrapped(struct gk_key_news *news,
                              const struct gk_encryption_settings *settings);
/* The vault was silent to a get, and is not to be asked before that. */
void gk_key_news_note_silent(struct gk_key_news *news,
                             const struct gk_encryption_settings *settings, int64_t until_mono_ms);
/* The key's rotation policy was asked for, and read or not. True when that is another outcome than the time before; the
 * first time, when it was not. */
bool gk_key_news_note_policy(struct gk_key_news *news,
                             const struct gk_encryption_settings *settings, bool read,
                             int64_t now_mono_ms);
bool gk_key_news_may_ask_policy(struct gk_key_news *news,
                                const struct gk_encryption_settings *settings, int64_t now_mono_ms);
/* Until when a look that is due is put off; INT64_MIN: it is not. */
int64_t gk_key_news_put_off_until(struct gk_key_news *news,
                                  const struct gk_encryption_settings *settings);
/* What was asked after after_wall_ms, and until now_wall_ms: result as of the get, and when. False: ask. */
bool gk_key_news_find(struct gk_key_news *news, const struct gk_encryption_settings *settings,
                      int64_t after_wall_ms, int64_t now_wall_ms, struct gk_vault_result *result,
                      int64_t *asked_wall_ms);

#endif
