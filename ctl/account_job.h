/* SPDX-License-Identifier: Apache-2.0 */
/* The command of a job of an account: it begins one, pauses it, goes on with it, or shows it. */
#ifndef CTL_ACCOUNT_JOB_H
#define CTL_ACCOUNT_JOB_H

#include <jansson.h>

#include "ctl/options.h"

struct ctl_job_phase {
    const char *phase; /* as the API has it */
    const char *text;
};

struct ctl_job_count {
    const char *label;
    const char *name; /* as the API has it, among the state's counts */
    bool always;      /* also when it is 0 */
};

struct ctl_account_job {
    const char *word;  /* of the command, and of the API's paths */
    const char *title; /* of what is shown */
    const char *rate_of;
    const struct ctl_job_phase *phases; /* up to one without a phase */
    const struct ctl_job_count *counts; /* up to one without a label; "damaged" is among them */
    /* What stands behind the bar, after the phase. */
    void (*show_in_short)(FILE *stream, const json_t *state);
};

json_int_t ctl_job_count(const json_t *state, const char *name);
enum ctl_exit ctl_account_job(const struct ctl_options *options, const struct ctl_account_job *job);

#endif
