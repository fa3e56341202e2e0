/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/record_witness.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/text.h"
#include "plugin/audit.h"

void gk_record_witness_see(struct gk_record_witness *witness,
                           const struct gk_stored_account *stored)
{
    *witness = (struct gk_record_witness){
        .id = stored->record.id,
        .sequence = stored->record.sequence,
        .mac = gk_account_record_mac_of(gk_buf_span(&stored->bytes)),
    };
}

static bool same_mac(const struct gk_account_record_mac *a, const struct gk_account_record_mac *b)
{
    return memcmp(a->digits, b->digits, sizeof a->digits) == 0;
}

bool gk_record_witness_allows(const struct gk_record_witness *seen,
                              const struct gk_stored_account *stored)
{
    const struct gk_account_record_mac mac = gk_account_record_mac_of(gk_buf_span(&stored->bytes));
    const uint64_t sequence = stored->record.sequence;
    return !gk_id_equal(&stored->record.id, &seen->id) || sequence > seen->sequence ||
           (sequence == seen->sequence && same_mac(&mac, &seen->mac));
}

bool gk_record_witness_note(struct gk_record_witness *witness,
                            const struct gk_stored_account *stored, bool good)
{
    const struct gk_account_record_mac none = {{0}};
    const struct gk_account_record_mac mac = gk_account_record_mac_of(gk_buf_span(&stored->bytes));
    const bool tell = !good && !same_mac(&mac, &witness->told);
    witness->told = good ? none : mac;
    return tell;
}

enum gk_status gk_record_put_back(const struct gk_instance *instance, bool tell,
                                  const struct gk_record_witness *seen,
                                  const struct gk_stored_account *stored, struct gk_error *error)
{
    const struct gk_account_record *record = &stored->record;
    char detail[160];
    snprintf(detail, sizeof detail,
             "the stored record was put back: it is number %llu, and %s number %llu was seen",
             (unsigned long long)record->sequence,
             record->sequence == seen->sequence ? "another" : "the later",
             (unsigned long long)seen->sequence);
    if (tell) {
        gk_instance_log(instance, GK_LOG_ERROR, "account %s: %s; it is not used", record->account,
                        detail);
        gk_audit(instance, &(const struct gk_audit_event){
                               .event = GK_AUDIT_RECORD_ROLLBACK,
                               .account = record->account,
                               .key_id = gk_account_record_active(record)->wraps[0].key_id,
                               .outcome = "refused",
                               .detail = detail,
                           });
    }
    return gk_fail(error, GK_E_INTEGRITY, "account %s: %s", record->account, detail);
}

/* --- of accounts that were forgotten ------------------------------------------------------------ */

struct gk_forgotten {
    struct gk_forgotten *next;
    char name[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_record_witness witness;
    struct gk_encryption_settings settings;
};

static struct gk_forgotten **locked_find(struct gk_instance *instance, const char *name)
{
    struct gk_forgotten **link = &instance->forgotten[gk_instance_bucket(name)];
    while (*link != NULL && strcmp((*link)->name, name) != 0) {
        link = &(*link)->next;
    }
    return link;
}

void gk_forgotten_locked_add(struct gk_instance *instance, const char *name,
                             const struct gk_record_witness *witness,
                             const struct gk_encryption_settings *settings)
{
    struct gk_forgotten **link = locked_find(instance, name);
    if (*link == NULL) {
        *link = calloc(1, sizeof **link);
    }
    struct gk_forgotten *forgotten = *link;
    if (forgotten == NULL || (gk_id_equal(&forgotten->witness.id, &witness->id) &&
                              forgotten->witness.sequence > witness->sequence)) {
        return; /* memory is out, and this witness is lost; or another knows better */
    }
    snprintf(forgotten->name, sizeof forgotten->name, "%s", name);
    forgotten->witness = *witness;
    forgotten->settings = *settings;
}

struct gk_record_witness gk_forgotten_seen(struct gk_instance *instance, const char *name)
{
    struct gk_record_witness seen = {0};
    pthread_mutex_lock(&instance->accounts_lock);
    const struct gk_forgotten *forgotten = *locked_find(instance, name);
    if (forgotten != NULL) {
        seen = forgotten->witness;
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    return seen;
}

bool gk_forgotten_settings(struct gk_instance *instance, const char *name, const struct gk_id *id,
                           struct gk_encryption_settings *settings)
{
    pthread_mutex_lock(&instance->accounts_lock);
    const struct gk_forgotten *forgotten = *locked_find(instance, name);
    const bool found = forgotten != NULL && gk_id_equal(&forgotten->witness.id, id);
    if (found) {
        *settings = forgotten->settings;
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    return found;
}

enum gk_status gk_forgotten_check(struct gk_instance *instance,
                                  const struct gk_record_witness *seen,
                                  const struct gk_stored_account *stored, struct gk_error *error)
{
    const bool good = gk_record_witness_allows(seen, stored);
    bool tell = false;
    pthread_mutex_lock(&instance->accounts_lock);
    struct gk_forgotten *forgotten = *locked_find(instance, stored->record.account);
    if (forgotten != NULL) {
        tell = gk_record_witness_note(&forgotten->witness, stored, good);
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    return good ? GK_OK : gk_record_put_back(instance, tell, seen, stored, error);
}

void gk_forgotten_clear(struct gk_instance *instance)
{
    for (unsigned i = 0; i < GK_ACCOUNT_BUCKETS; i++) {
        while (instance->forgotten[i] != NULL) {
            struct gk_forgotten *forgotten = instance->forgotten[i];
            instance->forgotten[i] = forgotten->next;
            free(forgotten);
        }
    }
}
