/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists come in pages. A page's link to the next names, in $skiptoken, the last entry it held, so
 * that what is added or removed in between neither repeats nor hides another entry.
 */
#include <stdio.h>
#include <strings.h>

#include "common/text.h"
#include "keyvaultd/handlers.h"
#include "keyvaultd/key_find.h"
#include "keyvaultd/key_view.h"

#define PAGE_MAX 25u

struct page {
    json_t *items;
    uint64_t max;
    struct gk_buf after; /* the last entry of the page before; empty on the first */
    const char *last;    /* of this page */
    bool more;
};

static bool page_begin(struct kv_request *request, struct page *page)
{
    const char *max = kv_params_get(&request->query, "maxresults");
    const char *token = kv_params_get(&request->query, "$skiptoken");
    *page = (struct page){.max = PAGE_MAX};
    gk_buf_init(&page->after, KV_KEY_NAME_BYTES);
    if ((max != NULL &&
         (!gk_parse_u64(gk_span_str(max), PAGE_MAX, &page->max) || page->max == 0)) ||
        (token != NULL && !gk_base64url_decode(&page->after, gk_span_str(token)))) {
        kv_refuse(request, 400, "BadParameter", "", "maxresults or $skiptoken is invalid.");
        gk_buf_cleanup(&page->after);
        return false;
    }
    page->items = json_array();
    return true;
}

/* True when the entry had room. */
static bool page_add(struct page *page, json_t *item, const char *entry)
{
    if (json_array_size(page->items) == page->max) {
        page->more = true;
        json_decref(item);
        return false;
    }
    json_array_append_new(page->items, item);
    page->last = entry;
    return true;
}

static json_t *next_link(const struct kv_request *request, const struct page *page,
                         const char *path)
{
    if (!page->more || page->last == NULL) {
        return json_null();
    }
    struct gk_buf token;
    gk_buf_init(&token, 2 * KV_KEY_NAME_BYTES);
    gk_base64url_encode(&token, gk_span_str(page->last));
    const char *version = kv_params_get(&request->query, "api-version");
    json_t *link =
        json_sprintf("%s/%s?api-version=%.40s&$skiptoken=%s&maxresults=%d", request->server->origin,
                     path, version, gk_buf_str(&token), (int)page->max);
    gk_buf_cleanup(&token);
    return link;
}

static void page_end(struct kv_request *request, struct page *page, const char *path)
{
    kv_answer(
        request, 200,
        json_pack("{s:o, s:o}", "value", page->items, "nextLink", next_link(request, page, path)));
    gk_buf_cleanup(&page->after);
}

static void list_keys(struct kv_request *request, bool deleted)
{
    struct kv_server *server = request->server;
    struct page page;
    if (!page_begin(request, &page)) {
        return;
    }
    kv_store_lock(server->store, kv_server_now_s(server));
    for (size_t i = 0; i < server->store->keys_count; i++) {
        const struct kv_key *key = server->store->keys[i];
        if ((key->deleted_s != 0) != deleted ||
            strcasecmp(key->name, gk_buf_str(&page.after)) <= 0) {
            continue;
        }
        if (!page_add(&page,
                      deleted ? kv_view_deleted_item(server, key)
                              : kv_view_item(server, key, kv_key_version(key, NULL), false),
                      key->name)) {
            break;
        }
    }
    page_end(request, &page, deleted ? "deletedkeys" : "keys");
    kv_store_unlock(server->store);
}

void kv_handle_list(struct kv_request *request)
{
    list_keys(request, false);
}

void kv_handle_list_deleted(struct kv_request *request)
{
    list_keys(request, true);
}

static void list_versions(struct kv_request *request, const struct kv_key *key, struct page *page)
{
    const struct kv_version *after =
        page->after.len == 0 ? NULL : kv_key_version(key, gk_buf_str(&page->after));
    const size_t start = after == NULL ? 0 : (size_t)(after - key->versions) + 1;
    for (size_t i = start; i < key->versions_count; i++) {
        const struct kv_version *version = &key->versions[i];
        if (!page_add(page, kv_view_item(request->server, key, version, true), version->id)) {
            break;
        }
    }
    char path[KV_KEY_NAME_BYTES + 20];
    snprintf(path, sizeof path, "keys/%s/versions", key->name);
    page_end(request, page, path);
}

void kv_handle_list_versions(struct kv_request *request)
{
    struct kv_server *server = request->server;
    struct page page;
    if (!page_begin(request, &page)) {
        return;
    }
    kv_store_lock(server->store, kv_server_now_s(server));
    const struct kv_key *key = kv_find_key(request);
    if (key != NULL) {
        list_versions(request, key, &page);
    } else {
        json_decref(page.items);
        gk_buf_cleanup(&page.after);
    }
    kv_store_unlock(server->store);
}
