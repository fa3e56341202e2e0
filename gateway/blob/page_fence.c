/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_fence.h"

#include "common/error.h"
#include "common/secret.h"

/* Writes one seal of the object as it is. Who was refused because another came first has been told just
 * that: another came. */
static enum gk_status fence(const struct gk_request *request, const struct gk_blob_target *target,
                            const struct gk_id *object, struct gk_error *error)
{
    uint8_t seal[GK_PAGE_SEAL_BYTES] = {0};
    char name[GK_DATA_NAME_BYTES];
    struct gk_guard same = {.kind = GK_GUARD_VERSION};
    struct gk_read_part part = {.offset = GK_PAGE_SEALS_OFFSET, .buffer = seal, .len = sizeof seal};
    gk_data_name(&target->container, object, 0, name);
    enum gk_status status = gk_store_read_parts(request->gateway->store, GK_POOL_DATA, name, &part,
                                                1, &same.number, error);
    if (status == GK_OK) {
        const struct gk_change change = {.kind = GK_CHANGE_BYTES,
                                         .value = gk_span_of(seal, sizeof seal),
                                         .number = GK_PAGE_SEALS_OFFSET};
        const struct gk_write_op op = {.pool = GK_POOL_DATA,
                                       .object = name,
                                       .guards = &same,
                                       .guards_count = 1,
                                       .changes = &change,
                                       .changes_count = 1};
        status = gk_store_write(request->gateway->store, &op, NULL, error);
    }
    if (status == GK_E_NOT_FOUND || status == GK_E_CONFLICT) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* What this process is called among the writers, 0 when there is no entropy. */
static uint64_t own_id(struct gk_gateway *gateway)
{
    uint64_t id = atomic_load(&gateway->page_writer);
    uint64_t drawn = 0;
    if (id == 0 && gk_random(&drawn, sizeof drawn) && drawn != 0 &&
        atomic_compare_exchange_strong(&gateway->page_writer, &id, drawn)) {
        id = drawn;
    }
    return id;
}

enum gk_status gk_page_fence_announce(const struct gk_request *request,
                                      struct gk_blob_target *target, const struct gk_id *object,
                                      struct gk_error *error)
{
    const uint64_t id = own_id(request->gateway);
    struct gk_id displaced;
    if (id == 0) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a writer's id");
    }
    return gk_page_eras_note_writer(&target->record.eras, id, object, &displaced)
               ? fence(request, target, &displaced, error)
               : GK_OK;
}

void gk_page_fence_disown(struct gk_gateway *gateway)
{
    atomic_store(&gateway->page_writer, 0);
}

enum gk_status gk_page_fence_all(const struct gk_request *request,
                                 const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_page_eras *eras = &target->record.eras;
    enum gk_status status = GK_OK;
    for (uint32_t i = 0; i < eras->writers_count && status == GK_OK; i++) {
        status = fence(request, target, &eras->writers[i].object, error);
    }
    return status;
}
