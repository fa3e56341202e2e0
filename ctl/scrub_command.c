/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/client.h"
#include "ctl/scrub_show.h"
#include "ctl/show.h"

#define SCRUB_PATH "/gatekey/scrub"
#define POLL_MS    250
/* An upload may take that long: what it has stored already looks like nobody's. */
#define SAFE_SECONDS 3600

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

/* --- request bodies -----------------------------------------------------------------------------*/

/* "90", "90s", "30m", "24h", "7d" in seconds. */
static bool parse_duration(const char *text, json_int_t *seconds)
{
    static const struct {
        char unit;
        json_int_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end = NULL;
    const unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || number > 100000000ul || strlen(end) > 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].unit == end[0]) {
            *seconds = (json_int_t)number * units[i].seconds;
            return true;
        }
    }
    return false;
}

static enum ctl_exit start_body(const struct ctl_options *options, json_t **body)
{
    json_int_t seconds = 0;
    json_t *object = json_pack("{s:b, s:b}", "verify", options->verify, "remove", options->remove);
    *body = object;
    if (options->older_than != NULL) {
        if (!parse_duration(options->older_than, &seconds)) {
            return ctl_fail(CTL_USAGE, "--older-than takes a number with s, m, h or d: 24h");
        }
        if (options->remove && seconds < SAFE_SECONDS && !options->yes) {
            return ctl_fail(CTL_USAGE,
                            "--remove with less than 1h may take away what a long upload under way "
                            "has stored already; add --yes if there is none");
        }
        json_object_set_new(object, "olderThanSeconds", json_integer(seconds));
    }
    if (options->rate != NULL) {
        char *end = NULL;
        const unsigned long rate = strtoul(options->rate, &end, 10);
        if (options->rate[0] < '0' || options->rate[0] > '9' || *end != '\0') {
            return ctl_fail(CTL_USAGE, "--rate takes a number of reads a second");
        }
        json_object_set_new(object, "rate", json_integer((json_int_t)rate));
    }
    return CTL_OK;
}

/* --- to its end ---------------------------------------------------------------------------------*/

static enum ctl_exit order_stop(const struct ctl_options *options)
{
    json_t *answer = NULL;
    const enum ctl_exit code = ctl_request(options, "POST", SCRUB_PATH "/stop", NULL, &answer);
    json_decref(answer);
    return code;
}

static bool is_running(const json_t *state)
{
    const char *status = json_string_value(json_object_get(state, "status"));
    return status != NULL && strcmp(status, "running") == 0;
}

/* Shows the scrub until it is at its end; *state becomes the last one. The first Ctrl-C stops the scrub,
 * the second one leaves it. */
static enum ctl_exit follow(const struct ctl_options *options, json_t **state)
{
    const struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};
    const bool bar = !options->json && isatty(STDERR_FILENO) != 0;
    enum ctl_exit code = CTL_OK;
    bool ordered = false;
    sigaction(SIGINT, &action, NULL);
    while (code == CTL_OK && is_running(*state)) {
        if (interrupted && !ordered) {
            ordered = true;
            code = order_stop(options);
        }
        if (bar) {
            ctl_scrub_show_progress(*state);
        }
        const struct timespec nap = {.tv_nsec = POLL_MS * 1000000L};
        nanosleep(&nap, NULL);
        json_decref(*state);
        *state = NULL;
        code = code == CTL_OK ? ctl_request(options, "GET", SCRUB_PATH, NULL, state) : code;
    }
    if (bar) {
        ctl_scrub_end_progress();
    }
    return code;
}

static enum ctl_exit show(const struct ctl_options *options, const json_t *state)
{
    if (options->json) {
        ctl_show_json(state);
    } else {
        ctl_scrub_show(state);
    }
    return ctl_scrub_exit(state);
}

static enum ctl_exit begin(const struct ctl_options *options)
{
    json_t *body = NULL;
    json_t *state = NULL;
    enum ctl_exit code = CTL_OK;
    if (options->resume) {
        code = ctl_request(options, "POST", SCRUB_PATH "/resume", NULL, &state);
    } else {
        code = start_body(options, &body);
        if (code == CTL_OK) {
            code = ctl_request(options, "POST", SCRUB_PATH, body, &state);
        }
    }
    if (code == CTL_OK) {
        code = follow(options, &state);
    }
    if (code == CTL_OK) {
        code = show(options, state);
    }
    json_decref(body);
    json_decref(state);
    return code;
}

/* --- the rest -----------------------------------------------------------------------------------*/

static enum ctl_exit status(const struct ctl_options *options)
{
    json_t *state = NULL;
    enum ctl_exit code = ctl_request(options, "GET", SCRUB_PATH, NULL, &state);
    if (code == CTL_OK) {
        code = show(options, state);
    }
    json_decref(state);
    return code;
}

static enum ctl_exit remove_damaged(const struct ctl_options *options)
{
    const char *container = strchr(options->remove_damaged, '/');
    const char *blob = container == NULL ? NULL : strchr(container + 1, '/');
    if (blob == NULL || !options->yes) {
        return ctl_fail(CTL_USAGE,
                        "--remove-damaged takes ACCOUNT/CONTAINER/BLOB; what the record said is "
                        "lost for good: add --yes if that is wanted");
    }
    json_t *answer = NULL;
    json_t *body = json_pack("{s:s%, s:s%, s:s}", "account", options->remove_damaged,
                             (size_t)(container - options->remove_damaged), "container",
                             container + 1, (size_t)(blob - container - 1), "blob", blob + 1);
    const enum ctl_exit code =
        body == NULL ? ctl_fail(CTL_USAGE, "that name is not UTF-8")
                     : ctl_request(options, "POST", SCRUB_PATH "/removeDamaged", body, &answer);
    json_decref(body);
    json_decref(answer);
    if (code == CTL_OK && !options->json) {
        printf("The damaged record of %s is removed; the next scrub finds its data.\n",
               options->remove_damaged);
    }
    return code;
}

enum ctl_exit ctl_scrub(const struct ctl_options *options)
{
    const bool begins =
        options->verify || options->remove || options->older_than != NULL || options->rate != NULL;
    const int modes = begins + options->resume + options->status + options->stop +
                      (options->remove_damaged != NULL);
    if (modes > 1) {
        return ctl_fail(CTL_USAGE, "--resume, --status, --stop and --remove-damaged stand alone");
    }
    if (options->remove_damaged != NULL) {
        return remove_damaged(options);
    }
    if (options->stop) {
        return order_stop(options);
    }
    return options->status ? status(options) : begin(options);
}
