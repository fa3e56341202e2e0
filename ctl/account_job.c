/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/account_job.h"

#include <string.h>

#include "ctl/client.h"
#include "ctl/job.h"
#include "ctl/show.h"

#define PATH_BYTES_MAX 256u

/* --- what is shown ------------------------------------------------------------------------------*/

json_int_t ctl_job_count(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(state, "counts"), name));
}

static const char *phase_text(const struct ctl_account_job *job, const json_t *state)
{
    const char *phase = ctl_text_of(state, "phase");
    for (const struct ctl_job_phase *at = job->phases; at->phase != NULL; at++) {
        if (strcmp(at->phase, phase) == 0) {
            return at->text;
        }
    }
    return "";
}

static void show_in_short(const void *ctx, FILE *stream, const json_t *state)
{
    const struct ctl_account_job *job = ctx;
    fprintf(stream, "%-28s ", phase_text(job, state));
    job->show_in_short(stream, state);
}

static void print_state(const struct ctl_options *options, const struct ctl_account_job *job,
                        const json_t *state)
{
    const char *status = ctl_text_of(state, "status");
    printf("%-28s", job->title);
    ctl_print_plain(status, 0);
    if (strcmp(status, "failed") == 0) {
        fputs(": ", stdout);
        ctl_print_plain(ctl_text_of(state, "failure"), 0);
    }
    if (strcmp(status, "running") == 0) {
        printf(", %s, %d %%", phase_text(job, state),
               (int)(100 * json_number_value(json_object_get(state, "progress"))));
    } else if (strcmp(status, "done") != 0) {
        printf("; gatekeyctl account %s %s --resume goes on", job->word, options->name);
    }
    putchar('\n');
    for (const struct ctl_job_count *at = job->counts; at->label != NULL; at++) {
        const json_int_t count = ctl_job_count(state, at->name);
        if (at->always || count != 0) {
            printf("%-28s%lld\n", at->label, (long long)count);
        }
    }
}

static enum ctl_exit exit_of(const json_t *state)
{
    const char *status = ctl_text_of(state, "status");
    if (ctl_job_count(state, "damaged") > 0) {
        return CTL_DAMAGED;
    }
    if (strcmp(status, "failed") == 0) {
        return CTL_FAILED;
    }
    return strcmp(status, "paused") == 0 || strcmp(status, "interrupted") == 0 ? CTL_STOPPED
                                                                               : CTL_OK;
}

static enum ctl_exit show(const struct ctl_options *options, const struct ctl_account_job *job,
                          const json_t *state)
{
    if (options->json) {
        ctl_show_json(state);
    } else {
        print_state(options, job, state);
    }
    return exit_of(state);
}

/* --- the command --------------------------------------------------------------------------------*/

struct paths {
    char state[PATH_BYTES_MAX];
    char pause[PATH_BYTES_MAX];
    char resume[PATH_BYTES_MAX];
};

static struct paths paths_of(const char *account, const char *word)
{
    struct paths paths;
    snprintf(paths.state, sizeof paths.state, "/gatekey/accounts/%s/%s", account, word);
    snprintf(paths.pause, sizeof paths.pause, "/gatekey/accounts/%s/%sPause", account, word);
    snprintf(paths.resume, sizeof paths.resume, "/gatekey/accounts/%s/%sResume", account, word);
    return paths;
}

static enum ctl_exit start(const struct ctl_options *options, const struct ctl_account_job *job,
                           const char *path, json_t **state)
{
    json_t *body = json_object();
    enum ctl_exit code = ctl_job_set_rate(options, job->rate_of, body);
    if (code == CTL_OK) {
        code = ctl_request(options, "POST", path, body, state);
    }
    json_decref(body);
    return code;
}

static enum ctl_exit run(const struct ctl_options *options, const struct ctl_account_job *job,
                         const struct paths *paths)
{
    const struct ctl_job watched = {
        .path = paths->state, .stop_path = paths->pause, .show = show_in_short, .ctx = job};
    json_t *state = NULL;
    enum ctl_exit code = CTL_OK;
    if (options->status) {
        code = ctl_request(options, "GET", paths->state, NULL, &state);
    } else if (options->pause) {
        code = ctl_request(options, "POST", paths->pause, NULL, &state);
    } else if (options->resume) {
        code = ctl_request(options, "POST", paths->resume, NULL, &state);
    } else {
        code = start(options, job, paths->state, &state);
    }
    if (code == CTL_OK && !options->status && !options->pause) {
        code = ctl_job_follow(options, &watched, &state);
    }
    if (code == CTL_OK) {
        code = options->pause ? CTL_OK : show(options, job, state);
    }
    json_decref(state);
    return code;
}

enum ctl_exit ctl_account_job(const struct ctl_options *options, const struct ctl_account_job *job)
{
    const int modes = (options->rate != NULL) + options->status + options->pause + options->resume;
    if (modes > 1) {
        return ctl_fail(CTL_USAGE, "--rate, --pause, --resume and --status stand alone");
    }
    const enum ctl_exit code = ctl_check_account_name(options->name);
    if (code != CTL_OK) {
        return code;
    }
    const struct paths paths = paths_of(options->name, job->word);
    return run(options, job, &paths);
}
