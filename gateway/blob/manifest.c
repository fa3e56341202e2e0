/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/manifest.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/changes.h"

struct gk_manifest_walk {
    struct gk_store *store;
    char index[GK_INDEX_NAME_BYTES];
    struct gk_place place; /* of a page; its key is set for each */
    struct gk_id id;
    struct gk_manifest_page *pages;
    uint32_t pages_count;
    uint32_t next_page;
    struct gk_manifest_entry *tail; /* what comes after the pages; NULL once it is at hand */
    uint32_t tail_count;
    struct gk_manifest_entry *entries; /* at hand */
    uint32_t entries_count;
    uint32_t next;
};

static uint64_t bytes_of(const struct gk_manifest_entry *entries, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += entries[i].length;
    }
    return bytes;
}

static void pass_entries(struct gk_manifest_walk *walk)
{
    free(walk->entries);
    walk->entries = NULL;
    walk->entries_count = 0;
    walk->next = 0;
}

static void load_tail(struct gk_manifest_walk *walk)
{
    pass_entries(walk);
    walk->entries = walk->tail;
    walk->entries_count = walk->tail_count;
    walk->tail = NULL;
    walk->tail_count = 0;
}

static enum gk_status load_page(struct gk_manifest_walk *walk, struct gk_error *error)
{
    const struct gk_manifest_page *page = &walk->pages[walk->next_page];
    struct gk_buf key;
    struct gk_buf value;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_buf_init(&open, GK_MANIFEST_PAGE_BYTES_MAX);
    pass_entries(walk);
    gk_manifest_key(&key, &walk->id, page->number);
    enum gk_status status =
        gk_value_get(walk->store, walk->index, gk_buf_span(&key), &value, error);
    if (status == GK_E_NOT_FOUND) {
        status =
            gk_fail(error, GK_E_INTEGRITY, "a page of a manifest is missing in %s", walk->index);
    }
    if (status == GK_OK) {
        walk->place.key = gk_buf_span(&key);
        status = gk_value_open(&walk->place, gk_buf_span(&value), &open, error);
    }
    if (status == GK_OK) {
        status = gk_manifest_page_decode(gk_buf_span(&open), &walk->entries, &walk->entries_count,
                                         error);
    }
    if (status == GK_OK && bytes_of(walk->entries, walk->entries_count) != page->bytes) {
        status = gk_fail(error, GK_E_INTEGRITY, "a page of a manifest is not its blob's in %s",
                         walk->index);
    }
    walk->next_page++;
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
    return status;
}

/* Owned by the caller; NULL for nothing, and when memory is out. */
static void *copy(const void *items, uint32_t count, size_t bytes)
{
    void *copied = count == 0 ? NULL : calloc(count, bytes);
    if (copied != NULL) {
        memcpy(copied, items, count * bytes);
    }
    return copied;
}

enum gk_status gk_manifest_walk_new(struct gk_store *store, const struct gk_plugin *plugin,
                                    struct gk_account *account, const struct gk_blob_target *target,
                                    struct gk_manifest_walk **out, struct gk_error *error)
{
    const struct gk_manifest *manifest = &target->record.manifest;
    struct gk_manifest_walk *walk = calloc(1, sizeof *walk);
    *out = NULL;
    if (walk == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    walk->store = store;
    memcpy(walk->index, target->index, sizeof walk->index);
    walk->place = (struct gk_place){.plugin = plugin,
                                    .account = account,
                                    .kind = GK_VALUE_MANIFEST,
                                    .container = target->container};
    walk->id = manifest->id;
    walk->pages_count = manifest->pages_count;
    walk->tail_count = manifest->entries_count;
    walk->pages = copy(manifest->pages, manifest->pages_count, sizeof *walk->pages);
    walk->tail = copy(manifest->entries, manifest->entries_count, sizeof *walk->tail);
    if ((walk->pages == NULL && walk->pages_count > 0) ||
        (walk->tail == NULL && walk->tail_count > 0)) {
        gk_manifest_walk_free(walk);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    *out = walk;
    return GK_OK;
}

void gk_manifest_walk_free(struct gk_manifest_walk *walk)
{
    if (walk != NULL) {
        free(walk->pages);
        free(walk->tail);
        free(walk->entries);
        free(walk);
    }
}

enum gk_status gk_manifest_walk_next(struct gk_manifest_walk *walk, struct gk_manifest_entry *entry,
                                     struct gk_error *error)
{
    while (walk->next == walk->entries_count) {
        enum gk_status status = GK_OK;
        if (walk->next_page < walk->pages_count) {
            status = load_page(walk, error);
        } else if (walk->tail_count > 0) {
            load_tail(walk);
        } else {
            status = gk_fail(error, GK_E_NOT_FOUND, "the end of a manifest");
        }
        if (status != GK_OK) {
            return status;
        }
    }
    *entry = walk->entries[walk->next++];
    return GK_OK;
}

enum gk_status gk_manifest_walk_seek(struct gk_manifest_walk *walk, uint64_t offset,
                                     struct gk_manifest_entry *entry, uint64_t *within,
                                     struct gk_error *error)
{
    while (walk->next_page < walk->pages_count && offset >= walk->pages[walk->next_page].bytes) {
        offset -= walk->pages[walk->next_page++].bytes;
    }
    for (;;) {
        enum gk_status status = gk_manifest_walk_next(walk, entry, error);
        if (status == GK_E_NOT_FOUND) {
            status = gk_fail(error, GK_E_INTEGRITY, "a manifest is shorter than its blob");
        }
        if (status != GK_OK || offset < entry->length) {
            *within = offset;
            return status;
        }
        offset -= entry->length;
    }
}

/* --- making ---------------------------------------------------------------------------------------*/

/* manifest->pages has room for another. */
static enum gk_status make_page(const struct gk_place *place, struct gk_manifest *manifest,
                                uint32_t number, const struct gk_manifest_entry *entries,
                                uint32_t count, struct gk_change_list *changes,
                                struct gk_error *error)
{
    struct gk_place at = *place;
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_buf_init(&value, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_manifest_key(&key, &manifest->id, number);
    gk_manifest_page_encode(entries, count, &open);
    at.key = gk_buf_span(&key);
    const enum gk_status status =
        gk_value_seal(&at, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        gk_changes_set(changes, &key, &value);
        manifest->pages[manifest->pages_count++] =
            (struct gk_manifest_page){.number = number, .bytes = bytes_of(entries, count)};
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&value);
    return status;
}

static enum gk_status make_pages(const struct gk_request *request, const struct gk_id *container,
                                 const struct gk_manifest_entry *entries, uint32_t count,
                                 struct gk_manifest *manifest, struct gk_change_list *changes,
                                 struct gk_error *error)
{
    const struct gk_place place =
        gk_index_place(request, container, GK_VALUE_MANIFEST, (struct gk_span){0});
    const uint32_t pages = (count + GK_MANIFEST_PAGE_ENTRIES - 1) / GK_MANIFEST_PAGE_ENTRIES;
    manifest->paged = true;
    manifest->pages = calloc(pages, sizeof *manifest->pages);
    if (manifest->pages == NULL || !gk_id_random(&manifest->id)) {
        return gk_fail(error, GK_E_RESOURCE, "no memory or no entropy for a new manifest");
    }
    for (uint32_t at = 0; at < count; at += GK_MANIFEST_PAGE_ENTRIES) {
        const uint32_t left = count - at;
        const uint32_t here = left < GK_MANIFEST_PAGE_ENTRIES ? left : GK_MANIFEST_PAGE_ENTRIES;
        const enum gk_status status =
            make_page(&place, manifest, manifest->pages_count, entries + at, here, changes, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return GK_OK;
}

enum gk_status gk_manifest_make(const struct gk_request *request, const struct gk_id *container,
                                const struct gk_manifest_entry *entries, uint32_t count,
                                struct gk_manifest *manifest, struct gk_change_list *changes,
                                struct gk_error *error)
{
    memset(manifest, 0, sizeof *manifest);
    if (count > GK_MANIFEST_INLINE_MAX) {
        return make_pages(request, container, entries, count, manifest, changes, error);
    }
    if (count > 0) {
        manifest->entries = calloc(count, sizeof *manifest->entries);
        if (manifest->entries == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        memcpy(manifest->entries, entries, count * sizeof *entries);
        manifest->entries_count = count;
    }
    return GK_OK;
}

/* --- adding ---------------------------------------------------------------------------------------*/

/* The entries beside the pages become another page. Its number is a random one: two records that go on
 * from one state write two pages. */
static enum gk_status end_page(const struct gk_request *request, const struct gk_id *container,
                               struct gk_manifest *manifest, struct gk_change_list *changes,
                               struct gk_buf *page_key, struct gk_error *error)
{
    const struct gk_place place =
        gk_index_place(request, container, GK_VALUE_MANIFEST, (struct gk_span){0});
    uint32_t number = 0;
    struct gk_manifest_page *pages =
        reallocarray(manifest->pages, manifest->pages_count + 1u, sizeof *pages);
    if (pages == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    manifest->pages = pages;
    if (!gk_random(&number, sizeof number) || (!manifest->paged && !gk_id_random(&manifest->id))) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a page of a manifest");
    }
    manifest->paged = true;
    const enum gk_status status = make_page(&place, manifest, number, manifest->entries,
                                            manifest->entries_count, changes, error);
    if (status == GK_OK) {
        gk_manifest_key(page_key, &manifest->id, number);
        manifest->entries_count = 0;
    }
    return status;
}

enum gk_status gk_manifest_append(const struct gk_request *request, const struct gk_id *container,
                                  const struct gk_manifest_entry *entry,
                                  struct gk_manifest *manifest, struct gk_change_list *changes,
                                  struct gk_buf *page_key, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    if (manifest->entries_count == GK_MANIFEST_INLINE_MAX) {
        status = end_page(request, container, manifest, changes, page_key, error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_manifest_entry *entries =
        reallocarray(manifest->entries, manifest->entries_count + 1u, sizeof *entries);
    if (entries == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    manifest->entries = entries;
    manifest->entries[manifest->entries_count++] = *entry;
    return GK_OK;
}
