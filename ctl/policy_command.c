/* SPDX-License-Identifier: Apache-2.0 */
/* policy report: which accounts and scopes keep the operator's policy, page by page. */
#include <string.h>

#include "ctl/client.h"
#include "ctl/show.h"

struct totals {
    size_t all;
    size_t kept;
    size_t unknown;
};

/* "not compliant" of an account, a scope or a finding. */
static const char *compliance_text(const json_t *object)
{
    const char *compliance = ctl_text_of(object, "compliance");
    return strcmp(compliance, "nonCompliant") == 0 ? "not compliant" : compliance;
}

static void count(const json_t *value, struct totals *totals)
{
    const char *compliance = ctl_text_of(value, "compliance");
    totals->all++;
    totals->kept += strcmp(compliance, "compliant") == 0;
    totals->unknown += strcmp(compliance, "unknown") == 0;
}

static void print_finding(const json_t *finding)
{
    printf("    ");
    ctl_print_plain(ctl_text_of(finding, "policy"), 20);
    printf(" %-14s %-6s ", compliance_text(finding), ctl_text_of(finding, "effect"));
    ctl_print_plain(ctl_text_of(finding, "displayName"), 0);
    printf("\n%*s", 47, "");
    ctl_print_plain(ctl_text_of(finding, "remedy"), 0);
    putchar('\n');
}

static void print_value(const json_t *value)
{
    const char *since = ctl_text_of(value, "unknownSince");
    ctl_print_plain(ctl_text_of(value, "name"), 24);
    printf(" %-14s ", compliance_text(value));
    ctl_print_plain(ctl_text_of(value, "state"), 0);
    if (since[0] != '\0') {
        printf("  unknown since ");
        ctl_print_plain(since, 0);
    }
    ctl_print_plain(ctl_text_of(json_object_get(value, "error"), "message"), 0);
    putchar('\n');
    size_t index = 0;
    const json_t *finding = NULL;
    json_array_foreach(json_object_get(value, "findings"), index, finding)
    {
        print_finding(finding);
    }
}

/* Prints a page, or keeps it for the end, since JSON is one value. */
static void take_page(const struct ctl_options *options, const json_t *page, json_t *kept,
                      struct totals *totals)
{
    size_t index = 0;
    json_t *value = NULL;
    json_array_foreach(json_object_get(page, "value"), index, value)
    {
        count(value, totals);
        if (options->json) {
            json_array_append(kept, value);
        } else {
            print_value(value);
        }
    }
}

static enum ctl_exit read_pages(const struct ctl_options *options, json_t *kept,
                                struct totals *totals)
{
    char after[64] = "";
    do {
        char path[128];
        json_t *page = NULL;
        snprintf(path, sizeof path, "/gatekey/policy/report%s%s",
                 after[0] == '\0' ? "" : "?$skiptoken=", after);
        const enum ctl_exit code = ctl_request(options, "GET", path, NULL, &page);
        if (code != CTL_OK) {
            return code;
        }
        take_page(options, page, kept, totals);
        snprintf(after, sizeof after, "%s", ctl_text_of(page, "nextSkipToken"));
        json_decref(page);
    } while (after[0] != '\0');
    return CTL_OK;
}

enum ctl_exit ctl_policy_report(const struct ctl_options *options)
{
    struct totals totals = {0};
    json_t *kept = json_array();
    const enum ctl_exit code = read_pages(options, kept, &totals);
    if (code == CTL_OK && options->json) {
        ctl_show_json(kept);
    } else if (code == CTL_OK) {
        printf("%zu accounts and scopes: %zu compliant, %zu unknown, %zu not\n", totals.all,
               totals.kept, totals.unknown, totals.all - totals.kept - totals.unknown);
    }
    json_decref(kept);
    if (code != CTL_OK || options->no_fail || totals.kept == totals.all) {
        return code;
    }
    return CTL_NOT_COMPLIANT;
}
