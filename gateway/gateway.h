/* SPDX-License-Identifier: Apache-2.0 */
/* What every request can reach. Made by main.c, immutable while requests run, but for what is atomic. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdatomic.h>

#include "common/clock.h"
#include "gateway/accounts.h"
#include "gateway/plugin_host.h"
#include "gateway/store/store.h"

struct gk_account_job;     /* job/account_job.h */
struct gk_reaper;          /* blob/reaper.h */
struct gk_copier;          /* blob/copier.h */
struct gk_container_cache; /* blob/container_cache.h */
struct gk_hasher;          /* blob/hasher.h */
struct gk_notices;         /* notices.h */
struct gk_scrub;           /* scrub/scrub.h */
struct gk_terms_slot;      /* terms.h */

struct gk_gateway {
    struct gk_clock clock;
    struct gk_store *store;
    struct gk_plugin_host *host;
    struct gk_accounts *accounts;
    struct gk_notices *notices;
    struct gk_terms_slot *terms; /* what a reload changes */
    struct gk_reaper *reaper;
    struct gk_copier *copier;
    struct gk_container_cache *containers;
    struct gk_hasher *hasher;
    uint32_t
        inline_bytes; /* a blob of at most so many stands beside its record; GK_BESIDE_BYTES_MAX */
    uint32_t index_shards;         /* of a container that does not say how many it wants */
    uint32_t rehydrate_standard_s; /* how long an archived blob takes, by priority */
    uint32_t rehydrate_high_s;
    uint32_t
        copy_wait_bytes; /* a larger copy that cannot be shared is pending (blob/copy_pend.h) */
    struct gk_scrub *scrub;
    struct gk_account_job *reseal;
    struct gk_account_job *reencrypt;
    const char
        *blob_domain; /* host-style requests: <account>.<blob_domain>; NULL: path style only */
    const char *web_domain;          /* websites: <account>.<web_domain>; NULL: none */
    _Atomic uint32_t remote_sources; /* blob/remote_source.h, which alone uses it; 0 at first */
    uint32_t vault_deadline_ms;      /* how long a request may wait for a cold account's key */
    _Atomic uint64_t page_writer;    /* blob/page_fence.h, which alone uses it; 0 at first */
};

#endif
