/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/reap.h"
#include "gateway/blob/record.h"
#include "gateway/registry.h"

#define CONTAINERS_BYTES_MAX ((size_t)256 << 20)
/* An account is made within this of its row in the registry, on any gateway's clock. */
#define CREATION_MS (60 * 60 * 1000)

struct search {
    const struct gk_reap *reap;
    gk_reap_visit_fn *visit;
    void *ctx;
    const struct gk_gateway_account *account; /* the one that is looked at */
    struct gk_buf containers;                 /* id and shards of each */
    bool stopped;
};

static bool stop(struct search *search)
{
    search->stopped = search->stopped || search->reap->stop(search->reap->stop_ctx);
    return search->stopped;
}

/* --- one account --------------------------------------------------------------------------------*/

static enum gk_status open_container(const struct search *search, struct gk_span key,
                                     struct gk_span value, struct gk_container *container,
                                     struct gk_error *error)
{
    const struct gk_place place = {.plugin = search->reap->gateway->host->plugin,
                                   .account = search->account->handle,
                                   .kind = GK_VALUE_CONTAINER,
                                   .container = search->account->id,
                                   .key = key};
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, error);
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), container, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

static bool collect_container(void *ctx, struct gk_span key, struct gk_span value)
{
    struct search *search = ctx;
    struct gk_container container;
    struct gk_error error = {0};
    if (open_container(search, key, value, &container, &error) == GK_OK) {
        gk_buf_append(&search->containers, container.id.bytes, sizeof container.id.bytes);
        gk_buf_append_u32(&search->containers, container.shards);
        gk_container_cleanup(&container);
    } else {
        gk_log(GK_LOG_ERROR, "reaper", "account %s has a container that cannot be read: %s",
               search->account->name, error.message);
    }
    return gk_buf_status(&search->containers) == GK_OK && !stop(search);
}

static enum gk_status collect_containers(struct search *search, const char *kind,
                                         struct gk_error *error)
{
    const struct gk_map_range range = {.prefix = gk_span_str(kind)};
    return gk_store_map_walk(search->reap->gateway->store, GK_POOL_META, search->account->object,
                             &range, collect_container, search, error);
}

/* When the walk is over: it holds a reader of the store. */
static void visit_containers(struct search *search)
{
    struct gk_reap_place place = {.of_account = false};
    snprintf(place.account, sizeof place.account, "%s", search->account->name);
    struct gk_reader in = gk_reader_of(gk_buf_span(&search->containers));
    while (in.rest.len > 0) {
        memcpy(place.container.bytes, gk_read_span(&in, sizeof place.container.bytes).data,
               sizeof place.container.bytes);
        const uint32_t shards = gk_read_u32(&in);
        for (place.shard = 0; place.shard < shards && !stop(search); place.shard++) {
            search->visit(search->ctx, &place);
        }
    }
}

static void search_account(struct search *search)
{
    struct gk_error error = {0};
    struct gk_reap_place own = {.of_account = true};
    snprintf(own.account, sizeof own.account, "%s", search->account->name);
    search->visit(search->ctx, &own);
    gk_buf_init(&search->containers, CONTAINERS_BYTES_MAX);
    enum gk_status status = collect_containers(search, "c/", &error);
    if (status == GK_OK) {
        status = collect_containers(search, GK_KEPT_CONTAINER_KIND, &error);
    }
    if (status == GK_OK && gk_buf_status(&search->containers) != GK_OK) {
        status = gk_fail(&error, GK_E_RESOURCE, "they do not fit into memory");
    }
    if (status != GK_OK && status != GK_E_NOT_FOUND) {
        gk_log(GK_LOG_WARNING, "reaper", "account %s: its containers cannot be listed: %s",
               search->account->name, error.message);
    }
    visit_containers(search);
    gk_buf_cleanup(&search->containers);
}

/* --- all ----------------------------------------------------------------------------------------*/

/* The row of an account that was deleted, or that was never made; not of one that is being made. */
static void drop_stale(const struct gk_gateway *gateway, const struct gk_registry_row *row,
                       const char *name)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    struct gk_store_stat stat;
    struct gk_error error = {0};
    const int64_t age_ms = gk_clock_wall_ms(&gateway->clock) - row->written_wall_ms;
    if (age_ms < CREATION_MS || gk_account_object(name, object, &error) != GK_OK ||
        gk_store_stat(gateway->store, GK_POOL_META, object, &stat, &error) != GK_E_NOT_FOUND) {
        return;
    }
    const enum gk_status status = gk_registry_remove_row(gateway->store, row, &error);
    if (status != GK_OK && status != GK_E_CONFLICT) {
        gk_log(GK_LOG_WARNING, "reaper", "account %s is gone and still listed: %s", name,
               error.message);
    }
}

static bool search_row(void *ctx, const struct gk_registry_row *row)
{
    struct search *search = ctx;
    const struct gk_gateway *gateway = search->reap->gateway;
    struct gk_gateway_account *account = NULL;
    struct gk_error error = {0};
    char name[GK_ACCOUNT_NAME_BYTES_MAX] = "";
    if (row->name.len >= sizeof name) {
        return true;
    }
    memcpy(name, row->name.data, row->name.len);
    const enum gk_status status = gk_accounts_look(gateway->accounts, name, &account, &error);
    if (status == GK_OK) {
        search->account = account;
        search_account(search);
        gk_accounts_put(account);
    } else if (status == GK_E_NOT_FOUND) { /* or half created */
        drop_stale(gateway, row, name);
    } else {
        gk_log(GK_LOG_WARNING, "reaper", "account %s cannot be looked at: %s", name, error.message);
    }
    return !stop(search);
}

enum gk_status gk_reap_search(const struct gk_reap *reap, gk_reap_visit_fn *visit, void *ctx,
                              struct gk_error *error)
{
    struct search search = {.reap = reap, .visit = visit, .ctx = ctx};
    const enum gk_status status = gk_registry_list(reap->gateway->store, GK_REGISTRY_ACCOUNT,
                                                   gk_span_of(NULL, 0), search_row, &search, error);
    return status == GK_OK && search.stopped ? gk_fail(error, GK_E_UNAVAILABLE, "broken off")
                                             : status;
}
