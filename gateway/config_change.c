/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gateway/config_value.h"

/* What a reload takes over. */
static const char *const renewable[] = {"log_level",
                                        "bearer",
                                        "policy",
                                        "blob.copy_sources",
                                        "blob.tls_certificate",
                                        "blob.tls_key",
                                        "management.tls_certificate",
                                        "management.tls_key",
                                        "management.client_ca",
                                        "management.token_file",
                                        "management.callers"};

static bool is_renewable(const char *group, const char *name)
{
    const size_t group_len = strlen(group);
    for (size_t i = 0; i < sizeof renewable / sizeof *renewable; i++) {
        if (strncmp(renewable[i], group, group_len) == 0 &&
            strcmp(renewable[i] + group_len, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* As deep as the file is nested, which its reader has bounded: a group in a list in a group. */
static bool same_setting(const config_setting_t *a, const config_setting_t *b)
{
    const int type = config_setting_type(a);
    if (type != config_setting_type(b)) {
        return false;
    }
    switch (type) {
    case CONFIG_TYPE_STRING:
        return same_text(config_setting_get_string(a), config_setting_get_string(b));
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return config_setting_get_int64(a) == config_setting_get_int64(b);
    case CONFIG_TYPE_BOOL:
        return config_setting_get_bool(a) == config_setting_get_bool(b);
    default:
        break;
    }
    const int count = config_setting_length(a);
    bool same = config_setting_is_aggregate(a) && count == config_setting_length(b);
    for (int i = 0; same && i < count; i++) {
        const config_setting_t *one = config_setting_get_elem(a, (unsigned)i);
        const config_setting_t *other = config_setting_get_elem(b, (unsigned)i);
        same = same_text(config_setting_name(one), config_setting_name(other)) &&
               same_setting(one, other);
    }
    return same;
}

static enum gk_status refuse_change(const struct gk_config *config, const config_setting_t *at,
                                    const char *group, const char *name, struct gk_error *error)
{
    return gk_config_refuse(
        config, at, error, "%s%s: cannot change while the gateway runs; restart it, or put it back",
        group, name);
}

/* Whether all members are as they were, but for what a reload takes over, and for those that are groups themselves
 * where groups is set. prefix is the group's name and a dot, or "". */
static enum gk_status check_group(const struct gk_config *config, const config_setting_t *former,
                                  const config_setting_t *fresh, const char *prefix, bool groups,
                                  struct gk_error *error)
{
    const int count = config_setting_length(fresh);
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(fresh, (unsigned)i);
        const char *name = config_setting_name(setting);
        const config_setting_t *before = config_setting_get_member(former, name);
        if ((groups && config_setting_is_group(setting)) || is_renewable(prefix, name)) {
            continue;
        }
        if (before == NULL || !same_setting(before, setting)) {
            return refuse_change(config, setting, prefix, name, error);
        }
    }
    const int former_count = config_setting_length(former);
    for (int i = 0; i < former_count; i++) {
        const char *name = config_setting_name(config_setting_get_elem(former, (unsigned)i));
        if (config_setting_get_member(fresh, name) == NULL && !is_renewable(prefix, name)) {
            return refuse_change(config, fresh, prefix, name, error);
        }
    }
    return GK_OK;
}

enum gk_status gk_config_check_change(const struct gk_config *running,
                                      const struct gk_config *fresh, struct gk_error *error)
{
    static const struct {
        const char *name;
        const char *prefix;
    } groups[] = {{"store", "store."},
                  {"blob", "blob."},
                  {"management", "management."},
                  {"provider", "provider."}};
    const config_setting_t *former_root = config_root_setting(&running->private_->file);
    const config_setting_t *root = config_root_setting(&fresh->private_->file);
    enum gk_status status = check_group(fresh, former_root, root, "", true, error);
    for (size_t i = 0; status == GK_OK && i < sizeof groups / sizeof *groups; i++) {
        const config_setting_t *former = config_setting_get_member(former_root, groups[i].name);
        const config_setting_t *group = config_setting_get_member(root, groups[i].name);
        if (former != NULL && group != NULL) {
            status = check_group(fresh, former, group, groups[i].prefix, false, error);
        } else if (group != NULL) {
            status = refuse_change(fresh, group, "", groups[i].name, error);
        }
    }
    return status;
}

void gk_config_changes(const struct gk_config *running, const struct gk_config *fresh,
                       struct gk_buf *names)
{
    for (size_t i = 0; i < sizeof renewable / sizeof *renewable; i++) {
        const config_setting_t *before = config_lookup(&running->private_->file, renewable[i]);
        const config_setting_t *after = config_lookup(&fresh->private_->file, renewable[i]);
        const bool same =
            before == NULL || after == NULL ? before == after : same_setting(before, after);
        if (!same) {
            gk_buf_printf(names, "%s%s", names->len == 0 ? "" : ", ", renewable[i]);
        }
    }
}
