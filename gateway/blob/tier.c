/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/tier.h"

#include <strings.h>

#include "common/error.h"
#include "gateway/http/request.h"

static const char *const names[GK_TIERS] = {"Hot", "Hot", "Cool", "Cold", "Archive"};

/* --- the stored form ----------------------------------------------------------------------------*/

static bool given(const void *value)
{
    const struct gk_tier_times *times = value;
    return times->changed_wall_ms != 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_tier_times *times = value;
    gk_buf_append_u64(out, (uint64_t)times->changed_wall_ms);
    gk_buf_append_u8(out, (uint8_t)times->rehydrates_to);
    gk_buf_append_u8(out, times->high_priority);
    gk_buf_append_u64(out, (uint64_t)times->ready_wall_ms);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_tier_times *times = value;
    times->changed_wall_ms = (int64_t)gk_read_u64(in);
    const uint8_t tier = gk_read_u8(in);
    const uint8_t high = gk_read_u8(in);
    times->ready_wall_ms = (int64_t)gk_read_u64(in);
    if (times->changed_wall_ms == 0 || tier >= GK_TIER_ARCHIVE || high > 1) {
        return gk_fail(error, GK_E_INTEGRITY, "the times of a record's tier are not well-formed");
    }
    times->rehydrates_to = (enum gk_tier)tier;
    times->high_priority = high != 0;
    return GK_OK;
}

const struct gk_field_kind gk_tier_times_field = {
    .given = given, .encode = encode, .decode = decode};

/* --- what it is at a time -----------------------------------------------------------------------*/

/* A rehydration that is over is a change of tier, at that time. */
static void settle(enum gk_tier *tier, struct gk_tier_times *times, int64_t wall_ms)
{
    if (times->rehydrates_to != GK_TIER_INFERRED && times->ready_wall_ms <= wall_ms) {
        *tier = times->rehydrates_to;
        *times = (struct gk_tier_times){.changed_wall_ms = times->ready_wall_ms};
    }
}

enum gk_status gk_tier_check_online(enum gk_tier tier, const struct gk_tier_times *times,
                                    int64_t wall_ms, struct gk_error *error)
{
    struct gk_tier_times now = *times;
    settle(&tier, &now, wall_ms);
    if (tier != GK_TIER_ARCHIVE) {
        return GK_OK;
    }
    return gk_refuse(
        error, 409, now.rehydrates_to == GK_TIER_INFERRED ? "BlobArchived" : "BlobBeingRehydrated");
}

struct gk_tier_view gk_tier_view_of(enum gk_tier tier, const struct gk_tier_times *times,
                                    int64_t wall_ms)
{
    static const char *const pending[GK_TIERS] = {
        [GK_TIER_HOT] = "rehydrate-pending-to-hot",
        [GK_TIER_COOL] = "rehydrate-pending-to-cool",
        [GK_TIER_COLD] = "rehydrate-pending-to-cold",
    };
    struct gk_tier_times now = *times;
    settle(&tier, &now, wall_ms);
    const bool rehydrates = now.rehydrates_to != GK_TIER_INFERRED;
    return (struct gk_tier_view){.name = names[tier],
                                 .inferred = tier == GK_TIER_INFERRED,
                                 .changed_wall_ms = now.changed_wall_ms,
                                 .archive_status = pending[now.rehydrates_to],
                                 .priority = !rehydrates         ? NULL
                                             : now.high_priority ? "High"
                                                                 : "Standard"};
}

/* --- changes ------------------------------------------------------------------------------------*/

bool gk_tier_parse(const char *text, enum gk_tier *tier)
{
    for (size_t i = GK_TIER_HOT; i < GK_TIERS; i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *tier = (enum gk_tier)i;
            return true;
        }
    }
    return false;
}

void gk_tier_begin(enum gk_tier tier, struct gk_tier_times *times, int64_t wall_ms)
{
    *times = (struct gk_tier_times){.changed_wall_ms = tier == GK_TIER_INFERRED ? 0 : wall_ms};
}

static int64_t ready_at(const struct gk_tier_request *asked, int64_t wall_ms)
{
    return wall_ms + 1000 * (int64_t)(asked->high_priority ? asked->high_s : asked->standard_s);
}

/* Of what is on its way nothing can be changed but that it comes sooner. */
static enum gk_status hasten(struct gk_tier_times *times, const struct gk_tier_request *asked,
                             int64_t wall_ms, struct gk_error *error)
{
    if (asked->tier != times->rehydrates_to) {
        return gk_refuse(error, 409, "BlobBeingRehydrated");
    }
    if (asked->high_priority && !times->high_priority) {
        const int64_t ready = ready_at(asked, wall_ms);
        times->high_priority = true;
        times->ready_wall_ms = ready < times->ready_wall_ms ? ready : times->ready_wall_ms;
    }
    return GK_OK;
}

enum gk_status gk_tier_set(enum gk_tier *tier, struct gk_tier_times *times,
                           const struct gk_tier_request *asked, int64_t wall_ms, bool *pending,
                           struct gk_error *error)
{
    settle(tier, times, wall_ms);
    *pending = *tier == GK_TIER_ARCHIVE &&
               (asked->tier != GK_TIER_ARCHIVE || times->rehydrates_to != GK_TIER_INFERRED);
    if (times->rehydrates_to != GK_TIER_INFERRED) {
        return hasten(times, asked, wall_ms, error);
    }
    if (*pending) {
        *times = (struct gk_tier_times){.changed_wall_ms = wall_ms,
                                        .rehydrates_to = asked->tier,
                                        .high_priority = asked->high_priority,
                                        .ready_wall_ms = ready_at(asked, wall_ms)};
    } else if (*tier != asked->tier) {
        *tier = asked->tier;
        gk_tier_begin(asked->tier, times, wall_ms);
    }
    return GK_OK;
}
