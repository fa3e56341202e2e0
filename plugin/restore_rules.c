/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/restore_rules.h"

#include <string.h>

#include "common/text.h"
#include "plugin/encryption_settings.h"

/* A record is written at creation, at a change and at a rotation: a few times a day at most. */
#define LOST_WRITES_MAX 1000000u

static bool is_in_use(const struct gk_root_generation *generation)
{
    return generation->state != GK_GENERATION_RETIRED;
}

static bool has_root_key(const struct gk_account_record *record,
                         const struct gk_root_generation *wanted)
{
    const struct gk_root_generation *found =
        gk_account_record_generation(record, wanted->generation);
    return found != NULL && is_in_use(found) &&
           memcmp(found->commitment, wanted->commitment, sizeof found->commitment) == 0;
}

enum gk_restore_verdict gk_restore_judge(const struct gk_account_record *known,
                                         const struct gk_account_record *backup)
{
    if (known == NULL) {
        return GK_RESTORE_ALLOWED;
    }
    if (!gk_id_equal(&known->id, &backup->id)) {
        return GK_RESTORE_OTHER_ACCOUNT;
    }
    for (uint32_t i = 0; i < known->generations_count; i++) {
        const struct gk_root_generation *generation = &known->generations[i];
        if (is_in_use(generation) && !has_root_key(backup, generation)) {
            return GK_RESTORE_LOSES_DATA;
        }
    }
    for (uint32_t i = 0; i < backup->generations_count; i++) {
        const struct gk_root_generation *generation = &backup->generations[i];
        if (is_in_use(generation) && !has_root_key(known, generation)) {
            return GK_RESTORE_REVIVES_ROOT_KEY;
        }
    }
    return gk_encryption_settings_equal(&known->settings, &backup->settings)
               ? GK_RESTORE_ALLOWED
               : GK_RESTORE_CHANGES_SETTINGS;
}

uint64_t gk_restore_sequence(uint64_t backup, uint64_t seen, bool lost)
{
    const uint64_t latest = backup > seen ? backup : seen;
    return latest + (lost ? LOST_WRITES_MAX : 1);
}
