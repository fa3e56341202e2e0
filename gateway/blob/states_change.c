/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/states_change.h"

struct changing {
    struct gk_request *request;
    struct gk_blob_target *base;
    const struct gk_states_change *change;
    uint64_t after;  /* the states up to this time were gone through */
    bool remain;     /* some of them stay */
    uint32_t shared; /* eras of the base that those have (page_eras.h) */
};

static bool shares_pages(const struct gk_blob_target *base, const struct gk_blob_target *state)
{
    return base->record.kind.type == GK_BLOB_PAGE && state->record.kind.type == GK_BLOB_PAGE &&
           gk_id_equal(&base->record.kind.space, &state->record.kind.space);
}

static enum gk_status change_state(struct changing *changing, struct gk_blob_write *write,
                                   struct gk_blob_target *state, struct gk_error *error)
{
    const struct gk_states_change *change = changing->change;
    enum gk_state_action action = GK_STATE_KEEP;
    const enum gk_status status = change->state(change->ctx, write, state, &action, error);
    changing->after = state->time;
    changing->remain = changing->remain || action != GK_STATE_REMOVE;
    if (action != GK_STATE_REMOVE && shares_pages(changing->base, state) &&
        state->record.eras.era >= changing->shared) {
        changing->shared = state->record.eras.era + 1;
    }
    if (status != GK_OK || action == GK_STATE_KEEP) {
        return status;
    }
    if (action == GK_STATE_WRITE) {
        return gk_blob_write_open_part(write, changing->request, state, &state->record, error);
    }
    gk_blob_write_removal(write, state);
    gk_blob_write_drop(write, state);
    return GK_OK;
}

static enum gk_status fill_write(struct changing *changing, struct gk_blob_write *write, bool *more,
                                 struct gk_error *error)
{
    struct gk_blob_target *base = changing->base;
    struct gk_states states = {0};
    enum gk_status status = GK_OK;
    if (base->record.history.newest > 0) { /* else there are none */
        status = gk_states_read(changing->request, base, changing->after, &states, error);
    }
    for (size_t i = 0; i < states.count && status == GK_OK; i++) {
        status = change_state(changing, write, &states.items[i], error);
    }
    *more = states.more;
    gk_states_cleanup(&states);
    if (status != GK_OK) {
        return status;
    }
    if (*more) {
        return gk_state_settle_base(write, changing->request, base, true, error);
    }
    base->record.eras.shared = changing->shared;
    return changing->change->base(changing->change->ctx, write, base, changing->remain, error);
}

static enum gk_status write_once(struct changing *changing, bool *more, struct gk_error *error)
{
    struct gk_blob_write write;
    gk_blob_write_init(&write, changing->base);
    if (changing->change->closed_too) {
        gk_blob_write_closed_too(&write);
    }
    enum gk_status status = fill_write(changing, &write, more, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, changing->request, changing->base, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

static enum gk_status read_again(struct gk_request *request, struct gk_blob_target *base,
                                 const struct gk_states_change *change, struct gk_error *error)
{
    bool closed = false;
    return change->closed_too ? gk_blob_target_fetch(request, base, &closed, error)
                              : gk_blob_target_read(request, base, error);
}

enum gk_status gk_states_change(struct gk_request *request, struct gk_blob_target *base,
                                const struct gk_states_change *change, struct gk_error *error)
{
    struct changing changing = {.request = request, .base = base, .change = change};
    bool more = false;
    enum gk_status status = write_once(&changing, &more, error);
    while (status == GK_OK && more) {
        status = read_again(request, base, change, error);
        if (status == GK_OK && change->closed_too && base->stored.len == 0) {
            break; /* removed meanwhile */
        }
        if (status == GK_OK) {
            status = write_once(&changing, &more, error);
        }
    }
    return status;
}
