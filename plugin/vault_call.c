/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vault_call.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/secret.h"
#include "plugin/key_id.h"
#include "plugin/unwrap_counts.h"
#include "plugin/vault_silences.h"

#define STATUS_OK          200u
#define STATUS_BAD_REQUEST 400u

struct gk_deadline gk_vault_deadline_in(uint32_t ms)
{
    const struct gk_clock clock = gk_clock_system();
    return (struct gk_deadline){.at_ms = gk_clock_mono_ms(&clock) + ms};
}

uint32_t gk_vault_deadline_left_ms(const struct gk_deadline *deadline)
{
    const struct gk_clock clock = gk_clock_system();
    const int64_t left = deadline->at_ms - gk_clock_mono_ms(&clock);
    return left <= 0 ? 0 : left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

bool gk_vault_answer_is_about_bytes(const struct gk_vault_answer *answer)
{
    return answer->verdict == GK_VAULT_OK || answer->http_status == STATUS_OK ||
           answer->http_status == STATUS_BAD_REQUEST;
}

struct waiter {
    const struct gk_vault_caller *caller;
    const char *vault_uri; /* of which the answer tells; NULL: of nothing but what was asked */
    pthread_mutex_t mutex;
    pthread_cond_t done;
    bool is_done;
    struct gk_vault_result *result;
    struct gk_root_key *root_key; /* of an unwrap */
};

static void waiter_init(struct waiter *waiter, const struct gk_vault_caller *caller,
                        const char *vault_uri, struct gk_vault_result *result,
                        struct gk_root_key *root_key)
{
    waiter->caller = caller;
    waiter->vault_uri = vault_uri;
    pthread_mutex_init(&waiter->mutex, NULL);
    pthread_cond_init(&waiter->done, NULL);
    waiter->is_done = false;
    waiter->result = result;
    waiter->root_key = root_key;
}

static void waiter_wait(struct waiter *waiter)
{
    pthread_mutex_lock(&waiter->mutex);
    while (!waiter->is_done) {
        pthread_cond_wait(&waiter->done, &waiter->mutex);
    }
    pthread_mutex_unlock(&waiter->mutex);
    pthread_cond_destroy(&waiter->done);
    pthread_mutex_destroy(&waiter->mutex);
}

static void copy_answer(const struct gk_vault_answer *answer, struct gk_vault_result *result)
{
    result->verdict = answer->verdict;
    result->http_status = answer->http_status;
    result->ours = answer->ours != 0;
    result->retry_after_ms = answer->retry_after_ms;
    snprintf(result->code, sizeof result->code, "%s", answer->code);
    snprintf(result->message, sizeof result->message, "%s", answer->message);
    snprintf(result->request_id, sizeof result->request_id, "%s", answer->request_id);
    snprintf(result->key_id, sizeof result->key_id, "%s", answer->key_id);
    snprintf(result->algorithm, sizeof result->algorithm, "%s", answer->algorithm);
    result->info = answer->info;
}

static void make_unavailable(struct gk_vault_result *result, const char *code, const char *message)
{
    result->verdict = GK_VAULT_UNAVAILABLE;
    snprintf(result->code, sizeof result->code, "%s", code);
    snprintf(result->message, sizeof result->message, "%s", message);
}

static void on_done(void *ctx, const struct gk_vault_answer *answer)
{
    struct waiter *waiter = ctx;
    if (waiter->vault_uri != NULL) {
        gk_vault_silences_note(waiter->caller->instance, waiter->vault_uri,
                               waiter->caller->identity, answer);
    }
    pthread_mutex_lock(&waiter->mutex);
    copy_answer(answer, waiter->result);
    const bool is_ok = answer->verdict == GK_VAULT_OK;
    if (is_ok && waiter->root_key != NULL) {
        if (answer->value.len == sizeof waiter->root_key->bytes) {
            memcpy(waiter->root_key->bytes, answer->value.data, answer->value.len);
        } else {
            make_unavailable(waiter->result, "WrongLength", "the vault answered another length");
        }
    } else if (is_ok && answer->value.len <= sizeof waiter->result->wrapped) {
        if (answer->value.len > 0) {
            memcpy(waiter->result->wrapped, answer->value.data, answer->value.len);
        }
        waiter->result->wrapped_len = answer->value.len;
    }
    waiter->is_done = true;
    pthread_cond_signal(&waiter->done);
    pthread_mutex_unlock(&waiter->mutex);
}

/* What is left for the call; 0, with the result filled, when there is nothing. */
static uint32_t begin(const struct gk_vault_caller *caller, struct gk_vault_result *result)
{
    memset(result, 0, sizeof *result);
    const uint32_t left = gk_vault_deadline_left_ms(caller->deadline);
    if (left == 0) {
        result->ours = true;
        make_unavailable(result, "DeadlineExceeded", "the time for the vault to answer is over");
    }
    return left;
}

void gk_vault_call_get(const struct gk_vault_caller *caller, const struct gk_key_reference *key,
                       struct gk_vault_result *result)
{
    const uint32_t left = begin(caller, result);
    if (left == 0) {
        return;
    }
    struct waiter waiter;
    waiter_init(&waiter, caller, key->vault_uri, result, NULL);
    caller->instance->ops->key_get(caller->instance->provider, caller->identity, key, left, on_done,
                                   &waiter);
    waiter_wait(&waiter);
    if (result->verdict == GK_VAULT_OK && !gk_key_identifier_is_of(result->key_id, key)) {
        const uint16_t http_status = result->http_status;
        memset(result, 0, sizeof *result);
        result->http_status = http_status;
        make_unavailable(result, "UnexpectedAnswer", "the vault answered another key than asked");
    }
}

void gk_vault_call_rotation_due(const struct gk_vault_caller *caller,
                                const struct gk_key_reference *key,
                                const struct gk_key_info *version, struct gk_vault_result *result)
{
    const uint32_t left = begin(caller, result);
    if (left == 0) {
        return;
    }
    struct waiter waiter;
    waiter_init(&waiter, caller, NULL, result, NULL);
    caller->instance->ops->rotation_due(caller->instance->provider, caller->identity, key, version,
                                        left, on_done, &waiter);
    waiter_wait(&waiter);
}

void gk_vault_call_wrap(const struct gk_vault_caller *caller, const struct gk_key_reference *key,
                        const struct gk_root_key *root_key, struct gk_vault_result *result)
{
    const uint32_t left = begin(caller, result);
    if (left == 0) {
        return;
    }
    struct waiter waiter;
    waiter_init(&waiter, caller, key->vault_uri, result, NULL);
    caller->instance->ops->wrap(caller->instance->provider, caller->identity, key, root_key->bytes,
                                left, on_done, &waiter);
    waiter_wait(&waiter);
}

void gk_vault_call_unwrap(const struct gk_vault_caller *caller, const struct gk_root_wrap *wrap,
                          struct gk_root_key *root_key, struct gk_vault_result *result)
{
    gk_wipe(root_key, sizeof *root_key);
    const uint32_t left = begin(caller, result);
    if (left == 0) {
        return;
    }
    struct gk_key_reference key;
    if (!gk_key_identifier_parse(wrap->key_id, &key)) {
        result->ours = true;
        make_unavailable(result, "KeyIdentifierInvalid", "the record names a key that cannot be");
        return;
    }
    struct waiter waiter;
    waiter_init(&waiter, caller, key.vault_uri, result, root_key);
    caller->instance->ops->unwrap(caller->instance->provider, caller->identity, &key,
                                  wrap->algorithm, gk_span_of(wrap->value, wrap->value_len), left,
                                  on_done, &waiter);
    waiter_wait(&waiter);
    gk_unwrap_counts_note(caller->instance, caller->account, wrap->key_id, result->verdict,
                          result->request_id);
}
