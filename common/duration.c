/* SPDX-License-Identifier: Apache-2.0 */
#include "common/duration.h"

#include <string.h>
#include <time.h>

#include "common/text.h"

#define MONTHS_OF_A_YEAR 12
#define NUMBER_MAX       1000000u
#define NOMINAL_MAX_S    (INT64_C(36500) * GK_DAY_S)

struct unit {
    char letter;
    bool of_time; /* stands behind the T */
    int64_t months;
    int64_t seconds;
};

/* In the order in which they stand. */
static const struct unit units[] = {
    {'Y', false, MONTHS_OF_A_YEAR, 0},
    {'M', false, 1, 0},
    {'D', false, 0, GK_DAY_S},
    {'H', true, 0, 3600},
    {'M', true, 0, 60},
    {'S', true, 0, 1},
};
#define UNITS (sizeof units / sizeof units[0])

/* The unit from the index on that the letter means there; UNITS: none. */
static size_t unit_of(char letter, bool of_time, size_t from)
{
    while (from < UNITS && (units[from].letter != letter || units[from].of_time != of_time)) {
        from++;
    }
    return from;
}

static bool read_parts(const char *at, struct gk_duration *out)
{
    size_t unit = 0;
    bool of_time = false;
    do {
        if (*at == 'T' && !of_time) {
            of_time = true;
            at++;
        }
        const size_t digits = strspn(at, "0123456789");
        uint64_t number = 0;
        unit = unit_of(at[digits], of_time, unit);
        if (unit == UNITS || !gk_parse_u64(gk_span_of(at, digits), NUMBER_MAX, &number)) {
            return false;
        }
        out->months += (int64_t)number * units[unit].months;
        out->seconds += (int64_t)number * units[unit].seconds;
        unit++;
        at += digits + 1;
    } while (*at != '\0');
    return true;
}

bool gk_duration_parse(const char *text, struct gk_duration *out)
{
    struct gk_duration duration = {0};
    const size_t len = strnlen(text, GK_DURATION_BYTES);
    if (len == GK_DURATION_BYTES || text[0] != 'P' || !read_parts(text + 1, &duration) ||
        gk_duration_nominal_s(&duration) > NOMINAL_MAX_S) {
        return false;
    }
    memcpy(duration.text, text, len);
    *out = duration;
    return true;
}

int64_t gk_duration_nominal_s(const struct gk_duration *duration)
{
    const int64_t years = duration->months / MONTHS_OF_A_YEAR;
    const int64_t months = duration->months % MONTHS_OF_A_YEAR;
    return (years * 365 + months * 30) * GK_DAY_S + duration->seconds;
}

static int days_of_month(int month, int year)
{
    /* The day before the first of the next month; tm_mon may be 12. */
    struct tm day = {.tm_year = year, .tm_mon = month + 1, .tm_mday = 0, .tm_hour = 12};
    timegm(&day);
    return day.tm_mday;
}

static int64_t add_months(int64_t from_s, int64_t months)
{
    const time_t from = (time_t)from_s;
    struct tm date;
    gmtime_r(&from, &date);
    const int64_t total = (int64_t)date.tm_year * MONTHS_OF_A_YEAR + date.tm_mon + months;
    date.tm_year = (int)(total / MONTHS_OF_A_YEAR);
    date.tm_mon = (int)(total % MONTHS_OF_A_YEAR);
    const int last = days_of_month(date.tm_mon, date.tm_year);
    if (date.tm_mday > last) {
        date.tm_mday = last;
    }
    return (int64_t)timegm(&date);
}

int64_t gk_duration_after_s(const struct gk_duration *duration, int64_t from_s)
{
    return add_months(from_s, duration->months) + duration->seconds;
}

int64_t gk_duration_before_s(const struct gk_duration *duration, int64_t from_s)
{
    return add_months(from_s, -duration->months) - duration->seconds;
}
