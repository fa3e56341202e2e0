/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/places.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define LEAST 64u

struct gk_places_node {
    struct gk_reap_place place;
    size_t bucket_hash;
    size_t at;                   /* in the heap */
    struct gk_places_node *next; /* in its bucket */
};

void gk_places_init(struct gk_places *places)
{
    memset(places, 0, sizeof *places);
}

void gk_places_cleanup(struct gk_places *places)
{
    for (size_t i = 0; i < places->count; i++) {
        free(places->heap[i]);
    }
    free(places->heap);
    free(places->buckets);
    gk_places_init(places);
}

/* --- which place it is --------------------------------------------------------------------------*/

static uint32_t mix(uint32_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ at[i]) * 16777619u; /* FNV-1a */
    }
    return hash;
}

static size_t hash_of(const struct gk_reap_place *place)
{
    uint32_t hash = mix(2166136261u, place->account, strlen(place->account));
    hash = mix(hash, place->container.bytes, sizeof place->container.bytes);
    return mix(hash, &place->shard, sizeof place->shard);
}

static bool is_same(const struct gk_reap_place *a, const struct gk_reap_place *b)
{
    return a->of_account == b->of_account && a->shard == b->shard &&
           strcmp(a->account, b->account) == 0 && gk_id_equal(&a->container, &b->container);
}

static struct gk_places_node **bucket(const struct gk_places *places, size_t hash)
{
    return &places->buckets[hash & (places->buckets_count - 1)];
}

static struct gk_places_node *find(const struct gk_places *places,
                                   const struct gk_reap_place *place, size_t hash)
{
    struct gk_places_node *node = places->buckets_count == 0 ? NULL : *bucket(places, hash);
    while (node != NULL && !is_same(&node->place, place)) {
        node = node->next;
    }
    return node;
}

static void link_node(struct gk_places *places, struct gk_places_node *node)
{
    struct gk_places_node **head = bucket(places, node->bucket_hash);
    node->next = *head;
    *head = node;
}

static void unlink_node(struct gk_places *places, struct gk_places_node *node)
{
    struct gk_places_node **link = bucket(places, node->bucket_hash);
    while (*link != node) {
        link = &(*link)->next;
    }
    *link = node->next;
}

/* --- which one is due first ---------------------------------------------------------------------*/

static bool sooner(const struct gk_places *places, size_t a, size_t b)
{
    return places->heap[a]->place.due_mono_ms < places->heap[b]->place.due_mono_ms;
}

static void swap(struct gk_places *places, size_t a, size_t b)
{
    struct gk_places_node *node = places->heap[a];
    places->heap[a] = places->heap[b];
    places->heap[b] = node;
    places->heap[a]->at = a;
    places->heap[b]->at = b;
}

static void rise(struct gk_places *places, size_t at)
{
    while (at > 0 && sooner(places, at, (at - 1) / 2)) {
        swap(places, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

static void sink(struct gk_places *places, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < places->count; child++) {
            least = sooner(places, child, least) ? child : least;
        }
        if (least == at) {
            return;
        }
        swap(places, at, least);
        at = least;
    }
}

/* --- the set ------------------------------------------------------------------------------------*/

/* Room for one more, with a bucket for each. */
static bool grow(struct gk_places *places)
{
    if (places->count < places->cap) {
        return true;
    }
    const size_t cap = places->cap == 0 ? LEAST : 2 * places->cap;
    struct gk_places_node **heap = reallocarray(places->heap, cap, sizeof(struct gk_places_node *));
    if (heap == NULL) {
        return false;
    }
    places->heap = heap;
    struct gk_places_node **buckets = calloc(cap, sizeof(struct gk_places_node *));
    if (buckets == NULL) {
        return false;
    }
    free(places->buckets);
    places->buckets = buckets;
    places->buckets_count = cap;
    places->cap = cap;
    for (size_t i = 0; i < places->count; i++) {
        link_node(places, places->heap[i]);
    }
    return true;
}

enum gk_status gk_places_add(struct gk_places *places, const struct gk_reap_place *place)
{
    const size_t hash = hash_of(place);
    struct gk_places_node *node = find(places, place, hash);
    if (node != NULL) {
        if (place->due_mono_ms < node->place.due_mono_ms) {
            node->place.due_mono_ms = place->due_mono_ms;
            rise(places, node->at);
        }
        return GK_OK;
    }
    node = calloc(1, sizeof *node);
    if (node == NULL || !grow(places)) {
        free(node);
        return GK_E_RESOURCE;
    }
    node->place = *place;
    node->bucket_hash = hash;
    link_node(places, node);
    node->at = places->count;
    places->heap[places->count++] = node;
    rise(places, places->count - 1);
    return GK_OK;
}

bool gk_places_take(struct gk_places *places, int64_t now_mono_ms, struct gk_reap_place *out,
                    int64_t *wait_ms)
{
    *wait_ms = -1;
    if (places->count == 0) {
        return false;
    }
    struct gk_places_node *node = places->heap[0];
    if (node->place.due_mono_ms > now_mono_ms) {
        *wait_ms = node->place.due_mono_ms - now_mono_ms;
        return false;
    }
    unlink_node(places, node);
    places->heap[0] = places->heap[--places->count];
    places->heap[0]->at = 0;
    sink(places, 0);
    *out = node->place;
    free(node);
    return true;
}
