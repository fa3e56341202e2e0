/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/doctor.h"

#include <string.h>
#include <time.h>

#include "ctl/show.h"

#define CHECK_LATE_DAYS 2
#define DAY_S           86400.0
/* More than that say nothing that key status does not. */
#define NAMED_MAX 20u

/* Days from now to a time of the API's; false: it is none. */
static bool days_until(const char *iso, double *days)
{
    struct tm date = {0};
    if (strptime(iso, "%Y-%m-%dT%H:%M:%S", &date) == NULL) {
        return false;
    }
    *days = difftime(timegm(&date), time(NULL)) / DAY_S;
    return true;
}

/* A scope is named ACCOUNT/SCOPE. */
static const char *kind_of(const char *name)
{
    return strchr(name, '/') == NULL ? "account" : "scope";
}

static void check_dates(struct ctl_findings *findings, const char *name, const json_t *properties)
{
    const json_t *gatekey = json_object_get(properties, "gatekey");
    double days = 0;
    size_t index = 0;
    const json_t *warning = NULL;
    json_array_foreach(json_object_get(gatekey, "keyWarnings"), index, warning)
    {
        ctl_finding(findings, CTL_FINDING_WARNING, "key", "its owner makes a new version",
                    "the key of %s %s: %s", kind_of(name), name,
                    json_is_string(warning) ? json_string_value(warning) : "");
    }
    if (json_is_true(json_object_get(gatekey, "rotationPending"))) {
        ctl_finding(findings, CTL_FINDING_WARNING, "key",
                    "gatekeyctl key check NAME, or scope check of a scope's, says why; leave the "
                    "old version enabled",
                    "a newer key version of %s %s is known and not taken", kind_of(name), name);
    }
    if (days_until(ctl_text_of(gatekey, "lastVersionCheck"), &days) && -days > CHECK_LATE_DAYS) {
        ctl_finding(findings, CTL_FINDING_WARNING, "key", "gatekeyctl key check NAME does it now",
                    "a newer key version of account %s was looked for %.0f days ago, not daily",
                    name, -days);
    }
}

/* Of a scope the reason is not known here. */
static void tell_state(struct ctl_findings *findings, const char *name, const json_t *gatekey)
{
    const char *state = ctl_text_of(gatekey, "state");
    const char *silent = ctl_is_cold_in_silence(gatekey) ? ", and its vault does not answer" : "";
    const enum ctl_finding_kind kind =
        strcmp(state, "unreachable") == 0 ? CTL_FINDING_WARNING : CTL_FINDING_FAILED;
    char since[CTL_SINCE_BYTES];
    ctl_since_in_short(gatekey, since);
    if (strchr(name, '/') == NULL) {
        ctl_finding(findings, kind, "account", ctl_state_advice(gatekey), "%s is %s%s: %s%s: %s",
                    name, state, silent, ctl_text_of(gatekey, "reasonCode"), since,
                    ctl_text_of(gatekey, "reason"));
    } else {
        ctl_finding(findings, kind, "scope", ctl_state_advice(gatekey),
                    "%s is %s%s%s; gatekeyctl scope show %s has the reason", name, state, silent,
                    since, name);
    }
}

static bool is_cold(const json_t *account)
{
    const json_t *gatekey = json_object_get(json_object_get(account, "properties"), "gatekey");
    return strcmp(ctl_text_of(gatekey, "state"), "cold") == 0;
}

/* False: there is something to tell of it. account: or a scope. */
static bool is_well(struct ctl_findings *findings, const json_t *account, bool named)
{
    const char *name = ctl_text_of(account, "name");
    const json_t *error = json_object_get(account, "error");
    const json_t *properties = json_object_get(account, "properties");
    const json_t *gatekey = json_object_get(properties, "gatekey");
    if (error == NULL) {
        check_dates(findings, name, properties);
    }
    if (error == NULL && ctl_key_is_healthy(account)) {
        return true;
    }
    if (named && error != NULL) {
        ctl_finding(findings, CTL_FINDING_FAILED, kind_of(name),
                    "see \"Backup\" in the gateway's guide, and gatekeyctl scrub --verify",
                    "%s cannot be read: %s", name, ctl_text_of(error, "message"));
    } else if (named) {
        tell_state(findings, name, gatekey);
    }
    return false;
}

/* Of scopes the list has those alone that there is something to tell of. */
struct tally {
    size_t usable; /* accounts */
    size_t cold;   /* accounts, of whose vaults nothing is known */
    size_t ill;    /* accounts and scopes */
};

static void tally(struct ctl_findings *findings, const json_t *account, struct tally *tally)
{
    size_t index = 0;
    const json_t *scope = NULL;
    if (!is_well(findings, account, tally->ill < NAMED_MAX)) {
        tally->ill++;
    } else if (is_cold(account)) {
        tally->cold++;
    } else {
        tally->usable++;
    }
    json_array_foreach(json_object_get(account, "encryptionScopes"), index, scope)
    {
        tally->ill += is_well(findings, scope, tally->ill < NAMED_MAX) ? 0 : 1;
    }
}

static void tell_of_the_others(struct ctl_findings *findings, const struct tally *tally,
                               bool scopes_known)
{
    const char *scopes =
        scopes_known && tally->ill == 0 ? "; of no scope is anything else known" : "";
    if (tally->cold > 0) {
        ctl_finding(findings, CTL_FINDING_OK, "account", "gatekeyctl key check NAME asks",
                    "the keys of %zu accounts can be used; those of %zu were not asked for since "
                    "the gateway started, or for provider.account_idle_s%s",
                    tally->usable, tally->cold, scopes);
    } else if (tally->ill == 0) {
        ctl_finding(findings, CTL_FINDING_OK, "account", "",
                    "the keys of all %zu accounts can be used%s", tally->usable, scopes);
    }
}

void ctl_doctor_accounts(struct ctl_findings *findings, const json_t *accounts, bool scopes_known)
{
    size_t index = 0;
    const json_t *account = NULL;
    struct tally all = {0};
    json_array_foreach(accounts, index, account)
    {
        tally(findings, account, &all);
    }
    if (all.ill > NAMED_MAX) {
        ctl_finding(findings, CTL_FINDING_FAILED, "account", "gatekeyctl key status has them all",
                    "%zu more are not well", all.ill - NAMED_MAX);
    }
    if (!scopes_known) {
        ctl_finding(findings, CTL_FINDING_WARNING, "scope",
                    "run this again; the gateway's log says why the accounts cannot be read",
                    "how the keys of encryption scopes are is not known: /metrics does not tell");
    }
    tell_of_the_others(findings, &all, scopes_known);
}
