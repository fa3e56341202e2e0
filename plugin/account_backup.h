/* SPDX-License-Identifier: Apache-2.0 */
/* The vtable's calls for backups of account records; see plugin.h. */
#ifndef PLUGIN_ACCOUNT_BACKUP_H
#define PLUGIN_ACCOUNT_BACKUP_H

#include "plugin/account.h"

enum gk_status gk_account_record_export(struct gk_instance *instance, const char *account,
                                        const char *actor, uint8_t *out, size_t out_max,
                                        size_t *out_len, struct gk_account_record_info *info,
                                        struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_record_restore(struct gk_instance *instance, const char *account,
                                         const struct gk_account_restore *restore,
                                         const struct gk_call *call,
                                         struct gk_account_record_info *info,
                                         struct gk_error *error) GK_MUST_USE;

#endif
