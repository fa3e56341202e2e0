/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy_hosts.h"

#include <strings.h>

#include "common/text.h"

#define HTTPS_PORT 443u

static bool split_authority(const char *authority, struct gk_span *name, uint64_t *port)
{
    const size_t len = strcspn(authority, ":");
    *name = gk_span_of(authority, len);
    *port = HTTPS_PORT;
    return authority[len] == '\0' ||
           gk_parse_u64(gk_span_str(authority + len + 1), UINT16_MAX, port);
}

static bool matches(const char *pattern, struct gk_span name)
{
    const bool below = pattern[0] == '*';
    const char *tail = below ? pattern + 1 : pattern; /* with its dot */
    const size_t len = strlen(tail);
    return (below ? name.len > len : name.len == len) &&
           strncasecmp((const char *)name.data + (name.len - len), tail, len) == 0;
}

const struct gk_copy_host *gk_copy_host_find(const struct gk_copy_host *hosts, size_t count,
                                             const char *authority)
{
    struct gk_span name;
    uint64_t port = 0;
    if (!split_authority(authority, &name, &port)) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (hosts[i].port == port && matches(hosts[i].name, name)) {
            return &hosts[i];
        }
    }
    return NULL;
}
