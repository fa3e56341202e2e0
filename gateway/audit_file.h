/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where audit events go: a file that is only appended to, one JSON object a line, mode 0600, chained
 * (audit_chain.h), and the log. Each event is one write(2), and logrotate's copytruncate works. Any thread.
 */
#ifndef GATEWAY_AUDIT_FILE_H
#define GATEWAY_AUDIT_FILE_H

#include "gatekey/plugin.h"

struct gk_audit_file;

/* path NULL: the log alone. GK_E_INVALID when the file cannot be opened or is not a regular one. */
enum gk_status gk_audit_file_open(const char *path, struct gk_audit_file **out,
                                  struct gk_error *error) GK_MUST_USE;
/* audit NULL: the log alone. What could not be written is told in the log and counted. */
void gk_audit_file_write(struct gk_audit_file *audit, const struct gk_audit_event *event);
/* NULL is fine. */
void gk_audit_file_close(struct gk_audit_file *audit);

#endif
