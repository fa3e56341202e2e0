/* SPDX-License-Identifier: Apache-2.0 */
/* /healthz, /readyz and /metrics. */
#include <jansson.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/manage/arm_account.h"
#include "gateway/manage/manage.h"
#include "gateway/metrics.h"
#include "gateway/store/probe.h"

enum gk_status gk_manage_health(struct gk_manage *manage, const struct gk_manage_path *path,
                                const struct gk_manage_request *request,
                                struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)manage, (void)path, (void)request;
    return gk_manage_answer_json(answer, 200, json_pack("{s:s}", "status", "ok"), error);
}

/* Ready means: requests that need no vault can be served. A customer's revoked key or silent vault
 * is that account's matter; taking the gateway out of rotation for it would punish the others. */
enum gk_status gk_manage_ready(struct gk_manage *manage, const struct gk_manage_path *path,
                               const struct gk_manage_request *request,
                               struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    json_t *reasons = json_array();
    if (atomic_load(&manage->stopping)) {
        json_array_append_new(reasons, json_string("the gateway is stopping"));
    }
    if (!gk_store_probe_answers(manage->probe)) {
        json_array_append_new(reasons, json_string("the store does not answer"));
    }
    const bool ready = json_array_size(reasons) == 0;
    json_t *body =
        json_pack("{s:s, s:o}", "status", ready ? "ready" : "not ready", "reasons", reasons);
    return gk_manage_answer_json(answer, ready ? 200 : 503, body, error);
}

/* --- metrics -----------------------------------------------------------------------------------*/

/* As in a list of accounts: while a store is silent, each account that memory does not hold waits. */
#define SILENT_MAX 3u

/* Of accounts with a customer's key, one row each. None where there is nothing to tell. */
struct gauge {
    const char *name;
    int64_t (*wall_ms)(const struct gk_account_status *status);
    bool zero; /* it is told as 0 when it never was */
};

static int64_t last_check(const struct gk_account_status *status)
{
    return status->last_check_wall_ms;
}

static int64_t last_version_check(const struct gk_account_status *status)
{
    return status->last_version_check_wall_ms;
}

static int64_t last_rotation(const struct gk_account_status *status)
{
    return status->last_rotation_wall_ms;
}

static int64_t key_created(const struct gk_account_status *status)
{
    return status->key_created_wall_ms;
}

static int64_t key_expires(const struct gk_account_status *status)
{
    return status->key_expires_wall_ms;
}

static int64_t grace_ends(const struct gk_account_status *status)
{
    return status->grace_until_wall_ms;
}

static const struct gauge times[] = {
    {"gatekey_account_last_check_timestamp_seconds", last_check, true},
    {"gatekey_account_last_version_check_timestamp_seconds", last_version_check, true},
    {"gatekey_account_last_rotation_timestamp_seconds", last_rotation, true},
    {"gatekey_account_key_created_timestamp_seconds", key_created, false},
    {"gatekey_account_key_expires_timestamp_seconds", key_expires, false},
    {"gatekey_account_grace_ends_timestamp_seconds", grace_ends, false},
};

#define TIMES (sizeof times / sizeof *times)

/* Series of one name stand together, below their TYPE line: the times first, then these. */
enum { STATE = TIMES, PENDING, WARNING, SERIES };

static const char *series_name(size_t series)
{
    switch (series) {
    case STATE:
        return "gatekey_account_state";
    case PENDING:
        return "gatekey_account_rotation_pending";
    case WARNING:
        return "gatekey_account_key_warning";
    default:
        return times[series].name;
    }
}

struct gauges {
    struct gk_manage *manage;
    unsigned silent;
    struct gk_buf out[SERIES];
};

/* One series per account, with its state as a label, as kube-state-metrics does: an alert on a state
 * needs no table of numbers. */
static void add_state(struct gauges *gauges, const char *account, const char *state)
{
    gk_buf_printf(&gauges->out[STATE], "%s{account=\"%s\",state=\"%s\"} 1\n", series_name(STATE),
                  account, state);
}

static void add_warnings(struct gauges *gauges, const char *account, uint32_t warnings)
{
    static const char *const names[] = GK_KEY_WARNING_NAMES;
    for (size_t i = 0; i < GK_KEY_WARNINGS_COUNT; i++) {
        gk_buf_printf(&gauges->out[WARNING], "%s{account=\"%s\",warning=\"%s\"} %d\n",
                      series_name(WARNING), account, names[i], (warnings >> i & 1u) != 0);
    }
}

static void add_customer_key(struct gauges *gauges, const char *account,
                             const struct gk_account_status *status)
{
    for (size_t i = 0; i < TIMES; i++) {
        const int64_t wall_ms = times[i].wall_ms(status);
        if (wall_ms != 0 || times[i].zero) {
            gk_buf_printf(&gauges->out[i], "%s{account=\"%s\"} %.3f\n", times[i].name, account,
                          (double)wall_ms / 1000.0);
        }
    }
    gk_buf_printf(&gauges->out[PENDING], "%s{account=\"%s\"} %d\n", series_name(PENDING), account,
                  status->rotation_pending != 0);
    add_warnings(gauges, account, status->key_warnings);
}

static bool add_account(void *ctx, const char *name)
{
    struct gauges *gauges = ctx;
    const struct gk_plugin_host *host = gauges->manage->gateway->host;
    struct gk_account_status state;
    const enum gk_status status = host->plugin->account_status(host->instance, name, &state, NULL);
    if (status == GK_OK) {
        add_state(gauges, name, gk_arm_state_name(state.state));
    } else if (status != GK_E_NOT_FOUND) {
        add_state(gauges, name, "unreadable");
    }
    if (status == GK_OK && state.settings.source == GK_KEY_SOURCE_CUSTOMER) {
        add_customer_key(gauges, name, &state);
    }
    gauges->silent += status == GK_E_UNAVAILABLE ? 1 : 0;
    return gauges->silent < SILENT_MAX;
}

static enum gk_status add_gauges(struct gk_manage *manage, struct gk_buf *out,
                                 struct gk_error *error)
{
    struct gauges gauges = {.manage = manage};
    for (size_t i = 0; i < SERIES; i++) {
        gk_buf_init(&gauges.out[i], GK_MANAGE_ANSWER_BYTES_MAX);
    }
    enum gk_status status =
        gk_accounts_list(manage->gateway->accounts, add_account, &gauges, error);
    for (size_t i = 0; i < SERIES; i++) {
        const struct gk_span lines = gk_buf_span(&gauges.out[i]);
        gk_metrics_head(out, series_name(i));
        gk_buf_append(out, lines.data, lines.len);
        if (status == GK_OK && gk_buf_status(&gauges.out[i]) != GK_OK) {
            status = gk_fail(error, GK_E_RESOURCE, "no memory for the accounts' metrics");
        }
        gk_buf_cleanup(&gauges.out[i]);
    }
    return status;
}

enum gk_status gk_manage_metrics(struct gk_manage *manage, const struct gk_manage_path *path,
                                 const struct gk_manage_request *request,
                                 struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    gk_metrics_render(&answer->body);
    gk_metrics_head(&answer->body, "gatekey_build_info");
    gk_buf_append_str(&answer->body, "gatekey_build_info{version=\"" GATEKEY_VERSION "\"} 1\n");
    gk_metrics_head(&answer->body, "gatekey_secret_unlocked_bytes");
    gk_buf_printf(&answer->body, "gatekey_secret_unlocked_bytes %zu\n", gk_secret_unlocked_bytes());
    const enum gk_status status = add_gauges(manage, &answer->body, error);
    answer->status = 200;
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return status;
}
