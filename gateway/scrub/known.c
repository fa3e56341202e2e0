/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/known.h"

#include <stdlib.h>
#include <string.h>

void gk_known_init(struct gk_known *known)
{
    memset(known, 0, sizeof *known);
}

void gk_known_cleanup(struct gk_known *known)
{
    free(known->entries);
    gk_known_init(known);
}

void gk_known_reset(struct gk_known *known)
{
    known->count = 0;
    known->sorted = false;
    known->has_hidden = false;
}

enum gk_status gk_known_add(struct gk_known *known, const struct gk_id *id,
                            enum gk_known_state state)
{
    if (known->count == known->cap) {
        const size_t cap = known->cap == 0 ? 64 : 2 * known->cap;
        struct gk_known_entry *entries = reallocarray(known->entries, cap, sizeof *entries);
        if (entries == NULL) {
            return GK_E_RESOURCE;
        }
        known->entries = entries;
        known->cap = cap;
    }
    known->entries[known->count++] = (struct gk_known_entry){.id = *id, .state = state};
    known->sorted = false;
    return GK_OK;
}

static int compare(const void *a, const void *b)
{
    const struct gk_known_entry *left = a;
    const struct gk_known_entry *right = b;
    const int order = memcmp(left->id.bytes, right->id.bytes, sizeof left->id.bytes);
    return order != 0 ? order : (left->state > right->state) - (left->state < right->state);
}

/* In order, each once, with its last state. */
static void sort(struct gk_known *known)
{
    size_t kept = 0;
    if (known->count > 0) {
        qsort(known->entries, known->count, sizeof *known->entries, compare);
    }
    for (size_t i = 0; i < known->count; i++) {
        const bool same =
            kept > 0 && memcmp(known->entries[kept - 1].id.bytes, known->entries[i].id.bytes,
                               sizeof known->entries[i].id.bytes) == 0;
        kept -= same;
        known->entries[kept++] = known->entries[i];
    }
    known->count = kept;
    known->sorted = true;
}

static int compare_id(const void *key, const void *entry)
{
    return memcmp(key, ((const struct gk_known_entry *)entry)->id.bytes, sizeof(struct gk_id));
}

enum gk_known_state gk_known_find(struct gk_known *known, const struct gk_id *id)
{
    if (!known->sorted) {
        sort(known);
    }
    const struct gk_known_entry *entry =
        known->count == 0
            ? NULL
            : bsearch(id, known->entries, known->count, sizeof *known->entries, compare_id);
    if (entry != NULL) {
        return entry->state;
    }
    return known->has_hidden ? GK_KNOWN_UNDECIDED : GK_KNOWN_NOT;
}
