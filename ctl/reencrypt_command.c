/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/account_job.h"

static const struct ctl_job_phase phases[] = {
    {"data", "encrypting data anew"}, {"proof", "looking for what is left"}, {NULL, NULL}};

static const struct ctl_job_count counts[] = {
    {"Records", "records", true},
    {"Encrypted anew", "reencrypted", true},
    {"  bytes", "reencryptedBytes", true},
    {"Not: under a client's key", "underClientKeys", false},
    {"Not: uncommitted blocks", "withUncommittedBlocks", false},
    {"Not: copies under way", "pendingCopies", false},
    {"Not: in scopes without key", "inScopesWithoutKey", false},
    {"Not: changing all the time", "changing", false},
    {"Damaged", "damaged", false},
    {NULL, NULL, false}};

static void show_in_short(FILE *stream, const json_t *state)
{
    fprintf(stream, "%lld records, %lld MiB", (long long)ctl_job_count(state, "reencrypted"),
            (long long)(ctl_job_count(state, "reencryptedBytes") >> 20));
}

enum ctl_exit ctl_account_reencrypt(const struct ctl_options *options)
{
    const struct ctl_account_job job = {.word = "reencrypt",
                                        .title = "Re-encryption",
                                        .rate_of = "MiB",
                                        .phases = phases,
                                        .counts = counts,
                                        .show_in_short = show_in_short};
    return ctl_account_job(options, &job);
}
