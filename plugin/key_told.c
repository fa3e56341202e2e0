/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/key_told.h"

#include <stdio.h>
#include <string.h>

#include "common/text.h"

const char *gk_key_told_fault(const struct gk_key_told *told)
{
    const struct gk_key_info *info = &told->info;
    if (!gk_text_is_plain(told->key_id, sizeof told->key_id) ||
        !gk_text_is_plain(info->key_type, sizeof info->key_type) || info->key_type[0] == '\0' ||
        !gk_text_is_plain(info->recovery_level, sizeof info->recovery_level)) {
        return "a text about the key is missing, has no end or holds a control character";
    }
    if (info->not_before_wall_ms < 0 || info->expires_wall_ms < 0 || info->created_wall_ms < 0 ||
        info->rotation_due_wall_ms < 0 || told->told_wall_ms < 0) {
        return "a time of the key is out of range";
    }
    return NULL;
}

struct gk_key_told gk_key_told_now(const char *key_id, const struct gk_key_info *info,
                                   int64_t wall_ms)
{
    struct gk_key_told told = {.info = *info, .told_wall_ms = wall_ms};
    snprintf(told.key_id, sizeof told.key_id, "%s", key_id);
    if (gk_key_told_fault(&told) != NULL) {
        memset(&told, 0, sizeof told);
    }
    return told;
}

bool gk_key_told_same(const struct gk_key_told *a, const struct gk_key_told *b)
{
    const struct gk_key_info *one = &a->info;
    const struct gk_key_info *other = &b->info;
    return strcmp(a->key_id, b->key_id) == 0 && strcmp(one->key_type, other->key_type) == 0 &&
           one->modulus_bits == other->modulus_bits && one->enabled == other->enabled &&
           one->may_wrap == other->may_wrap && one->may_unwrap == other->may_unwrap &&
           one->soft_delete == other->soft_delete &&
           one->purge_protected == other->purge_protected &&
           one->not_before_wall_ms == other->not_before_wall_ms &&
           one->expires_wall_ms == other->expires_wall_ms &&
           one->created_wall_ms == other->created_wall_ms &&
           one->rotation_due_wall_ms == other->rotation_due_wall_ms &&
           strcmp(one->recovery_level, other->recovery_level) == 0;
}
