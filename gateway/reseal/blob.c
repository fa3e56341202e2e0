/* SPDX-License-Identifier: Apache-2.0 */
/* A blob's data keys sealed anew: its record's, and those of all that it was. */
#include <time.h>

#include "common/error.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states_change.h"
#include "gateway/reseal/run.h"

/* Of a blob that is written to all the while: with a pause that grows by so much, two seconds in all. */
#define ATTEMPTS_MAX 20u
#define PAUSE_MS     10

struct resealing {
    struct gk_reseal_run *run;
    struct gk_request request; /* of nobody: the gateway and the account, for what writes records */
    uint64_t resealed;
    bool key_damaged; /* a data key does not open, of a record that does */
};

/* Under the newest root key, which this gateway may have to fetch. */
static enum gk_status seal_anew(struct resealing *resealing, const struct gk_reseal_owner *owner,
                                const struct gk_object_scope *scope, struct gk_span sealed,
                                uint8_t anew[GK_SEALED_DATA_KEY_BYTES], struct gk_error *error)
{
    const struct gk_plugin *plugin = resealing->run->common.job.gateway->host->plugin;
    struct gk_data_key *data_key = NULL;
    enum gk_status status = plugin->data_key_open(owner->handle, scope, sealed, &data_key, error);
    if (status == GK_E_CONFLICT) {
        status = gk_fail(error, GK_E_INTEGRITY, "a data key is under a root key that was retired");
    }
    resealing->key_damaged = status == GK_E_INTEGRITY;
    if (status == GK_OK) {
        status = plugin->data_key_renew(data_key, scope, (struct gk_span){0}, owner->active, anew,
                                        error);
    }
    plugin->data_key_free(data_key);
    return status;
}

/* *resealed: the record has another sealed data key now. */
static enum gk_status reseal(struct resealing *resealing, const struct gk_id *container,
                             struct gk_blob_record *record, bool *resealed, struct gk_error *error)
{
    const struct gk_plugin *plugin = resealing->run->common.job.gateway->host->plugin;
    const struct gk_span sealed =
        gk_span_of(record->sealed_data_key, sizeof record->sealed_data_key);
    const struct gk_reseal_owner *owner = gk_reseal_owner_of(resealing->run, &record->encryption);
    const struct gk_object_scope scope = {.container = *container, .object = record->object};
    uint8_t anew[GK_SEALED_DATA_KEY_BYTES];
    uint32_t generation = 0;
    *resealed = false;
    if (owner == NULL || record->state == GK_BLOB_GONE ||
        record->encryption.kind == GK_ENCRYPTION_CLIENT_KEY) {
        return GK_OK;
    }
    enum gk_status status = plugin->data_key_generation(sealed, &generation, error);
    if (status != GK_OK || generation >= owner->active) {
        return status;
    }
    status = seal_anew(resealing, owner, &scope, sealed, anew, error);
    if (status == GK_OK) {
        memcpy(record->sealed_data_key, anew, sizeof anew);
        *resealed = true;
        resealing->resealed++;
    }
    return status;
}

static enum gk_status reseal_state(void *ctx, struct gk_blob_write *write,
                                   struct gk_blob_target *state, enum gk_state_action *action,
                                   struct gk_error *error)
{
    (void)write;
    bool resealed = false;
    const enum gk_status status = reseal(ctx, &state->container, &state->record, &resealed, error);
    *action = resealed ? GK_STATE_WRITE : GK_STATE_KEEP;
    return status;
}

static enum gk_status reseal_base(void *ctx, struct gk_blob_write *write,
                                  struct gk_blob_target *base, bool remain, struct gk_error *error)
{
    struct resealing *resealing = ctx;
    bool resealed = false;
    const enum gk_status status =
        reseal(resealing, &base->container, &base->record, &resealed, error);
    return status == GK_OK ? gk_state_settle_base(write, &resealing->request, base, remain, error)
                           : status;
}

/* The lock is held. */
static enum gk_status reseal_once(struct resealing *resealing, struct gk_blob_target *base,
                                  struct gk_error *error)
{
    const struct gk_states_change change = {
        .ctx = resealing, .closed_too = true, .state = reseal_state, .base = reseal_base};
    bool closed = false;
    resealing->resealed = 0;
    const enum gk_status status = gk_blob_target_fetch(&resealing->request, base, &closed, error);
    return status == GK_OK && base->stored.len > 0
               ? gk_states_change(&resealing->request, base, &change, error)
               : status;
}

static enum gk_status reseal_locked(struct resealing *resealing, struct gk_blob_target *base,
                                    struct gk_error *error)
{
    enum gk_status status = gk_record_lock_write(base, error);
    if (status == GK_OK) {
        status = reseal_once(resealing, base, error);
        gk_record_unlock(base);
    }
    return status;
}

/* Another gateway writes to it. A container that is deleted and kept has no name by which its refusal could be
 * looked into. */
static bool is_busy(const struct gk_scrub_container *container, enum gk_status status,
                    const struct gk_error *error)
{
    return status == GK_E_CONFLICT || status == GK_E_EXISTS ||
           (container->name[0] == '\0' && status == GK_E_INVALID && error->http_status == 400);
}

static void pause_after(unsigned attempt)
{
    const struct timespec pause = {.tv_nsec = (long)(attempt * PAUSE_MS) * 1000000};
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

/* What is left as it is, busy or of a container that goes, is found by the proof. */
enum gk_status gk_reseal_blob(struct gk_reseal_run *run, const struct gk_scrub_container *container,
                              uint32_t shard, struct gk_span name, struct gk_error *error)
{
    struct resealing resealing = {.run = run,
                                  .request = {.gateway = run->common.job.gateway,
                                              .account = run->common.account,
                                              .operation = GK_OP_BLOB_UNDELETE_BLOB,
                                              .container = container->name}};
    struct gk_blob_target base;
    struct gk_error why = {0};
    gk_blob_target_name(&base, &container->id, shard, name);
    enum gk_status status = reseal_locked(&resealing, &base, &why);
    for (unsigned i = 1; is_busy(container, status, &why) && i < ATTEMPTS_MAX; i++) {
        pause_after(i);
        gk_error_clear(&why);
        status = reseal_locked(&resealing, &base, &why);
    }
    gk_blob_target_cleanup(&base);
    if (status == GK_OK) {
        run->state.counts.resealed += resealing.resealed;
    } else if (status == GK_E_INTEGRITY) {
        gk_reseal_tell_damaged(run, container->name, why.message, !resealing.key_damaged);
    } else if (!is_busy(container, status, &why) && why.http_status != 404 &&
               why.http_status != 409) {
        if (error != NULL) {
            *error = why;
        }
        return status;
    }
    return GK_OK;
}
