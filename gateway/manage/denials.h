/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callers are denied for their roles, as the audit is told of it. Each of a caller's first GK_DENIALS_EACH denials in
 * a minute is an event of its own; those beyond them are counted, and told as one event when the minute is over. So the
 * audit grows by so much and no more, whatever a caller tries, and tells how much it was; of those that are counted it
 * names the last only, and what the others aimed at stands in the log, as far as that has room (gateway/refusals.h). That
 * a minute is over is noticed by the next request to the listener, whoever makes it, or at the end.
 *
 * Who is no caller is not told of: nobody knows who it was, and that is 401. Any thread.
 */
#ifndef GATEWAY_MANAGE_DENIALS_H
#define GATEWAY_MANAGE_DENIALS_H

#include "common/error.h"

#define GK_DENIALS_EACH 10u

struct gk_denials;
struct gk_gateway;

/* For the clock and the audit of gateway, which outlives it. NULL when memory is out. */
struct gk_denials *gk_denials_new(const struct gk_gateway *gateway) GK_MUST_USE;
/* Tells what has been counted, and sets *denials to NULL. NULL inside is fine. */
void gk_denials_free(struct gk_denials **denials);

/* actor was denied what: method and path. account: "" where it is about none. */
void gk_denials_note(struct gk_denials *denials, const char *actor, const char *account,
                     const char *what);
/* Tells what was counted in minutes that are over. */
void gk_denials_tell_over(struct gk_denials *denials);

#endif
