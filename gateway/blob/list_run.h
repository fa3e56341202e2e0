/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one kind, in order, with the next one at hand: listings go through several kinds side by side. */
#ifndef GATEWAY_BLOB_LIST_RUN_H
#define GATEWAY_BLOB_LIST_RUN_H

#include "gateway/blob/list_merge.h"

struct gk_list_run {
    struct gk_buf prefix; /* of keys; both are filled by who begins the run */
    struct gk_buf after;
    struct gk_list_merge merge;
    bool open;          /* it was begun */
    bool at_hand;       /* key and value are, and were not taken */
    struct gk_span key; /* empty after the last, and of a run that was not begun */
    struct gk_span value;
};

void gk_list_run_init(struct gk_list_run *run);
void gk_list_run_cleanup(struct gk_list_run *run);
/* In these maps, which outlive the run; expected as gk_list_merge_init has it. */
enum gk_status gk_list_run_begin(struct gk_list_run *run, struct gk_store *store,
                                 struct gk_list_maps maps, uint32_t expected,
                                 struct gk_error *error) GK_MUST_USE;
/* The next row is at hand, if there is one. Who takes it says so in at_hand. GK_E_NOT_FOUND: a map is not
 * there. */
enum gk_status gk_list_run_look(struct gk_list_run *run, struct gk_error *error) GK_MUST_USE;

#endif
