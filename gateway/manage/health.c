/* SPDX-License-Identifier: Apache-2.0 */
/* /healthz, /readyz and /metrics. */
#include <jansson.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/identity_certificates.h"
#include "gateway/manage/account_metrics.h"
#include "gateway/manage/manage.h"
#include "gateway/metrics.h"
#include "gateway/store/probe.h"
#include "gateway/terms.h"

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

enum gk_status gk_manage_metrics(struct gk_manage *manage, const struct gk_manage_path *path,
                                 const struct gk_manage_request *request,
                                 struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    struct gk_terms *terms = gk_terms_now(manage->gateway->terms);
    gk_identity_certificates_tell(terms->config);
    gk_terms_release(terms);
    gk_metrics_render(&answer->body);
    gk_metrics_head(&answer->body, "gatekey_build_info");
    gk_buf_append_str(&answer->body, "gatekey_build_info{version=\"" GATEKEY_VERSION "\"} 1\n");
    gk_metrics_head(&answer->body, "gatekey_secret_unlocked_bytes");
    gk_buf_printf(&answer->body, "gatekey_secret_unlocked_bytes %zu\n", gk_secret_unlocked_bytes());
    gk_account_metrics_append(manage->account_metrics, &answer->body);
    answer->status = 200;
    answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return gk_buf_status(&answer->body) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "no memory for the metrics");
}
