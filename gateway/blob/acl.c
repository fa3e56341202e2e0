/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/acl.h"

#include <string.h>

#include "common/error.h"

const char *const gk_public_access_names[GK_PUBLIC_LEVELS] = {NULL, "blob", "container"};

static bool given(const void *value)
{
    const struct gk_acl *acl = value;
    return acl->level != GK_PUBLIC_NONE || acl->policies_count > 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_acl *acl = value;
    gk_buf_append_u8(out, (uint8_t)acl->level);
    gk_buf_append_u8(out, (uint8_t)acl->policies_count);
    for (uint32_t i = 0; i < acl->policies_count; i++) {
        const struct gk_stored_policy *policy = &acl->policies[i];
        gk_append_text(out, gk_span_str(policy->id));
        gk_buf_append_u64(out, (uint64_t)policy->start_wall_ms);
        gk_buf_append_u64(out, (uint64_t)policy->expiry_wall_ms);
        gk_append_text(out, gk_span_str(policy->permissions));
    }
}

static bool read_policy_text(struct gk_reader *in, char *out, size_t out_bytes)
{
    const struct gk_span text = gk_read_text(in);
    if (in->failed || text.len >= out_bytes) {
        return false;
    }
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    return strlen(out) == text.len;
}

static bool read_policy(struct gk_reader *in, struct gk_stored_policy *policy)
{
    const bool named = read_policy_text(in, policy->id, sizeof policy->id);
    policy->start_wall_ms = (int64_t)gk_read_u64(in);
    policy->expiry_wall_ms = (int64_t)gk_read_u64(in);
    return named && read_policy_text(in, policy->permissions, sizeof policy->permissions);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_acl *acl = value;
    const uint8_t level = gk_read_u8(in);
    const uint8_t count = gk_read_u8(in);
    bool good = level < GK_PUBLIC_LEVELS && count <= GK_ACL_POLICIES_MAX && level + count > 0;
    acl->level = good ? (enum gk_public_access)level : GK_PUBLIC_NONE;
    while (good && acl->policies_count < count) {
        good = read_policy(in, &acl->policies[acl->policies_count++]);
    }
    return good ? GK_OK : gk_fail(error, GK_E_INTEGRITY, "a container's access is not well-formed");
}

const struct gk_field_kind gk_acl_field = {.given = given, .encode = encode, .decode = decode};

const struct gk_stored_policy *gk_acl_find(const struct gk_acl *acl, const char *id)
{
    for (uint32_t i = 0; i < acl->policies_count; i++) {
        if (strcmp(acl->policies[i].id, id) == 0) {
            return &acl->policies[i];
        }
    }
    return NULL;
}
