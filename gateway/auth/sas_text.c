/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/sas_text.h"

#include <string.h>

#define VERSION_WITH_SR     20181109
#define VERSION_WITH_SCOPES 20201206
/* Of user delegation alone. */
#define VERSION_WITH_AGENTS   20200210
#define VERSION_WITH_USERS    20250705
#define VERSION_WITH_REQUESTS 20260406

const char *gk_sas_field(const struct gk_request *request, const char *name)
{
    const char *value = gk_request_query(request, name);
    return value == NULL ? "" : value;
}

static void append_fields(struct gk_buf *out, const struct gk_request *request,
                          const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gk_buf_append_str(out, gk_sas_field(request, names[i]));
        gk_buf_append_str(out, "\n");
    }
}

static void account_string(const struct gk_request *request, int64_t version, struct gk_buf *out)
{
    static const char *const names[] = {"sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses"};
    gk_buf_printf(out, "%s\n", request->account_name);
    append_fields(out, request, names, version >= VERSION_WITH_SCOPES ? 9 : 8);
}

static void append_resource(struct gk_buf *out, const struct gk_request *request)
{
    gk_buf_printf(out, "/blob/%s/%s", request->account_name, request->container);
    if (strcmp(gk_sas_field(request, "sr"), "c") != 0) {
        gk_buf_printf(out, "/%s", request->blob);
    }
    gk_buf_append_str(out, "\n");
}

const char *gk_sas_state_parameter(const char *resource)
{
    return strcmp(resource, "bs") == 0   ? "snapshot"
           : strcmp(resource, "bv") == 0 ? "versionid"
                                         : NULL;
}

/* The time of a state is signed with sr=bs and sr=bv alone, whatever the request asks for. */
static void append_state(struct gk_buf *out, const struct gk_request *request)
{
    const char *resource = gk_sas_field(request, "sr");
    const char *parameter = gk_sas_state_parameter(resource);
    gk_buf_printf(out, "%s\n%s\n", resource,
                  parameter == NULL ? "" : gk_sas_field(request, parameter));
}

static void service_string(const struct gk_request *request, int64_t version, struct gk_buf *out)
{
    static const char *const before[] = {"sp", "st", "se"};
    static const char *const access[] = {"si", "sip", "spr", "sv"};
    static const char *const headers[] = {"rscc", "rscd", "rsce", "rscl", "rsct"};
    append_fields(out, request, before, 3);
    append_resource(out, request);
    append_fields(out, request, access, 4);
    if (version >= VERSION_WITH_SR) {
        append_state(out, request);
    }
    if (version >= VERSION_WITH_SCOPES) {
        gk_buf_printf(out, "%s\n", gk_sas_field(request, "ses"));
    }
    append_fields(out, request, headers, 5);
    out->len--; /* the last line has no end */
}

/* The same for one that is signed with a user delegation key. */
static void delegation_string(const struct gk_request *request, int64_t version, struct gk_buf *out)
{
    static const char *const before[] = {"sp", "st", "se"};
    static const char *const key[] = {"skoid", "sktid", "skt", "ske", "sks", "skv"};
    static const char *const agents[] = {"saoid", "suoid", "scid"};
    static const char *const access[] = {"sip", "spr", "sv"};
    static const char *const headers[] = {"rscc", "rscd", "rsce", "rscl", "rsct"};
    append_fields(out, request, before, 3);
    append_resource(out, request);
    append_fields(out, request, key, 6);
    append_fields(out, request, agents, version >= VERSION_WITH_AGENTS ? 3 : 0);
    gk_buf_append_str(out, version >= VERSION_WITH_USERS ? "\n\n" : ""); /* none are served */
    append_fields(out, request, access, 3);
    append_state(out, request);
    if (version >= VERSION_WITH_SCOPES) {
        gk_buf_printf(out, "%s\n", gk_sas_field(request, "ses"));
    }
    gk_buf_append_str(out, version >= VERSION_WITH_REQUESTS ? "\n\n" : "");
    append_fields(out, request, headers, 5);
    out->len--; /* the last line has no end */
}

void gk_sas_text(const struct gk_request *request, enum gk_sas_kind kind, int64_t version,
                 struct gk_buf *text)
{
    if (kind == GK_SAS_OF_ACCOUNT) {
        account_string(request, version, text);
    } else if (kind == GK_SAS_DELEGATED) {
        delegation_string(request, version, text);
    } else {
        service_string(request, version, text);
    }
}
