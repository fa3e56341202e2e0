/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last audit events of this gateway, for the status page: what was told since the start, and before it
 * what stands at the end of the audit file. For looking at; the evidence is the audit log (audit_file.h).
 *
 * Any thread.
 */
#ifndef GATEWAY_RECENT_EVENTS_H
#define GATEWAY_RECENT_EVENTS_H

#include "common/buf.h"
#include "gatekey/types.h"

#define GK_RECENT_EVENTS_MAX 256u

struct gk_recent_events;

enum gk_status gk_recent_events_new(struct gk_recent_events **out,
                                    struct gk_error *error) GK_MUST_USE;
void gk_recent_events_free(struct gk_recent_events *events); /* NULL is fine */

/* line: of an event of that name, a JSON object without an end of line; copied. What there is no memory for is
 * left out, and so are wraps and unwraps that went well and what callers may not do: they would drive out all
 * else. */
void gk_recent_events_add(struct gk_recent_events *events, const char *event, const char *outcome,
                          struct gk_span line);
/* What stands at the end of a file of such lines; what is none, or is not whole, is passed over. */
void gk_recent_events_read(struct gk_recent_events *events, const char *path);
/* A JSON array of them, the newest first. */
void gk_recent_events_render(struct gk_recent_events *events, struct gk_buf *out);

#endif
