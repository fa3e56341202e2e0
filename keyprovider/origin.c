/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "common/text.h"

#define HTTPS_PORT 443u
#define HTTP_PORT  80u

#define DIGITS     "0123456789"
#define LETTERS    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define HOST_SIGNS DIGITS LETTERS "-."
#define NAME_SIGNS DIGITS LETTERS "-"
#define HEX_SIGNS  DIGITS "abcdefABCDEF"

static bool take_prefix(struct gk_span *text, const char *prefix)
{
    const size_t len = strlen(prefix);
    if (text->len < len || strncasecmp((const char *)text->data, prefix, len) != 0) {
        return false;
    }
    *text = gk_span_of(text->data + len, text->len - len);
    return true;
}

static size_t span_of_signs(struct gk_span text, const char *signs)
{
    size_t len = 0;
    while (len < text.len && text.data[len] != '\0' && strchr(signs, text.data[len]) != NULL) {
        len++;
    }
    return len;
}

static bool take_host(struct gk_span *text, char host[GK_VAULT_URI_BYTES_MAX])
{
    const bool bracket = take_prefix(text, "[");
    const size_t len = span_of_signs(*text, bracket ? HEX_SIGNS ":" : HOST_SIGNS);
    if (len == 0 || len >= GK_VAULT_URI_BYTES_MAX || text->data[0] == '.' || text->data[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const uint8_t sign = text->data[i];
        host[i] = (char)(sign >= 'A' && sign <= 'Z' ? sign - 'A' + 'a' : sign);
    }
    host[len] = '\0';
    *text = gk_span_of(text->data + len, text->len - len);
    return !bracket || take_prefix(text, "]");
}

static bool take_port(struct gk_span *text, uint16_t *port)
{
    if (!take_prefix(text, ":")) {
        return true;
    }
    const size_t len = span_of_signs(*text, DIGITS);
    uint64_t number = 0;
    if (!gk_parse_u64(gk_span_of(text->data, len), UINT16_MAX, &number) || number == 0) {
        return false;
    }
    *port = (uint16_t)number;
    *text = gk_span_of(text->data + len, text->len - len);
    return true;
}

bool gk_kv_origin_parse(struct gk_span text, struct gk_kv_origin *origin, struct gk_span *rest)
{
    *origin = (struct gk_kv_origin){0};
    origin->https = take_prefix(&text, "https://");
    origin->port = origin->https ? HTTPS_PORT : HTTP_PORT;
    if ((!origin->https && !take_prefix(&text, "http://")) || !take_host(&text, origin->host) ||
        !take_port(&text, &origin->port) ||
        (text.len > 0 && (rest == NULL || strchr("/?#", text.data[0]) == NULL))) {
        *origin = (struct gk_kv_origin){0};
        return false;
    }
    if (rest != NULL) {
        *rest = text;
    }
    return true;
}

bool gk_kv_origin_equal(const struct gk_kv_origin *a, const struct gk_kv_origin *b)
{
    return a->https == b->https && a->port == b->port && a->host[0] != '\0' &&
           strcmp(a->host, b->host) == 0;
}

bool gk_kv_origin_is_local(const struct gk_kv_origin *origin)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, origin->host, &four) == 1) {
        const uint32_t address = ntohl(four.s_addr);
        return address >> 24 == 127 || address >> 16 == (169u << 8 | 254u);
    }
    if (inet_pton(AF_INET6, origin->host, &six) == 1) {
        return IN6_IS_ADDR_LOOPBACK(&six);
    }
    return strcmp(origin->host, "localhost") == 0;
}

struct domain {
    const char *resource;
    const char *authority;
};

static const struct domain *find_domain(const struct gk_kv_origin *origin)
{
    static const struct domain domains[] = {
        {"https://vault.azure.net", "https://login.microsoftonline.com"},
        {"https://managedhsm.azure.net", "https://login.microsoftonline.com"},
        {"https://vault.azure.cn", "https://login.chinacloudapi.cn"},
        {"https://managedhsm.azure.cn", "https://login.chinacloudapi.cn"},
        {"https://vault.usgovcloudapi.net", "https://login.microsoftonline.us"},
        {"https://managedhsm.usgovcloudapi.net", "https://login.microsoftonline.us"},
    };
    const size_t scheme_len = strlen("https://");
    const size_t label_len = strcspn(origin->host, ".");
    if (!origin->https || origin->port != HTTPS_PORT || label_len == 0 ||
        origin->host[label_len] == '\0') {
        return NULL;
    }
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        if (strcmp(origin->host + label_len + 1, domains[i].resource + scheme_len) == 0) {
            return &domains[i];
        }
    }
    return NULL;
}

const char *gk_kv_origin_known_resource(const struct gk_kv_origin *origin)
{
    const struct domain *domain = find_domain(origin);
    return domain == NULL ? NULL : domain->resource;
}

const char *gk_kv_origin_known_authority(const struct gk_kv_origin *origin)
{
    const struct domain *domain = find_domain(origin);
    return domain == NULL ? NULL : domain->authority;
}

bool gk_kv_key_name_is_good(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && len < GK_KEY_NAME_BYTES_MAX && strspn(name, NAME_SIGNS) == len;
}

bool gk_kv_key_version_is_good(const char *version)
{
    const size_t len = strlen(version);
    return len == GK_KEY_VERSION_BYTES_MAX - 1 && strspn(version, HEX_SIGNS) == len;
}

bool gk_kv_key_id_matches(const char *key_id, const struct gk_key_reference *asked,
                          char version[GK_KEY_VERSION_BYTES_MAX])
{
    struct gk_kv_origin answered;
    struct gk_kv_origin wanted;
    struct gk_span rest;
    version[0] = '\0';
    if (!gk_kv_origin_parse(gk_span_str(key_id), &answered, &rest) ||
        !gk_kv_origin_parse(gk_span_str(asked->vault_uri), &wanted, NULL) ||
        !gk_kv_origin_equal(&answered, &wanted) || !take_prefix(&rest, "/keys/") ||
        !take_prefix(&rest, asked->name) || !take_prefix(&rest, "/") ||
        rest.len != GK_KEY_VERSION_BYTES_MAX - 1 || span_of_signs(rest, HEX_SIGNS) != rest.len ||
        (asked->version[0] != '\0' &&
         strncasecmp((const char *)rest.data, asked->version, GK_KEY_VERSION_BYTES_MAX) != 0)) {
        return false;
    }
    memcpy(version, rest.data, rest.len);
    version[rest.len] = '\0';
    return true;
}
