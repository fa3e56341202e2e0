/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/list_page.h"

#include <string.h>

#include "common/error.h"
#include "common/text.h"

#define LINK_BYTES_MAX 4096u
#define NAME_BYTES_MAX 63u /* of an account or a scope */

enum gk_status gk_list_page_size(const struct gk_manage_request *request, uint32_t most,
                                 uint32_t *size, struct gk_error *error)
{
    uint64_t value = most;
    if (strlen(request->skip_token) > NAME_BYTES_MAX) {
        return gk_fail_http(error, GK_E_INVALID, 400, "InvalidQueryParameterValue",
                            "$skiptoken is not that of a nextLink.");
    }
    if (request->page_size[0] != '\0' &&
        (!gk_parse_u64(gk_span_str(request->page_size), most, &value) || value == 0)) {
        return gk_fail_http(error, GK_E_INVALID, 400, "InvalidQueryParameterValue",
                            "$maxpagesize is 1 to %u.", most);
    }
    *size = (uint32_t)value;
    return GK_OK;
}

static void append_parameter(struct gk_buf *link, const char *name, const char *value)
{
    if (value[0] != '\0') {
        gk_buf_printf(link, "&%s=", name);
        gk_percent_encode(link, gk_span_str(value), "");
    }
}

void gk_list_page_next(json_t *list, const struct gk_manage_request *request, const char *after)
{
    struct gk_buf link;
    gk_buf_init(&link, LINK_BYTES_MAX);
    if (request->host[0] != '\0') {
        gk_buf_printf(&link, "https://%s", request->host);
    }
    gk_buf_printf(&link, "%s?api-version=", request->path);
    gk_percent_encode(&link, gk_span_str(request->api_version), "");
    append_parameter(&link, "$filter", request->filter);
    append_parameter(&link, "$include", request->include);
    append_parameter(&link, "$maxpagesize", request->page_size);
    append_parameter(&link, "$skiptoken", after);
    json_object_set_new(list, "nextLink", json_string(gk_buf_str(&link)));
    gk_buf_cleanup(&link);
}
