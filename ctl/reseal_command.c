/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/job.h"
#include "ctl/show.h"

#define PATH_BYTES_MAX 256u

/* --- what is shown ------------------------------------------------------------------------------*/

static json_int_t count_of(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(state, "counts"), name));
}

static const char *phase_text(const json_t *state)
{
    static const struct {
        const char *phase;
        const char *text;
    } phases[] = {{"bar", "shutting out older root keys"},
                  {"keys", "sealing data keys anew"},
                  {"proof", "looking for what is left"},
                  {"retire", "retiring root keys"}};
    const char *phase = ctl_text_of(state, "phase");
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        if (strcmp(phases[i].phase, phase) == 0) {
            return phases[i].text;
        }
    }
    return "";
}

static void show_in_short(FILE *stream, const json_t *state)
{
    fprintf(stream, "%-28s %lld records, %lld sealed anew ", phase_text(state),
            (long long)count_of(state, "records"), (long long)count_of(state, "resealed"));
}

static void print_count(const json_t *state, const char *label, const char *name, bool always)
{
    const json_int_t count = count_of(state, name);
    if (always || count != 0) {
        printf("%-28s%lld\n", label, (long long)count);
    }
}

static void print_state(const struct ctl_options *options, const json_t *state)
{
    const char *status = ctl_text_of(state, "status");
    printf("%-28s", "Reseal");
    ctl_print_plain(status, 0);
    if (strcmp(status, "failed") == 0) {
        fputs(": ", stdout);
        ctl_print_plain(ctl_text_of(state, "failure"), 0);
    }
    if (strcmp(status, "running") == 0) {
        printf(", %s, %d %%", phase_text(state),
               (int)(100 * json_number_value(json_object_get(state, "progress"))));
    } else if (strcmp(status, "done") != 0) {
        printf("; gatekeyctl account reseal %s --resume goes on", options->name);
    }
    putchar('\n');
    print_count(state, "Records", "records", true);
    print_count(state, "Data keys sealed anew", "resealed", true);
    print_count(state, "  not, for a client's key", "underClientKeys", false);
    print_count(state, "  not, busy or damaged", "leftBehind", false);
    print_count(state, "Scopes without a key now", "scopesLeftOut", false);
    print_count(state, "Damaged", "damaged", false);
    print_count(state, "Root keys retired", "retiredRootKeys", true);
}

static enum ctl_exit exit_of(const json_t *state)
{
    const char *status = ctl_text_of(state, "status");
    if (count_of(state, "damaged") > 0) {
        return CTL_DAMAGED;
    }
    if (strcmp(status, "failed") == 0) {
        return CTL_FAILED;
    }
    return strcmp(status, "paused") == 0 || strcmp(status, "interrupted") == 0 ? CTL_STOPPED
                                                                               : CTL_OK;
}

static enum ctl_exit show(const struct ctl_options *options, const json_t *state)
{
    if (options->json) {
        ctl_show_json(state);
    } else {
        print_state(options, state);
    }
    return exit_of(state);
}

/* --- the command --------------------------------------------------------------------------------*/

struct paths {
    char state[PATH_BYTES_MAX];
    char pause[PATH_BYTES_MAX];
    char resume[PATH_BYTES_MAX];
};

static struct paths paths_of(const char *account)
{
    struct paths paths;
    snprintf(paths.state, sizeof paths.state, "/gatekey/accounts/%s/reseal", account);
    snprintf(paths.pause, sizeof paths.pause, "/gatekey/accounts/%s/resealPause", account);
    snprintf(paths.resume, sizeof paths.resume, "/gatekey/accounts/%s/resealResume", account);
    return paths;
}

static enum ctl_exit body_of(const struct ctl_options *options, json_t **body)
{
    *body = json_object();
    return ctl_job_set_rate(options, "blobs", *body);
}

static enum ctl_exit run(const struct ctl_options *options, const struct paths *paths)
{
    const struct ctl_job job = {
        .path = paths->state, .stop_path = paths->pause, .show = show_in_short};
    json_t *body = NULL;
    json_t *state = NULL;
    enum ctl_exit code = CTL_OK;
    if (options->status) {
        code = ctl_request(options, "GET", paths->state, NULL, &state);
    } else if (options->pause) {
        code = ctl_request(options, "POST", paths->pause, NULL, &state);
    } else if (options->resume) {
        code = ctl_request(options, "POST", paths->resume, NULL, &state);
    } else {
        code = body_of(options, &body);
        if (code == CTL_OK) {
            code = ctl_request(options, "POST", paths->state, body, &state);
        }
    }
    if (code == CTL_OK && !options->status && !options->pause) {
        code = ctl_job_follow(options, &job, &state);
    }
    if (code == CTL_OK) {
        code = options->pause ? CTL_OK : show(options, state);
    }
    json_decref(body);
    json_decref(state);
    return code;
}

enum ctl_exit ctl_account_reseal(const struct ctl_options *options)
{
    const int modes = (options->rate != NULL) + options->status + options->pause + options->resume;
    if (modes > 1) {
        return ctl_fail(CTL_USAGE, "--rate, --pause, --resume and --status stand alone");
    }
    const enum ctl_exit code = ctl_check_account_name(options->name);
    if (code != CTL_OK) {
        return code;
    }
    const struct paths paths = paths_of(options->name);
    return run(options, &paths);
}
