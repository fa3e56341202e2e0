/* SPDX-License-Identifier: Apache-2.0 */
/* Which wraps of its root keys an account has: in its record, and in the one before while a rotation settles. */
#include "plugin/account_wraps.h"

#include "common/error.h"

/* Both records as they are stored, of one state. */
struct stored {
    struct gk_buf record;
    struct gk_buf previous;
    bool found;
};

static void collect(void *ctx, const struct gk_attr *attr)
{
    struct stored *stored = ctx;
    if (strcmp(attr->name, GK_ACCOUNT_ATTR) == 0) {
        stored->found = true;
        gk_buf_append(&stored->record, attr->value.data, attr->value.len);
    } else if (strcmp(attr->name, GK_ACCOUNT_ATTR_PREVIOUS) == 0) {
        gk_buf_append(&stored->previous, attr->value.data, attr->value.len);
    }
}

static enum gk_status read_both(const struct gk_instance *instance, const char *account,
                                struct stored *stored, struct gk_error *error)
{
    uint64_t version = 0;
    const enum gk_status status = instance->host.account_attrs_get(
        instance->host.ctx, account, collect, stored, &version, error);
    return status == GK_OK && !stored->found
               ? gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                              "account %.88s has no encryption record", account)
               : status;
}

static enum gk_status tell_wraps(const struct gk_instance *instance,
                                 const struct gk_account_record *record, gk_wrap_visit_fn *visit,
                                 void *visit_ctx, struct gk_error *error)
{
    for (uint32_t i = 0; i < record->generations_count; i++) {
        const struct gk_root_generation *generation = &record->generations[i];
        for (uint32_t j = 0; j < generation->wraps_count; j++) {
            const struct gk_root_wrap *wrap = &generation->wraps[j];
            const struct gk_span value = gk_span_of(wrap->value, wrap->value_len);
            struct gk_wrap_info info = {.account_id = record->id,
                                        .generation = generation->generation,
                                        .key_id = wrap->key_id,
                                        .algorithm = wrap->algorithm,
                                        .by_vault =
                                            gk_vault_wrap_is_shaped(wrap->algorithm, value)};
            const enum gk_status status = gk_sha256(instance->crypto, value, info.sha256);
            if (status != GK_OK) {
                return gk_fail(error, status, "no memory for a hash");
            }
            visit(visit_ctx, &info);
        }
    }
    return GK_OK;
}

static enum gk_status tell_record(const struct gk_instance *instance, const char *account,
                                  const struct gk_buf *bytes, gk_wrap_visit_fn *visit,
                                  void *visit_ctx, struct gk_error *error)
{
    struct gk_stored_account *stored = gk_stored_account_new();
    if (stored == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = gk_buf_status(bytes);
    if (status == GK_OK) {
        status = gk_stored_account_take(instance, account, gk_buf_span(bytes), stored, error);
    } else {
        status = gk_fail(error, status == GK_E_LIMIT ? GK_E_INTEGRITY : status,
                         "the record of account %.88s cannot be read", account);
    }
    if (status == GK_OK) {
        status = tell_wraps(instance, &stored->record, visit, visit_ctx, error);
    }
    gk_stored_account_free(&stored);
    return status;
}

enum gk_status gk_account_wraps(struct gk_instance *instance, const char *account,
                                gk_wrap_visit_fn *visit, void *visit_ctx, struct gk_error *error)
{
    struct stored stored = {0};
    gk_buf_init(&stored.record, GK_ACCOUNT_RECORD_BYTES_MAX);
    gk_buf_init(&stored.previous, GK_ACCOUNT_RECORD_BYTES_MAX);
    enum gk_status status = read_both(instance, account, &stored, error);
    if (status == GK_OK) {
        status = tell_record(instance, account, &stored.record, visit, visit_ctx, error);
    }
    if (status == GK_OK && stored.previous.len > 0) {
        status = tell_record(instance, account, &stored.previous, visit, visit_ctx, error);
    }
    gk_buf_cleanup(&stored.record);
    gk_buf_cleanup(&stored.previous);
    return status;
}
