/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/job.h"
#include "ctl/scrub_show.h"
#include "ctl/show.h"

#define SCRUB_PATH "/gatekey/scrub"
/* An upload may take that long: what it has stored already looks like nobody's. */
#define SAFE_SECONDS 3600

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
    return ctl_job_set_rate(options, "reads", object);
}

/* --- to its end ---------------------------------------------------------------------------------*/

static const struct ctl_job job = {
    .path = SCRUB_PATH, .stop_path = SCRUB_PATH "/stop", .show = ctl_scrub_show_in_short};

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
        code = ctl_job_follow(options, &job, &state);
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
        return ctl_job_order_stop(options, &job);
    }
    return options->status ? status(options) : begin(options);
}
