/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/lookup.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define LOOKUPS_MAX 16u

struct gk_kv_lookup {
    struct gk_kv_task task;
    struct gk_kv_lookup *next;
    struct gk_kv_lookups *owner;
    pthread_t thread;
    char host[GK_VAULT_URI_BYTES_MAX];
    char witness[GK_VAULT_URI_BYTES_MAX];
    bool gone;                  /* written by the thread, read once it has posted or is joined */
    gk_kv_lookup_done_fn *done; /* NULL: nobody waits any more */
    void *ctx;
};

static int look_up(const char *host)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    const int result = getaddrinfo(host, NULL, &hints, &found);
    if (result == 0) {
        freeaddrinfo(found);
    }
    return result;
}

static void *resolve(void *ctx)
{
    struct gk_kv_lookup *lookup = ctx;
    lookup->gone = look_up(lookup->host) == EAI_NONAME &&
                   (lookup->witness[0] == '\0' || look_up(lookup->witness) == 0);
    /* Where it is not accepted, the loop has ended, and cleanup joins us. */
    const bool posted = gk_kv_loop_post(lookup->owner->loop, &lookup->task);
    (void)posted;
    return NULL;
}

static void unlink_lookup(struct gk_kv_lookup *lookup)
{
    struct gk_kv_lookup **link = &lookup->owner->first;
    while (*link != lookup) {
        link = &(*link)->next;
    }
    *link = lookup->next;
    lookup->owner->count--;
}

static void on_resolved(void *ctx)
{
    struct gk_kv_lookup *lookup = ctx;
    pthread_join(lookup->thread, NULL);
    unlink_lookup(lookup);
    if (lookup->done != NULL) {
        lookup->done(lookup->ctx, lookup->gone);
    }
    free(lookup);
}

struct gk_kv_lookup *gk_kv_lookup_start(struct gk_kv_lookups *lookups, const char *host,
                                        const char *witness, gk_kv_lookup_done_fn *done, void *ctx)
{
    struct gk_kv_lookup *lookup = lookups->count < LOOKUPS_MAX ? calloc(1, sizeof *lookup) : NULL;
    if (lookup == NULL) {
        return NULL;
    }
    lookup->task = (struct gk_kv_task){.run = on_resolved, .ctx = lookup};
    lookup->owner = lookups;
    lookup->done = done;
    lookup->ctx = ctx;
    snprintf(lookup->host, sizeof lookup->host, "%s", host);
    snprintf(lookup->witness, sizeof lookup->witness, "%s", witness);
    if (pthread_create(&lookup->thread, NULL, resolve, lookup) != 0) {
        free(lookup);
        return NULL;
    }
    lookup->next = lookups->first;
    lookups->first = lookup;
    lookups->count++;
    return lookup;
}

void gk_kv_lookup_abandon(struct gk_kv_lookup *lookup)
{
    if (lookup != NULL) {
        lookup->done = NULL;
    }
}

void gk_kv_lookups_cleanup(struct gk_kv_lookups *lookups)
{
    while (lookups->first != NULL) {
        struct gk_kv_lookup *lookup = lookups->first;
        lookups->first = lookup->next;
        lookups->count--;
        pthread_join(lookup->thread, NULL);
        free(lookup);
    }
}
