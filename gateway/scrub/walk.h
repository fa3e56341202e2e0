/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Going through all that refers to data: accounts, their containers, the rows of their indexes; and the
 * marks of deleted accounts. Accounts come from a list of the pool, not from the registry: one that is
 * missing there must not make its data look like nobody's.
 *
 * What a walk promises: a segment that something refers to without a break, from the walk's beginning to
 * its end, is visited, whatever is written meanwhile. For a reference moves within one shard of an index
 * alone, in one atomic write: from a staged block (s/) into a blob's record, from there (b/, or the pages
 * m/ that b/ names) to another record of the same blob, its states' (v/) among them, or to what waits for
 * removal (g/), and never back. So in each shard
 *   - s/ is walked first: what has left it by then is in a record, or waits for removal;
 *   - then b/, where a record with pages is read together with them, and again until it is the same
 *     before and after: what is in the record when its key is visited is seen, inline or in pages;
 *   - then v/, in the same way: what was in b/ when that was walked, and is not any more, is there;
 *   - then m/, whose rows never change: pages of records that were replaced stay until they are reaped;
 *   - g/ last: what left a record meanwhile is there.
 * Likewise containers: the account's c/, again when one was renamed or restored meanwhile, before its g/, where one that is deleted and kept has an entry from
 * then until the end of its time, whether it is restored or not, and the marks of deleted accounts after all
 * accounts, for a mark is written before its account goes. A copy that shares its source's data refers to none
 * of it: a state of the source does (v/, loan.h), which is made from the base or from an earlier state, and has
 * a later time than all of them, so that it stands behind them.
 *
 * Rows that cannot be read make their container undecided: what they refer to is unknown.
 *
 * One thread.
 */
#ifndef GATEWAY_SCRUB_WALK_H
#define GATEWAY_SCRUB_WALK_H

#include "gateway/blob/record.h"
#include "gateway/blob/refs.h"
#include "gateway/scrub/known.h"

/* A container, as its account's map has it. */
struct gk_scrub_container {
    char name[64]; /* "" for one that waits for removal, or was deleted and is kept */
    bool kept;     /* it is, or was: it may be restored meanwhile, and then has a name, too */
    struct gk_id id;
    uint32_t shards;
};

struct gk_scrub_containers {
    struct gk_scrub_container *items;
    size_t count;
    size_t cap;
    bool hidden; /* some records could not be read */
};

struct gk_scrub_visitor {
    void *ctx;
    /* Every few hundred rows: false ends the walk with GK_E_UNAVAILABLE. */
    bool (*go_on)(void *ctx);
    void (*account)(void *ctx, const char *name); /* the next one */
    void (*container)(void *ctx);                 /* one is done */
    void (*progress)(void *ctx, double fraction);
    /* NULL: the rows of indexes are not looked at. */
    enum gk_status (*segment)(void *ctx, const struct gk_segment_ref *segment);
    void (*blob)(void *ctx); /* a blob's record was opened */
    /* container and blob may be "". */
    void (*damaged)(void *ctx, const char *account, const char *container, struct gk_span blob,
                    const char *what);
};

/* Fills known, which is reset, with all containers. */
enum gk_status gk_scrub_walk(struct gk_gateway *gateway, const struct gk_scrub_visitor *visitor,
                             struct gk_known *known, struct gk_error *error) GK_MUST_USE;

/* Names of all accounts, in order, each with its NUL, appended to names. */
enum gk_status gk_scrub_account_names(struct gk_gateway *gateway, struct gk_buf *names,
                                      struct gk_error *error) GK_MUST_USE;
/* The account's containers in the order of their names, then those that wait for removal. visitor is told
 * what is damaged. The caller cleans containers up whatever the result. */
enum gk_status gk_scrub_containers_of(struct gk_gateway *gateway,
                                      const struct gk_gateway_account *account,
                                      const struct gk_scrub_visitor *visitor,
                                      struct gk_scrub_containers *containers,
                                      struct gk_error *error) GK_MUST_USE;
void gk_scrub_containers_cleanup(struct gk_scrub_containers *containers);

#endif
