/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How audit lines are chained (common/hash_chain.h). The chain outlives restarts and rotated files: where it
 * stands is kept in a file of its own, the head, which is written after each line. What is taken from the end of
 * the audit file is missed by it, and the line that comes next shows the gap for ever. After a power cut the head may be
 * behind the file; the lines that follow it there are taken up.
 *
 * One thread at a time.
 */
#ifndef GATEWAY_AUDIT_CHAIN_H
#define GATEWAY_AUDIT_CHAIN_H

#include "common/hash_chain.h"
#include "gatekey/plugin.h"

struct gk_audit_chain {
    struct gk_chain_head head;
    int head_fd;
    uint64_t behind; /* so many lines the file had, at the opening, that the head did not know of */
};

/* Where the chain of the audit file fd, -1 for none, goes on, by the head at head_path and by the file's
 * lines. One that was written before there were chains counts as the one before the first. GK_E_INVALID when the
 * head cannot be written. */
enum gk_status gk_audit_chain_open(int fd, const char *head_path, struct gk_audit_chain *out,
                                   struct gk_error *error) GK_MUST_USE;
void gk_audit_chain_close(struct gk_audit_chain *chain);

/* Waits until the head is on the medium; the log says when it is not. */
void gk_audit_chain_sync(const struct gk_audit_chain *chain);

/* That line, without its end, is the head now. False: that could not be kept. */
bool gk_audit_chain_pass(struct gk_audit_chain *chain, struct gk_span line) GK_MUST_USE;

#endif
