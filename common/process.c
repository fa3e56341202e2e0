/* SPDX-License-Identifier: Apache-2.0 */
#include "common/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

void gk_process_block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void gk_process_block_reload(sigset_t *set)
{
    sigaddset(set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, set, NULL);
}

int gk_process_wait(const sigset_t *set)
{
    int number = 0;
    sigwait(set, &number);
    return number;
}

static bool write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return false;
    }
    const bool written = fputs(text, file) >= 0;
    return fclose(file) == 0 && written;
}

enum gk_status gk_ready_file_write(const char *path, const char *text, struct gk_error *error)
{
    char *fresh = NULL;
    if (asprintf(&fresh, "%s.new", path) < 0) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = GK_OK;
    if (!write_text(fresh, text) || rename(fresh, path) != 0) {
        const int code = errno;
        char reason[128];
        status = gk_fail(error, GK_E_RESOURCE, "%s cannot be written: %s", path,
                         strerror_r(code, reason, sizeof reason));
    }
    free(fresh);
    return status;
}
