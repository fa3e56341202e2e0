/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/account_job.h"

static const struct ctl_job_phase phases[] = {{"bar", "shutting out older root keys"},
                                              {"keys", "sealing data keys anew"},
                                              {"proof", "looking for what is left"},
                                              {"retire", "retiring root keys"},
                                              {NULL, NULL}};

static const struct ctl_job_count counts[] = {
    {"Records", "records", true},
    {"Data keys sealed anew", "resealed", true},
    {"  not, for a client's key", "underClientKeys", false},
    {"  not, busy or damaged", "leftBehind", false},
    {"Scopes without a key now", "scopesLeftOut", false},
    {"Damaged", "damaged", false},
    {"Root keys retired", "retiredRootKeys", true},
    {NULL, NULL, false}};

static void show_in_short(FILE *stream, const json_t *state)
{
    fprintf(stream, "%lld records, %lld sealed anew", (long long)ctl_job_count(state, "records"),
            (long long)ctl_job_count(state, "resealed"));
}

enum ctl_exit ctl_account_reseal(const struct ctl_options *options)
{
    const struct ctl_account_job job = {.word = "reseal",
                                        .title = "Reseal",
                                        .rate_of = "blobs",
                                        .phases = phases,
                                        .counts = counts,
                                        .show_in_short = show_in_short};
    return ctl_account_job(options, &job);
}
