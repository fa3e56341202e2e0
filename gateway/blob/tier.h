/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tiers of block blobs (Storage REST reference, "Set Blob Tier"; "Blob rehydration from the archive
 * tier"). The data of all tiers is kept alike; an archived blob can be read once it was rehydrated, which
 * takes the time that the operator set. That it is over is a matter of the clock and stands nowhere. Pure.
 *   changed 8 | rehydrates to 1 | high priority 1 | ready 8
 */
#ifndef GATEWAY_BLOB_TIER_H
#define GATEWAY_BLOB_TIER_H

#include "gateway/blob/fields.h"

/* As the record has it; inferred: it was never set, Hot is told. The numbers are part of the format. */
enum gk_tier {
    GK_TIER_INFERRED,
    GK_TIER_HOT,
    GK_TIER_COOL,
    GK_TIER_COLD,
    GK_TIER_ARCHIVE,
    GK_TIERS
};

/* The times of a tier that was set. All zero: it never was. */
struct gk_tier_times {
    int64_t changed_wall_ms;
    enum gk_tier rehydrates_to; /* of an archived blob; GK_TIER_INFERRED: it does not */
    bool high_priority;
    int64_t ready_wall_ms; /* when it will be there */
};

extern const struct gk_field_kind gk_tier_times_field;

/* What Set Blob Tier asks for. */
struct gk_tier_request {
    enum gk_tier tier; /* not inferred */
    bool high_priority;
    uint32_t standard_s; /* how long a rehydration takes, by priority */
    uint32_t high_s;
};

/* "Hot" and its sisters, without case; false for anything else. */
bool gk_tier_parse(const char *text, enum gk_tier *tier);

/* A blob that is made with this tier; inferred: without one. */
void gk_tier_begin(enum gk_tier tier, struct gk_tier_times *times, int64_t wall_ms);
/* *pending: it is on its way, 202. 409 BlobBeingRehydrated. */
enum gk_status gk_tier_set(enum gk_tier *tier, struct gk_tier_times *times,
                           const struct gk_tier_request *asked, int64_t wall_ms, bool *pending,
                           struct gk_error *error) GK_MUST_USE;
/* Whether the content can be had: 409 BlobArchived, BlobBeingRehydrated. */
enum gk_status gk_tier_check_online(enum gk_tier tier, const struct gk_tier_times *times,
                                    int64_t wall_ms, struct gk_error *error) GK_MUST_USE;

/* How answers and listings tell it. */
struct gk_tier_view {
    const char *name;
    bool inferred;
    int64_t changed_wall_ms;    /* 0: it was never set */
    const char *archive_status; /* and the priority, while it is on its way; else NULL */
    const char *priority;
};
struct gk_tier_view gk_tier_view_of(enum gk_tier tier, const struct gk_tier_times *times,
                                    int64_t wall_ms);

#endif
