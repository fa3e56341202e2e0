/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit events to the daemons that collect logs on this machine, a datagram each, as identifier "gatekey-audit" of
 * the facility authpriv: what went well as a notice, the rest as a warning.
 *
 *   syslog    <PRI>Mmm dd hh:mm:ss gatekey-audit[PID]: line     what syslog(3) sends, which does not tell of losses
 *   journal   https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: MESSAGE=line, PRIORITY, SYSLOG_FACILITY,
 *             SYSLOG_IDENTIFIER, GATEKEY_EVENT, _ACTOR, _ACCOUNT, _OUTCOME, _KEY_ID, _REQUEST_ID, _CAUSED_BY
 *
 * Nothing waits: a daemon that does not take the datagram at once has lost it. One thread at a time.
 */
#ifndef GATEWAY_AUDIT_SOCKET_H
#define GATEWAY_AUDIT_SOCKET_H

#include <stdbool.h>

#include "gatekey/plugin.h"

struct gk_audit_socket {
    const char *path; /* of the daemon's; NULL: none is wanted */
    int fd;
};

/* path outlives the socket. Whether there is a daemon is seen with each event. */
void gk_audit_socket_init(struct gk_audit_socket *socket, const char *path);
void gk_audit_socket_cleanup(struct gk_audit_socket *socket);

/* False, with errno: the daemon does not have the line. True when none is wanted. */
bool gk_audit_syslog(struct gk_audit_socket *socket, const struct gk_audit_event *event,
                     const char *line) GK_MUST_USE;
bool gk_audit_journal(struct gk_audit_socket *socket, const struct gk_audit_event *event,
                      const char *caused_by, const char *line) GK_MUST_USE;

#endif
