/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/record_witness.h"

#include <stdio.h>

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
        instance->host.count(instance->host.ctx, "gatekey_record_rollbacks_total", "", 1);
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
