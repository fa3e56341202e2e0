/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be said of a customer's key before it becomes a problem: that the version in use ends soon,
 * or has ended, or is old (plugin.h has the words). Judged by the record alone, so that it needs no vault. The record
 * says which warnings stood when it was written: what begins and ends is told once, by the gateway
 * whose write made it so, whoever of several that is and whatever was restarted in between.
 */
#ifndef PLUGIN_KEY_WARNINGS_H
#define PLUGIN_KEY_WARNINGS_H

#include "plugin/instance.h"

/* Those that stand at that time, as bits 1 << enum gk_key_warning. */
uint32_t gk_key_warnings_of(const struct gk_account_record *record,
                            const struct gk_instance_settings *settings, int64_t wall_ms);
/* An audit event for each one that has begun, or ended, with the record that has just been written;
 * before: those of the record that it took the place of. */
void gk_key_warnings_tell(const struct gk_instance *instance,
                          const struct gk_account_record *record, uint32_t before);
/* A line of the log for each one that stands in the record. */
void gk_key_warnings_log(const struct gk_instance *instance,
                         const struct gk_account_record *record);

#endif
