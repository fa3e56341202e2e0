/* SPDX-License-Identifier: Apache-2.0 */
/* Files that commands make and read. */
#ifndef CTL_FILES_H
#define CTL_FILES_H

#include "common/buf.h"
#include "ctl/options.h"

/* Makes a file of mode 0600, durable when this returns; never a part of one. CTL_FAILED, with the
 * reason printed, when it exists: why says why it is not overwritten. */
enum ctl_exit ctl_write_new_file(const char *path, struct gk_span content, const char *why);

/* Appends all of a file to out, whose maximum bounds it; "-" is standard input. CTL_FAILED, with the
 * reason printed. */
enum ctl_exit ctl_read_file(const char *path, struct gk_buf *out);

#endif
