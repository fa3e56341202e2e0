/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/immutability.h"

#include "common/error.h"
#include "gateway/http/request.h"

const char *const gk_policy_mode_names[GK_POLICY_MODES] = {NULL, "unlocked", "locked"};

/* --- the stored form ----------------------------------------------------------------------------*/

static bool given(const void *value)
{
    const struct gk_immutability *immutability = value;
    return immutability->mode != GK_POLICY_NONE || immutability->legal_hold;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_immutability *immutability = value;
    gk_buf_append_u8(out, (uint8_t)immutability->mode);
    gk_buf_append_u64(out, (uint64_t)immutability->until_wall_ms);
    gk_buf_append_u8(out, immutability->legal_hold);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_immutability *immutability = value;
    const uint8_t mode = gk_read_u8(in);
    immutability->until_wall_ms = (int64_t)gk_read_u64(in);
    const uint8_t hold = gk_read_u8(in);
    if (mode >= GK_POLICY_MODES || hold > 1 || mode + hold == 0) {
        return gk_fail(error, GK_E_INTEGRITY, "a record's immutability is not well-formed");
    }
    immutability->mode = (enum gk_policy_mode)mode;
    immutability->legal_hold = hold != 0;
    return GK_OK;
}

const struct gk_field_kind gk_immutability_field = {
    .given = given, .encode = encode, .decode = decode};

/* --- rules --------------------------------------------------------------------------------------*/

static enum gk_status refuse(struct gk_error *error)
{
    return gk_refuse(error, 409, "BlobImmutableDueToPolicy");
}

enum gk_status gk_immutability_check(const struct gk_immutability *immutability, int64_t wall_ms,
                                     struct gk_error *error)
{
    const bool policy =
        immutability->mode != GK_POLICY_NONE && wall_ms < immutability->until_wall_ms;
    return policy || immutability->legal_hold ? refuse(error) : GK_OK;
}

enum gk_status gk_immutability_set_policy(struct gk_immutability *immutability,
                                          enum gk_policy_mode mode, int64_t until_wall_ms,
                                          struct gk_error *error)
{
    if (immutability->mode == GK_POLICY_LOCKED &&
        (mode != GK_POLICY_LOCKED || until_wall_ms < immutability->until_wall_ms)) {
        return refuse(error);
    }
    immutability->mode = mode;
    immutability->until_wall_ms = until_wall_ms;
    return GK_OK;
}

enum gk_status gk_immutability_delete_policy(struct gk_immutability *immutability,
                                             struct gk_error *error)
{
    if (immutability->mode == GK_POLICY_LOCKED) {
        return refuse(error);
    }
    immutability->mode = GK_POLICY_NONE;
    immutability->until_wall_ms = 0;
    return GK_OK;
}
