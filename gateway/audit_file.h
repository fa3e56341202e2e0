/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit file: only appended to, mode 0600. Each line is one write(2). Who moves it away, as logrotate does, need
 * tell nobody: before each line it is seen that the name has another file, or none, and a new one is begun.
 *
 * One thread at a time.
 */
#ifndef GATEWAY_AUDIT_FILE_H
#define GATEWAY_AUDIT_FILE_H

#include <stdbool.h>

#include "gatekey/types.h"

struct gk_audit_file;

/* path outlives the file. GK_E_INVALID: it cannot be opened, or is not a regular one. */
enum gk_status gk_audit_file_open(const char *path, struct gk_audit_file **out,
                                  struct gk_error *error) GK_MUST_USE;
/* To read what is there; -1 for NULL. */
int gk_audit_file_fd(const struct gk_audit_file *file);
/* Before each line. True: lines of before are not there any more: the name has another file by now, which has been
 * begun, or the file has become shorter. */
bool gk_audit_file_follow(struct gk_audit_file *file);
/* text, without a line's end in it, and one behind it. False, with errno: it is not there, or not whole; the next
 * line begins a new one all the same. */
bool gk_audit_file_append(struct gk_audit_file *file, const char *text) GK_MUST_USE;
/* NULL is fine. */
void gk_audit_file_close(struct gk_audit_file *file);

#endif
