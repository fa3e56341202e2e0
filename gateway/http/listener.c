/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/error.h"

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static bool fill_address(const char *host, bool ipv6, uint16_t port, union address *address)
{
    *address = (union address){0};
    if (ipv6) {
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_port = htons(port);
        return inet_pton(AF_INET6, host, &address->in6.sin6_addr) == 1;
    }
    address->in.sin_family = AF_INET;
    address->in.sin_port = htons(port);
    return inet_pton(AF_INET, host, &address->in.sin_addr) == 1;
}

/* What an operator can do about it. */
static const char *remedy_of(int code)
{
    switch (code) {
    case EADDRINUSE:
        return "another process listens there; end it, or choose another port";
    case EADDRNOTAVAIL:
        return "no interface of this machine has the address; choose one that has";
    case EACCES:
        return "a port below 1024 takes CAP_NET_BIND_SERVICE; grant it, or choose another port";
    default:
        return "choose another address";
    }
}

static bool bind_to(int fd, const union address *address, bool ipv6)
{
    const int on = 1;
    /* A restart must not wait for connections of the process before; [::] is no IPv4 address. */
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           (!ipv6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
           bind(fd, &address->any, ipv6 ? sizeof address->in6 : sizeof address->in) == 0;
}

static uint16_t port_of(int fd, bool ipv6)
{
    union address address = {0};
    socklen_t len = sizeof address;
    if (getsockname(fd, &address.any, &len) != 0) {
        return 0;
    }
    return ntohs(ipv6 ? address.in6.sin6_port : address.in.sin_port);
}

enum gk_status gk_listener_bind(const char *host, bool ipv6, uint16_t port, int *fd,
                                uint16_t *bound, struct gk_error *error)
{
    union address address;
    *fd = -1;
    *bound = 0;
    if (!fill_address(host, ipv6, port, &address)) {
        return gk_fail(error, GK_E_INVALID, "%s is not a numeric address", host);
    }
    const int made =
        socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (made < 0 || !bind_to(made, &address, ipv6)) {
        const int code = errno;
        char reason[128];
        if (made >= 0) {
            close(made);
        }
        return gk_fail(error, GK_E_RESOURCE, "cannot listen on %s port %u (%s): %s", host, port,
                       strerror_r(code, reason, sizeof reason), remedy_of(code));
    }
    *fd = made;
    *bound = port_of(made, ipv6);
    return GK_OK;
}

enum gk_status gk_listener_open(int fd, struct gk_error *error)
{
    char reason[128];
    return listen(fd, SOMAXCONN) == 0
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "cannot listen (%s): %s",
                         strerror_r(errno, reason, sizeof reason), remedy_of(errno));
}
