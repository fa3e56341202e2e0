/* SPDX-License-Identifier: Apache-2.0 */
/* Readable output of a scrub's state, as the gateway's /gatekey/scrub answers it. */
#ifndef CTL_SCRUB_SHOW_H
#define CTL_SCRUB_SHOW_H

#include <jansson.h>

#include "ctl/options.h"

/* One line on standard error, written over each time; end leaves the line. */
void ctl_scrub_show_progress(const json_t *state);
void ctl_scrub_end_progress(void);
/* The report, on standard output. */
void ctl_scrub_show(const json_t *state);
/* What the report says, as an exit code. */
enum ctl_exit ctl_scrub_exit(const json_t *state);

#endif
