/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every job's state has, and the parts that states in JSON are made of and read from. A job keeps its
 * state as one row of a map in the meta pool, and an order to stop it beside that; neither is authenticated,
 * and no job relies on what they say for more than where to go on.
 */
#ifndef GATEWAY_JOB_STATE_H
#define GATEWAY_JOB_STATE_H

#include <jansson.h>

#include "common/text.h"
#include "gatekey/plugin.h"
#include "gateway/store/store.h"

enum gk_job_status {
    GK_JOB_RUNNING,
    GK_JOB_STOPPED,     /* may be resumed, as may the next two */
    GK_JOB_INTERRUPTED, /* its gateway ended */
    GK_JOB_FAILED,
    GK_JOB_DONE
};

struct gk_job_state {
    char id[GK_UUID_TEXT_BYTES];
    enum gk_job_status status;
    char gateway[128];
    char failure[256];
    int64_t started_wall_ms;
    int64_t updated_wall_ms;
    int64_t ended_wall_ms; /* 0: not yet */
    double progress;       /* of what it is at, 0 to 1 */
    uint32_t rate; /* turns in a second, of what the job counts as one; 0: one after the other */
};

/* A shard of an account's containers. */
struct gk_job_cursor {
    char container[GK_UUID_TEXT_BYTES]; /* its id; "" before the first */
    uint32_t shard;
};

/* --- JSON ---------------------------------------------------------------------------------------*/

/* Sets the members that the API shows; all but the rate. stopped: how this job says GK_JOB_STOPPED. */
void gk_job_state_show(const struct gk_job_state *state, const char *stopped, json_t *object);
/* Sets the times in milliseconds, by which a state is read again. */
void gk_job_state_show_times(const struct gk_job_state *state, json_t *object);
/* What both have set; not the rate. times may be object. False: it is not what was written. */
bool gk_job_state_parse(const json_t *object, const json_t *times, const char *stopped,
                        struct gk_job_state *state) GK_MUST_USE;

void gk_job_cursor_show(const struct gk_job_cursor *cursor, json_t *object);
bool gk_job_cursor_parse(const json_t *object, struct gk_job_cursor *cursor) GK_MUST_USE;

/* A structure of uint64_t, each with its name. */
struct gk_job_count {
    const char *name;
    size_t offset;
};
json_t *gk_job_counts_json(const struct gk_job_count *names, size_t count, const void *counts);
bool gk_job_counts_parse(const json_t *object, const struct gk_job_count *names, size_t count,
                         void *counts) GK_MUST_USE;

/* A member of object, which may be NULL; false, and out undefined, when it is not there or not of that form. */
bool gk_job_parse_name(const json_t *object, const char *member, const char *const *names,
                       size_t count, unsigned *out) GK_MUST_USE;
bool gk_job_parse_text(const json_t *object, const char *member, char *out,
                       size_t out_bytes) GK_MUST_USE;
bool gk_job_parse_number(const json_t *object, const char *member, uint64_t max,
                         uint64_t *out) GK_MUST_USE;

/* --- in the store -------------------------------------------------------------------------------*/

/* *out is owned by the caller, and NULL when the row is no JSON. GK_E_NOT_FOUND: there is none. GK_E_LIMIT: it
 * has more than bytes_max. */
enum gk_status gk_job_row_read(struct gk_store *store, const char *object, const char *key,
                               size_t bytes_max, json_t **out, struct gk_error *error) GK_MUST_USE;
/* json is taken over; NULL stands for memory that is out. there: the object has to be there, else
 * GK_E_NOT_FOUND, or it is made. */
enum gk_status gk_job_row_write(struct gk_store *store, const char *object, const char *key,
                                bool there, json_t *json, struct gk_error *error) GK_MUST_USE;

/* The order to stop the job with this id; "": none. The object is there, else GK_E_NOT_FOUND. */
enum gk_status gk_job_order_write(struct gk_store *store, const char *object, const char *key,
                                  const char *id, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_job_order_read(struct gk_store *store, const char *object, const char *key,
                                 const char *id, bool *ordered, struct gk_error *error) GK_MUST_USE;

#endif
