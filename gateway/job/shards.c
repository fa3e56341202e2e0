/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/job/shards.h"

#include <string.h>

struct listing {
    struct gk_job_run *run;
    const struct gk_job_shards *shards;
};

static bool visit_go_on(void *ctx)
{
    const struct listing *listing = ctx;
    return gk_job_go_on(listing->run, NULL) == GK_OK;
}

static void visit_damaged(void *ctx, const char *account, const char *container,
                          struct gk_span blob, const char *what)
{
    (void)account, (void)blob;
    const struct listing *listing = ctx;
    listing->shards->hidden(listing->shards->ctx, container, what);
}

/* Those that clients can come to see. */
static enum gk_status list_containers(struct listing *listing,
                                      struct gk_scrub_containers *containers,
                                      struct gk_error *error)
{
    const struct gk_scrub_visitor visitor = {
        .ctx = listing, .go_on = visit_go_on, .damaged = visit_damaged};
    const enum gk_status status = gk_scrub_containers_of(
        listing->run->gateway, listing->shards->account, &visitor, containers, error);
    size_t kept = 0;
    for (size_t i = 0; status == GK_OK && i < containers->count; i++) {
        if (containers->items[i].name[0] != '\0' || containers->items[i].kept) {
            containers->items[kept++] = containers->items[i];
        }
    }
    containers->count = kept;
    return status;
}

static size_t first_container(const struct gk_scrub_containers *containers,
                              const struct gk_job_cursor *at)
{
    for (size_t i = 0; i < containers->count; i++) {
        char id[GK_UUID_TEXT_BYTES];
        gk_id_format(&containers->items[i].id, id);
        if (strcmp(id, at->container) == 0) {
            return i;
        }
    }
    return 0;
}

/* To this container, unless it is there. */
static void move_to(struct gk_job_cursor *at, const struct gk_scrub_container *container)
{
    char id[GK_UUID_TEXT_BYTES];
    gk_id_format(&container->id, id);
    if (strcmp(id, at->container) != 0) {
        memcpy(at->container, id, sizeof id);
        at->shard = 0;
    }
}

enum gk_status gk_job_each_shard(struct gk_job_run *run, const struct gk_job_shards *shards,
                                 struct gk_job_cursor *at, struct gk_error *error)
{
    struct listing listing = {.run = run, .shards = shards};
    struct gk_scrub_containers containers;
    enum gk_status status = list_containers(&listing, &containers, error);
    for (size_t i = first_container(&containers, at); status == GK_OK && i < containers.count;
         i++) {
        const struct gk_scrub_container *container = &containers.items[i];
        move_to(at, container);
        while (status == GK_OK && at->shard < container->shards) {
            const double part = (double)at->shard / (double)container->shards;
            run->state->progress = ((double)i + part) / (double)containers.count;
            status = shards->work(shards->ctx, container, at->shard, error);
            at->shard += status == GK_OK;
        }
    }
    gk_scrub_containers_cleanup(&containers);
    return status;
}
