/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"
#include "gateway/manage/manage.h"
#include "gateway/recent_events.h"

enum gk_status gk_manage_events(struct gk_manage *manage, const struct gk_manage_path *path,
                                const struct gk_manage_request *request,
                                struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    gk_buf_append_str(&answer->body, "{\"value\":");
    gk_recent_events_render(gk_plugin_host_recent(manage->gateway->host), &answer->body);
    gk_buf_append_str(&answer->body, "}");
    answer->status = 200;
    answer->content_type = "application/json; charset=utf-8";
    return gk_buf_status(&answer->body) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "no memory for the events");
}
