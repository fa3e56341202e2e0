/* SPDX-License-Identifier: Apache-2.0 */
/* Watching work that the gateway does in the background, by its state as the management API shows it. */
#ifndef CTL_JOB_H
#define CTL_JOB_H

#include <jansson.h>

#include "ctl/options.h"

struct ctl_job {
    const char *path;      /* GET: its state, with member "status" */
    const char *stop_path; /* POST: orders it to stop */
    /* One line, without its end: what stands behind the bar. */
    void (*show)(const void *ctx, FILE *stream, const json_t *state);
    const void *ctx;
};

/* --rate, where it was given, into the body of what starts the work; of: what the number counts. */
enum ctl_exit ctl_job_set_rate(const struct ctl_options *options, const char *of, json_t *body);
/* Shows it on standard error, when that is a terminal, until it is at its end; *state becomes the last one. The
 * first Ctrl-C stops it, the second one leaves it. */
enum ctl_exit ctl_job_follow(const struct ctl_options *options, const struct ctl_job *job,
                             json_t **state);
enum ctl_exit ctl_job_order_stop(const struct ctl_options *options, const struct ctl_job *job);

#endif
