/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which refused requests have a line in the log: so many a second, since who sends refused requests would else fill a
 * disk with them; of the others the log has how many there were. One for the process. Any thread.
 */
#ifndef GATEWAY_REFUSALS_H
#define GATEWAY_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#define GK_REFUSALS_TOLD_MAX 20u /* a second */

/* Whether this one, at now_ms of a clock that does not go back, is told. Tells how many of earlier seconds were not. */
bool gk_refusals_take(int64_t now_ms);
/* Tells how many were not, at the end. */
void gk_refusals_end(void);

#endif
