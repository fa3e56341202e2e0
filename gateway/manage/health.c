/* SPDX-License-Identifier: Apache-2.0 */
/* /healthz, /readyz and /metrics. */
#include <jansson.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/manage/arm_account.h"
#include "gateway/manage/manage.h"
#include "gateway/metrics.h"

enum gk_status gk_manage_health(struct gk_manage *manage, const struct gk_manage_path *path,
                                const struct gk_manage_request *request,
                                struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)manage, (void)path, (void)request;
    return gk_manage_answer_json(answer, 200, json_pack("{s:s}", "status", "ok"), error);
}

static bool stop_at_first(void *ctx, const char *name)
{
    (void)ctx, (void)name;
    return false;
}

/* Ready means: requests that need no vault can be served. A customer's revoked key or silent vault
 * is that account's matter; taking the gateway out of rotation for it would punish the others. */
enum gk_status gk_manage_ready(struct gk_manage *manage, const struct gk_manage_path *path,
                               const struct gk_manage_request *request,
                               struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    json_t *reasons = json_array();
    struct gk_error why = {0};
    if (atomic_load(&manage->stopping)) {
        json_array_append_new(reasons, json_string("the gateway is stopping"));
    }
    if (gk_accounts_list(manage->gateway->accounts, stop_at_first, NULL, &why) != GK_OK) {
        json_array_append_new(reasons, json_string("the store does not answer"));
    }
    const bool ready = json_array_size(reasons) == 0;
    json_t *body =
        json_pack("{s:s, s:o}", "status", ready ? "ready" : "not ready", "reasons", reasons);
    return gk_manage_answer_json(answer, ready ? 200 : 503, body, error);
}

/* --- metrics -----------------------------------------------------------------------------------*/

struct gauges {
    struct gk_manage *manage;
    struct gk_buf *out;
};

/* One gauge of every account. Series of one name stand together, below their TYPE line. */
typedef void gauge_fn(struct gk_buf *out, const char *account,
                      const struct gk_account_status *status);

/* One series per account, with its state as a label, as kube-state-metrics does: an alert on a state
 * needs no table of numbers. */
static void add_state(struct gk_buf *out, const char *account,
                      const struct gk_account_status *status)
{
    gk_buf_printf(out, "gatekey_account_state{account=\"%s\",state=\"%s\"} 1\n", account,
                  gk_arm_state_name(status->state));
}

static void add_last_check(struct gk_buf *out, const char *account,
                           const struct gk_account_status *status)
{
    if (status->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        gk_buf_printf(out, "gatekey_account_last_check_timestamp_seconds{account=\"%s\"} %.3f\n",
                      account, (double)status->last_check_wall_ms / 1000.0);
    }
}

static void add_last_rotation(struct gk_buf *out, const char *account,
                              const struct gk_account_status *status)
{
    if (status->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        gk_buf_printf(out, "gatekey_account_last_rotation_timestamp_seconds{account=\"%s\"} %.3f\n",
                      account, (double)status->last_rotation_wall_ms / 1000.0);
    }
}

static void add_pending(struct gk_buf *out, const char *account,
                        const struct gk_account_status *status)
{
    if (status->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        gk_buf_printf(out, "gatekey_account_rotation_pending{account=\"%s\"} %d\n", account,
                      status->rotation_pending != 0);
    }
}

struct gauge {
    struct gk_manage *manage;
    struct gk_buf *out;
    gauge_fn *add;
};

static bool add_account(void *ctx, const char *name)
{
    const struct gauge *gauge = ctx;
    const struct gk_plugin_host *host = gauge->manage->gateway->host;
    struct gk_account_status status;
    if (host->plugin->account_status(host->instance, name, &status, NULL) == GK_OK) {
        gauge->add(gauge->out, name, &status);
    }
    return gk_buf_status(gauge->out) == GK_OK;
}

static enum gk_status add_gauges(struct gk_manage *manage, struct gk_buf *out,
                                 struct gk_error *error)
{
    static const struct {
        const char *name;
        gauge_fn *add;
    } gauges[] = {
        {"gatekey_account_state", add_state},
        {"gatekey_account_last_check_timestamp_seconds", add_last_check},
        {"gatekey_account_last_rotation_timestamp_seconds", add_last_rotation},
        {"gatekey_account_rotation_pending", add_pending},
    };
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < sizeof gauges / sizeof *gauges; i++) {
        struct gauge gauge = {.manage = manage, .out = out, .add = gauges[i].add};
        gk_buf_printf(out, "# TYPE %s gauge\n", gauges[i].name);
        status = gk_accounts_list(manage->gateway->accounts, add_account, &gauge, error);
    }
    return status;
}

enum gk_status gk_manage_metrics(struct gk_manage *manage, const struct gk_manage_path *path,
                                 const struct gk_manage_request *request,
                                 struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    gk_metrics_render(&answer->body);
    gk_buf_printf(&answer->body,
                  "# TYPE gatekey_secret_unlocked_bytes gauge\ngatekey_secret_unlocked_bytes %zu\n",
                  gk_secret_unlocked_bytes());
    const enum gk_status status = add_gauges(manage, &answer->body, error);
    answer->status = 200;
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return status;
}
