/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/value.h"

#include "common/error.h"
#include "gateway/blob/names.h"

#define BINDING_BYTES_MAX (GK_MAP_KEY_BYTES_MAX + 256u)

static enum gk_status bind(const struct gk_place *place, struct gk_buf *binding,
                           struct gk_error *error)
{
    gk_buf_init(binding, BINDING_BYTES_MAX);
    gk_binding(binding, place->kind, &place->container, place->key);
    return gk_buf_status(binding) == GK_OK
               ? GK_OK
               : gk_fail(error, gk_buf_status(binding), "a %s's name is too long", place->kind);
}

/* Gives back the room at the end of out that the plugin did not use. */
static enum gk_status settle(struct gk_buf *out, size_t before, size_t used, enum gk_status status)
{
    if (out->data != NULL) {
        out->len = status == GK_OK ? before + used : before;
        out->data[out->len] = 0;
    }
    return status;
}

static enum gk_status no_room(struct gk_buf *out, const char *kind, struct gk_error *error)
{
    return gk_fail(error, gk_buf_status(out), "a %s's record does not fit", kind);
}

enum gk_status gk_value_too_long(const struct gk_buf *value, const char *object,
                                 struct gk_error *error)
{
    return gk_buf_status(value) == GK_E_LIMIT
               ? gk_fail(error, GK_E_INTEGRITY, "a value in %s is longer than any is", object)
               : gk_fail(error, GK_E_RESOURCE, "out of memory");
}

enum gk_status gk_value_get(struct gk_store *store, const char *object, struct gk_span key,
                            struct gk_buf *value, struct gk_error *error)
{
    const enum gk_status status = gk_store_map_get(store, GK_POOL_META, object, key, value, error);
    return status == GK_E_LIMIT ? gk_value_too_long(value, object, error) : status;
}

/* What is opened fits, unless it is not what was written. */
static enum gk_status no_room_to_open(struct gk_buf *out, const char *kind, struct gk_error *error)
{
    return gk_buf_status(out) == GK_E_LIMIT
               ? gk_fail(error, GK_E_INTEGRITY, "a %s's record is longer than any is", kind)
               : no_room(out, kind, error);
}

enum gk_status gk_value_open(const struct gk_place *place, struct gk_span value, struct gk_buf *out,
                             struct gk_error *error)
{
    struct gk_buf binding;
    enum gk_status status = bind(place, &binding, error);
    const size_t before = out->len;
    size_t used = 0;
    if (status == GK_OK) {
        uint8_t *at = gk_buf_extend(out, value.len);
        status = at == NULL ? no_room_to_open(out, place->kind, error)
                            : place->plugin->record_open(place->account, gk_buf_span(&binding),
                                                         value, at, value.len, &used, error);
    }
    gk_buf_cleanup(&binding);
    return settle(out, before, used, status);
}

enum gk_status gk_value_open_sealed(const struct gk_place *place, struct gk_data_key *data_key,
                                    struct gk_span value, struct gk_buf *out,
                                    struct gk_error *error)
{
    struct gk_buf binding;
    enum gk_status status = bind(place, &binding, error);
    const size_t before = out->len;
    size_t used = 0;
    if (status == GK_OK) {
        uint8_t *at = gk_buf_extend(out, value.len);
        status = at == NULL ? no_room_to_open(out, place->kind, error)
                            : place->plugin->record_open_sealed(data_key, gk_buf_span(&binding),
                                                                value, at, value.len, &used, error);
    }
    gk_buf_cleanup(&binding);
    return settle(out, before, used, status);
}

enum gk_status gk_value_seal(const struct gk_place *place, struct gk_data_key *data_key,
                             struct gk_span open_part, struct gk_span sealed_part,
                             struct gk_buf *out, struct gk_error *error)
{
    struct gk_buf binding;
    enum gk_status status = bind(place, &binding, error);
    const size_t before = out->len;
    const size_t max = open_part.len + sealed_part.len + GK_RECORD_OVERHEAD_BYTES;
    size_t used = 0;
    if (status == GK_OK) {
        uint8_t *at = gk_buf_extend(out, max);
        status = at == NULL
                     ? no_room(out, place->kind, error)
                     : place->plugin->record_seal(place->account, data_key, gk_buf_span(&binding),
                                                  open_part, sealed_part, at, max, &used, error);
    }
    gk_buf_cleanup(&binding);
    return settle(out, before, used, status);
}

enum gk_status gk_value_reseal_open(const struct gk_place *place, struct gk_span value,
                                    struct gk_span open_part, struct gk_buf *out,
                                    struct gk_error *error)
{
    struct gk_buf binding;
    enum gk_status status = bind(place, &binding, error);
    const size_t before = out->len;
    const size_t max = value.len + open_part.len + GK_RECORD_OVERHEAD_BYTES;
    size_t used = 0;
    if (status == GK_OK) {
        uint8_t *at = gk_buf_extend(out, max);
        status = at == NULL
                     ? no_room(out, place->kind, error)
                     : place->plugin->record_reseal_open(place->account, gk_buf_span(&binding),
                                                         value, open_part, at, max, &used, error);
    }
    gk_buf_cleanup(&binding);
    return settle(out, before, used, status);
}

enum gk_status gk_value_rebind(const struct gk_place *from, const struct gk_place *to,
                               struct gk_span value, struct gk_span open_part, struct gk_buf *out,
                               struct gk_error *error)
{
    struct gk_buf binding;
    struct gk_buf new_binding;
    gk_buf_init(&new_binding, BINDING_BYTES_MAX);
    enum gk_status status = bind(from, &binding, error);
    if (status == GK_OK) {
        status = bind(to, &new_binding, error);
    }
    const size_t before = out->len;
    const size_t max = value.len + open_part.len + GK_RECORD_OVERHEAD_BYTES;
    size_t used = 0;
    if (status == GK_OK) {
        uint8_t *at = gk_buf_extend(out, max);
        status = at == NULL ? no_room(out, to->kind, error)
                            : to->plugin->record_rebind(to->account, gk_buf_span(&binding),
                                                        gk_buf_span(&new_binding), value, open_part,
                                                        at, max, &used, error);
    }
    gk_buf_cleanup(&binding);
    gk_buf_cleanup(&new_binding);
    return settle(out, before, used, status);
}
