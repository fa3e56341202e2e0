/* SPDX-License-Identifier: Apache-2.0 */
/* What our servers have in common from start to end. */
#ifndef COMMON_PROCESS_H
#define COMMON_PROCESS_H

#include <signal.h>
#include <stdbool.h>

#include "gatekey/types.h"

/*
 * Blocks SIGTERM and SIGINT, for gk_process_wait to take, and ignores SIGPIPE. Before any thread
 * exists, so that none of them takes the signal instead of the wait.
 */
void gk_process_block_signals(sigset_t *set);
/* Adds SIGHUP to both: whoever waits takes it as a wish to reload. */
void gk_process_block_reload(sigset_t *set);
/* Until one of them comes; which. */
int gk_process_wait(const sigset_t *set);

/* Writes text to the file under a name of its own first: who waits for the file never sees half of
 * it. GK_E_RESOURCE. */
enum gk_status gk_ready_file_write(const char *path, const char *text,
                                   struct gk_error *error) GK_MUST_USE;

#endif
