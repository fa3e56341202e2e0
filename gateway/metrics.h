/* SPDX-License-Identifier: Apache-2.0 */
/* What this process counts, in Prometheus' text form; the table of all of it is metrics.def. Any
 * thread. */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include "common/buf.h"

/* Adds to a counter, which begins at 0, or one observation of so many seconds to a histogram. labels
 * without braces, "" for none, e.g. op="get". Names and labels must come from a bounded set. A name that
 * the table does not have (another plugin's) is a counter. */
void gk_metrics_count(const char *name, const char *labels, double add);
/* A gauge, and what it stands at from now on; otherwise as above. */
void gk_metrics_set(const char *name, const char *labels, double value);
/* All that was counted, sorted by name, each with its HELP and TYPE; counters without labels, and those that an alert asks
 * for, also when nothing was. */
void gk_metrics_render(struct gk_buf *out);
/* The HELP and TYPE lines of a metric; the caller writes its series. */
void gk_metrics_head(struct gk_buf *out, const char *name);

/* Seconds of real time from some beginning, whatever the clocks of tests say: a duration is the difference
 * of two. */
double gk_metrics_now(void);
/* Content was sealed or opened from begun, a gk_metrics_now(), until now. */
enum gk_metrics_direction { GK_METRICS_SEAL, GK_METRICS_OPEN };
void gk_metrics_encryption(enum gk_metrics_direction direction, double begun);

#endif
