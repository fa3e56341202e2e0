/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/delegation.h"

#include "common/error.h"
#include "common/secret.h"
#include "gateway/auth/bearer.h"
#include "gateway/terms.h"

#define LABEL          "gatekey user delegation key"
#define TEXT_BYTES_MAX 1024u
#define SERVICE        "b"
#define DAY_MS         INT64_C(86400000)

bool gk_delegation_key(const struct gk_access_keys *keys, const struct gk_delegation *delegation,
                       uint8_t key[GK_SIGNATURE_BYTES])
{
    static const uint8_t none[GK_DELEGATION_BYTES];
    struct gk_buf text;
    gk_buf_init(&text, TEXT_BYTES_MAX);
    gk_buf_printf(&text, "%s\n%s\n%s\n%s\n%s\n%s\n%s", LABEL, delegation->object,
                  delegation->tenant, delegation->start, delegation->expiry, delegation->service,
                  delegation->version);
    const bool good = memcmp(keys->delegation, none, sizeof none) != 0 &&
                      gk_buf_status(&text) == GK_OK &&
                      gk_signature_make(gk_span_of(keys->delegation, GK_DELEGATION_BYTES),
                                        gk_buf_span(&text), key);
    gk_buf_cleanup(&text);
    return good;
}

static const char *field(const struct gk_request *request, const char *name)
{
    const char *value = gk_request_query(request, name);
    return value == NULL ? "" : value;
}

void gk_delegation_read(const struct gk_request *request, struct gk_delegation *delegation)
{
    *delegation = (struct gk_delegation){.object = field(request, "skoid"),
                                         .tenant = field(request, "sktid"),
                                         .start = field(request, "skt"),
                                         .expiry = field(request, "ske"),
                                         .service = field(request, "sks"),
                                         .version = field(request, "skv")};
}

static bool is_valid_now(const struct gk_request *request, const struct gk_delegation *delegation)
{
    int64_t start;
    int64_t expiry;
    return strcmp(delegation->service, SERVICE) == 0 &&
           gk_time_iso_parse(delegation->start, &start) &&
           gk_time_iso_parse(delegation->expiry, &expiry) && start <= request->received_wall_ms &&
           expiry > request->received_wall_ms &&
           expiry - request->received_wall_ms <= GK_DELEGATION_DAYS_MAX * DAY_MS;
}

enum gk_status gk_delegation_check(const struct gk_request *request, struct gk_span text,
                                   uint32_t *allowed, struct gk_error *error)
{
    struct gk_delegation delegation;
    struct gk_id principal;
    uint8_t key[GK_SIGNATURE_BYTES];
    gk_delegation_read(request, &delegation);
    const bool good = gk_delegation_key(request->account->keys, &delegation, key) &&
                      gk_signature_is(gk_span_of(key, sizeof key), text, field(request, "sig")) &&
                      gk_id_parse(delegation.object, &principal);
    gk_wipe(key, sizeof key);
    if (!good) {
        return gk_refuse_because(error, 403, "AuthenticationFailed", "Signature did not match.");
    }
    if (!is_valid_now(request, &delegation)) {
        return gk_refuse_because(error, 403, "AuthenticationFailed",
                                 "The user delegation key is not valid at this time.");
    }
    *allowed = gk_bearer_permissions(request->terms->bearer, &principal, request->account_name);
    return GK_OK;
}
