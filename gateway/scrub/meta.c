/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The meta pool: indexes of containers that no account has (a Create Container that did not come to its
 * end), encryption scopes and leases of accounts that are gone; and accounts and marks that the registry has lost, which are
 * written into it again.
 *
 * An index is made just before its container's record. So one is nobody's when two walks with the wait
 * between them that a creation may take did not come by its container: the time of its last change says
 * so, or, where the engine has none, a wait of WAIT_MAX_S at most.
 */
#include <stdlib.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/copy_list.h"
#include "gateway/blob/names.h"
#include "gateway/registry.h"
#include "gateway/scrub/run.h"
#include "gateway/shredded.h"

#define NAME_BYTES     GK_ACCOUNT_OBJECT_BYTES_MAX
#define CANDIDATES_MAX 16384u /* of one run; another finds more */
#define NAMES_AT_ONCE  512u
#define WAIT_MAX_S     60u
#define NAP_MS         100
#define INDEX_PREFIX   "index/"
#define LEASE_PREFIX   "lease/"

struct meta {
    struct gk_scrub_run *run;
    struct gk_buf names; /* of a step of the list, each with its NUL */
    size_t names_count;
    char (*candidates)[NAME_BYTES];
    size_t count;
    bool untimed; /* of some the engine does not say when they were made */
    int64_t began_wall_ms;
    struct gk_error *error;
};

/* --- what a name is -----------------------------------------------------------------------------*/

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool index_container(const char *name, struct gk_id *container)
{
    const size_t digits = 2 * sizeof container->bytes;
    const char *id = name + strlen(INDEX_PREFIX);
    return strlen(id) > digits && id[digits] == '/' &&
           gk_hex_decode(gk_span_of(id, digits), container->bytes, sizeof container->bytes);
}

/* The object of what has the lease. */
static bool of_lease(const char *name, char object[GK_ACCOUNT_OBJECT_BYTES_MAX])
{
    return gk_account_object(name + strlen(LEASE_PREFIX), object, NULL) == GK_OK;
}

/* The object of the scope's account. While that is there, it may have the scope. */
static bool of_scope(const char *name, char object[GK_ACCOUNT_OBJECT_BYTES_MAX])
{
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    const char *begin = name + strlen(GK_SCOPE_OBJECT_PREFIX);
    const size_t len = strcspn(begin, "/");
    if (len >= sizeof account) {
        return false;
    }
    memcpy(account, begin, len);
    account[len] = '\0';
    return gk_account_object(account, object, NULL) == GK_OK;
}

/* Whether nothing has to do with the object. Containers are looked up in the last walk. */
static enum gk_status is_nobodys(struct meta *meta, const char *name, bool *nobodys)
{
    struct gk_scrub_run *run = meta->run;
    struct gk_id container;
    struct gk_store_stat stat;
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    *nobodys = false;
    if (begins(name, INDEX_PREFIX) && index_container(name, &container)) {
        *nobodys = gk_known_find(&run->known, &container) == GK_KNOWN_NOT;
        return GK_OK;
    }
    const bool known = (begins(name, LEASE_PREFIX) && of_lease(name, object)) ||
                       (begins(name, GK_SCOPE_OBJECT_PREFIX) && of_scope(name, object));
    if (!known) {
        return GK_OK;
    }
    const enum gk_status status =
        gk_store_stat(run->job.gateway->store, GK_POOL_META, object, &stat, meta->error);
    *nobodys = status == GK_E_NOT_FOUND;
    if (*nobodys) {
        gk_error_clear(meta->error);
    }
    return *nobodys ? GK_OK : status;
}

static enum gk_status relist(struct meta *meta, enum gk_registry_kind kind, struct gk_span name,
                             const char *object)
{
    struct gk_scrub_run *run = meta->run;
    bool has = false;
    enum gk_status status = gk_registry_has(run->job.gateway->store, kind, name, &has, meta->error);
    if (status != GK_OK || has) {
        return status;
    }
    const struct gk_registry_row row = {
        .kind = kind, .name = name, .written_wall_ms = gk_clock_wall_ms(&run->job.gateway->clock)};
    gk_log(GK_LOG_WARNING, "scrub", "%s was not in the registry", object);
    run->state.counts.relisted++;
    return gk_registry_set(run->job.gateway->store, &row, meta->error);
}

/* One name of the list. */
static enum gk_status consider(struct meta *meta, const char *name)
{
    struct gk_scrub_run *run = meta->run;
    struct gk_store_stat stat;
    struct gk_id id;
    bool nobodys = false;
    if (begins(name, GK_ACCOUNT_OBJECT_PREFIX) &&
        gk_account_name_valid(name + strlen(GK_ACCOUNT_OBJECT_PREFIX))) {
        return relist(meta, GK_REGISTRY_ACCOUNT,
                      gk_span_str(name + strlen(GK_ACCOUNT_OBJECT_PREFIX)), name);
    }
    if (begins(name, GK_DELETED_NAME_PREFIX) &&
        gk_hex_decode(gk_span_str(name + strlen(GK_DELETED_NAME_PREFIX)), id.bytes,
                      sizeof id.bytes)) {
        return relist(meta, GK_REGISTRY_DELETED, gk_span_of(id.bytes, sizeof id.bytes), name);
    }
    enum gk_status status = is_nobodys(meta, name, &nobodys);
    if (status != GK_OK || !nobodys || meta->count == CANDIDATES_MAX ||
        strlen(name) >= NAME_BYTES) {
        return status;
    }
    status = gk_store_stat(run->job.gateway->store, GK_POOL_META, name, &stat, meta->error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(meta->error);
        return GK_OK;
    }
    const int64_t older_ms = (int64_t)run->state.options.older_than_s * 1000;
    if (status == GK_OK && stat.modified_wall_ms != 0 &&
        stat.modified_wall_ms > meta->began_wall_ms - older_ms) {
        run->state.counts.recent++;
    } else if (status == GK_OK) {
        meta->untimed = meta->untimed || stat.modified_wall_ms == 0;
        memcpy(meta->candidates[meta->count++], name, strlen(name) + 1);
    }
    return status;
}

static bool is_ours(const char *name)
{
    static const char *const prefixes[] = {GK_ACCOUNT_OBJECT_PREFIX, GK_SCOPE_OBJECT_PREFIX,
                                           GK_DELETED_NAME_PREFIX, INDEX_PREFIX, LEASE_PREFIX};
    static const char *const names[] = {GK_REGISTRY_OBJECT, GK_COPIES_OBJECT, GK_SCRUB_OBJECT,
                                        GK_SHREDDED_OBJECT, "notices"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (begins(name, prefixes[i])) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* --- the list -----------------------------------------------------------------------------------*/

static bool collect_name(void *ctx, struct gk_span name, struct gk_span value)
{
    (void)value;
    struct meta *meta = ctx;
    gk_buf_append(&meta->names, name.data, name.len);
    gk_buf_append_u8(&meta->names, 0);
    return ++meta->names_count < NAMES_AT_ONCE;
}

static enum gk_status consider_names(struct meta *meta)
{
    enum gk_status status = gk_buf_status(&meta->names);
    for (size_t at = 0; status == GK_OK && at < meta->names.len;) {
        const char *name = (const char *)meta->names.data + at;
        if (is_ours(name)) {
            status = consider(meta, name);
        } else {
            meta->run->state.counts.foreign++;
        }
        at += strlen(name) + 1;
    }
    return status;
}

static enum gk_status list(struct meta *meta)
{
    struct gk_scrub_run *run = meta->run;
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    enum gk_status status = GK_OK;
    do {
        gk_buf_reset(&meta->names);
        meta->names_count = 0;
        gk_job_take_turn(&run->job);
        status = gk_store_list(run->job.gateway->store, GK_POOL_META, &cursor, collect_name, meta,
                               meta->error);
        if (status == GK_OK) {
            status = consider_names(meta);
        }
        if (status == GK_OK) {
            status = gk_job_go_on(&run->job, meta->error);
        }
    } while (status == GK_OK && cursor.len > 0);
    gk_buf_cleanup(&cursor);
    return status;
}

/* --- the candidates -----------------------------------------------------------------------------*/

static enum gk_status wait_for_creations(struct meta *meta)
{
    struct gk_scrub_run *run = meta->run;
    const uint64_t older_s = run->state.options.older_than_s;
    const int64_t wait_ms = (int64_t)(older_s < WAIT_MAX_S ? older_s : WAIT_MAX_S) * 1000;
    const int64_t until = gk_clock_mono_ms(&run->job.gateway->clock) + wait_ms;
    enum gk_status status = GK_OK;
    while (status == GK_OK && meta->untimed && run->state.options.remove &&
           gk_clock_mono_ms(&run->job.gateway->clock) < until) {
        const struct timespec nap = {.tv_nsec = NAP_MS * 1000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
        status = gk_job_go_on(&run->job, meta->error);
    }
    return status;
}

static enum gk_status walk(struct meta *meta)
{
    const struct gk_scrub_visitor visitor = gk_scrub_run_visitor(meta->run);
    return gk_scrub_walk(meta->run->job.gateway, &visitor, &meta->run->known, meta->error);
}

static enum gk_status settle(struct meta *meta, const char *name)
{
    struct gk_scrub_run *run = meta->run;
    const char *names[] = {name};
    bool nobodys = false;
    enum gk_status status = is_nobodys(meta, name, &nobodys);
    if (status != GK_OK || !nobodys) {
        return status;
    }
    gk_log(GK_LOG_INFO, "scrub", "nothing refers to object %s", name);
    gk_scrub_add_unreferenced(&run->state, name, true, 0);
    if (run->state.options.remove) {
        status = gk_store_remove(run->job.gateway->store, GK_POOL_META, names, 1, meta->error);
        run->state.counts.removed += status == GK_OK;
    }
    return status == GK_OK ? gk_job_go_on(&run->job, meta->error) : status;
}

static enum gk_status sweep(struct meta *meta)
{
    meta->began_wall_ms = gk_clock_wall_ms(&meta->run->job.gateway->clock);
    enum gk_status status = walk(meta);
    if (status == GK_OK) {
        status = list(meta);
    }
    if (status != GK_OK || meta->count == 0) {
        return status;
    }
    status = wait_for_creations(meta);
    if (status == GK_OK) {
        status = walk(meta);
    }
    for (size_t i = 0; status == GK_OK && i < meta->count; i++) {
        status = settle(meta, meta->candidates[i]);
    }
    return status;
}

enum gk_status gk_scrub_meta(struct gk_scrub_run *run, struct gk_error *error)
{
    struct meta meta = {.run = run, .error = error};
    gk_buf_init(&meta.names, NAMES_AT_ONCE * (size_t)(GK_OBJECT_NAME_BYTES_MAX + 1));
    meta.candidates = calloc(CANDIDATES_MAX, sizeof *meta.candidates);
    const enum gk_status status =
        meta.candidates == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : sweep(&meta);
    free(meta.candidates);
    gk_buf_cleanup(&meta.names);
    return status;
}
