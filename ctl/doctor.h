/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of gatekeyctl doctor. */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include "ctl/findings.h"

/* accounts: the gateway's list of all, with what ctl_scope_keys_take (scope_keys.h) has told of their scopes; when it
 * had nothing to tell by, scopes_known is false. */
void ctl_doctor_accounts(struct ctl_findings *findings, const json_t *accounts, bool scopes_known);
/* path: of the gateway's configuration, which the gateway's own program on this machine checks. */
void ctl_doctor_config(struct ctl_findings *findings, const char *path);
/* whose certificate ends then, by the Unix time; remedy: what to do when that is soon. */
void ctl_doctor_certificate(struct ctl_findings *findings, const char *whose, int64_t end_s,
                            const char *remedy);
/* metrics: what /metrics tells. */
void ctl_doctor_metrics(struct ctl_findings *findings, const char *metrics);
/* Of this machine. */
void ctl_doctor_clock(struct ctl_findings *findings);

#endif
