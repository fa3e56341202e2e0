/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data that nothing refers to. Why what is found may be removed:
 *
 * A reference to a data object comes to be in one way: the write that commits a batch names the segments
 * whose objects the batch wrote, all of them new. From then on something refers to the segment without a
 * break, wherever the reference moves, until the reaper has removed the object (walk.h). So an object is
 * nobody's when it was there before a walk began, no batch was under way then that may still name it, and
 * the walk did not come by a reference to its segment. For each range of hashes (refset.h):
 *
 *   1. A walk collects the references. It is a filter only: most objects are seen to be referred to.
 *   2. The data pool is listed. What the filter does not know becomes a candidate, unless its last change
 *      is not as long before the filter's walk began as is asked for (older_than_s): a batch may be under
 *      way. Where the engine says that no batch is writing it (a change at 0), it may have been committed
 *      since the filter's walk, which the next step sees.
 *   3. A second walk looks for references to the candidates alone. They were all there before it began.
 *      Those without one are nobody's.
 *
 * So older_than_s must be longer than any batch is under way, from its first object to its commit: as
 * long as a client may take to send one body.
 *
 * What waits for removal counts as referred to (g/ rows); data of containers that wait for removal, and
 * of deleted accounts, is the reaper's and left to it. An object of a container with rows that could not
 * be read stays, for one of those may refer to it; so does one of an unknown container while there are
 * accounts or containers whose own records could not be read.
 *
 * Several gateways: the lease lets one run; two would do no harm, for the argument is about the store's
 * content alone, and removing twice is fine. Writes by others are what the walk is made for. The reaper
 * removes objects before the rows that refer to them: an object that it has removed is no candidate, or
 * one that is gone when it is looked at again.
 */
#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gateway/blob/names.h"
#include "gateway/blob/writer.h"
#include "gateway/scrub/run.h"

#define CANDIDATES_MAX 65536u
#define LIST_NAMES     512u
#define LIST_VISITS    4096u

struct candidate {
    struct gk_id segment; /* first: they are in its order */
    struct gk_id container;
    uint64_t number;
    uint64_t size_bytes;
    bool referred;
};

struct sweep {
    struct gk_scrub_run *run;
    int64_t began_wall_ms; /* the filter's walk */
    struct candidate *candidates;
    size_t count;
    uint64_t seen; /* objects of this range */
    /* Of one step of the list: */
    size_t visited;
    size_t fresh_count;
    struct candidate fresh[LIST_NAMES];
    struct gk_error *error;
};

/* --- names --------------------------------------------------------------------------------------*/

/* "<container>/<segment>/<number>", and nothing else that would be written differently. */
static bool parse_name(struct gk_span name, struct candidate *out)
{
    const size_t digits = 2 * sizeof out->container.bytes;
    char again[GK_DATA_NAME_BYTES];
    *out = (struct candidate){.referred = false};
    if (name.len < 2 * digits + 3 || name.len >= GK_DATA_NAME_BYTES ||
        !gk_hex_decode(gk_span_of(name.data, digits), out->container.bytes,
                       sizeof out->container.bytes) ||
        !gk_hex_decode(gk_span_of(name.data + digits + 1, digits), out->segment.bytes,
                       sizeof out->segment.bytes) ||
        !gk_parse_u64(gk_span_of(name.data + 2 * digits + 2, name.len - 2 * digits - 2),
                      GK_SEGMENT_CHUNKS_MAX, &out->number)) {
        return false;
    }
    gk_data_name(&out->container, &out->segment, out->number, again);
    return gk_span_equal(name, gk_span_str(again));
}

static void name_of(const struct candidate *candidate, char name[GK_DATA_NAME_BYTES])
{
    gk_data_name(&candidate->container, &candidate->segment, candidate->number, name);
}

/* Counts one that is nobody's by its container's state; true when that says so. */
static bool is_nobodys(struct gk_scrub_run *run, const struct gk_id *container)
{
    switch (gk_known_find(&run->known, container)) {
    case GK_KNOWN_NOT:
    case GK_KNOWN_READ:
        return true;
    case GK_KNOWN_REMOVING:
        run->state.counts.waiting++;
        return false;
    case GK_KNOWN_UNDECIDED:
        run->state.counts.undecided++;
        return false;
    }
    return false;
}

/* --- 1: the filter ------------------------------------------------------------------------------*/

static enum gk_status filter_segment(void *ctx, const struct gk_segment_ref *segment)
{
    struct gk_scrub_run *run = ctx;
    const uint64_t hash = gk_refset_hash(&segment->segment);
    if (gk_refset_in_range(&run->refs, hash)) {
        run->state.counts.segments++;
        run->expected_objects += gk_segment_objects(segment->length);
    }
    return gk_refset_add(&run->refs, hash);
}

static enum gk_status collect(struct sweep *sweep)
{
    struct gk_scrub_run *run = sweep->run;
    struct gk_scrub_visitor visitor = gk_scrub_run_visitor(run);
    visitor.segment = filter_segment;
    run->state.phase = GK_SCRUB_REFERENCES;
    run->state.job.progress = 0;
    run->counting = run->state.range_first == 0;
    run->expected_objects = 0;
    sweep->began_wall_ms = gk_clock_wall_ms(&run->job.gateway->clock);
    const enum gk_status status =
        gk_scrub_walk(run->job.gateway, &visitor, &run->known, sweep->error);
    run->counting = false;
    return status;
}

/* --- 3: the candidates --------------------------------------------------------------------------*/

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct gk_id));
}

static enum gk_status find_segment(void *ctx, const struct gk_segment_ref *segment)
{
    const struct gk_scrub_run *run = ctx;
    struct sweep *sweep = run->sweep;
    struct candidate *end = sweep->candidates + sweep->count;
    struct candidate *found = bsearch(&segment->segment, sweep->candidates, sweep->count,
                                      sizeof *sweep->candidates, compare);
    if (found == NULL) {
        return GK_OK;
    }
    while (found > sweep->candidates && compare(found - 1, &segment->segment) == 0) {
        found--;
    }
    for (; found < end && compare(found, &segment->segment) == 0; found++) {
        found->referred = true;
    }
    return GK_OK;
}

/* Objects that are nobody's, removed together. */
struct removal {
    size_t count;
    uint64_t bytes;
    char names[LIST_NAMES][GK_DATA_NAME_BYTES];
};

static enum gk_status remove_some(struct sweep *sweep, struct removal *removal)
{
    struct gk_scrub_run *run = sweep->run;
    const char *names[LIST_NAMES];
    for (size_t i = 0; i < removal->count; i++) {
        names[i] = removal->names[i];
    }
    enum gk_status status = GK_OK;
    if (removal->count > 0 && run->state.options.remove) {
        gk_job_take_turn(&run->job);
        status = gk_store_remove(run->job.gateway->store, GK_POOL_DATA, names, removal->count,
                                 sweep->error);
        run->state.counts.removed += status == GK_OK ? removal->count : 0;
        run->state.counts.removed_bytes += status == GK_OK ? removal->bytes : 0;
    }
    removal->count = 0;
    removal->bytes = 0;
    return status == GK_OK ? gk_job_go_on(&run->job, sweep->error) : status;
}

static enum gk_status settle(struct sweep *sweep, const struct candidate *candidate,
                             struct removal *removal)
{
    struct gk_scrub_run *run = sweep->run;
    if (candidate->referred) {
        run->state.counts.objects++;
        return GK_OK;
    }
    if (!is_nobodys(run, &candidate->container)) {
        return GK_OK;
    }
    char *name = removal->names[removal->count];
    struct gk_store_stat stat;
    name_of(candidate, name);
    const enum gk_status status =
        gk_store_stat(run->job.gateway->store, GK_POOL_DATA, name, &stat, sweep->error);
    if (status == GK_E_NOT_FOUND) {
        /* Committed since the filter's walk, and removed by the reaper since it was listed. */
        gk_error_clear(sweep->error);
        return GK_OK;
    }
    if (status == GK_OK) {
        removal->count++;
        removal->bytes += candidate->size_bytes;
        gk_log(GK_LOG_INFO, "scrub", "nothing refers to data object %s", name);
        gk_scrub_add_unreferenced(&run->state, name, false, candidate->size_bytes);
    }
    return status;
}

static enum gk_status settle_all(struct sweep *sweep)
{
    struct removal *removal = calloc(1, sizeof *removal);
    enum gk_status status =
        removal == NULL ? gk_fail(sweep->error, GK_E_RESOURCE, "out of memory") : GK_OK;
    for (size_t i = 0; status == GK_OK && i < sweep->count; i++) {
        status = settle(sweep, &sweep->candidates[i], removal);
        if (status == GK_OK && (removal->count == LIST_NAMES || i + 1 == sweep->count)) {
            status = remove_some(sweep, removal);
        }
    }
    free(removal);
    return status;
}

static enum gk_status confirm(struct sweep *sweep)
{
    struct gk_scrub_run *run = sweep->run;
    struct gk_scrub_visitor visitor = gk_scrub_run_visitor(run);
    visitor.segment = find_segment;
    if (sweep->count == 0) {
        return GK_OK;
    }
    qsort(sweep->candidates, sweep->count, sizeof *sweep->candidates, compare);
    enum gk_status status = gk_scrub_walk(run->job.gateway, &visitor, &run->known, sweep->error);
    if (status == GK_OK) {
        status = settle_all(sweep);
    }
    sweep->count = 0;
    return status;
}

/* --- 2: the list --------------------------------------------------------------------------------*/

static bool visit_name(void *ctx, struct gk_span name, struct gk_span value)
{
    (void)value;
    struct sweep *sweep = ctx;
    struct gk_scrub_run *run = sweep->run;
    struct candidate candidate;
    const bool ours = parse_name(name, &candidate);
    const uint64_t hash = ours ? gk_refset_hash(&candidate.segment) : 0;
    sweep->visited++;
    if (!ours) {
        run->state.counts.foreign += run->state.range_first == 0;
    } else if (gk_refset_in_range(&run->refs, hash)) {
        sweep->seen++;
        if (gk_refset_has(&run->refs, hash)) {
            run->state.counts.objects++;
        } else {
            sweep->fresh[sweep->fresh_count++] = candidate;
        }
    }
    return sweep->fresh_count < LIST_NAMES && sweep->visited < LIST_VISITS;
}

/* Whether a batch that wrote it may still be under way. */
static bool is_recent(const struct sweep *sweep, const struct gk_store_stat *stat)
{
    const int64_t older_ms = (int64_t)sweep->run->state.options.older_than_s * 1000;
    return stat->modified_wall_ms != 0 && stat->modified_wall_ms > sweep->began_wall_ms - older_ms;
}

static enum gk_status consider(struct sweep *sweep, struct candidate *fresh)
{
    struct gk_scrub_run *run = sweep->run;
    struct gk_store_stat stat;
    char name[GK_DATA_NAME_BYTES];
    name_of(fresh, name);
    gk_job_take_turn(&run->job);
    const enum gk_status status =
        gk_store_stat(run->job.gateway->store, GK_POOL_DATA, name, &stat, sweep->error);
    if (status == GK_E_NOT_FOUND) { /* removed, or given up, since it was listed */
        gk_error_clear(sweep->error);
        return GK_OK;
    }
    if (status == GK_OK && is_recent(sweep, &stat)) {
        run->state.counts.recent++;
    } else if (status == GK_OK) {
        fresh->size_bytes = stat.size_bytes;
        sweep->candidates[sweep->count++] = *fresh;
    }
    return status;
}

static enum gk_status consider_all(struct sweep *sweep)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < sweep->fresh_count && status == GK_OK; i++) {
        status = consider(sweep, &sweep->fresh[i]);
        if (status == GK_OK && sweep->count == CANDIDATES_MAX) {
            status = confirm(sweep);
        }
        if (status == GK_OK) {
            status = gk_job_go_on(&sweep->run->job, sweep->error);
        }
    }
    return status;
}

static void show_progress(const struct sweep *sweep)
{
    struct gk_scrub_run *run = sweep->run;
    const double all = (double)UINT64_MAX;
    const double expected = (double)(run->expected_objects + 1);
    const double part = (double)sweep->seen / (expected + (double)sweep->count);
    run->state.job.progress =
        (double)run->refs.first / all +
        (part < 1 ? part : 1) * (double)(run->refs.last - run->refs.first) / all;
}

static enum gk_status list(struct sweep *sweep)
{
    struct gk_scrub_run *run = sweep->run;
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    enum gk_status status = GK_OK;
    run->state.phase = GK_SCRUB_DATA;
    do {
        sweep->visited = 0;
        sweep->fresh_count = 0;
        gk_job_take_turn(&run->job);
        status = gk_store_list(run->job.gateway->store, GK_POOL_DATA, &cursor, visit_name, sweep,
                               sweep->error);
        if (status == GK_OK) {
            status = consider_all(sweep);
        }
        if (status == GK_OK) {
            status = gk_job_go_on(&run->job, sweep->error);
        }
        show_progress(sweep);
    } while (status == GK_OK && cursor.len > 0);
    gk_buf_cleanup(&cursor);
    return status == GK_OK ? confirm(sweep) : status;
}

/* --- all ranges ---------------------------------------------------------------------------------*/

static enum gk_status sweep_range(struct sweep *sweep, uint64_t last)
{
    struct gk_scrub_run *run = sweep->run;
    gk_scrub_begin_part(&run->state);
    if (run->state.range_first == 0) {
        run->state.counts.damaged = 0;
        json_array_clear(run->state.damaged);
    }
    gk_refset_begin(&run->refs, run->state.range_first, last);
    sweep->count = 0;
    sweep->seen = 0;
    enum gk_status status = collect(sweep);
    return status == GK_OK ? list(sweep) : status;
}

static enum gk_status sweep_all(struct sweep *sweep)
{
    struct gk_scrub_run *run = sweep->run;
    uint64_t last = UINT64_MAX;
    for (;;) {
        const enum gk_status status = sweep_range(sweep, last);
        if (status != GK_OK || run->refs.last == UINT64_MAX) {
            return status;
        }
        /* Another range as wide as the last one turned out to fit. */
        const uint64_t width = run->refs.last - run->refs.first;
        gk_scrub_end_part(&run->state);
        run->state.range_first = run->refs.last + 1;
        last = UINT64_MAX - run->state.range_first < width ? UINT64_MAX
                                                           : run->state.range_first + width;
    }
}

enum gk_status gk_scrub_data(struct gk_scrub_run *run, struct gk_error *error)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    sweep->run = run;
    run->sweep = sweep;
    sweep->error = error;
    sweep->candidates = calloc(CANDIDATES_MAX, sizeof *sweep->candidates);
    const enum gk_status status = sweep->candidates == NULL
                                      ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                      : sweep_all(sweep);
    free(sweep->candidates);
    free(sweep);
    run->sweep = NULL;
    return status;
}
