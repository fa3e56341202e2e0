/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The eras of a page blob: each state that is made of it (history.h) ends one. A state shares the blob's
 * rows and page objects (page_map.h) and costs none; what an era has left behind is never written to again.
 * The blob writes new rows in its own era: where a row or an object is of an earlier one, under another key
 * and to another object. Pure.
 *
 *   era 4 | shared 4 | writers 1 | writer ... | groups 2 | group 1, era 4 ...
 *   writer   id 8 | page object 16
 *   groups   by ascending number, those whose row is not of era 0
 *
 * Writers: a process that writes into a page object says so first, in the record (put_page.c), and does it
 * then. What it said last may still be to come; before a state is made it must have come, or never come.
 */
#ifndef GATEWAY_BLOB_PAGE_ERAS_H
#define GATEWAY_BLOB_PAGE_ERAS_H

#include "gateway/blob/fields.h"
#include "gateway/blob/page_map.h"

#define GK_PAGE_WRITERS_MAX 8u

struct gk_page_writer {
    uint64_t id; /* of the process */
    struct gk_id object;
};

/* All zero: a page blob of which no state was made and which nobody writes to. */
struct gk_page_eras {
    uint32_t era;    /* the present one; of a state, the one that it ended */
    uint32_t shared; /* states may name what is of eras before this one, and nothing else */
    uint32_t writers_count;
    struct gk_page_writer writers[GK_PAGE_WRITERS_MAX]; /* by the time of their last word */
    uint32_t groups[GK_PAGE_GROUPS_MAX];                /* era of each group's row */
};

extern const struct gk_field_kind gk_page_eras_field;

/* A state was made of what the blob is, and nobody writes. */
void gk_page_eras_end(struct gk_page_eras *eras);
/*
 * The process id will write into object next. *displaced: another process', whose last write nobody has
 * waited for, is forgotten for want of room: it must have come before.
 */
bool gk_page_eras_note_writer(struct gk_page_eras *eras, uint64_t id, const struct gk_id *object,
                              struct gk_id *displaced);

#endif
