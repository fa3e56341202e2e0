/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/audit_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "gatekey/audit.h"

#define IDENTIFIER         "gatekey-audit"
#define DATAGRAM_BYTES_MAX 65536u

void gk_audit_socket_init(struct gk_audit_socket *socket, const char *path)
{
    *socket = (struct gk_audit_socket){.path = path, .fd = -1};
}

void gk_audit_socket_cleanup(struct gk_audit_socket *socket)
{
    if (socket->fd >= 0) {
        close(socket->fd);
    }
    socket->fd = -1;
}

/* Addressed each time: a daemon that was started anew has another socket under the same name. */
static bool send_datagram(struct gk_audit_socket *daemon, const struct gk_buf *datagram)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (gk_buf_status(datagram) != GK_OK || strlen(daemon->path) >= sizeof address.sun_path) {
        errno = EMSGSIZE;
        return false;
    }
    memcpy(address.sun_path, daemon->path, strlen(daemon->path));
    if (daemon->fd < 0) {
        daemon->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    return daemon->fd >= 0 &&
           sendto(daemon->fd, datagram->data, datagram->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&address, sizeof address) == (ssize_t)datagram->len;
}

static int severity(const struct gk_audit_event *event)
{
    return strcmp(event->outcome, "ok") == 0 ? LOG_NOTICE : LOG_WARNING;
}

/* --- syslog -------------------------------------------------------------------------------------*/

bool gk_audit_syslog(struct gk_audit_socket *socket, const struct gk_audit_event *event,
                     const char *line)
{
    if (socket->path == NULL) {
        return true;
    }
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t now = (time_t)(event->wall_ms / 1000);
    struct tm local = {0};
    char head[96];
    localtime_r(&now, &local);
    snprintf(head, sizeof head,
             "<%d>%s %2d %02d:%02d:%02d " IDENTIFIER "[%d]: ", LOG_AUTHPRIV | severity(event),
             months[local.tm_mon], local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec,
             (int)getpid());
    struct gk_buf datagram;
    gk_buf_init(&datagram, DATAGRAM_BYTES_MAX);
    gk_buf_append_str(&datagram, head);
    gk_buf_append_str(&datagram, line);
    const bool sent = send_datagram(socket, &datagram);
    gk_buf_cleanup(&datagram);
    return sent;
}

/* --- the journal --------------------------------------------------------------------------------*/

/* NAME=value, or for one of several lines NAME, its length in 8 little-endian bytes, and the value. */
static void append_field(struct gk_buf *datagram, const char *name, const char *value)
{
    const size_t len = strlen(value);
    gk_buf_append_str(datagram, name);
    if (strchr(value, '\n') == NULL) {
        gk_buf_append_str(datagram, "=");
    } else {
        uint8_t length[8];
        for (unsigned i = 0; i < sizeof length; i++) {
            length[i] = (uint8_t)((uint64_t)len >> (8 * i));
        }
        gk_buf_append_str(datagram, "\n");
        gk_buf_append(datagram, length, sizeof length);
    }
    gk_buf_append(datagram, value, len);
    gk_buf_append_str(datagram, "\n");
}

static void append_known(struct gk_buf *datagram, const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        append_field(datagram, name, value);
    }
}

bool gk_audit_journal(struct gk_audit_socket *socket, const struct gk_audit_event *event,
                      const char *caused_by, const char *line)
{
    if (socket->path == NULL) {
        return true;
    }
    char priority[16];
    char facility[16];
    snprintf(priority, sizeof priority, "%d", severity(event));
    snprintf(facility, sizeof facility, "%d", LOG_AUTHPRIV >> 3);
    struct gk_buf datagram;
    gk_buf_init(&datagram, DATAGRAM_BYTES_MAX);
    append_field(&datagram, "MESSAGE", line);
    append_field(&datagram, "PRIORITY", priority);
    append_field(&datagram, "SYSLOG_FACILITY", facility);
    append_field(&datagram, "SYSLOG_IDENTIFIER", IDENTIFIER);
    append_field(&datagram, "GATEKEY_EVENT", gk_audit_event_name(event->event));
    append_known(&datagram, "GATEKEY_ACTOR", event->actor);
    append_known(&datagram, "GATEKEY_ACCOUNT", event->account);
    append_known(&datagram, "GATEKEY_OUTCOME", event->outcome);
    append_known(&datagram, "GATEKEY_KEY_ID", event->key_id);
    append_known(&datagram, "GATEKEY_REQUEST_ID", event->request_id);
    append_known(&datagram, "GATEKEY_CAUSED_BY", caused_by);
    const bool sent = send_datagram(socket, &datagram);
    gk_buf_cleanup(&datagram);
    return sent;
}
