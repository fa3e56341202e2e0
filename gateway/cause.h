/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request that this thread answers, for the audit events that it causes on its way. They come through the
 * plugin, whose interface knows of no requests; a request is answered by one thread from its begin to its end
 * (docs/decisions/0006), so it is the thread that knows. What other threads do of their own accord has no cause, and
 * neither has what a request has begun and does not wait for.
 */
#ifndef GATEWAY_CAUSE_H
#define GATEWAY_CAUSE_H

/* "" without one. */
const char *gk_cause(void);
/* request_id, the x-ms-request-id of its answer, lives until it is replaced; returns what was the cause before, which
 * is put back at the end of the request. */
const char *gk_cause_set(const char *request_id);

#endif
