/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/scopes.h"
#include "gateway/reseal/run.h"

/* What is stored of the account or scope now: another gateway may have given it its newest root key. */
static enum gk_status read_generations(const struct gk_reseal_run *run,
                                       struct gk_reseal_owner *owner, struct gk_error *error)
{
    const struct gk_plugin_host *host = run->common.job.gateway->host;
    const struct gk_call call = {.deadline_ms = run->common.job.gateway->vault_deadline_ms};
    const struct gk_retirement none = {.below = 0};
    struct gk_account_status found;
    uint32_t retired = 0;
    enum gk_status status =
        host->plugin->account_retire_root_keys(owner->handle, &none, &retired, &call, error);
    if (status == GK_OK) {
        status = host->plugin->account_status(host->instance, owner->path, &found, error);
    }
    if (status == GK_OK) {
        owner->active = found.generation;
        owner->oldest = found.oldest_generation;
    }
    return status;
}

/* owner is taken over when it is GK_OK. */
static enum gk_status append(struct gk_reseal_run *run, const struct gk_reseal_owner *owner,
                             struct gk_error *error)
{
    struct gk_reseal_owner *owners =
        reallocarray(run->owners, run->owners_count + 1, sizeof *owners);
    if (owners == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    run->owners = owners;
    owners[run->owners_count++] = *owner;
    return GK_OK;
}

/* One that has older root keys in use; others are fine. */
static enum gk_status add(struct gk_reseal_run *run, const char *scope, const char *path,
                          struct gk_error *error)
{
    const struct gk_plugin_host *host = run->common.job.gateway->host;
    struct gk_reseal_owner owner = {.active = 0};
    snprintf(owner.scope, sizeof owner.scope, "%s", scope);
    snprintf(owner.path, sizeof owner.path, "%s", path);
    enum gk_status status = host->plugin->account_open(host->instance, path, &owner.handle, error);
    if (status != GK_OK) {
        return status;
    }
    status = read_generations(run, &owner, error);
    const bool has_older = status == GK_OK && owner.oldest < owner.active;
    if (has_older) {
        status = host->plugin->account_warm(owner.handle,
                                            run->common.job.gateway->vault_deadline_ms, error);
    }
    if (has_older && status == GK_OK) {
        status = append(run, &owner, error);
    }
    if (!has_older || status != GK_OK) {
        host->plugin->account_release(owner.handle);
    }
    return status;
}

/* Its data keys stay as they are, and so do its root keys. */
static void leave_out(struct gk_reseal_run *run, const char *path, const struct gk_error *why)
{
    run->state.counts.scopes_left_out++;
    gk_log(GK_LOG_WARNING, "reseal", "%s is left out: %s", path, why->message);
}

static enum gk_status add_scope(struct gk_reseal_run *run, const char *scope,
                                struct gk_error *error)
{
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_error why = {0};
    gk_scope_path(run->common.account->name, scope, path);
    const enum gk_status status = add(run, scope, path, &why);
    if (status == GK_E_RESOURCE) {
        return gk_fail(error, status, "%s", why.message);
    }
    if (status != GK_OK) {
        leave_out(run, path, &why);
    }
    return GK_OK;
}

enum gk_status gk_reseal_owners_load(struct gk_reseal_run *run, struct gk_error *error)
{
    struct gk_buf scopes;
    run->state.counts.scopes_left_out = 0;
    gk_buf_init(&scopes, GK_SCOPES_STORED_BYTES_MAX);
    enum gk_status status = add(run, "", run->common.account->name, error);
    if (status == GK_OK) {
        status = gk_scopes_list(run->common.job.gateway, run->common.account->name, &scopes, error);
    }
    for (size_t at = 0; status == GK_OK && at < scopes.len;) {
        const char *scope = (const char *)scopes.data + at;
        at += strlen(scope) + 1;
        status = add_scope(run, scope, error);
    }
    gk_buf_cleanup(&scopes);
    return status;
}

void gk_reseal_owners_free(struct gk_reseal_run *run)
{
    for (size_t i = 0; i < run->owners_count; i++) {
        run->common.job.gateway->host->plugin->account_release(run->owners[i].handle);
    }
    free(run->owners);
    run->owners = NULL;
    run->owners_count = 0;
}

static int compare(const void *scope, const void *owner)
{
    return strcmp(scope, ((const struct gk_reseal_owner *)owner)->scope);
}

struct gk_reseal_owner *gk_reseal_owner_of(const struct gk_reseal_run *run,
                                           const struct gk_encryption *encryption)
{
    return run->owners_count == 0 ? NULL
                                  : bsearch(encryption->scope, run->owners, run->owners_count,
                                            sizeof *run->owners, compare);
}
