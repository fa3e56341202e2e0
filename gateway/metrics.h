/* SPDX-License-Identifier: Apache-2.0 */
/* Counters and gauges of this process, in Prometheus's text form. Any thread. */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include "common/buf.h"

/* Adds to a counter, which begins at 0. labels without braces, "" for none, e.g. op="get". Names
 * and labels must come from a bounded set. */
void gk_metrics_count(const char *name, const char *labels, double add);
/* Sorted by name, each with its TYPE line. */
void gk_metrics_render(struct gk_buf *out);

#endif
