/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whoever waits on the socket that NOTIFY_SOCKET names hears each state as sd_notify(3) has it, and where nobody
 * can be told nothing fails, nor waits for ever. Method: real sockets; a time-out that would be waited out is shortened,
 * once it has been found to be the documented one. */
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

#include "unit/cmocka_all.h"

struct supervisor {
    int fd;
    char directory[32];
    char name[64]; /* as NOTIFY_SOCKET has it */
};

#define PATIENCE_S 5 /* as common/supervisor.h has it */

int __real_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len);

static bool has_time_out;

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    const struct timeval shortened = {.tv_usec = 1000};
    if (level != SOL_SOCKET || option != SO_SNDTIMEO) {
        return __real_setsockopt(fd, level, option, value, len);
    }
    const struct timeval *wanted = value;
    assert_int_equal(wanted->tv_sec, PATIENCE_S);
    has_time_out = true;
    return __real_setsockopt(fd, level, option, &shortened, sizeof shortened);
}

static void listen_at(struct supervisor *supervisor)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t len = strlen(supervisor->name);
    memcpy(address.sun_path, supervisor->name, len);
    if (address.sun_path[0] == '@') {
        address.sun_path[0] = '\0';
    }
    supervisor->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(supervisor->fd >= 0);
    assert_int_equal(bind(supervisor->fd, (const struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", supervisor->name, 1), 0);
}

static void hear(const struct supervisor *supervisor, char text[128])
{
    const ssize_t got = recv(supervisor->fd, text, 127, 0);
    assert_true(got > 0);
    text[got] = '\0';
}

static int64_t now_us(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void check_states(const struct supervisor *supervisor)
{
    char text[128];
    gk_supervisor_tell_ready();
    hear(supervisor, text);
    assert_string_equal(text, "READY=1");

    const int64_t before_us = now_us();
    int64_t told_us = 0;
    gk_supervisor_tell_reloading();
    hear(supervisor, text);
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%" SCNd64, &told_us), 1);
    assert_true(before_us <= told_us && told_us <= now_us());

    gk_supervisor_tell_stopping();
    hear(supervisor, text);
    assert_string_equal(text, "STOPPING=1");
}

static void test_supervisor__hears_at_a_path(void **state)
{
    (void)state;
    struct supervisor supervisor = {.directory = "/tmp/gatekey-notify-XXXXXX"};
    assert_non_null(mkdtemp(supervisor.directory));
    snprintf(supervisor.name, sizeof supervisor.name, "%s/socket", supervisor.directory);
    listen_at(&supervisor);
    check_states(&supervisor);
    close(supervisor.fd);
    unlink(supervisor.name);
    rmdir(supervisor.directory);
}

static void test_supervisor__hears_by_an_abstract_name(void **state)
{
    (void)state;
    struct supervisor supervisor = {0};
    snprintf(supervisor.name, sizeof supervisor.name, "@gatekey-notify-%d", (int)getpid());
    listen_at(&supervisor);
    check_states(&supervisor);
    close(supervisor.fd);
}

/* Until the queue of the socket takes no more. */
static void fill(const struct supervisor *supervisor)
{
    struct sockaddr_un address;
    socklen_t len = sizeof address;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(supervisor->fd, (struct sockaddr *)&address, &len), 0);
    while (sendto(fd, "x", 1, 0, (const struct sockaddr *)&address, len) == 1) {
    }
    assert_int_equal(errno, EAGAIN);
    close(fd);
}

static void test_supervisor__need_not_read(void **state)
{
    (void)state;
    char text[128];
    struct supervisor supervisor = {0};
    snprintf(supervisor.name, sizeof supervisor.name, "@gatekey-notify-full-%d", (int)getpid());
    listen_at(&supervisor);
    fill(&supervisor);
    has_time_out = false;
    gk_supervisor_tell_ready();
    assert_true(has_time_out);
    hear(&supervisor, text);
    assert_string_equal(text, "x");
    close(supervisor.fd);
}

static void test_supervisor__is_not_needed(void **state)
{
    (void)state;
    char too_long[256];
    memset(too_long, 'x', sizeof too_long);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    const char *const names[] = {"", "/", "relative", "/tmp/gatekey-there-is-none", too_long};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        gk_supervisor_tell_ready();
    }
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    gk_supervisor_tell_ready();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_supervisor__hears_at_a_path),
        cmocka_unit_test(test_supervisor__hears_by_an_abstract_name),
        cmocka_unit_test(test_supervisor__need_not_read),
        cmocka_unit_test(test_supervisor__is_not_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
