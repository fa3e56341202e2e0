/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/job.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "common/text.h"
#include "ctl/client.h"

#define POLL_MS   250
#define BAR_WIDTH 30
#define COLUMNS   79
#define RATE_MAX  1000000u /* as the gateway has it */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

enum ctl_exit ctl_job_set_rate(const struct ctl_options *options, const char *of, json_t *body)
{
    uint64_t rate = 0;
    if (options->rate == NULL) {
        return CTL_OK;
    }
    if (!gk_parse_u64(gk_span_str(options->rate), RATE_MAX, &rate)) {
        return ctl_fail(CTL_USAGE, "--rate takes a number of %s a second, %u at most", of,
                        RATE_MAX);
    }
    json_object_set_new(body, "rate", json_integer((json_int_t)rate));
    return CTL_OK;
}

enum ctl_exit ctl_job_order_stop(const struct ctl_options *options, const struct ctl_job *job)
{
    json_t *answer = NULL;
    const enum ctl_exit code = ctl_request(options, "POST", job->stop_path, NULL, &answer);
    json_decref(answer);
    return code;
}

static bool is_running(const json_t *state)
{
    const char *status = json_string_value(json_object_get(state, "status"));
    return status != NULL && strcmp(status, "running") == 0;
}

/* One less than there are: at the last column some terminals begin a new line. */
static int columns_of_terminal(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1
                                                                           : COLUMNS;
}

/* Over the line before, and never longer than a line of the terminal: what wraps cannot be written over. */
static void show_progress(const struct ctl_job *job, const json_t *state)
{
    const double progress = json_number_value(json_object_get(state, "progress"));
    const int filled = progress <= 0 ? 0 : progress >= 1 ? BAR_WIDTH : (int)(progress * BAR_WIDTH);
    char bar[BAR_WIDTH + 1];
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)filled);
    bar[BAR_WIDTH] = '\0';
    char *line = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&line, &len);
    if (stream == NULL) {
        return;
    }
    fprintf(stream, "[%s] %3d %%  ", bar, (int)(100 * progress));
    job->show(job->ctx, stream, state);
    fclose(stream);
    const int columns = columns_of_terminal();
    fprintf(stderr, "\r%-*.*s", columns, columns, line);
    free(line);
}

enum ctl_exit ctl_job_follow(const struct ctl_options *options, const struct ctl_job *job,
                             json_t **state)
{
    const struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    const bool bar = !options->json && isatty(STDERR_FILENO) != 0;
    enum ctl_exit code = CTL_OK;
    bool ordered = false;
    sigaction(SIGINT, &action, NULL);
    while (code == CTL_OK && is_running(*state)) {
        if (interrupted && !ordered) {
            ordered = true;
            code = ctl_job_order_stop(options, job);
        }
        if (bar) {
            show_progress(job, *state);
        }
        const struct timespec nap = {.tv_nsec = POLL_MS * 1000000L};
        nanosleep(&nap, NULL);
        json_decref(*state);
        *state = NULL;
        code = code == CTL_OK ? ctl_request(options, "GET", job->path, NULL, state) : code;
    }
    if (bar) {
        if (code == CTL_OK) {
            show_progress(job, *state);
        }
        fputc('\n', stderr);
    }
    return code;
}
