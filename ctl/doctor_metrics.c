/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/options.h"

#define CERTIFICATE_ENDS_SOON_S (30 * 86400)

/* The sum of all series of that name that have the label, a text as it stands in the braces; "" for any. */
static double sum_of(const char *metrics, const char *name, const char *label)
{
    const size_t name_len = strlen(name);
    double sum = 0;
    while (*metrics != '\0') {
        const size_t len = strcspn(metrics, "\n");
        const char *end = metrics + len;
        const char after = metrics[name_len < len ? name_len : len];
        const char *found = strstr(metrics, label);
        const char *value = memrchr(metrics, ' ', len);
        if (strncmp(metrics, name, name_len) == 0 && (after == '{' || after == ' ') &&
            found != NULL && found < end && value != NULL) {
            sum += strtod(value + 1, NULL);
        }
        metrics = *end == '\0' ? end : end + 1;
    }
    return sum;
}

/* What should be nothing; each with what is to be done when it is not. */
static const struct {
    const char *name;
    const char *label;
    enum ctl_finding_kind kind;
    const char *check;
    const char *none; /* instead of well where nothing of that name was counted; NULL: well */
    const char *well;
    const char *ill; /* with the number before it */
    const char *remedy;
} counts[] = {
    {"gatekey_secret_unlocked_bytes", "", CTL_FINDING_WARNING, "memory", NULL,
     "all secrets are in memory that is not swapped out",
     "bytes of secrets are in memory that may be swapped out",
     "raise the limit of locked memory (LimitMEMLOCK of the unit, ulimit -l), or give "
     "CAP_IPC_LOCK"},
    {"gatekey_record_rollbacks_total", "", CTL_FINDING_FAILED, "record", NULL,
     "no account record in the store is older than was seen",
     "account records in the store are older than was seen, since the gateway started",
     "somebody wrote to the store, or put an old copy back: gatekeyctl account restore with the "
     "newest backup ends it; the audit log (record.rollback) names the account"},
    {"gatekey_config_reloads_total", "result=\"refused\"", CTL_FINDING_WARNING, "reload", NULL,
     "no configuration was refused at a reload",
     "reloads were refused since the gateway started: it runs with what it had",
     "the gateway's log has file, line and reason; gatekey-gateway --check-config says whether the "
     "file is good by now"},
    {"gatekey_audit_failures_total", "", CTL_FINDING_FAILED, "audit", NULL,
     "all events were written", "events could not be written since the gateway started",
     "the gateway's log has the events and why: room and permissions of audit_file, or the daemon "
     "behind syslog or the journal"},
    {"gatekey_token_requests_total", "result=\"refused\"", CTL_FINDING_WARNING, "identity",
     "no token was asked for since the gateway started",
     "no token endpoint has refused an identity",
     "times a token endpoint has refused an identity since the gateway started",
     "the gateway's log names it: has its secret or certificate expired, or was it removed?"},
    {"gatekey_vault_calls_total", "result=\"unavailable\"", CTL_FINDING_WARNING, "vault",
     "no vault was asked since the gateway started", "all vaults have answered each call",
     "vault calls had no answer since the gateway started",
     "the gateway's log names vault and reason: network, resolver, proxy, certificates"},
    {"gatekey_vault_paced_total", "", CTL_FINDING_WARNING, "vault", NULL,
     "no vault was asked for more than its service takes",
     "vault calls were not made, because more waited for a vault than its service takes",
     "spread accounts over more vaults, or ask for more at the vault's service; a longer "
     "provider.check_interval_ms asks less"},
};

void ctl_doctor_certificate(struct ctl_findings *findings, const char *whose, int64_t end_s,
                            const char *remedy)
{
    const int64_t left_s = end_s - (int64_t)time(NULL);
    const bool soon = left_s < CERTIFICATE_ENDS_SOON_S;
    ctl_finding(findings, soon ? CTL_FINDING_WARNING : CTL_FINDING_OK, "certificate",
                soon ? remedy : "", "the one of %s ends in %lld days", whose,
                (long long)(left_s / 86400));
}

/* Those of the listeners are seen by who calls them. */
static void check_identities(struct ctl_findings *findings, const char *metrics)
{
    static const char series[] =
        "\ngatekey_certificate_expires_timestamp_seconds{certificate=\"identity-";
    for (const char *at = strstr(metrics, series); at != NULL; at = strstr(at + 1, series)) {
        char *rest = NULL;
        char whose[64];
        snprintf(whose, sizeof whose, "identity %lu in provider.identities",
                 strtoul(at + sizeof series - 1, &rest, 10));
        const double end_s = strncmp(rest, "\"} ", 3) == 0 ? strtod(rest + 3, NULL) : NAN;
        if (isnan(end_s)) {
            ctl_finding(findings, CTL_FINDING_WARNING, "certificate",
                        "client_certificate_file: is it there, closed to others, and whole?",
                        "the one of %s cannot be read", whose);
        } else {
            ctl_doctor_certificate(findings, whose, (int64_t)end_s,
                                   "register a new one for the identity and put it in its place; "
                                   "where the file is a systemd credential, restart the gateway");
        }
    }
}

void ctl_doctor_metrics(struct ctl_findings *findings, const char *metrics)
{
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const double count = sum_of(metrics, counts[i].name, counts[i].label);
        if (count > 0) {
            ctl_finding(findings, counts[i].kind, counts[i].check, counts[i].remedy, "%.0f %s",
                        count, counts[i].ill);
        } else {
            const bool none = counts[i].none != NULL && sum_of(metrics, counts[i].name, "") <= 0;
            ctl_finding(findings, CTL_FINDING_OK, counts[i].check, "", "%s",
                        none ? counts[i].none : counts[i].well);
        }
    }
    check_identities(findings, metrics);
    if (strstr(metrics, "gatekey_build_info{version=\"" GATEKEY_VERSION "\"}") == NULL) {
        ctl_finding(findings, CTL_FINDING_WARNING, "release", "install the same release of both",
                    "the gateway is of another release than this gatekeyctl, " GATEKEY_VERSION);
    }
}
