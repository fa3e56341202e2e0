/* SPDX-License-Identifier: Apache-2.0 */
#include "common/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

#define STATE_BYTES 64u
#define PATIENCE_S  5 /* with a supervisor that does not read: it may stand still */

/* A path from the root, or a name behind an @ that is in no directory. */
static bool address_of(const char *name, struct sockaddr_un *out, socklen_t *len)
{
    const size_t size = strlen(name);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof out->sun_path) {
        return false;
    }
    memcpy(out->sun_path, name, size);
    if (name[0] == '@') {
        out->sun_path[0] = '\0';
    }
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return true;
}

static bool send_to(const struct sockaddr_un *address, socklen_t len, const char *state)
{
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return false;
    }
    const size_t size = strlen(state);
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const bool sent = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
                      sendto(fd, state, size, MSG_NOSIGNAL, (const struct sockaddr *)address,
                             len) == (ssize_t)size;
    const int code = errno;
    close(fd);
    errno = code;
    return sent;
}

static void tell(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address;
    socklen_t len = 0;
    if (name == NULL) {
        return;
    }
    if (!address_of(name, &address, &len)) {
        gk_log(GK_LOG_WARNING, "main", "NOTIFY_SOCKET names no socket; nobody is told of %s",
               state);
    } else if (!send_to(&address, len, state)) {
        const int code = errno;
        char reason[128];
        gk_log(GK_LOG_WARNING, "main", "the supervisor could not be told of %s: %s", state,
               strerror_r(code, reason, sizeof reason));
    }
}

void gk_supervisor_tell_ready(void)
{
    tell("READY=1");
}

/* The time tells a reload that was asked for from one that had begun before. */
void gk_supervisor_tell_reloading(void)
{
    struct timespec now = {0};
    char state[STATE_BYTES];
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
             (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    tell(state);
}

void gk_supervisor_tell_stopping(void)
{
    tell("STOPPING=1");
}
