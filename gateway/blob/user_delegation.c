/* SPDX-License-Identifier: Apache-2.0 */
/* Get User Delegation Key (Storage REST reference). */
#include <stdio.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/auth/delegation.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/xml.h"
#include "gateway/gateway.h"
#include "gateway/http/dispatch.h"

#define BODY_BYTES_MAX   4096u
#define ANSWER_BYTES_MAX 4096u
#define VALUE_BYTES_MAX  128u
#define DAY_MS           INT64_C(86400000)
#define WHITE_SPACE      " \t\r\n"

/* --- KeyInfo ------------------------------------------------------------------------------------*/

struct parsing {
    struct gk_buf start;
    struct gk_buf expiry;
    struct gk_buf *text; /* of the element that is open: one of the two */
};

static bool open_element(void *ctx, const char *element, unsigned depth)
{
    struct parsing *parsing = ctx;
    if (depth == 0) {
        return strcmp(element, "KeyInfo") == 0;
    }
    const bool is_start = strcmp(element, "Start") == 0;
    parsing->text = is_start ? &parsing->start : &parsing->expiry;
    return depth == 1 && parsing->text->len == 0 && (is_start || strcmp(element, "Expiry") == 0);
}

static bool take_text(void *ctx, struct gk_span text)
{
    struct parsing *parsing = ctx;
    if (parsing->text != NULL) {
        gk_buf_append(parsing->text, text.data, text.len);
        return gk_buf_status(parsing->text) == GK_OK;
    }
    size_t i = 0;
    while (i < text.len && strchr(WHITE_SPACE, text.data[i]) != NULL) {
        i++;
    }
    return i == text.len;
}

static bool close_element(void *ctx, unsigned depth)
{
    (void)depth;
    struct parsing *parsing = ctx;
    parsing->text = NULL;
    return true;
}

struct key_info {
    int64_t start_wall_ms;
    int64_t expiry_wall_ms;
};

static enum gk_status parse(struct gk_span body, struct key_info *info, struct gk_error *error)
{
    struct parsing parsing = {.text = NULL};
    gk_buf_init(&parsing.start, VALUE_BYTES_MAX);
    gk_buf_init(&parsing.expiry, VALUE_BYTES_MAX);
    const struct gk_xml_visitor visitor = {
        .ctx = &parsing, .open = open_element, .text = take_text, .close = close_element};
    enum gk_status status = gk_xml_read(body, &visitor, error);
    const bool complete = parsing.start.len > 0 && parsing.expiry.len > 0;
    if (status == GK_E_INVALID || (status == GK_OK && !complete)) {
        status = gk_refuse(error, 400, "InvalidXmlDocument");
    }
    if (status == GK_OK &&
        (!gk_time_iso_parse(gk_buf_str(&parsing.start), &info->start_wall_ms) ||
         !gk_time_iso_parse(gk_buf_str(&parsing.expiry), &info->expiry_wall_ms))) {
        status = gk_refuse_because(error, 400, "InvalidXmlNodeValue", "Start or Expiry");
    }
    gk_buf_cleanup(&parsing.start);
    gk_buf_cleanup(&parsing.expiry);
    return status;
}

/* --- the key ------------------------------------------------------------------------------------*/

static enum gk_status check_times(const struct gk_request *request, const struct key_info *info,
                                  struct gk_error *error)
{
    const int64_t now = request->received_wall_ms;
    return info->expiry_wall_ms > now && info->start_wall_ms < info->expiry_wall_ms &&
                   info->expiry_wall_ms <= now + GK_DELEGATION_DAYS_MAX * DAY_MS
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidXmlNodeValue",
                                   "Expiry is after Start, and within %d days from now.",
                                   GK_DELEGATION_DAYS_MAX);
}

static void write_key(struct gk_buf *answer, const struct gk_delegation *delegation,
                      const char *value, enum gk_status *status, struct gk_error *error)
{
    struct gk_xml_writer xml;
    gk_xml_writer_init(&xml, answer);
    gk_xml_open(&xml, "UserDelegationKey");
    gk_xml_text(&xml, "SignedOid", delegation->object);
    gk_xml_text(&xml, "SignedTid", delegation->tenant);
    gk_xml_text(&xml, "SignedStart", delegation->start);
    gk_xml_text(&xml, "SignedExpiry", delegation->expiry);
    gk_xml_text(&xml, "SignedService", delegation->service);
    gk_xml_text(&xml, "SignedVersion", delegation->version);
    gk_xml_text(&xml, "Value", value);
    gk_xml_close(&xml);
    *status = gk_xml_writer_finish(&xml, error);
}

static enum gk_status answer_key(struct gk_request *request, const struct gk_access_keys *keys,
                                 const struct gk_delegation *delegation, struct gk_error *error)
{
    uint8_t key[GK_SIGNATURE_BYTES];
    struct gk_buf value;
    struct gk_buf answer;
    gk_buf_init(&value, VALUE_BYTES_MAX);
    gk_buf_init(&answer, ANSWER_BYTES_MAX);
    enum gk_status status = gk_delegation_key(keys, delegation, key)
                                ? GK_OK
                                : gk_fail(error, GK_E_INTERNAL, "no key can be made");
    if (status == GK_OK) {
        gk_base64_encode(&value, gk_span_of(key, sizeof key));
        write_key(&answer, delegation, gk_buf_str(&value), &status, error);
    }
    if (status == GK_OK) {
        status = gk_respond_buf(request, 200, "application/xml", &answer);
    }
    gk_wipe(key, sizeof key);
    gk_buf_cleanup_wipe(&value);
    gk_buf_cleanup_wipe(&answer);
    return status;
}

/* An account of before has no secret yet. */
static enum gk_status with_secret(struct gk_request *request, struct gk_gateway_account **account,
                                  struct gk_error *error)
{
    struct gk_accounts *accounts = request->gateway->accounts;
    const enum gk_status status =
        gk_accounts_renew_delegation(accounts, request->account->name, true, error);
    return status == GK_OK ? gk_accounts_get(accounts, request->account->name, account, error)
                           : status;
}

static bool has_secret(const struct gk_gateway_account *account)
{
    static const uint8_t none[GK_DELEGATION_BYTES];
    return memcmp(account->keys->delegation, none, sizeof none) != 0;
}

static enum gk_status get_user_delegation_key(struct gk_request *request, struct gk_error *error)
{
    struct key_info info;
    char object[GK_UUID_TEXT_BYTES];
    char tenant[GK_UUID_TEXT_BYTES];
    char start[GK_TIME_TEXT_BYTES];
    char expiry[GK_TIME_TEXT_BYTES];
    const char *version = gk_request_header(request, "x-ms-version");
    struct gk_gateway_account *renewed = NULL;
    if (!request->credential_is_bearer) {
        return gk_refuse_because(error, 403, "AuthenticationFailed",
                                 "Only authentication scheme Bearer is supported");
    }
    enum gk_status status = parse(gk_buf_span(&request->body), &info, error);
    if (status == GK_OK) {
        status = check_times(request, &info, error);
    }
    if (status == GK_OK && !has_secret(request->account)) {
        status = with_secret(request, &renewed, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_id_format(&request->principal, object);
    gk_id_format(&request->tenant, tenant);
    gk_time_iso_second(info.start_wall_ms, start);
    gk_time_iso_second(info.expiry_wall_ms, expiry);
    const struct gk_delegation delegation = {.object = object,
                                             .tenant = tenant,
                                             .start = start,
                                             .expiry = expiry,
                                             .service = "b",
                                             .version =
                                                 version == NULL ? GK_SERVICE_VERSION : version};
    status = answer_key(request, (renewed == NULL ? request->account : renewed)->keys, &delegation,
                        error);
    if (renewed != NULL) {
        gk_accounts_put(renewed);
    }
    return status;
}

const struct gk_handler gk_get_user_delegation_key_handler = {.body = GK_BODY_BUFFERED,
                                                              .body_max = BODY_BYTES_MAX,
                                                              .permissions = GK_PERMIT_DELEGATE,
                                                              .finish = get_user_delegation_key};
