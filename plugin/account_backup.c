/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account_backup.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/absent_accounts.h"
#include "plugin/account_name.h"
#include "plugin/encryption_settings.h"
#include "plugin/restore_rules.h"
#include "plugin/root_wrap.h"

/* How often a restore begins anew because somebody else wrote to the account under it. */
#define ATTEMPTS_MAX 16u

static void fill_info(const struct gk_account_record *record, struct gk_account_record_info *info)
{
    const struct gk_root_generation *active = gk_account_record_active(record);
    *info = (struct gk_account_record_info){
        .id = record->id, .sequence = record->sequence, .generation = active->generation};
    snprintf(info->current_key_id, sizeof info->current_key_id, "%s", active->wraps[0].key_id);
    if (active->wraps_count > 1) {
        snprintf(info->previous_key_id, sizeof info->previous_key_id, "%s",
                 active->wraps[1].key_id);
    }
}

static void tell(const struct gk_instance *instance, enum gk_audit_event_id event,
                 const char *account, const char *actor, const struct gk_account_record_info *info,
                 const char *done, enum gk_status status, const struct gk_error *why)
{
    const bool ok = status == GK_OK;
    gk_audit(instance, &(const struct gk_audit_event){
                           .event = event,
                           .account = account,
                           .key_id = info->current_key_id,
                           .outcome = gk_audit_outcome(status),
                           .reason = ok ? "" : why->code,
                           .detail = ok ? done : why->message,
                           .actor = actor,
                       });
}

/* --- export ----------------------------------------------------------------------------------- */

/* What is in the store and no older one, for the store is what a backup is of. */
static enum gk_status read_for_export(struct gk_instance *instance, const char *name,
                                      struct gk_stored_account *stored, struct gk_error *error)
{
    struct gk_account *account = NULL;
    enum gk_status status = gk_account_open(instance, name, &account, error);
    if (status == GK_OK) {
        status = gk_account_reread(account, stored, error);
    }
    gk_account_release(account);
    return status;
}

enum gk_status gk_account_record_export(struct gk_instance *instance, const char *name,
                                        const char *actor, uint8_t *out, size_t out_max,
                                        size_t *out_len, struct gk_account_record_info *info,
                                        struct gk_error *error)
{
    *out_len = 0;
    *info = (struct gk_account_record_info){0};
    struct gk_stored_account *stored = gk_stored_account_new();
    if (stored == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct gk_error why = {0};
    enum gk_status status = read_for_export(instance, name, stored, &why);
    if (status == GK_OK && stored->bytes.len > out_max) {
        status = gk_fail(&why, GK_E_LIMIT, "a record of %zu bytes has no room", stored->bytes.len);
    }
    if (status == GK_OK) {
        memcpy(out, stored->bytes.data, stored->bytes.len);
        *out_len = stored->bytes.len;
        fill_info(&stored->record, info);
    } else if (error != NULL) {
        *error = why;
    }
    char done[64];
    snprintf(done, sizeof done, "record %llu", (unsigned long long)info->sequence);
    if (actor == NULL || actor[0] != '\0') {
        tell(instance, GK_AUDIT_ACCOUNT_EXPORT, name, actor, info, done, status, &why);
    }
    gk_stored_account_free(&stored);
    return status;
}

/* --- restore ---------------------------------------------------------------------------------- */

struct restore {
    struct gk_instance *instance;
    const char *name;
    const struct gk_account_restore *asked;
    const char *actor;
    struct gk_deadline deadline;
    struct gk_stored_account *backup; /* at the end, what is stored */
    struct gk_stored_account *present;
    struct gk_account_record *known; /* of the account's name, the newest */
    bool has_known;
    bool lost;         /* the store has no record that can be read */
    uint64_t sequence; /* the backup's own number */
    uint64_t seen;     /* the latest number that is known of the backup's account */
    bool proved;
    bool replaced_settings;
};

static enum gk_status restore_init(struct restore *restore, struct gk_error *error)
{
    restore->backup = gk_stored_account_new();
    restore->present = gk_stored_account_new();
    restore->known = calloc(1, sizeof *restore->known);
    return restore->backup == NULL || restore->present == NULL || restore->known == NULL
               ? gk_fail(error, GK_E_RESOURCE, "out of memory")
               : GK_OK;
}

static void restore_cleanup(struct restore *restore)
{
    gk_stored_account_free(&restore->backup);
    gk_stored_account_free(&restore->present);
    free(restore->known);
}

static enum gk_status read_backup(struct restore *restore, struct gk_error *error)
{
    struct gk_error why = {0};
    enum gk_status status = gk_stored_account_take(restore->instance, restore->name,
                                                   restore->asked->record, restore->backup, &why);
    if (status == GK_E_INTEGRITY) {
        status = gk_fail_http(error, GK_E_INVALID, 400, "AccountBackupInvalid",
                              "The backup is not one of account %.88s that was made under this "
                              "gateway's service key, or it was changed since.",
                              restore->name);
    } else if (status != GK_OK && error != NULL) {
        *error = why;
    }
    /* Nor is an older version asked beyond its time here. */
    if (status == GK_OK) {
        restore->sequence = restore->backup->record.sequence;
        (void)gk_account_record_drop_old_wrap(&restore->backup->record,
                                              gk_instance_now(restore->instance).wall_ms);
    }
    return status;
}

static void note_seen(struct restore *restore, const struct gk_id *id, uint64_t sequence)
{
    if (gk_id_equal(id, &restore->backup->record.id) && sequence > restore->seen) {
        restore->seen = sequence;
    }
}

/* What memory knows counts where the store has nothing, or something that was put back: the record
 * may have been taken away so that an older one is restored. */
static void take_from_memory(struct restore *restore, struct gk_account *account)
{
    const struct gk_stored_account *present = restore->present;
    pthread_mutex_lock(&account->mutex);
    note_seen(restore, &account->witness.id, account->witness.sequence);
    if (restore->lost || !gk_record_witness_allows(&account->witness, present)) {
        gk_account_record_copy(restore->known, account->record);
        restore->has_known = true;
    }
    pthread_mutex_unlock(&account->mutex);
}

static enum gk_status read_known(struct restore *restore, struct gk_error *error)
{
    struct gk_stored_account *present = restore->present;
    struct gk_error why = {0};
    const enum gk_status status =
        gk_account_store_read(restore->instance, restore->name, present, &why);
    restore->lost = status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY;
    if (status != GK_OK && !restore->lost) {
        if (error != NULL) {
            *error = why;
        }
        return status;
    }
    restore->has_known = !restore->lost;
    if (!restore->lost) {
        *restore->known = present->record;
        note_seen(restore, &present->record.id, present->record.sequence);
    }
    const struct gk_record_witness forgotten = gk_absents_seen(restore->instance, restore->name);
    note_seen(restore, &forgotten.id, forgotten.sequence);
    struct gk_account *account = gk_accounts_find(restore->instance, restore->name);
    if (account != NULL) {
        take_from_memory(restore, account);
        gk_account_release(account);
    }
    return GK_OK;
}

/* A gateway that has found the record lost has forgotten the account, but not its settings. */
static bool differs_from_forgotten(const struct restore *restore)
{
    const struct gk_account_record *backup = &restore->backup->record;
    struct gk_encryption_settings settings;
    return gk_absents_settings(restore->instance, restore->name, &backup->id, &settings) &&
           !gk_encryption_settings_equal(&settings, &backup->settings);
}

static enum gk_status judge(struct restore *restore, struct gk_error *error)
{
    enum gk_restore_verdict verdict =
        gk_restore_judge(restore->has_known ? restore->known : NULL, &restore->backup->record);
    if (!restore->has_known && differs_from_forgotten(restore)) {
        verdict = GK_RESTORE_CHANGES_SETTINGS;
    }
    restore->replaced_settings = verdict == GK_RESTORE_CHANGES_SETTINGS;
    if (restore->replaced_settings && restore->asked->replace_settings != 0) {
        verdict = GK_RESTORE_ALLOWED;
    }
    switch (verdict) {
    case GK_RESTORE_ALLOWED:
        return GK_OK;
    case GK_RESTORE_OTHER_ACCOUNT:
        return gk_fail_http(error, GK_E_INVALID, 409, "AccountBackupOfAnotherAccount",
                            "The name %.88s is another account's than the backup's, whose data "
                            "would be lost. Delete that account first if it is not wanted.",
                            restore->name);
    case GK_RESTORE_LOSES_DATA:
        return gk_fail_http(error, GK_E_INVALID, 409, "AccountBackupLosesData",
                            "Account %.88s has a root key in use that the backup does not have: "
                            "what was written under it would be lost. Take a later backup.",
                            restore->name);
    case GK_RESTORE_REVIVES_ROOT_KEY:
        return gk_fail_http(
            error, GK_E_INVALID, 409, "AccountBackupRevivesRootKey",
            "The backup of account %.88s has a root key that is not in use there: it was retired "
            "since, or the store was put back to a time before it. Take a later backup, or one "
            "from before that root key.",
            restore->name);
    case GK_RESTORE_CHANGES_SETTINGS:
        break;
    }
    return gk_fail_http(error, GK_E_INVALID, 409, "AccountBackupChangesSettings",
                        "The backup of account %.88s is from before its key, vault, version or "
                        "identity was changed, and would undo that change; ask for it if that is "
                        "wanted.",
                        restore->name);
}

/* A scope belongs to one account, by its id: of another of that name it would be none. */
static enum gk_status check_parent(const struct restore *restore, struct gk_error *error)
{
    struct gk_id parent;
    if (!gk_account_name_is_scope(restore->name)) {
        return GK_OK;
    }
    const enum gk_status status =
        gk_account_store_read_parent(restore->instance, restore->name, &parent, error);
    return status == GK_OK && !gk_id_equal(&parent, &restore->backup->record.parent)
               ? gk_fail_http(error, GK_E_INVALID, 409, "AccountBackupOfAnotherAccount",
                              "The backup of %.88s is of a scope of another account, which had "
                              "that name.",
                              restore->name)
               : status;
}

static enum gk_status ask_host(struct restore *restore, struct gk_attr *beside,
                               struct gk_error *error)
{
    struct gk_account *candidate = NULL;
    enum gk_status status = gk_account_new(restore->instance, restore->backup, &candidate, error);
    if (status == GK_OK) {
        status = restore->asked->check(restore->asked->check_ctx, candidate,
                                       &restore->backup->record.id, beside, error);
    }
    gk_account_release(candidate);
    return status;
}

/* --- the proof that the root key opens ----------------------------------------------------------- */

static enum gk_status refuse_key(const struct gk_root_wrap *wrap,
                                 const struct gk_vault_result *result, const char *remedy,
                                 struct gk_error *error)
{
    return gk_fail_http(error, GK_E_INVALID, 409, "AccountBackupKeyRefused",
                        "The vault does not open the backup's root key with %.200s (%s). %s",
                        wrap->key_id, result->code[0] == '\0' ? "no reason given" : result->code,
                        remedy);
}

/* A wrap of record's active generation. */
static enum gk_status open_wrap(const struct restore *restore,
                                const struct gk_account_record *record,
                                const struct gk_root_wrap *wrap, const char *remedy,
                                struct gk_root_key *root_key, struct gk_error *error)
{
    const struct gk_root_generation *active = gk_account_record_active(record);
    const struct gk_root_scope scope = {.account = record->id, .generation = active->generation};
    const struct gk_vault_caller caller = {.instance = restore->instance,
                                           .account = restore->name,
                                           .actor = restore->actor,
                                           .identity = &record->settings.identity,
                                           .deadline = &restore->deadline};
    struct gk_vault_result result;
    gk_vault_call_unwrap(&caller, wrap, root_key, &result);
    if (result.verdict == GK_VAULT_UNAVAILABLE) {
        return gk_vault_silent_error(restore->instance, &result, error);
    }
    if (result.verdict != GK_VAULT_OK) {
        return refuse_key(wrap, &result, remedy, error);
    }
    return gk_root_key_check(restore->instance->crypto, root_key, &scope, active->commitment,
                             error);
}

/* One of the wraps must open: what nothing opens is not worth a present record. */
static enum gk_status prove_backup(const struct restore *restore, struct gk_root_key *root_key,
                                   struct gk_error *error)
{
    const struct gk_account_record *record = &restore->backup->record;
    const struct gk_root_generation *active = gk_account_record_active(record);
    enum gk_status first = GK_E_INTERNAL;
    for (uint32_t i = 0; i < active->wraps_count; i++) {
        struct gk_error why = {0};
        const enum gk_status status =
            open_wrap(restore, record, &active->wraps[i],
                      "Have that version enabled until the restore is done, or take a backup from "
                      "after the key was rotated or changed.",
                      root_key, &why);
        if (status == GK_OK) {
            return GK_OK;
        }
        /* Silence anywhere means that it may open later. */
        if (i == 0 || status == GK_E_UNAVAILABLE) {
            first = status;
            if (error != NULL) {
                *error = why;
            }
        }
    }
    return first;
}

/* Whether the account would be under a version of before, nobody having asked for another key. */
static bool goes_back(const struct restore *restore)
{
    const struct gk_root_generation *known = gk_account_record_active(restore->known);
    const struct gk_root_generation *backup = gk_account_record_active(&restore->backup->record);
    return restore->has_known && !restore->replaced_settings &&
           strcasecmp(known->wraps[0].key_id, backup->wraps[0].key_id) != 0;
}

/* The version in use decides: with one of before that is enabled still, somebody would get away from a key that its owner
 * has disabled. */
static enum gk_status prove_in_use(const struct restore *restore, struct gk_root_key *root_key,
                                   struct gk_error *error)
{
    const struct gk_account_record *known = restore->known;
    return open_wrap(restore, known, &gk_account_record_active(known)->wraps[0],
                     "That version is in use, and no backup leads around it: its owner has to "
                     "enable it.",
                     root_key, error);
}

static enum gk_status prove(struct restore *restore, struct gk_error *error)
{
    /* A wrap by the service key was opened to make the candidate. */
    if (restore->backup->record.settings.source == GK_KEY_SOURCE_SERVICE) {
        return GK_OK;
    }
    struct gk_root_key *root_key = gk_secret_alloc(sizeof *root_key);
    if (root_key == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory for a key");
    }
    enum gk_status status = restore->proved ? GK_OK : prove_backup(restore, root_key, error);
    restore->proved = status == GK_OK;
    if (status == GK_OK && goes_back(restore)) {
        status = prove_in_use(restore, root_key, error);
    }
    gk_secret_free(&root_key);
    return status;
}

/* --- the write ------------------------------------------------------------------------------------ */

static enum gk_status write_guarded(struct restore *restore, const struct gk_account_record *next,
                                    struct gk_span bytes, const struct gk_attr *beside,
                                    struct gk_error *error)
{
    const struct gk_instance *instance = restore->instance;
    struct gk_attr changes[3] = {{.name = GK_ACCOUNT_ATTR, .value = bytes}};
    size_t count = 1;
    if (restore->present->has_previous) {
        changes[count++] = (struct gk_attr){.name = GK_ACCOUNT_ATTR_PREVIOUS};
    }
    if (beside->name != NULL) {
        changes[count++] = *beside;
    }
    uint64_t version = 0;
    const enum gk_status status = instance->host.account_attrs_set_if(
        instance->host.ctx, next->account, restore->present->version, changes, count, &version,
        error);
    if (status != GK_OK) {
        return status == GK_E_EXISTS ? GK_E_CONFLICT : status;
    }
    gk_buf_reset(&restore->backup->bytes);
    gk_buf_append(&restore->backup->bytes, bytes.data, bytes.len);
    restore->backup->record.sequence = next->sequence;
    restore->backup->version = version;
    return GK_OK;
}

static enum gk_status write_record(struct restore *restore, const struct gk_attr *beside,
                                   struct gk_error *error)
{
    struct gk_account_record *next = malloc(sizeof *next);
    if (next == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    *next = restore->backup->record;
    next->sequence = gk_restore_sequence(next->sequence, restore->seen, restore->lost);
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    enum gk_status status = gk_account_record_serialise(
        restore->instance->crypto, &restore->instance->keys->record, next, &bytes, error);
    if (status == GK_OK) {
        status = write_guarded(restore, next, gk_buf_span(&bytes), beside, error);
    }
    gk_buf_cleanup(&bytes);
    free(next);
    return status;
}

static enum gk_status restore_once(struct restore *restore, struct gk_error *error)
{
    struct gk_attr beside = {0};
    enum gk_status status = check_parent(restore, error);
    if (status == GK_OK) {
        status = read_known(restore, error);
    }
    if (status == GK_OK) {
        status = judge(restore, error);
    }
    if (status == GK_OK) {
        status = ask_host(restore, &beside, error);
    }
    if (status == GK_OK) {
        status = prove(restore, error);
    }
    return status == GK_OK ? write_record(restore, &beside, error) : status;
}

static enum gk_status restore_account(struct restore *restore, struct gk_error *error)
{
    enum gk_status status = read_backup(restore, error);
    if (status != GK_OK) {
        return status;
    }
    for (unsigned i = 0; i < ATTEMPTS_MAX; i++) {
        status = restore_once(restore, error);
        if (status != GK_E_CONFLICT) {
            return status;
        }
    }
    return gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                        "account %.88s is being changed by others; try again", restore->name);
}

/* Memory follows. An account that had the name before is gone from the store. */
static void follow(const struct restore *restore)
{
    struct gk_account *account = gk_accounts_find(restore->instance, restore->name);
    if (account == NULL) {
        return;
    }
    if (gk_id_equal(&account->id, &restore->backup->record.id)) {
        (void)gk_account_adopt_stored(account, restore->backup);
    } else {
        gk_account_forget_this(account);
    }
    gk_account_release(account);
}

static void describe(const struct restore *restore, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "record %llu of a backup is record %llu now%s%s",
             (unsigned long long)restore->sequence,
             (unsigned long long)restore->backup->record.sequence,
             restore->lost ? "; there was none that could be read" : "",
             restore->replaced_settings ? "; its settings have replaced later ones" : "");
}

enum gk_status gk_account_record_restore(struct gk_instance *instance, const char *name,
                                         const struct gk_account_restore *asked,
                                         const struct gk_call *call,
                                         struct gk_account_record_info *info,
                                         struct gk_error *error)
{
    *info = (struct gk_account_record_info){0};
    struct gk_error why = {0};
    struct restore restore = {.instance = instance,
                              .name = name,
                              .asked = asked,
                              .actor = call->actor,
                              .deadline = gk_vault_deadline_in(call->deadline_ms)};
    enum gk_status status = restore_init(&restore, &why);
    if (status == GK_OK) {
        status = restore_account(&restore, &why);
    }
    char done[192] = "";
    if (status == GK_OK) {
        follow(&restore);
        fill_info(&restore.backup->record, info);
        describe(&restore, done, sizeof done);
    } else if (error != NULL) {
        *error = why;
    }
    tell(instance, GK_AUDIT_ACCOUNT_RESTORE, name, call->actor, info, done, status, &why);
    restore_cleanup(&restore);
    return status;
}
