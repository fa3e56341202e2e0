/* SPDX-License-Identifier: Apache-2.0 */
/* Older root keys under which nothing is left: the wraps that would open them are destroyed. */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/text.h"
#include "plugin/account_change.h"
#include "plugin/audit.h"
#include "plugin/record_change.h"

static bool is_to_go(const struct gk_root_generation *generation,
                     const struct gk_retirement *retirement)
{
    for (size_t i = 0; i < retirement->kept_count; i++) {
        if (retirement->kept[i] == generation->generation) {
            return false;
        }
    }
    return generation->state == GK_GENERATION_DECRYPT_ONLY &&
           generation->generation < retirement->below;
}

/* How many. */
static uint32_t retire_in(struct gk_account_record *next, const struct gk_retirement *retirement)
{
    uint32_t retired = 0;
    for (uint32_t i = 0; i < next->generations_count; i++) {
        struct gk_root_generation *generation = &next->generations[i];
        if (is_to_go(generation, retirement)) {
            generation->state = GK_GENERATION_RETIRED;
            generation->wraps_count = 0;
            memset(generation->wraps, 0, sizeof generation->wraps);
            retired++;
        }
    }
    return retired;
}

/* One event for each, by which it can be told from any other: its commitment. */
static void tell(const struct gk_record_change *change, const struct gk_account_record *before,
                 const struct gk_retirement *retirement)
{
    for (uint32_t i = 0; i < before->generations_count; i++) {
        const struct gk_root_generation *generation = &before->generations[i];
        if (!is_to_go(generation, retirement)) {
            continue;
        }
        struct gk_buf commitment;
        char detail[160];
        gk_buf_init(&commitment, 2 * (size_t)GK_ROOT_COMMITMENT_BYTES);
        gk_hex_encode(&commitment,
                      gk_span_of(generation->commitment, sizeof generation->commitment));
        snprintf(detail, sizeof detail, "generation %u, commitment %s, is destroyed",
                 (unsigned)generation->generation, gk_buf_str(&commitment));
        gk_buf_cleanup(&commitment);
        gk_audit(change->instance,
                 &(const struct gk_audit_event){.event = GK_AUDIT_ACCOUNT_ROOT_KEY_RETIRE,
                                                .account = before->account,
                                                .outcome = "ok",
                                                .detail = detail,
                                                .actor = change->actor});
    }
}

static enum gk_status retire_once(struct gk_record_change *change, struct gk_account *account,
                                  const struct gk_retirement *retirement, uint32_t *retired,
                                  struct gk_error *error)
{
    struct gk_account_record *before = malloc(sizeof *before);
    if (before == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = gk_account_reread(account, change->stored, error);
    *before = change->stored->record;
    *change->next = *before;
    *retired = status == GK_OK ? retire_in(change->next, retirement) : 0;
    if (*retired > 0) {
        status = gk_account_store_write(change->instance, change->stored, change->next, error);
        if (status == GK_OK) {
            tell(change, before, retirement);
        }
    }
    free(before);
    return status;
}

static enum gk_status retire(struct gk_record_change *change, struct gk_account *account,
                             const struct gk_retirement *retirement, uint32_t *retired,
                             struct gk_error *error)
{
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; status == GK_E_CONFLICT && i < GK_RECORD_CHANGE_ATTEMPTS_MAX; i++) {
        status = retire_once(change, account, retirement, retired, error);
    }
    if (status == GK_OK) {
        (void)gk_account_adopt_stored(account, change->stored);
    }
    return status;
}

enum gk_status gk_account_retire_root_keys(struct gk_account *account,
                                           const struct gk_retirement *retirement,
                                           uint32_t *retired, const struct gk_call *call,
                                           struct gk_error *error)
{
    struct gk_record_change change = {0};
    *retired = 0;
    enum gk_status status =
        gk_record_change_init(&change, account->instance, account->name, NULL, call, error);
    if (status == GK_OK) {
        status = gk_account_begin_change(account, &change.deadline, error);
    }
    if (status == GK_OK) {
        status = retire(&change, account, retirement, retired, error);
        gk_account_end_change(account);
    }
    *retired = status == GK_OK ? *retired : 0;
    gk_record_change_cleanup(&change);
    return status;
}
