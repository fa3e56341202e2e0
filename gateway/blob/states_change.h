/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of a blob's states and then of its base. A blob of few states is changed in one write; one of
 * very many in several, each of which leaves a blob that is whole, with fewer states to change; the base
 * is changed with the last of them.
 */
#ifndef GATEWAY_BLOB_STATES_CHANGE_H
#define GATEWAY_BLOB_STATES_CHANGE_H

#include "gateway/blob/states.h"

enum gk_state_action {
    GK_STATE_KEEP,
    GK_STATE_WRITE, /* its record, which was changed, is written */
    GK_STATE_REMOVE /* it goes, with what nothing else refers to */
};

struct gk_states_change {
    void *ctx;
    bool
        closed_too; /* also in a shard that is closed, of a container that is deleted and kept, say */
    /* What becomes of a state; an error ends the change before anything of this write is done. */
    enum gk_status (*state)(void *ctx, struct gk_blob_write *write, struct gk_blob_target *state,
                            enum gk_state_action *action, struct gk_error *error);
    /* What becomes of the base, as a part of write, at the end. remain: there are states behind. */
    enum gk_status (*base)(void *ctx, struct gk_blob_write *write, struct gk_blob_target *base,
                           bool remain, struct gk_error *error);
};

/* base was read under its lock, and is read again for each further write. */
enum gk_status gk_states_change(struct gk_request *request, struct gk_blob_target *base,
                                const struct gk_states_change *change,
                                struct gk_error *error) GK_MUST_USE;

#endif
