/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of the Blob service as a whole: Set and Get Blob Service Properties, Preflight Blob
 * Request, Get Blob Service Stats, Get Account Information (Storage REST reference).
 */
#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/names.h"
#include "gateway/blob/service_xml.h"
#include "gateway/blob/xml.h"
#include "gateway/gateway.h"
#include "gateway/http/cors.h"

#define BODY_BYTES_MAX   65536u
#define ANSWER_BYTES_MAX 65536u

/* --- Set Blob Service Properties ----------------------------------------------------------------*/

/* A website that is enabled has a container for its pages. */
static enum gk_status ensure_web(struct gk_request *request, struct gk_error *error)
{
    request->container = GK_WEB_CONTAINER;
    const enum gk_status status = gk_container_ensure(request, error);
    request->container = "";
    return status;
}

static enum gk_status set_service_properties(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_service settings;
    uint32_t parts = 0;
    enum gk_status status =
        gk_service_xml_parse(gk_buf_span(&request->body), &settings, &parts, error);
    if (status == GK_OK && settings.website.enabled) {
        status = ensure_web(request, error);
    }
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

/* --- Get Blob Service Properties ----------------------------------------------------------------*/

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

/* --- Preflight Blob Request ---------------------------------------------------------------------*/

/* It is the service that is asked, not a container or blob: those need not be there. */
static enum gk_status preflight(struct gk_request *request, struct gk_error *error)
{
    const char *origin = gk_request_header(request, "Origin");
    const char *method = gk_request_header(request, "Access-Control-Request-Method");
    const char *headers = gk_request_header(request, "Access-Control-Request-Headers");
    if (origin == NULL || method == NULL) {
        return gk_fail_http(error, GK_E_INVALID, 400, "InvalidHeaderValue",
                            "A required CORS header is not present. Header: %s",
                            origin == NULL ? "Origin" : "Access-Control-Request-Method");
    }
    const struct gk_cors_rule *rule =
        gk_cors_match(&request->account->blob_service.cors, origin, method, headers);
    if (rule == NULL) {
        return gk_refuse(error, 403, "CorsPreflightFailure");
    }
    gk_respond_header(request, "Access-Control-Allow-Origin", origin);
    gk_respond_header(request, "Access-Control-Allow-Methods", method);
    if (headers != NULL) {
        gk_respond_header(request, "Access-Control-Allow-Headers", headers);
    }
    gk_respond_headerf(request, "Access-Control-Max-Age", "%u", rule->max_age_s);
    gk_respond_header(request, "Access-Control-Allow-Credentials", "true");
    return gk_respond(request, 200);
}

const struct gk_handler gk_preflight_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = preflight};

/* --- Get Blob Service Stats ---------------------------------------------------------------------*/

static enum gk_status write_stats(const struct gk_request *request, struct gk_buf *answer,
                                  struct gk_error *error)
{
    char time[GK_TIME_TEXT_BYTES];
    gk_time_http(request->received_wall_ms, time);
    struct gk_xml_writer xml;
    gk_xml_writer_init(&xml, answer);
    gk_xml_open(&xml, "StorageServiceStats");
    gk_xml_open(&xml, "GeoReplication");
    gk_xml_text(&xml, "Status", "live");
    gk_xml_text(&xml, "LastSyncTime", time);
    gk_xml_close(&xml);
    gk_xml_close(&xml);
    return gk_xml_writer_finish(&xml, error);
}

/* Both endpoints read one store, so that the secondary one is never behind. */
static enum gk_status get_service_stats(struct gk_request *request, struct gk_error *error)
{
    if (!request->secondary) {
        return gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                 "The secondary endpoint alone answers this.");
    }
    struct gk_buf answer;
    gk_buf_init(&answer, ANSWER_BYTES_MAX);
    enum gk_status status = write_stats(request, &answer, error);
    if (status == GK_OK) {
        status = gk_respond_buf(request, 200, "application/xml", &answer);
    }
    gk_buf_cleanup(&answer);
    return status;
}

const struct gk_handler gk_get_service_stats_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = get_service_stats};

/* --- Get Account Information --------------------------------------------------------------------*/

/* Any credential will do, for any container or blob, whether it is there or not. */
static enum gk_status get_account_information(struct gk_request *request, struct gk_error *error)
{
    (void)error;
    gk_respond_header(request, "x-ms-sku-name", request->account->sku);
    gk_respond_header(request, "x-ms-account-kind", "StorageV2");
    gk_respond_header(request, "x-ms-is-hns-enabled", "false");
    return gk_respond(request, 200);
}

const struct gk_handler gk_get_account_information_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_ALL, .finish = get_account_information};
