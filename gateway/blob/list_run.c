/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/list_run.h"

void gk_list_run_init(struct gk_list_run *run)
{
    *run = (struct gk_list_run){.open = false};
    gk_buf_init(&run->prefix, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&run->after, GK_MAP_KEY_BYTES_MAX + 2u);
}

void gk_list_run_cleanup(struct gk_list_run *run)
{
    if (run->open) {
        gk_list_merge_cleanup(&run->merge);
    }
    gk_buf_cleanup(&run->prefix);
    gk_buf_cleanup(&run->after);
}

enum gk_status gk_list_run_begin(struct gk_list_run *run, struct gk_store *store,
                                 struct gk_list_maps maps, uint32_t expected,
                                 struct gk_error *error)
{
    run->open = true;
    return gk_list_merge_init(&run->merge, store, maps, gk_buf_span(&run->prefix),
                              gk_buf_span(&run->after), expected, error);
}

enum gk_status gk_list_run_look(struct gk_list_run *run, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    if (run->open && !run->at_hand) {
        status = gk_list_merge_next(&run->merge, &run->key, &run->value, error);
        run->at_hand = status == GK_OK;
    }
    return status;
}
