/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_aggregate.h"

void gk_query_aggregate_init(struct gk_query_aggregate *aggregate, enum gk_query_item_kind kind)
{
    *aggregate = (struct gk_query_aggregate){.kind = kind};
    gk_buf_init(&aggregate->text, GK_QUERY_RECORD_BYTES_MAX);
}

void gk_query_aggregate_cleanup(struct gk_query_aggregate *aggregate)
{
    gk_buf_cleanup_wipe(&aggregate->text);
}

static double real_of(const struct gk_query_value *value)
{
    return value->kind == GK_QUERY_VALUE_INTEGER ? (double)value->integer : value->real;
}

static void add_number(struct gk_query_aggregate *aggregate, const struct gk_query_value *value)
{
    int64_t sum = 0;
    aggregate->is_real = aggregate->is_real || value->kind != GK_QUERY_VALUE_INTEGER ||
                         __builtin_add_overflow(aggregate->integer, value->integer, &sum);
    aggregate->integer = sum;
    aggregate->real += real_of(value);
}

/* Numbers come before text. */
static int compare(const struct gk_query_value *a, const struct gk_query_value *b)
{
    const bool a_text = a->kind == GK_QUERY_VALUE_TEXT;
    const bool b_text = b->kind == GK_QUERY_VALUE_TEXT;
    if (a_text != b_text) {
        return a_text ? 1 : -1;
    }
    if (a_text) {
        return gk_span_compare(a->text, b->text);
    }
    if (a->kind == GK_QUERY_VALUE_INTEGER && b->kind == GK_QUERY_VALUE_INTEGER) {
        return a->integer < b->integer ? -1 : a->integer > b->integer;
    }
    return real_of(a) < real_of(b) ? -1 : real_of(a) > real_of(b);
}

static void keep_best(struct gk_query_aggregate *aggregate, const struct gk_query_value *value)
{
    const int order = aggregate->count == 0 ? 0 : compare(value, &aggregate->best);
    const bool better =
        aggregate->count == 0 || (aggregate->kind == GK_QUERY_MIN ? order < 0 : order > 0);
    if (!better) {
        return;
    }
    aggregate->best = *value;
    gk_buf_reset(&aggregate->text);
    gk_buf_append(&aggregate->text, value->text.data, value->text.len);
    aggregate->best.text = gk_buf_span(&aggregate->text);
}

void gk_query_aggregate_add(struct gk_query_aggregate *aggregate,
                            const struct gk_query_value *value)
{
    if (value->kind == GK_QUERY_VALUE_NULL && aggregate->kind != GK_QUERY_COUNT_ALL) {
        return;
    }
    if (aggregate->kind == GK_QUERY_SUM || aggregate->kind == GK_QUERY_AVG) {
        add_number(aggregate, value);
    } else if (aggregate->kind == GK_QUERY_MIN || aggregate->kind == GK_QUERY_MAX) {
        keep_best(aggregate, value);
    }
    aggregate->count++;
}

void gk_query_aggregate_end(const struct gk_query_aggregate *aggregate,
                            struct gk_query_value *value)
{
    *value = (struct gk_query_value){.kind = GK_QUERY_VALUE_NULL};
    if (aggregate->kind == GK_QUERY_COUNT || aggregate->kind == GK_QUERY_COUNT_ALL) {
        value->kind = GK_QUERY_VALUE_INTEGER;
        value->integer = (int64_t)aggregate->count;
    } else if (aggregate->count == 0) {
        return;
    } else if (aggregate->kind == GK_QUERY_AVG) {
        value->kind = GK_QUERY_VALUE_REAL;
        value->real = aggregate->real / (double)aggregate->count;
    } else if (aggregate->kind == GK_QUERY_SUM) {
        value->kind = aggregate->is_real ? GK_QUERY_VALUE_REAL : GK_QUERY_VALUE_INTEGER;
        value->integer = aggregate->integer;
        value->real = aggregate->real;
    } else {
        *value = aggregate->best;
    }
}
