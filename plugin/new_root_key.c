/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new root key for an account that is there: another generation, under which all is sealed from then on.
 * The one before goes on opening what was sealed under it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "plugin/account_change.h"
#include "plugin/older_key.h"
#include "plugin/record_change.h"

/* Room for one more generation in next. One that is retired says nothing any more but that it was. */
static enum gk_status make_room(struct gk_account_record *next, struct gk_error *error)
{
    uint32_t at = 0;
    if (next->generations_count < GK_ACCOUNT_GENERATIONS_MAX) {
        return GK_OK;
    }
    while (at < next->generations_count && next->generations[at].state != GK_GENERATION_RETIRED) {
        at++;
    }
    if (at == next->generations_count) {
        return gk_fail_http(error, GK_E_INVALID, 409, "RootKeyGenerationsInUse",
                            "Account %.88s has %u root keys in use, which is all that it may have. "
                            "Run a reseal, after which its older ones are retired.",
                            next->account, GK_ACCOUNT_GENERATIONS_MAX);
    }
    next->generations_count--;
    memmove(&next->generations[at], &next->generations[at + 1],
            (next->generations_count - at) * sizeof next->generations[0]);
    return GK_OK;
}

/* The one that is to be active: the number after the last, with fresh as its key. */
static enum gk_status begin_generation(struct gk_record_change *change,
                                       const struct gk_root_key *fresh, int64_t now_ms,
                                       struct gk_root_generation *made, struct gk_error *error)
{
    const struct gk_account_record *next = change->next;
    const uint32_t last = next->generations[next->generations_count - 1].generation;
    if (last == UINT32_MAX) {
        return gk_fail(error, GK_E_LIMIT, "the account has had all root keys that there can be");
    }
    *made = (struct gk_root_generation){.generation = last + 1,
                                        .state = GK_GENERATION_ACTIVE,
                                        .created_wall_ms = now_ms,
                                        .wraps_count = 1};
    const struct gk_root_scope scope = {.account = next->id, .generation = made->generation};
    const enum gk_status status =
        gk_root_key_commitment(change->instance->crypto, fresh, &scope, made->commitment, error);
    return status == GK_OK ? gk_record_change_wrap(change, made, fresh, &made->wraps[0], error)
                           : status;
}

/* All that are in use are wrapped by fresh, opened one after the other in older, which is secret memory. */
static enum gk_status wrap_older(struct gk_record_change *change, const struct gk_active_key *fresh,
                                 int64_t now_ms, struct gk_root_key *older, struct gk_error *error)
{
    const struct gk_crypto *crypto = change->instance->crypto;
    struct gk_account_record *next = change->next;
    struct gk_root_generation *present = gk_account_record_active_to_change(next);
    const struct gk_active_key active = {
        .key = change->root_key, .scope = {.account = next->id, .generation = present->generation}};
    enum gk_status status = GK_OK;
    for (uint32_t i = 0; status == GK_OK && i < next->generations_count; i++) {
        struct gk_root_generation *generation = &next->generations[i];
        if (generation->state != GK_GENERATION_DECRYPT_ONLY) {
            continue;
        }
        status = gk_older_key_open(crypto, &active, generation, older, error);
        if (status == GK_OK) {
            status = gk_older_key_wrap(crypto, fresh, older, now_ms, generation, error);
        }
    }
    return status == GK_OK
               ? gk_older_key_wrap(crypto, fresh, change->root_key, now_ms, present, error)
               : status;
}

/* change->next is the present record, whose root key is in change->root_key; fresh and older are secret
 * memory. On success change->root_key is the new one. */
static enum gk_status fill_next(struct gk_record_change *change, struct gk_root_key *fresh,
                                struct gk_root_key *older, struct gk_error *error)
{
    struct gk_account_record *next = change->next;
    const int64_t now_ms = gk_instance_now(change->instance).wall_ms;
    struct gk_root_generation made;
    enum gk_status status = make_room(next, error);
    if (status == GK_OK) {
        status = gk_root_key_random(fresh, error);
    }
    if (status == GK_OK) {
        status = begin_generation(change, fresh, now_ms, &made, error);
    }
    if (status == GK_OK) {
        const struct gk_active_key active = {
            .key = fresh, .scope = {.account = next->id, .generation = made.generation}};
        status = wrap_older(change, &active, now_ms, older, error);
    }
    if (status != GK_OK) {
        return status;
    }
    next->generations[next->generations_count++] = made;
    next->previous_wrap_until_wall_ms = 0; /* it went with the wraps of the generation before */
    gk_record_change_keep_told(change, now_ms);
    *change->root_key = *fresh;
    return GK_OK;
}

static enum gk_status make(struct gk_record_change *change, struct gk_error *error)
{
    struct gk_root_key *fresh = gk_secret_alloc(sizeof *fresh);
    struct gk_root_key *older = gk_secret_alloc(sizeof *older);
    const enum gk_status status = fresh == NULL || older == NULL
                                      ? gk_fail(error, GK_E_RESOURCE, "no memory for a key")
                                      : fill_next(change, fresh, older, error);
    gk_secret_free(&older);
    gk_secret_free(&fresh);
    return status;
}

static enum gk_status replace_once(struct gk_record_change *change, struct gk_account *account,
                                   struct gk_error *error)
{
    enum gk_status status = gk_account_reread(account, change->stored, error);
    change->settings = &change->stored->record.settings;
    change->proof = gk_account_begin_proof(account);
    if (status == GK_OK) {
        status = gk_record_change_accept_key(change, error);
    }
    if (status == GK_OK) {
        status = gk_record_change_open_present(change, error);
    }
    if (status == GK_OK) {
        status = make(change, error);
    }
    return status == GK_OK
               ? gk_account_store_write(change->instance, change->stored, change->next, error)
               : status;
}

static enum gk_status replace(struct gk_record_change *change, struct gk_account *account,
                              struct gk_error *error)
{
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; status == GK_E_CONFLICT && i < GK_RECORD_CHANGE_ATTEMPTS_MAX; i++) {
        status = replace_once(change, account, error);
    }
    char done[64] = "";
    if (status == GK_OK) {
        snprintf(done, sizeof done, "new data is under generation %u",
                 (unsigned)gk_account_record_active(&change->stored->record)->generation);
    }
    gk_record_change_tell(change, GK_AUDIT_ACCOUNT_ROOT_KEY, status, done, error);
    if (status == GK_OK) {
        (void)gk_account_adopt(account, change->stored, &change->proof, &change->root_key);
    }
    return status;
}

enum gk_status gk_account_new_root_key(struct gk_instance *instance, const char *name,
                                       const struct gk_call *call, struct gk_error *error)
{
    struct gk_error why = {0};
    struct gk_account *account = NULL;
    struct gk_record_change change = {0};
    enum gk_status status = gk_account_open(instance, name, &account, &why);
    if (status == GK_OK) {
        status = gk_record_change_init(&change, instance, name, NULL, call, &why);
    }
    if (status == GK_OK) {
        status = gk_account_begin_change(account, &change.deadline, &why);
    }
    if (status == GK_OK) {
        status = replace(&change, account, &why);
        gk_account_end_change(account);
    }
    if (status != GK_OK && error != NULL) {
        *error = why;
    }
    gk_record_change_cleanup(&change);
    gk_account_release(account);
    return status;
}
