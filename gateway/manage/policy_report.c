/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which accounts and encryption scopes keep the operator's policy: a page of accounts at a time, in order of
 * their names, so that a report of any length takes the memory of a page. Judged by what memory and store have;
 * no vault is asked. What a vault has not told, since it is away or nobody has needed it since the start, is
 * unknown since it was looked at last.
 */
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/scopes.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/list_page.h"
#include "gateway/terms.h"

#define PAGE_ACCOUNTS 100u

struct reporting {
    struct gk_manage *manage;
    const struct gk_site_policy *policy;
    uint32_t page_size;
    uint32_t accounts;
    bool more;
    char last[GK_ACCOUNT_NAME_BYTES_MAX];
    json_t *values;
    enum gk_status status;
    struct gk_error *error;
};

static const char *finding_name(enum gk_policy_finding finding)
{
    static const char *const names[] = {[GK_POLICY_KEPT] = "compliant",
                                        [GK_POLICY_BROKEN] = "nonCompliant",
                                        [GK_POLICY_UNKNOWN] = "unknown"};
    return names[finding];
}

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text[0] != '\0') {
        json_t *value = json_string(text);
        json_object_set_new(object, name, value == NULL ? json_string("(not UTF-8)") : value);
    }
}

static void set_time(json_t *object, const char *name, int64_t wall_ms)
{
    char text[GK_TIME_TEXT_BYTES];
    if (wall_ms > 0) {
        gk_time_iso(wall_ms, text);
        json_object_set_new(object, name, json_string(text));
    }
}

static json_t *rule_json(const struct gk_site_policy *policy, enum gk_policy_rule rule,
                         const struct gk_policy_text *text)
{
    json_t *object = json_pack("{s:s, s:s, s:s}", "policy", text->setting, "displayName",
                               text->name, "effect", gk_policy_effect_name(policy->effects[rule]));
    char id[128];
    snprintf(id, sizeof id, "/providers/Microsoft.Authorization/policyDefinitions/%s", text->id);
    set_text(object, "policyDefinitionId", text->id[0] == '\0' ? "" : id);
    return object;
}

static json_t *rules_json(const struct gk_site_policy *policy)
{
    json_t *rules = json_array();
    for (int i = 0; i < GK_RULES_COUNT; i++) {
        const enum gk_policy_rule rule = (enum gk_policy_rule)i;
        json_array_append_new(rules, rule_json(policy, rule, gk_policy_text(rule)));
    }
    return rules;
}

/* --- one account or scope -----------------------------------------------------------------------*/

static void append(struct reporting *reporting, json_t *value)
{
    if (json_array_append_new(reporting->values, value) != 0) {
        reporting->status = gk_fail(reporting->error, GK_E_RESOURCE, "out of memory");
    }
}

/* The rules that are not kept, and the worst of it. */
static json_t *findings_json(const struct gk_site_policy *policy,
                             const struct gk_policy_subject *subject, enum gk_policy_finding *worst)
{
    json_t *findings = json_array();
    *worst = GK_POLICY_KEPT;
    for (int i = 0; i < GK_RULES_COUNT; i++) {
        const enum gk_policy_rule rule = (enum gk_policy_rule)i;
        const enum gk_policy_finding finding = policy->effects[i] == GK_POLICY_DISABLED
                                                   ? GK_POLICY_KEPT
                                                   : gk_policy_judge(policy, rule, subject);
        if (finding == GK_POLICY_KEPT) {
            continue;
        }
        const struct gk_policy_text *text = gk_policy_text_for(rule, subject);
        json_t *object = rule_json(policy, rule, text);
        json_object_set_new(object, "compliance", json_string(finding_name(finding)));
        json_object_set_new(object, "remedy", json_string(text->remedy));
        json_array_append_new(findings, object);
        if (*worst != GK_POLICY_BROKEN) {
            *worst = finding;
        }
    }
    return findings;
}

static void report_subject(struct reporting *reporting, const char *name,
                           const struct gk_account_status *status)
{
    const struct gk_gateway *gateway = reporting->manage->gateway;
    const struct gk_policy_subject subject = {.name = name,
                                              .settings = &status->settings,
                                              .key = &status->key_info,
                                              .now_wall_ms = gk_clock_wall_ms(&gateway->clock)};
    enum gk_policy_finding worst = GK_POLICY_KEPT;
    json_t *findings = findings_json(reporting->policy, &subject, &worst);
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:o}", "name", name, "compliance", finding_name(worst), "state",
                  gk_arm_state_name(status->state), "findings", findings);
    set_text(object, "keyIdentifier",
             status->settings.source == GK_KEY_SOURCE_CUSTOMER ? status->current_key_id : "");
    set_time(object, "keyToldAt", status->key_info_told_wall_ms);
    set_time(object, "revokedSince", status->revoked_since_wall_ms);
    set_time(object, "unreachableSince", status->unreachable_since_wall_ms);
    if (worst == GK_POLICY_UNKNOWN) {
        set_time(object, "unknownSince", status->last_version_check_wall_ms);
    }
    append(reporting, object);
}

static void report_unreadable(struct reporting *reporting, const char *name, enum gk_status status,
                              struct gk_error *why)
{
    append(reporting, json_pack("{s:s, s:s, s:o}", "name", name, "compliance", "unreadable",
                                "error", gk_manage_error_json(why, status)));
}

/* --- a page -------------------------------------------------------------------------------------*/

static void report_scopes(struct reporting *reporting, const struct gk_gateway_account *account)
{
    const struct gk_gateway *gateway = reporting->manage->gateway;
    const struct gk_plugin_host *host = gateway->host;
    struct gk_error why = {0};
    struct gk_buf names;
    gk_buf_init(&names, (GK_SCOPES_MAX + 1) * (size_t)GK_SCOPE_NAME_BYTES_MAX);
    enum gk_status status = gk_scopes_list(gateway, account->name, &names, &why);
    if (status != GK_OK) {
        report_unreadable(reporting, account->name, status, &why);
    }
    for (size_t at = 0; status == GK_OK && at < names.len;) {
        const char *name = (const char *)names.data + at;
        char path[GK_ACCOUNT_PATH_BYTES_MAX];
        struct gk_account_status state;
        at += strlen(name) + 1;
        gk_scope_path(account->name, name, path);
        gk_error_clear(&why);
        const enum gk_status found =
            host->plugin->account_status(host->instance, path, &state, &why);
        if (found == GK_OK) {
            report_subject(reporting, path, &state);
        } else {
            report_unreadable(reporting, path, found, &why);
        }
    }
    gk_buf_cleanup(&names);
}

static bool report_account(void *ctx, const char *name)
{
    struct reporting *reporting = ctx;
    struct gk_managed_account managed = {0};
    struct gk_error why = {0};
    if (reporting->accounts == reporting->page_size) {
        reporting->more = true;
        return false;
    }
    const enum gk_status status = gk_managed_account_load(reporting->manage, name, &managed, &why);
    if (status == GK_E_UNAVAILABLE || status == GK_E_RESOURCE) {
        reporting->status = status; /* of the store: a report with holes is none */
        *reporting->error = why;
    } else if (status == GK_OK) {
        report_subject(reporting, name, &managed.status);
        report_scopes(reporting, managed.account);
    } else if (status != GK_E_NOT_FOUND) {
        report_unreadable(reporting, name, status, &why);
    }
    gk_managed_account_cleanup(&managed);
    reporting->accounts++;
    snprintf(reporting->last, sizeof reporting->last, "%s", name);
    return reporting->status == GK_OK;
}

static enum gk_status answer_report(struct gk_manage *manage, const struct gk_site_policy *policy,
                                    const struct gk_manage_request *request,
                                    struct gk_manage_answer *answer, struct gk_error *error)
{
    uint32_t page_size = PAGE_ACCOUNTS;
    struct reporting reporting = {.manage = manage, .policy = policy, .error = error};
    enum gk_status status = gk_list_page_size(request, PAGE_ACCOUNTS, &page_size, error);
    if (status != GK_OK) {
        return status;
    }
    reporting.values = json_array();
    reporting.page_size = page_size;
    status = gk_accounts_list(manage->gateway->accounts, request->skip_token, report_account,
                              &reporting, error);
    status = status == GK_OK ? reporting.status : status;
    if (status != GK_OK) {
        json_decref(reporting.values);
        return status;
    }
    json_t *report = json_pack("{s:o, s:o}", "value", reporting.values, "policies",
                               rules_json(reporting.policy));
    if (reporting.more) {
        set_text(report, "nextSkipToken", reporting.last);
    }
    return gk_manage_answer_json(answer, 200, report, error);
}

enum gk_status gk_manage_policy_report(struct gk_manage *manage, const struct gk_manage_path *path,
                                       const struct gk_manage_request *request,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path;
    struct gk_terms *terms = gk_terms_now(manage->gateway->terms);
    const enum gk_status status =
        answer_report(manage, &terms->config->policy, request, answer, error);
    gk_terms_release(terms);
    return status;
}
