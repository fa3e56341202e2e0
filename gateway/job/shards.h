/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of an account's job: through all shards of the containers that clients can come to see, which have a
 * name, or were deleted and are kept. One thread, the run's.
 */
#ifndef GATEWAY_JOB_SHARDS_H
#define GATEWAY_JOB_SHARDS_H

#include "gateway/job/job.h"
#include "gateway/scrub/walk.h"

typedef enum gk_status gk_job_shard_fn(void *ctx, const struct gk_scrub_container *container,
                                       uint32_t shard, struct gk_error *error);

struct gk_job_shards {
    const struct gk_gateway_account *account;
    void *ctx;
    gk_job_shard_fn *work;
    /* A container's entry that cannot be opened: what is in it is not walked through. */
    void (*hidden)(void *ctx, const char *container, const char *what);
};

/* From the cursor on, which moves along, as does the state's progress; from the first when the cursor's container is
 * gone. */
enum gk_status gk_job_each_shard(struct gk_job_run *run, const struct gk_job_shards *shards,
                                 struct gk_job_cursor *at, struct gk_error *error) GK_MUST_USE;

#endif
