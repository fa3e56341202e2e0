/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/key_id.h"

#include <string.h>
#include <strings.h>

#define SCHEME      "https://"
#define KEYS        "/keys/"
#define NAME_SIGNS  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-"
#define VERSION_HEX "0123456789abcdefABCDEF"

static bool copy_part(char *out, size_t out_max, const char *from, size_t len)
{
    if (len == 0 || len >= out_max) {
        return false;
    }
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

bool gk_key_identifier_parse(const char *key_id, struct gk_key_reference *key)
{
    memset(key, 0, sizeof *key);
    if (strncasecmp(key_id, SCHEME, sizeof SCHEME - 1) != 0) {
        return false;
    }
    const char *host_end = strchr(key_id + sizeof SCHEME - 1, '/');
    if (host_end == NULL || strncmp(host_end, KEYS, sizeof KEYS - 1) != 0) {
        return false;
    }
    const char *name = host_end + sizeof KEYS - 1;
    const size_t name_len = strspn(name, NAME_SIGNS);
    if (name[name_len] != '/') {
        return false;
    }
    const char *version = name + name_len + 1;
    const size_t version_len = strspn(version, VERSION_HEX);
    return version[version_len] == '\0' &&
           copy_part(key->vault_uri, sizeof key->vault_uri, key_id, (size_t)(host_end - key_id)) &&
           copy_part(key->name, sizeof key->name, name, name_len) &&
           copy_part(key->version, sizeof key->version, version, version_len);
}

/* Vaults compare host and key names without case. */
static bool same_key(const struct gk_key_reference *a, const struct gk_key_reference *b)
{
    return strcasecmp(a->vault_uri, b->vault_uri) == 0 && strcasecmp(a->name, b->name) == 0;
}

bool gk_key_identifier_is_of(const char *key_id, const struct gk_key_reference *key)
{
    struct gk_key_reference named;
    return gk_key_identifier_parse(key_id, &named) && same_key(&named, key) &&
           (key->version[0] == '\0' || strcasecmp(named.version, key->version) == 0);
}

bool gk_key_identifier_same_key(const char *a, const char *b)
{
    struct gk_key_reference left;
    struct gk_key_reference right;
    return gk_key_identifier_parse(a, &left) && gk_key_identifier_parse(b, &right) &&
           same_key(&left, &right);
}
