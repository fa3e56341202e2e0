/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/key_warnings.h"

#include <stdio.h>

#include "common/duration.h"
#include "common/text.h"
#include "plugin/audit.h"

#define VAULT_LATE_MS (GK_DAY_S * 1000)
#define DETAIL_BYTES  240u

static uint32_t bit(enum gk_key_warning warning)
{
    return 1u << warning;
}

static bool stands(uint32_t warnings, int warning)
{
    return (warnings & (1u << warning)) != 0;
}

/* A vault may be a day late with a rotation, and the look that finds the new version an interval. */
static bool is_overdue(const struct gk_account_record *record,
                       const struct gk_instance_settings *settings, int64_t wall_ms)
{
    const int64_t due_ms = record->key_rotation_due_wall_ms;
    return due_ms != 0 && wall_ms - due_ms > VAULT_LATE_MS + settings->version_check_interval_ms;
}

uint32_t gk_key_warnings_of(const struct gk_account_record *record,
                            const struct gk_instance_settings *settings, int64_t wall_ms)
{
    const int64_t expires_ms = record->key_expires_wall_ms;
    const int64_t created_ms = record->key_created_wall_ms;
    uint32_t warnings = 0;
    if (record->settings.source != GK_KEY_SOURCE_CUSTOMER) {
        return 0;
    }
    if (expires_ms != 0 && wall_ms >= expires_ms) {
        warnings |= bit(GK_KEY_EXPIRED);
    } else if (expires_ms != 0 && expires_ms - wall_ms <= settings->key_expiry_warning_ms) {
        warnings |= bit(GK_KEY_EXPIRES_SOON);
    }
    const bool aged = created_ms != 0 && settings->key_age_warning_ms != 0 &&
                      wall_ms - created_ms > settings->key_age_warning_ms;
    if (aged || is_overdue(record, settings, wall_ms)) {
        warnings |= bit(GK_KEY_OLD);
    }
    return warnings;
}

/* "the key version ends at that time", for people. */
static void describe_end(const struct gk_account_record *record, int warning,
                         char out[DETAIL_BYTES])
{
    char time[GK_TIME_TEXT_BYTES];
    gk_time_iso(record->key_expires_wall_ms, time);
    snprintf(out, DETAIL_BYTES, "the key version in use %s %s; make a new version or move its end",
             warning == GK_KEY_EXPIRED ? "has ended on" : "ends on", time);
}

/* "the key version was made then", and what its rotation policy has, where one is known. */
static void describe_age(const struct gk_account_record *record, char out[DETAIL_BYTES])
{
    char made[GK_TIME_TEXT_BYTES] = "a day that is not known";
    char due[GK_TIME_TEXT_BYTES] = "";
    if (record->key_created_wall_ms != 0) {
        gk_time_iso(record->key_created_wall_ms, made);
    }
    if (record->key_rotation_due_wall_ms != 0) {
        gk_time_iso(record->key_rotation_due_wall_ms, due);
    }
    snprintf(out, DETAIL_BYTES, "the key version in use was made on %s%s%s; make a new version",
             made, due[0] == '\0' ? "" : ", and its rotation policy has a newer one by ", due);
}

static void describe(const struct gk_account_record *record, int warning, char out[DETAIL_BYTES])
{
    if (warning == GK_KEY_OLD) {
        describe_age(record, out);
    } else {
        describe_end(record, warning, out);
    }
}

static void tell(const struct gk_instance *instance, const struct gk_account_record *record,
                 int warning, bool begins)
{
    static const char *const names[] = GK_KEY_WARNING_NAMES;
    char detail[DETAIL_BYTES] = "";
    if (begins) {
        describe(record, warning, detail);
    }
    gk_audit(instance, &(const struct gk_audit_event){
                           .event = begins ? GK_AUDIT_KEY_WARNING : GK_AUDIT_KEY_WARNING_OVER,
                           .account = record->account,
                           .key_id = gk_account_record_active(record)->wraps[0].key_id,
                           .outcome = "ok",
                           .reason = names[warning],
                           .detail = detail,
                       });
}

void gk_key_warnings_tell(const struct gk_instance *instance,
                          const struct gk_account_record *record, uint32_t before)
{
    for (int i = 0; i < GK_KEY_WARNINGS_COUNT; i++) {
        const bool stood = stands(before, i);
        const bool does = stands(record->key_warnings, i);
        if (stood != does) {
            tell(instance, record, i, does);
        }
    }
}

void gk_key_warnings_log(const struct gk_instance *instance, const struct gk_account_record *record)
{
    char detail[DETAIL_BYTES];
    for (int i = 0; i < GK_KEY_WARNINGS_COUNT; i++) {
        if (stands(record->key_warnings, i)) {
            describe(record, i, detail);
            gk_instance_log(instance, GK_LOG_WARNING, "account %s: %s", record->account, detail);
        }
    }
}
