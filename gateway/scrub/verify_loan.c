/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/verify_loan.h"

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/borrow.h"
#include "gateway/blob/lend.h"

static enum gk_status not_lent(struct gk_error *error)
{
    return gk_fail(error, GK_E_INTEGRITY, "what it borrows of another blob is not lent to it");
}

/* The state that row names. */
static enum gk_status verify_state(const struct gk_request *request, const struct gk_loan *loan,
                                   const struct gk_loan_row *row, struct gk_error *error)
{
    struct gk_blob_target base;
    struct gk_blob_target state;
    gk_blob_target_name(&base, &row->container, row->shard, gk_span_of(row->name, row->name_len));
    enum gk_status status = gk_state_read(request, &base, row->time, &state, error);
    if (status == GK_OK &&
        (!state.exists || state.record.history.kind != GK_STATE_LENT ||
         !gk_id_equal(&state.record.loan.id, &loan->id) ||
         !gk_id_equal(&row->container, &loan->container) || row->shard != loan->shard)) {
        status = not_lent(error);
    }
    gk_blob_target_cleanup(&base);
    gk_blob_target_cleanup(&state);
    return status;
}

static enum gk_status verify_borrower(const struct gk_request *request,
                                      const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_place place =
        gk_index_place(request, &target->container, GK_VALUE_LOAN, (struct gk_span){0});
    const struct gk_loan *loan = &target->record.loan;
    struct gk_loan_row row;
    const enum gk_status status =
        gk_borrow_read(request->gateway->store, place, target->index, &loan->id, &row, error);
    if (status == GK_E_NOT_FOUND) {
        return not_lent(error);
    }
    return status == GK_OK ? verify_state(request, loan, &row, error) : status;
}

/* Whoever lent it has not come to its end; a borrower whose shard is lost may come back. */
static enum gk_status give_up(const struct gk_scrub_run *run, const struct gk_request *request,
                              const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_span name = gk_state_key_name(gk_buf_span(&target->key));
    const struct gk_loan *loan = &target->record.loan;
    char index[GK_INDEX_NAME_BYTES];
    struct gk_store_stat stat;
    gk_index_name(&loan->container, loan->shard, index);
    enum gk_status status =
        gk_store_stat(request->gateway->store, GK_POOL_META, index, &stat, error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_loan_row row = {.container = target->container,
                              .shard = target->shard,
                              .time = gk_state_key_time(gk_buf_span(&target->key)),
                              .name_len = name.len};
    memcpy(row.name, name.data, name.len);
    gk_log(GK_LOG_INFO, "scrub", "a state in %s is lent to nobody", target->index);
    return run->state.options.remove
               ? gk_lend_end(request->gateway, request->account, &row, &loan->id, error)
               : GK_OK;
}

enum gk_status gk_scrub_verify_loan(struct gk_scrub_run *run, const struct gk_request *request,
                                    const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_blob_record *record = &target->record;
    if (gk_loan_borrows(&record->loan, &record->history)) {
        return verify_borrower(request, target, error);
    }
    if (record->history.kind != GK_STATE_LENT) {
        return GK_OK;
    }
    bool there = false;
    const enum gk_status status =
        gk_borrow_is_there(request->gateway->store, &record->loan, &there, error);
    return status != GK_OK || there ? status : give_up(run, request, target, error);
}
