/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/blob_shred.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states_change.h"

struct shredding {
    struct gk_request request; /* of nobody: the gateway and the account, for what writes blobs */
    struct gk_blob_target base;
    struct gk_shredded_blob *out;
};

void gk_shredded_blob_cleanup(struct gk_shredded_blob *shredded)
{
    free(shredded->objects);
    free(shredded->root_keys);
    *shredded = (struct gk_shredded_blob){0};
}

/* --- what is there ------------------------------------------------------------------------------*/

/* Whether the record has a data key: a base whose blob is gone has none. */
static bool has_key(const struct gk_blob_target *target)
{
    return target->stored.len > 0 && target->record.state != GK_BLOB_GONE;
}

static bool has_object(const struct gk_shredded_blob *out, const struct gk_id *object)
{
    for (size_t i = 0; i < out->objects_count; i++) {
        if (gk_id_equal(&out->objects[i], object)) {
            return true;
        }
    }
    return false;
}

static enum gk_status note_object(struct gk_shredded_blob *out, const struct gk_id *object,
                                  struct gk_error *error)
{
    if (has_object(out, object)) {
        return GK_OK;
    }
    struct gk_id *objects = reallocarray(out->objects, out->objects_count + 1, sizeof *objects);
    if (objects == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    out->objects = objects;
    out->objects[out->objects_count++] = *object;
    return GK_OK;
}

static enum gk_status note_root_key(struct gk_shredded_blob *out, const char *scope,
                                    uint32_t generation, struct gk_error *error)
{
    for (size_t i = 0; i < out->root_keys_count; i++) {
        if (out->root_keys[i].generation == generation &&
            strcmp(out->root_keys[i].scope, scope) == 0) {
            return GK_OK;
        }
    }
    struct gk_shredded_root_key *keys =
        reallocarray(out->root_keys, out->root_keys_count + 1, sizeof *keys);
    if (keys == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    out->root_keys = keys;
    struct gk_shredded_root_key *key = &keys[out->root_keys_count++];
    *key = (struct gk_shredded_root_key){.generation = generation};
    memcpy(key->scope, scope, strlen(scope) + 1);
    return GK_OK;
}

/* A record that is to go: that it may, and what it has. */
static enum gk_status note(struct shredding *shredding, const struct gk_blob_target *target,
                           struct gk_error *error)
{
    const struct gk_gateway *gateway = shredding->request.gateway;
    const struct gk_blob_record *record = &target->record;
    struct gk_shredded_blob *out = shredding->out;
    uint32_t generation = 0;
    enum gk_status status =
        gk_immutability_check(&record->immutability, gk_clock_wall_ms(&gateway->clock), error);
    if (status == GK_OK) {
        status = gateway->host->plugin->data_key_generation(
            gk_span_of(record->sealed_data_key, sizeof record->sealed_data_key), &generation,
            error);
    }
    if (status == GK_OK) {
        status = note_root_key(out, record->encryption.scope, generation, error);
    }
    if (status == GK_OK) {
        status = note_object(out, &record->object, error);
    }
    out->records++;
    out->borrowed += gk_loan_borrows(&record->loan, &record->history);
    return status;
}

static enum gk_status note_state(struct shredding *shredding, const struct gk_blob_target *state,
                                 struct gk_error *error)
{
    if (state->record.history.kind == GK_STATE_LENT) {
        shredding->out->lent++;
        return GK_OK;
    }
    return note(shredding, state, error);
}

/* That a record that is there is none of those that were to go; it may be of a later blob of that name. */
static enum gk_status check_gone(struct shredding *shredding, const struct gk_blob_target *target,
                                 struct gk_error *error)
{
    const bool destroyed = target->record.history.kind != GK_STATE_LENT && has_key(target) &&
                           has_object(shredding->out, &target->record.object);
    return destroyed ? gk_fail_http(error, GK_E_UNAVAILABLE, 503, "BlobShredUnverified",
                                    "A record of the blob is there still; try again.")
                     : GK_OK;
}

typedef enum gk_status look_fn(struct shredding *shredding, const struct gk_blob_target *state,
                               struct gk_error *error);

static enum gk_status look_at_states(struct shredding *shredding, look_fn *look,
                                     struct gk_error *error)
{
    uint64_t after = 0;
    bool more = shredding->base.record.history.newest > 0; /* else there are none */
    enum gk_status status = GK_OK;
    while (status == GK_OK && more) {
        struct gk_states states;
        status = gk_states_read(&shredding->request, &shredding->base, after, &states, error);
        for (size_t i = 0; i < states.count && status == GK_OK; i++) {
            status = look(shredding, &states.items[i], error);
            after = states.items[i].time;
        }
        more = states.more;
        gk_states_cleanup(&states);
    }
    return status;
}

/* --- the change ---------------------------------------------------------------------------------*/

static enum gk_status end_state(void *ctx, struct gk_blob_write *write,
                                struct gk_blob_target *state, enum gk_state_action *action,
                                struct gk_error *error)
{
    (void)write;
    const struct shredding *shredding = ctx;
    if (state->record.history.kind == GK_STATE_LENT) {
        return GK_OK;
    }
    *action = GK_STATE_REMOVE;
    return gk_immutability_check(&state->record.immutability,
                                 gk_clock_wall_ms(&shredding->request.gateway->clock), error);
}

static enum gk_status end_base(void *ctx, struct gk_blob_write *write, struct gk_blob_target *base,
                               bool remain, struct gk_error *error)
{
    struct shredding *shredding = ctx;
    if (!has_key(base)) {
        return gk_state_settle_base(write, &shredding->request, base, remain, error);
    }
    const enum gk_status status =
        gk_blob_write_discard_staged(write, &shredding->request, base, error);
    if (status != GK_OK) {
        return status;
    }
    gk_blob_write_drop(write, base);
    return gk_state_remove_base(write, &shredding->request, base, remain, error);
}

/* --- the operation ------------------------------------------------------------------------------*/

static enum gk_status survey(struct shredding *shredding, struct gk_error *error)
{
    struct gk_blob_target *base = &shredding->base;
    enum gk_status status = GK_OK;
    if (base->committed) { /* its lease, and a copy that is pending */
        status = gk_blob_conditions(&shredding->request, base, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK && has_key(base)) {
        status = note(shredding, base, error);
    }
    if (status == GK_OK) {
        status = look_at_states(shredding, note_state, error);
    }
    return status == GK_OK && shredding->out->records == 0 ? gk_refuse(error, 404, "BlobNotFound")
                                                           : status;
}

static enum gk_status verify(struct shredding *shredding, struct gk_error *error)
{
    enum gk_status status = gk_blob_target_read(&shredding->request, &shredding->base, error);
    if (status == GK_OK) {
        status = check_gone(shredding, &shredding->base, error);
    }
    return status == GK_OK ? look_at_states(shredding, check_gone, error) : status;
}

static enum gk_status shred_locked(struct shredding *shredding, struct gk_error *error)
{
    const struct gk_states_change change = {.ctx = shredding, .state = end_state, .base = end_base};
    enum gk_status status = gk_blob_target_read(&shredding->request, &shredding->base, error);
    if (status == GK_OK) {
        status = survey(shredding, error);
    }
    if (status == GK_OK) {
        status = gk_states_change(&shredding->request, &shredding->base, &change, error);
    }
    if (status == GK_E_CONFLICT || status == GK_E_EXISTS) {
        return gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                            "The blob was written through another gateway meanwhile; try again.");
    }
    return status == GK_OK ? verify(shredding, error) : status;
}

static enum gk_status shred_located(struct shredding *shredding, struct gk_error *error)
{
    enum gk_status status = gk_blob_target_locate(&shredding->request, &shredding->base, error);
    if (status == GK_OK) {
        status = gk_record_lock_write(&shredding->base, error);
    }
    if (status == GK_OK) {
        status = shred_locked(shredding, error);
        gk_record_unlock(&shredding->base);
    }
    return status;
}

enum gk_status gk_blob_shred(struct gk_gateway *gateway, const struct gk_blob_name *name,
                             struct gk_shredded_blob *out, struct gk_error *error)
{
    *out = (struct gk_shredded_blob){0};
    struct gk_gateway_account *account = NULL;
    enum gk_status status = gk_accounts_get(gateway->accounts, name->account, &account, error);
    if (status != GK_OK) {
        return status;
    }
    struct shredding shredding = {.request = {.gateway = gateway,
                                              .account = account,
                                              .container = name->container,
                                              .blob = name->blob,
                                              .operation = GK_OP_BLOB_DELETE_BLOB},
                                  .out = out};
    status = shred_located(&shredding, error);
    gk_blob_target_cleanup(&shredding.base);
    gk_accounts_put(account);
    return status;
}
