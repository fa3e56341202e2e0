/* SPDX-License-Identifier: Apache-2.0 */
/* Readable output of a scrub's state, as the gateway's /gatekey/scrub answers it. */
#ifndef CTL_SCRUB_SHOW_H
#define CTL_SCRUB_SHOW_H

#include <jansson.h>

#include "ctl/options.h"

/* As struct ctl_job has it. */
void ctl_scrub_show_in_short(const void *ctx, FILE *stream, const json_t *state);
/* The report, on standard output. */
void ctl_scrub_show(const json_t *state);
/* What the report says, as an exit code. */
enum ctl_exit ctl_scrub_exit(const json_t *state);

#endif
