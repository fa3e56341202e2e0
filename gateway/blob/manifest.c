/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/manifest.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/changes.h"

struct gk_manifest_walk {
    struct gk_store *store;
    char index[GK_INDEX_NAME_BYTES];
    struct gk_place place; /* of a page; its key is set for each */
    struct gk_id id;
    uint32_t pages_count; /* 0: entries is all there is */
    uint32_t next_page;
    uint64_t page_bytes[GK_MANIFEST_PAGES_MAX];
    struct gk_manifest_entry *entries;
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

static enum gk_status load_page(struct gk_manifest_walk *walk, struct gk_error *error)
{
    free(walk->entries);
    walk->entries = NULL;
    walk->entries_count = 0;
    walk->next = 0;
    struct gk_buf key;
    struct gk_buf value;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_buf_init(&open, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_manifest_key(&key, &walk->id, walk->next_page);
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
    if (status == GK_OK &&
        bytes_of(walk->entries, walk->entries_count) != walk->page_bytes[walk->next_page]) {
        status = gk_fail(error, GK_E_INTEGRITY, "a page of a manifest is not its blob's in %s",
                         walk->index);
    }
    walk->next_page++;
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
    return status;
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
    if (manifest->paged) {
        walk->id = manifest->id;
        walk->pages_count = manifest->pages_count;
        memcpy(walk->page_bytes, manifest->page_bytes, sizeof walk->page_bytes);
    } else if (manifest->entries_count > 0) {
        walk->entries = calloc(manifest->entries_count, sizeof *walk->entries);
        if (walk->entries == NULL) {
            free(walk);
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        memcpy(walk->entries, manifest->entries, manifest->entries_count * sizeof *walk->entries);
        walk->entries_count = manifest->entries_count;
    }
    *out = walk;
    return GK_OK;
}

void gk_manifest_walk_free(struct gk_manifest_walk *walk)
{
    if (walk != NULL) {
        free(walk->entries);
        free(walk);
    }
}

enum gk_status gk_manifest_walk_next(struct gk_manifest_walk *walk, struct gk_manifest_entry *entry,
                                     struct gk_error *error)
{
    while (walk->next == walk->entries_count) {
        if (walk->next_page >= walk->pages_count) {
            return gk_fail(error, GK_E_NOT_FOUND, "the end of a manifest");
        }
        const enum gk_status status = load_page(walk, error);
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
    while (walk->next_page < walk->pages_count && offset >= walk->page_bytes[walk->next_page]) {
        offset -= walk->page_bytes[walk->next_page++];
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

static enum gk_status make_page(const struct gk_place *place, const struct gk_manifest *manifest,
                                const struct gk_manifest_entry *entries, uint32_t count,
                                struct gk_change_list *changes, struct gk_error *error)
{
    struct gk_place at = *place;
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_buf_init(&value, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_manifest_key(&key, &manifest->id, manifest->pages_count);
    gk_manifest_page_encode(entries, count, &open);
    at.key = gk_buf_span(&key);
    const enum gk_status status =
        gk_value_seal(&at, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        gk_changes_set(changes, &key, &value);
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
    manifest->paged = true;
    if (!gk_id_random(&manifest->id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a new manifest");
    }
    for (uint32_t at = 0; at < count; at += GK_MANIFEST_PAGE_ENTRIES) {
        const uint32_t left = count - at;
        const uint32_t here = left < GK_MANIFEST_PAGE_ENTRIES ? left : GK_MANIFEST_PAGE_ENTRIES;
        const enum gk_status status =
            make_page(&place, manifest, entries + at, here, changes, error);
        if (status != GK_OK) {
            return status;
        }
        manifest->page_bytes[manifest->pages_count++] = bytes_of(entries + at, here);
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
