/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider's calls as functions that wait. Not for the provider's own thread. They end when the
 * provider says so, which it does by the deadline or when it is stopped.
 */
#ifndef PLUGIN_VAULT_CALL_H
#define PLUGIN_VAULT_CALL_H

#include "plugin/instance.h"

/* A moment of CLOCK_MONOTONIC, never of the host's clock: somebody waits in real time. */
struct gk_deadline {
    int64_t at_ms;
};

struct gk_deadline gk_vault_deadline_in(uint32_t ms);
/* 0 when it has passed. */
uint32_t gk_vault_deadline_left_ms(const struct gk_deadline *deadline);

/* struct gk_vault_answer, to keep. */
struct gk_vault_result {
    enum gk_vault_verdict verdict;
    uint16_t http_status;
    bool ours;
    uint32_t retry_after_ms;
    char code[96];
    char message[256];
    char request_id[64];
    char key_id[GK_KEY_ID_BYTES_MAX];
    char algorithm[24];
    uint8_t wrapped[GK_WRAPPED_BYTES_MAX]; /* of a wrap */
    size_t wrapped_len;
    struct gk_key_info info; /* of a get */
    bool info_unknown;       /* of gk_key_get(): key_id is what was asked for, and info is zeros */
};

/* Whether an answer to an unwrap, one that did not bring the key, is about the bytes that were sent or came back, rather
 * than about the key. */
bool gk_vault_answer_is_about_bytes(const struct gk_vault_answer *answer);

/* Who calls: for which account, or scope, and on whose behalf (struct gk_call). */
struct gk_vault_caller {
    const struct gk_instance *instance;
    const char *account;
    const char *actor;
    const struct gk_identity_reference *identity;
    const struct gk_deadline *deadline;
};

/* An answer that names another key, or another version than was asked for, is none. */
void gk_vault_call_get(const struct gk_vault_caller *caller, const struct gk_key_reference *key,
                       struct gk_vault_result *result);
/* By when the rotation policy of the key has that version followed by another one: result->info.rotation_due_wall_ms. */
void gk_vault_call_rotation_due(const struct gk_vault_caller *caller,
                                const struct gk_key_reference *key,
                                const struct gk_key_info *version, struct gk_vault_result *result);
void gk_vault_call_wrap(const struct gk_vault_caller *caller, const struct gk_key_reference *key,
                        const struct gk_root_key *root_key, struct gk_vault_result *result);
/* root_key is secret memory; zeroed unless the verdict is GK_VAULT_OK. */
void gk_vault_call_unwrap(const struct gk_vault_caller *caller, const struct gk_root_wrap *wrap,
                          struct gk_root_key *root_key, struct gk_vault_result *result);

#endif
