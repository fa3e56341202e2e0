/* SPDX-License-Identifier: Apache-2.0 */
/* An account as its operator sees it. */
#include <stdio.h>
#include <strings.h>

#include "plugin/account_change.h"
#include "plugin/key_id.h"
#include "plugin/key_warnings.h"
#include "plugin/vault_silences.h"

static void fill_wraps(const struct gk_account *account, struct gk_account_status *out)
{
    const struct gk_root_generation *active = gk_account_record_active(account->record);
    out->generation = active->generation;
    out->oldest_generation = gk_account_record_oldest(account->record)->generation;
    snprintf(out->current_key_id, sizeof out->current_key_id, "%s", active->wraps[0].key_id);
    if (active->wraps_count > 1) {
        snprintf(out->previous_key_id, sizeof out->previous_key_id, "%s", active->wraps[1].key_id);
    }
}

/* What the vault told, it told again at each check since. */
static void fill_told(const struct gk_account *account, struct gk_account_status *out)
{
    const struct gk_account_record *record = account->record;
    const struct gk_key_told *told = &record->key_told;
    const struct gk_root_wrap *wrap = &gk_account_record_active(record)->wraps[0];
    out->key_info = told->info;
    if (gk_key_told_is_known(told)) {
        out->key_info_told_wall_ms = account->last_version_check_wall_ms > told->told_wall_ms
                                         ? account->last_version_check_wall_ms
                                         : told->told_wall_ms;
    } else if (gk_wrap_is_by_rsa(wrap->algorithm)) {
        out->key_info.modulus_bits = (uint32_t)wrap->value_len * 8u; /* as long as the modulus */
    }
    out->rotation_pending =
        gk_key_told_is_known(told) && strcasecmp(told->key_id, out->current_key_id) != 0;
}

static void fill_key(const struct gk_account *account, struct gk_moment now,
                     struct gk_account_status *out)
{
    fill_told(account, out);
    const struct gk_key_info *info = &out->key_info;
    out->key_expires_wall_ms = account->record->key_expires_wall_ms;
    out->key_created_wall_ms = account->record->key_created_wall_ms;
    out->key_rotation_due_wall_ms = account->record->key_rotation_due_wall_ms;
    out->key_warnings =
        gk_key_warnings_of(account->record, &account->instance->settings, now.wall_ms);
    /* Of the version that a rotation would take, where there is one. */
    const int64_t expires_ms =
        out->rotation_pending ? info->expires_wall_ms : out->key_expires_wall_ms;
    out->key_outside_dates =
        (expires_ms != 0 && now.wall_ms >= expires_ms) ||
        (info->not_before_wall_ms != 0 && now.wall_ms < info->not_before_wall_ms);
    out->last_version_check_wall_ms = account->last_version_check_wall_ms;
    out->next_version_check_wall_ms =
        account->last_version_check_wall_ms + account->instance->settings.version_check_interval_ms;
}

/* Nobody has asked for its key, or not of late; others may have asked the vault. */
static void fill_silence(const struct gk_account *account, struct gk_account_status *out)
{
    const struct gk_root_generation *active = gk_account_record_active(account->record);
    struct gk_key_reference key;
    struct gk_vault_silence silence;
    if (gk_key_identifier_parse(active->wraps[0].key_id, &key) &&
        gk_vault_silences_find(account->instance, key.vault_uri,
                               &account->record->settings.identity, &silence)) {
        out->unreachable_since_wall_ms = silence.since_wall_ms;
        memcpy(out->reason_code, silence.code, sizeof out->reason_code);
        memcpy(out->reason, silence.message, sizeof out->reason);
        memcpy(out->reason_request_id, silence.request_id, sizeof out->reason_request_id);
    }
}

static void fill_state(const struct gk_account *account, struct gk_account_status *out)
{
    const struct gk_key_state *state = &account->state;
    out->state = state->state;
    out->last_check_wall_ms = state->last_check_wall_ms;
    out->revoked_since_wall_ms = state->revoked_since_wall_ms;
    if (state->silent) {
        out->unreachable_since_wall_ms = state->silent_since_wall_ms;
        out->grace_until_wall_ms =
            state->silent_since_wall_ms + account->instance->settings.grace_ms;
    }
    snprintf(out->reason_code, sizeof out->reason_code, "%s", state->reason_code);
    snprintf(out->reason, sizeof out->reason, "%s", state->reason);
    snprintf(out->reason_request_id, sizeof out->reason_request_id, "%s", state->reason_request_id);
    if (state->state == GK_ACCOUNT_COLD) {
        fill_silence(account, out);
    }
}

static void locked_fill(const struct gk_account *account, struct gk_account_status *out)
{
    const struct gk_account_record *record = account->record;
    out->id = record->id;
    out->settings = record->settings;
    out->record_sequence = record->sequence;
    out->created_wall_ms = record->created_wall_ms;
    out->last_rotation_wall_ms = record->last_rotation_wall_ms;
    out->previous_wrap_until_wall_ms = record->previous_wrap_until_wall_ms;
    out->check_interval_ms = account->instance->settings.check_interval_ms;
    fill_wraps(account, out);
    fill_state(account, out);
    if (record->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        fill_key(account, gk_instance_now(account->instance), out);
    }
}

enum gk_status gk_account_get_status(struct gk_instance *instance, const char *name,
                                     struct gk_account_status *out, struct gk_error *error)
{
    memset(out, 0, sizeof *out);
    struct gk_account *account = NULL;
    const enum gk_status status = gk_account_open(instance, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    pthread_mutex_lock(&account->mutex);
    locked_fill(account, out);
    pthread_mutex_unlock(&account->mutex);
    gk_account_release(account);
    return GK_OK;
}
