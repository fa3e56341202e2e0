/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a blob was, and what its records say of it. A blob has a base, the record under "b/<name>", and
 * perhaps states, records under "v/<name>": snapshots, versions before the present one, and what is lent to
 * copies (loan.h), which no client sees. A state is named
 * by its time, which is unique within its blob and ascends; clients see it as x-ms-snapshot and
 * x-ms-version-id. Base and states share their data: none is copied. All of them stand in one shard, and
 * whoever changes a state writes the base's record anew in the same write, so that the base's bytes are
 * the guard of all. A base stays for as long as there are states.
 *
 *   kind 1 | newest 8 | version 8 | deleted 8 | kept until 8
 */
#ifndef GATEWAY_BLOB_HISTORY_H
#define GATEWAY_BLOB_HISTORY_H

#include "gateway/blob/fields.h"

/* What a record is. The numbers are part of the format. */
enum gk_state_kind { GK_STATE_BASE, GK_STATE_SNAPSHOT, GK_STATE_VERSION, GK_STATE_LENT };

/* All zero: a base that never had a state, and shares its data with nobody. Times of states count 100
 * nanoseconds since 1970. */
struct gk_history {
    enum gk_state_kind kind;
    uint64_t newest;         /* of a base: the latest time that was given to a state */
    uint64_t version;        /* the version it is; 0: it is none */
    int64_t deleted_wall_ms; /* 0: it was not; else it can be undeleted until: */
    int64_t kept_until_wall_ms;
};

extern const struct gk_field_kind gk_history_field;

/* The time of the next state: now, or just after the newest. */
uint64_t gk_history_next(const struct gk_history *base, int64_t wall_ms);

#define GK_STATE_TIME_TEXT_BYTES 40u
/* "2026-11-23T12:00:00.1234567Z", exactly. */
void gk_state_time_format(uint64_t time, char text[GK_STATE_TIME_TEXT_BYTES]);
bool gk_state_time_parse(const char *text, uint64_t *time) GK_MUST_USE;

#endif
