/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/history.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"

#define TIMES_IN_MS 10000u

static bool given(const void *value)
{
    const struct gk_history *history = value;
    return history->kind != GK_STATE_BASE || history->newest != 0 || history->version != 0 ||
           history->deleted_wall_ms != 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_history *history = value;
    gk_buf_append_u8(out, (uint8_t)history->kind);
    gk_buf_append_u64(out, history->newest);
    gk_buf_append_u64(out, history->version);
    gk_buf_append_u64(out, (uint64_t)history->deleted_wall_ms);
    gk_buf_append_u64(out, (uint64_t)history->kept_until_wall_ms);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_history *history = value;
    const uint8_t kind = gk_read_u8(in);
    history->kind = (enum gk_state_kind)kind;
    history->newest = gk_read_u64(in);
    history->version = gk_read_u64(in);
    history->deleted_wall_ms = (int64_t)gk_read_u64(in);
    history->kept_until_wall_ms = (int64_t)gk_read_u64(in);
    return kind <= GK_STATE_LENT && given(history)
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a record's history is not well-formed");
}

const struct gk_field_kind gk_history_field = {.given = given, .encode = encode, .decode = decode};

uint64_t gk_history_next(const struct gk_history *base, int64_t wall_ms)
{
    const uint64_t now = (uint64_t)wall_ms * TIMES_IN_MS;
    return now > base->newest ? now : base->newest + 1;
}

void gk_state_time_format(uint64_t time, char text[GK_STATE_TIME_TEXT_BYTES])
{
    gk_time_iso((int64_t)(time / TIMES_IN_MS), text);
    char *rest = text + strlen(text) - strlen("0000Z");
    snprintf(rest, sizeof "0000Z", "%04uZ", (unsigned)(time % TIMES_IN_MS));
}

bool gk_state_time_parse(const char *text, uint64_t *time)
{
    char again[GK_STATE_TIME_TEXT_BYTES];
    int64_t wall_ms = 0;
    uint64_t rest = 0;
    const size_t len = strlen(text);
    if (!gk_time_iso_parse(text, &wall_ms) || wall_ms < 0 || len < strlen("0000Z") ||
        !gk_parse_u64(gk_span_of(text + len - strlen("0000Z"), 4), TIMES_IN_MS, &rest)) {
        return false;
    }
    *time = (uint64_t)wall_ms * TIMES_IN_MS + rest;
    gk_state_time_format(*time, again);
    return strcmp(again, text) == 0;
}
