/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can tell: whether the gateway's program takes the configuration, and the clock. */
#include "ctl/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/options.h"

#define GATEWAY_PROGRAM "gatekey-gateway"

extern char **environ;

/* --- the configuration ----------------------------------------------------------------------------*/

/* Beside this program if it is there, else wherever PATH has it. */
static void find_gateway(char *path, size_t path_bytes)
{
    const ssize_t len = readlink("/proc/self/exe", path, path_bytes);
    const char *slash = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;
    const size_t folder = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    if (folder > 0 && folder + sizeof GATEWAY_PROGRAM <= path_bytes) {
        memcpy(path + folder, GATEWAY_PROGRAM, sizeof GATEWAY_PROGRAM);
        if (access(path, X_OK) == 0) {
            return;
        }
    }
    snprintf(path, path_bytes, "%s", GATEWAY_PROGRAM);
}

/* Starts the check with its words going to the pipe. 0, or why not. */
static int start_check(const char *config, int words, pid_t *pid)
{
    char program[4096];
    char name[] = GATEWAY_PROGRAM;
    char option[] = "--config";
    char check[] = "--check-config";
    char *path = strdup(config);
    char *arguments[] = {name, option, path, check, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, words, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, words, STDERR_FILENO);
    find_gateway(program, sizeof program);
    const int reason =
        path == NULL ? ENOMEM : posix_spawnp(pid, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(path);
    return reason;
}

/* The last line: what was wrong. */
static void read_last_line(int fd, char *line, size_t line_bytes)
{
    char text[8192];
    size_t len = 0;
    ssize_t got = 0;
    while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)got;
        if (len == sizeof text - 1) { /* the end is what matters */
            memmove(text, text + sizeof text / 2, len - sizeof text / 2);
            len -= sizeof text / 2;
        }
    }
    while (len > 0 && text[len - 1] == '\n') {
        len--;
    }
    text[len] = '\0';
    const char *before = memrchr(text, '\n', len);
    snprintf(line, line_bytes, "%.*s", (int)line_bytes - 1, before == NULL ? text : before + 1);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

void ctl_doctor_config(struct ctl_findings *findings, const char *path)
{
    static const char check[] = "configuration";
    int words[2];
    pid_t pid = 0;
    if (pipe2(words, O_CLOEXEC) != 0) {
        ctl_finding(findings, CTL_FINDING_WARNING, check, "", "not checked: %s", strerror(errno));
        return;
    }
    const int reason = start_check(path, words[1], &pid);
    close(words[1]);
    if (reason != 0) {
        ctl_finding(findings, CTL_FINDING_WARNING, check,
                    "run this where the gateway is installed, or leave --config out",
                    "not checked: " GATEWAY_PROGRAM " cannot be run: %s", strerror(reason));
    } else {
        char line[900];
        read_last_line(words[0], line, sizeof line);
        if (wait_for(pid) == 0) {
            ctl_finding(findings, CTL_FINDING_OK, check, "", "%s is good", path);
        } else {
            ctl_finding(findings, CTL_FINDING_FAILED, check,
                        "what is wrong stands behind the line's number", "%s", line);
        }
    }
    close(words[0]);
}

/* --- the clock --------------------------------------------------------------------------------------*/

void ctl_doctor_clock(struct ctl_findings *findings)
{
    struct timex state = {.modes = 0};
    const int answer = adjtimex(&state);
    if (answer < 0) {
        ctl_finding(findings, CTL_FINDING_WARNING, "clock", "", "cannot be looked at: %s",
                    strerror(errno));
    } else if (answer == TIME_ERROR || (state.status & STA_UNSYNC) != 0) {
        ctl_finding(findings, CTL_FINDING_WARNING, "clock",
                    "run chrony or systemd-timesyncd: tokens, signatures and the dates of keys "
                    "need the right time",
                    "this machine's clock is not synchronised");
    } else {
        ctl_finding(findings, CTL_FINDING_OK, "clock", "", "this machine's clock is synchronised");
    }
}
