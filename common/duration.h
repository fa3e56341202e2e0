/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Durations as rotation policies have them: those of XML Schema and ISO 8601, "P1Y10D", "PT48H",
 * whole numbers, not negative, no weeks. Years and months are the calendar's: what they come to
 * depends on the day they are counted from.
 */
#ifndef COMMON_DURATION_H
#define COMMON_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#define GK_DURATION_BYTES 40u /* the text with its NUL */
#define GK_DAY_S          INT64_C(86400)

struct gk_duration {
    char text[GK_DURATION_BYTES]; /* as it was given; "": there is none */
    int64_t months;
    int64_t seconds; /* days and what is shorter */
};

/* False, out untouched: it is no such duration, or one of more than a hundred years. */
bool gk_duration_parse(const char *text, struct gk_duration *out);
static inline bool gk_duration_is_set(const struct gk_duration *duration)
{
    return duration->text[0] != '\0';
}
/* Its length with months of 30 and years of 365 days, in which limits are given. */
int64_t gk_duration_nominal_s(const struct gk_duration *duration);
/* The time (seconds since the epoch, UTC) so long after and before another one. A day that a month
 * does not have is its last. */
int64_t gk_duration_after_s(const struct gk_duration *duration, int64_t from_s);
int64_t gk_duration_before_s(const struct gk_duration *duration, int64_t from_s);

#endif
