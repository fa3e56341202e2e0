/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/lend.h"

#include "common/error.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/reaper.h"

#define ATTEMPTS_MAX 16u /* each but the first because another gateway wrote the blob in between */

/* A write of the lender's blob. */
struct lending {
    struct gk_request request; /* of nobody: the gateway and the account, for what writes blobs */
    struct gk_blob_target base;
    struct gk_blob_target state; /* what is lent, or was lent */
};

static void init(struct lending *lending, struct gk_gateway *gateway,
                 struct gk_gateway_account *account)
{
    *lending =
        (struct lending){.request = {.gateway = gateway, .account = account, .container = ""}};
}

static void cleanup(struct lending *lending)
{
    gk_blob_target_cleanup(&lending->base);
    gk_blob_target_cleanup(&lending->state);
}

/* --- lending ------------------------------------------------------------------------------------*/

enum gk_status gk_lend_time(struct gk_gateway *gateway, struct gk_gateway_account *account,
                            const struct gk_lender *lender, uint64_t *time, struct gk_error *error)
{
    struct lending lending;
    init(&lending, gateway, account);
    gk_blob_target_name(&lending.base, &lender->container, lender->shard, lender->name);
    bool closed = false;
    const enum gk_status status =
        gk_blob_target_fetch(&lending.request, &lending.base, &closed, error);
    *time = gk_history_next(&lending.base.record.history, gk_clock_wall_ms(&gateway->clock));
    cleanup(&lending);
    return status;
}

static bool is_what_was_read(const struct gk_lender *lender, const struct gk_blob_target *source)
{
    const struct gk_blob_record *record = &source->record;
    if (record->history.kind == GK_STATE_LENT) {
        return source->exists && gk_id_equal(&record->loan.id, &lender->loan);
    }
    return source->exists && record->state == GK_BLOB_COMMITTED &&
           gk_id_equal(&record->object, &lender->object) && record->etag == lender->etag;
}

/* The record of the state that is lent: what the content needs, and nothing else. */
static enum gk_status write_lent(struct lending *lending, struct gk_blob_write *write,
                                 const struct gk_blob_target *source, uint64_t time,
                                 const struct gk_loan *to, struct gk_error *error)
{
    const struct gk_blob_record *from = &source->record;
    struct gk_blob_record lent = {.state = GK_BLOB_COMMITTED, /* borrows what source owns */
                                  .object = from->object,
                                  .keyed_wall_ms = from->keyed_wall_ms,
                                  .etag = from->etag,
                                  .created_wall_ms = from->created_wall_ms,
                                  .modified_wall_ms = from->modified_wall_ms,
                                  .size = from->size,
                                  .kind = from->kind,
                                  .history = {.kind = GK_STATE_LENT},
                                  .loan = *to,
                                  .manifest = from->manifest};
    memcpy(lent.sealed_data_key, from->sealed_data_key, sizeof lent.sealed_data_key);
    struct gk_blob_target target;
    gk_state_target_init(&lending->base, time, &target);
    const enum gk_status status =
        gk_blob_write_record(write, &lending->request, &target, &lent, NULL, NULL, error);
    gk_blob_target_cleanup(&target);
    return status;
}

static enum gk_status lend_locked(struct lending *lending, const struct gk_lender *lender,
                                  uint64_t time, const struct gk_loan *to, struct gk_error *error)
{
    struct gk_blob_target *base = &lending->base;
    const bool of_state = lender->time != 0;
    bool closed = false;
    enum gk_status status = gk_blob_target_fetch(&lending->request, base, &closed, error);
    if (status == GK_OK && closed) {
        status = gk_fail(error, GK_E_UNAVAILABLE, "the container of what is lent is being deleted");
    }
    if (status == GK_OK && of_state) {
        status = gk_state_read(&lending->request, base, lender->time, &lending->state, error);
    }
    const struct gk_blob_target *source = of_state ? &lending->state : base;
    if (status != GK_OK) {
        return status;
    }
    if (!is_what_was_read(lender, source)) {
        return gk_fail(error, GK_E_UNAVAILABLE, "a blob was changed before it was lent to a copy");
    }
    if (time <= base->record.history.newest) {
        return gk_fail(error, GK_E_CONFLICT, "another state has the time of one that is lent");
    }
    struct gk_blob_write write;
    gk_blob_write_init(&write, base);
    write.newest = time;
    if (of_state) {
        gk_blob_write_guard(&write, gk_blob_guard(source));
    }
    status = write_lent(lending, &write, source, time, to, error);
    if (status == GK_OK) {
        status = gk_blob_write_open_part(&write, &lending->request, base, &base->record, error);
    }
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, &lending->request, base, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

enum gk_status gk_lend(struct gk_gateway *gateway, struct gk_gateway_account *account,
                       const struct gk_lender *lender, uint64_t time, const struct gk_loan *to,
                       struct gk_error *error)
{
    struct lending lending;
    init(&lending, gateway, account);
    gk_blob_target_name(&lending.base, &lender->container, lender->shard, lender->name);
    enum gk_status status = gk_record_lock_write(&lending.base, error);
    if (status == GK_OK) {
        status = lend_locked(&lending, lender, time, to, error);
        gk_record_unlock(&lending.base);
    }
    cleanup(&lending);
    return status == GK_OK || error->http_status == 0
               ? status
               : gk_fail(error, GK_E_UNAVAILABLE, "the container of what is lent is being deleted");
}

/* --- the end ------------------------------------------------------------------------------------*/

static bool count_row(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key, (void)value;
    ++*(size_t *)ctx;
    return true;
}

/* Whether the blob has a state but this one. */
static enum gk_status has_others(const struct lending *lending, bool *others,
                                 struct gk_error *error)
{
    size_t count = 0;
    struct gk_buf prefix;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_state_prefix(&prefix, gk_buf_span(&lending->base.key));
    const struct gk_map_range range = {.prefix = gk_buf_span(&prefix), .limit = 2};
    const enum gk_status status =
        gk_store_map_walk(lending->request.gateway->store, GK_POOL_META, lending->base.index,
                          &range, count_row, &count, error);
    gk_buf_cleanup(&prefix);
    *others = count > 1;
    return status;
}

static enum gk_status remove_lent(struct lending *lending, bool closed, struct gk_error *error)
{
    struct gk_blob_target *base = &lending->base;
    struct gk_blob_target *state = &lending->state;
    struct gk_blob_write write;
    bool others = false;
    enum gk_status status = has_others(lending, &others, error);
    gk_blob_write_init(&write, base);
    gk_blob_write_guard(&write, gk_blob_guard(state));
    if (closed) {
        gk_blob_write_closed_too(&write);
    }
    gk_blob_write_removal(&write, state);
    gk_garbage_add_blob(&write.shared, state);
    if (status == GK_OK && base->stored.len > 0) {
        status = gk_state_settle_base(&write, &lending->request, base, others, error);
    }
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, &lending->request, base, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    /* Why is told of the container, as a client knows it; here it is to be tried again. */
    return status != GK_OK && error->http_status != 0
               ? gk_fail(error, GK_E_CONFLICT,
                         "a blob was written when what it lent was given back")
               : status;
}

static enum gk_status end_locked(struct lending *lending, const struct gk_loan_row *row,
                                 const struct gk_id *loan, bool *closed, struct gk_error *error)
{
    struct gk_blob_target *state = &lending->state;
    enum gk_status status = gk_blob_target_fetch(&lending->request, &lending->base, closed, error);
    if (status == GK_OK) {
        gk_blob_target_cleanup(state);
        status = gk_state_read(&lending->request, &lending->base, row->time, state, error);
    }
    if (status != GK_OK || state->stored.len == 0) {
        return status;
    }
    if (state->record.history.kind != GK_STATE_LENT || !gk_id_equal(&state->record.loan.id, loan)) {
        return GK_OK; /* another state was given that time: this one was never made */
    }
    return remove_lent(lending, *closed, error);
}

enum gk_status gk_lend_end(struct gk_gateway *gateway, struct gk_gateway_account *account,
                           const struct gk_loan_row *row, const struct gk_id *loan,
                           struct gk_error *error)
{
    struct lending lending;
    bool closed = false;
    init(&lending, gateway, account);
    gk_blob_target_name(&lending.base, &row->container, row->shard,
                        gk_span_of(row->name, row->name_len));
    enum gk_status status = gk_record_lock_write(&lending.base, error);
    if (status == GK_OK) {
        status = GK_E_CONFLICT;
        for (unsigned i = 0; status == GK_E_CONFLICT && i < ATTEMPTS_MAX; i++) {
            gk_error_clear(error);
            status = end_locked(&lending, row, loan, &closed, error);
        }
        gk_record_unlock(&lending.base);
    }
    cleanup(&lending);
    if (status == GK_OK && closed) { /* what the container's removal waited for */
        gk_reaper_note_account(gateway->reaper, account->name);
    }
    return status;
}
