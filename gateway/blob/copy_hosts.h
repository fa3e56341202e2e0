/* SPDX-License-Identifier: Apache-2.0 */
/* Which other hosts may be copied from: those that the setting blob.copy_sources lists. Pure. */
#ifndef GATEWAY_BLOB_COPY_HOSTS_H
#define GATEWAY_BLOB_COPY_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GK_COPY_HOSTS_MAX 64u

/* One of them, as it is configured. */
struct gk_copy_host {
    const char *name; /* in lower case; "*.example" is every name below example */
    uint32_t port;
    const char *ca_file; /* what its certificate is checked with; NULL: the system's */
    bool
        allow_private; /* it may stand on a private network or on this machine (common/address.h) */
    uint32_t timeout_s; /* how long it may take to be connected, and to be slow */
};

/* Of count hosts the first that holds a URL's authority, "name" or "name:port" with 443 for none; NULL:
 * none. The authority is of letters, digits, '.', '-', '_', ':' and brackets alone. */
const struct gk_copy_host *gk_copy_host_find(const struct gk_copy_host *hosts, size_t count,
                                             const char *authority);

#endif
