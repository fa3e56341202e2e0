/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/challenge.h"

#include <string.h>
#include <strings.h>

#include "keyprovider/origin.h"

#define SCHEME        "Bearer "
#define DEFAULT_SCOPE "/.default"
#define NAME_SIGNS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

struct parameter {
    struct gk_span name;
    struct gk_span value;
};

/* name="value" or name=value; false at the end or at what is neither. */
static bool next_parameter(const char **at, struct parameter *parameter)
{
    const char *text = *at + strspn(*at, " \t,");
    const size_t name_len = strspn(text, NAME_SIGNS);
    if (name_len == 0 || text[name_len] != '=') {
        return false;
    }
    parameter->name = gk_span_of(text, name_len);
    text += name_len + 1;
    const bool quoted = *text == '"';
    text += quoted ? 1 : 0;
    const size_t value_len = strcspn(text, quoted ? "\"" : " \t,");
    parameter->value = gk_span_of(text, value_len);
    if (quoted && text[value_len] != '"') {
        return false;
    }
    *at = text + value_len + (quoted ? 1 : 0);
    return true;
}

static bool is_named(const struct parameter *parameter, const char *name)
{
    return parameter->name.len == strlen(name) &&
           strncasecmp((const char *)parameter->name.data, name, parameter->name.len) == 0;
}

/* Said twice is said wrong. */
static bool set_once(char out[256], struct gk_span value)
{
    if (out[0] != '\0' || value.len == 0 || value.len >= 256) {
        return false;
    }
    memcpy(out, value.data, value.len);
    out[value.len] = '\0';
    return true;
}

static void drop_default_scope(char *resource)
{
    const size_t len = strlen(resource);
    const size_t tail = sizeof DEFAULT_SCOPE - 1;
    if (len > tail && strcmp(resource + len - tail, DEFAULT_SCOPE) == 0) {
        resource[len - tail] = '\0';
    }
}

bool gk_kv_challenge_parse(const char *header, struct gk_kv_challenge *challenge)
{
    char scope[256] = "";
    struct parameter parameter;
    *challenge = (struct gk_kv_challenge){0};
    if (strncasecmp(header, SCHEME, sizeof SCHEME - 1) != 0) {
        return false;
    }
    const char *at = header + sizeof SCHEME - 1;
    while (next_parameter(&at, &parameter)) {
        char *out =
            is_named(&parameter, "authorization") || is_named(&parameter, "authorization_uri")
                ? challenge->authority
            : is_named(&parameter, "resource") ? challenge->resource
            : is_named(&parameter, "scope")    ? scope
                                               : NULL;
        if (out != NULL && !set_once(out, parameter.value)) {
            return false;
        }
    }
    if (challenge->resource[0] == '\0') {
        drop_default_scope(scope);
        memcpy(challenge->resource, scope, sizeof scope);
    }
    return challenge->authority[0] != '\0' && challenge->resource[0] != '\0';
}

bool gk_kv_challenge_agrees(const struct gk_kv_challenge *challenge, const char *resource,
                            const char *authority)
{
    struct gk_kv_origin named;
    struct gk_kv_origin ours;
    struct gk_span rest;
    if (strcmp(challenge->resource, resource) != 0 ||
        !gk_kv_origin_parse(gk_span_str(challenge->authority), &named, &rest) || !named.https) {
        return false;
    }
    return authority == NULL || (gk_kv_origin_parse(gk_span_str(authority), &ours, &rest) &&
                                 gk_kv_origin_equal(&named, &ours));
}

bool gk_kv_challenge_tenant(const struct gk_kv_challenge *challenge,
                            char tenant_id[GK_KV_TENANT_BYTES_MAX])
{
    struct gk_kv_origin origin;
    struct gk_span path;
    if (!gk_kv_origin_parse(gk_span_str(challenge->authority), &origin, &path) || path.len < 2 ||
        path.data[0] != '/') {
        return false;
    }
    /* The path ends with the text, which ends in a NUL. */
    const char *tenant = (const char *)path.data + 1;
    const size_t len = strspn(tenant, GK_KV_TENANT_SIGNS);
    if (len == 0 || len >= GK_KV_TENANT_BYTES_MAX || (tenant[len] != '\0' && tenant[len] != '/') ||
        tenant[0] == '.') {
        return false;
    }
    memcpy(tenant_id, tenant, len);
    tenant_id[len] = '\0';
    return true;
}
