/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/params.h"

#include <string.h>

#include "common/secret.h"
#include "common/text.h"

static bool decode(struct gk_buf *out, struct gk_span text, bool form)
{
    struct gk_buf blanks;
    gk_buf_init(&blanks, KV_PARAMS_BYTES_MAX);
    gk_buf_append(&blanks, text.data, text.len);
    for (size_t i = 0; form && i < blanks.len; i++) {
        if (blanks.data[i] == '+') {
            blanks.data[i] = ' ';
        }
    }
    const bool good =
        gk_buf_status(&blanks) == GK_OK && gk_percent_decode(out, gk_buf_span(&blanks));
    gk_buf_cleanup_wipe(&blanks);
    gk_buf_append_u8(out, 0);
    return good && gk_buf_status(out) == GK_OK;
}

static bool add_pair(struct kv_params *params, struct gk_span pair, bool form)
{
    const uint8_t *equals = memchr(pair.data, '=', pair.len);
    const size_t name_len = equals == NULL ? pair.len : (size_t)(equals - pair.data);
    const size_t value_at = equals == NULL ? pair.len : name_len + 1;
    if (params->count == KV_PARAMS_MAX) {
        return false;
    }
    params->names[params->count] = params->texts.len;
    if (!decode(&params->texts, gk_span_of(pair.data, name_len), form)) {
        return false;
    }
    params->values[params->count] = params->texts.len;
    if (!decode(&params->texts, gk_span_of(pair.data + value_at, pair.len - value_at), form)) {
        return false;
    }
    params->count++;
    return true;
}

bool kv_params_parse(struct kv_params *params, struct gk_span text, bool form)
{
    gk_buf_init(&params->texts, KV_PARAMS_BYTES_MAX);
    params->count = 0;
    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '&', text.len);
        const size_t len = end == NULL ? text.len : (size_t)(end - text.data);
        if (len > 0 && !add_pair(params, gk_span_of(text.data, len), form)) {
            return false;
        }
        const size_t step = end == NULL ? len : len + 1;
        text = gk_span_of(text.data + step, text.len - step);
    }
    return true;
}

void kv_params_cleanup(struct kv_params *params)
{
    gk_buf_cleanup_wipe(&params->texts);
    params->count = 0;
}

const char *kv_params_get(const struct kv_params *params, const char *name)
{
    const char *texts = gk_buf_str(&params->texts);
    for (size_t i = 0; i < params->count; i++) {
        if (strcmp(texts + params->names[i], name) == 0) {
            return texts + params->values[i];
        }
    }
    return NULL;
}
