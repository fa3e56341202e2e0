/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "common/text.h"
#include "gateway/manage/manage.h"

#define SEGMENTS_MAX      16u
#define SEGMENT_BYTES_MAX 128u

struct segments {
    char text[SEGMENTS_MAX][SEGMENT_BYTES_MAX];
    size_t count;
};

static bool add_segment(struct segments *segments, struct gk_span raw)
{
    if (segments->count == SEGMENTS_MAX) {
        return false;
    }
    struct gk_buf decoded;
    gk_buf_init(&decoded, SEGMENT_BYTES_MAX - 1);
    const bool good = gk_percent_decode(&decoded, raw) && gk_buf_status(&decoded) == GK_OK;
    if (good) {
        memcpy(segments->text[segments->count], gk_buf_str(&decoded), decoded.len + 1);
        segments->count++;
    }
    gk_buf_cleanup(&decoded);
    return good;
}

/* One slash at the end is allowed, empty segments elsewhere are not. */
static bool split(const char *path, struct segments *segments)
{
    segments->count = 0;
    if (path[0] != '/') {
        return false;
    }
    for (path++; *path != '\0';) {
        const size_t len = strcspn(path, "/");
        if (len == 0 || !add_segment(segments, gk_span_of(path, len))) {
            return false;
        }
        path += len + (path[len] == '/' ? 1 : 0);
    }
    return true;
}

static bool is(const struct segments *segments, size_t index, const char *literal)
{
    return index < segments->count && strcasecmp(segments->text[index], literal) == 0;
}

static bool copy_plain(const char *text, const char *allowed_beside, char *out, size_t out_bytes)
{
    const size_t len = strlen(text);
    if (len == 0 || len >= out_bytes) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || strchr(allowed_beside, c) != NULL;
        if (!word) {
            return false;
        }
    }
    memcpy(out, text, len + 1);
    return true;
}

static bool copy_segment(const struct segments *segments, size_t index, char *out, size_t out_bytes)
{
    const size_t len = strlen(segments->text[index]);
    if (len >= out_bytes) {
        return false;
    }
    memcpy(out, segments->text[index], len + 1);
    return true;
}

/* Whether it is one of the vendor's collections and actions that are not served, which is told from a mistake. */
static bool parse_not_served(const struct segments *segments, size_t index,
                             const char *const *names, struct gk_manage_path *out)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (is(segments, index, names[i])) {
            out->route = GK_ROUTE_NOT_SERVED;
            return copy_segment(segments, index, out->action, sizeof out->action);
        }
    }
    return false;
}

static bool parse_not_served_of_account(const struct segments *segments, size_t from,
                                        struct gk_manage_path *out)
{
    static const char *const names[] = {"abortHnsOnMigration",
                                        "accountMigrations",
                                        "connectors",
                                        "dataShares",
                                        "failover",
                                        "fileServices",
                                        "hnsOnMigration",
                                        "inventoryPolicies",
                                        "localUsers",
                                        "managementPolicies",
                                        "networkSecurityPerimeterConfigurations",
                                        "objectReplicationPolicies",
                                        "privateEndpointConnections",
                                        "privateLinkResources",
                                        "queueServices",
                                        "reports",
                                        "restoreBlobRanges",
                                        "startAccountMigration",
                                        "storageTaskAssignments",
                                        "tableServices",
                                        NULL};
    static const char *const of_blobs[] = {"containers", NULL};
    return parse_not_served(segments, from, names, out) ||
           (is(segments, from, "blobServices") && is(segments, from + 1, "default") &&
            parse_not_served(segments, from + 2, of_blobs, out));
}

/* What follows an account's name: at segments[from]. */
static bool parse_account(const struct segments *segments, size_t from, struct gk_manage_path *out)
{
    const size_t rest = segments->count - from;
    if (is(segments, from, "encryptionScopes") && rest <= 3) {
        static const enum gk_manage_route routes[] = {GK_ROUTE_SCOPES, GK_ROUTE_SCOPE,
                                                      GK_ROUTE_SCOPE_ACTION};
        out->route = routes[rest - 1];
        return (rest < 2 || copy_segment(segments, from + 1, out->scope, sizeof out->scope)) &&
               (rest < 3 || copy_segment(segments, from + 2, out->action, sizeof out->action));
    }
    if (parse_not_served_of_account(segments, from, out)) {
        return true;
    }
    if (rest == 1 && is(segments, from, "blobServices")) {
        out->route = GK_ROUTE_BLOB_SERVICES;
        return true;
    }
    if (rest == 2 && is(segments, from, "blobServices") && is(segments, from + 1, "default")) {
        out->route = GK_ROUTE_BLOB_SERVICE;
        return true;
    }
    out->route = rest == 0 ? GK_ROUTE_ACCOUNT : GK_ROUTE_ACCOUNT_ACTION;
    return rest == 0 ||
           (rest == 1 && copy_segment(segments, from, out->action, sizeof out->action));
}

/* What follows ".../providers/Microsoft.Storage": at segments[from]. */
static bool parse_storage(const struct segments *segments, size_t from, bool in_group,
                          struct gk_manage_path *out)
{
    const size_t rest = segments->count - from;
    if (!in_group && rest == 1 && is(segments, from, "checkNameAvailability")) {
        out->route = GK_ROUTE_CHECK_NAME;
        return true;
    }
    if (!is(segments, from, "storageAccounts")) {
        static const char *const names[] = {"deletedAccounts", "locations", "skus", NULL};
        return !in_group && parse_not_served(segments, from, names, out);
    }
    if (rest == 1) {
        out->route = in_group ? GK_ROUTE_LIST_GROUP : GK_ROUTE_LIST_SUBSCRIPTION;
        return true;
    }
    if (!in_group || !copy_segment(segments, from + 1, out->account, sizeof out->account)) {
        return false;
    }
    return parse_account(segments, from + 2, out);
}

static bool parse_arm(const struct segments *segments, struct gk_manage_path *out)
{
    if (segments->count < 5 ||
        !copy_plain(segments->text[1], "-_.", out->subscription, sizeof out->subscription)) {
        return false;
    }
    size_t at = 2;
    const bool in_group = is(segments, at, "resourceGroups");
    if (in_group) {
        if (!copy_plain(segments->text[3], "-_.()", out->resource_group,
                        sizeof out->resource_group)) {
            return false;
        }
        at = 4;
    }
    if (!is(segments, at, "providers") || !is(segments, at + 1, "Microsoft.Storage") ||
        segments->count <= at + 2) {
        return false;
    }
    return parse_storage(segments, at + 2, in_group, out);
}

static bool parse_scrub(const struct segments *segments, struct gk_manage_path *out)
{
    out->route = segments->count == 3 ? GK_ROUTE_SCRUB_ACTION : GK_ROUTE_SCRUB;
    return segments->count == 2 ||
           (segments->count == 3 && copy_segment(segments, 2, out->action, sizeof out->action));
}

static bool parse_own(const struct segments *segments, struct gk_manage_path *out)
{
    static const enum gk_manage_route routes[] = {GK_ROUTE_OWN_LIST, GK_ROUTE_OWN_ACCOUNT,
                                                  GK_ROUTE_OWN_ACTION};
    if (is(segments, 1, "scrub")) {
        return parse_scrub(segments, out);
    }
    if (segments->count == 3 && is(segments, 1, "policy") && is(segments, 2, "report")) {
        out->route = GK_ROUTE_POLICY_REPORT;
        return true;
    }
    if (segments->count == 2 && is(segments, 1, "events")) {
        out->route = GK_ROUTE_EVENTS;
        return true;
    }
    if (!is(segments, 1, "accounts") || segments->count > 4) {
        return false;
    }
    out->route = routes[segments->count - 2];
    return (segments->count < 3 || copy_segment(segments, 2, out->account, sizeof out->account)) &&
           (segments->count < 4 || copy_segment(segments, 3, out->action, sizeof out->action));
}

static bool parse_single(const struct segments *segments, struct gk_manage_path *out)
{
    static const struct {
        const char *name;
        enum gk_manage_route route;
    } singles[] = {{"metrics", GK_ROUTE_METRICS},
                   {"healthz", GK_ROUTE_HEALTH},
                   {"readyz", GK_ROUTE_READY},
                   {"status", GK_ROUTE_STATUS}};
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        if (is(segments, 0, singles[i].name)) {
            out->route = singles[i].route;
            return true;
        }
    }
    return false;
}

bool gk_manage_path_parse(const char *path, struct gk_manage_path *out)
{
    struct segments segments;
    *out = (struct gk_manage_path){.route = GK_ROUTE_NONE};
    bool good = split(path, &segments);
    if (good && segments.count == 1) {
        good = parse_single(&segments, out);
    } else if (good && segments.count == 2 && is(&segments, 0, "status")) {
        out->route = GK_ROUTE_STATUS;
        good = copy_segment(&segments, 1, out->action, sizeof out->action);
    } else if (good && is(&segments, 0, "subscriptions")) {
        good = parse_arm(&segments, out);
    } else if (good && segments.count == 3 && is(&segments, 0, "providers") &&
               is(&segments, 1, "Microsoft.Storage")) {
        static const char *const names[] = {"operations", NULL};
        good = parse_not_served(&segments, 2, names, out);
    } else if (good && is(&segments, 0, "gatekey")) {
        good = parse_own(&segments, out);
    } else {
        good = false;
    }
    if (!good) {
        *out = (struct gk_manage_path){.route = GK_ROUTE_NONE};
    }
    return good;
}
