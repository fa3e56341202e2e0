/* SPDX-License-Identifier: Apache-2.0 */
/* Set and Get Blob Service Properties (Storage REST reference). */
#include "gateway/blob/handlers.h"
#include "gateway/blob/service_xml.h"
#include "gateway/gateway.h"

#define BODY_BYTES_MAX   65536u
#define ANSWER_BYTES_MAX 65536u

static enum gk_status set_service_properties(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_service settings;
    uint32_t parts = 0;
    enum gk_status status =
        gk_service_xml_parse(gk_buf_span(&request->body), &settings, &parts, error);
    if (status == GK_OK) {
        status = gk_accounts_set_blob_service(request->gateway->accounts, request->account->name,
                                              &settings, parts, error);
    }
    return status == GK_OK ? gk_respond(request, 202) : status;
}

const struct gk_handler gk_set_service_properties_handler = {.body = GK_BODY_BUFFERED,
                                                             .body_max = BODY_BYTES_MAX,
                                                             .permissions = GK_PERMIT_WRITE,
                                                             .finish = set_service_properties};

static enum gk_status get_service_properties(struct gk_request *request, struct gk_error *error)
{
    struct gk_buf answer;
    gk_buf_init(&answer, ANSWER_BYTES_MAX);
    enum gk_status status = gk_service_xml_write(&request->account->blob_service, &answer, error);
    if (status == GK_OK) {
        status = gk_respond_buf(request, 200, "application/xml", &answer);
    }
    gk_buf_cleanup(&answer);
    return status;
}

const struct gk_handler gk_get_service_properties_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = get_service_properties};
