/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where audit events go, each as one line with a JSON object: the log, and as many of these as are wanted:
 *
 *   file      appended to (audit_file.h)
 *   syslog    the daemon's socket (audit_socket.h)
 *   journal   the journal's socket, with the event's members as fields (audit_socket.h)
 *
 * All get the same line, chained (audit_chain.h). The chain goes on whether or not a place could be written to: what
 * one of them misses is a gap in it there, for ever, and is told in the log and counted. Nobody waits for a daemon.
 *
 * Any thread.
 */
#ifndef GATEWAY_AUDIT_LOG_H
#define GATEWAY_AUDIT_LOG_H

#include "gatekey/plugin.h"
#include "gateway/recent_events.h"

/* Paths; NULL for what is not wanted. Copied by nobody: they outlive the log. */
struct gk_audit_options {
    const char *file;
    const char *head_file; /* where the chain's head is kept; NULL: beside file */
    const char *syslog;
    const char *journal;
    const char *gateway; /* this one's name among others; NULL: the host's */
};

struct gk_audit_log;

/* options NULL: no place is wanted. Without any place *out is made all the same, for the log alone. GK_E_INVALID: the file cannot be opened or is
 * not a regular one, or the head cannot be kept. */
enum gk_status gk_audit_log_open(const struct gk_audit_options *options, struct gk_audit_log **out,
                                 struct gk_error *error) GK_MUST_USE;
/* log NULL: nothing. caused_by: the id of the request that the event is of (cause.h), or "". */
void gk_audit_log_write(struct gk_audit_log *log, const struct gk_audit_event *event,
                        const char *caused_by);
/* Before the first is written: how many lines of the file, up to the number *last, the head did not know of. */
uint64_t gk_audit_log_behind(const struct gk_audit_log *log, uint64_t *last) GK_MUST_USE;
/* The last of them, for people; it lives as long as the log. */
struct gk_recent_events *gk_audit_log_recent(struct gk_audit_log *log);
/* NULL is fine. */
void gk_audit_log_close(struct gk_audit_log *log);

#endif
