/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/record_change.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "plugin/encryption_settings.h"
#include "plugin/root_wrap.h"

enum gk_status gk_record_change_init(struct gk_record_change *change, struct gk_instance *instance,
                                     const char *account,
                                     const struct gk_encryption_settings *settings,
                                     const struct gk_call *call, struct gk_error *error)
{
    *change = (struct gk_record_change){.instance = instance,
                                        .account = account,
                                        .actor = call->actor,
                                        .settings = settings,
                                        .deadline = gk_vault_deadline_in(call->deadline_ms),
                                        .stored = gk_stored_account_new(),
                                        .next = calloc(1, sizeof *change->next),
                                        .root_key = gk_secret_alloc(sizeof *change->root_key)};
    return change->stored == NULL || change->next == NULL || change->root_key == NULL
               ? gk_fail(error, GK_E_RESOURCE, "out of memory")
               : GK_OK;
}

void gk_record_change_cleanup(struct gk_record_change *change)
{
    gk_secret_free(&change->root_key);
    gk_stored_account_free(&change->stored);
    free(change->next);
}

static struct gk_vault_caller caller_as(const struct gk_record_change *change,
                                        const struct gk_identity_reference *identity)
{
    return (struct gk_vault_caller){.instance = change->instance,
                                    .account = change->account,
                                    .actor = change->actor,
                                    .identity = identity,
                                    .deadline = &change->deadline};
}

bool gk_record_change_is_customer(const struct gk_record_change *change)
{
    return change->settings->source == GK_KEY_SOURCE_CUSTOMER;
}

enum gk_status gk_record_change_accept_key(struct gk_record_change *change, struct gk_error *error)
{
    const struct gk_host *host = &change->instance->host;
    const struct gk_vault_caller caller = caller_as(change, &change->settings->identity);
    enum gk_status status = host->key_permitted(host->ctx, change->actor, change->account,
                                                change->settings, NULL, error);
    if (status != GK_OK || !gk_record_change_is_customer(change)) {
        return status;
    }
    status = gk_key_get_accepted(&caller, &change->settings->key, &change->key, error);
    return status == GK_OK ? host->key_permitted(host->ctx, change->actor, change->account,
                                                 change->settings, &change->key.info, error)
                           : status;
}

enum gk_status gk_record_change_open_present(struct gk_record_change *change,
                                             struct gk_error *error)
{
    struct gk_account_record *present = change->next;
    *present = change->stored->record;
    (void)gk_account_record_drop_old_wrap(present, gk_instance_now(change->instance).wall_ms);
    snprintf(change->before, sizeof change->before, "%s",
             gk_account_record_active(present)->wraps[0].key_id);
    const struct gk_vault_caller caller = caller_as(change, &present->settings.identity);
    return gk_root_unwrap(&caller, &present->id, gk_account_record_active(present),
                          change->root_key, error);
}

enum gk_status gk_record_change_wrap(struct gk_record_change *change,
                                     const struct gk_root_generation *generation,
                                     const struct gk_root_key *root_key, struct gk_root_wrap *made,
                                     struct gk_error *error)
{
    const struct gk_root_identity identity = {
        .scope = {.account = change->next->id, .generation = generation->generation},
        .commitment = generation->commitment,
    };
    const struct gk_vault_caller caller = caller_as(change, &change->settings->identity);
    return gk_record_change_is_customer(change)
               ? gk_root_wrap_by_vault(&caller, &identity, root_key, change->key.key_id, made,
                                       error)
               : gk_root_wrap_by_service(change->instance, &identity, root_key, made, error);
}

void gk_record_change_tell(const struct gk_record_change *change, enum gk_audit_event_id event,
                           enum gk_status status, const char *done, const struct gk_error *why)
{
    const struct gk_root_generation *active = gk_account_record_active(&change->stored->record);
    gk_audit(change->instance,
             &(const struct gk_audit_event){
                 .event = event,
                 .account = change->account,
                 .key_id = status == GK_OK ? active->wraps[0].key_id : change->key.key_id,
                 .outcome = gk_audit_outcome(status),
                 .reason = status == GK_OK ? "" : why->code,
                 .detail = status == GK_OK ? done : why->message,
                 .request_id = change->key.request_id,
                 .actor = change->actor,
             });
}

void gk_record_change_keep_told(struct gk_record_change *change, int64_t now_ms)
{
    const struct gk_vault_result *key = &change->key;
    change->next->last_version_check_wall_ms = now_ms;
    change->next->key_expires_wall_ms = key->info.expires_wall_ms;
    change->next->key_created_wall_ms = key->info.created_wall_ms;
    change->next->key_rotation_due_wall_ms = key->info.rotation_due_wall_ms;
    change->next->key_told = gk_key_told_now(key->key_id, &key->info, now_ms);
}
