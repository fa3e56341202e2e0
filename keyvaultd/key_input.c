/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/key_input.h"

#define TAGS_MAX      15u
#define TAG_BYTES_MAX 256u
#define SECONDS_MAX   INT64_C(253402300799) /* the end of the year 9999 */

static bool refuse(struct kv_request *request, const char *member)
{
    kv_refuse(request, 400, "BadParameter", "", "The parameter %s is invalid.", member);
    return false;
}

static bool is_given(const json_t *value)
{
    return value != NULL && !json_is_null(value);
}

static bool read_ops(struct kv_request *request, const json_t *ops, uint32_t *out)
{
    if (!is_given(ops)) {
        return true;
    }
    uint32_t bits = 0;
    if (!json_is_array(ops)) {
        return refuse(request, "key_ops");
    }
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const char *name = json_string_value(json_array_get(ops, i));
        const uint32_t bit = name == NULL ? 0 : kv_key_op_of(name);
        if (bit == 0) {
            return refuse(request, "key_ops");
        }
        bits |= bit;
    }
    *out = bits;
    return true;
}

static bool read_time(const json_t *attributes, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(attributes, name);
    if (!is_given(value)) {
        return true;
    }
    *out = json_integer_value(value);
    return json_is_integer(value) && *out > 0 && *out <= SECONDS_MAX;
}

static bool read_attributes(struct kv_request *request, const json_t *input,
                            struct kv_attributes *out)
{
    const json_t *attributes = json_object_get(input, "attributes");
    if (!is_given(attributes)) {
        return true;
    }
    const json_t *enabled = json_object_get(attributes, "enabled");
    if (!json_is_object(attributes) || (is_given(enabled) && !json_is_boolean(enabled)) ||
        !read_time(attributes, "nbf", &out->nbf_s) || !read_time(attributes, "exp", &out->exp_s) ||
        (out->nbf_s != 0 && out->exp_s != 0 && out->nbf_s >= out->exp_s)) {
        return refuse(request, "attributes");
    }
    if (is_given(enabled)) {
        out->enabled = json_is_true(enabled);
    }
    return true;
}

static bool read_tags(struct kv_request *request, json_t **out)
{
    json_t *tags = json_object_get(request->input, "tags");
    if (!is_given(tags)) {
        return true;
    }
    if (!json_is_object(tags) || json_object_size(tags) > TAGS_MAX) {
        return refuse(request, "tags");
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(tags, name, value)
    {
        if (!json_is_string(value) || json_string_length(value) > TAG_BYTES_MAX) {
            return refuse(request, "tags");
        }
    }
    *out = tags;
    return true;
}

bool kv_input_read(struct kv_request *request, const json_t *holder, struct kv_version *version)
{
    return read_ops(request, json_object_get(holder, "key_ops"), &version->key_ops) &&
           read_attributes(request, request->input, &version->attributes) &&
           read_tags(request, &version->tags);
}
