/* SPDX-License-Identifier: Apache-2.0 */
/* What a check of an installation found, printed as it comes, or kept for JSON. One thread. */
#ifndef CTL_FINDINGS_H
#define CTL_FINDINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum ctl_finding_kind {
    CTL_FINDING_OK,
    CTL_FINDING_WARNING, /* it works, and somebody should look */
    CTL_FINDING_FAILED   /* it does not work */
};

struct ctl_findings {
    json_t *kept; /* NULL: printed */
    size_t counts[3];
};

/* remedy: what to do about it, "" for nothing. */
void ctl_finding(struct ctl_findings *findings, enum ctl_finding_kind kind, const char *check,
                 const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
