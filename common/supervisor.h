/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server tells whoever started it and waits for it, systemd say: the protocol of sd_notify(3), a datagram to the
 * socket that NOTIFY_SOCKET names (docs/decisions/0030-told-to-the-supervisor.md). Where nobody waits that is not set,
 * and nothing is told. Nothing fails for what is not heard, nor waits for longer than five seconds: the log has it, and
 * the supervisor decides. Any thread.
 */
#ifndef COMMON_SUPERVISOR_H
#define COMMON_SUPERVISOR_H

/* Requests are taken; also after a reload, whether or not there was anything in it. */
void gk_supervisor_tell_ready(void);
/* The configuration is read anew; gk_supervisor_tell_ready() follows. */
void gk_supervisor_tell_reloading(void);
/* Nobody new is let in, and what is under way is ended. */
void gk_supervisor_tell_stopping(void);

#endif
